"""Exact pixels measured: each step on what the model draws, and on true frames, against true targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.data.folder import require_data
from bitpuppet.evaluation.figures import PixelCounts, compare_pixels
from bitpuppet.evaluation.judge import Watch
from bitpuppet.evaluation.retargeting import HeldOut, Retargeter, make_held_out
from bitpuppet.evaluation.swaps import SpriteSwaps, SwapSet, check_content_frames, check_held_out, check_pairs
from bitpuppet.jobs.pixels import DEFAULT_STEPS, lock_pixels
from bitpuppet.sprites import ExactSettings, collect_palette, snap_frames

if TYPE_CHECKING:
    from rich.table import Table

Frames = NDArray[np.uint8]
_OFF = ExactSettings(grid=False, alpha=False, palette=False, outline=False, orphans=False, patterns=False)
_LOCKED = replace(_OFF, alpha=True, palette=True)
STEPS: Mapping[str, ExactSettings] = {
    "as drawn": _OFF,
    "hard alpha": replace(_OFF, alpha=True),
    "palette, hard alpha": _LOCKED,
    "  and outline": replace(_LOCKED, outline=True),
    "  and orphans": replace(_LOCKED, orphans=True),
    "  and patterns": replace(_LOCKED, patterns=True),
    "the default": DEFAULT_STEPS,
    "all steps": replace(DEFAULT_STEPS, outline=True),
}
"""What is compared: alone, since the order of the steps would hide what each one does."""
_HELD_OUT: tuple[HeldOut, ...] = ("garments", "puppets")


@dataclass(frozen=True)
class StepFigures:
    """What a choice of steps does to the frames of all pairs. Shares are 0 to 1."""

    name: str
    figures: Mapping[str, float]
    """See `PixelCounts.to_figures`."""
    mended: int
    """Pixels that were wrong as drawn and are right."""
    spoilt: int
    """Pixels that were right as drawn and are wrong."""


@dataclass(frozen=True)
class PixelReport:
    """The steps on one set of swaps."""

    name: str
    settings: Mapping[str, str | int]
    steps: tuple[StepFigures, ...]
    known_changed: int
    """Pixels of true frames that all steps change where these frames are in the reference; the promise is 0."""
    unknown_changed: int
    """Pixels of true frames that the default changes where the reference has other frames of the character only."""
    true_pixels: int
    """Visible pixels of all true frames."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        return {
            "set": self.name,
            "settings": dict(self.settings),
            "steps": [
                {"steps": one.name.strip(), "mended": one.mended, "spoilt": one.spoilt, **one.figures}
                for one in self.steps
            ],
            "true_frames": {
                "pixels": self.true_pixels,
                "changed_in_reference": self.known_changed,
                "changed_not_in_reference": self.unknown_changed,
            },
        }

    def to_table(self) -> Table:
        """For people."""
        from rich.table import Table

        table = Table(title=f"{self.name}, {self.settings['pairs']} pairs", title_justify="left")
        table.add_column("steps", no_wrap=True)
        for title in ("exact", "union exact", "perfect frames", "flicker", "mended", "spoilt"):
            table.add_column(title, justify="right")
        for one in self.steps:
            shares = (one.figures[name] for name in ("exact", "union_exact", "perfect_frames", "flicker"))
            table.add_row(one.name, *(f"{share:.3%}" for share in shares), str(one.mended), str(one.spoilt))
        table.caption = (
            f"Of {self.true_pixels} pixels of true frames, {self.known_changed} are changed by all steps where the "
            f"reference has these frames, and {self.unknown_changed} by the default where it has not."
        )
        return table


def run_eval_pixels(
    *,
    preset: str = "sprite64",
    weights: Path | None = None,
    device: str | None = None,
    pairs: int = 24,
    held_out: int = 24,
    steps: int | None = None,
    content_frames: int = 8,
    seed: int = 0,
    watch: Watch | None = None,
) -> tuple[PixelReport, ...]:
    """Measure the steps on Sprites test characters, and on held-out garments and puppets. Settings: `run_eval_sprites`.

    Raises:
        BitpuppetError: there is no data folder, the weights cannot be used, a setting is out of range.
    """
    check_pairs(pairs, seed)
    check_content_frames(content_frames)
    check_held_out(held_out)
    data = require_data("eval pixels", *(("sprites", "lpc") if held_out else ("sprites",)))
    from bitpuppet.jobs.engine import Engine  # late: what is wrong with the settings is said before torch is loaded

    engine = Engine.load(preset, weights, device)
    sets: dict[str, SwapSet] = {
        "sprites": SpriteSwaps(Benchmark(data / "sprites"), pairs, seed=seed, content_frames=content_frames)
    }
    for kind in _HELD_OUT if held_out else ():
        sets[kind] = make_held_out(engine, data, kind, pairs=held_out, seed=seed, content_frames=content_frames)
    return tuple(
        measure_steps(engine, swaps, name, content_frames=content_frames, steps=steps, seed=seed, watch=watch)
        for name, swaps in sets.items()
    )


def measure_steps(
    engine: Retargeter,
    swaps: SwapSet,
    name: str,
    *,
    content_frames: int = 8,
    steps: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PixelReport:
    """Draw all swaps of a set once and take the steps of each choice; pair n has the noise of seed + n.

    `content_frames` is for the report alone. `watch` is called after each pair.
    """
    counts = {choice: PixelCounts() for choice in STEPS}
    mended, spoilt = dict.fromkeys(STEPS, 0), dict.fromkeys(STEPS, 0)
    known_changed = unknown_changed = true_pixels = 0
    for number in range(len(swaps)):
        swap = swaps.draw(number)
        drawn = engine.retarget(swap.content, swap.motion, seed=seed + number, steps=steps).frames
        palette = collect_palette(swap.content)
        target = _harden(swap.target)
        before = _compare(lock_pixels(drawn, swap.content, palette, _OFF), target)
        for choice, chosen in STEPS.items():
            frames = lock_pixels(drawn, swap.content, palette, chosen)
            after = _compare(frames, target)
            counts[choice] += compare_pixels(frames, swap.target)
            mended[choice] += int(np.count_nonzero(after & ~before))
            spoilt[choice] += int(np.count_nonzero(before & ~after))
        both = np.concatenate([_harden(swap.content), target])
        known = lock_pixels(target, both, _list_colours(both), STEPS["all steps"])
        known_changed += int(np.count_nonzero(~_compare(known, target)))
        # Colours that the content never shows cannot be kept: this is about the steps after the palette.
        unknown = lock_pixels(target, swap.content, palette, replace(DEFAULT_STEPS, palette=False))
        unknown_changed += int(np.count_nonzero(~_compare(unknown, target)))
        true_pixels += int(np.count_nonzero(target[..., 3]))
        if watch is not None:
            watch(f"retargeting {name}", number + 1, len(swaps))
    figures = tuple(
        StepFigures(choice, counts[choice].to_figures(), mended[choice], spoilt[choice]) for choice in STEPS
    )
    used = engine.preset.steps if steps is None else steps
    settings: dict[str, str | int] = {
        "preset": engine.preset.name,
        "pairs": len(swaps),
        "steps": used,
        "content_frames": content_frames,
        "seed": seed,
    }
    return PixelReport(name, settings, figures, known_changed, unknown_changed, true_pixels)


def _harden(frames: Frames) -> Frames:
    """True frames as pixel art: alpha 0 or 255, as `compare_pixels` takes them."""
    return snap_frames(frames, _list_colours(frames))


def _list_colours(frames: Frames) -> Frames:
    """All visible colours (P, 3), however many."""
    return np.unique(frames[frames[..., 3] > 0][:, :3], axis=0)


def _compare(frames: Frames, target: Frames) -> NDArray[np.bool_]:
    """Which pixels are equal in all four channels."""
    return np.asarray((frames == target).all(axis=-1))
