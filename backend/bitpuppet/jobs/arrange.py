"""The arrange job: an animation in another timing, spliced to another one, with in-betweens and locked frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.drawing import (
    Continuer,
    DrawingEngine,
    Frames,
    Tokens,
    Watch,
    check_count,
    draw_frames,
    name_palette,
)
from bitpuppet.jobs.output import check_format, check_out, give_timing, is_strip
from bitpuppet.jobs.retarget import Prepared, check_numbers, finish, place_frames
from bitpuppet.jobs.timing import Beat, Retime, Timing, check_locked, find_gaps, retime, splice
from bitpuppet.sprites import MAX_FRAMES, MAX_PIXELS, WHOLE_VIDEOS, Clip, Grid, Videos, cut_grid, read_clip, write_clip
from bitpuppet.sprites.images import read_picture

BETWEEN_TEMPERATURE, BETWEEN_TOP_P = 0.5, 0.9
"""Of the prior where it draws in-betweens: little chance, since both ends are known."""


class ArrangeEngine(DrawingEngine, Protocol):
    """What the job needs of `Engine`."""

    def mix_tokens(self, first: Tokens, second: Tokens, shares: NDArray[np.float32]) -> Tokens:
        """See `Engine.mix_tokens`."""
        ...


@dataclass(frozen=True)
class ArrangeJob:
    """What the user asks for; the names are the long options of the command line."""

    motion: Path
    out: Path
    plan: Retime = field(default_factory=Retime)
    then: Path | None = None
    """Another animation that follows; the plan is for the first one alone."""
    blend: int = 0
    """New frames where the two meet."""
    by: Literal["codewords", "prior"] = "codewords"
    """What in-betweens are made by."""
    content: Path | None = None
    """Who performs all of it; None to leave the given frames as they are and draw the in-betweens alone."""
    lock: tuple[int, ...] = ()
    """Frames of the result that stay as `lock_from` has them."""
    lock_from: Path | None = None
    """A strip of the result's size; None for what is at `out` already."""
    frame: tuple[int, int] | None = None
    content_frame: tuple[int, int] | None = None
    motion_frame: tuple[int, int] | None = None
    then_frame: tuple[int, int] | None = None
    content_rows: tuple[int, ...] | None = None
    motion_rows: tuple[int, ...] | None = None
    then_rows: tuple[int, ...] | None = None
    seed: int = 0
    steps: int | None = None
    palette_lock: bool = True
    content_tag: str | None = None
    motion_tag: str | None = None
    then_tag: str | None = None
    format: str | None = None
    """What to write, see `sprites.FORMATS`; None for what the name of `out` says."""
    videos: Videos = WHOLE_VIDEOS
    """What to take of files that are videos, animations or folders of frames; `then` is read as the motion is."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError for a value out of its range, or options that do not go together."""
        check_numbers(self.seed, self.steps)
        check_format(self.format)
        check_count("--blend", self.blend, MAX_FRAMES, 0)
        if self.then is None and (self.blend or self.then_frame or self.then_rows or self.then_tag):
            raise BitpuppetError(
                "--blend, --then-frame, --then-rows and --then-tag need the animation that follows; add --then"
            )
        if self.lock_from is not None and not self.lock:
            raise BitpuppetError("--lock-from needs the numbers of the frames to keep; add --lock")


@dataclass(frozen=True)
class Score:
    """A job's files, read, and the timing of the result."""

    timing: Timing
    """Its beats number the frames of the motion and, after them, those of the animation that follows."""
    motion: Frames
    """As its art is, (T, H, W, 4)."""
    then: Frames | None
    content: Frames | None
    locked: dict[int, Frames]
    """Frames (H, W, 4) of the result that stay as they are, by their numbers."""
    durations_ms: tuple[int, ...] = ()
    """Of the given frames, numbered as the beats do."""
    untouched: Clip | None = None
    """The motion, where its timing stays, so that its tags hold for the result; else None."""

    @property
    def needs_model(self) -> bool:
        """Whether anything is to be drawn."""
        return any(
            number not in self.locked and (self.content is not None or not beat.given)
            for number, beat in enumerate(self.timing)
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the result."""
        _, height, width, _ = (self.motion if self.content is None else self.content).shape
        return len(self.timing), height, width, 4


def read_score(job: ArrangeJob, canvas: int) -> Score:
    """Read a job's files and refuse what cannot be done, before a model is loaded.

    Args:
        job: what is asked for.
        canvas: side of the model's canvas in pixels.

    Raises:
        BitpuppetError: a file cannot be used, the files do not go together, or the result would be too large.
    """
    check_out(job.out, [path for path in (job.motion, job.then, job.content) if path is not None], job.format)
    frame, video = job.motion_frame or job.frame, job.videos.of_motion
    given = read_clip(job.motion, frame, job.motion_rows, job.motion_tag, video)
    motion, durations = given.frames, given.durations_ms
    timing = retime(len(motion), job.plan)
    then = content = None
    if job.then is not None:
        other = read_clip(job.then, job.then_frame or frame, job.then_rows, job.then_tag, video)
        then, durations = other.frames, durations + other.durations_ms
        timing = splice(timing, retime(len(then), Retime(), len(motion)), job.blend)
    if job.content is not None:
        frame = job.content_frame or job.frame
        content = read_clip(job.content, frame, job.content_rows, job.content_tag, job.videos.of_content).frames
    elif then is not None and then.shape[1:] != motion.shape[1:]:
        raise BitpuppetError(
            f"{job.then} has frames of {then.shape[2]}x{then.shape[1]}, {job.motion} of {motion.shape[2]}x"
            f"{motion.shape[1]}; say who performs both with --content, or give files of one size"
        )
    is_same = job.plan.does_nothing and then is None
    score = Score(timing, motion, then, content, {}, durations, given if is_same else None)
    frames, height, width, _ = score.shape
    if frames * height * width > MAX_PIXELS:
        raise BitpuppetError(
            f"{job.out} would hold {frames} frames of {width}x{height}, the limit is {MAX_PIXELS // 1_000_000} million "
            "pixels in all; hold or insert fewer frames"
        )
    check_locked(job.lock, frames)
    score = replace(score, locked=_read_locked(job, score.shape))
    if score.needs_model:
        _place(job, score, canvas)
    return score


def perform(
    engine: ArrangeEngine | None,
    prior: Continuer | None,
    job: ArrangeJob,
    score: Score,
    canvas: int,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Arrange an animation and write its strip.

    Args:
        engine: draws; may be None where the score needs no model.
        prior: makes the in-betweens where the job says so.
        job: what is asked for.
        score: from `read_score`.
        canvas: side of the engine's canvas in pixels.
        watch: for progress and cancelling.

    Returns:
        What was used, for `--json`: out, frames, frame, timing (see `Beat.to_json`), kept_frames (as they were given or
        locked, byte for byte), drawn_frames, cut_pixels, seed, seconds.

    Raises:
        BitpuppetError: the model is broken, the memory too small, or the file cannot be written.
    """
    started = time.perf_counter()
    drawn: dict[Beat, Frames] = {}
    cut = 0
    if score.needs_model:
        if engine is None:
            raise ValueError("this score needs a model")
        drawn, cut = _draw_beats(engine, prior, job, score, canvas, watch)
    result = np.empty(score.shape, dtype=np.uint8)
    kept = 0
    given = (
        score.motion if score.then is None or score.content is not None else np.concatenate([score.motion, score.then])
    )
    for number, beat in enumerate(score.timing):
        if number in score.locked:
            result[number] = score.locked[number]
        elif score.content is None and beat.given:
            result[number] = given[beat.first]
        else:
            result[number] = drawn[beat]
            continue
        kept += 1
    modelled = time.perf_counter()
    # A frame in between lasts as long as the one before it.
    durations = tuple(score.durations_ms[beat.first] for beat in score.timing) if score.durations_ms else ()
    name = job.out.stem
    clip = give_timing(result, score.untouched, name) if score.untouched else Clip(result, durations, name=name)
    write_clip(clip, job.out, job.format)
    return {
        "out": str(job.out),
        "frames": len(result),
        "frame": f"{result.shape[2]}x{result.shape[1]}",
        "timing": [beat.to_json() for beat in score.timing],
        "kept_frames": kept,
        "drawn_frames": len(result) - kept,
        "cut_pixels": cut,
        "seed": job.seed,
        "seconds": {
            "model": round(modelled - started, 4),
            "saving": round(time.perf_counter() - modelled, 4),
        },
    }


def _draw_beats(
    engine: ArrangeEngine,
    prior: Continuer | None,
    job: ArrangeJob,
    score: Score,
    canvas: int,
    watch: Watch | None,
) -> tuple[dict[Beat, Frames], int]:
    """Every beat of the timing drawn once, so that held frames are the same picture; and the pixels cut off."""
    prepared, placed = _place(job, score, canvas)
    tokens = np.concatenate([engine.encode_motion(part) for part in placed])
    rows = _find_tokens(engine, prior, job, score.timing, tokens, watch)
    beats = {beat: number for number, beat in reversed(list(enumerate(score.timing)))}
    beats = dict(sorted(beats.items(), key=lambda item: item[1]))

    def tell(step: int, steps: int, _: NDArray[np.float32]) -> None:
        if watch is not None:
            watch("drawing", step, steps)

    drawn = draw_frames(engine, prepared.content, rows[list(beats.values())], job.seed, job.steps, tell)
    frames, cut = finish(prepared, drawn, palette_lock=job.palette_lock)
    return dict(zip(beats, frames, strict=True)), cut


def _place(job: ArrangeJob, score: Score, canvas: int) -> tuple[Prepared, list[Frames]]:
    """The content on the canvas with the way back, and what is performed, also on the canvas."""
    if score.content is not None:
        cast, anchor, scale = place_frames(score.content, canvas, str(job.content))
        named = ((score.motion, job.motion), (score.then, job.then))
        placed = [place_frames(part, canvas, str(name))[0] for part, name in named if part is not None]
        source = job.content
    else:
        parts = [score.motion] if score.then is None else [score.motion, score.then]
        # All at one place, so that one frame size and one way back fit both.
        cast, anchor, scale = place_frames(np.concatenate(parts), canvas, str(job.motion))
        placed, source = [cast], job.motion
    palette = name_palette(cast, str(source))
    return Prepared(cast, cast[:0], palette, anchor, scale, None), placed


def _find_tokens(
    engine: ArrangeEngine, prior: Continuer | None, job: ArrangeJob, timing: Timing, tokens: Tokens, watch: Watch | None
) -> Tokens:
    """Motion tokens of every beat, (len(timing), groups)."""
    first, second = (np.array([getattr(beat, end) for beat in timing]) for end in ("first", "second"))
    rows: Tokens = tokens[first]
    for start, end in find_gaps(timing):
        shares = np.array([beat.share for beat in timing[start:end]], dtype=np.float32)
        if prior is None or job.by == "codewords":
            rows[start:end] = engine.mix_tokens(tokens[first[start:end]], tokens[second[start:end]], shares)
            continue
        steps, places = np.unique(shares, return_inverse=True)  # held in-betweens are one pose

        def tell(frame: int, frames: int) -> None:
            if watch is not None:
                watch("finding in-betweens", frame, frames)

        found = prior.continue_motion(
            rows[:start],
            len(steps),
            goal=tokens[second[start]],
            temperature=BETWEEN_TEMPERATURE,
            top_p=BETWEEN_TOP_P,
            seeds=[(job.seed, start)],
            callback=tell,
        )
        rows[start:end] = found[0][places]
    return rows


def _read_locked(job: ArrangeJob, shape: tuple[int, int, int, int]) -> dict[int, Frames]:
    if not job.lock:
        return {}
    count, height, width, _ = shape
    source = job.out if job.lock_from is None else job.lock_from
    if job.lock_from is None and not is_strip(source, job.format):
        raise BitpuppetError(f"{source} is no strip, and --lock keeps frames of one; name a strip with --lock-from")
    if job.lock_from is None and not source.is_file():
        raise BitpuppetError(
            f"{source} does not exist, and --lock keeps frames that are there already; draw it first without --lock, "
            "or name the strip with --lock-from"
        )
    strip = read_picture(source).frames[0]
    if strip.shape[:2] != (height, width * count):
        raise BitpuppetError(
            f"{source} is {strip.shape[1]}x{strip.shape[0]}, and --lock needs {count} frames of {width}x{height} side "
            "by side, as the result will be; name such a strip with --lock-from"
        )
    frames = cut_grid(strip, Grid(width, height, count, 1))  # not `read_clip`, which leaves out empty cells
    return {number: frames[number] for number in job.lock}
