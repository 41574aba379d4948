"""Between the trainer, which knows jobs, and what trains, which knows none: plans, lessons, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Plan:
    """A training that was asked for."""

    name: str
    """Of the model that is to be."""
    base: Path
    """Weights to begin with."""
    preset: str
    """Of these weights."""
    characters: Path
    """The character set: a folder or a `.toml` file."""
    folder: Path
    """Of this training alone: what lies there from an earlier run is gone on with."""
    steps: int | None
    minutes: int | None
    """About how long, in place of `steps`; None for both if it is left to the training."""
    seed: int
    device: str | None


@dataclass(frozen=True)
class Lesson:
    """Where a training is, after a step or after a measurement."""

    step: int
    steps: int
    """In all; may change while a training finds out how fast it is."""
    loss: float | None = None
    held_out: float | None = None
    """Share of held-out pixels that are exactly right, 0..1, where it was measured since the last lesson."""
    eta_seconds: float | None = None
    sample: Callable[[], Frames] | None = None
    """Makes frames (T, H, W, 4) that show what the model draws now, where there are new ones."""


Watch = Callable[[Lesson], bool]
"""Called between steps, and may take long: whether to go on; if not, the training ends as if this were its last step.
Whatever it raises ends it at once, after a checkpoint."""


@dataclass(frozen=True)
class Taught:
    """What came of a training."""

    weights: Path
    """In the plan's folder."""
    facts: Mapping[str, Fact]
    """For people, besides those that stand in the weights file."""


Teach = Callable[[Plan, Watch], Taught]
"""Do a training.

Raises:
    BitpuppetError: the base or the character set cannot be used.
"""
