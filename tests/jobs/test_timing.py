"""Timing: which frames are shown, in what order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.timing import Beat, Retime, check_locked, find_gaps, parse_order, retime, splice
from bitpuppet.sprites import MAX_FRAMES


def numbers(timing: list[Beat]) -> list[object]:
    return [beat.to_json() for beat in timing]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Retime(), [0, 1, 2, 3]),
        (Retime(order=(0, 0, 3, 1)), [0, 0, 3, 1]),
        (Retime(hold=2), [0, 0, 1, 1, 2, 2, 3, 3]),
        (Retime(drop=2), [0, 2]),
        (Retime(drop=9), [0]),
        (Retime(ping_pong=True), [0, 1, 2, 3, 2, 1]),
        (Retime(order=(2,), ping_pong=True), [2]),
        (Retime(order=(1, 3), ping_pong=True), [1, 3]),
        (Retime(order=(3, 2, 1, 0), drop=2, ping_pong=True, hold=2), [3, 3, 1, 1]),
        (Retime(order=(0, 1), between=1), [0, [0, 1, 0.5], 1]),
        (
            Retime(order=(0, 3), between=3, hold=2),
            [0, 0, *[[0, 3, s] for s in (0.25, 0.25, 0.5, 0.5, 0.75, 0.75)], 3, 3],
        ),
        (Retime(order=(2, 2), between=2), [2, 2, 2, 2]),
    ],
)
def test_plans(plan: Retime, expected: list[object]) -> None:
    assert numbers(retime(4, plan)) == expected


def test_only_an_empty_plan_does_nothing() -> None:
    assert Retime().does_nothing
    assert not Retime(order=(0,)).does_nothing
    assert not Retime(hold=2).does_nothing


def test_splice_numbers_on_and_blends_at_the_joint() -> None:
    one, other = retime(2, Retime()), retime(3, Retime(), start=2)
    assert numbers(splice(one, other)) == [0, 1, 2, 3, 4]
    assert numbers(splice(one, other, 1)) == [0, 1, [1, 2, 0.5], 2, 3, 4]


def test_gaps_are_the_stretches_between_two_given_frames() -> None:
    assert find_gaps(retime(3, Retime(between=2))) == [(1, 3), (4, 6)]
    assert find_gaps(retime(2, Retime(between=1, hold=2))) == [(2, 4)]
    assert find_gaps(retime(3, Retime())) == []


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        (Retime(order=(0, 4)), "--order names frame 4; the motion has 4 frames, numbers 0 to 3"),
        (Retime(hold=MAX_FRAMES), f"the new timing has {4 * MAX_FRAMES} frames, the limit is {MAX_FRAMES}"),
        (Retime(between=MAX_FRAMES), f"the limit is {MAX_FRAMES}"),
    ],
)
def test_plans_that_do_not_fit(plan: Retime, match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        retime(4, plan)


def test_frame_of_a_still() -> None:
    with pytest.raises(BitpuppetError, match="the motion has 1 frame, number 0"):
        retime(1, Retime(order=(1,)))


@pytest.mark.parametrize("options", [{"hold": 0}, {"drop": 0}, {"between": -1}, {"hold": MAX_FRAMES + 1}])
def test_numbers_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(BitpuppetError, match="it must be from"):
        Retime(**options)


def test_splice_that_is_too_long() -> None:
    timing = retime(4, Retime(hold=MAX_FRAMES // 4))
    with pytest.raises(BitpuppetError, match="the limit"):
        splice(timing, timing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,0,1,2", (0, 0, 1, 2)),
        ("0-3,2-0", (0, 1, 2, 3, 2, 1, 0)),
        (" 4 ", (4,)),
        ("2-2", (2,)),
        ("1 - 2, 5", (1, 2, 5)),
    ],
)
def test_order_is_read(text: str, expected: tuple[int, ...]) -> None:
    assert parse_order(text) == expected


@given(st.text(alphabet="0123456789,- x", max_size=30))
def test_any_text_is_an_order_or_one_line(text: str) -> None:
    try:
        found = parse_order(text)
    except BitpuppetError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300
    else:
        assert 1 <= len(found) <= MAX_FRAMES


@pytest.mark.parametrize("text", ["", ",", "1,", "-1", "1--2", "a", "0-9999999", "0-999999", "1-", "x" * 5000])
def test_no_order(text: str) -> None:
    with pytest.raises(BitpuppetError, match="--order"):
        parse_order(text)


def test_locked_frames_must_be_there() -> None:
    check_locked((0, 3), 4)
    with pytest.raises(BitpuppetError, match="--lock names frame 4, the result has 4 frames, numbers 0 to 3"):
        check_locked((0, 4), 4)
