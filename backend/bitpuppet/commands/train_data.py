"""What a training run works with: the data of each preset, its recipe and its codec."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bitpuppet.data.mixture import Mixture
    from bitpuppet.model.latent_codec import LatentCodec
    from bitpuppet.model.preset import Preset
    from bitpuppet.training.loop import BatchSource
    from bitpuppet.training.recipe import Recipe

    Watch = Callable[[str, int, int], None]

RENDERED, HEADS = "render64", "heads"
"""Presets with data of their own. Of the others those with a codec learn from clips, all the rest from sprites."""


@dataclass(frozen=True)
class DataOptions:
    """What the command line says about the data; the names are its long options."""

    data: Path | None = None
    codec: Path | None = None
    download: bool = False
    latents: Path | None = None
    background: str = "black"
    puppets_only: bool = False
    seed: int = 0
    temporal: bool = False
    learn: Literal["all", "motion", "frames"] = "all"


class Work(NamedTuple):
    """What a run works with."""

    source: BatchSource
    recipe: Recipe
    made_of: str
    """The data, for the header of the weights."""
    codec: LatentCodec | None = None


def check_options(sizes: Preset, options: DataOptions) -> DataOptions:
    """Refuse what does not go together before seconds go into imports; fill in the codec where it can be found."""
    from bitpuppet.data.folder import CODEC_VARIABLE, find_codec

    if options.background not in ("black", "white"):
        raise typer.BadParameter(f"--background is {options.background!r}, it must be black or white")
    if options.puppets_only and (sizes.codec == "latent" or sizes.name == RENDERED):
        kind = "rendered characters" if sizes.name == RENDERED else "clips"
        raise BitpuppetError(
            f"preset {sizes.name} learns from {kind}; name a folder of them with --data, without --puppets-only"
        )
    if sizes.codec != "latent":
        if options.codec is not None:
            raise BitpuppetError(f"--codec: preset {sizes.name} works on pixels and has no codec folder; leave it out")
        return options
    codec = options.codec or (find_codec() if sizes.name == HEADS else None)
    if codec is None:
        variable = f" or {CODEC_VARIABLE}" if sizes.name == HEADS else ""
        raise BitpuppetError(
            f"preset {sizes.name} works on the latents of an image autoencoder; name its folder with --codec{variable}"
        )
    if options.data is None and sizes.name != HEADS:
        raise BitpuppetError(f"preset {sizes.name} learns from clips; name a folder of them with --data")
    return replace(options, codec=codec)


def open_work(sizes: Preset, options: DataOptions, watch: Watch) -> Work:
    """Open what a preset learns from. `watch` is told how far reading is, where that takes long.

    Raises:
        BitpuppetError: the data or the codec cannot be used.
    """
    if sizes.codec == "latent":
        return _open_heads(sizes, options, watch) if sizes.name == HEADS else _open_clips(sizes, options)
    return _open_rendered(sizes, options) if sizes.name == RENDERED else _open_mixture(sizes, options)


def _open_mixture(sizes: Preset, options: DataOptions) -> Work:
    from bitpuppet.data.folder import require_data
    from bitpuppet.data.mixture import make_mixture
    from bitpuppet.training.recipe import Recipe

    folder = None if options.puppets_only else options.data or require_data(f"training {sizes.name}")
    source = make_mixture(folder, sizes.canvas, seed=options.seed, puppets_only=options.puppets_only)
    made_of = "puppets" if options.puppets_only else "LPC, Sprites training, puppets"
    return _choose_lesson(source, Recipe(temporal=options.temporal), made_of, options.learn)


def _open_rendered(sizes: Preset, options: DataOptions) -> Work:
    from bitpuppet.data.rendered import make_rendered_mixture
    from bitpuppet.training.recipe import make_rendered_recipe

    if options.data is None:
        raise BitpuppetError(
            f"preset {sizes.name} learns from rendered characters; make some with tools/render_characters.py, and name "
            "their folder with --data"
        )
    source = make_rendered_mixture(options.data, sizes.canvas, seed=options.seed)
    return _choose_lesson(source, make_rendered_recipe(temporal=options.temporal), "rendered characters", options.learn)


def _choose_lesson(mixture: Mixture, recipe: Recipe, made_of: str, learn: str) -> Work:
    """A mixture's scenes with their recipe, or its duets where motion tokens learn alone."""
    from bitpuppet.data.duets import Duets
    from bitpuppet.training.recipe import make_tokens_recipe

    return Work(Duets(mixture), make_tokens_recipe(), made_of) if learn == "motion" else Work(mixture, recipe, made_of)


def _open_clips(sizes: Preset, options: DataOptions) -> Work:
    from bitpuppet.data.clips import ClipFolder
    from bitpuppet.training.latents import LatentCache
    from bitpuppet.training.recipe import make_paper_recipe

    assert options.data is not None
    codec = _load_codec(sizes, options)
    convert = LatentCache(codec, options.latents)
    clips = ClipFolder(options.data, sizes.canvas, sizes.clip_frames, seed=options.seed, convert=convert)
    if clips.left_out:
        print(
            f"{options.data}: {len(clips.left_out)} of {len(clips.left_out) + len(clips)} clips are shorter than "
            f"{sizes.clip_frames} frames and left out",
            file=sys.stderr,
        )
    devices = int(os.environ.get("WORLD_SIZE", "1"))  # what torchrun and accelerate tell every process
    recipe = make_paper_recipe(sizes, len(clips), devices, temporal=options.temporal)
    return Work(clips, recipe, "clips", codec)


def _open_heads(sizes: Preset, options: DataOptions, watch: Watch) -> Work:
    from bitpuppet.data.folder import require_data
    from bitpuppet.data.heads import LOOKS, SHARE_OTHER_CLIP, HeadSource, list_heads, split_heads
    from bitpuppet.training.latents import LatentCache
    from bitpuppet.training.recipe import make_heads_recipe

    folder = options.data or require_data(f"training {sizes.name}", "heads") / "heads"
    clips = split_heads(list_heads(folder)).training
    codec = _load_codec(sizes, options)
    convert = LatentCache(codec, options.latents)
    motion = options.learn == "motion"
    source = HeadSource(
        clips,
        sizes.canvas,
        seed=options.seed,
        convert=convert,
        share_other=0.0 if motion else SHARE_OTHER_CLIP,  # what differs from clip to clip is no motion
        looks=LOOKS if motion else 0,
    )
    source.prepare(watch)
    recipe = make_heads_recipe(sizes, temporal=options.temporal, learns=options.learn)
    people = len({clip.person for clip in clips})
    return Work(source, recipe, f"{people} people in clips", codec)


def _load_codec(sizes: Preset, options: DataOptions) -> LatentCodec:
    from bitpuppet.model.latent_codec import Background, LatentCodec

    assert options.codec is not None
    background: Background = "white" if options.background == "white" else "black"
    return LatentCodec.load(options.codec, sizes, background=background, download=options.download)
