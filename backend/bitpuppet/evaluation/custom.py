"""`bitpuppet eval custom`: a model is trained on some characters of a family, and draws a new one of them.

Of the new character one animation is given. Its other animations are predicted, with training characters as drivers,
and compared with the true ones. Beside it stand the base weights without any training, and a base line without any
model: the training character that is most alike, recoloured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from bitpuppet.data.bank import Bank
from bitpuppet.data.folder import find_data, require_data
from bitpuppet.data.likeness import Frames
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.families import FAMILIES, Trial, Wanted, find_animation, read_family, split_family
from bitpuppet.evaluation.figures import PixelCounts, compare_pixels
from bitpuppet.evaluation.judge import Watch
from bitpuppet.evaluation.neighbour import predict_from_neighbour, rank_neighbours
from bitpuppet.evaluation.pictures import make_folder
from bitpuppet.sprites import (
    collect_palette,
    find_content_box,
    place_clip,
    place_like,
    snap_frames,
    write_contact_sheet,
)

if TYPE_CHECKING:
    from rich.table import Table

    from bitpuppet.jobs.engine import Engine
    from bitpuppet.training.tuning_recipe import Tuned, TuningRecipe

FOLDER = "custom_sheets"
_FIGURES: Mapping[str, tuple[str, str]] = {
    "exact": ("exact", "%"),
    "within_16": ("within 16", "%"),
    "union_exact": ("exact, union", "%"),
    "alpha_iou": ("alpha IoU", "%"),
    "psnr_on_black": ("PSNR, dB", ""),
}
_WAYS: Mapping[str, str] = {
    "trained": "trained on the family",
    "zero_shot": "base weights, no training",
    "lent": "what the bank lends, without a model",
    "neighbour": "base line: neighbour, recoloured",
    "still": "first given frame, held",
    "ceiling": "the true frames in the given colours",
}
_WITHOUT = ("lent", "neighbour", "still", "ceiling")
"""Those of them that take no model."""
_SHOWN = 4
Predict = Callable[[Frames, Frames, int], Frames]
"""(content, motion, number of the case) on the canvas -> frames."""


@dataclass(frozen=True)
class FamilyReport:
    """The figures of one family."""

    name: str
    figures: Mapping[str, Mapping[str, float]]
    """For each way of `_WAYS`, over all frames together."""
    training: tuple[str, ...]
    new: tuple[str, ...]
    cases: int
    """Animations that were predicted."""
    frames: int
    tuning: Mapping[str, Any] = field(default_factory=dict)
    """Steps, seconds and held-out figures of the training; empty without."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        return {
            "family": self.name,
            "figures": {way: dict(figures) for way, figures in self.figures.items()},
            "training": list(self.training),
            "new": list(self.new),
            "cases": self.cases,
            "frames": self.frames,
            "tuning": dict(self.tuning),
        }


@dataclass(frozen=True)
class CustomEvaluation:
    """What one run of the command found."""

    preset: str
    minutes: float
    """Of training for each family; 0 for none."""
    families: tuple[FamilyReport, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        reports = [report.to_json() for report in self.families]
        return {"preset": self.preset, "minutes": self.minutes, "families": reports}

    def to_table(self) -> Table:
        """One line for each family and way."""
        from rich import box
        from rich.table import Table

        title = f"one animation given, the others predicted: {self.preset}, {self.minutes:g} min of training a family"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
        table.add_column("family", no_wrap=True)
        table.add_column("way", no_wrap=True)
        for heading, unit in _FIGURES.values():
            table.add_column(f"{heading}{', %' if unit else ''}", justify="right")
        for report in self.families:
            for number, way in enumerate(way for way in _WAYS if way in report.figures):
                figures = report.figures[way]
                values = (f"{figures[key] * (100 if unit else 1):.1f}" for key, (_, unit) in _FIGURES.items())
                table.add_row("" if number else report.name, _WAYS[way], *values)
        return table


def run_eval_custom(
    *,
    families: Sequence[str] = FAMILIES,
    minutes: float = 30.0,
    recipe: TuningRecipe | None = None,
    preset: str = "sprite64",
    weights: Path | None = None,
    device: str | None = None,
    data: Path | None = None,
    runs: Path | None = None,
    pictures: Path | None = None,
    seed: int = 0,
    puppets_only: bool = False,
    watch: Watch | None = None,
) -> CustomEvaluation:
    """Train on and measure families of the data folder.

    Args:
        families: names of `FAMILIES`.
        minutes: of training for each; 0 for the figures without training alone.
        recipe: how to train; its minutes do not count. None for the usual.
        preset: what to begin with.
        weights: its weights; None for those that ship.
        device: None for the best.
        data: the data folder; None for the one that the environment names.
        runs: folder for the training runs, which stay there; None for one that is removed.
        pictures: a folder for contact sheets of each family; it is made when it is missing, its parent must exist.
        seed: of training and noise.
        puppets_only: base data without LPC.
        watch: told how far the work is; what it raises cancels it.

    Raises:
        BitpuppetError: there is no data folder, the weights cannot be used, a setting is out of range.
    """
    unknown = [name for name in families if name not in FAMILIES]
    if unknown or not families:
        wrong = f"there is no family {unknown[0]!r}" if unknown else "no family is named"
        raise BitpuppetError(f"--families: {wrong}; choose among {', '.join(FAMILIES)}")
    if minutes < 0:
        raise BitpuppetError(f"--minutes is {minutes:g}, it must be 0 or more; change it")
    make_folder(pictures)
    root = data or require_sheets()
    from dataclasses import replace

    from bitpuppet.jobs.engine import Engine
    from bitpuppet.training.fine_tuning import FineTuning
    from bitpuppet.training.tuning_recipe import TuningRecipe

    engine = Engine.load(preset, weights, device)
    reports = []
    for name in families:
        trial = split_family(name, read_family(root / FOLDER, name, engine.preset.canvas))
        ways: dict[str, Engine] = {"zero_shot": engine}
        tuning: Tuned | None = None
        if minutes:
            with TemporaryDirectory(prefix="bitpuppet-eval-") as scratch:
                folder = (runs or Path(scratch)) / name
                settings = replace(recipe or TuningRecipe(), minutes=minutes, seed=seed)
                run = FineTuning(
                    trial.training,
                    folder,
                    settings,
                    base=preset,
                    weights=weights,
                    data=None if puppets_only else root,
                    device=device,
                )
                tuning = run.run(
                    lambda progress, name=name: watch and watch(f"training {name}", progress.step, progress.steps)  # type: ignore[misc]
                )
                ways["trained"] = Engine.load(preset, tuning.model, device)
        reports.append(measure_trial(trial, ways, tuning, seed=seed, pictures=pictures, watch=watch))
    return CustomEvaluation(preset, minutes, tuple(reports))


def require_sheets() -> Path:
    """The data folder that the environment names, with the sheets in it.

    Raises:
        BitpuppetError: there is none.
    """
    folder = find_data() or require_data("eval custom")
    return require_data("eval custom", FOLDER) if not (folder / FOLDER).is_dir() else folder


def measure_trial(
    trial: Trial,
    engines: Mapping[str, Engine],
    tuning: Tuned | None = None,
    *,
    seed: int = 0,
    pictures: Path | None = None,
    watch: Watch | None = None,
) -> FamilyReport:
    """Predict all that is wanted of a family, in each way, and compare it with what is true.

    Args:
        trial: the family.
        engines: "zero_shot" and "trained", or one of them; all of one canvas.
        tuning: what the training left.
        seed: of the noise.
        pictures: an existing folder for a contact sheet.
        watch: called after each animation.
    """
    canvas = next(iter(engines.values())).preset.canvas
    counts = {way: PixelCounts() for way in _WAYS if way in engines or way in _WITHOUT}
    lines: list[tuple[str, Frames]] = []
    bank = Bank(trial.training.characters, canvas)
    for number, case in enumerate(trial.wanted):
        given, anchor = place_clip(case.given.frames, canvas)
        true = place_like(case.wanted.frames, anchor)
        nearest = rank_neighbours(case, canvas)[0]
        driving = find_animation(nearest.character, case.wanted.name, len(true))
        if driving is None:
            raise ValueError(f"{nearest.character.name} does not perform {case.wanted.name}")
        motion, _ = place_clip(driving.frames, canvas)
        palette = collect_palette(given)
        drawn = {
            "lent": _borrow(bank, case, given, len(true)),
            "neighbour": predict_from_neighbour(case, nearest, canvas),
            "still": np.repeat(given[:1], len(true), axis=0),
            "ceiling": snap_frames(true, palette),
        }
        for way, engine in engines.items():
            drawn[way] = snap_frames(engine.retarget(given, motion, seed=seed).frames, palette)
        for way in counts:
            counts[way] += compare_pixels(drawn[way], true)
        if number % max(1, len(trial.wanted) // _SHOWN) == 0:
            label = f"{case.character.name}, {case.wanted.name}"
            shown = {"given": given, "driver": motion, **{way: drawn[way] for way in engines}}
            shown |= {"neighbour": drawn["neighbour"], "true": true}
            lines += [(f"{label}: {kind}", frames[:8]) for kind, frames in shown.items()]
        if watch is not None:
            watch(f"drawing {trial.name}", number + 1, len(trial.wanted))
    if pictures is not None:
        write_contact_sheet(_crop(lines), pictures / f"{trial.name}.png", scale=3)
    left = {}
    if tuning is not None:
        left = {
            "steps": tuning.steps,
            "seconds": round(tuning.seconds, 1),
            "ended": tuning.ended,
            "held_out_before": tuning.held_out_before,
            "held_out": tuning.held_out,
            "tokens_kept": tuning.tokens_kept,
        }
    return FamilyReport(
        trial.name,
        {way: counted.to_figures() for way, counted in counts.items()},
        tuple(character.name for character in trial.training.characters),
        trial.new_characters,
        len(trial.wanted),
        sum(len(case.wanted.frames) for case in trial.wanted),
        left,
    )


def _borrow(bank: Bank, case: Wanted, given: Frames, frames: int) -> Frames:
    """The wanted animation as the bank draws it from the first acquaintance that performs it; else the given one."""
    for one in bank.introduce(given):
        numbers = bank.locate(one.number, case.wanted.name, frames)
        if numbers is not None:
            return one.lend(numbers)
    return given[np.arange(frames) % len(given)]


def _crop(lines: Sequence[tuple[str, Frames]]) -> list[tuple[str, Frames]]:
    """The same without what is empty in all of them."""
    box = find_content_box(np.concatenate([frames for _, frames in lines]))
    if box is None:
        return list(lines)
    return [
        (label, np.ascontiguousarray(frames[:, box.top : box.bottom, box.left : box.right])) for label, frames in lines
    ]
