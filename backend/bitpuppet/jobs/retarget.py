"""The retarget job: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    Anchor,
    Clip,
    check_strip_path,
    collect_palette,
    count_cut_pixels,
    enlarge_frames,
    find_pixel_scale,
    place_clip,
    read_clip,
    reduce_frames,
    restore_clip,
    snap_frames,
    write_strip,
)

if TYPE_CHECKING:
    from bitpuppet.jobs.engine import Retargeted

Frames = NDArray[np.uint8]
StepWatch = Callable[[int, int, NDArray[np.float32]], None]
"""(step from 1, steps, preview (T, canvas, canvas, 4) in 0..255); whatever it raises cancels the job."""


class RetargetEngine(Protocol):
    """What a job needs of `Engine`."""

    def retarget(
        self,
        content: Frames,
        motion: Frames,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> Retargeted:
        """See `Engine.retarget`."""
        ...


@dataclass(frozen=True)
class RetargetJob:
    """What the user asks for; the names are the long options of the command line."""

    content: Path
    motion: Path
    out: Path
    frame: tuple[int, int] | None = None
    """Width and height of a frame in both files; None where the file says it or it can be found."""
    content_frame: tuple[int, int] | None = None
    """Overrides `frame` for the content."""
    motion_frame: tuple[int, int] | None = None
    """Overrides `frame` for the motion."""
    content_rows: tuple[int, ...] | None = None
    motion_rows: tuple[int, ...] | None = None
    seed: int = 0
    steps: int | None = None
    palette_lock: bool = True
    """Snap to the character's own colours, with hard alpha."""

    @classmethod
    def from_json(cls, line: str) -> RetargetJob:
        """Read one line of a jobs file: a JSON object whose keys are the long options.

        Raises:
            BitpuppetError: not an object, a key or value that is unknown or missing; the caller names the line.
        """
        try:
            values = json.loads(line)
        except ValueError as error:
            raise BitpuppetError(f"not JSON ({error}); write one object a line") from error
        if not isinstance(values, dict):
            raise BitpuppetError("not a JSON object; write one object a line, such as {\"content\": \"a.png\", ...}")
        return cls(**{name: value for name, value in _read_options(values)})


@dataclass(frozen=True)
class Prepared:
    """A job's frames on the model's canvas, and the way back."""

    content: Frames
    motion: Frames
    palette: Frames
    anchor: Anchor
    scale: int


def prepare(job: RetargetJob, canvas: int) -> Prepared:
    """Read both files and put them on the canvas (its side in pixels).

    Raises:
        BitpuppetError: a file cannot be used; the message names it.
    """
    check_strip_path(job.out)
    if job.out.resolve() in (job.content.resolve(), job.motion.resolve()):
        raise BitpuppetError(f"{job.out}: --out would overwrite its own input; choose another name")
    content, anchor, scale = _place(job.content, job.content_frame or job.frame, job.content_rows, canvas)
    motion, _, _ = _place(job.motion, job.motion_frame or job.frame, job.motion_rows, canvas)
    return Prepared(content, motion, collect_palette(content), anchor, scale)


def place_motion(
    path: Path, frame: tuple[int, int] | None, rows: tuple[int, ...] | None, canvas: int
) -> Frames:
    """Read an animation and put it on the canvas: uint8 (T, canvas, canvas, 4). Errors as in `prepare`."""
    return _place(path, frame, rows, canvas)[0]


def finish(prepared: Prepared, frames: NDArray[np.float32], *, palette_lock: bool) -> tuple[Frames, int]:
    """Bring drawn frames to the character's palette, frame size and pixel scale.

    Args:
        frames: (T, canvas, canvas, 4) in 0..255.

    Returns:
        uint8 frames as the content's file has them, and the number of visible pixels that its frame cuts off.
    """
    if palette_lock:
        exact = snap_frames(frames, prepared.palette)
    else:
        exact = np.rint(frames.clip(0, 255)).astype(np.uint8)
    cut = count_cut_pixels(exact, prepared.anchor)
    return enlarge_frames(restore_clip(exact, prepared.anchor), prepared.scale), cut


def run_retarget(engine: RetargetEngine, job: RetargetJob, canvas: int, watch: StepWatch | None = None) -> dict[str, Any]:
    """Prepare a job, perform it and write its strip; see `prepare` and `perform`."""
    started = time.perf_counter()
    prepared = prepare(job, canvas)
    reading = round(time.perf_counter() - started, 4)
    report = perform(engine, job, prepared, watch)
    return report | {"seconds": {"reading": reading} | report["seconds"]}


def perform(engine: RetargetEngine, job: RetargetJob, prepared: Prepared, watch: StepWatch | None = None) -> dict[str, Any]:
    """Draw a prepared job and write its strip.

    Returns:
        What was used, for `--json`: out, frames, frame, seed, bits_per_frame, palette_size, pixel_scale, cut_pixels,
        seconds of the model and of saving.

    Raises:
        BitpuppetError: see `Engine.retarget` and `write_strip`.
    """
    started = time.perf_counter()
    drawn = engine.retarget(prepared.content, prepared.motion, seed=job.seed, steps=job.steps, callback=watch)
    modelled = time.perf_counter()
    frames, cut = finish(prepared, drawn.frames, palette_lock=job.palette_lock)
    write_strip(frames, job.out)
    saved = time.perf_counter()
    return {
        "out": str(job.out),
        "frames": len(frames),
        "frame": f"{frames.shape[2]}x{frames.shape[1]}",
        "seed": job.seed,
        "bits_per_frame": round(drawn.bits_per_frame, 2),
        "palette_size": len(prepared.palette) if job.palette_lock else None,
        "pixel_scale": prepared.scale,
        "cut_pixels": cut,
        "seconds": {"model": round(modelled - started, 4), "saving": round(saved - modelled, 4)},
    }


def parse_frame(text: str) -> tuple[int, int]:
    """Read "64x48" as (64, 48).

    Raises:
        BitpuppetError: it is not of that form.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise BitpuppetError(f"--frame {text}: a frame's size is WIDTHxHEIGHT in pixels; write for example 64x64")
    return int(width), int(height)


def parse_rows(text: str) -> tuple[int, ...]:
    """Read "0,2,5" or "0-3" as row numbers, counted from 0.

    Raises:
        BitpuppetError: it is not of that form.
    """
    rows: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(first) > 6 or len(last) > 6:
            raise BitpuppetError(f"rows {text!r}: rows are numbers from 0, such as 0,2 or 0-3; correct it")
        rows += range(int(first), int(last or first) + 1)
    if not rows:
        raise BitpuppetError(f"rows {text!r}: the range is empty; write the lower number first")
    return tuple(rows)


def _place(
    path: Path, frame: tuple[int, int] | None, rows: tuple[int, ...] | None, canvas: int
) -> tuple[Frames, Anchor, int]:
    clip: Clip = read_clip(path, frame, rows)
    scale = find_pixel_scale(clip.frames)
    try:
        frames, anchor = place_clip(reduce_frames(clip.frames, scale), canvas)
    except BitpuppetError as error:
        raise BitpuppetError(f"{path}: {error}") from error
    return frames, anchor, scale


def _read_options(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    known = {field.name for field in fields(RetargetJob)}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise BitpuppetError(f"unknown key {key!r}; the keys are {', '.join(sorted(known))}")
        yield name, _read_option(name, value)
    for name in ("content", "motion", "out"):
        if name not in values:
            raise BitpuppetError(f"the key {name!r} is missing; every job needs content, motion and out")


def _read_option(name: str, value: Any) -> Any:
    wrong = BitpuppetError(f"{name} is {value!r}, which is not of the right kind; see bitpuppet retarget --help")
    if name in ("content", "motion", "out"):
        if not isinstance(value, str) or not value or "\0" in value:
            raise wrong
        return Path(value)
    if value is None:
        return None
    if name.endswith("frame"):
        if not isinstance(value, str):
            raise wrong
        return parse_frame(value)
    if name.endswith("rows"):
        if isinstance(value, list) and all(isinstance(row, int) and not isinstance(row, bool) for row in value):
            return tuple(value)
        if not isinstance(value, str):
            raise wrong
        return parse_rows(value)
    if isinstance(value, bool) != (name == "palette_lock") or not isinstance(value, int):
        raise wrong
    return value
