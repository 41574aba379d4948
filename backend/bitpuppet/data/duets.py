"""Duets: two characters perform the same clips, which is what motion tokens are learnt from.

Scenes of cross-driving have a driver for one clip and a handful of other frames to tell it from. In a duet each of some
thirty frames has its counterpart and thirty frames that are not, whole animations and all directions among them, so
what tells a walk from a run, or a front from a back, is asked for in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.benchmark import MOTIONS
from bitpuppet.data.clips import pack_batch
from bitpuppet.data.lpc import row_cells
from bitpuppet.data.mixture import BenchmarkSource, LpcSource, Mixture, PairBatch, PuppetSource, Source
from bitpuppet.data.poses import name_benchmark, name_cells, name_puppet
from bitpuppet.data.puppets.poses import ANIMATIONS, DIRECTIONS
from bitpuppet.data.rendered import RenderedSource

Frames = NDArray[np.uint8]
Part = tuple[Frames, Frames, NDArray[np.int64]]
"""A clip of each of the two, and the names of what both show."""
_RECOLOURED = 0.4
"""Chance for each of the two; nobody's colours say which pose it is."""


class Duet(NamedTuple):
    """Clips of two characters in the same poses, frame by frame."""

    one: Frames
    """(T, canvas, canvas, 4)."""
    other: Frames
    """Of the same shape."""
    names: NDArray[np.int64]
    """(T, 2), see `poses`."""


class Duets:
    """Batches of duets from the sources of a mixture, by their shares: a `BatchSource`."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        """The batch of one step: motion and target (pairs, target_frames, ...) are the two, and content is none.

        The draw depends on seed and step alone; the other numbers are those of scenes and say nothing here.
        """
        rng = np.random.default_rng([self._mixture.seed, step])
        duets = [draw_duet(share.source, rng, step, target_frames) for share in self._mixture.choose(rng, pairs)]
        motion = np.stack([_recolour(duet.one, rng) for duet in duets])
        target = np.stack([_recolour(duet.other, rng) for duet in duets])
        batch = pack_batch(target[:, :0], target, motion=motion)
        return replace(batch, names=np.stack([duet.names for duet in duets]))


@singledispatch
def draw_duet(source: Source, rng: np.random.Generator, step: int, frames: int) -> Duet:
    """A duet of `frames` frames.

    Raises:
        TypeError: nothing is known of how this source makes two characters do the same.
    """
    raise TypeError(f"{type(source).__name__} has no duets")


@draw_duet.register
def _draw_puppets(source: PuppetSource, rng: np.random.Generator, step: int, frames: int) -> Duet:
    """Two puppets of one plan."""
    one, other = source.pick_two(rng, step)

    def perform(motion: int) -> Part:
        return source.clip(one.seed, motion), source.clip(other.seed, motion), name_puppet(one.motions[motion])

    return _draw_factorial(perform, rng, len(ANIMATIONS), len(DIRECTIONS), frames)


@draw_duet.register
def _draw_rendered(source: RenderedSource, rng: np.random.Generator, step: int, frames: int) -> Duet:
    """Two rendered characters, who all do the same."""
    one, other = source.pick_two(rng)

    def perform(motion: int) -> Part:
        shown = source.clip(one, motion)
        return shown, source.clip(other, motion), source.name(motion, len(shown))

    return _draw_factorial(perform, rng, len(source.folder.actions), len(source.folder.directions), frames)


@draw_duet.register
def _draw_dressed(source: LpcSource, rng: np.random.Generator, step: int, frames: int) -> Duet:
    """Two characters of the wardrobe, in rows that both of them have."""
    wardrobe = source.wardrobe
    while True:
        one, other = wardrobe.dress(rng, held_out=source.held_out), wardrobe.dress(rng)
        rows = [int(row) for row in rng.permutation(np.intersect1d(one.rows, other.rows))]
        if sum(len(row_cells(row)) for row in rows) >= frames:
            break
    clips: list[Part] = []
    while sum(len(names) for _, _, names in clips) < frames:
        row = rows[len(clips)]
        clips.append((wardrobe.clip(one, row), wardrobe.clip(other, row), name_cells(row_cells(row))))
    return _cut(clips, rng, frames)


@draw_duet.register
def _draw_benchmark(source: BenchmarkSource, rng: np.random.Generator, step: int, frames: int) -> Duet:
    """Two training characters of the benchmark."""
    one, other = (source.characters[int(i)] for i in rng.choice(len(source.characters), size=2, replace=False))
    numbers = [int(number) for number in rng.permutation(len(MOTIONS))]
    clips = [
        (source.benchmark.clip(one, number), source.benchmark.clip(other, number), name_benchmark(number))
        for number in numbers[: -(-frames // 8)]
    ]
    return _cut(clips, rng, frames)


def _draw_factorial(
    perform: Callable[[int], Part], rng: np.random.Generator, animations: int, sides: int, frames: int
) -> Duet:
    """Two who perform every animation from every side; motions are numbered animation by animation."""
    return _cut([perform(motion) for motion in _order_motions(rng, animations, sides)], rng, frames)


def _order_motions(rng: np.random.Generator, animations: int, sides: int) -> list[int]:
    """At most four motions: any, one from all sides, or several from one side."""
    kind = rng.random()
    if kind < 0.4:
        order = rng.permutation(animations * sides)
    elif kind < 0.7:
        order = rng.integers(animations) * sides + rng.permutation(sides)
    else:
        order = rng.permutation(animations) * sides + rng.integers(sides)
    return [int(number) for number in order[:4]]


def _cut(clips: list[Part], rng: np.random.Generator, frames: int) -> Duet:
    """The first `frames` frames, or that many drawn from fewer."""
    one, other, names = (np.concatenate(parts) for parts in zip(*clips, strict=True))
    taken = np.arange(frames) if len(one) >= frames else rng.integers(len(one), size=frames)
    return Duet(one[taken], other[taken], names[taken])


def _recolour(frames: Frames, rng: np.random.Generator) -> Frames:
    return recolour(frames, *draw_colour_map(rng)) if rng.random() < _RECOLOURED else frames
