"""`bitpuppet train`: how the shipped weights were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError


def train(
    preset: Annotated[str, typer.Argument(help="The preset to train, such as sprite64.")],
    data: Annotated[Path | None, typer.Option(help="The data folder. Default: BITPUPPET_DATA.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, metrics, samples, weights.")] = Path("run"),
    steps: Annotated[int | None, typer.Option(help="Length of the run in steps. Default: the recipe's.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Characters in a step, on each device.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, data and noise.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one for each core.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    start_from: Annotated[Path | None, typer.Option(help="A weights file to begin with, instead of chance.")] = None,
    puppets_only: Annotated[bool, typer.Option(help="Train on puppets alone, which needs no data folder.")] = False,
    compile_model: Annotated[
        bool, typer.Option("--compile", help="Compile first: a minute or two, then faster.")
    ] = False,
    cpu: Annotated[bool, typer.Option(help="Stay on the CPU.")] = False,
) -> None:
    """Train a preset by cross-driving. Ctrl-C saves a checkpoint; --resume goes on from it, bit for bit."""
    options.hush_libraries()
    from bitpuppet.model.preset import find_preset

    sizes = find_preset(preset)
    for name, value in (("--steps", steps), ("--pairs", pairs), ("--threads", threads)):
        if value is not None and value < 1:
            raise BitpuppetError(f"{name} is {value}, it must be 1 or more; change it")
    import torch

    from bitpuppet.data.folder import require_data
    from bitpuppet.data.mixture import make_mixture
    from bitpuppet.model.weights import save_weights
    from bitpuppet.training.loop import Progress, Trainer
    from bitpuppet.training.recipe import Recipe
    from bitpuppet.training.samples import draw_samples

    if threads is not None:
        torch.set_num_threads(threads)
    recipe = Recipe()
    recipe = replace(
        recipe,
        steps=steps or recipe.steps,
        pairs=pairs or recipe.pairs,
        seed=recipe.seed if seed is None else seed,
    )
    folder = None if puppets_only else data or require_data("training sprite64")
    mixture = make_mixture(folder, sizes.canvas, seed=recipe.seed, puppets_only=puppets_only)
    trainer = Trainer(sizes, recipe, mixture, out, compile_model=compile_model, cpu=cpu)
    if resume and start_from is not None:
        raise typer.BadParameter("--resume and --start-from exclude each other; use one of them")
    if resume:
        trainer.resume()
    elif trainer.checkpoint_file.exists():
        raise BitpuppetError(f"{out}: there is a run in this folder; add --resume, or choose another --out")
    elif start_from is not None:
        trainer.start_from(start_from)
    with options.progress_bar() as bar:
        task = bar.add_task(f"training {preset}", total=recipe.steps, completed=trainer.step, note="")

        def watch(progress: Progress) -> None:
            measures = progress.measures
            note = (
                f"loss {measures['loss']:.4f}, {measures['bits_hard']:.1f} bits, {progress.seconds_per_step:.2f} s/step"
            )
            bar.update(task, completed=progress.step, note=note)

        try:
            trainer.run(watch, draw_samples=draw_samples)
        finally:
            made_by = {
                "steps": str(trainer.step),
                "data": "puppets" if puppets_only else "LPC, Sprites training, puppets",
            }
            if trainer.accelerator.is_main_process:
                state = trainer.averaged_model().state_dict()
                save_weights(out / f"{preset}.safetensors", state, sizes, made_by)
    print(f"{out / f'{preset}.safetensors'}: weights after {trainer.step} steps")
