"""Short texts of the panels: progress, times, names."""

from __future__ import annotations

import re
import unicodedata

LABELS = {
    "retarget": "Retarget",
    "extend": "Extend",
    "loop": "Close Loop",
    "tokens": "Read Motion",
    "decode": "Re-decode",
}
_SUFFIX = re.compile(r"\.(png|gif|apng|webp|tga|bmp|tiff?|mp4|m4v|mov|webm|mkv|avi|mpe?g)$", re.IGNORECASE)
_MAX_NAME = 60
"""Blender cuts data-block names at 63 bytes before 5.0."""
_WIDE = frozenset("MW@%")
"""Letters that are half as wide again as others in Blender's font, as those of East Asia and pictures are, too."""


def describe_time(seconds: float) -> str:
    """A remaining or elapsed time, such as "8 s", "2 min 5 s" or "1 h 3 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def describe_progress(state: str, step: int, steps: int, position: int, eta: float) -> str:
    """The text beside or in a progress bar.

    Args:
        state: of the job: waiting, queued or running.
        step: steps done.
        steps: steps in all; 0 while unknown.
        position: jobs ahead in the queue; below 0 where unknown.
        eta: seconds left; below 0 where unknown.
    """
    if state == "waiting":
        return "Waiting for the backend"
    if state == "queued":
        return f"Queued, {position} ahead" if position > 0 else "Queued"
    left = f", {describe_time(eta)} left" if eta >= 0 else ""
    return f"Step {step} of {steps}{left}" if steps else "Preparing"


def describe_briefly(state: str, step: int, steps: int, position: int, eta: float) -> str:
    """The same for a narrow list, such as "1 of 4, 2 min 5 s"."""
    if state != "running" or not steps:
        return describe_progress(state, step, steps, position, eta)
    return f"{step} of {steps}, {describe_time(eta)}" if eta >= 0 else f"{step} of {steps}"


def wrap_text(text: str, width: int) -> list[str]:
    """A sentence as lines of at most `width` letters, wide ones counting more; at least one, which may be empty.

    A word that is longer, as paths are, is broken after its slashes, and where it has none anywhere: of a line that is
    too wide Blender leaves out the middle, and with it the name that the user has to know.
    """
    lines, line = [], ""
    for word in text.split():
        first, *others = _break_word(word, width)
        if line and _measure(f"{line} {first}") > width:
            lines.append(line)
            line = first
        else:
            line = f"{line} {first}".strip()
        for piece in others:
            lines.append(line)
            line = piece
    return [*lines, line]


def _break_word(word: str, width: int) -> list[str]:
    pieces = []
    while _measure(word) > width:
        fitting = max(1, sum(_measure(word[:end]) <= width for end in range(1, width + 1)))
        place = max(word.rfind(mark, 0, fitting) for mark in "/\\") + 1
        cut = place if place > 1 else fitting  # a slash alone is no line
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word] if word else pieces


def _measure(text: str) -> float:
    """How wide a text is drawn, in letters of usual width."""
    return len(text) + sum(0.5 for one in text if one in _WIDE or unicodedata.east_asian_width(one) in "WF")


def name_result(kind: str, source: str, motion: str, number: int = 1) -> str:
    """Name of a result's image data-block."""
    who, what = _stem(source), _stem(motion)
    name = {
        "retarget": f"{who} - {what}",
        "extend": f"{who} - longer",
        "loop": f"{who} - loop",
        "decode": f"{who} - edited",
    }.get(kind, who)
    suffix = f" {number}" if number > 1 else ""
    cut = name.encode()[: _MAX_NAME - len(suffix)].decode(errors="ignore")
    return cut + suffix


def _stem(name: str) -> str:
    """A data-block's name without a file suffix and without Blender's ".001"."""
    bare = re.sub(r"\.\d{3}$", "", name)
    return _SUFFIX.sub("", bare) or "image"


def make_file_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w .()+-]", "_", name).strip(" .") or "bitpuppet"
