"""`bitpuppet eval custom`: train on some characters of a family, draw a new one, compare with the true frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError


def custom(
    families: Annotated[
        str | None, typer.Option(help="Families to measure, such as pixelfrog,tmw. Default: all of them.")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Training for each family, in minutes; 0 for none.")] = 30.0,
    data: Annotated[Path | None, typer.Option(help="The data folder. Default: BITPUPPET_DATA.")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder for the training runs. Default: they are removed.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for contact sheets.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one for each core.")] = None,
    puppets_only: Annotated[bool, typer.Option(help="Base data are puppets alone.")] = False,
    seed: options.Seed = 0,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Train on some characters of each family, give one animation of a new one, and predict its other animations.

    Beside the trained model stand the base weights without training, and a base line without a model: the training
    character that is most alike, recoloured to the new palette.
    """
    options.check_model(preset, weights, device)
    options.hush_libraries()
    if threads is not None and threads < 1:
        raise BitpuppetError(f"--threads is {threads}, it must be 1 or more; change it")
    from rich.console import Console

    from bitpuppet.evaluation.custom import run_eval_custom
    from bitpuppet.evaluation.families import FAMILIES

    names = FAMILIES if families is None else tuple(name.strip() for name in families.split(",") if name.strip())
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    with options.show_measuring() as watch:
        evaluation = run_eval_custom(
            families=names,
            minutes=minutes,
            preset=preset,
            weights=weights,
            device=device,
            data=data,
            runs=runs,
            pictures=pictures,
            seed=seed,
            puppets_only=puppets_only,
            watch=watch,
        )
    if as_json:
        print(json.dumps(evaluation.to_json(), allow_nan=False))
    else:
        Console().print(evaluation.to_table())
