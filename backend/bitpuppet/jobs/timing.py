"""Timing: which frames an animation shows, in what order and for how long. Plain lists; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import MAX_FRAMES

_MAX_DIGITS = 6
"""Of a frame's number; no strip has a million frames."""


@dataclass(frozen=True)
class Beat:
    """One frame of the new timing: a given frame, or one between two given frames."""

    first: int
    second: int
    """The same as `first` for a given frame."""
    share: float = 0.0
    """How far it is from the first to the second, in (0, 1); 0 for a given frame."""

    @property
    def given(self) -> bool:
        """Whether it is a given frame."""
        return self.share == 0

    def to_json(self) -> int | list[float]:
        """A number for a given frame, else [first, second, share]."""
        return self.first if self.given else [self.first, self.second, round(self.share, 4)]


Timing = list[Beat]


@dataclass(frozen=True)
class Retime:
    """What to do to the timing of one animation, in the order of the fields."""

    order: tuple[int, ...] | None = None
    """Frames to show, counted from 0, in this order; None for all as they come."""
    drop: int = 1
    """Keep one frame in so many; 1 keeps all."""
    ping_pong: bool = False
    """Play forwards, then backwards; the two ends are shown once, so that the result is a loop."""
    between: int = 0
    """New frames between each two neighbours."""
    hold: int = 1
    """Show each frame so many times."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError for a number out of its range."""
        limits = (("--drop", self.drop, 1), ("--in-between", self.between, 0), ("--hold", self.hold, 1))
        for option, value, low in limits:
            if not low <= value <= MAX_FRAMES:
                raise BitpuppetError(f"{option} is {value}, it must be from {low} to {MAX_FRAMES}; change it")

    @property
    def does_nothing(self) -> bool:
        """Whether the animation stays as it is."""
        return self == Retime()


def retime(count: int, plan: Retime, start: int = 0) -> Timing:
    """The timing of an animation of `count` frames, numbered from `start`.

    Raises:
        BitpuppetError: the order names a frame that is not there, or the result would be too long.
    """
    numbers = list(range(count)) if plan.order is None else list(plan.order)
    for number in numbers:
        if not 0 <= number < count:
            have = "1 frame, number 0" if count == 1 else f"{count} frames, numbers 0 to {count - 1}"
            raise BitpuppetError(f"--order names frame {number}; the motion has {have}; correct it")
    numbers = numbers[:: plan.drop]
    if plan.ping_pong:
        numbers = numbers + numbers[-2:0:-1]
    check_length((len(numbers) - 1) * (plan.between + 1) * plan.hold + plan.hold)
    beats: Timing = []
    for first, second in pairwise(numbers):
        beats += [Beat(first + start, first + start), *list_between(first + start, second + start, plan.between)]
    beats.append(Beat(numbers[-1] + start, numbers[-1] + start))
    return [beat for beat in beats for _ in range(plan.hold)]


def splice(one: Timing, other: Timing, between: int = 0) -> Timing:
    """One timing after the other, with `between` new frames at the joint.

    Raises:
        BitpuppetError: the result would be too long.
    """
    check_length(len(one) + between + len(other))
    return [*one, *list_between(one[-1].second, other[0].first, between), *other]


def list_between(first: int, second: int, count: int) -> Timing:
    """`count` beats between two given frames, evenly; repetitions of the frame where both are the same."""
    shares = [(number + 1) / (count + 1) for number in range(count)]
    return [Beat(first, second, 0.0 if first == second else share) for share in shares]


def find_gaps(timing: Timing) -> list[tuple[int, int]]:
    """Stretches [start, end) of beats between the same two given frames."""
    gaps, place = [], 0
    for key, group in groupby(timing, lambda beat: None if beat.given else (beat.first, beat.second)):
        length = len(list(group))
        if key is not None:
            gaps.append((place, place + length))
        place += length
    return gaps


def parse_order(text: str, option: str = "--order") -> tuple[int, ...]:
    """Read "0,0,1,2" or "0-3,2-0" as frame numbers, counted from 0; a range may run backwards.

    Raises:
        BitpuppetError: it is not of that form, or names more than MAX_FRAMES frames.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        pieces = (first, last) if dash else (first,)
        if not all(piece.isdecimal() and len(piece) <= _MAX_DIGITS for piece in pieces):
            shown = text if len(text) <= 60 else text[:57] + "..."
            raise BitpuppetError(
                f"{option} is {shown!r}, frames are numbers counted from 0; write for example 0,0,1,2 or 0-3"
            )
        low, high = int(first), int(last or first)
        step = 1 if high >= low else -1
        check_length(len(numbers) + abs(high - low) + 1, option)
        numbers += range(low, high + step, step)
    return tuple(numbers)


def check_length(frames: int, what: str = "the new timing") -> None:
    """Raise BitpuppetError when a timing has more frames than a strip may have."""
    if frames > MAX_FRAMES:
        raise BitpuppetError(f"{what} has {frames} frames, the limit is {MAX_FRAMES}; hold or insert fewer")


def check_locked(locked: Sequence[int], count: int) -> None:
    """Raise BitpuppetError when a frame is locked that a result of `count` frames does not have."""
    for number in locked:
        if not 0 <= number < count:
            raise BitpuppetError(
                f"--lock names frame {number}, the result has {count} frames, numbers 0 to {count - 1}; correct it"
            )
