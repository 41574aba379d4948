"""`bitpuppet eval bounds`: how much of what is asked for the content frames show at all."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bitpuppet.commands import options


def bounds(
    pairs: Annotated[int, typer.Option(help="Random pairs of the 296 test characters of Sprites.")] = 96,
    held_out: Annotated[
        int, typer.Option(help="Pairs of held-out garments, and as many of held-out puppets; 0 for none.")
    ] = 96,
    content_frames: Annotated[int, typer.Option(help="Frames of the character that are shown, 1 to 64.")] = 8,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Look for each target in the content frames, without any model: what is found there could be copied."""
    from rich.console import Console

    from bitpuppet.evaluation.bounds import run_eval_bounds, tabulate_bounds

    with options.show_measuring() as watch:
        reports = run_eval_bounds(pairs=pairs, held_out=held_out, content_frames=content_frames, seed=seed, watch=watch)
    if as_json:
        print(json.dumps({"reports": [report.to_json() for report in reports]}, allow_nan=False))
    else:
        Console().print(tabulate_bounds(reports))
