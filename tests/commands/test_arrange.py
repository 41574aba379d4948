"""`bitpuppet arrange` with random weights of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.commands import options as shared

from .runner import Bitpuppet, Refused, read_strip

JOB = ("arrange", "--motion", "motion.png", "--frame", "32x32", "--out", "out.png")


def test_own_frames_need_no_model(bitpuppet: Bitpuppet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the model was loaded for nothing")

    monkeypatch.setattr(shared, "load_engine", fail)
    given = read_strip(folder / "motion.png", 32, 32)
    twice = np.concatenate([given, given])  # frames of --then are numbered on
    for more, expected in (
        (("--hold", "2"), [number // 2 for number in range(16)]),
        (("--drop", "3"), [0, 3, 6]),
        (("--ping-pong",), [*range(8), *range(6, 0, -1)]),
        (("--order", "0,0,7-5"), [0, 0, 7, 6, 5]),
        (("--then", "motion.png"), list(range(16))),
    ):
        ran = bitpuppet(*JOB, *more, "--json")
        assert (ran.status, ran.err) == (0, ""), more
        np.testing.assert_array_equal(read_strip(folder / "out.png", 32, 32), twice[expected])
        assert json.loads(ran.out)["timing"] == expected
    ran = bitpuppet(*JOB)
    assert ran.out == "out.png: 8 frames of 32x32, 8 as they were, 0 drawn\n"


@pytest.mark.parametrize("by", ["codewords", "prior"])
def test_in_betweens(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], prior: Path, by: str) -> None:
    ran = bitpuppet(*JOB, "--order", "0,4", "--in-between", "2", "--by", by, "--json", *model, "--prior", prior)
    assert ran.status == 0
    report = json.loads(ran.out)
    assert (report["kept_frames"], report["drawn_frames"], report["preset"]) == (2, 2, "tiny")
    frames = read_strip(folder / "out.png", 32, 32)
    np.testing.assert_array_equal(frames[[0, 3]], read_strip(folder / "motion.png", 32, 32)[[0, 4]])


def test_locked_frames_of_a_performance(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    job = (*JOB, "--motion-frame", "32x32", "--content", "content.png", "--content-frame", "48x48")
    assert bitpuppet(*job, *model).status == 0
    first = read_strip(folder / "out.png", 48, 48)
    ran = bitpuppet(*job, "--lock", "0,3", "--seed", "5", "--json", *model)
    report = json.loads(ran.out)
    assert (report["kept_frames"], report["drawn_frames"]) == (2, 6)
    second = read_strip(folder / "out.png", 48, 48)
    np.testing.assert_array_equal(second[[0, 3]], first[[0, 3]])
    assert np.any(second != first)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("--hold", "0"), "--hold is 0, it must be from 1"),
        (("--drop", "-1"), "--drop is -1"),
        (("--in-between", "-1"), "--in-between is -1"),
        (("--order", "a"), "--order is 'a', frames are numbers counted from 0"),
        (("--lock", "x"), "--lock is 'x'"),
        (("--blend", "2"), "add --then"),
        (("--by", "magic"), "--by"),
    ],
)
def test_bad_usage(refused: Refused, more: tuple[str, ...], match: str) -> None:
    assert match in refused(*JOB, *more, status=2)


def test_what_the_files_do_not_hold(refused: Refused) -> None:
    assert "--order names frame 8; the motion has 8 frames, numbers 0 to 7" in refused(*JOB, "--order", "0,8")
    assert "out.png does not exist, and --lock keeps" in refused(*JOB, "--lock", "0")
    assert "--lock names frame 99, the result has 8 frames" in refused(*JOB, "--lock", "99")
    assert "the limit is 4096" in refused(*JOB, "--hold", "4096")
    assert "content.png has frames of 48x48" in refused(*JOB, "--then", "content.png", "--then-frame", "48x48")
