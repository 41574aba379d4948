"""The course of a training, thinned so that it never has more points than a report holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bitpuppet_client.limits import MAX_REPORT_LIST

_DIGITS = 6


class Curve:
    """Loss against steps: each point is the mean of as many steps as all others; and what was held out, as measured."""

    def __init__(self) -> None:
        """No steps yet."""
        self.last_step = 0
        self._stride = 1
        self._points: list[tuple[int, float]] = []
        self._waiting: list[float] = []
        self._held_out: list[tuple[int, float]] = []

    @classmethod
    def read(cls, values: Mapping[str, Sequence[float]]) -> Curve:
        """Undo `write`."""
        curve = cls()
        curve._stride, curve.last_step = int(values["stride"][0]), int(values["stride"][1])
        curve._points = [(int(step), loss) for step, loss in zip(values["steps"], values["loss"], strict=True)]
        held_out = zip(values["held_out_steps"], values["held_out"], strict=True)
        curve._held_out = [(int(step), loss) for step, loss in held_out]
        return curve

    def write(self) -> dict[str, list[float]]:
        """Plain lists, each no longer than a list of a report."""
        return {
            "stride": [self._stride, self.last_step],
            **self.describe(),
        }

    def describe(self) -> dict[str, list[float]]:
        """What it shows: loss by step, and what was held out by step."""
        return {
            "steps": [step for step, _ in self._points],
            "loss": [round(loss, _DIGITS) for _, loss in self._points],
            "held_out_steps": [step for step, _ in self._held_out],
            "held_out": [round(loss, _DIGITS) for _, loss in self._held_out],
        }

    def add(self, step: int, loss: float | None, held_out: float | None) -> None:
        """Note a step. Steps that a run does again after a kill replace those that were lost."""
        if loss is not None and self._points and step <= self._points[-1][0]:
            self._points = [point for point in self._points if point[0] < step]
            self._held_out = [point for point in self._held_out if point[0] < step]
        self.last_step = step
        if held_out is not None:
            self._held_out.append((step, held_out))
            if len(self._held_out) > MAX_REPORT_LIST:
                self._held_out = self._held_out[:1] + self._held_out[1::2]
        if loss is None:
            return
        self._waiting.append(loss)
        if len(self._waiting) < self._stride:
            return
        self._points.append((step, sum(self._waiting) / len(self._waiting)))
        self._waiting.clear()
        if len(self._points) > MAX_REPORT_LIST - 1:
            pairs = zip(self._points[::2], self._points[1::2], strict=False)
            self._points = [(after[0], (before[1] + after[1]) / 2) for before, after in pairs]
            self._stride *= 2
