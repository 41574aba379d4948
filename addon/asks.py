"""From the record of a job to what the backend is asked, and from its answer to finished strips. No Blender here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.jobs import DecodeParams, ExtendParams, JobParams, RetargetParams, TokensParams

from .core.errors import ArtError
from .core.pixels import harden_alpha, join_strip, place_clip
from .core.png import encode_png
from .core.poses import Plan, assemble
from .core.records import JobRecord, read_seed

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """A result, ready to be stored: a PNG file of frames side by side."""

    png: bytes
    frames: int
    width: int
    """Of one frame, in pixels."""
    height: int


def make_params(record: JobRecord) -> JobParams:
    """The parameters of a job.

    Raises:
        ArtError: the seed is none.
        bitpuppet_client.errors.ParameterError: another value is out of its range.
    """
    seed, steps = read_seed(record.seed), record.steps or None
    if record.kind == "retarget":
        return RetargetParams(record.model, seed, steps, record.palette_lock)
    if record.kind == "tokens":
        return TokensParams(record.model)
    if record.kind == "decode":
        return DecodeParams(record.model, seed, steps, record.palette_lock)
    return ExtendParams(
        count=record.count,
        model=record.model,
        loop=record.kind == "loop",
        temperature=record.temperature,
        top_p=record.top_p,
        variations=record.variations,
        seed=seed,
        steps=steps,
        palette_lock=record.palette_lock,
    )


def finish_strips(
    record: JobRecord, parts: Mapping[str, Frames], report: Mapping[str, Any], strip: Frames | None = None
) -> list[Strip]:
    """The strips of a result: alpha and place as the record asks, locked and given frames as they were.

    Args:
        record: what was asked for.
        parts: the backend's arrays; `frames` and, for variations, `frames_2` and so on, (T, H, W, 4).
        report: the backend's report.
        strip: frames (count, H, W, 4) that locked frames are taken from, for `decode`.

    Raises:
        ArtError: locked and drawn frames do not go together.
    """
    names = ["frames", *(f"frames_{number}" for number in range(2, len(parts) + 1))]
    return [_finish(record, parts[name], report, strip) for name in names]


def _finish(record: JobRecord, frames: Frames, report: Mapping[str, Any], strip: Frames | None) -> Strip:
    # What was given goes on unchanged; it is the content itself only where nobody else performs it.
    given = 0
    if record.kind in ("extend", "loop") and not record.source.image:
        given = int(report.get("given_frames", 0))
    if record.hard_alpha and not record.palette_lock:
        frames = np.concatenate([frames[:given], harden_alpha(frames[given:])])
    if not given:
        frames = place_clip(frames, record.anchor)
    if record.kind == "decode":
        if strip is None:
            raise ArtError("The strip that the motion was put on the timeline from is gone; make the motion anew")
        frames = assemble(make_plan(record), strip, frames)
    return pack_strip(frames)


def pack_strip(frames: Frames) -> Strip:
    """Frames (T, H, W, 4) as a strip's file."""
    count, height, width, _ = frames.shape
    return Strip(encode_png(join_strip(frames)), count, width, height)


def make_plan(record: JobRecord) -> Plan:
    """What the frames of an edited strip show."""
    locked = set(record.locked)
    return Plan(record.poses, tuple(number in locked for number in range(len(record.poses))))


def choose_tokens(tokens: NDArray[np.integer[Any]], plan: Plan) -> NDArray[np.uint16]:
    """The rows (drawn poses, groups) of a motion's tokens that are to be drawn, as the backend takes them.

    Raises:
        ArtError: the motion has fewer poses than the plan names.
    """
    if max(plan.drawn, default=0) >= len(tokens):
        raise ArtError(f"The motion has {len(tokens)} poses, the keys name more; put it on the timeline again")
    return np.ascontiguousarray(tokens[list(plan.drawn)], dtype=np.uint16)
