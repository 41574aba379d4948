"""Names of poses are those of what frames show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.benchmark import MOTIONS
from bitpuppet.data.lpc import row_cells
from bitpuppet.data.mixture import BenchmarkSource, LpcSource, Mixture, PuppetSource, Share, Source
from bitpuppet.data.poses import DIRECTIONS, MOMENTS, UNNAMED, leave_unnamed, name_benchmark, name_cells, name_puppet
from bitpuppet.data.puppets import make_puppet


def test_names_stay_in_their_range() -> None:
    clips = [name_puppet(motion) for motion in make_puppet(0).motions]
    clips += [name_cells(row_cells(row)) for row in range(21)]
    names = np.concatenate(clips)
    assert names[:, 0].min() == 0 and names[:, 0].max() == len(DIRECTIONS) - 1
    assert names[:, 1].min() == 0 and names[:, 1].max() < MOMENTS
    assert len(np.unique(names, axis=0)) == len(names)


def test_the_benchmark_is_named_as_the_sheets_it_is_cut_from() -> None:
    for number, (action, view) in enumerate(MOTIONS):
        names = name_benchmark(number)
        assert {DIRECTIONS[one] for one in names[:, 0]} == {"down" if view == "front" else view}
        row = {"spellcast": 0, "walk": 8, "slash": 12}[action] + {"left": 1, "front": 2, "right": 3}[view]
        assert set(map(tuple, names)) <= set(map(tuple, name_cells(row_cells(row))))


def test_sides_of_one_moment_share_its_name() -> None:
    motions = make_puppet(0).motions
    walks = [name_puppet(motion) for motion in motions if motion.animation == "walk"]
    assert len({int(names[0, 0]) for names in walks}) == 4
    assert all(np.array_equal(names[:, 1], walks[0][:, 1]) for names in walks)


def test_nothing_is_known_of_other_clips() -> None:
    assert (leave_unnamed(3) == UNNAMED).all() and leave_unnamed(3).shape == (3, 2)


def _check_names(source: Source) -> None:
    """Frames of one character with one name look the same, and a batch says what its frames show."""
    for seed in range(3):
        scene = source.draw_scene(np.random.default_rng(seed), 0, 4)
        assert scene.names is not None
        frames, names = np.concatenate(scene.clips), np.concatenate(scene.names)
        assert len(frames) == len(names)
        for name in np.unique(names, axis=0):
            alike = frames[(names == name).all(axis=1)]
            assert (alike == alike[0]).all()
    batch = Mixture([Share(source, 1.0, 0.0)], seed=1).draw(0, 4, 8, 3)
    assert batch.names is not None and batch.names.shape == (4, 11, 2)
    for names, target, content in zip(batch.names, batch.target, batch.content, strict=True):
        frames = np.concatenate([target, content])
        for name in np.unique(names, axis=0):
            alike = frames[(names == name).all(axis=1)]
            assert (alike == alike[0]).all()


def test_puppets_are_what_they_are_named() -> None:
    _check_names(PuppetSource(64))


@pytest.mark.parametrize("kind", ["sprites", "lpc"])
def test_sheets_are_what_they_are_named(data_folder: Path, kind: str) -> None:
    _check_names(BenchmarkSource(data_folder / kind) if kind == "sprites" else LpcSource(data_folder / kind))
