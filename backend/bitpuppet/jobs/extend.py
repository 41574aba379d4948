"""The extend job: an animation and how it goes on, from files to files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.jobs.continuation import (
    Extended,
    ExtendSettings,
    check_room,
    extend_source,
    prepare_source,
)
from bitpuppet.jobs.drawing import Continuer, DrawingEngine, Watch
from bitpuppet.jobs.output import check_format, check_out
from bitpuppet.jobs.pixels import count_colours
from bitpuppet.jobs.retarget import place_frames
from bitpuppet.jobs.tokens import is_packed, read_packed
from bitpuppet.model.packing import PackedTokens
from bitpuppet.sprites import WHOLE_VIDEOS, Clip, Videos, read_clip, write_clip

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class ExtendJob:
    """What the user asks for; the names are the long options of the command line."""

    motion: Path
    """The given animation, or packed motion tokens."""
    out: Path
    settings: ExtendSettings
    content: Path | None = None
    frame: tuple[int, int] | None = None
    content_frame: tuple[int, int] | None = None
    motion_frame: tuple[int, int] | None = None
    content_rows: tuple[int, ...] | None = None
    motion_rows: tuple[int, ...] | None = None
    content_tag: str | None = None
    motion_tag: str | None = None
    format: str | None = None
    """What to write, see `sprites.FORMATS`; None for what the name of `out` says."""
    videos: Videos = WHOLE_VIDEOS
    """What to take of files that are videos, animations or folders of frames."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError when there is no such format."""
        check_format(self.format)

    @property
    def outs(self) -> list[Path]:
        """The files to write, best first: --out itself, or with variations --out with -1, -2, ... before the suffix."""
        if self.settings.variations == 1:
            return [self.out]
        numbers = range(1, self.settings.variations + 1)
        return [self.out.with_name(f"{self.out.stem}-{number}{self.out.suffix}") for number in numbers]


@dataclass(frozen=True)
class ReadJob:
    """A job's files, read: frames as their art is."""

    motion: Frames | PackedTokens
    content: Frames | None
    timing: Clip | None = None
    """The motion with its durations and tags; None for packed tokens."""


def read_job(job: ExtendJob, canvas: int) -> ReadJob:
    """Read the files of a job and refuse what cannot be done, before the model is loaded.

    Args:
        job: what is asked for.
        canvas: side of the model's canvas in pixels.

    Raises:
        BitpuppetError: a file cannot be used, or the result would be too large.
    """
    sources = [path for path in (job.motion, job.content) if path is not None]
    for out in job.outs:
        check_out(out, sources, job.format)
    motion: Frames | PackedTokens
    timing = None
    if is_packed(job.motion):
        motion = read_packed(job.motion, job.motion_rows or job.motion_tag)
    else:
        frame = job.motion_frame or job.frame
        timing = read_clip(job.motion, frame, job.motion_rows, job.motion_tag, job.videos.of_motion)
        motion = timing.frames
        check_room(motion.shape, job.settings, str(job.motion))
        place_frames(motion, canvas, str(job.motion))
    content = None
    if job.content is not None:
        frame = job.content_frame or job.frame
        content = read_clip(job.content, frame, job.content_rows, job.content_tag, job.videos.of_content).frames
        place_frames(content, canvas, str(job.content))
    return ReadJob(motion, content, timing)


def perform(
    engine: DrawingEngine,
    prior: Continuer | None,
    job: ExtendJob,
    read: ReadJob,
    canvas: int,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Continue an animation and write the strips.

    Args:
        engine: draws.
        prior: continues motion tokens; None where the job says `cycle`.
        job: what is asked for.
        read: from `read_job`.
        canvas: side of the engine's canvas in pixels.
        watch: for progress and cancelling; nothing is written before all is drawn.

    Returns:
        What was used, for `--json`. The figures of the seam are those of the best variation; `variations` has those of
        all, if more than one was asked for, and `tries` how many continuations were drawn to find them.

    Raises:
        BitpuppetError: see `prepare_source` and `extend_source`; a file cannot be written.
    """
    started = time.perf_counter()
    names = str(job.motion), str(job.content)
    source = prepare_source(engine, read.motion, canvas, job.settings, read.content, names)
    extension = extend_source(engine, prior, source, job.settings, watch)
    drawn = time.perf_counter()
    written = _write(extension.variations, job, read.timing)
    best, settings = extension.variations[0], job.settings
    report = written[0] | {
        "frames": len(best.frames),
        "given_frames": len(source.frames),
        "new_frames": settings.frames,
        "frame": f"{best.frames.shape[2]}x{best.frames.shape[1]}",
        "content_frames": len(source.prepared.content),
        "loop": settings.loop,
        "tries": extension.tries,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "seed": settings.seed,
        "bits_per_frame": round(engine.count_bits(best.tokens), 2),
        "palette_size": count_colours(source.prepared.palette, settings.pixels) if settings.palette_lock else None,
        "pixel_scale": source.prepared.scale,
        "seconds": {"model": round(drawn - started, 4), "saving": round(time.perf_counter() - drawn, 4)},
    }
    return report | ({"variations": written} if settings.variations > 1 else {})


def _write(variations: Sequence[Extended], job: ExtendJob, timing: Clip | None) -> list[dict[str, Any]]:
    reports = []
    for one, out in zip(variations, job.outs, strict=False):  # there may be fewer different ones than were asked for
        write_clip(_time(one.frames, timing, out.stem), out, job.format)
        reports.append({"out": str(out)} | one.to_json())
    return reports


def _time(frames: Frames, timing: Clip | None, name: str) -> Clip:
    """The given frames last as long as they did, new ones as long as most of those; a tag of all of them grows."""
    if timing is None or len(timing) > len(frames):
        return Clip(frames, name=name)
    usual = sorted(timing.durations_ms)[len(timing) // 2]
    durations = timing.durations_ms + (usual,) * (len(frames) - len(timing))
    whole = [tag for tag in timing.tags if tag.first == 0 and tag.last == len(timing) - 1]
    tags = tuple(replace(tag, last=len(frames) - 1) if tag in whole else tag for tag in timing.tags)
    return Clip(frames, durations, name=name, tags=tags)
