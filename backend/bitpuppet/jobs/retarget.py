"""The retarget job: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.output import check_format, check_out, give_timing
from bitpuppet.jobs.pixels import DEFAULT_STEPS, OWN_PIXELS, PixelOptions, count_colours, lock_pixels
from bitpuppet.jobs.tokens import is_packed, read_packed
from bitpuppet.model.packing import PackedTokens
from bitpuppet.sprites import (
    MAX_PIXELS,
    VIDEO_OPTIONS,
    WHOLE_VIDEOS,
    Anchor,
    Clip,
    ExactSettings,
    Videos,
    VideoSettings,
    collect_palette,
    count_cut_pixels,
    enlarge_frames,
    find_pixel_scale,
    place_clip,
    read_clip,
    reduce_frames,
    restore_clip,
    write_clip,
)
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.ranges import check_row_count, parse_frame, parse_rows

if TYPE_CHECKING:
    from bitpuppet.jobs.engine import Retargeted

Frames = NDArray[np.uint8]
StepWatch = Callable[[int, int, NDArray[np.float32]], None]
"""(step from 1, steps, preview (T, canvas, canvas, 4) in 0..255); whatever it raises cancels the job.

An autoencoder takes long before and after the steps: meanwhile it is called with step 0 and then with the last one, and
a preview of no frames."""

MAX_STEPS = 100
"""Most sampling steps of a job, as many as `Engine` takes."""
MAX_SEED = 2**63 - 1

_SWITCHES = ("palette_lock", "hard_alpha", "outline", "orphans", "patterns")
_PIXELS = ("palette", *_SWITCHES[1:])
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
    "content_tag": "the name of a tag in quotes",
    "motion_tag": "the name of a tag in quotes",
    "format": "the name of a format in quotes",
    "palette": 'a palette file, "source" or a number of colours',
    **dict.fromkeys(_SWITCHES, "true or false"),
    **dict.fromkeys(VIDEO_OPTIONS, "a text in quotes, as on the command line"),
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
    palette_lock: bool | None = None
    """Snap to the character's own colours, with hard alpha. None: whoever knows the model says it, which is yes unless
    it draws soft edges."""
    content_tag: str | None = None
    """The animation to look at, of a file that names them."""
    motion_tag: str | None = None
    format: str | None = None
    """What to write, see `sprites.FORMATS`; None for what the name of `out` says."""
    videos: Videos = WHOLE_VIDEOS
    """What to take of files that are videos, animations or folders of frames."""
    pixels: PixelOptions = OWN_PIXELS
    """How to bring them to exact pixels, with the palette lock."""

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
        read = dict(_read_options(values))
        videos = Videos.parse(**{name: read.pop(name) for name in VIDEO_OPTIONS if name in read})
        pixels = PixelOptions(**{name: read.pop(name) for name in _PIXELS if name in read})
        return cls(**read, videos=videos, pixels=pixels)


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
    steps: ExactSettings = DEFAULT_STEPS
    """How drawn frames are brought to the character's pixels."""
    timing: Clip | None = None
    """The motion as it was read, whose durations, rows and tags the result has; None where it has none."""


def prepare(job: RetargetJob, canvas: int) -> Prepared:
    """Read both files and put them on the canvas (its side in pixels).

    Raises:
        BitpuppetError: a file cannot be used; the message names it.
    """
    content, motion, timing = read_files(job)
    prepared = prepare_frames(content, motion, canvas, (str(job.content), str(job.motion), str(job.out)))
    return replace(prepared, timing=timing, steps=job.pixels.resolve())


def read_files(job: RetargetJob) -> tuple[Frames, Frames | PackedTokens, Clip | None]:
    """Content and motion in the files' own sizes, and the motion as it was read where it has pixels.

    Raises:
        BitpuppetError: a file cannot be used; the message names it.
    """
    check_out(job.out, (job.content, job.motion), job.format)
    content_frame, motion_frame, videos = job.content_frame or job.frame, job.motion_frame or job.frame, job.videos
    content = read_clip(job.content, content_frame, job.content_rows, job.content_tag, videos.of_content).frames
    if is_packed(job.motion):
        return content, read_packed(job.motion, job.motion_rows or job.motion_tag), None
    timing = read_clip(job.motion, motion_frame, job.motion_rows, job.motion_tag, videos.of_motion)
    return content, timing.frames, timing


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
    path: Path,
    frame: tuple[int, int] | None,
    rows: tuple[int, ...] | None,
    canvas: int,
    tag: str | None = None,
    video: VideoSettings | None = None,
) -> Frames:
    """Read an animation and put it on the canvas: uint8 (T, canvas, canvas, 4). Errors as in `prepare`."""
    return place_frames(read_clip(path, frame, rows, tag, video).frames, canvas, str(path))[0]


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
    """Bring drawn frames to the character's pixels (by `prepared.steps`), frame size and pixel scale.

    Args:
        frames: (T, canvas, canvas, 4) in 0..255.

    Returns:
        uint8 frames as the content's file has them, and the number of visible pixels that its frame cuts off.
    """
    if palette_lock:
        exact = lock_pixels(frames, prepared.content, prepared.palette, prepared.steps)
    else:
        exact = np.rint(frames.clip(0, 255)).astype(np.uint8)
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
    modelled, lock = time.perf_counter(), job.palette_lock is not False
    frames, cut = finish(prepared, drawn.frames, palette_lock=lock)
    write_clip(give_timing(frames, prepared.timing, job.out.stem), job.out, job.format)
    saved = time.perf_counter()
    return describe_result(job, frames, len(prepared.content), prepared.motion_size) | {
        "bits_per_frame": round(drawn.bits_per_frame, 2),
        "palette_size": count_colours(prepared.palette, prepared.steps) if lock else None,
        "pixel_scale": prepared.scale,
        "cut_pixels": cut,
        "seconds": {"model": round(modelled - started, 4), "saving": round(saved - modelled, 4)},
    }


def describe_result(
    job: RetargetJob, frames: Frames, content_frames: int, motion_size: tuple[int, int] | None
) -> dict[str, Any]:
    """What reports say of a result (T, H, W, 4), whoever drew it."""
    return {
        "out": str(job.out),
        "frames": len(frames),
        "frame": f"{frames.shape[2]}x{frames.shape[1]}",
        "content_frames": content_frames,
        "motion_frame": "{}x{}".format(*motion_size) if motion_size else None,
        "seed": job.seed,
    }


def check_numbers(seed: int, steps: int | None) -> None:
    """Raise BitpuppetError when the seed is not in 0..MAX_SEED or the steps, if given, are not in 1..MAX_STEPS."""
    for option, value, low, high in (("--seed", seed, 0, MAX_SEED), ("--steps", steps, 1, MAX_STEPS)):
        if value is not None and not low <= value <= high:
            raise BitpuppetError(f"{option} is {quote(value)}, it must be from {low} to {high}; change it")


def _read_options(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("content", "motion", "out"):
        if values.get(name) is None:
            raise BitpuppetError(f"the key {name!r} is missing; every job needs content, motion and out")
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in _KINDS:
            keys = ", ".join(_KINDS).replace("_", "-")
            raise BitpuppetError(f"unknown key {quote(key)}; the keys are {keys}")
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
    elif name == "palette" or name in VIDEO_OPTIONS:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
    elif name.endswith("tag") or name == "format":
        if isinstance(value, str):
            return value
    elif name.endswith("rows"):
        if isinstance(value, str):
            return parse_rows(value, option)
        if isinstance(value, list) and all(isinstance(row, int) and not isinstance(row, bool) for row in value):
            check_row_count(len(value), option)
            return tuple(value)
    elif isinstance(value, int) and isinstance(value, bool) == (name in _SWITCHES):
        return value
    raise BitpuppetError(f"{option} is {quote(value)}, it must be {_KINDS[name]}; correct it")
