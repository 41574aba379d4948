"""Pairs of characters in poses that both show."""

from __future__ import annotations

import numpy as np

from bitpuppet.data.bank import Bank
from bitpuppet.data.character_set import Character, CharacterAnimation
from bitpuppet.data.pose_pairs import OTHERS, SHARED, PosePairs


def draw_character(name: str, size: int, names: tuple[str, ...]) -> Character:
    """Each frame has a mark of its own whose place says which pose it is; characters differ in size."""
    animations = []
    for row, animation in enumerate(names):
        frames = np.zeros((3, 32, 32, 4), np.uint8)
        frames[:, 31 - size :, 8:24] = (size, 90, 90, 255)
        for number, frame in enumerate(frames):
            frame[31, 8 + 4 * number + row] = (255, 255, 255, 255)
        animations.append(CharacterAnimation(animation, frames, (100,) * 3))
    return Character(name, tuple(animations))


def test_targets_are_in_the_drivers_poses() -> None:
    bank = Bank([draw_character("a", 12, ("walk", "jump")), draw_character("b", 20, ("walk", "jump"))], 64)
    pairs = PosePairs(bank, recoloured=0.0)
    batch = pairs.draw(3, 8)
    assert batch.motion.shape == batch.target.shape == (8, SHARED, 64, 64, 4)
    assert batch.content.shape == (8, OTHERS, 64, 64, 4)
    marks = [(frames == 255).all(axis=-1) for frames in (batch.motion, batch.target, batch.content)]
    assert all((mark.sum(axis=(2, 3)) == 1).all() for mark in marks)
    assert np.array_equal(marks[0], marks[1]), "one pose, two characters"
    assert not np.array_equal(batch.motion, batch.target)
    assert len({mark.tobytes() for mark in marks[2].reshape(-1, 64, 64)}) > 6, "other poses, some of them mirrored"


def test_draws_depend_on_seed_and_step_alone() -> None:
    bank = Bank([draw_character("a", 12, ("walk",)), draw_character("b", 20, ("walk",))], 64)
    one, two = PosePairs(bank, seed=4), PosePairs(bank, seed=4)
    one.draw(0, 2)
    assert np.array_equal(one.draw(5, 2).motion, two.draw(5, 2).motion)
    assert not np.array_equal(one.draw(6, 2).motion, two.draw(5, 2).motion)


def test_who_shares_no_pose_is_paired_with_itself() -> None:
    bank = Bank([draw_character("a", 12, ("walk",)), draw_character("b", 20, ("fly",))], 64)
    batch = PosePairs(bank, recoloured=0.0).draw(0, 6)
    shapes = batch.motion[..., 3] > 0, batch.target[..., 3] > 0
    assert np.array_equal(*shapes)
    assert not np.array_equal(batch.motion, batch.target), "in other colours"
