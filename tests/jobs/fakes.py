"""Stand-ins for engines and priors, so that the jobs can be tried without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.jobs.engine import Retargeted
from bitpuppet.jobs.retarget import StepWatch
from bitpuppet.model.packing import TokenCoder

Frames = NDArray[np.uint8]


@dataclass
class FakeEngine:
    """Draws the motion itself, or what `draws` holds; keeps what it was asked for."""

    draws: NDArray[np.float32] | Exception | None = None
    asked: list[tuple[Frames, Frames, int, int | None]] = field(default_factory=list)

    def retarget(
        self,
        content: Frames,
        motion: Frames,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> Retargeted:
        self.asked.append((content, motion, seed, steps))
        if isinstance(self.draws, Exception):
            raise self.draws
        drawn = motion.astype(np.float32) if self.draws is None else self.draws
        if callback is not None:
            callback(1, 1, drawn)
        return Retargeted(drawn, np.zeros((len(motion), 4), dtype=np.int64), 3.25)


@dataclass
class FakeDrawer:
    """Knows each distinct frame by a number, which is its motion token, and draws a token as a picture of its own.

    Tokens of frames that it has not met count on from 0; token n is drawn as a square of the content's n-th colour.
    """

    groups: int = 2
    codewords: int = 64
    draws: Exception | None = None
    drawn: list[tuple[Frames, NDArray[np.int64], int, int | None]] = field(default_factory=list)
    known: dict[bytes, int] = field(default_factory=dict)

    @property
    def coder(self) -> TokenCoder:
        usage = np.full((self.groups, self.codewords), 1 / self.codewords, dtype=np.float32)
        return TokenCoder("tiny", usage, b"fakefake")

    def encode_motion(self, motion: Frames) -> NDArray[np.int64]:
        numbers = [self.known.setdefault(frame.tobytes(), len(self.known)) for frame in motion]
        return np.repeat(np.array(numbers, dtype=np.int64)[:, None], self.groups, axis=1)

    def count_bits(self, tokens: NDArray[np.int64]) -> float:
        return 6.0 * self.groups

    def mix_tokens(
        self, first: NDArray[np.int64], second: NDArray[np.int64], shares: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        return np.rint(first + (second - first) * shares[:, None]).astype(np.int64)

    def draw(
        self,
        content: Frames,
        tokens: NDArray[np.int64],
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> NDArray[np.float32]:
        self.drawn.append((content, tokens, seed, steps))
        if self.draws is not None:
            raise self.draws
        frames = np.stack([picture_token(row, content.shape[1]) for row in tokens])
        if callback is not None:
            callback(1, 1, frames)
        return frames


def picture_token(row: NDArray[np.int64], side: int) -> NDArray[np.float32]:
    """A canvas with a square whose place tells the tokens; its colour is left to the palette."""
    frame = np.zeros((side, side, 4), dtype=np.float32)
    left, top = 8 + int(row[0]) % 32, 8 + int(row[-1]) % 32
    frame[top : top + 6, left : left + 6] = (200, 40, 40, 255)
    return frame


@dataclass
class FakePrior:
    """Continues motion by what `answers` says; keeps what it was asked for."""

    answers: Callable[[NDArray[np.int64], int, int], NDArray[np.int64]]
    """(tokens so far (T, groups), frames, number of the call's continuation) -> (frames, groups)."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def continue_motion(
        self,
        tokens: NDArray[np.int64],
        frames: int,
        *,
        goal: NDArray[np.int64] | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seeds: Sequence[int | Sequence[int]] = (0,),
        callback: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.int64]:
        self.asked.append(
            {"tokens": tokens, "goal": goal, "temperature": temperature, "top_p": top_p, "seeds": list(seeds)}
        )
        if callback is not None:
            callback(frames, frames)
        return np.stack([self.answers(tokens, frames, number) for number in range(len(seeds))])

    def measure_arrival(self, tokens: NDArray[np.int64], goal: NDArray[np.int64]) -> float:
        return float(np.abs(tokens[-1] - goal).sum())
