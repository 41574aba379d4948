"""Extension measured: do animations go on as they were, and do loops close?

On the Sprites benchmark the judge says which motion the new frames show, in windows of 8 frames: those that begin
where a cycle would begin, which is how the judge was trained, and all others too, beside what it says of the true
cycle. Loops are measured there, on held-out garments and on held-out puppets, by their seams.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.animations import Animation, draw_lpc, draw_puppets, play
from bitpuppet.data.benchmark import FRAMES, MOTIONS, Benchmark, split_characters
from bitpuppet.data.folder import require_data
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.judge import SIDE, Judge, Watch
from bitpuppet.evaluation.judge_cache import open_judge
from bitpuppet.jobs.continuation import ExtendSettings, Extension, extend_source, prepare_source
from bitpuppet.jobs.drawing import Continuer, DrawingEngine, check_count

if TYPE_CHECKING:
    from rich.table import Table

Frames = NDArray[np.uint8]
LOOP_FRAMES = (8, 16, 5, 11, 24, 13)
"""New frames of the loops, by turns: most animations have cycles that do not fit into some of these."""
MAX_CLIPS = 10_000
SETS = ("sprites", "garments", "puppets")
_PER_CHARACTER = 6
"""Animations of one held-out character."""
_MEASURES: Mapping[str, tuple[str, str]] = {
    "clips": ("animations", "{:.0f}"),
    "windows_right": ("judge: same motion, windows of 8 at whole cycles", "%"),
    "windows_right_true": ("  the same of the true cycle", "%"),
    "all_windows_right": ("judge: same motion, windows of 8 at every frame", "%"),
    "all_windows_right_true": ("  the same of the true cycle", "%"),
    "loops_closed": ("loops: seam no larger than the largest step inside", "%"),
    "loop_seam": ("loops: mean seam, levels", "{:.3f}"),
    "loop_largest_inside": ("loops: mean largest step inside, levels", "{:.3f}"),
    "loops_by_cycle": ("loops closed by repeating the cycle", "%"),
    "loop_tries": ("loops: continuations drawn, mean", "{:.2f}"),
    "copied_frames": ("new frames that are given frames again", "%"),
    "seconds": ("seconds an extension, mean", "{:.2f}"),
}


@dataclass(frozen=True)
class Example:
    """An animation to be extended."""

    animation: Animation
    motion: int | None = None
    """The judge's class; None where it knows none."""


@dataclass(frozen=True)
class ExtensionReport:
    """The figures of one set of animations."""

    name: str
    settings: Mapping[str, str | int | float]
    product: Mapping[str, float]
    """As users get it: a new frame in a pose of a given frame is that frame again."""
    drawn: Mapping[str, float]
    """With every new frame drawn by the model."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        return {
            "set": self.name,
            "settings": dict(self.settings),
            "product": dict(self.product),
            "drawn": dict(self.drawn),
        }

    def to_table(self) -> Table:
        """One line for each figure."""
        from rich.table import Table

        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.settings.items())
        table = Table(title=f"extension, {self.name}: {settings}", title_justify="left")
        table.add_column("figure")
        table.add_column("product", justify="right")
        table.add_column("every frame drawn", justify="right")
        for key, (words, form) in _MEASURES.items():
            if key in self.product:
                table.add_row(words, _write(self.product[key], form), _write(self.drawn[key], form))
        return table


def run_eval_extend(
    *,
    preset: str = "sprite64",
    weights: Path | None = None,
    prior: Path | None = None,
    device: str | None = None,
    clips: int = 90,
    settings: ExtendSettings,
    watch: Watch | None = None,
) -> list[ExtensionReport]:
    """Evaluate weights and a motion prior.

    Args:
        preset: which model.
        weights: a weights file; None for the shipped ones.
        prior: weights of the motion prior; None for the shipped ones.
        device: None for the best.
        clips: animations of each set, 1 or more.
        settings: how they are extended; loops have the lengths of LOOP_FRAMES.
        watch: told how far the work is; what it raises cancels it.

    Raises:
        BitpuppetError: there is no data folder, the weights cannot be used, a setting is out of range.
    """
    check_count("--clips", clips, MAX_CLIPS)
    data = require_data("eval extend", "sprites", "lpc")
    from bitpuppet.jobs.engine import Engine  # late: what is wrong with the settings is said before torch is loaded

    engine = Engine.load(preset, weights, device)
    if engine.preset.canvas != SIDE:
        raise BitpuppetError(f"--preset {preset} has a canvas of {engine.preset.canvas} pixels, the judge sees {SIDE}")
    continuer = engine.load_prior(prior)
    judge = open_judge(Benchmark(data / "sprites"), watch=watch)
    reports = []
    for name in SETS:
        examples = draw_examples(name, data, clips, SIDE, settings.seed)
        named = {"preset": preset}
        reports.append(measure_extension(engine, continuer, name, examples, settings, judge, named, watch))
    return reports


def draw_examples(name: str, data: Path, clips: int, canvas: int, seed: int) -> list[Example]:
    """`clips` animations of a set, of characters that no training showed; the same for the same seed."""
    rng = np.random.default_rng([seed, 4, SETS.index(name)])
    if name == "sprites":
        benchmark, (_, test) = Benchmark(data / "sprites"), split_characters()
        numbers = np.resize(rng.permutation(len(test)), clips)
        motions = rng.permutation(np.arange(clips) % len(MOTIONS))
        return [
            Example(Animation(" ".join(MOTIONS[motion]), benchmark.clip(test[int(number)], int(motion))), int(motion))
            for number, motion in zip(numbers, motions, strict=True)
        ]
    found: list[Example] = []
    while len(found) < clips:
        drawn: Iterator[Animation]
        if name == "garments":
            drawn = draw_lpc(data / "lpc", rng, 1, canvas, held_out=True)
        else:
            drawn = draw_puppets(rng, 1, _PER_CHARACTER, canvas, held_out=True)
        animations = list(drawn)
        chosen = rng.permutation(len(animations))[:_PER_CHARACTER]
        found += [Example(animations[int(number)]) for number in chosen]
    return found[:clips]


def measure_extension(
    engine: DrawingEngine,
    prior: Continuer,
    name: str,
    examples: Sequence[Example],
    settings: ExtendSettings,
    judge: Judge | None = None,
    named: Mapping[str, str | int | float] | None = None,
    watch: Watch | None = None,
) -> ExtensionReport:
    """Extend animations and close loops.

    Args:
        engine: draws.
        prior: continues motion tokens.
        name: what the report calls the set.
        examples: what is extended.
        settings: how; `frames`, `loop` and `redraw` are set here where they differ.
        judge: for examples with a class.
        named: what else the report tells of the settings.
        watch: called after each animation.
    """
    tallies = {False: _Tally(judge), True: _Tally(judge)}
    for number, example in enumerate(examples):
        for redraw, tally in tallies.items():
            wanted = replace(settings, redraw=redraw, seed=settings.seed + number, loop=False)
            tally.add_extension(engine, prior, example, wanted)
            loop = replace(wanted, loop=True, frames=LOOP_FRAMES[number % len(LOOP_FRAMES)])
            tally.add_loop(engine, prior, example, loop)
        if watch is not None:
            watch(f"extending {name}", number + 1, len(examples))
    told = {"frames": settings.frames, "temperature": settings.temperature, "top_p": settings.top_p}
    whole = {**(named or {}), **told, "seed": settings.seed}
    return ExtensionReport(name, whole, tallies[False].to_figures(), tallies[True].to_figures())


class _Tally:
    """Counts while animations are extended."""

    def __init__(self, judge: Judge | None) -> None:
        self._judge = judge
        self._right: dict[str, list[float]] = {}
        self._loops: list[Extension] = []
        self._copied: list[float] = []
        self._seconds: list[float] = []

    def add_extension(
        self, engine: DrawingEngine, prior: Continuer, example: Example, settings: ExtendSettings
    ) -> None:
        """Extend one animation and let the judge look at its windows."""
        frames, again = example.animation.frames, example.animation.again
        started = time.perf_counter()
        best = _extend(engine, prior, frames, settings).variations[0]
        self._seconds.append(time.perf_counter() - started)
        self._copied.append(best.copied / settings.frames)
        if self._judge is None or example.motion is None:
            return
        true = frames[play(len(frames), again, len(best.frames))]
        for key, strip in (("", best.frames), ("_true", true)):
            windows = np.stack([strip[start : start + FRAMES] for start in range(1, len(strip) - FRAMES + 1)])
            right = self._judge.classify(windows)["motion"].argmax(axis=1) == example.motion
            self._right.setdefault(f"all_windows_right{key}", []).extend(right)
            self._right.setdefault(f"windows_right{key}", []).extend(right[len(frames) - 1 :: FRAMES])

    def add_loop(self, engine: DrawingEngine, prior: Continuer, example: Example, settings: ExtendSettings) -> None:
        """Close one loop."""
        self._loops.append(_extend(engine, prior, example.animation.frames, settings))

    def to_figures(self) -> dict[str, float]:
        """All figures; shares are 0..1."""
        best = [loop.variations[0] for loop in self._loops]
        figures = {key: float(np.mean(right)) for key, right in self._right.items()}
        return figures | {
            "clips": float(len(self._loops)),
            "loops_closed": float(np.mean([one.seam.closed for one in best])),
            "loop_seam": float(np.mean([one.seam.seam for one in best])),
            "loop_largest_inside": float(np.mean([one.seam.largest_inside for one in best])),
            "loops_by_cycle": float(np.mean([one.method == "cycle" for one in best])),
            "loop_tries": float(np.mean([loop.tries for loop in self._loops])),
            "copied_frames": float(np.mean(self._copied)),
            "seconds": float(np.mean(self._seconds)),
        }


def _extend(engine: DrawingEngine, prior: Continuer, frames: Frames, settings: ExtendSettings) -> Extension:
    source = prepare_source(engine, frames, frames.shape[1], settings)
    return extend_source(engine, prior, source, settings)


def _write(value: float, form: str) -> str:
    return f"{100 * value:.2f} %" if form == "%" else form.format(value)
