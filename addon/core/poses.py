"""Motion on the timeline: keys that name poses, what they show at each frame, and what is to be drawn anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import ArtError
from .sheets import MAX_FRAMES

_EPSILON = 1e-4
"""Of a scene frame; Blender keeps the times of keys as 32-bit floats."""


@dataclass(frozen=True)
class Key:
    """One key of the Action: from its time on the pose holds, until the next key."""

    time: float
    """In scene frames."""
    pose: int
    """Number of the pose, from 0: a frame of the strip that the motion comes from."""
    locked: bool = False
    """Whether the frames that show it stay as they are, pixel by pixel."""
    between: bool = False
    """Whether it shows what lies between the poses around it, instead of its own."""


class Shown(NamedTuple):
    """What a frame shows: a pose, or an in-between of two."""

    pose: int
    second: int
    """The pose that it goes to; `pose` itself where it is no in-between."""
    percent: int
    """How far it is on its way to the second, 0 to 99."""


@dataclass(frozen=True)
class Plan:
    """The new strip: what each of its frames shows."""

    poses: tuple[int, ...]
    """The pose of each frame."""
    locked: tuple[bool, ...]
    """Whether the frame is taken from the strip as it is."""
    seconds: tuple[int, ...] = ()
    """The pose that each frame goes to; empty where there is no in-between."""
    percents: tuple[int, ...] = ()
    """How far it is on its way there, 0 to 99; empty where there is no in-between."""

    @property
    def shown(self) -> tuple[Shown, ...]:
        """What each frame shows."""
        percents = self.percents or (0,) * len(self.poses)
        return tuple(map(Shown, self.poses, self.seconds or self.poses, percents))

    @property
    def drawn(self) -> tuple[Shown, ...]:
        """What is to be drawn, each once, in the order of first appearance: a held pose is one picture."""
        return tuple(dict.fromkeys(one for one, locked in zip(self.shown, self.locked, strict=True) if not locked))


def lay_out(count: int, start: int, step: int) -> list[Key]:
    """Keys for `count` poses, one every `step` scene frames, from `start` on."""
    return [Key(start + number * step, number) for number in range(count)]


def read_plan(keys: Sequence[Key], count: int, step: int, end: float | None = None) -> Plan:
    """What the keys show, sampled every `step` scene frames from the first key on.

    Moved keys hold their neighbours longer, deleted ones leave their place to the pose before, and the order of times
    is the order of poses. A key that lies between two samples shows at the later one, unless another follows before. An
    in-between is as far on its way from the pose before it to the one after it as its key is in time.

    Args:
        keys: in any order.
        count: poses that there are.
        step: scene frames for one frame of the strip, 1 or more.
        end: time at which the last pose ends; None for `step` after its key.

    Raises:
        ArtError: there is no key, a key names no pose, an in-between has no pose before or after it, or the strip
            would be too long.
    """
    if not keys:
        raise ArtError(
            "The Action has no pose keys; put the motion on the timeline again", "bitpuppet.motion_to_timeline"
        )
    for key in keys:
        if not 0 <= key.pose < count:
            raise ArtError(
                f"The key at frame {key.time:g} names pose {key.pose}, the motion has poses 0 to {count - 1}; change "
                "its value in the Graph Editor"
            )
    ordered = sorted(keys, key=lambda key: key.time)
    start, last = ordered[0].time, ordered[-1].time
    # Up to the sample at which the last key shows, so that it is not lost where it lies between two.
    length = max(math.ceil((last - start) / step - _EPSILON) + 1, math.ceil(((end or last) - start) / step - _EPSILON))
    if length > MAX_FRAMES:
        raise ArtError(f"The keys span {length} frames, at most {MAX_FRAMES}; move them together or raise Step")
    shown, locked, place = [], [], 0
    for number in range(length):
        now = start + number * step
        while place + 1 < len(ordered) and ordered[place + 1].time <= now + _EPSILON:
            place += 1
        key = ordered[place]
        shown.append(_read_between(ordered, place, end) if key.between else Shown(key.pose, key.pose, 0))
        locked.append(key.locked and not key.between)
    poses, seconds, percents = (tuple(part) for part in zip(*shown, strict=True))
    return Plan(poses, tuple(locked), seconds, percents) if any(percents) else Plan(poses, tuple(locked))


def _read_between(ordered: Sequence[Key], place: int, end: float | None) -> Shown:
    """What an in-between shows; after the last pose of a repeated Action comes its first one."""
    key = ordered[place]
    before = next((one for one in reversed(ordered[:place]) if not one.between), None)
    after = next((one for one in ordered[place + 1 :] if not one.between), None)
    if after is None and end is not None and not ordered[0].between and end > key.time:
        after = Key(end, ordered[0].pose)
    if before is None or after is None or not before.time < key.time < after.time:
        raise ArtError(
            f"The in-between at frame {key.time:g} needs a pose before it and one after it; move its key, or press R "
            "in the Dope Sheet to make it a Keyframe"
        )
    share = (key.time - before.time) / (after.time - before.time)
    return Shown(before.pose, after.pose, min(99, max(1, round(100 * share))))


def assemble(plan: Plan, strip: NDArray[np.uint8], drawn: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The frames of the new strip.

    Args:
        plan: what they show.
        strip: the strip that the locked frames come from, (count, H, W, 4).
        drawn: a frame for each of `plan.drawn`, in their order; None where there is none to draw.

    Raises:
        ArtError: the drawn frames have another size than the locked ones, or another number than was asked for.
    """
    wanted = plan.drawn
    frames = np.zeros((0, *strip.shape[1:]), dtype=np.uint8) if drawn is None else drawn
    if len(frames) != len(wanted):
        raise ArtError(f"{len(frames)} frames were drawn for {len(wanted)} poses; Re-decode again")
    if frames.shape[1:] != strip.shape[1:]:
        if any(plan.locked):
            raise ArtError(
                f"The locked frames are {strip.shape[2]} x {strip.shape[1]} pixels, the new ones {frames.shape[2]} x "
                f"{frames.shape[1]}; unlock them, or use the character that the strip was made with"
            )
        strip = np.zeros((len(strip), *frames.shape[1:]), dtype=np.uint8)
    places = {one: number for number, one in enumerate(wanted)}
    pairs = zip(plan.shown, plan.locked, strict=True)
    return np.stack([strip[one.pose] if locked else frames[places[one]] for one, locked in pairs])
