"""Poses: loops close, animations differ, phases are where they should be."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from bitpuppet.data.puppets.poses import ANIMATIONS, LOOPS, find_pose, list_phases


@pytest.mark.parametrize("animation", sorted(LOOPS))
def test_loops_end_where_they_start(animation: str) -> None:
    assert find_pose(animation, 1.0) == find_pose(animation, 0.0)
    ends = np.array(astuple(find_pose(animation, 0.999))) - np.array(astuple(find_pose(animation, 0.0)))
    assert np.abs(ends).max() < 0.05


def test_animations_differ_in_the_middle() -> None:
    poses = np.array([astuple(find_pose(animation, 0.55)) for animation in ANIMATIONS])
    gaps = np.abs(poses[:, None] - poses[None]).sum(axis=-1)
    assert gaps[~np.eye(len(ANIMATIONS), dtype=bool)].min() > 0.5


def test_phases_leave_out_a_loop_s_end_only() -> None:
    assert list_phases("walk", 4) == (0.0, 0.25, 0.5, 0.75)
    assert list_phases("attack", 5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert list_phases("attack", 1) == (0.0,)


def test_unknown_animation_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        find_pose("dance", 0.0)
