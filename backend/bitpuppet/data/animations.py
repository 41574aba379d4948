"""Whole animations in time order, and how a game plays them on: what the motion prior learns from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import MOTIONS, Benchmark, split_characters
from bitpuppet.data.heads import HeadClip
from bitpuppet.data.lpc import Wardrobe
from bitpuppet.data.puppets import draw_clip, is_held_out, make_puppet
from bitpuppet.data.rendered import RenderedFolder
from bitpuppet.sprites import place_clip

LPC_WALK, LPC_FALL = range(8, 12), 20
"""Rows of an LPC sheet: walks, whose first frame stands still, and the fall from which nobody gets up."""
PUPPET_FRAMES = (4, 6, 8, 8, 8, 10, 12)
"""Lengths of puppets' animations; games differ in how many frames they draw of a walk."""
_PUPPET_SEEDS = 1 << 24


@dataclass(frozen=True)
class Animation:
    """One animation of one character."""

    name: str
    frames: NDArray[np.uint8]
    """Straight-alpha RGBA on the model's canvas, (T, canvas, canvas, 4)."""
    again: int | None = 0
    """The frame, 0..T-1, that follows the last one: 0 for a cycle and for a blow that is struck again and again. None
    where nobody knows, as of a video."""


def play(count: int, again: int | None, length: int, start: int = 0) -> NDArray[np.int64]:
    """Which of `count` frames a game shows at `length` ticks, from frame `start` on, when `again` follows the last.

    The last one stays where nobody knows what follows.
    """
    ticks, back = start + np.arange(length), count - 1 if again is None else again
    return np.where(ticks < count, ticks, back + (ticks - back) % (count - back)).astype(np.int64)


def draw_benchmark(
    root: Path, rng: np.random.Generator, characters: int, canvas: int, *, test: bool = False
) -> Iterator[Animation]:
    """All nine motions of random training (or test) characters of the Sprites benchmark; all of them are cycles."""
    benchmark, split = Benchmark(root), split_characters()[test]
    for number in rng.permutation(len(split))[:characters]:
        for motion, (action, view) in enumerate(MOTIONS):
            frames, _ = place_clip(benchmark.clip(split[int(number)], motion), canvas)
            yield Animation(f"{action} {view}", frames)


def draw_lpc(
    root: Path, rng: np.random.Generator, characters: int, canvas: int, *, held_out: bool = False
) -> Iterator[Animation]:
    """All rows of random LPC characters; `held_out` ones wear a garment that training never shows."""
    wardrobe = Wardrobe(root)
    for _ in range(characters):
        character = wardrobe.dress(rng, held_out=held_out)
        for row in character.rows:
            frames, _ = place_clip(wardrobe.clip(character, row), canvas)
            again = 1 if row in LPC_WALK else len(frames) - 1 if row == LPC_FALL else 0
            yield Animation(f"row {row}", frames, again)


def draw_puppets(
    rng: np.random.Generator, puppets: int, motions: int, canvas: int, *, held_out: bool = False
) -> Iterator[Animation]:
    """`motions` random motions of random puppets, in lengths as games have them."""
    for _ in range(puppets):
        puppet = make_puppet(int(rng.integers(_PUPPET_SEEDS)))
        while is_held_out(puppet.seed) != held_out or puppet.size > canvas:
            puppet = make_puppet(int(rng.integers(_PUPPET_SEEDS)))
        for number in rng.permutation(len(puppet.motions))[:motions]:
            motion = puppet.motions[int(number)]
            drawn = draw_clip(puppet, motion, int(rng.choice(PUPPET_FRAMES)))
            yield Animation(f"{motion.animation} {motion.direction}", place_clip(drawn, canvas)[0])


def draw_rendered(folder: RenderedFolder, canvas: int) -> Iterator[Animation]:
    """All motions of the rendered characters that training may show; all of them are cycles."""
    for name in folder.known:
        for number, (action, direction) in enumerate(folder.motions):
            yield Animation(f"{action} {direction}", place_clip(folder.read(name, number), canvas)[0])


def draw_heads(clips: Iterable[HeadClip], canvas: int) -> Iterator[Animation]:
    """Clips of talking heads, from which nobody knows how they go on."""
    for clip in clips:
        yield Animation(clip.path.stem, clip.cut(clip.read(canvas)), None)
