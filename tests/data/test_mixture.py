"""Batches for cross-driving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.benchmark import split_characters
from bitpuppet.data.mixture import (
    UNKNOWN,
    BenchmarkSource,
    Mixture,
    PuppetSource,
    Scene,
    Share,
    make_mixture,
    number_colours,
    pick_colours,
)
from bitpuppet.data.puppets import is_held_out, make_puppet
from bitpuppet.errors import BitpuppetError


def test_an_enlarged_mixture_shows_the_same_at_twice_the_size() -> None:
    usual, larger = make_mixture(None, 64, seed=3), make_mixture(None, 128, seed=3, enlarged=2)
    one, two = usual.draw(5, 2, 3, 4), larger.draw(5, 2, 3, 4)
    for name in ("content", "target", "motion"):
        assert np.array_equal(getattr(one, name).repeat(2, -3).repeat(2, -2), getattr(two, name))
    assert np.array_equal(one.wanted.repeat(2, -2).repeat(2, -1), two.wanted)


def test_batches_depend_on_seed_and_step_alone() -> None:
    one, two = make_mixture(None, 64, seed=3), make_mixture(None, 64, seed=3)
    one.draw(0, 2, 3, 4)  # what was drawn before must not matter
    first, second = one.draw(5, 2, 3, 4), two.draw(5, 2, 3, 4)
    assert (first.content == second.content).all() and (first.target == second.target).all()
    assert (first.shown == second.shown).all()
    assert not (first.target == two.draw(6, 2, 3, 4).target).all()


def test_shapes_and_shown_frames() -> None:
    batch = make_mixture(None, 64).draw(0, 5, 4, 6)
    assert batch.content.shape == (5, 4, 64, 64, 4) and batch.target.shape == (5, 6, 64, 64, 4)
    assert batch.shown.shape == (5, 4) and batch.shown[:, 0].all()
    assert batch.target.any(axis=(2, 3, 4)).all()


def test_content_may_come_from_many_animations() -> None:
    class Coloured:
        """A character of nine animations, each of one frame in a colour of its own."""

        def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
            drawn = [np.full((1, 8, 8, 4), 255, np.uint8) for _ in range(min(clips, 9))]
            for number, clip in enumerate(drawn):
                clip[..., 0] = number
            return Scene(drawn, drawn[0])

    def count(most_clips: int, least_shown: int) -> tuple[int, int]:
        mixture = Mixture([Share(Coloured(), 1.0, 0.0)], most_clips=most_clips, least_shown=least_shown)
        batch = mixture.draw(0, 64, 8, 1)
        return len(np.unique(batch.content[..., 0])), int(batch.shown.sum(axis=1).min())

    assert count(1, 1) == (2, 1), "the target's own animation, by chance, and another one"
    assert count(8, 5) == (9, 5)
    assert count(4, 20) == (5, 8), "there are no more than eight frames"


def test_targets_in_order_follow_one_another() -> None:
    source = PuppetSource(64)
    batch = Mixture([Share(source, 1.0, 0.0)]).draw(0, 4, 2, 5, in_order=True)
    for target in batch.target:
        clip = next(c for c in source._clips.values() if any((frame == target[0]).all() for frame in c))
        starts = [i for i, frame in enumerate(clip) if (frame == target[0]).all()]
        wanted = [clip[(i + np.arange(5)) % len(clip)] for i in starts]
        assert any((target == frames).all() for frames in wanted)


def test_numbers_name_the_colours_of_the_target() -> None:
    batch = make_mixture(None, 64).draw(3, 6, 3, 2)
    assert (batch.counts >= 2).all()
    for target, colours, count, wanted in zip(batch.target, batch.colours, batch.counts, batch.wanted, strict=True):
        assert (wanted[target[..., 3] == 0] == 0).all()
        known = (wanted > 0) & (wanted != UNKNOWN)
        assert known.sum() > 0.8 * (target[..., 3] > 0).sum() and wanted[known].max() <= count
        assert (colours[wanted[known] - 1] == target[known][:, :3]).all()


def test_a_colour_that_is_not_in_the_palette_is_unknown() -> None:
    frames = np.zeros((1, 2, 2, 4), np.uint8)
    frames[0, 0] = [[10, 20, 30, 255], [40, 50, 60, 255]]
    palette = pick_colours(frames[:, :, :1])
    assert palette.tolist() == [[10, 20, 30]]
    assert number_colours(frames, palette).tolist() == [[[1, UNKNOWN], [0, 0]]]


def test_held_out_puppets_stay_out() -> None:
    for held_out in (False, True):
        source = PuppetSource(64, held_out=held_out)
        rng = np.random.default_rng(0)
        for _ in range(5):
            source.draw_scene(rng, 0, 1)
        assert all(is_held_out(seed) == held_out for seed, _ in source._clips)


def test_motion_is_the_target_or_another_puppet() -> None:
    def count_same(share_driven: float) -> int:
        mixture = Mixture([Share(PuppetSource(64), 1.0, 0.0)], share_driven=share_driven)
        batch = mixture.draw(0, 6, 1, 3)
        return sum(np.array_equal(motion, target) for motion, target in zip(batch.motion, batch.target, strict=True))

    assert count_same(0.0) == 6
    assert count_same(1.0) == 0


def test_another_puppet_performs_the_same_motion() -> None:
    source = PuppetSource(64)
    for number in range(4):
        scene = source.draw_scene(np.random.default_rng(number), 0, 2)
        (seed, motion), (other, driven) = next(iter(source._clips)), list(source._clips)[-1]
        assert motion == driven and seed != other
        assert make_puppet(seed).plan == make_puppet(other).plan
        assert make_puppet(seed).motions[motion] == make_puppet(other).motions[driven]
        assert np.array_equal(scene.clips[0], source._clips[seed, motion])
        assert np.array_equal(scene.driver, source._clips[other, driven])
        source._clips.clear()


def test_recolouring_maps_colours_one_to_one_over_all_frames() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, size=(4, 8, 8, 4), dtype=np.uint8)
    frames[..., 3] = rng.choice([0, 255], size=frames.shape[:3])
    frames[1] = frames[0]
    out = recolour(frames, *draw_colour_map(rng))
    assert (out[..., 3] == frames[..., 3]).all()
    assert (out[1] == out[0]).all()
    assert (out[frames[..., 3] == 0][:, :3] == 0).all()
    assert not (out == frames).all()


def test_no_data_is_an_error() -> None:
    with pytest.raises(BitpuppetError, match="BITPUPPET_DATA"):
        Mixture([])


def test_benchmark_source_never_draws_test_characters(data_folder: Path) -> None:
    source = BenchmarkSource(data_folder / "sprites")
    _, test = split_characters()
    assert not {c.number for c in source.characters} & {c.number for c in test}
    scene = source.draw_scene(np.random.default_rng(0), 0, 4)
    assert [clip.shape for clip in [*scene.clips, scene.driver]] == [(8, 64, 64, 4)] * 5
    assert not np.array_equal(scene.clips[0], scene.driver)


def test_shares_are_respected(data_folder: Path) -> None:
    mixture = make_mixture(data_folder, 64)
    assert sum(share.weight for share in mixture.shares) == pytest.approx(1)
    assert isinstance(mixture.shares[0], Share)
    assert mixture.draw(0, 3, 2, 2).target.shape == (3, 2, 64, 64, 4)
