"""What an evaluation found: tables for people, plain values for programs, pictures for the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.evaluation.pictures import make_folder
from bitpuppet.evaluation.swaps import SwapSet
from bitpuppet.sprites import write_contact_sheet

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 6
"""Pairs on one contact sheet."""
_MEASURES: Mapping[str, tuple[str, str]] = {
    # key: (words, how it is written)
    "joint": ("judge: all five right", "%"),
    "motion": ("judge: motion of 9", "%"),
    "skin": ("judge: skin of 6", "%"),
    "bottom": ("judge: bottom of 6", "%"),
    "top": ("judge: top of 6", "%"),
    "hair": ("judge: hair of 6", "%"),
    "inception_score": ("inception score (at most 9)", "{:.3f}"),
    "intra_entropy": ("intra-entropy H(y|x), nats", "{:.4f}"),
    "inter_entropy": ("inter-entropy H(y), nats", "{:.4f}"),
    "exact": ("foreground exactly right", "%"),
    "within_16": ("foreground within 16 levels", "%"),
    "union_exact": ("either one's, exactly right", "%"),
    "union_within_16": ("either one's, within 16 levels", "%"),
    "alpha_iou": ("alpha IoU", "%"),
    "perfect_frames": ("perfect frames", "%"),
    "flicker": ("flicker: still pixels that change", "%"),
    "psnr_on_black": ("PSNR on black, dB", "{:.2f}"),
    "soft_bits": ("soft bits per frame", "{:.2f}"),
    "hard_bits": ("hard bits per frame", "{:.2f}"),
    "coded_bits": ("coded bits per frame", "{:.2f}"),
    "seconds_per_strip": ("seconds per strip (median)", "{:.3f}"),
}
"""All figures, in the order of the tables."""
_SWEPT: tuple[str, ...] = (
    "joint",
    "motion",
    "inception_score",
    "exact",
    "within_16",
    "alpha_iou",
    "perfect_frames",
    "flicker",
    "psnr_on_black",
    "hard_bits",
    "seconds_per_strip",
)


@dataclass(frozen=True)
class PairError:
    """How far one pair's product is from its target."""

    number: int
    name: str
    error: float
    """Share of the pixels that are opaque in the target or the product and not exactly right, 0..1."""
    product: NDArray[np.uint8]
    """(T, H, W, 4)"""


@dataclass(frozen=True)
class Report:
    """The figures of one set of swaps under one setting."""

    name: str
    """sprites, garments or puppets."""
    settings: Mapping[str, str | int]
    """What was measured: preset, pairs, steps, content_frames, seed."""
    product: Mapping[str, float]
    """Figures of the final product: the palette of A's content frames, hard alpha."""
    raw: Mapping[str, float]
    """Figures of what the model drew, before the palette stage."""
    ceiling: Mapping[str, float]
    """What a perfect model would get: figures of this report's true targets after the palette stage, which has no
    colours but those of the content frames. The accuracies are those over all true strips of test characters."""
    rate: Mapping[str, float]
    """Bits per frame and seconds per strip."""
    errors: tuple[PairError, ...]
    """Best pair first."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Share of the pixels of each part of the characters that are exactly right in the product, where layers tell."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        return {
            "set": self.name,
            "settings": dict(self.settings),
            "product": dict(self.product),
            "raw": dict(self.raw),
            "ceiling": dict(self.ceiling),
            **({"parts": dict(self.parts)} if self.parts else {}),
            **self.rate,
            "worst": [{"pair": e.number, "name": e.name, "error": e.error} for e in self.errors[: -SHOWN - 1 : -1]],
        }

    def to_table(self) -> Table:
        """One line for each figure: the product, the model alone, true targets."""
        from rich.table import Table

        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.settings.items())
        table = Table(title=f"{self.name}: {settings}", title_justify="left")
        table.add_column("figure")
        for heading in ("product", "without palette stage", "true target"):
            table.add_column(heading, justify="right")
        for key, (words, form) in _MEASURES.items():
            if key in self.product or key in self.rate:
                columns = ({**self.product, **self.rate}, self.raw, self.ceiling)
                table.add_row(words, *(_write(column.get(key), form) for column in columns))
        for part, share in self.parts.items():
            table.add_row(f"{part} exactly right", _write(share, "%"), "", "")
        return table

    def write_pictures(self, swaps: SwapSet, folder: Path) -> list[Path]:
        """Write contact sheets of the best, the median and the worst pairs of this report.

        Each pair is four lines: a content frame, the driving strip, the product, the true target.

        Args:
            swaps: the set that was measured.
            folder: where to; it is made when it is missing, its parent must exist.

        Returns:
            The files: NAME-best.png, NAME-median.png, NAME-worst.png.

        Raises:
            BitpuppetError: they cannot be written.
        """
        make_folder(folder)
        middle = max(0, (len(self.errors) - SHOWN) // 2)
        parts = {
            "best": self.errors[:SHOWN],
            "median": self.errors[middle : middle + SHOWN],
            "worst": self.errors[: -SHOWN - 1 : -1],
        }
        files = []
        for part, errors in parts.items():
            file = folder / f"{self.name}-{part}.png"
            write_contact_sheet([row for error in errors for row in _list_rows(swaps, error)], file, scale=2)
            files.append(file)
        return files


def tabulate_sweep(reports: Sequence[Report]) -> Table:
    """One column for each setting of a sweep, with the figures of the product; shares in percent."""
    from rich import box
    from rich.table import Table

    names = ", ".join(dict.fromkeys(report.name for report in reports))
    table = Table(title=f"sweep of {names}: steps / content frames", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("figure")
    for report in reports:
        heading = f"{report.settings['steps']} / {report.settings['content_frames']}"
        table.add_column(heading, justify="right", no_wrap=True)
    columns = [{**report.product, **report.rate} for report in reports]
    for key in _SWEPT:
        if any(key in column for column in columns):
            table.add_row(
                key.replace("_", " "),
                *(_write(column.get(key), _MEASURES[key][1]).removesuffix(" %") for column in columns),
            )
    return table


def _list_rows(swaps: SwapSet, error: PairError) -> list[tuple[str, NDArray[np.uint8]]]:
    swap = swaps.draw(error.number)
    return [
        (f"pair {error.number}, {swap.name}: {error.error:.1%} wrong. Content", swap.content[:8]),
        ("Motion", swap.motion),
        ("Product", error.product),
        ("Target", swap.target),
    ]


def _write(value: float | None, form: str) -> str:
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if form == "%" else form.format(value)
