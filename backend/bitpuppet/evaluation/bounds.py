"""Bounds: how much of a target its content frames show at all, whoever fetches it.

No model is asked. The right answer is known, and each block of it is looked for in the content frames and in what a
mirror shows of them: what is found could be fetched, what is not has to be drawn. Flat blocks are found by chance as
well, so a bound says what cannot be copied and not what a model should copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from einops import reduce
from numpy.typing import NDArray

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.data.folder import require_data
from bitpuppet.evaluation.judge import Watch
from bitpuppet.evaluation.swaps import (
    GarmentSwaps,
    PuppetSwaps,
    SpriteSwaps,
    Swap,
    SwapSet,
    check_content_frames,
    check_held_out,
    check_pairs,
)
from bitpuppet.sprites.palette import OPAQUE_ALPHA, pack_colours

if TYPE_CHECKING:
    from rich.table import Table

Frames = NDArray[np.uint8]
Colours = NDArray[np.int64]
BLOCK = 4
"""Side of a block in pixels: what the palette head of `sprite64` moves as one (`model/reference.py`)."""
REACHES = (0, 2, 4, 8)
"""Pixels by which a block may lie beside its own place, along each side; 2 is what `sprite64` can point at."""


@dataclass(frozen=True)
class BoundReport:
    """What the content frames of one set of swaps show. Shares are of the targets' opaque pixels, 0 to 1."""

    name: str
    settings: Mapping[str, int]
    colours: float
    """Pixels in a colour that some content frame has."""
    frame: float
    """Pixels that the best content frame has at their very place, one frame for the whole target frame."""
    blocks: Mapping[int, float]
    """By reach: pixels that the best block of any content frame has, each block looked for on its own."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "set": self.name,
            "settings": dict(self.settings),
            "colours": self.colours,
            "frame": self.frame,
            "blocks": {str(reach): share for reach, share in self.blocks.items()},
        }


@dataclass
class _Counts:
    """Pixels, as `BoundReport` names them."""

    foreground: int = 0
    colours: int = 0
    frame: int = 0
    blocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(REACHES), np.int64))


def run_eval_bounds(
    *, pairs: int = 96, held_out: int = 96, content_frames: int = 8, seed: int = 0, watch: Watch | None = None
) -> tuple[BoundReport, ...]:
    """Measure swaps as `eval sprites` draws them: `pairs` of test characters and `held_out` of each other set.

    Raises:
        BitpuppetError: there is no data folder, or a setting is out of range.
    """
    check_pairs(pairs, seed)
    check_content_frames(content_frames)
    check_held_out(held_out)
    data = require_data("eval bounds", *(("sprites", "lpc") if held_out else ("sprites",)))
    sets: dict[str, SwapSet] = {
        "sprites": SpriteSwaps(Benchmark(data / "sprites"), pairs, seed=seed, content_frames=content_frames)
    }
    if held_out:
        sets["garments"] = GarmentSwaps(data / "lpc", held_out, seed=seed, content_frames=content_frames)
        sets["puppets"] = PuppetSwaps(held_out, seed=seed, content_frames=content_frames)
    settings = {"content_frames": content_frames, "seed": seed}
    return tuple(measure_bounds(swaps, name, settings, watch=watch) for name, swaps in sets.items())


def measure_bounds(
    swaps: SwapSet, name: str, settings: Mapping[str, int], *, watch: Watch | None = None
) -> BoundReport:
    """The bounds of a set. `settings` are for the report; `watch` is called after each swap."""
    counts = _Counts()
    for number in range(len(swaps)):
        _count(counts, swaps.draw(number))
        if watch is not None:
            watch(f"searching {name}", number + 1, len(swaps))
    all_pixels = max(counts.foreground, 1)
    return BoundReport(
        name,
        {"pairs": len(swaps), **settings},
        counts.colours / all_pixels,
        counts.frame / all_pixels,
        {reach: int(share) / all_pixels for reach, share in zip(REACHES, counts.blocks, strict=True)},
    )


def tabulate_bounds(reports: tuple[BoundReport, ...]) -> Table:
    """For people, one column a set."""
    from rich.table import Table

    table = Table(title="What content frames show of the foreground", title_justify="left")
    table.add_column("")
    for report in reports:
        table.add_column(report.name, justify="right")
    table.add_row("its colours", *(f"{report.colours:.1%}" for report in reports))
    table.add_row("best frame, at its place", *(f"{report.frame:.1%}" for report in reports))
    for reach in REACHES:
        words = f"best blocks, up to {reach} pixels away" if reach else "best blocks, at their place"
        table.add_row(words, *(f"{report.blocks[reach]:.1%}" for report in reports))
    return table


def _count(counts: _Counts, swap: Swap) -> None:
    target = _number(swap.target)
    content = _number(np.concatenate([swap.content, swap.content[:, :, ::-1]]))
    opaque = target >= 0
    best = np.zeros((len(REACHES), len(target), target.shape[1] // BLOCK, target.shape[2] // BLOCK), np.uint8)
    for moved, shown in _move(content):
        right = (shown == target[:, None]) & opaque[:, None]
        if not moved:
            counts.frame += int(right.sum(axis=(2, 3)).max(axis=1).sum())
        matched = reduce(right.view(np.uint8), "t n (h p) (w q) -> t n h w", "sum", p=BLOCK, q=BLOCK).max(axis=1)
        covering = np.searchsorted(REACHES, moved)
        best[covering:] = np.maximum(best[covering:], matched)
    counts.foreground += int(opaque.sum())
    counts.colours += int(np.isin(target[opaque], content).sum())
    counts.blocks = counts.blocks + best.sum(axis=(1, 2, 3), dtype=np.int64)


def _number(frames: Frames) -> Colours:
    """Colours of pixels as numbers, -1 where they are not opaque."""
    return np.where(frames[..., 3] >= OPAQUE_ALPHA, pack_colours(frames[..., :3]).astype(np.int64), -1)


def _move(frames: Colours) -> Iterator[tuple[int, Colours]]:
    """Frames (N, H, W) moved by up to the last of REACHES along each side, nearest first, and by how much."""
    far = REACHES[-1]
    padded = np.pad(frames, ((0, 0), (far, far), (far, far)), constant_values=-1)
    moves = [(y, x) for y in range(-far, far + 1) for x in range(-far, far + 1)]
    for y, x in sorted(moves, key=lambda move: max(abs(move[0]), abs(move[1]))):
        height, width = frames.shape[1:]
        yield max(abs(y), abs(x)), padded[:, far + y : far + y + height, far + x : far + x + width]
