"""The swaps: test characters only, the same ones every time, and targets that are true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.data.benchmark import MOTIONS, Benchmark, split_characters
from bitpuppet.data.lpc import Wardrobe
from bitpuppet.data.puppets import is_held_out, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.swaps import GarmentSwaps, PuppetSwaps, SpriteSwaps, SwapSet, pair_characters

TEST = {character.number for character in split_characters()[1]}


@given(st.integers(1, 700), st.integers(0, 2**40))
def test_pairs_are_two_test_characters_and_balanced_motions(pairs: int, seed: int) -> None:
    drawn = pair_characters(pairs, seed)
    assert len(drawn) == pairs
    assert {who.number for pair in drawn for who in pair[:2]} <= TEST
    assert all(content.number != driver.number for content, driver, _ in drawn)
    times = Counter(motion for _, _, motion in drawn)
    assert set(times) <= set(range(len(MOTIONS)))
    assert max(times.values()) - min(times.get(motion, 0) for motion in range(len(MOTIONS))) <= 1


def test_pairs_depend_on_the_seed_alone() -> None:
    assert pair_characters(296, 7) == pair_characters(296, 7)
    assert pair_characters(296, 7) != pair_characters(296, 8)


def test_each_test_character_is_content_once_in_296_pairs() -> None:
    assert {content.number for content, _, _ in pair_characters(296, 0)} == TEST


@pytest.mark.parametrize(("pairs", "seed"), [(0, 0), (-1, 0), (1, -1)])
def test_settings_out_of_range_are_refused(pairs: int, seed: int) -> None:
    with pytest.raises(BitpuppetError, match="it must be"):
        pair_characters(pairs, seed)


@pytest.mark.parametrize("count", [0, 65])
def test_content_frames_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(BitpuppetError, match="content-frames"):
        PuppetSwaps(1, content_frames=count)


def assert_repeatable(first: SwapSet, second: SwapSet) -> None:
    """Another set of the same settings gives the same swaps, in any order."""
    assert len(first) == len(second) == 3
    drawn = [first.draw(number) for number in range(3)]
    for number in (2, 0, 1):
        again = second.draw(number)
        assert again.name == drawn[number].name
        for part in ("content", "motion", "target"):
            assert np.array_equal(getattr(again, part), getattr(drawn[number], part))
    assert drawn[0].name != drawn[1].name


def test_puppet_swaps_are_repeatable() -> None:
    assert_repeatable(PuppetSwaps(3, seed=5), PuppetSwaps(3, seed=5))


def test_puppets_are_held_out_and_of_one_plan() -> None:
    swaps = PuppetSwaps(6, content_frames=3, canvas=64)
    for number in range(6):
        swap = swaps.draw(number)
        seeds = [
            int(word.removeprefix("puppet-").rstrip(",")) for word in swap.name.split() if word.startswith("puppet-")
        ]
        content, driver = (make_puppet(seed) for seed in seeds)
        assert all(is_held_out(seed) for seed in seeds)
        assert content.plan == driver.plan
        assert content.seed != driver.seed
        assert max(content.size, driver.size) <= 64
        assert swap.content.shape == (3, 64, 64, 4)
        assert swap.motion.shape == swap.target.shape == (8, 64, 64, 4)
        assert not np.array_equal(swap.motion, swap.target)


def test_sprite_swaps_have_true_targets(data_folder: Path) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    swaps = SpriteSwaps(benchmark, 5, seed=1, content_frames=8)
    for number, (content, driver, motion) in enumerate(swaps.pairs):
        swap = swaps.draw(number)
        assert np.array_equal(swap.motion, benchmark.clip(driver, motion))
        assert np.array_equal(swap.target, benchmark.clip(content, motion))
        assert swap.classes == (motion, *content.attributes)
        others = {frame.tobytes() for m in range(9) if m != motion for frame in benchmark.clip(content, m)}
        assert {frame.tobytes() for frame in swap.content} <= others


def test_fewer_content_frames_are_a_part_of_more(data_folder: Path) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    few, many = (SpriteSwaps(benchmark, 4, content_frames=count).draw(3) for count in (2, 64))
    assert np.array_equal(few.content, many.content[:2])
    assert np.array_equal(few.target, many.target)
    assert many.content.shape == (64, 64, 64, 4)


def test_sprite_swaps_are_repeatable(data_folder: Path) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    assert_repeatable(SpriteSwaps(benchmark, 3, seed=2), SpriteSwaps(benchmark, 3, seed=2))


def test_garment_swaps_show_what_training_never_shows(data_folder: Path) -> None:
    swaps = GarmentSwaps(data_folder / "lpc", 3, seed=4, content_frames=5)
    held_out = {garment.name for garment in Wardrobe(data_folder / "lpc").garments if garment.held_out}
    for number in range(3):
        swap = swaps.draw(number)
        names, _, _ = swap.name.partition(": row")
        assert set(names.split(", ")) <= held_out
        assert swap.content.shape == (5, 64, 64, 4)
        assert swap.motion.shape == swap.target.shape
        assert swap.content.any(axis=(1, 2, 3)).all()
        assert swap.classes is None


def test_garment_swaps_are_repeatable(data_folder: Path) -> None:
    assert_repeatable(GarmentSwaps(data_folder / "lpc", 3), GarmentSwaps(data_folder / "lpc", 3))
