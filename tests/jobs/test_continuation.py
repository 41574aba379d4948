"""Continuing an animation without a model: what is asked of engine and prior, and what is made of their answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.continuation import LOOP_DRAWS, ExtendSettings, Source, extend_source, prepare_source
from bitpuppet.jobs.seams import measure_change
from bitpuppet.sprites import MAX_FRAMES, enlarge_frames

from .fakes import FakeDrawer, FakePrior, picture_token

Frames = NDArray[np.uint8]
Tokens = NDArray[np.int64]
CANVAS = 64


@pytest.fixture(scope="module")
def walk() -> Frames:
    puppet = make_puppet(3, plan="biped", size=48)
    return draw_clip(puppet, puppet.motions[4], 6)


@pytest.fixture
def engine() -> FakeDrawer:
    return FakeDrawer()


def numbered(*numbers: int) -> Tokens:
    return np.repeat(np.array(numbers, dtype=np.int64)[:, None], 2, axis=1)


def go_round(tokens: Tokens, frames: int, number: int) -> Tokens:
    """The cycle goes on."""
    return tokens[np.arange(frames) % len(tokens)]


def invent(tokens: Tokens, frames: int, number: int) -> Tokens:
    """Poses that nobody has seen, another one for each continuation."""
    return numbered(*range(20 + number, 20 + number + frames))


def prepare(engine: FakeDrawer, frames: Frames, settings: ExtendSettings, content: Frames | None = None) -> Source:
    return prepare_source(engine, frames, CANVAS, settings, content)


def test_given_frames_come_first_and_poses_of_theirs_are_themselves(engine: FakeDrawer, walk: Frames) -> None:
    spoilt = walk.copy()
    spoilt[:, 0, 0] = (9, 8, 7, 0)  # colour that alpha hides is a part of the file too
    settings = ExtendSettings(9)
    source = prepare(engine, spoilt, settings)
    prior = FakePrior(go_round)
    found = extend_source(engine, prior, source, settings)
    (best,) = found.variations
    np.testing.assert_array_equal(best.frames[:6], spoilt)
    np.testing.assert_array_equal(best.frames[6:], spoilt[np.arange(9) % 6])
    assert (best.copied, best.method, found.tries) == (9, "prior", 1)
    assert not engine.drawn, "nothing new to draw"
    assert prior.asked[0]["goal"] is None
    assert best.join == pytest.approx(measure_change(spoilt[5], spoilt[0]))
    np.testing.assert_array_equal(best.tokens, source.tokens[np.arange(9) % 6])


def test_new_poses_are_drawn_beside_their_neighbours(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(3, seed=7, steps=2)
    source = prepare(engine, walk, settings)
    prior = FakePrior(lambda tokens, frames, number: numbered(30, 1, 31))
    best = extend_source(engine, prior, source, settings).variations[0]
    ((content, tokens, seed, steps),) = engine.drawn
    np.testing.assert_array_equal(tokens, np.concatenate([source.tokens, numbered(30, 1, 31)]))
    assert (seed, steps, best.copied) == (7, 2, 1)
    np.testing.assert_array_equal(content, source.prepared.content)
    np.testing.assert_array_equal(best.frames[7], walk[1])
    own = {tuple(colour) for colour in walk[walk[..., 3] > 0][:, :3]}
    drawn = best.frames[[6, 8]]
    assert {tuple(colour) for colour in drawn[drawn[..., 3] > 0][:, :3]} <= own
    assert np.any(drawn[0] != drawn[1])


def test_redrawing_copies_nothing(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(4, redraw=True)
    best = extend_source(engine, FakePrior(go_round), prepare(engine, walk, settings), settings).variations[0]
    assert best.copied == 0
    assert len(engine.drawn) == 1
    np.testing.assert_array_equal(best.frames[:6], walk)


def test_another_character_is_drawn_in_every_new_frame(engine: FakeDrawer, walk: Frames) -> None:
    other = make_puppet(8, plan="robot", size=32)
    content = draw_clip(other, other.motions[0], 3)
    settings = ExtendSettings(4)
    source = prepare(engine, walk, settings, content)
    assert not source.shown
    best = extend_source(engine, FakePrior(go_round), source, settings).variations[0]
    assert best.copied == 0
    assert best.frames.shape == (10, 48, 48, 4)
    np.testing.assert_array_equal(engine.drawn[0][0], source.prepared.content)
    colours = {tuple(colour) for colour in content[content[..., 3] > 0][:, :3]}
    new = best.frames[6:]
    assert {tuple(colour) for colour in new[new[..., 3] > 0][:, :3]} <= colours


def test_more_views_of_the_same_character_still_let_poses_be_themselves(engine: FakeDrawer, walk: Frames) -> None:
    puppet = make_puppet(3, plan="biped", size=48)
    # The sheet has to stand on the canvas as the walk does, which is what art of one frame size usually does.
    sheet = np.concatenate([walk, draw_clip(puppet, puppet.motions[5], 4)])
    source = prepare(engine, walk, ExtendSettings(4), sheet)
    assert source.shown
    assert len(source.prepared.content) == 10


def test_enlarged_art_stays_enlarged(engine: FakeDrawer, walk: Frames) -> None:
    large = enlarge_frames(walk, 2)
    settings = ExtendSettings(2)
    source = prepare(engine, large, settings)
    best = extend_source(engine, FakePrior(invent), source, settings).variations[0]
    assert best.frames.shape == (8, 96, 96, 4)
    np.testing.assert_array_equal(best.frames[:6], large)
    np.testing.assert_array_equal(best.frames[6:, ::2, ::2], best.frames[6:, 1::2, 1::2])


def test_loop_takes_the_first_that_closes_by_what_the_prior_expects(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(6, loop=True)
    source = prepare(engine, walk, settings)
    far = numbered(30, 31, 32, 33, 34, 35)

    def answer(tokens: Tokens, frames: int, number: int) -> Tokens:
        return go_round(tokens, frames, number)[::-1] if number == 5 else far + number

    prior = FakePrior(answer)
    found = extend_source(engine, prior, source, settings)
    np.testing.assert_array_equal(prior.asked[0]["goal"], source.tokens[0])
    assert len(prior.asked[0]["seeds"]) == LOOP_DRAWS
    best = found.variations[0]
    # Number 5 ends in the pose of the first frame itself: nothing leads there better.
    np.testing.assert_array_equal(best.tokens, go_round(source.tokens, 6, 0)[::-1])
    assert best.seam.closed and best.method == "prior" and found.tries == 1


def test_loop_that_no_draw_closes_is_the_cycle(engine: FakeDrawer) -> None:
    # A square that creeps to the right: wherever a creeping continuation ends, the way back is a jump.
    creeping = np.stack([picture_token(row, CANVAS) for row in numbered(0, 1, 2)]).astype(np.uint8)
    settings = ExtendSettings(9, loop=True)
    source = prepare(engine, creeping, settings)
    np.testing.assert_array_equal(source.tokens, numbered(0, 1, 2))
    prior = FakePrior(lambda tokens, frames, number: numbered(*range(3, 3 + frames)) + number // 2)
    found = extend_source(engine, prior, source, settings)
    best = found.variations[0]
    assert (best.method, best.copied, best.seam.closed) == ("cycle", 9, True)
    assert found.tries == LOOP_DRAWS // 2 + 1, "half of the draws are the same"
    without = extend_source(engine, prior, source, ExtendSettings(9)).variations[0]
    assert not without.seam.closed


def test_cycle_needs_no_prior(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(8, cycle=True, loop=True)
    found = extend_source(engine, None, prepare(engine, walk, settings), settings)
    best = found.variations[0]
    assert (best.method, best.copied, found.tries) == ("cycle", 8, 1)
    assert best.seam.closed
    np.testing.assert_array_equal(best.frames[:6], walk)


def test_variations_differ_and_are_ranked_by_their_seam(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(3, variations=4, seed=11)
    source = prepare(engine, walk, settings)

    def answer(tokens: Tokens, frames: int, number: int) -> Tokens:
        return invent(tokens, frames, min(number, 2))  # the last two of four are the same

    prior = FakePrior(answer)
    found = extend_source(engine, prior, source, settings).variations
    # Three differ, and however hot the prior is asked for a fourth, it knows none.
    assert len(found) == 3
    assert len({one.frames.tobytes() for one in found}) == 3
    seams = [one.seam.seam for one in found]
    assert seams == sorted(seams)
    temperatures = [asked["temperature"] for asked in prior.asked]
    assert temperatures[0] == settings.temperature
    assert temperatures == sorted(temperatures) and temperatures[-1] <= 10
    seeds = [tuple(seed) for asked in prior.asked for seed in asked["seeds"]]
    assert len(set(seeds)) == len(seeds)


def test_hotter_draws_fill_the_variations(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(3, variations=3)
    calls = iter(range(100))

    def answer(tokens: Tokens, frames: int, number: int) -> Tokens:
        return invent(tokens, frames, next(calls) // 3)

    found = extend_source(engine, FakePrior(answer), prepare(engine, walk, settings), settings).variations
    assert len(found) == 3


def test_loops_that_close_are_preferred(engine: FakeDrawer, walk: Frames) -> None:
    settings = ExtendSettings(6, loop=True, variations=2)
    source = prepare(engine, walk, settings)
    backwards = numbered(5, 4, 3, 2, 1, 0)

    def answer(tokens: Tokens, frames: int, number: int) -> Tokens:
        return (go_round(tokens, frames, 0), backwards, invent(tokens, frames, number))[min(number, 2)]

    found = extend_source(engine, FakePrior(answer), source, settings).variations
    assert len(found) == 2
    assert all(one.seam.closed for one in found)
    assert found[0].seam.seam <= found[1].seam.seam


def test_packed_tokens_are_drawn_first(engine: FakeDrawer, walk: Frames) -> None:
    packed = engine.coder.pack(numbered(3, 4, 5))
    settings = ExtendSettings(3)
    source = prepare_source(engine, packed, CANVAS, settings, walk)
    assert source.frames.shape == (3, 48, 48, 4)
    best = extend_source(engine, FakePrior(go_round), source, settings).variations[0]
    assert best.copied == 3
    np.testing.assert_array_equal(best.frames[3:], best.frames[:3])
    with pytest.raises(BitpuppetError, match="packed motion tokens show nobody; say who performs them with --content"):
        prepare_source(engine, packed, CANVAS, settings)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"frames": 0}, r"--frames is 0, it must be from 1 to 4096; change it"),
        ({"frames": -3}, "--frames is -3"),
        ({"frames": 10**9}, "--frames is 1000000000"),
        ({"temperature": 0.0}, "--temperature is 0.0, it must be above 0 and at most 10"),
        ({"temperature": -1.0}, "--temperature is -1.0"),
        ({"temperature": float("nan")}, "--temperature is nan"),
        ({"temperature": float("inf")}, "--temperature is inf"),
        ({"top_p": 0.0}, "--top-p is 0.0, it must be above 0 and at most 1"),
        ({"top_p": 1.01}, "--top-p is 1.01"),
        ({"top_p": float("nan")}, "--top-p is nan"),
        ({"variations": 0}, "--variations is 0, it must be from 1 to 16"),
        ({"variations": 17}, "--variations is 17"),
        ({"seed": -1}, "--seed is -1"),
        ({"steps": 0}, "--steps is 0"),
        ({"cycle": True, "variations": 2}, "--cycle knows one continuation"),
    ],
)
def test_settings_out_of_range(options: dict[str, float], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        ExtendSettings(**({"frames": 4} | options))  # type: ignore[arg-type]


def test_results_that_no_strip_holds_are_refused(engine: FakeDrawer, walk: Frames) -> None:
    with pytest.raises(
        BitpuppetError, match=rf"--frames is {MAX_FRAMES}; motion has 6 .* use at most {MAX_FRAMES - 6}"
    ):
        prepare(engine, walk, ExtendSettings(MAX_FRAMES))
    wide = np.zeros((6, 1000, 1000, 4), dtype=np.uint8)
    with pytest.raises(BitpuppetError, match=r"32 million pixels in all; use at most 26"):
        prepare(engine, wide, ExtendSettings(27))
    with pytest.raises(BitpuppetError, match=r"use at most 10"):
        prepare(engine, wide, ExtendSettings(27, variations=2))
    with pytest.raises(BitpuppetError, match="name fewer motion rows or fewer variations"):
        prepare(engine, wide, ExtendSettings(1, variations=16))


@pytest.mark.parametrize("raised", [MemoryError(), RuntimeError("CUDA out of memory.")])
def test_small_memory_is_told(engine: FakeDrawer, walk: Frames, raised: Exception) -> None:
    settings = ExtendSettings(3)
    source = prepare(engine, walk, settings)
    engine.draws = raised
    with pytest.raises(BitpuppetError, match="the memory is too small for 9 frames"):
        extend_source(engine, FakePrior(invent), source, settings)
    engine.draws = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        extend_source(engine, FakePrior(invent), source, settings)


@pytest.mark.parametrize("stage", ["continuing the motion", "drawing"])
def test_watcher_that_raises_cancels(engine: FakeDrawer, walk: Frames, stage: str) -> None:
    def cancel(what: str, *_: int) -> None:
        if what == stage:
            raise KeyboardInterrupt

    settings = ExtendSettings(3)
    source = prepare(engine, walk, settings)
    with pytest.raises(KeyboardInterrupt):
        extend_source(engine, FakePrior(invent), source, settings, cancel)
