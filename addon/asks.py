"""From the record of a job to what the backend is asked, and from its answer to finished strips. No Blender here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.jobs import DecodeParams, ExtendParams, JobParams, PixelParams, RetargetParams, TokensParams

from .core.errors import ArtError
from .core.palettes import unpack
from .core.pixels import harden_alpha, join_sheet, place_clip, wrap_frames
from .core.png import encode_png
from .core.poses import Plan, assemble
from .core.records import JobRecord, read_seed

Frames = NDArray[np.uint8]
WIDEST = 16_384
"""Pixels across that every graphics card takes on which Blender runs."""


@dataclass(frozen=True)
class Strip:
    """A result, ready to be stored: a PNG file of frames side by side, in several rows where one would be too wide."""

    png: bytes
    frames: int
    width: int
    """Of one frame, in pixels."""
    height: int
    rows: int = 1


def make_params(record: JobRecord) -> JobParams:
    """The parameters of a job.

    Raises:
        ArtError: the seed is none.
        bitpuppet_client.errors.ParameterError: another value is out of its range.
    """
    seed, steps = read_seed(record.seed), record.steps or None
    colours = None if record.palette else record.colours or None
    pixels = PixelParams(colours, record.hard_alpha, record.outline, record.orphans, record.patterns)
    if record.kind == "retarget":
        return RetargetParams(record.model, seed, steps, record.palette_lock, pixels)
    if record.kind == "tokens":
        return TokensParams(record.model)
    if record.kind == "decode":
        return DecodeParams(record.model, seed, steps, record.palette_lock, pixels)
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
        pixels=pixels,
    )


def make_palette(record: JobRecord) -> dict[str, NDArray[np.uint8]]:
    """The part of a job that brings other colours than the character's own; empty where there are none."""
    return {"palette": unpack(record.palette)} if record.palette and record.kind != "tokens" else {}


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
    names = sorted((name for name in parts if name.startswith("frames")), key=lambda name: (len(name), name))
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
    rows = wrap_frames(frames, WIDEST)
    return Strip(encode_png(join_sheet(rows)), count, width, height, len(rows))


def make_plan(record: JobRecord) -> Plan:
    """What the frames of an edited strip show."""
    locked = set(record.locked)
    marks = tuple(number in locked for number in range(len(record.poses)))
    return Plan(record.poses, marks, record.seconds, record.percents)


def choose_tokens(tokens: NDArray[np.integer[Any]], plan: Plan) -> dict[str, NDArray[Any]]:
    """The motion that is to be drawn, as the backend takes it: a row (groups) for each drawn pose.

    Returns:
        `tokens`; with in-betweens also `second` and `shares`.

    Raises:
        ArtError: the motion has fewer poses than the plan names.
    """
    if max((max(one.pose, one.second) for one in plan.drawn), default=0) >= len(tokens):
        raise ArtError(f"The motion has {len(tokens)} poses, the keys name more; put it on the timeline again")
    parts: dict[str, NDArray[Any]] = {"tokens": _take_rows(tokens, [one.pose for one in plan.drawn])}
    if any(one.percent for one in plan.drawn):
        parts["second"] = _take_rows(tokens, [one.second for one in plan.drawn])
        parts["shares"] = np.array([one.percent / 100 for one in plan.drawn], dtype=np.float32)
    return parts


def find_tokens(
    tokens: NDArray[np.integer[Any]], plan: Plan, mixed: NDArray[np.integer[Any]] | None
) -> NDArray[np.uint16] | None:
    """The tokens (frames, groups) of an edited strip, or None where they are not known.

    Args:
        tokens: of the motion that it was made from, (poses, groups).
        plan: what its frames show.
        mixed: what the backend made of in-betweens, a row for each of `plan.drawn`; None where there is none.
    """
    if max(plan.poses, default=0) >= len(tokens) or (mixed is None and any(plan.percents)):
        return None
    found = _take_rows(tokens, list(plan.poses))
    if mixed is not None:
        places = {one: number for number, one in enumerate(plan.drawn)}
        for number, one in enumerate(plan.shown):
            if one.percent:
                found[number] = mixed[places[one]]
    return found


def _take_rows(tokens: NDArray[np.integer[Any]], rows: list[int]) -> NDArray[np.uint16]:
    return np.ascontiguousarray(tokens[rows], dtype=np.uint16)
