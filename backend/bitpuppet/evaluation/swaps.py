"""Swaps with a true target: content of A, motion of B, and A performing that motion.

A set of swaps draws each one from (seed, number) alone, so they are the same on every machine and in every order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import FRAMES, MOTIONS, Benchmark, BenchmarkCharacter, split_characters
from bitpuppet.data.lpc import LpcCharacter, Wardrobe, row_cells
from bitpuppet.data.puppets import Puppet, draw_clip, is_held_out, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.judge import name_classes
from bitpuppet.evaluation.parts import map_parts
from bitpuppet.sprites import find_content_box, place_clip

Frames = NDArray[np.uint8]
MAX_CONTENT_FRAMES = (len(MOTIONS) - 1) * FRAMES
"""What a benchmark character has besides the driven motion."""
_PUPPET_SEEDS = 1 << 24


@dataclass(frozen=True)
class Swap:
    """One swap; all frames are straight-alpha RGBA on the model's canvas."""

    name: str
    """Who performs whose motion, for people."""
    content: Frames
    """(N, H, W, 4): frames of A in other motions than the driven one."""
    motion: Frames
    """(T, H, W, 4): B."""
    target: Frames
    """(T, H, W, 4): A in B's poses."""
    classes: tuple[int, ...] | None
    """What the judge should say, in the order of its heads; None where it knows neither A nor the motion."""
    parts: NDArray[np.int8] | None = None
    """What the target shows at each pixel, (T, H, W), see `parts.PARTS`; None where no layers tell it."""


class SwapSet(Protocol):
    """Numbered swaps."""

    def __len__(self) -> int: ...

    def draw(self, number: int) -> Swap:
        """Swap 0..len-1; the same number gives the same swap."""
        ...


class SpriteSwaps:
    """Swaps of the 296 test characters of the Sprites benchmark.

    The driven motions are balanced (each of the nine equally often, give or take one), and with 296 pairs each
    character is the content once. A pair keeps its characters and its motion whatever the number of content frames,
    and fewer content frames are a part of more.
    """

    def __init__(self, benchmark: Benchmark, pairs: int, *, seed: int = 0, content_frames: int = 8) -> None:
        check_content_frames(content_frames)
        self.benchmark, self.content_frames = benchmark, content_frames
        self.pairs = pair_characters(pairs, seed)
        self._seed = seed

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, number: int) -> Swap:
        """See `SwapSet`."""
        content, driver, motion = self.pairs[number]
        pool = np.concatenate([self.benchmark.clip(content, m) for m in range(len(MOTIONS)) if m != motion])
        order = np.random.default_rng([self._seed, 1, number]).permutation(len(pool))
        return Swap(
            f"{content.number} as {driver.number}, {' '.join(MOTIONS[motion])}",
            pool[order[: self.content_frames]],
            self.benchmark.clip(driver, motion),
            self.benchmark.clip(content, motion),
            name_classes(content, motion),
            map_parts(self.benchmark.find_tops(content, motion), [layer.split("/")[0] for layer in content.layers]),
        )


def pair_characters(pairs: int, seed: int) -> list[tuple[BenchmarkCharacter, BenchmarkCharacter, int]]:
    """(content, driver, motion 0..8) of `pairs` (1 or more) swaps: test characters only, two different ones each.

    Raises:
        BitpuppetError: no pairs, or a negative seed.
    """
    check_pairs(pairs, seed)
    _, test = split_characters()
    rng = np.random.default_rng([seed, 0])
    rounds = -(-pairs // len(test))
    contents = np.concatenate([rng.permutation(len(test)) for _ in range(rounds)])[:pairs]
    drivers = (contents + rng.integers(1, len(test), size=pairs)) % len(test)
    motions = rng.permutation(np.arange(pairs) % len(MOTIONS))
    return [(test[int(a)], test[int(b)], int(m)) for a, b, m in zip(contents, drivers, motions, strict=True)]


class GarmentSwaps:
    """Swaps of LPC characters: A wears a garment that training never shows, B is any other character.

    Both perform one row of the sheet, legal for both, in which the new garment shows. What A wears in that row is
    worn in one of its other rows too: nobody could draw a sword that is seen nowhere else.
    """

    def __init__(self, root: Path, pairs: int, *, seed: int = 0, content_frames: int = 8) -> None:
        check_pairs(pairs, seed)
        check_content_frames(content_frames)
        self.wardrobe = Wardrobe(root)
        self.content_frames = content_frames
        self._pairs, self._seed = pairs, seed

    def __len__(self) -> int:
        return self._pairs

    def draw(self, number: int) -> Swap:
        """See `SwapSet`."""
        rng = np.random.default_rng([self._seed, 2, number])
        row, content, driver = self._draw_characters(rng)
        pool = np.concatenate([self.wardrobe.clip(content, other) for other in content.rows if other != row])
        new = ", ".join(sorted(garment.name for garment in content.garments if garment.held_out))
        return Swap(
            f"{new}: row {row}, {len(row_cells(row))} frames",
            _pick_frames(pool, self.content_frames, rng),
            self.wardrobe.clip(driver, row),
            self.wardrobe.clip(content, row),
            None,
            map_parts(self.wardrobe.find_tops(content, row), [garment.slot for garment in content.garments]),
        )

    def _draw_characters(self, rng: np.random.Generator) -> tuple[int, LpcCharacter, LpcCharacter]:
        """(row, content, driver)."""
        while True:
            content, driver = self.wardrobe.dress(rng, held_out=True), self.wardrobe.dress(rng)
            rows = [row for row in content.rows if row in driver.rows and _is_known(content, row)]
            if rows:
                row = int(rng.choice(rows))
                known = replace(content, garments=tuple(g for g in content.garments if not g.held_out))
                if not np.array_equal(self.wardrobe.clip(content, row), self.wardrobe.clip(known, row)):
                    return row, content, driver


class PuppetSwaps:
    """Swaps of puppets whose seeds training never draws; both have one body plan, and sizes up to the canvas."""

    def __init__(self, pairs: int, *, seed: int = 0, content_frames: int = 8, canvas: int = 64) -> None:
        check_pairs(pairs, seed)
        check_content_frames(content_frames)
        self.content_frames, self.canvas = content_frames, canvas
        self._pairs, self._seed = pairs, seed

    def __len__(self) -> int:
        return self._pairs

    def draw(self, number: int) -> Swap:
        """See `SwapSet`."""
        rng = np.random.default_rng([self._seed, 3, number])
        content = self._draw_puppet(rng)
        driver = self._draw_puppet(rng)
        while driver.plan != content.plan or driver.seed == content.seed:
            driver = self._draw_puppet(rng)
        driven, *others = (int(motion) for motion in rng.permutation(len(content.motions)))
        motion = content.motions[driven]
        # Only the clips that a frame is taken from are drawn.
        chosen = np.resize(rng.permutation(len(others) * FRAMES), self.content_frames)
        frames = [self._clip(content, others[index // FRAMES])[index % FRAMES] for index in chosen]
        return Swap(
            f"{content.name} as {driver.name}, {content.plan}, {motion.animation} {motion.direction}",
            np.stack(frames),
            self._clip(driver, driven),
            self._clip(content, driven),
            None,
        )

    def _draw_puppet(self, rng: np.random.Generator) -> Puppet:
        while True:
            seed = int(rng.integers(_PUPPET_SEEDS))
            if is_held_out(seed):
                puppet = make_puppet(seed)
                if puppet.size <= self.canvas:
                    return puppet

    def _clip(self, puppet: Puppet, motion: int) -> Frames:
        return place_clip(draw_clip(puppet, puppet.motions[motion], FRAMES), self.canvas)[0]


def check_pairs(pairs: int, seed: int) -> None:
    """Refuse fewer than one pair and negative seeds."""
    if pairs < 1:
        raise BitpuppetError(f"--pairs is {pairs}, it must be 1 or more; change it")
    if seed < 0:
        raise BitpuppetError(f"--seed is {seed}, it must be 0 or more; change it")


def check_content_frames(count: int) -> None:
    """Refuse numbers of content frames that a benchmark character does not have."""
    if not 1 <= count <= MAX_CONTENT_FRAMES:
        raise BitpuppetError(f"--content-frames is {count}, it must be from 1 to {MAX_CONTENT_FRAMES}; change it")


def check_held_out(pairs: int) -> None:
    """Refuse negative numbers of held-out pairs; 0 leaves them out."""
    if pairs < 0:
        raise BitpuppetError(f"--held-out is {pairs}, it must be 0 or more; change it")


def _is_known(character: LpcCharacter, row: int) -> bool:
    """Whether all that is drawn in `row` is drawn in another legal row of the character too."""
    others = [other for other in character.rows if other != row]
    return bool(others) and all(
        any(garment.frames_per_row[other] for other in others)
        for garment in character.garments
        if garment.frames_per_row[row]
    )


def _pick_frames(pool: Frames, count: int, rng: np.random.Generator) -> Frames:
    """`count` frames that show something, in random order, none twice while there are enough."""
    pool = pool[[find_content_box(frame[None]) is not None for frame in pool]]
    return pool[np.resize(rng.permutation(len(pool)), count)]
