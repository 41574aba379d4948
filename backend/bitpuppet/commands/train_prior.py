"""`bitpuppet train-prior`: how the shipped motion prior was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError


def train_prior(
    preset: Annotated[str, typer.Argument(help="The preset whose motion tokens it learns, such as sprite64.")],
    out: Annotated[Path, typer.Option(help="The weights file to write; it ends in .safetensors.")],
    data: Annotated[Path | None, typer.Option(help="The data folder. Default: BITPUPPET_DATA.")] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the training in steps. Default: the recipe's.")] = None,
    characters: Annotated[
        float, typer.Option(help="How many characters to look at, as a multiple of the recipe's numbers.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of characters, weights and sequences.")] = 0,
    puppets_only: Annotated[bool, typer.Option(help="Learn from puppets alone, which needs no data folder.")] = False,
    weights: options.Weights = None,
    device: options.Device = None,
) -> None:
    """Train the motion prior, which continues animations, on the motion tokens of a preset's weights.

    It takes minutes. A new prior is needed after each training of the preset, since its codewords then mean other
    poses. Ctrl-C stops it and writes nothing.
    """
    for name, value, low in (("--steps", steps, 1), ("--seed", seed, 0)):
        if value is not None and value < low:
            raise BitpuppetError(f"{name} is {value}, it must be {low} or more; change it")
    if not 0 < characters <= 100:
        raise BitpuppetError(f"--characters is {characters}, it must be above 0 and at most 100; change it")
    options.check_model(preset, weights, device)
    from bitpuppet.sprites.writer import check_path

    check_path(out, (".safetensors",))
    folder = None
    if not puppets_only:
        from bitpuppet.data.folder import require_data

        folder = data or require_data("train-prior", "sprites", "lpc")
    with options.progress_bar() as progress:
        task = progress.add_task("loading the model", total=None, note="")
        engine, _ = options.load_engine(preset, weights, device)
        from bitpuppet.training.prior import PriorRecipe, run_train_prior

        recipe = PriorRecipe(seed=seed).scale(characters)
        recipe = recipe if steps is None else replace(recipe, steps=steps)

        def watch(stage: str, done: int, total: int | None, note: str) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=note)

        bits = run_train_prior(engine, folder, recipe, out, watch)
    print(f"{options.make_printable(out)}: a motion prior after {recipe.steps} steps, {bits:.2f} bits per frame")
