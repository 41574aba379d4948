"""What jobs on motion tokens need of an engine and a motion prior, and drawing with what can go wrong told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import StepWatch
from bitpuppet.model.packing import TokenCoder
from bitpuppet.sprites import collect_palette

Frames = NDArray[np.uint8]
Tokens = NDArray[np.int64]
Watch = Callable[[str, int, int], None]
"""(what is being done, how much is done, of how much); whatever it raises cancels the job."""
MAX_TEMPERATURE = 10.0


class DrawingEngine(Protocol):
    """What these jobs need of `Engine`."""

    @property
    def coder(self) -> TokenCoder:
        """See `Engine.coder`; asked for where the motion is packed tokens."""
        ...

    def encode_motion(self, motion: Frames) -> Tokens:
        """See `Engine.encode_motion`."""
        ...

    def count_bits(self, tokens: Tokens) -> float:
        """See `Engine.count_bits`."""
        ...

    def draw(
        self,
        content: Frames,
        tokens: Tokens,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> NDArray[np.float32]:
        """See `Engine.draw`."""
        ...


class Continuer(Protocol):
    """What these jobs need of `MotionPrior`."""

    def continue_motion(
        self,
        tokens: Tokens,
        frames: int,
        *,
        goal: Tokens | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seeds: Sequence[int | Sequence[int]] = (0,),
        callback: Callable[[int, int], None] | None = None,
    ) -> Tokens:
        """See `MotionPrior.continue_motion`."""
        ...

    def measure_arrival(self, tokens: Tokens, goal: Tokens) -> float:
        """See `MotionPrior.measure_arrival`."""
        ...


def check_count(option: str, value: int, most: int, least: int = 1) -> None:
    """Raise BitpuppetError unless an option's value is from `least` to `most`."""
    if not least <= value <= most:
        raise BitpuppetError(f"{option} is {value}, it must be from {least} to {most}; change it")


def check_chance(temperature: float, top_p: float) -> None:
    """Raise BitpuppetError unless the temperature is in (0, MAX_TEMPERATURE] and top-p in (0, 1]."""
    if not 0 < temperature <= MAX_TEMPERATURE:  # also true of what is no number
        raise BitpuppetError(
            f"--temperature is {temperature}, it must be above 0 and at most {MAX_TEMPERATURE:g}; change it"
        )
    if not 0 < top_p <= 1:
        raise BitpuppetError(f"--top-p is {top_p}, it must be above 0 and at most 1; change it")


def name_palette(frames: Frames, name: str) -> Frames:
    """`collect_palette`, whose error says `name`."""
    try:
        return collect_palette(frames)
    except BitpuppetError as error:
        raise BitpuppetError(f"{name}: {error}") from error


def draw_frames(
    engine: DrawingEngine, content: Frames, tokens: Tokens, seed: int, steps: int | None, watch: StepWatch | None
) -> NDArray[np.float32]:
    """`Engine.draw` with what can go wrong told to the user.

    Raises:
        BitpuppetError: the memory is too small, or the model is broken.
    """
    try:
        drawn = engine.draw(content, tokens, seed=seed, steps=steps, callback=watch)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise  # torch has no type of its own for all devices
        raise BitpuppetError(f"the memory is too small for {len(tokens)} frames; draw fewer at once") from error
    if not np.isfinite(drawn).all():
        raise BitpuppetError("the model drew no numbers, so nothing was written; name other --weights or --device")
    return drawn
