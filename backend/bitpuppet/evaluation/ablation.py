"""The paper's ablations, on sprites or rendered characters: small models under one budget, alike in all but one thing.

Every row has the same sizes, the same quantizer of 40 groups x 16 codewords, which holds 160 bits a frame at most, the
same data in the same order, the same number of steps and the same seed. Rate control sets in after a part of the run;
up to there rows that differ in nothing else are one run, which is trained once. Figures are those of the frames as the
model draws them: the palette stage would give a character its own colours back, and hide what leaked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bitpuppet.data.mixture import Mixture, PairBatch, Share
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.ablation_data import AblationData, PuppetsData, RenderedData, SpritesData
from bitpuppet.model.preset import Preset
from bitpuppet.training.recipe import Recipe

if TYPE_CHECKING:
    from rich.table import Table

    from bitpuppet.jobs.engine import Engine
    from bitpuppet.training.loop import BatchSource

Watch = Callable[[str, int, int], None]
CONTENT_FRAMES = 8
"""Frames of the character that a measured model sees; 1 in the row with a single frame."""

PRESET = Preset(
    name="ablation",
    patch=16,
    width=128,
    heads=4,
    encoder_blocks=2,
    denoiser_blocks=4,
    content_tokens=16,
    groups=40,
    codewords=16,
    group_width=4,
    bits_per_frame=12.0,
    head="values",
    detail_frames=0,
    reference=False,
    temporal_width=0,
    sampler="euler",
    steps=1,
    stem_width=16,
)
"""As the paper has it where sprites allow: values instead of a palette, content at the queries alone, no references.
Convolutions read motion, as in `sprite64`: with them the loss falls sooner (0.058 and 0.068 after 400 steps)."""
RECIPE = Recipe(
    steps=1500,
    pairs=16,
    content_frames=4,
    target_frames=6,
    encoder_tokens=16,
    denoiser_tokens=16,
    share_at_max=0.8,
    rate_scale=1.0,
    control=(0.35, 0.75),
    warmup=40,
    cooldown=0.4,
    ema=0.99,
    agreement=0.0,
)


@dataclass(frozen=True)
class Row:
    """One model of the table."""

    words: str
    bits: float = 12.0
    """Target of the rate control, in bits a frame."""
    cross_driving: bool = True
    content_frames: int = RECIPE.content_frames
    rate_control: bool = True


ROWS: Mapping[str, Row] = {
    **{f"bits-{bits}": Row(f"target {bits} bits", bits) for bits in (2, 4, 8, 12, 24, 48, 160)},
    "no-cross-driving": Row("12 bits, content and motion from the same frames", cross_driving=False),
    "single-frame": Row("12 bits, a single content frame", content_frames=1),
    "no-rate-control": Row("no rate control (the quantizer holds 160 bits)", 160.0, rate_control=False),
}
ROWS_RENDERED = ("bits-4", "bits-12", "bits-48", "no-cross-driving", "single-frame")
"""Those that are made of rendered characters where nobody names others."""
_COLUMNS: Mapping[str, tuple[str, str]] = {
    # key: (heading, how it is written)
    "motion": ("motion", "%"),
    "attributes": ("looks", "%"),
    "within_16": ("in 16", "%"),
    "alpha_iou": ("IoU", "%"),
    "soft_iou": ("soft IoU", "%"),
    "psnr": ("dB", "{:.1f}"),
    "hard_bits": ("hard", "{:.1f}"),
    "soft_bits": ("soft", "{:.1f}"),
    "attribute_leak": ("looks leak", "±"),
    "motion_leak": ("pose leak", "±"),
}
"""The table for people has those that there are, and fits 80 columns; the file has all figures under full names."""


@dataclass(frozen=True)
class Settings:
    """The budget, which all rows of one table share."""

    steps: int = RECIPE.steps
    """Optimizer steps of each row."""
    seed: int = 0
    """Of weights, data, noise, swaps and probes."""
    pairs: int = 148
    """Swaps that are measured."""
    clips: int = 2
    """Clips of each training character that probes learn from."""
    puppets_only: bool = False
    """Train and measure on puppets, which need no data, have no judge and no probes."""
    rendered: bool = False
    """Train and measure on rendered characters."""

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "clips"):
            value = getattr(self, name)
            if value < 1:
                raise BitpuppetError(f"--{name} is {value}, it must be 1 or more; change it")
        if self.seed < 0:
            raise BitpuppetError(f"--seed is {self.seed}, it must be 0 or more; change it")
        if self.puppets_only and self.rendered:
            raise BitpuppetError("--puppets-only and --rendered exclude each other; use one of them")

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sizes and the recipe that the rows share."""
        fixed = {"preset": PRESET.to_metadata(), "recipe": RECIPE.to_metadata(), "content_frames": CONTENT_FRAMES}
        told = {name: value for name, value in asdict(self).items() if name != "rendered" or value}
        return json.loads(json.dumps(told | fixed))  # type: ignore[no-any-return]

    def open_data(self, folder: Path | None) -> AblationData:
        """The characters.

        Raises:
            BitpuppetError: there is no folder where one is needed, or it cannot be used.
        """
        if self.puppets_only:
            return PuppetsData()
        if folder is None:
            raise BitpuppetError("eval ablation needs the data folder; name it, or add --puppets-only")
        return RenderedData(folder) if self.rendered else SpritesData(folder)


class SameSegment:
    """A source whose content frames are those that are to be rebuilt: what training is without cross-driving."""

    def __init__(self, source: BatchSource) -> None:
        self.source = source

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        """As many frames of the target as there would be content frames, at most all."""
        batch = self.source.draw(step, pairs, content_frames, target_frames, in_order=in_order)
        content = np.resize(np.arange(target_frames), content_frames)
        return replace(batch, content=batch.target[:, content], numbers=batch.wanted[:, content])


@dataclass(frozen=True)
class Ablation:
    """The table, as far as it is filled."""

    settings: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        return {"settings": dict(self.settings), "rows": {name: dict(row) for name, row in self.rows.items()}}

    def to_table(self) -> Table:
        """One line for each row that is finished, in the order of `ROWS`."""
        from rich import box
        from rich.table import Table

        budget = f"{self.settings['steps']} steps, {self.settings['pairs']} swaps, seed {self.settings['seed']}"
        title = (
            f"ablation: {budget}\nwithout the palette stage; right in %; bits a frame; leaks in points above chance\n"
            "(looks read from motion tokens, pose read from content)"
        )
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("row", no_wrap=True)
        shown = {key: form for key, form in _COLUMNS.items() if any(key in row for row in self.rows.values())}
        for heading, _ in shown.values():
            table.add_column(heading, justify="right", no_wrap=True)
        for name, row in self.rows.items():
            table.add_row(name, *(_write(row, key, form) for key, (_, form) in shown.items()))
        return table


def run_ablation(
    out: Path,
    *,
    rows: Sequence[str] = tuple(ROWS),
    settings: Settings | None = None,
    data: Path | None = None,
    cpu: bool = False,
    watch: Watch | None = None,
) -> Ablation:
    """Train and measure rows that are not finished yet.

    Whatever ends the work, finished rows stay in `out`, and a row that was being trained goes on from its checkpoint in
    the folder `out`-runs beside it.

    Args:
        out: a JSON file; it is made where there is none.
        rows: names of `ROWS`.
        settings: the budget; those of a file that is there already must be the same.
        data: the data folder, with `sprites/` in it, or one of rendered characters; not needed for puppets.
        cpu: train on the CPU even where there is a GPU.
        watch: told how far it is; what it raises cancels.

    Returns:
        All rows that the file holds, in the order of `ROWS`.

    Raises:
        BitpuppetError: an unknown row, no data, or a file that cannot be read or is of another budget.
    """
    unknown = [name for name in rows if name not in ROWS]
    if unknown or not rows:
        wrong = f"there is no row {unknown[0]!r}" if unknown else "no row is named"
        raise BitpuppetError(f"--rows: {wrong}; choose among {', '.join(ROWS)}")
    settings = settings or Settings()
    characters = settings.open_data(data)
    table = _read_table(out, settings.to_json())
    _write_table(out, table)  # a file that cannot be written is better known before the first row is trained
    for name in rows:
        if name in table.rows:
            continue
        started = perf_counter()
        engine, measures = _train_row(name, settings, characters, out.with_name(f"{out.stem}-runs"), cpu, watch)
        figures = _measure_row(name, engine, settings, characters, watch)
        row = {"words": ROWS[name].words, "target_bits": ROWS[name].bits, **figures, "training": measures}
        found = {**table.rows, name: row | {"seconds": round(perf_counter() - started, 1)}}
        table = Ablation(table.settings, {known: found[known] for known in ROWS if known in found})
        _write_table(out, table)
    return table


def _train_row(
    name: str, settings: Settings, data: AblationData, runs: Path, cpu: bool, watch: Watch | None
) -> tuple[Engine, dict[str, float]]:
    """The trained model of a row, with averaged weights, and the last measures of its training."""
    from bitpuppet.jobs.engine import Engine
    from bitpuppet.model.device import pick_dtype
    from bitpuppet.training.loop import Progress, Trainer

    row = ROWS[name]
    recipe = replace(
        RECIPE,
        steps=settings.steps,
        seed=settings.seed,
        content_frames=row.content_frames,
        rate_scale=RECIPE.rate_scale if row.rate_control else 0.0,
    )
    share = Share(data.make_source(PRESET.canvas), 1.0, 0.0)
    source: BatchSource = Mixture([share], seed=settings.seed, share_driven=0.0)  # as the paper trains
    if not row.cross_driving:
        source = SameSegment(source)
    measures: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        measures.update({key: round(value, 5) for key, value in progress.measures.items()})
        if watch is not None:
            watch(f"{name}: training", progress.step, progress.steps)

    trainer = Trainer(replace(PRESET, bits_per_frame=row.bits), recipe, source, runs / name, cpu=cpu)
    if trainer.checkpoint_file.exists():
        trainer.resume()
    elif row.cross_driving and row.content_frames == RECIPE.content_frames:
        common = Trainer(PRESET, recipe, source, runs / "common", cpu=cpu)
        if common.checkpoint_file.exists():
            common.resume()
        common.run(tell, until=int(recipe.control[0] * recipe.steps))
        trainer.branch_from(common.checkpoint_file)
    trainer.run(tell)
    device = trainer.accelerator.device
    return Engine(trainer.averaged_model(), device, pick_dtype(device)), measures


def _measure_row(
    name: str, engine: Engine, settings: Settings, data: AblationData, watch: Watch | None
) -> dict[str, Any]:
    """Figures of one model, without the palette stage."""

    def tell(stage: str, done: int, total: int) -> None:
        if watch is not None:
            watch(f"{name}: {stage}", done, total)

    content_frames = 1 if ROWS[name].content_frames == 1 else CONTENT_FRAMES
    return data.measure(
        engine,
        pairs=settings.pairs,
        content_frames=content_frames,
        clips=settings.clips,
        seed=settings.seed,
        tell=tell,
    )


def _read_table(out: Path, settings: Mapping[str, Any]) -> Ablation:
    if not out.exists():
        return Ablation(settings, {})
    try:
        found = json.loads(out.read_text(encoding="utf-8"))
        table = Ablation(_fill_in(found["settings"]), {name: dict(found["rows"][name]) for name in found["rows"]})
    except (OSError, ValueError, KeyError, TypeError, BitpuppetError) as error:
        raise BitpuppetError(f"{out}: not a table of eval ablation ({error}); name another --out") from error
    if table.settings != settings:
        other = next(key for key in settings if table.settings.get(key) != settings[key])
        raise BitpuppetError(f"{out}: made with another budget ({other} differs); name another --out or remove it")
    return table


def _fill_in(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with what has been added to presets and recipes since, at its default, which changes nothing."""
    sizes, numbers = Preset.from_metadata(settings["preset"]), Recipe(**settings["recipe"])
    return settings | json.loads(json.dumps({"preset": sizes.to_metadata(), "recipe": numbers.to_metadata()}))  # type: ignore[no-any-return]


def _write_table(out: Path, table: Ablation) -> None:
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_text(json.dumps(table.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, out)
    except OSError as error:
        raise BitpuppetError(f"{out}: cannot be written ({error.strerror}); name another --out") from error


def _write(row: Mapping[str, Any], key: str, form: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if form == "±":
        return f"{100 * value:+.1f}±{100 * row[f'{key}_error']:.1f}"
    return f"{100 * value:.1f}" if form == "%" else form.format(value)
