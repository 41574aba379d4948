"""The retarget job: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import reprlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.output import check_format, check_out, give_timing
from bitpuppet.jobs.tokens import is_packed, read_packed
from bitpuppet.model.packing import PackedTokens
from bitpuppet.sprites import (
    MAX_FRAMES,
    MAX_PIXELS,
    Anchor,
    Clip,
    collect_palette,
    count_cut_pixels,
    enlarge_frames,
    find_pixel_scale,
    place_clip,
    read_clip,
    reduce_frames,
    restore_clip,
    snap_frames,
    write_clip,
)

if TYPE_CHECKING:
    from bitpuppet.jobs.engine import Retargeted

Frames = NDArray[np.uint8]
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
StepWatch = Callable[[int, int, NDArray[np.float32]], None]
"""(step from 1, steps, preview (T, canvas, canvas, 4) in 0..255); whatever it raises cancels the job."""

MAX_STEPS = 100
"""Most sampling steps of a job, as many as `Engine` takes."""
MAX_SEED = 2**63 - 1
_MAX_DIGITS = 6
"""Of a number of pixels or rows: no sheet has a million of either, and longer numbers only cost time."""

_KINDS = {
    "content": "a path in quotes",
    "motion": "a path in quotes",
    "out": "a path in quotes",
    "frame": 'a size such as "64x64"',
    "content_frame": 'a size such as "64x64"',
    "motion_frame": 'a size such as "64x64"',
    "content_rows": 'rows such as "0,2" or [0, 2]',
    "motion_rows": 'rows such as "0,2" or [0, 2]',
    "seed": "a whole number",
    "steps": "a whole number",
    "palette_lock": "true or false",
    "content_tag": "the name of a tag in quotes",
    "motion_tag": "the name of a tag in quotes",
    "format": "the name of a format in quotes",
}
"""What a jobs file may give for each option."""


class RetargetEngine(Protocol):
    """What a job needs of `Engine`."""

    def retarget(
        self,
        content: Frames,
        motion: Frames | PackedTokens,
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
    content_tag: str | None = None
    """The animation to look at, of a file that names them."""
    motion_tag: str | None = None
    format: str | None = None
    """What to write, see `sprites.FORMATS`; None for what the name of `out` says."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError when the seed or the steps are out of range, or there is no such format."""
        check_numbers(self.seed, self.steps)
        check_format(self.format)

    @classmethod
    def from_json(cls, line: str) -> RetargetJob:
        """Read one line of a jobs file: a JSON object whose keys are the long options, without the dashes in front.

        A key that is null counts as left out.

        Raises:
            BitpuppetError: not an object, a key or value that is unknown or missing; the caller names the line.
        """
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise BitpuppetError(f"not JSON ({error.msg}, column {error.colno}); write one object a line") from error
        except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python reads
            raise BitpuppetError("not JSON that can be read (too deep or too long); write one object a line") from error
        if not isinstance(values, dict):
            raise BitpuppetError('not a JSON object; write one object a line, such as {"content": "a.png", ...}')
        return cls(**dict(_read_options(values)))


@dataclass(frozen=True)
class Prepared:
    """A job's frames on the model's canvas, and the way back."""

    content: Frames
    motion: Frames
    palette: Frames
    anchor: Anchor
    scale: int
    motion_size: tuple[int, int] | None
    """Width and height of a frame in the motion's file, which may have been found; None for packed tokens."""
    packed: PackedTokens | None = None
    """The motion where it has no pixels; `motion` is empty then."""
    timing: Clip | None = None
    """The motion as it was read, whose durations, rows and tags the result has; None where it has none."""


def prepare(job: RetargetJob, canvas: int) -> Prepared:
    """Read both files and put them on the canvas (its side in pixels).

    Raises:
        BitpuppetError: a file cannot be used; the message names it.
    """
    check_out(job.out, (job.content, job.motion), job.format)
    content = read_clip(job.content, job.content_frame or job.frame, job.content_rows, job.content_tag).frames
    timing = None
    motion: Frames | PackedTokens
    if is_packed(job.motion):
        motion = read_packed(job.motion, job.motion_rows or job.motion_tag)
    else:
        timing = read_clip(job.motion, job.motion_frame or job.frame, job.motion_rows, job.motion_tag)
        motion = timing.frames
    prepared = prepare_frames(content, motion, canvas, (str(job.content), str(job.motion), str(job.out)))
    return replace(prepared, timing=timing)


def prepare_frames(
    content: Frames,
    motion: Frames | PackedTokens,
    canvas: int,
    names: tuple[str, str, str] = ("content", "motion", "the result"),
) -> Prepared:
    """Put two clips on the canvas, uint8 RGBA (N, H, W, 4) and (T, h, w, 4) as their art is.

    The motion may be packed tokens, which have no pixels.

    Raises:
        BitpuppetError: one of them cannot be used; `names` are what the message calls content, motion and output.
    """
    placed, anchor, scale = place_frames(content, canvas, names[0])
    if isinstance(motion, PackedTokens):
        driving, size, packed = np.zeros((0, canvas, canvas, 4), dtype=np.uint8), None, motion
    else:
        driving, size, packed = place_frames(motion, canvas, names[1])[0], (motion.shape[2], motion.shape[1]), None
    width, height = anchor.frame_width * scale, anchor.frame_height * scale
    if len(motion) * width * height > MAX_PIXELS:
        raise BitpuppetError(
            f"{names[2]} would hold {len(motion)} frames of {width}x{height}, the limit is {MAX_PIXELS // 1_000_000} "
            "million pixels in all; crop the content's frames or name fewer motion rows"
        )
    try:
        palette = collect_palette(placed)
    except BitpuppetError as error:
        raise BitpuppetError(f"{names[0]}: {error}") from error
    return Prepared(placed, driving, palette, anchor, scale, size, packed)


def place_motion(
    path: Path, frame: tuple[int, int] | None, rows: tuple[int, ...] | None, canvas: int, tag: str | None = None
) -> Frames:
    """Read an animation and put it on the canvas: uint8 (T, canvas, canvas, 4). Errors as in `prepare`."""
    return place_frames(read_clip(path, frame, rows, tag).frames, canvas, str(path))[0]


def place_frames(frames: Frames, canvas: int, name: str) -> tuple[Frames, Anchor, int]:
    """Bring art (T, H, W, 4) to its own pixel scale and put it on the canvas; also the way back.

    Raises:
        BitpuppetError: it does not fit; the message calls it `name`.
    """
    scale = find_pixel_scale(frames)
    try:
        placed, anchor = place_clip(reduce_frames(frames, scale), canvas)
    except BitpuppetError as error:
        raise BitpuppetError(f"{name}: {error}") from error
    return placed, anchor, scale


def finish(prepared: Prepared, frames: NDArray[np.float32], *, palette_lock: bool) -> tuple[Frames, int]:
    """Bring drawn frames to the character's palette, frame size and pixel scale.

    Args:
        frames: (T, canvas, canvas, 4) in 0..255.

    Returns:
        uint8 frames as the content's file has them, and the number of visible pixels that its frame cuts off.
    """
    exact = snap_frames(frames, prepared.palette) if palette_lock else np.rint(frames.clip(0, 255)).astype(np.uint8)
    cut = count_cut_pixels(exact, prepared.anchor)
    return enlarge_frames(restore_clip(exact, prepared.anchor), prepared.scale), cut


def run_retarget(
    engine: RetargetEngine, job: RetargetJob, canvas: int, watch: StepWatch | None = None
) -> dict[str, Any]:
    """Prepare a job, perform it and write its strip; see `prepare` and `perform`."""
    started = time.perf_counter()
    prepared = prepare(job, canvas)
    reading = round(time.perf_counter() - started, 4)
    report = perform(engine, job, prepared, watch)
    return report | {"seconds": {"reading": reading} | report["seconds"]}


def perform(
    engine: RetargetEngine, job: RetargetJob, prepared: Prepared, watch: StepWatch | None = None
) -> dict[str, Any]:
    """Draw a prepared job and write its strip.

    Returns:
        What was used, for `--json`: out, frames, frame, content_frames, motion_frame, seed, bits_per_frame,
        palette_size (null without the palette lock), pixel_scale, cut_pixels, seconds of the model and of saving.

    Raises:
        BitpuppetError: see `Engine.retarget` and `write_clip`; the memory is too small, or the model is broken.
    """
    started = time.perf_counter()
    try:
        motion = prepared.motion if prepared.packed is None else prepared.packed
        drawn = engine.retarget(prepared.content, motion, seed=job.seed, steps=job.steps, callback=watch)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(
            error
        ):  # torch has no type of its own for all devices
            raise
        raise BitpuppetError(
            f"{job.motion}: the memory is too small for {len(prepared.motion)} frames; name fewer motion rows"
        ) from error
    if not np.isfinite(drawn.frames).all():
        raise BitpuppetError(
            f"{job.out}: the model drew no numbers, so nothing was written; name other --weights or another --device"
        )
    modelled = time.perf_counter()
    frames, cut = finish(prepared, drawn.frames, palette_lock=job.palette_lock)
    write_clip(give_timing(frames, prepared.timing, job.out.stem), job.out, job.format)
    saved = time.perf_counter()
    return {
        "out": str(job.out),
        "frames": len(frames),
        "frame": f"{frames.shape[2]}x{frames.shape[1]}",
        "content_frames": len(prepared.content),
        "motion_frame": "{}x{}".format(*prepared.motion_size) if prepared.motion_size else None,
        "seed": job.seed,
        "bits_per_frame": round(drawn.bits_per_frame, 2),
        "palette_size": len(prepared.palette) if job.palette_lock else None,
        "pixel_scale": prepared.scale,
        "cut_pixels": cut,
        "seconds": {"model": round(modelled - started, 4), "saving": round(saved - modelled, 4)},
    }


def parse_frame(text: str, option: str = "--frame") -> tuple[int, int]:
    """Read "64x48" as (64, 48).

    Raises:
        BitpuppetError: it is not of that form; the message names `option`.
    """
    width, _, height = text.strip().lower().partition("x")
    sides = [int(side) if side.isdecimal() and len(side) <= _MAX_DIGITS else 0 for side in (width, height)]
    if 0 in sides:
        raise BitpuppetError(
            f"{option} is {_shorten(text)}, it must be WIDTHxHEIGHT in pixels, each 1 or more; write for example 64x64"
        )
    return sides[0], sides[1]


def parse_rows(text: str, option: str = "rows") -> tuple[int, ...]:
    """Read "0,2,5" or "0-3" as row numbers, counted from 0.

    Raises:
        BitpuppetError: it is not of that form, or names more than MAX_FRAMES rows; the message names `option`.
    """
    rows: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or max(len(first), len(last)) > _MAX_DIGITS:
            raise BitpuppetError(
                f"{option} is {_shorten(text)}, rows are numbers counted from 0; write for example 0,2 or 0-3"
            )
        low, high = int(first), int(last or first)
        if high < low:
            raise BitpuppetError(f"{option} is {_shorten(text)}, the range {low}-{high} is empty; write {high}-{low}")
        _check_row_count(len(rows) + high - low + 1, option)
        rows += range(low, high + 1)
    return tuple(rows)


def check_numbers(seed: int, steps: int | None) -> None:
    """Raise BitpuppetError when the seed is not in 0..MAX_SEED or the steps, if given, are not in 1..MAX_STEPS."""
    for option, value, low, high in (("--seed", seed, 0, MAX_SEED), ("--steps", steps, 1, MAX_STEPS)):
        if value is not None and not low <= value <= high:
            raise BitpuppetError(f"{option} is {_shorten(value)}, it must be from {low} to {high}; change it")


def _check_row_count(count: int, option: str) -> None:
    if count > MAX_FRAMES:
        raise BitpuppetError(f"{option} names {count} rows, the limit is {MAX_FRAMES}; name fewer")


def _read_options(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("content", "motion", "out"):
        if values.get(name) is None:
            raise BitpuppetError(f"the key {name!r} is missing; every job needs content, motion and out")
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in _KINDS:
            keys = ", ".join(_KINDS).replace("_", "-")
            raise BitpuppetError(f"unknown key {_shorten(key)}; the keys are {keys}")
        if value is not None:
            yield name, _read_option(name, value)


def _read_option(name: str, value: Any) -> Any:
    option = name.replace("_", "-")
    if name in ("content", "motion", "out"):
        if isinstance(value, str) and value and "\0" not in value:
            return Path(value)
    elif name.endswith("frame"):
        if isinstance(value, str):
            return parse_frame(value, option)
    elif name.endswith("tag") or name == "format":
        if isinstance(value, str):
            return value
    elif name.endswith("rows"):
        if isinstance(value, str):
            return parse_rows(value, option)
        if isinstance(value, list) and all(isinstance(row, int) and not isinstance(row, bool) for row in value):
            _check_row_count(len(value), option)
            return tuple(value)
    elif isinstance(value, int) and isinstance(value, bool) == (name == "palette_lock"):
        return value
    raise BitpuppetError(f"{option} is {_shorten(value)}, it must be {_KINDS[name]}; correct it")


def _shorten(value: Any) -> str:
    """A value as Python writes it, cut to a length that a message can hold."""
    return _REPR.repr(value)
