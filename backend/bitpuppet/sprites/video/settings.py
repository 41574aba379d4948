"""What to take of a video: frame rate, time range, crop and size, as the user writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from bitpuppet.errors import BitpuppetError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg")
"""Endings of files that are read as video whatever is asked for. A GIF is one where a setting is given."""
VIDEO_OPTIONS = ("fps", "range", "crop", "size", "content_video", "motion_video")
"""The long options that say it, as `Videos.parse` takes them."""
MAX_FPS = 240
MAX_SIDE = 8192
"""Pixels of a side that --crop and --size may name."""
_KEYS = ("fps", "range", "crop", "size", "sampling")
_NONE, _CENTRE, _WHOLE = "none", ("centre", "center"), "whole"
_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,6})?)")
_BOX = re.compile(r"(\d{1,5})x(\d{1,5})(?:\+(\d{1,5})\+(\d{1,5}))?")


@dataclass(frozen=True)
class Crop:
    """A box in the picture as it is shown, in pixels. No size: the largest in the middle; no place: in the middle."""

    size: tuple[int, int] | None = None
    place: tuple[int, int] | None = None
    """Left and top."""

    def find_box(self, width: int, height: int, target: tuple[int, int] | None) -> tuple[int, int, int, int]:
        """Left, top, width and height of the box in a picture; one without a size is shaped like the target.

        Raises BitpuppetError when the box does not lie in the picture.
        """
        if self.size is None:
            across, down = target or (1, 1)
            wide, high = min(width, height * across // down), min(height, width * down // across)
            wide, high = max(wide, 1), max(high, 1)
        else:
            wide, high = self.size
        left, top = self.place or ((width - wide) // 2, (height - high) // 2)
        if left < 0 or top < 0 or left + wide > width or top + high > height:
            named = f"{wide}x{high}" + (f"+{left}+{top}" if self.place else "")
            raise BitpuppetError(f"--crop {named} reaches beyond the picture of {width}x{height}; choose a smaller box")
        return left, top, wide, high


@dataclass(frozen=True)
class VideoSettings:
    """What to take of a video. None is: as the file has it, which for a varying frame rate is its average.

    `fps`: frames a second of the result. `start`, `end`: seconds from the first frame; `end` is not in it. `crop`: a
    box. `size`: width and height of a frame; a single number stands for the longer side. `sampling`: `nearest` keeps
    hard pixels, `area` averages; `auto` takes the nearest where the first frame has at most 256 colours and its
    codec keeps them.
    """

    fps: Fraction | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    crop: Crop | None = None
    size: tuple[int, int] | int | None = None
    sampling: Literal["auto", "nearest", "area"] = "auto"

    @property
    def is_whole(self) -> bool:
        """Whether nothing is asked for, so that files which tell their own durations keep them."""
        return self == VideoSettings()

    @classmethod
    def parse(cls, values: Mapping[str, str | None], base: VideoSettings | None = None) -> VideoSettings:
        """Read the values of the options fps, range, crop, size and sampling, on top of other settings.

        Raises BitpuppetError when one is not of its form.
        """
        result = base or cls()
        for key, value in values.items():
            if value is not None:
                result = replace(result, **_PARSERS[key]("" if value.lower() == _NONE else value))
        return result


@dataclass(frozen=True)
class Videos:
    """The settings of a job's files: `shared` ones, and others where the content or the motion has its own."""

    shared: VideoSettings = VideoSettings()
    content: VideoSettings | None = None
    motion: VideoSettings | None = None

    @property
    def of_content(self) -> VideoSettings:
        """What to take of the content's file."""
        return self.content or self.shared

    @property
    def of_motion(self) -> VideoSettings:
        """What to take of the motion's file."""
        return self.motion or self.shared

    @classmethod
    def parse(
        cls,
        fps: str | None = None,
        range: str | None = None,
        crop: str | None = None,
        size: str | None = None,
        content_video: str | None = None,
        motion_video: str | None = None,
    ) -> Videos:
        """Read the options VIDEO_OPTIONS. Raises BitpuppetError when one is not of its form."""
        shared = VideoSettings.parse({"fps": fps, "range": range, "crop": crop, "size": size})
        own = [
            None if text is None else _parse_own(text, option, shared)
            for option, text in (("--content-video", content_video), ("--motion-video", motion_video))
        ]
        return cls(shared, *own)


WHOLE_VIDEOS = Videos()
"""Of every file all that it has."""


def is_video(path: Path) -> bool:
    """Whether a file is read as video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _parse_own(text: str, option: str, shared: VideoSettings) -> VideoSettings:
    """Settings of one file, such as "fps=12,range=0-2", on top of the shared ones; "whole" drops those."""
    if text.strip().lower() == _WHOLE:
        return VideoSettings()
    values: dict[str, str | None] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in _KEYS or key in values:
            raise BitpuppetError(
                f"{option} is {_shorten(text)}, it must name each of {', '.join(_KEYS)} at most once; "
                "write for example fps=12,range=1.5-4,crop=centre,size=64x64, or whole"
            )
        values[key] = value
    return VideoSettings.parse(values, shared)


def _parse_fps(text: str) -> dict[str, Any]:
    if not text:
        return {"fps": None}
    try:
        rate = Fraction(text.strip()) if len(text) <= 20 and "e" not in text.lower() else Fraction(0)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= MAX_FPS or rate.denominator > 10**6:
        raise BitpuppetError(
            f"--fps is {_shorten(text)}, it must be above 0 and at most {MAX_FPS} frames a second; write for example 12"
        )
    return {"fps": rate}


def _parse_range(text: str) -> dict[str, Any]:
    if not text:
        return {"start": Fraction(0), "end": None}
    first, dash, last = (piece.strip() for piece in text.partition("-"))
    matches = [_TIME.fullmatch(piece) if piece else None for piece in (first, last)]
    if not dash or not (first or last) or any(piece and not m for piece, m in zip((first, last), matches, strict=True)):
        raise BitpuppetError(
            f"--range is {_shorten(text)}, it must be START-END in seconds or minutes:seconds, one of which may be "
            "missing; write for example 1.5-4 or 1:30-1:40"
        )
    start, end = (None if match is None else _count_seconds(match) for match in matches)
    if end is not None and end <= (start or 0):
        raise BitpuppetError(f"--range is {_shorten(text)}, which ends before it starts; exchange the two times")
    return {"start": start or Fraction(0), "end": end}


def _count_seconds(match: re.Match[str]) -> Fraction:
    hours, minutes, seconds = match.groups()
    return 3600 * Fraction(hours or 0) + 60 * Fraction(minutes or 0) + Fraction(seconds)


def _parse_crop(text: str) -> dict[str, Any]:
    if not text:
        return {"crop": None}
    if text.strip().lower() in _CENTRE:
        return {"crop": Crop()}
    match = _BOX.fullmatch(text.strip().lower())
    width, height, left, top = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    if match is None or not 0 < min(width, height) <= max(width, height) <= MAX_SIDE:
        raise BitpuppetError(
            f"--crop is {_shorten(text)}, it must be centre, WIDTHxHEIGHT in the middle or WIDTHxHEIGHT+LEFT+TOP, "
            f"sides from 1 to {MAX_SIDE}; write for example 256x256+40+0"
        )
    return {"crop": Crop((width, height), (left, top) if match[3] is not None else None)}


def _parse_size(text: str) -> dict[str, Any]:
    if not text:
        return {"size": None}
    sides = [int(part) if part.isdecimal() and len(part) <= 5 else 0 for part in text.strip().lower().split("x")]
    if len(sides) > 2 or not 0 < min(sides) <= max(sides) <= MAX_SIDE:
        raise BitpuppetError(
            f"--size is {_shorten(text)}, it must be WIDTHxHEIGHT or the longer side, from 1 to {MAX_SIDE} pixels; "
            "write for example 64x64"
        )
    return {"size": (sides[0], sides[1]) if len(sides) == 2 else sides[0]}


def _parse_sampling(text: str) -> dict[str, Any]:
    if text and text not in ("auto", "nearest", "area"):
        raise BitpuppetError(f"sampling is {_shorten(text)}, it must be auto, nearest or area; correct it")
    return {"sampling": text or "auto"}


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


_PARSERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "fps": _parse_fps,
    "range": _parse_range,
    "crop": _parse_crop,
    "size": _parse_size,
    "sampling": _parse_sampling,
}
