"""A table of figures: the model beside base lines, for sets whose frames have no palette to be exact in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.evaluation.figures import MAX_PSNR

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Comparison:
    """What one set showed; every figure is finite."""

    name: str
    settings: Mapping[str, str | int]
    columns: Mapping[str, Mapping[str, float]]
    """Figures of the model, of each base line and of the true frames; what a column lacks has no meaning there."""
    rate: Mapping[str, float]
    """Bits per frame, kbit/s where there is a frame rate, and seconds."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        columns = {name: dict(column) for name, column in self.columns.items()}
        return {"set": self.name, "settings": dict(self.settings), "columns": columns, "rate": dict(self.rate)}

    def to_table(self) -> Table:
        """One line for each figure, one column for each of `columns`."""
        from rich.table import Table

        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.settings.items())
        table = Table(title=f"{self.name}: {settings}", title_justify="left")
        table.add_column("figure")
        for heading in self.columns:
            table.add_column(heading, justify="right")
        for figure in dict.fromkeys(figure for column in self.columns.values() for figure in column):
            values = (column.get(figure) for column in self.columns.values())
            table.add_row(figure.replace("_", " "), *("" if value is None else f"{value:.3f}" for value in values))
        for figure, value in self.rate.items():
            table.add_row(figure.replace("_", " "), f"{value:.3f}")
        return table


@dataclass
class SoftCounts:
    """What comparing soft frames with their targets counts; `add` joins frames."""

    squared_error: float = 0.0
    values: int = 0
    overlap: float = 0.0
    union: float = 0.0

    def add(self, output: NDArray[Any], target: NDArray[np.uint8]) -> None:
        """Compare straight-alpha RGBA (T, H, W, 4), uint8 or floats in 0..255, with uint8 of the same shape.

        Raises:
            ValueError: the shapes differ.
        """
        if output.shape != target.shape:
            raise ValueError(f"output {output.shape} and target {target.shape} differ in shape")
        got, wanted = (np.clip(frames, 0, 255).astype(np.float32) / 255 for frames in (output, target))
        alpha, true_alpha = got[..., 3], wanted[..., 3]
        difference = got[..., :3] * alpha[..., None] - wanted[..., :3] * true_alpha[..., None]
        self.squared_error += float(np.square(difference, dtype=np.float64).sum())
        self.values += difference.size
        self.overlap += float(np.minimum(alpha, true_alpha).sum(dtype=np.float64))
        self.union += float(np.maximum(alpha, true_alpha).sum(dtype=np.float64))

    def to_figures(self) -> dict[str, float]:
        """`psnr` of RGB on black in dB, at most 100; `soft_iou`, the lesser alphas over the greater ones, in sums."""
        error = self.squared_error / max(self.values, 1)
        return {
            "psnr": min(MAX_PSNR, -10 * float(np.log10(error))) if error else MAX_PSNR,
            "soft_iou": self.overlap / self.union if self.union else 1.0,
        }
