"""`bitpuppet eval pixels`: what each step to exact pixels mends, and what it spoils."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bitpuppet.commands import options


def pixels(
    pairs: Annotated[int, typer.Option(help="Random pairs of the 296 test characters of Sprites.")] = 24,
    held_out: Annotated[
        int, typer.Option(help="Pairs of held-out garments, and as many of held-out puppets; 0 for none.")
    ] = 24,
    content_frames: Annotated[int, typer.Option(help="Frames of the character that the model sees, 1 to 64.")] = 8,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Draw random pairs once, take each step to exact pixels on them, and compare with the true frames.

    Also takes all steps on the true frames themselves, which must not change.
    """
    options.check_model(preset, weights, device)
    options.hush_libraries()
    from rich.console import Console

    from bitpuppet.evaluation.pixels import run_eval_pixels

    with options.show_measuring() as watch:
        reports = run_eval_pixels(
            preset=preset,
            weights=weights,
            device=device,
            pairs=pairs,
            held_out=held_out,
            steps=steps,
            content_frames=content_frames,
            seed=seed,
            watch=watch,
        )
    if as_json:
        print(json.dumps({"reports": [report.to_json() for report in reports]}, allow_nan=False))
    else:
        console = Console()
        for report in reports:
            console.print(report.to_table())
