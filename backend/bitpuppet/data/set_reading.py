"""From a set's plan to frames: every animation of every sheet, and what was seen on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.set_plan import IMAGE_SUFFIXES, MAX_DURATION_MS, CharacterPlan, Key, SheetPlan
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import DEFAULT_DURATION_MS, MAX_FRAMES, Clip, Tag, cut_grid, read_clip
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.formats.tagging import find_tag
from bitpuppet.sprites.images import read_picture
from bitpuppet.sprites.reader import divide_sheet, guess_grid

Frames = NDArray[np.uint8]
_MIN_BORDER = 0.9
"""Part of the pixels at the borders of all frames that one opaque colour covers, from which it is a background."""
_FRAME_REMEDY = "put the size of a frame behind its name, as in walk_32x32.png, or into the set's .toml file"
_KEPT_SHEETS = 4
"""Sheets that stay in memory, since the next animation is mostly of the same one."""


@dataclass(frozen=True, eq=False)
class AnimationReading:
    """One animation as its file has it: `frames` (T, H, W, 4), T >= 1, each with a visible pixel."""

    name: str
    frames: Frames
    durations_ms: tuple[int, ...]
    sheet: Path
    empty: int
    """Cells without a visible pixel that lay between drawn ones, or were named; they were left out."""
    background: str | None
    """The colour key to propose, such as "ff00ff": the frames have an opaque background; None where they have none."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """A sheet cut up: `frames` (R * C, H, W, 4) in reading order, empty ones included."""

    frames: Frames
    columns: int
    durations_ms: tuple[int, ...]
    tags: tuple[Tag, ...]


class SheetReader:
    """Reads sheets, and keeps the last few."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, tuple[int, int] | None, Key | None], _Cells] = {}

    def read(self, plan: SheetPlan) -> list[AnimationReading]:
        """The animations of a sheet, one at least.

        Raises:
            BitpuppetError: the sheet cannot be used, or nothing is drawn in it; the message names it.
        """
        cells = self._open(plan)
        if plan.animation is not None or plan.tag is not None:
            name = plan.animation or plan.tag or "animation"
            named = plan.cells is not None or plan.columns is not None
            return [_take(plan, cells, name, _choose(plan, cells), named=named)]
        rows = len(cells.frames) // cells.columns
        if cells.tags:
            chosen = [(tag.name or "animation", list(range(tag.first, tag.last + 1))) for tag in cells.tags]
        elif rows == 1:
            chosen = [(plan.fallback or "animation", list(range(cells.columns)))]
        else:
            word = "row" if plan.alone else plan.fallback
            chosen = [(f"{word} {r}", list(range(r * cells.columns, (r + 1) * cells.columns))) for r in range(rows)]
        drawn = [(name, one) for name, one in chosen if cells.frames[one][..., 3].any()]
        if not drawn:
            raise BitpuppetError(f"{plan.path}: nothing is drawn in it; draw a frame, or take it out of the set")
        return [_take(plan, cells, name, one, named=False) for name, one in drawn]

    def _open(self, plan: SheetPlan) -> _Cells:
        place = plan.path, plan.frame, plan.key
        if place in self._kept:
            return self._kept[place]
        cells = _read_cells(plan)
        if len(self._kept) >= _KEPT_SHEETS:
            del self._kept[next(iter(self._kept))]
        self._kept[place] = cells
        return cells


def read_character(plan: CharacterPlan, reader: SheetReader) -> tuple[list[AnimationReading], list[str]]:
    """The animations of a character, whose names are made different, and why sheets could not be read."""
    readings: list[AnimationReading] = []
    errors: list[str] = []
    names: set[str] = set()
    for sheet in plan.sheets:
        try:
            found = reader.read(sheet)
        except BitpuppetError as error:
            errors.append(str(error))
            continue
        for one in found:
            name, number = one.name, 2
            if name in names and not sheet.alone and sheet.fallback:
                name = f"{sheet.fallback} {one.name}"
            while name in names:
                name, number = f"{one.name} {number}", number + 1
            names.add(name)
            readings.append(replace(one, name=name))
    return readings, errors


def find_background(frames: Frames) -> str | None:
    """The opaque colour that covers the borders of frames (T, H, W, 4), as six hex digits; None where none does."""
    border = np.concatenate(
        [part.reshape(-1, 4) for part in (frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1])]
    )
    colours, counts = np.unique(border, axis=0, return_counts=True)
    first = int(counts.argmax())
    if colours[first, 3] != 255 or counts[first] < _MIN_BORDER * len(border):
        return None
    return bytes(colours[first, :3].tolist()).hex()


def _read_cells(plan: SheetPlan) -> _Cells:
    path, suffix = plan.path, plan.path.suffix.lower()
    if not path.is_dir() and suffix in IMAGE_SUFFIXES:
        picture = read_picture(path)
        if picture.animated or (suffix == ".gif" and plan.frame is None):
            frames = _clear(picture.frames, plan.key)
            return _Cells(frames, len(frames), picture.durations_ms, ())
        return _cut(plan, picture.frames)
    clip: Clip = read_clip(path)
    if len(clip) == 1 and plan.frame not in (None, (clip.width, clip.height)):
        return _cut(plan, clip.frames)
    return _Cells(_clear(clip.frames, plan.key), len(clip), clip.durations_ms, clip.tags)


def _cut(plan: SheetPlan, still: Frames) -> _Cells:
    """The cells of a still image (1, H, W, 4)."""
    sheet = _clear(still, plan.key)[0]
    if not sheet[..., 3].any():
        raise BitpuppetError(f"{plan.path}: nothing is drawn in it; draw a frame, or correct its colour key")
    grid = divide_sheet(plan.path, sheet, plan.frame) if plan.frame else guess_grid(plan.path, sheet, _FRAME_REMEDY)
    frames = cut_grid(sheet, grid)
    return _Cells(frames, grid.columns, (), ())


def _clear(frames: Frames, key: Key | None) -> Frames:
    """Frames (T, H, W, 4) without the key's colour, and without colours that alpha 0 hides."""
    keyed = frames.copy()
    if key is not None:
        colour = np.array(key.colour, dtype=np.uint8) if key.colour is not None else frames[0, 0, 0, :3]
        keyed[(frames[..., :3] == colour).all(axis=-1)] = 0
    keyed[keyed[..., 3] == 0] = 0
    return keyed


def _choose(plan: SheetPlan, cells: _Cells) -> list[int]:
    """Numbers of the cells that an animation has, in its order."""
    if plan.tag is not None:
        tag = find_tag(cells.tags, plan.tag, str(plan.path))
        return list(range(tag.first, tag.last + 1))
    count = len(cells.frames)
    if plan.cells is not None:
        _check_inside(plan, plan.cells, count, "cell")
        return list(plan.cells)
    rows, columns = plan.rows, plan.columns
    if rows is None:
        rows = tuple(range(count // cells.columns))
    if columns is None:
        columns = tuple(range(cells.columns))
    _check_inside(plan, rows, count // cells.columns, "row")
    _check_inside(plan, columns, cells.columns, "column")
    if len(rows) * len(columns) > MAX_FRAMES:
        raise BitpuppetError(f"{plan.path}: {plan.animation} has more than {MAX_FRAMES} frames; name fewer rows")
    return [row * cells.columns + column for row in rows for column in columns]


def _check_inside(plan: SheetPlan, numbers: tuple[int, ...], count: int, what: str) -> None:
    for number in numbers:
        if number >= count:
            raise BitpuppetError(
                f"{plan.path} has {count} {what}s, counted from 0; the animation {quote(plan.animation)} names "
                f"{what} {number}, correct it"
            )


def _take(plan: SheetPlan, cells: _Cells, name: str, chosen: list[int], *, named: bool) -> AnimationReading:
    """An animation without its empty cells. Those at the end of a row are no fault, unless they were `named`."""
    frames = cells.frames[chosen]
    if len(plan.durations_ms) > 1 and len(plan.durations_ms) != len(chosen):
        raise BitpuppetError(
            f"{plan.path}: the animation {quote(name)} has {len(chosen)} frames and {len(plan.durations_ms)} "
            "durations; give one for all, or as many as frames"
        )
    own = [cells.durations_ms[one] for one in chosen] if cells.durations_ms else [DEFAULT_DURATION_MS] * len(chosen)
    durations = list(plan.durations_ms) * (len(chosen) if len(plan.durations_ms) == 1 else 1) or own
    visible = frames[..., 3].any(axis=(1, 2))
    drawn = np.flatnonzero(visible)
    if not len(drawn):
        raise BitpuppetError(
            f"{plan.path}: nothing is drawn in the animation {quote(name)}; name other cells, or take it out of the set"
        )
    empty = len(chosen) - len(drawn) if named else int(drawn[-1] - drawn[0]) + 1 - len(drawn)
    kept = frames[drawn]
    return AnimationReading(
        name,
        kept,
        tuple(min(durations[one], MAX_DURATION_MS) for one in drawn),
        plan.path,
        empty,
        find_background(kept),
    )
