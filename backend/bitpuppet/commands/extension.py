"""`bitpuppet eval extend`: do animations go on as they were, and do loops close?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bitpuppet.commands import options


def extension(
    clips: Annotated[
        int, typer.Option(help="Animations of test characters, of held-out garments and of held-out puppets, each.")
    ] = 90,
    frames: Annotated[int, typer.Option(help="New frames of each.")] = 32,
    temperature: Annotated[float | None, typer.Option(help="As in extend.")] = None,
    top_p: Annotated[float | None, typer.Option(help="As in extend.")] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    prior: options.Prior = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Extend animations that training never showed; the judge says whether it is still the same motion.

    Loops are judged by their seam. Figures are those of the product, in which a new frame in a pose of a given frame is
    that frame again, and those of a run in which the model draws every new frame.
    """
    from bitpuppet.jobs.continuation import DEFAULT_TEMPERATURE, DEFAULT_TOP_P, ExtendSettings

    with options.bad_usage():
        settings = ExtendSettings(
            frames,
            temperature=DEFAULT_TEMPERATURE if temperature is None else temperature,
            top_p=DEFAULT_TOP_P if top_p is None else top_p,
            seed=seed,
            steps=steps,
        )
    options.check_model(preset, weights, device)
    options.check_weights("--prior", prior)
    options.hush_libraries()
    from rich.console import Console

    from bitpuppet.evaluation.extension import run_eval_extend

    with options.show_measuring() as watch:
        reports = run_eval_extend(
            preset=preset, weights=weights, prior=prior, device=device, clips=clips, settings=settings, watch=watch
        )
    if as_json:
        print(json.dumps({"reports": [report.to_json() for report in reports]}, allow_nan=False))
    else:
        console = Console()
        for report in reports:
            console.print(report.to_table())
