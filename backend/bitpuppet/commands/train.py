"""`bitpuppet train`: how the shipped weights were made."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from bitpuppet.model.codec import Codec
    from bitpuppet.model.preset import Preset
    from bitpuppet.training.loop import BatchSource
    from bitpuppet.training.recipe import Recipe


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
        Path | None, typer.Option(help="The data folder (default: BITPUPPET_DATA); for paper a folder of clips.")
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
    seed: Annotated[int | None, typer.Option(help="Of weights, data and noise.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one for each core.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    start_from: Annotated[Path | None, typer.Option(help="A weights file to begin with, instead of chance.")] = None,
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
        Path | None, typer.Option(help="For paper: folder of a diffusers AutoencoderKL with safetensors.")
    ] = None,
    background: Annotated[str, typer.Option(help="For paper: black or white, under transparent pixels.")] = "black",
    compile_model: Annotated[
        bool, typer.Option("--compile", help="Compile first: a minute or two, then faster.")
    ] = False,
    cpu: Annotated[bool, typer.Option(help="Stay on the CPU.")] = False,
) -> None:
    """Train a preset by cross-driving. Ctrl-C saves a checkpoint; --resume goes on from it, bit for bit."""
    options.hush_libraries()
    for name, value in (("--steps", steps), ("--pairs", pairs), ("--threads", threads)):
        if value is not None and value < 1:
            raise BitpuppetError(f"{name} is {value}, it must be 1 or more; change it")
    if seed is not None and seed < 0:
        raise BitpuppetError(f"--seed is {seed}, it must be 0 or more; change it")
    if resume and start_from is not None:
        raise typer.BadParameter("--resume and --start-from exclude each other; use one of them")
    if base is None and (minutes is not None or rank or keep_motion):
        raise typer.BadParameter("--minutes, --rank and --keep-motion are for fine-tuning; name the base with --from")
    if base is not None:
        if start_from is not None or temporal or codec is not None or compile_model or learn != "all":
            raise typer.BadParameter(
                "--start-from, --temporal, --learn, --codec and --compile do not go with --from; leave them out"
            )
        _fine_tune(
            base, preset, out, minutes, steps, pairs, seed, rank, keep_motion, data, puppets_only, resume, cpu, threads
        )
        return
    from bitpuppet.model.preset import find_preset

    sizes = find_preset(preset)
    _check_codec(sizes, data, codec, background, puppets_only)
    import torch

    from bitpuppet.model.weights import save_weights
    from bitpuppet.training.loop import Progress, Trainer
    from bitpuppet.training.samples import draw_samples

    if threads is not None:
        torch.set_num_threads(threads)
    if codec is not None and data is not None:
        work = _open_clips(sizes, data, codec, background, seed or 0, temporal)
    else:
        work = _open_mixture(sizes, data, seed or 0, temporal, puppets_only)
    recipe = replace(work.recipe, steps=steps or work.recipe.steps, pairs=pairs or work.recipe.pairs, seed=seed or 0)
    recipe = replace(recipe, learns=learn)
    trainer = Trainer(sizes, recipe, work.source, out, codec=work.codec, compile_model=compile_model, cpu=cpu)
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
            draws = work.codec is None and learn != "motion"  # samples are puppets
            trainer.run(watch, draw_samples=draw_samples if draws else None)
        finally:
            made_by = {"steps": str(trainer.step), "data": work.made_of}
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


def _check_codec(sizes: Preset, data: Path | None, codec: Path | None, background: str, puppets_only: bool) -> None:
    """Refuse what does not go together before seconds go into imports."""
    if background not in ("black", "white"):
        raise typer.BadParameter(f"--background is {background!r}, it must be black or white")
    if sizes.codec != "latent":
        if codec is not None:
            raise BitpuppetError(f"--codec: preset {sizes.name} works on pixels and has no codec folder; leave it out")
        return
    if codec is None:
        raise BitpuppetError(
            f"preset {sizes.name} works on the latents of an image autoencoder; name its folder with --codec"
        )
    if data is None or puppets_only:
        raise BitpuppetError(
            f"preset {sizes.name} learns from clips; name a folder of them with --data, without --puppets-only"
        )


class _Work(NamedTuple):
    """What a run works with."""

    source: BatchSource
    recipe: Recipe
    made_of: str
    """The data, for the header of the weights."""
    codec: Codec | None = None


def _open_mixture(sizes: Preset, data: Path | None, seed: int, temporal: bool, puppets_only: bool) -> _Work:
    from bitpuppet.data.folder import require_data
    from bitpuppet.data.mixture import make_mixture
    from bitpuppet.training.recipe import Recipe

    folder = None if puppets_only else data or require_data(f"training {sizes.name}")
    source = make_mixture(folder, sizes.canvas, seed=seed, puppets_only=puppets_only)
    made_of = "puppets" if puppets_only else "LPC, Sprites training, puppets"
    return _Work(source, Recipe(temporal=temporal), made_of)


def _open_clips(sizes: Preset, data: Path, codec: Path, background: str, seed: int, temporal: bool) -> _Work:
    from bitpuppet.data.clips import ClipFolder
    from bitpuppet.model.latent_codec import LatentCodec
    from bitpuppet.training.recipe import make_paper_recipe

    clips = ClipFolder(data, sizes.canvas, sizes.clip_frames, seed=seed)
    if clips.left_out:
        print(
            f"{data}: {len(clips.left_out)} of {len(clips.left_out) + len(clips)} clips are shorter than "
            f"{sizes.clip_frames} frames and left out",
            file=sys.stderr,
        )
    devices = int(os.environ.get("WORLD_SIZE", "1"))  # what torchrun and accelerate tell every process
    recipe = make_paper_recipe(sizes, len(clips), devices, temporal=temporal)
    loaded = LatentCodec.load(codec, sizes, background="white" if background == "white" else "black")
    return _Work(clips, recipe, "clips", loaded)
