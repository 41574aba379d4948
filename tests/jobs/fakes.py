"""A stand-in for the engine, so that the jobs can be tried without a model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitpuppet.jobs.engine import Retargeted
from bitpuppet.jobs.retarget import StepWatch

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
