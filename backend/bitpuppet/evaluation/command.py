"""`bitpuppet eval sprites`: all sets, the sweep and the pictures in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.data.folder import require_data
from bitpuppet.evaluation.judge import Judge, Watch
from bitpuppet.evaluation.judge_cache import open_judge
from bitpuppet.evaluation.pictures import make_folder
from bitpuppet.evaluation.report import Report, tabulate_sweep
from bitpuppet.evaluation.retargeting import (
    HeldOut,
    Retargeter,
    evaluate_held_out,
    evaluate_sprites,
    make_held_out,
)
from bitpuppet.evaluation.swaps import SpriteSwaps, check_content_frames, check_held_out, check_pairs

if TYPE_CHECKING:
    from rich.console import Console

SWEEP_STEPS = (1, 2, 4, 8)
SWEEP_CONTENT = (1, 4, 8, 32, 64)
_HELD_OUT: tuple[HeldOut, ...] = ("garments", "puppets")


@dataclass(frozen=True)
class Evaluation:
    """What one run of the command found."""

    reports: tuple[Report, ...]
    """Test characters of the benchmark first, then held-out garments and held-out puppets if they were asked for."""
    sweep: tuple[Report, ...] = ()
    """The benchmark under other numbers of steps and of content frames."""
    sweep_held_out: tuple[Report, ...] = ()
    """Held-out garments, then held-out puppets, under other numbers of content frames."""
    pictures: tuple[Path, ...] = ()
    """Contact sheets that were written."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; every number is finite."""
        values: dict[str, Any] = {"reports": [report.to_json() for report in self.reports]}
        if self.sweep:
            values["sweep"] = [report.to_json() for report in self.sweep]
        if self.sweep_held_out:
            values["sweep_held_out"] = [report.to_json() for report in self.sweep_held_out]
        if self.pictures:
            values["pictures"] = [str(file) for file in self.pictures]
        return values

    def print_tables(self, console: Console) -> None:
        """Print for people."""
        for report in self.reports:
            console.print(report.to_table())
        if self.sweep:
            console.print(tabulate_sweep(self.sweep))
        for kind in _HELD_OUT:
            if shown := [report for report in self.sweep_held_out if report.name == kind]:
                console.print(tabulate_sweep(shown))
        for file in self.pictures:
            console.print(str(file), soft_wrap=True)


def run_eval_sprites(
    *,
    preset: str = "sprite64",
    weights: Path | None = None,
    device: str | None = None,
    pairs: int = 296,
    steps: int | None = None,
    content_frames: int = 8,
    seed: int = 0,
    held_out: int = 96,
    sweep: bool = False,
    pictures: Path | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Evaluate weights.

    Args:
        preset: which model.
        weights: a weights file; None for the shipped ones.
        device: None for the best.
        pairs: of test characters, 1 or more.
        steps: sampling steps; None for the preset's.
        content_frames: frames of A that the model sees, 1..64.
        seed: 0 or more.
        held_out: pairs of held-out garments and as many of held-out puppets; 0 for none.
        sweep: also measure the test characters at 1, 2, 4, 8 steps, and all with 1, 4, 8, 32, 64 content frames.
        pictures: a folder for contact sheets of the best, median and worst pairs.
        watch: told how far the work is (for stderr); what it raises cancels it.

    Raises:
        BitpuppetError: there is no data folder, the weights cannot be used, a setting is out of range.
    """
    check_pairs(pairs, seed)
    check_content_frames(content_frames)
    check_held_out(held_out)
    make_folder(pictures)
    data = require_data("eval sprites", *(("sprites", "lpc") if held_out else ("sprites",)))
    from bitpuppet.jobs.engine import Engine  # late: what is wrong with the settings is said before torch is loaded

    engine = Engine.load(preset, weights, device)
    judge = open_judge(Benchmark(data / "sprites"), watch=watch)
    return evaluate_all(
        engine,
        data,
        judge,
        pairs=pairs,
        steps=steps,
        content_frames=content_frames,
        seed=seed,
        held_out=held_out,
        sweep_steps=SWEEP_STEPS if sweep else (),
        sweep_content=SWEEP_CONTENT if sweep else (),
        pictures=pictures,
        watch=watch,
    )


def evaluate_all(
    engine: Retargeter,
    data: Path,
    judge: Judge,
    *,
    pairs: int = 296,
    steps: int | None = None,
    content_frames: int = 8,
    seed: int = 0,
    held_out: int = 96,
    sweep_steps: Sequence[int] = (),
    sweep_content: Sequence[int] = (),
    pictures: Path | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """All that `run_eval_sprites` measures, without printing.

    Args:
        engine: what is measured.
        data: the data folder.
        judge: for the test characters.
        sweep_steps: measure the test characters again with each of these steps.
        sweep_content: measure all sets again with each of these numbers of content frames.
        pairs: as all others, see `run_eval_sprites`.
        steps: see there.
        content_frames: see there.
        seed: see there.
        held_out: see there.
        pictures: see there.
        watch: see there.
    """

    def measure(steps: int | None, content_frames: int) -> Report:
        return evaluate_sprites(
            engine,
            data,
            pairs=pairs,
            seed=seed,
            steps=steps,
            content_frames=content_frames,
            judge=judge,
            watch=watch,
        )

    def measure_held_out(kind: HeldOut, content_frames: int) -> Report:
        return evaluate_held_out(
            engine,
            data,
            kind,
            pairs=held_out,
            seed=seed,
            steps=steps,
            content_frames=content_frames,
            watch=watch,
        )

    used = engine.preset.steps if steps is None else steps
    done = {(used, content_frames): measure(used, content_frames)}
    reports = [done[used, content_frames]]
    files: list[Path] = []
    if pictures is not None:
        swaps = SpriteSwaps(Benchmark(data / "sprites"), pairs, seed=seed, content_frames=content_frames)
        files += reports[0].write_pictures(swaps, pictures)
    kinds = _HELD_OUT if held_out else ()
    for kind in kinds:
        report = measure_held_out(kind, content_frames)
        reports.append(report)
        if pictures is not None:
            others = make_held_out(engine, data, kind, pairs=held_out, seed=seed, content_frames=content_frames)
            files += report.write_pictures(others, pictures)
    settings = [(count, content_frames) for count in sweep_steps] + [(used, count) for count in sweep_content]
    for setting in settings:
        if setting not in done:
            done[setting] = measure(*setting)
    sweep = tuple(done[setting] for setting in dict.fromkeys(settings))
    usual = dict(zip(kinds, reports[1:], strict=True))
    swept = tuple(
        usual[kind] if count == content_frames else measure_held_out(kind, count)
        for kind in kinds
        for count in dict.fromkeys(sweep_content)
    )
    return Evaluation(tuple(reports), sweep, swept, tuple(files))
