"""A worker as in service, with an engine that draws in no time and misbehaves when told to. Run as a program."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.server.engines import Loaded
from bitpuppet.server.models import ModelFile
from bitpuppet.server.worker import main

Frames = NDArray[np.uint8]
STEP_SECONDS = "FAKE_STEP_SECONDS"
"""Environment variable: how long a step takes."""
FINISH_SECONDS = "FAKE_FINISH_SECONDS"
"""Environment variable: how long it takes after the last step."""
BATCH_FRAMES = "FAKE_BATCH_FRAMES"
"""Environment variable: frames of several jobs that are drawn at once."""
DIES, FILLS_MEMORY, FAILS, HANGS, HAS_A_BUG, DRAWS_NO_NUMBERS, DIES_LATE = range(900_001, 900_008)
"""Seeds that are orders."""


@dataclass(frozen=True)
class Drawn:
    """As `Retargeted`, without torch."""

    frames: NDArray[np.float32]
    tokens: NDArray[np.int64]
    bits_per_frame: float


def draw(motion: Frames, seed: int) -> NDArray[np.float32]:
    """What the fake engine draws: the motion in a colour that tells the seed."""
    drawn = motion.astype(np.float32)
    drawn[..., 0], drawn[..., 1], drawn[..., 3] = seed % 256, seed // 256 % 256, 255
    return drawn


class FakeEngine:
    """Looks like `Engine`."""

    preset: Preset = PRESETS["tiny"]

    def retarget(
        self,
        content: Frames,
        motion: Frames,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: Callable[[int, int, NDArray[np.float32]], None] | None = None,
    ) -> Drawn:
        steps = self.preset.steps if steps is None else steps
        drawn = draw(motion, seed)
        for step in range(1, steps + 1):
            time.sleep(float(os.environ.get(STEP_SECONDS, "0")))
            misbehave(seed, drawn)
            if callback is not None:
                callback(step, steps, drawn)
        time.sleep(float(os.environ.get(FINISH_SECONDS, "0")))
        if seed == DIES_LATE:
            os.kill(os.getpid(), signal.SIGKILL)
        return Drawn(drawn, self.encode_motion(motion), 3.25)

    def draw(
        self,
        content: Frames,
        tokens: NDArray[np.int64],
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: Callable[[int, int, NDArray[np.float32]], None] | None = None,
    ) -> NDArray[np.float32]:
        motion = np.repeat(content[:1], len(tokens), axis=0)
        return self.retarget(content, motion, seed=seed, steps=steps, callback=callback).frames

    def retarget_together(
        self,
        strips: Sequence[Any],
        *,
        steps: int | None = None,
        callback: Callable[[int, int, list[NDArray[np.float32]]], None] | None = None,
    ) -> list[Drawn]:
        """All at once: a step takes as long as one of a single strip."""
        steps = self.preset.steps if steps is None else steps
        drawn = [draw(strip.motion, strip.seed) for strip in strips]
        for step in range(1, steps + 1):
            time.sleep(float(os.environ.get(STEP_SECONDS, "0")))
            for strip, one in zip(strips, drawn, strict=True):
                misbehave(strip.seed, one)
            if callback is not None:
                callback(step, steps, drawn)
        return [Drawn(one, self.encode_motion(strip.motion), 3.25) for strip, one in zip(strips, drawn, strict=True)]

    def encode_motion(self, motion: Frames) -> NDArray[np.int64]:
        return np.repeat(motion.max(axis=(1, 2, 3)).astype(np.int64)[:, None] % 8, 4, axis=1)

    def mix_tokens(
        self, first: NDArray[np.int64], second: NDArray[np.int64], shares: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        return np.where(shares[:, None] < 0.5, first, second)

    def count_bits(self, tokens: NDArray[np.int64]) -> float:
        return 3.25


def misbehave(seed: int, drawn: NDArray[np.float32]) -> None:
    if seed == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    elif seed == FILLS_MEMORY:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
    elif seed == FAILS:
        raise BitpuppetError("the art is no art; draw better art")
    elif seed == HANGS:
        time.sleep(3600)
    elif seed == HAS_A_BUG:
        raise ValueError("a bug")
    elif seed == DRAWS_NO_NUMBERS:
        drawn[:] = np.nan


def load(file: ModelFile, device: str | None) -> Loaded:
    if device == "cuda:9":
        raise SystemExit("there is no such device")
    engine, frames = FakeEngine(), int(os.environ.get(BATCH_FRAMES, "0"))
    return Loaded(
        engine,  # type: ignore[arg-type]
        file.info.fingerprint,
        batch_frames=frames,
        together=engine.retarget_together if frames else None,  # type: ignore[arg-type]
        encode=lambda content: np.full((3, 5), len(content), np.float32),
    )


if __name__ == "__main__":
    assert "torch" not in sys.modules, "the worker is to stay light"
    main(load)
