"""The demo without a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.puppets import draw_clip, is_held_out
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.demo import DRIVING, pick_puppets, run_demo
from bitpuppet.sprites import read_clip

from .fakes import FakeEngine


@pytest.mark.parametrize("seed", [0, 1, 7, 2**63 - 1])
def test_puppets_are_two_that_no_training_shows(seed: int) -> None:
    hero, actor = pick_puppets(seed)
    assert is_held_out(hero.seed) and is_held_out(actor.seed)
    assert hero.seed != actor.seed
    assert DRIVING in hero.motions and DRIVING in actor.motions


def test_files_show_what_is_said(tmp_path: Path) -> None:
    engine = FakeEngine()
    written = run_demo(engine, tmp_path / "a" / "b", seed=3, steps=2)
    assert all(file.is_file() for file in written)
    ((content, motion, seed, steps),) = engine.asked
    assert (seed, steps) == (3, 2)
    assert len(content) > len(motion) > 1
    hero, actor = pick_puppets(3)
    acting = draw_clip(actor, DRIVING)
    folder = tmp_path / "a" / "b"
    np.testing.assert_array_equal(read_clip(folder / "motion.png", (actor.size, actor.size)).frames, acting)
    gif = read_clip(folder / "retargeted.gif")
    strip = read_clip(folder / "retargeted.png", (hero.size, hero.size))
    np.testing.assert_array_equal(gif.frames[..., 3], strip.frames[..., 3])


def test_model_that_draws_nothing_still_gives_all_files(tmp_path: Path) -> None:
    count = len(draw_clip(pick_puppets(0)[1], DRIVING))
    written = run_demo(FakeEngine(np.zeros((count, 64, 64, 4), dtype=np.float32)), tmp_path)
    assert len(written) == 5
    assert all(file.is_file() for file in written)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder, match in ((tmp_path / "file", "is a file; name a folder"), (tmp_path / "file" / "in", "--out")):
        engine = FakeEngine()
        with pytest.raises(BitpuppetError, match=match):
            run_demo(engine, folder)
        assert not engine.asked
