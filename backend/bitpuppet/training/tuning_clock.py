"""The clock of a fine-tuning run: what steps of its two stages take, and how long the rest of it will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["reading", "drawing"]
READING: Stage = "reading"
DRAWING: Stage = "drawing"
FITS = 8
"""Parts of a run after which its length is fitted: the learning rate has to fall in time."""
_ENOUGH = 5
"""Steps from which what they took counts more than what was expected of them."""


@dataclass
class TuningClock:
    """Times of one run, in seconds; a step of drawing has its part of the looks in it."""

    expected: dict[Stage, float] = field(default_factory=dict)
    """Of a step of each stage, as it was measured before the start."""
    _spent: dict[Stage, float] = field(default_factory=dict)
    _counted: dict[Stage, int] = field(default_factory=dict)

    def note(self, stage: Stage, seconds: float) -> None:
        """Count a step."""
        self._spent[stage] = self._spent.get(stage, 0.0) + seconds
        self._counted[stage] = self.count(stage) + 1

    def count(self, stage: Stage) -> int:
        """Steps of a stage that were counted."""
        return self._counted.get(stage, 0)

    def measure_step(self, stage: Stage) -> float:
        """What a step of a stage takes: as those before it, or as it was expected.

        Where the other stage was slower or faster than expected, so will this one be: other programs came or went.
        """
        if self.count(stage) >= _ENOUGH or stage not in self.expected:
            return self._spent.get(stage, 0.0) / max(1, self.count(stage))
        other = READING if stage == DRAWING else DRAWING
        pace = 1.0
        if self.count(other) >= _ENOUGH and self.expected.get(other):
            pace = self.measure_step(other) / self.expected[other]
        return pace * self.expected[stage]

    def measure_left(self, steps: Mapping[Stage, int]) -> float:
        """What so many steps of each stage will take."""
        return sum(count * self.measure_step(stage) for stage, count in steps.items() if count > 0)

    def fit_length(self, step: int, steps: int, seconds: float, share_reading: float) -> int:
        """Steps of a run that has done `step` of `steps`, the last ones drawing, and has so many seconds left.

        They stay but after each of `FITS` parts of a run, and where too little was seen of it, as when it was resumed.
        """
        if step % max(1, steps // FITS) or self.count(DRAWING) <= step // 10:
            return steps
        most = step / max(share_reading, 0.3)  # more would make this step one of reading
        return int(min(step + max(1.0, seconds / self.measure_step(DRAWING)), most))
