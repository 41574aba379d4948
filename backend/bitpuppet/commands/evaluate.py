"""`bitpuppet eval ...`: measure the model against true targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import ablation, bounds, custom, extension, footage, options, pixels, probes

app = typer.Typer(help="Measure the model against true targets.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure the model against true targets."""


@app.command("sprites")
def sprites(
    pairs: Annotated[int, typer.Option(help="Random pairs of the 296 test characters.")] = 296,
    content_frames: Annotated[int, typer.Option(help="Frames of the character that the model sees, 1 to 64.")] = 8,
    held_out: Annotated[
        int, typer.Option(help="Pairs of held-out garments, and as many of held-out puppets; 0 for none.")
    ] = 96,
    sweep: Annotated[
        bool, typer.Option(help="Also at 1, 2, 4, 8 steps and with 1, 4, 8, 32, 64 content frames.")
    ] = False,
    pictures: Annotated[Path | None, typer.Option(help="A folder for the best, median and worst pairs.")] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Retarget random pairs of the Sprites benchmark's test characters and compare with the true frames.

    The first run trains the judge, a small classifier, on the training characters, and keeps it.
    """
    options.check_model(preset, weights, device)
    options.hush_libraries()
    from rich.console import Console

    from bitpuppet.evaluation.command import run_eval_sprites

    with options.show_measuring() as watch:
        evaluation = run_eval_sprites(
            preset=preset,
            weights=weights,
            device=device,
            pairs=pairs,
            steps=steps,
            content_frames=content_frames,
            seed=seed,
            held_out=held_out,
            sweep=sweep,
            pictures=pictures,
            watch=watch,
        )
    if as_json:
        print(json.dumps(evaluation.to_json(), allow_nan=False))
    else:
        evaluation.print_tables(Console())


app.command("bounds")(bounds.bounds)
app.command("pixels")(pixels.pixels)
app.command("probes")(probes.probes)
app.command("ablation")(ablation.ablation)
app.command("extend")(extension.extension)
app.command("custom")(custom.custom)
app.command("render")(footage.render)
app.command("heads")(footage.heads)
