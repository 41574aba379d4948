"""The Sprites benchmark is the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bitpuppet.data.benchmark import ATTRIBUTES, MOTIONS, Benchmark, BenchmarkCharacter, motion_cells, split_characters


def test_split_is_the_standard_permutation() -> None:
    training, test = split_characters()
    assert len(training) == 1000 and len(test) == 296
    assert {c.number for c in training}.isdisjoint({c.number for c in test})
    order = np.random.RandomState(423).permutation(1296)
    assert [c.number for c in training[:3] + test[-3:]] == [*order[:3], *order[-3:]]


def test_attributes_number_the_characters() -> None:
    seen = {BenchmarkCharacter(number).attributes for number in range(1296)}
    assert len(seen) == 1296
    assert BenchmarkCharacter(1295).attributes == (5, 5, 5, 5)
    assert BenchmarkCharacter(216).attributes == (1, 0, 0, 0)
    assert len(ATTRIBUTES) == 4


def test_motions_are_nine_of_eight_frames() -> None:
    assert len(MOTIONS) == 9 and MOTIONS[0] == ("walk", "left")
    assert motion_cells(0) == (125, 118, 119, 120, 121, 122, 123, 124)
    assert motion_cells(4) == (26, 27, 28, 29, 30, 31, 30, 32)
    assert motion_cells(8) == (195, 196, 197, 198, 199, 200, 199, 195)


def test_clips_are_drawn(data_folder: Path) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    clip = benchmark.clip(BenchmarkCharacter(884), 4)
    assert clip.shape == (8, 64, 64, 4)
    assert (clip[4] == clip[6]).all()  # the motion shows cell 30 twice
    assert 400 < int((clip[0][..., 3] > 0).sum()) < 1600
    other = benchmark.clip(BenchmarkCharacter(884 + 1), 4)  # another hair, the same body
    changed = (clip != other).any(axis=-1)
    assert int(changed.sum()) > 0 and not changed[:, 45:].any()
