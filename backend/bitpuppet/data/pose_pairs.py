"""Pairs of a set's characters in poses that both show: what the motion reader of fine-tuning learns from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.bank import Bank
from bitpuppet.data.clips import pack_batch
from bitpuppet.data.custom import SHARE_FLIPPED, flip
from bitpuppet.data.mixture import PairBatch

SHARED, OTHERS = 6, 14
"""Poses of a pair that both characters show, and frames of the second one from which they are to be told."""


class PosePairs:
    """Batches without scenes: frames of one character, the same poses of another one, and its other poses.

    Scenes of cross-driving hold two or three animations, and half of them hold two. From those alone a reader of
    16-pixel characters did not learn to tell left from right, which were seldom in one scene.
    """

    def __init__(self, bank: Bank, *, seed: int = 0, recoloured: float = 0.5) -> None:
        """Draw from the characters of a bank; `recoloured` is the chance for each side of a pair."""
        self._bank, self._seed, self._recoloured = bank, seed, recoloured
        poses = bank.poses
        self._partners = [
            [b for b, theirs in enumerate(poses) if b != a and np.isin(own, theirs).any()] or [a]
            for a, own in enumerate(poses)
        ]

    def draw(self, step: int, pairs: int) -> PairBatch:
        """The batch of a step: targets are in the poses of motion, (pairs, SHARED, ...), content (pairs, OTHERS, ...).

        A character with whom nobody shares a pose is paired with itself in other colours. The draw depends on seed and
        step alone.
        """
        rng = np.random.default_rng([self._seed, step])
        parts = [self._draw_pair(rng) for _ in range(pairs)]
        motion, target, content = (np.stack(frames) for frames in zip(*parts, strict=True))
        return pack_batch(content, target, motion=motion)

    def _draw_pair(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        first = int(rng.integers(len(self._partners)))
        second = int(rng.choice(self._partners[first]))
        ours, theirs = self._bank.poses[first], self._bank.poses[second]
        shared = rng.choice(np.intersect1d(ours, theirs), size=SHARED)
        driving = self._bank.placed[first][[int(np.flatnonzero(ours == pose)[0]) for pose in shared]]
        same = [int(np.flatnonzero(theirs == pose)[0]) for pose in shared]
        others = rng.choice(len(theirs), size=OTHERS, replace=len(theirs) < OTHERS)
        own = self._bank.placed[second][[*same, *others]]
        if rng.random() < SHARE_FLIPPED:
            driving, own = flip(driving), flip(own)
        if first == second or rng.random() < self._recoloured:
            driving = recolour(driving, *draw_colour_map(rng))
        if rng.random() < self._recoloured:
            own = recolour(own, *draw_colour_map(rng))
        return driving, own[:SHARED], own[SHARED:]
