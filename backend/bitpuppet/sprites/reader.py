"""Files to clips: sheets and strips (PNG), animations (GIF, APNG, Aseprite), videos, sheets with a JSON, folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_FRAMES, Clip, EmptyArtError
from bitpuppet.sprites.formats.files import ASEPRITE_SUFFIXES, ATLAS_SUFFIX, read_aseprite_file, read_atlas_file
from bitpuppet.sprites.formats.tagging import find_tag
from bitpuppet.sprites.grid import MIN_CONFIDENCE, Grid, cut_grid, find_grid, list_divisors
from bitpuppet.sprites.images import check_pixels, read_picture, read_size
from bitpuppet.sprites.video.reader import read_video
from bitpuppet.sprites.video.sampling import cut_clip
from bitpuppet.sprites.video.settings import VideoSettings, is_video

_FRAME_SUFFIXES = (".png", ".apng", ".gif")
_MAX_NAMED = 8
"""Rows that a message lists."""


def read_clip(
    path: str | Path,
    frame: tuple[int, int] | None = None,
    rows: Sequence[int] | None = None,
    tag: str | None = None,
    video: VideoSettings | None = None,
) -> Clip:
    """Read the frames of a PNG sheet or strip, GIF, APNG, Aseprite file, video, a sheet's JSON or a folder of frames.

    `frame`: width and height of a frame in pixels. It may be left out when the grid can be found; animations and
    folders know their frames, and do not use it. `rows`: rows of the sheet, counted from 0, in the order wanted;
    all rows when None or empty. Of sheets, the cells that have a visible pixel are taken, in reading order.
    `tag`: the animation to take of a file that names them (`.aseprite`, `.ase`, `.json`), its frames in their order
    in the file, whatever its direction. An Aseprite file of one frame, with `frame` given, is a sheet.
    `video`: frame rate, range, crop and size to take of videos, GIF, APNG and folders; other files do not use it.

    Raises EmptyArtError when no pixel is visible, and BitpuppetError when the file cannot be read, the frame does
    not divide the sheet, the grid cannot be found, a row or tag does not exist, or a limit is crossed (MAX_PIXELS in
    all, MAX_FRAMES).
    """
    path = Path(path)
    if frame is not None and min(frame) < 1:
        raise BitpuppetError(f"--frame {frame[0]}x{frame[1]} is no size for a frame; give both sides as 1 or more")
    suffix = path.suffix.lower()
    cut = video or VideoSettings()
    if _is_folder(path):
        clip = cut_clip(Clip(_read_folder(path), name=path.stem), cut)
    elif is_video(path) or (suffix == ".gif" and not cut.is_whole and frame is None):
        clip = read_video(path, cut)
    elif suffix == ATLAS_SUFFIX:
        clip, tag = read_atlas_file(path, tag), None
    elif suffix in ASEPRITE_SUFFIXES:
        clip = read_aseprite_file(path)
        if len(clip) == 1 and frame is not None and tag is None:
            return _cut_sheet(path, clip.frames[0], frame, rows)
    else:
        picture = read_picture(path)
        # A GIF of one frame is far more often a still of one frame than a sheet.
        if not picture.animated and (frame is not None or suffix != ".gif"):
            if tag is not None:
                find_tag((), tag, str(path))
            return _cut_sheet(path, picture.frames[0], frame, rows)
        clip = cut_clip(Clip(picture.frames, picture.durations_ms, name=path.stem), cut)
    if tag is not None:
        found = find_tag(clip.tags, tag, str(path))
        clip = clip.cut(found.first, found.last)
    _check_visible(path, clip.frames)
    return _repeat_row(path, clip, rows) if rows else clip


def _repeat_row(path: Path, clip: Clip, rows: Sequence[int]) -> Clip:
    """A clip of one row as often as that is named, for files that are no sheets."""
    _check_rows(path, rows, 1)
    if len(rows) == 1:
        return clip
    check_pixels(path, clip.width, clip.height, len(clip) * len(rows))
    frames = np.concatenate([clip.frames] * len(rows))
    return Clip(frames, clip.durations_ms * len(rows), name=clip.name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # opening it as a file gives the message


def _read_folder(path: Path) -> NDArray[np.uint8]:
    """The images of a folder as frames (T, H, W, 4), sorted as people count: frame2 before frame10."""
    try:
        entries = list(path.iterdir())
    except OSError as error:
        raise BitpuppetError(f"{path} may not be listed; give yourself the permission to read it") from error
    # Names with a leading dot are what operating systems leave behind, also with the suffix of an image.
    files = [f for f in entries if f.suffix.lower() in _FRAME_SUFFIXES and not f.name.startswith(".") and f.is_file()]
    if not files:
        raise BitpuppetError(f"{path} holds no frames; put PNG images of one size into this folder")
    files.sort(key=lambda file: _count_key(file.name))
    width, height = read_size(files[0])
    check_pixels(path, width, height, len(files))
    for file in files:
        other = read_size(file)
        if other != (width, height):
            raise BitpuppetError(
                f"{file} is {other[0]}x{other[1]}, {files[0].name} is {width}x{height}; export all frames in one size"
            )
    return np.concatenate([read_picture(file).frames[:1] for file in files])


def _count_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key in which runs of digits compare as numbers; the name itself decides between "1" and "01"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def _cut_sheet(path: Path, sheet: NDArray[np.uint8], frame: tuple[int, int] | None, rows: Sequence[int] | None) -> Clip:
    _check_visible(path, sheet)
    grid = guess_grid(path, sheet) if frame is None else divide_sheet(path, sheet, frame)
    cells = cut_grid(sheet, grid)
    visible = np.any(cells[..., 3], axis=(1, 2))
    _check_rows(path, rows or (), grid.rows)
    wanted = list(rows) if rows else list(range(grid.rows))
    starts = [row * grid.columns for row in wanted]
    chosen = np.concatenate([start + np.flatnonzero(visible[start : start + grid.columns]) for start in starts])
    if not len(chosen):
        named = ", ".join(map(str, wanted[:_MAX_NAMED])) + (", ..." if len(wanted) > _MAX_NAMED else "")
        raise EmptyArtError(f"{path}: every cell is transparent in row {named}; name a row with art in it")
    if len(chosen) > MAX_FRAMES:
        raise BitpuppetError(
            f"{path} has {len(chosen)} frames of {grid.frame_width}x{grid.frame_height}, the limit is {MAX_FRAMES}; "
            "give a larger --frame or name fewer rows"
        )
    if rows:
        # Rows may be named more than once: looked at before memory is taken for them.
        check_pixels(path, grid.frame_width, grid.frame_height, len(chosen))
    return Clip(cells[chosen], rows=tuple((chosen // grid.columns).tolist()), name=path.stem)


def guess_grid(path: Path, sheet: NDArray[np.uint8], remedy: str = "give the size of a frame with --frame WxH") -> Grid:
    """The grid of a sheet (H, W, 4). Raises BitpuppetError, naming `path` and the remedy, where it is not sure."""
    guess = find_grid(sheet)
    if guess.confidence < MIN_CONFIDENCE:
        height, width, _ = sheet.shape
        raise BitpuppetError(
            f"{path}: no sure grid in {width}x{height} pixels (best guess {guess.grid.frame_width}x"
            f"{guess.grid.frame_height}, {guess.reason}, confidence {guess.confidence:.2f} of the {MIN_CONFIDENCE} "
            f"needed); {remedy}"
        )
    return guess.grid


def divide_sheet(path: Path, sheet: NDArray[np.uint8], frame: tuple[int, int]) -> Grid:
    """The grid of a sheet (H, W, 4) in frames of this width and height. Raises BitpuppetError where they do not fit."""
    height, width, _ = sheet.shape
    if width % frame[0] or height % frame[1]:
        raise BitpuppetError(
            f"{path} is {width}x{height}, which --frame {frame[0]}x{frame[1]} does not divide; "
            f"sizes near it that do: {_suggest_frames(width, height, frame)}"
        )
    return Grid(frame[0], frame[1], width // frame[0], height // frame[1])


def _suggest_frames(width: int, height: int, frame: tuple[int, int]) -> str:
    """Up to four frame sizes that divide the sheet, the nearest to `frame` first."""
    sizes = [(abs(w - frame[0]) + abs(h - frame[1]), w, h) for w in list_divisors(width) for h in list_divisors(height)]
    return ", ".join(f"{w}x{h}" for _, w, h in sorted(sizes)[:4])


def _check_rows(path: Path, rows: Sequence[int], count: int) -> None:
    for row in rows:
        if not 0 <= row < count:
            have = "1 row, number 0" if count == 1 else f"{count} rows, numbers 0 to {count - 1}"
            raise BitpuppetError(f"{path} has {have}; there is no row {row}, name another one")


def _check_visible(path: Path, frames: NDArray[np.uint8]) -> None:
    if not frames[..., 3].any():
        raise EmptyArtError(f"{path}: every cell is transparent; give art with at least one visible pixel")
