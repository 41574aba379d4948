"""`bitpuppet eval probes`: what leaks from content into motion tokens, and the other way."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bitpuppet.commands import options


def probes(
    clips: Annotated[int, typer.Option(help="Clips of each training character to learn from, 1 to 9.")] = 2,
    test_clips: Annotated[int, typer.Option(help="Clips of each of the 296 test characters, 1 to 9.")] = 3,
    seed: options.Seed = 0,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Read attributes from motion tokens and motion from content, by small classifiers, against chance.

    A probe sees one clip of 8 frames: its motion tokens as one-hot vectors, or the content found in it.
    """
    from bitpuppet.data.folder import require_data

    data = require_data("eval probes", "sprites")
    engine, _ = options.load_engine(preset, weights, device)
    from bitpuppet.data.benchmark import Benchmark
    from bitpuppet.evaluation.probes import EngineReader, probe_leakage

    with options.progress_bar() as progress:
        task = progress.add_task("reading", total=None, note="")

        def watch(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=f"{done} of {total}")

        leakage = probe_leakage(
            EngineReader(engine),
            Benchmark(data / "sprites"),
            clips=clips,
            test_clips=test_clips,
            seed=seed,
            settings={"preset": preset},
            watch=watch,
        )
    if as_json:
        print(json.dumps(leakage.to_json(), allow_nan=False))
        return
    from rich.console import Console

    Console().print(leakage.to_table())
