"""`bitpuppet train`: how the shipped weights were made."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from bitpuppet.commands import options
from bitpuppet.commands.train_data import DataOptions, check_options, open_work
from bitpuppet.errors import BitpuppetError


def train(
    preset: Annotated[
        str, typer.Argument(help="The preset to train, such as sprite64; with --from the character set.")
    ],
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Fine-tune on a character set: the preset or the weights file to begin with, such as sprite64.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The data folder (default: BITPUPPET_DATA); for paper a folder of clips, for heads of videos, for "
            "render64 of rendered characters."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, metrics, samples, weights.")] = Path("run"),
    steps: Annotated[int | None, typer.Option(help="Length of the run in steps. Default: the recipe's.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="With --from: about how long the run takes. Default: 30.")
    ] = None,
    rank: Annotated[int, typer.Option(help="With --from: rank of the changes to matrices; 0 trains all.")] = 0,
    keep_motion: Annotated[
        bool, typer.Option("--keep-motion", help="With --from: leave the motion reader exactly as it is.")
    ] = False,
    pairs: Annotated[int | None, typer.Option(help="Characters in a step, on each device.")] = None,
    rates: Annotated[
        float,
        typer.Option(
            help="Factor of the recipe's learning rates: 0.1 where trained weights go on with --start-from. Give it "
            "again with --resume."
        ),
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Of weights, data and noise.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one for each core.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    start_from: Annotated[
        Path | None, typer.Option(help="Weights to begin with, as far as they fit; how much that is, is said.")
    ] = None,
    temporal: Annotated[
        bool, typer.Option("--temporal", help="The second stage, with temporal layers; begin it with --start-from.")
    ] = False,
    learn: Annotated[
        Literal["all", "motion", "frames"],
        typer.Option(
            help="What: all, or in two runs first motion, its tokens alone by agreement, then frames, all else."
        ),
    ] = "all",
    puppets_only: Annotated[bool, typer.Option(help="Train on puppets alone, which needs no data folder.")] = False,
    codec: Annotated[
        Path | None,
        typer.Option(
            help="For paper and heads: the image autoencoder, a folder or a name on the Hugging Face hub, of which its "
            "local cache has a copy."
        ),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Ask the hub for a --codec that is not there.")] = False,
    latents: Annotated[
        Path | None, typer.Option(help="Where the codec's latents of the clips are kept. Default: the user's cache.")
    ] = None,
    bits: Annotated[float | None, typer.Option(help="Target of the bitrate, per frame. Default: the preset's.")] = None,
    background: Annotated[
        str, typer.Option(help="For paper and heads: black or white, under transparent pixels.")
    ] = "black",
    compile_model: Annotated[
        bool, typer.Option("--compile", help="Compile first: a minute or two, then faster.")
    ] = False,
    cpu: Annotated[bool, typer.Option(help="Stay on the CPU.")] = False,
) -> None:
    """Train a preset by cross-driving. Ctrl-C saves a checkpoint; --resume goes on from it, bit for bit."""
    if download:
        os.environ["HF_HUB_OFFLINE"] = "0"
    options.hush_libraries()
    for name, value in (("--steps", steps), ("--pairs", pairs), ("--threads", threads)):
        if value is not None and value < 1:
            raise BitpuppetError(f"{name} is {value}, it must be 1 or more; change it")
    if not 0 < rates <= 10:
        raise BitpuppetError(f"--rates is {rates}, it must be above 0, and at most 10; change it")
    if seed is not None and seed < 0:
        raise BitpuppetError(f"--seed is {seed}, it must be 0 or more; change it")
    if resume and start_from is not None:
        raise typer.BadParameter("--resume and --start-from exclude each other; use one of them")
    if base is None and (minutes is not None or rank or keep_motion):
        raise typer.BadParameter("--minutes, --rank and --keep-motion are for fine-tuning; name the base with --from")
    if base is not None:
        given = (start_from, codec, bits)
        if temporal or compile_model or learn != "all" or rates != 1 or any(value is not None for value in given):
            raise typer.BadParameter(
                "--start-from, --temporal, --learn, --codec, --bits, --rates and --compile do not go with --from; "
                "leave them out"
            )
        _fine_tune(
            base, preset, out, minutes, steps, pairs, seed, rank, keep_motion, data, puppets_only, resume, cpu, threads
        )
        return
    from bitpuppet.model.preset import find_preset

    sizes = find_preset(preset)
    if bits is not None:
        sizes = replace(sizes, bits_per_frame=bits)
    asked = DataOptions(data, codec, download, latents, background, puppets_only, seed or 0, temporal, learn)
    asked = check_options(sizes, asked)
    import torch

    from bitpuppet.model.weights import save_weights
    from bitpuppet.training.loop import Progress, Trainer
    from bitpuppet.training.samples import draw_samples

    if threads is not None:
        torch.set_num_threads(threads)
    with options.show_measuring() as watch_reading:
        work = open_work(sizes, asked, watch_reading)
    recipe = work.recipe.scale_rates(rates)
    recipe = replace(recipe, steps=steps or recipe.steps, pairs=pairs or recipe.pairs, seed=seed or 0, learns=learn)
    trainer = Trainer(sizes, recipe, work.source, out, codec=work.codec, compile_model=compile_model, cpu=cpu)
    if resume:
        trainer.resume()
    elif trainer.checkpoint_file.exists():
        raise BitpuppetError(f"{out}: there is a run in this folder; add --resume, or choose another --out")
    elif start_from is not None:
        share = trainer.start_from(start_from)
        print(f"{start_from}: {share:.1%} of the values of {preset}" + (", the others begin anew" if share < 1 else ""))
    with options.progress_bar() as bar:
        task = bar.add_task(f"training {preset}", total=recipe.steps, completed=trainer.step, note="")

        def watch(progress: Progress) -> None:
            measures = progress.measures
            rate = f"{measures['bits_hard']:.1f} bits"
            if sizes.fps:
                rate += f" ({sizes.count_kbits(measures['bits_hard']):.2f} kbit/s)"
            note = f"loss {measures['loss']:.4f}, {rate}, {progress.seconds_per_step:.2f} s/step"
            bar.update(task, completed=progress.step, note=note)

        try:
            draws = sizes.head == "palette" and learn != "motion"  # samples are puppets
            trainer.run(watch, draw_samples=draw_samples if draws else None)
        finally:
            made_by = {"steps": str(trainer.step), "data": work.made_of}
            if work.codec is not None:
                made_by["codec"] = work.codec.fingerprint
            if trainer.accelerator.is_main_process:
                state = trainer.averaged_model().state_dict()
                save_weights(out / f"{preset}.safetensors", state, sizes, made_by)
    print(f"{out / f'{preset}.safetensors'}: weights after {trainer.step} steps")


def _fine_tune(
    base: str,
    characters: str,
    out: Path,
    minutes: float | None,
    steps: int | None,
    pairs: int | None,
    seed: int | None,
    rank: int,
    keep_motion: bool,
    data: Path | None,
    puppets_only: bool,
    resume: bool,
    cpu: bool,
    threads: int | None,
) -> None:
    from bitpuppet.commands.fine_tune import Request, fine_tune
    from bitpuppet.training.tuning_recipe import TuningRecipe

    recipe = TuningRecipe(
        minutes=TuningRecipe.minutes if minutes is None else minutes,
        steps=steps,
        pairs=pairs or TuningRecipe.pairs,
        rank=rank,
        motion=not keep_motion,
        seed=seed or 0,
    )
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    fine_tune(Request(base, Path(characters), out, recipe, data, puppets_only, resume, "cpu" if cpu else None))
