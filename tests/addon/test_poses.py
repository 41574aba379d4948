"""Motion on the timeline: what edited keys show, what is drawn anew, and that locked frames stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.poses import Key, Plan, Shown, assemble, lay_out, read_plan
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(-50, 50), st.integers(1, 7))
def test_untouched_keys_show_the_strip_as_it_was(count: int, start: int, step: int) -> None:
    assert read_plan(lay_out(count, start, step), count, step).poses == tuple(range(count))


@pytest.mark.parametrize(
    ("keys", "end", "wanted"),
    [
        ([Key(1, 0), Key(3, 1), Key(9, 2)], None, (0, 1, 1, 1, 2)),  # moved: the pose before it holds
        ([Key(1, 0), Key(5, 2)], None, (0, 0, 2)),  # deleted
        ([Key(5, 0), Key(3, 1), Key(1, 2)], None, (2, 1, 0)),  # turned round
        ([Key(1, 0), Key(2, 1), Key(5, 2)], None, (0, 1, 2)),  # between two samples: at the later one
        ([Key(1, 0), Key(2, 1)], None, (0, 1)),  # the last one is not lost
        ([Key(1, 2), Key(3, 0)], 9, (2, 0, 0, 0)),  # repeated: held to the end
        ([Key(7, 1)], None, (1,)),
    ],
)
def test_edited_keys_are_sampled(keys: list[Key], end: float | None, wanted: tuple[int, ...]) -> None:
    assert read_plan(keys, 3, 2, end).poses == wanted


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "no pose keys"),
        ([Key(1, 3)], "names pose 3, the motion has poses 0 to 2"),
        ([Key(0, 0), Key(1e6, 1)], "at most"),
    ],
)
def test_what_cannot_be_shown_is_told(keys: list[Key], words: str) -> None:
    with pytest.raises(ArtError, match=words):
        read_plan(keys, 3, 1)


def test_held_poses_are_drawn_once_and_locked_ones_not_at_all() -> None:
    plan = read_plan([Key(0, 2), Key(1, 0, locked=True), Key(2, 1), Key(4, 2)], 3, 1)
    assert plan == Plan((2, 0, 1, 1, 2), (False, True, False, False, False))
    assert [one.pose for one in plan.drawn] == [2, 1]


def test_in_betweens_lie_as_far_on_the_way_as_their_keys() -> None:
    keys = [Key(0, 2), Key(1, 2, between=True), Key(4, 0), Key(6, 0, between=True), Key(7, 0, between=True)]
    plan = read_plan(keys, 3, 1, end=8)
    assert plan.shown[1:4] == (Shown(2, 0, 25),) * 3, "it holds"
    assert plan.shown[6:] == (Shown(0, 2, 50), Shown(0, 2, 75)), "the first pose comes after the last one"
    assert plan.shown[0] == Shown(2, 2, 0) and plan.drawn == tuple(dict.fromkeys(plan.shown))


@pytest.mark.parametrize("keys", [[Key(0, 0, between=True), Key(2, 1)], [Key(0, 0), Key(2, 1, between=True)]])
def test_in_betweens_of_nothing_are_told(keys: list[Key]) -> None:
    with pytest.raises(ArtError, match="needs a pose before it and one after it"):
        read_plan(keys, 2, 1)


def test_locked_frames_stay_byte_for_byte() -> None:
    rng = np.random.default_rng(0)
    strip, drawn = (rng.integers(0, 256, (count, 4, 5, 4), dtype=np.uint8) for count in (3, 2))
    plan = Plan((2, 0, 1, 1, 2), (False, True, False, False, False))
    result = assemble(plan, strip, drawn)
    assert (result == np.stack([drawn[0], strip[0], drawn[1], drawn[1], drawn[0]])).all()


def test_all_locked_needs_nothing_drawn() -> None:
    strip = np.arange(2 * 4, dtype=np.uint8).reshape(2, 1, 1, 4)
    assert (assemble(Plan((1, 0, 1), (True,) * 3), strip, None) == strip[[1, 0, 1]]).all()


def test_frames_of_two_sizes_are_not_mixed() -> None:
    strip, drawn = np.zeros((2, 4, 4, 4), dtype=np.uint8), np.zeros((1, 8, 8, 4), dtype=np.uint8)
    with pytest.raises(ArtError, match="4 x 4 pixels, the new ones 8 x 8"):
        assemble(Plan((0, 1), (True, False)), strip, drawn)
    assert assemble(Plan((1, 1), (False, False)), strip, drawn).shape == (2, 8, 8, 4)


def test_too_few_drawn_frames_are_told() -> None:
    with pytest.raises(ArtError, match="1 frames were drawn for 2 poses"):
        assemble(Plan((0, 1), (False, False)), np.zeros((2, 4, 4, 4), np.uint8), np.zeros((1, 4, 4, 4), np.uint8))
