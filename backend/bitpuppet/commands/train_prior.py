"""`bitpuppet train-prior`: how the shipped motion prior was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.commands.train_data import HEADS, RENDERED
from bitpuppet.errors import BitpuppetError


def train_prior(
    preset: Annotated[str, typer.Argument(help="The preset whose motion tokens it learns, such as sprite64.")],
    out: Annotated[Path, typer.Option(help="The weights file to write; it ends in .safetensors.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="The data folder (default: BITPUPPET_DATA); for heads a folder of videos, for render64 one of "
            "rendered characters, as `train` takes them."
        ),
    ] = None,
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
    folder = _find_data(preset, data, puppets_only=puppets_only)
    with options.progress_bar() as progress:
        task = progress.add_task("loading the model", total=None, note="")
        engine, _ = options.load_engine(preset, weights, device)
        from bitpuppet.training.prior import PriorRecipe, run_train_prior, show_heads, show_rendered, show_sprites

        recipe = PriorRecipe(seed=seed).scale(characters)
        recipe = recipe if steps is None else replace(recipe, steps=steps)

        def watch(stage: str, done: int, total: int | None, note: str) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=note)

        canvas = engine.preset.canvas
        if folder is not None and preset == HEADS:
            shown = show_heads(folder, canvas)
        elif folder is not None and preset == RENDERED:
            shown = show_rendered(folder, canvas)
        else:
            shown = show_sprites(folder, canvas, recipe)
        bits = run_train_prior(engine, shown, recipe, out, watch)
    print(f"{options.make_printable(out)}: a motion prior after {recipe.steps} steps, {bits:.2f} bits per frame")


def _find_data(preset: str, data: Path | None, *, puppets_only: bool) -> Path | None:
    """The folder that a preset's prior learns from; None for puppets."""
    from bitpuppet.data.folder import require_data

    if preset == RENDERED and data is None:
        raise BitpuppetError(
            "train-prior render64 learns from rendered characters; make some with tools/render_characters.py, and name "
            "their folder with --data"
        )
    if preset in (RENDERED, HEADS):
        if puppets_only:
            raise BitpuppetError(f"--puppets-only: preset {preset} knows no puppets; leave it out")
        return data or require_data("train-prior", HEADS) / HEADS
    return None if puppets_only else data or require_data("train-prior", "sprites", "lpc")
