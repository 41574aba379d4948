"""The report on a character set: one HTML file, or one PNG, that holds all it shows."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.character_set import SetReading
from bitpuppet.data.set_check import AnimationCheck, CharacterCheck, SetCheck
from bitpuppet.data.set_reading import AnimationReading
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import MAX_PIXELS, encode_apng, write_contact_sheet
from bitpuppet.sprites.writer import check_path, write_bytes

REPORT_SUFFIXES = (".html", ".png")
_MAX_FRAMES = 64
"""Of an animation that the report shows, evenly picked of more."""
_MAX_STRIP = 16
"""Of an animation in a picture, where they stand side by side."""
_SHOWN_SIDE = 96
"""Pixels that a thumbnail aims at; art is enlarged by whole factors only."""
_MAX_SCALE = 6
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin: 2rem 0 .4rem } p { margin: .3rem 0 }
.grid { display: flex; flex-wrap: wrap; gap: .8rem }
figure { margin: 0; padding: .5rem; border: 1px solid #8886; border-radius: .4rem }
figcaption { font-size: .8rem; max-width: 14rem }
img { image-rendering: pixelated; display: block; margin: 0 auto .3rem;
  background: repeating-conic-gradient(#8883 0 25%, transparent 0 50%) 0 0/16px 16px }
ul { padding-left: 1.2rem } .error { color: #d22 } .warning { color: #b70 } .note { opacity: .8 }
"""
ReportWatch = Callable[[int, int, str], None]


def check_report(path: Path) -> None:
    """Raise BitpuppetError when `write_report` could not write to `path`: better before the work than after it."""
    check_path(path, REPORT_SUFFIXES)


def write_report(reading: SetReading, check: SetCheck, path: Path, watch: ReportWatch | None = None) -> None:
    """Write the report on a set, `.html` (animated) or `.png` (strips), whole or not at all.

    `watch`: called with (characters done, characters, name of the next one); whatever it raises stops the work.

    Raises:
        BitpuppetError: the file cannot be written, or the set is too large for a PNG.
    """
    check_report(path)
    if path.suffix.lower() == ".png":
        _write_picture(reading, check, path)
    else:
        write_bytes(_draw_page(reading, check, watch).encode(), path, (".html",))


def describe(its: AnimationCheck) -> str:
    """The figures of an animation in one line."""
    parts = [
        f"{its.frames} frame{'s' * (its.frames != 1)} of {its.size[0]}x{its.size[1]}",
        f"art {its.art[0]}x{its.art[1]}",
        f"{its.colours} colour{'s' * (its.colours != 1)}",
        f"{its.milliseconds / 1000:g} s",
    ]
    if its.distinct < its.frames:
        parts.append(f"{its.distinct} different")
    if its.scale > 1:
        parts.append(f"drawn at {its.scale}x")
    if its.empty:
        parts.append(f"{its.empty} empty")
    return ", ".join(parts)


def _draw_page(reading: SetReading, check: SetCheck, watch: ReportWatch | None) -> str:
    # The file shows pixels of its own only: no scripts, nothing loaded, and names of files are text.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{escape(check.name)}</title><style>{_STYLE}</style><h1>{escape(check.name)}</h1>",
        f"<p>{count_up(check)}</p>",
        _list_findings(check),
    ]
    for number, (read, its) in enumerate(zip(reading.characters, check.characters, strict=True)):
        if watch is not None:
            watch(number, len(check.characters), its.name)
        parts.append(f"<h2>{escape(its.name)}</h2>")
        figures = zip(read.animations, its.animations, strict=True)
        parts.append(f'<div class="grid">{"".join(_draw_figure(one, figure) for one, figure in figures)}</div>')
    return "\n".join(parts)


def count_up(check: SetCheck) -> str:
    """The set in one line."""
    animations = [one for character in check.characters for one in character.animations]
    frames = sum(one.frames for one in animations)
    return f"{len(check.characters)} characters, {len(animations)} animations, {frames} frames"


def _list_findings(check: SetCheck) -> str:
    if not check.findings:
        return "<p>Nothing is wrong with it.</p>"
    lines = [
        f'<li class="{one.level}"><b>{one.level}</b> {escape(one.where)}: {escape(one.text)}</li>'
        for one in check.findings
    ]
    return f"<ul>{''.join(lines)}</ul>"


def _draw_figure(read: AnimationReading, its: AnimationCheck) -> str:
    chosen = _pick(len(read.frames), _MAX_FRAMES)
    data = encode_apng(read.frames[chosen], [read.durations_ms[one] for one in chosen])
    scale = max(1, min(_MAX_SCALE, _SHOWN_SIDE // max(its.size)))
    return (
        f'<figure><img alt="" width="{its.size[0] * scale}" height="{its.size[1] * scale}" '
        f'src="data:image/png;base64,{b64encode(data).decode()}">'
        f"<figcaption><b>{escape(its.name)}</b><br>{escape(describe(its))}<br>{escape(its.sheet)}</figcaption></figure>"
    )


def _write_picture(reading: SetReading, check: SetCheck, path: Path) -> None:
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    for read, its in zip(reading.characters, check.characters, strict=True):
        rows += [
            (f"{_name(its, one)}: {describe(one)}", animation.frames[_pick(len(animation.frames), _MAX_STRIP)])
            for animation, one in zip(read.animations, its.animations, strict=True)
        ]
    if not rows:
        raise BitpuppetError(f"{path}: there is nothing to show; correct the set first")
    longest = max(max(frames.shape[2], 40) * len(frames) for _, frames in rows)
    for scale in (2, 1):
        height = sum(frames.shape[1] * scale + 30 for _, frames in rows)
        if height * longest * scale <= MAX_PIXELS:
            write_contact_sheet(rows, path, scale)
            return
    raise BitpuppetError(f"{path}: {len(rows)} animations are too many for one picture; name a report in .html")


def _name(character: CharacterCheck, one: AnimationCheck) -> str:
    # The font of the picture has the letters of Latin 1 only.
    return f"{character.name}/{one.name}".encode("latin-1", "replace").decode("latin-1")


def _pick(count: int, most: int) -> list[int]:
    return [int(number) for number in np.linspace(0, count - 1, min(count, most)).round()]
