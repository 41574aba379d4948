"""Training the motion prior."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bitpuppet.data.animations import Animation
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.prior import PriorSizes
from bitpuppet.model.prior_weights import load_prior
from bitpuppet.training.prior import (
    PriorRecipe,
    TokenClip,
    bend_ticks,
    draw_sequences,
    encode_animations,
    measure_bits,
    run_train_prior,
    show_sprites,
    train_prior,
)

SIZES = PriorSizes(2, 8, width=32, blocks=1, heads=2, window=12, reach=12)
RECIPE = PriorRecipe(steps=150, batch=16, rate=1e-2, warmup=5)


def make_clips(seed: int, count: int = 6, length: int = 5) -> list[TokenClip]:
    rng = np.random.default_rng(seed)
    return [TokenClip(rng.integers(8, size=(length, 2)), 0) for _ in range(count)]


def test_sequences_are_animations_played_on() -> None:
    clips = [TokenClip(np.arange(10, 15)[:, None].repeat(2, axis=1), 0)]
    plain = replace(RECIPE, aimed=0.0, slow=0.0, strange=0.0)
    batch = draw_sequences([clips], [1.0], np.random.default_rng(0), SIZES, plain)
    assert batch.tokens.shape == (16, 13, 2) and batch.left.shape == (16, 12)
    assert not batch.left.any()
    steps = np.diff(batch.tokens[..., 0], axis=1) % 5
    assert (steps == 1).all()
    assert len(set(batch.tokens[:, 0, 0])) > 1, "some start in the middle"
    slow = draw_sequences([clips], [1.0], np.random.default_rng(0), SIZES, replace(plain, slow=1.0))
    assert (slow.tokens[:, 0:12:2] == slow.tokens[:, 1:12:2]).all()


def test_nobody_guesses_how_a_video_goes_on() -> None:
    plain = replace(RECIPE, aimed=0.0, slow=0.0, strange=0.0, batch=100)
    long = [TokenClip(np.arange(40)[:, None].repeat(2, axis=1), None)]
    batch = draw_sequences([long], [1.0], np.random.default_rng(0), SIZES, plain)
    assert (np.diff(batch.tokens[..., 0], axis=1) == 1).all() and batch.counted.all()
    assert batch.tokens[:, 0, 0].min() == 0 and batch.tokens[:, -1, 0].max() == 39, "from anywhere in it to its end"
    short = [TokenClip(np.arange(8)[:, None].repeat(2, axis=1), None)]
    batch = draw_sequences([short], [1.0], np.random.default_rng(0), SIZES, plain)
    np.testing.assert_array_equal(batch.tokens[:, :, 0], np.tile(np.minimum(np.arange(13), 7), (100, 1)))
    np.testing.assert_array_equal(batch.counted, np.tile(np.arange(12) < 7, (100, 1)))


def test_a_prior_of_videos_knows_their_second_halves() -> None:
    rng = np.random.default_rng(3)
    clips = [TokenClip(rng.integers(8, size=(14, 2)), None) for _ in range(3)]
    before = measure_bits(train_prior([clips], [1.0], SIZES, replace(RECIPE, steps=1)), clips)
    assert measure_bits(train_prior([clips], [1.0], SIZES, replace(RECIPE, strange=0.0)), clips) < before - 2


def test_changed_animations_are_predicted_from_what_was_seen_alone() -> None:
    clips = [TokenClip(np.arange(5)[:, None].repeat(2, axis=1), 0)]
    recipe = replace(RECIPE, aimed=0.0, slow=0.0, strange=1.0, batch=100)
    batch = draw_sequences([clips], [1.0], np.random.default_rng(0), SIZES, recipe)
    np.testing.assert_array_equal(batch.tokens[:, 5:], batch.tokens[:, :-5])
    np.testing.assert_array_equal(batch.counted, np.tile(np.arange(12) >= 4, (100, 1)))
    assert len({row.tobytes() for row in batch.tokens}) > 90
    plain = draw_sequences([clips], [1.0], np.random.default_rng(0), SIZES, replace(recipe, strange=0.0))
    assert plain.counted.all()


def test_goals_are_reached_in_time() -> None:
    recipe = replace(RECIPE, aimed=1.0, batch=200)
    batch = draw_sequences([make_clips(0)], [1.0], np.random.default_rng(1), SIZES, recipe)
    for tokens, goal, left in zip(batch.tokens, batch.goal, batch.left, strict=True):
        aim = int(left[0])
        assert 2 <= aim <= 12
        np.testing.assert_array_equal(left, np.maximum(aim - np.arange(12), 0))
        np.testing.assert_array_equal(tokens[aim], goal)


@pytest.mark.parametrize("seed", range(20))
def test_bent_ticks_never_run_backwards_and_go_on_evenly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = int(rng.integers(0, 10))
    aim = begin + int(rng.integers(1, 10))
    ticks = bend_ticks(25, begin, aim, 8, rng)
    assert ticks.shape == (25,)
    np.testing.assert_array_equal(ticks[: begin + 1], np.arange(begin + 1))
    steps = np.diff(ticks)
    assert steps.min() >= 0
    assert steps[begin:aim].max() - steps[begin:aim].min() <= 1
    assert (steps[aim:] == 1).all()
    assert abs(int(ticks[aim]) - aim) <= 4


def test_prior_learns_cycles_and_arrives_at_goals_after_whole_ones() -> None:
    clips = make_clips(2)
    prior = train_prior([clips], [1.0], SIZES, RECIPE)
    bits = measure_bits(prior, clips)
    assert bits < 0.6, f"{bits} of the 6 that a guess costs"
    tokens = clips[0].tokens
    drawn = prior.continue_motion(tokens, 10, temperature=0.5)[0]
    assert (drawn == tokens[np.arange(10) % 5]).all(axis=1).mean() > 0.8
    arrivals = []
    for frames in (5, 10):
        (way,) = prior.continue_motion(tokens, frames, goal=tokens[0], temperature=0.3)
        arrivals.append(bool((way[-1] == tokens[-1]).all()))
    assert all(arrivals), arrivals


def test_same_seed_gives_the_same_prior_and_leaves_chance_alone() -> None:
    recipe = replace(RECIPE, steps=3)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = train_prior([make_clips(2)], [1.0], SIZES, recipe).state_dict()
    assert torch.equal(torch.rand(1), expected)
    other = train_prior([make_clips(2)], [1.0], SIZES, recipe).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    third = train_prior([make_clips(2)], [1.0], SIZES, replace(recipe, seed=1)).state_dict()
    assert not all(torch.equal(one[name], third[name]) for name in one)


def test_nothing_to_learn_from() -> None:
    with pytest.raises(BitpuppetError, match="no animations to learn from"):
        train_prior([[]], [1.0], SIZES, RECIPE)


class CountingEncoder:
    """Its tokens are the frames' first pixels; keeps how many it got at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_motion(self, motion: np.ndarray) -> np.ndarray:
        self.batches.append(len(motion))
        return motion[:, 0, 0, :2].astype(np.int64)


def test_animations_are_encoded_together_and_taken_apart() -> None:
    frames = np.arange(30, dtype=np.uint8)[:, None, None, None].repeat(4, axis=3)
    lengths = (7, 5, 9, 6, 3)
    starts = np.cumsum((0, *lengths))
    animations = [
        Animation("a", frames[start : start + length], again)
        for again, (start, length) in enumerate(zip(starts, lengths, strict=False))
    ]
    encoder, told = CountingEncoder(), []
    clips = encode_animations(encoder, iter(animations), told.append, batch=12)  # type: ignore[arg-type]
    assert encoder.batches == [12, 15, 3]
    assert told == [2, 4]
    assert [clip.again for clip in clips] == [0, 1, 2, 3, 4]
    assert [clip.tokens[0, 0] for clip in clips] == starts[:5].tolist()
    assert [len(clip.tokens) for clip in clips] == list(lengths)


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(PRESETS["tiny"])
    return Engine(model.requires_grad_(False), torch.device("cpu"), torch.float32)


def test_a_run_writes_a_prior_of_its_model(engine: Engine, tmp_path: Path) -> None:
    out, seen = tmp_path / "prior.safetensors", []
    recipe = PriorRecipe(steps=2, batch=2, puppets=2, puppet_motions=2)
    bits = run_train_prior(engine, show_sprites(None, 64, recipe), recipe, out, lambda *told: seen.append(told))
    assert bits > 0
    assert load_prior(engine.model, out).sizes.groups == PRESETS["tiny"].groups
    assert seen[-1][:3] == ("training the prior", 2, 2)
    assert out.stat().st_size < 3_000_000


def test_a_run_that_is_stopped_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    def stop(what: str, done: int, *_: object) -> None:
        if what == "training the prior" and done == 1:
            raise KeyboardInterrupt

    recipe = PriorRecipe(steps=2, batch=2, puppets=1, puppet_motions=1)
    with pytest.raises(KeyboardInterrupt):
        run_train_prior(engine, show_sprites(None, 64, recipe), recipe, tmp_path / "prior.safetensors", stop)
    assert not list(tmp_path.iterdir())


def test_recipe_scales() -> None:
    small = PriorRecipe().scale(0.001)
    assert (small.benchmark_characters, small.lpc_characters, small.puppets) == (1, 1, 1)
    assert PriorRecipe().scale(2).puppets == 2 * PriorRecipe().puppets
