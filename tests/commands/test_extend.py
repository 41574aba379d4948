"""`bitpuppet extend` with random weights of a tiny model and a tiny prior."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .runner import Bitpuppet, Refused, list_files, read_strip

JOB = ("extend", "--motion", "motion.png", "--frame", "32x32", "--out", "out.png")


@pytest.fixture
def options(model: tuple[str, ...], prior: Path) -> tuple[str, ...]:
    return *model, "--prior", str(prior)


def test_given_frames_then_new_ones(bitpuppet: Bitpuppet, folder: Path, options: tuple[str, ...]) -> None:
    ran = bitpuppet(*JOB, "--frames", "5", "--seed", "3", "--json", *options)
    assert ran.status == 0
    report = json.loads(ran.out)
    frames = read_strip(folder / "out.png", 32, 32)
    assert len(frames) == report["frames"] == 13
    np.testing.assert_array_equal(frames[:8], read_strip(folder / "motion.png", 32, 32))
    assert {"seam", "largest_inside", "loop_closed", "method", "tries", "seed", "steps", "preset"} <= report.keys()
    assert report["loop_closed"] is (report["seam"] <= report["largest_inside"])
    assert {"imports", "loading", "reading", "model", "saving"} == report["seconds"].keys()
    again = bitpuppet(*JOB[:-1], "again.png", "--frames", "5", "--seed", "3", *options)
    assert again.out.startswith("again.png: 8 given frames of 32x32 and 5 new ones, seam ")
    assert (folder / "again.png").read_bytes() == (folder / "out.png").read_bytes()


def test_loop_and_variations(bitpuppet: Bitpuppet, folder: Path, options: tuple[str, ...]) -> None:
    ran = bitpuppet(*JOB, "--frames", "4", "--loop", "--variations", "2", "--temperature", "2", "--json", *options)
    assert ran.status == 0
    report = json.loads(ran.out)
    assert [one["out"] for one in report["variations"]] == ["out-1.png", "out-2.png"]
    assert report["variations"][0]["seam"] <= report["variations"][1]["seam"]
    one, two = (read_strip(folder / f"out-{number}.png", 32, 32) for number in (1, 2))
    assert len(one) == len(two) == 12
    assert np.any(one != two)
    assert not (folder / "out.png").exists()


def test_cycle_needs_no_prior(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    ran = bitpuppet(*JOB, "--frames", "8", "--loop", "--cycle", "--json", *model)
    assert ran.status == 0
    report = json.loads(ran.out)
    assert (report["method"], report["copied_frames"], report["loop_closed"]) == ("cycle", 8, True)
    given = read_strip(folder / "motion.png", 32, 32)
    np.testing.assert_array_equal(read_strip(folder / "out.png", 32, 32), np.concatenate([given, given]))


def test_packed_motion(bitpuppet: Bitpuppet, folder: Path, options: tuple[str, ...], model: tuple[str, ...]) -> None:
    assert bitpuppet("tokens", "motion.png", "--frame", "32x32", "--packed", "moves.bptk", *model).status == 0
    job = ("extend", "--motion", "moves.bptk", "--content", "content.png", "--content-frame", "48x48")
    assert bitpuppet(*job, "--frames", "2", "--out", "out.png", *options).status == 0
    assert len(read_strip(folder / "out.png", 48, 48)) == 10


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("--frames", "0"), "--frames is 0, it must be from 1 to 4096; change it"),
        (("--frames", "1000000"), "--frames is 1000000, it must be from 1 to 4096"),
        (("--frames", "x"), "--frames"),
        (("--frames", "4", "--temperature", "0"), "--temperature is 0.0, it must be above 0"),
        (("--frames", "4", "--temperature", "nan"), "--temperature is nan"),
        (("--frames", "4", "--top-p", "0"), "--top-p is 0.0, it must be above 0 and at most 1"),
        (("--frames", "4", "--top-p", "1.5"), "--top-p is 1.5"),
        (("--frames", "4", "--variations", "0"), "--variations is 0, it must be from 1 to 16"),
        (("--frames", "4", "--cycle", "--variations", "2"), "--cycle knows one continuation"),
        (("--frames", "4", "--seed", "-1"), "--seed is -1"),
        ((), "--frames"),
    ],
)
def test_bad_usage(refused: Refused, more: tuple[str, ...], match: str) -> None:
    assert match in refused(*JOB, *more, status=2)


def test_files_that_cannot_be(refused: Refused, folder: Path, options: tuple[str, ...]) -> None:
    def fail(*more: object, loads: bool = False) -> str:
        return refused(*JOB, *more, *options, loads=loads)

    assert "--frames is 4090; motion.png has 8 frames of 32x32" in fail("--frames", 4090)
    assert "use at most 4088" in fail("--frames", 4090)
    assert "--prior none.safetensors does not exist" in refused(*JOB, "--frames", 2, "--prior", "none.safetensors")
    assert "would overwrite its own input" in fail("--frames", 2, "--out", "motion.png")
    assert "empty.png: every cell is transparent" in fail("--frames", 2, "--motion", "empty.png")
    (folder / "bad.bptk").write_bytes(b"BPTK\x01 cut off")
    assert "bad.bptk: the packed tokens are damaged or cut off" in fail("--frames", 2, "--motion", "bad.bptk")


def test_prior_of_another_model(refused: Refused, folder: Path, model: tuple[str, ...], weights: Path) -> None:
    assert "not a readable motion prior" in refused(*JOB, "--frames", 2, *model, "--prior", weights, loads=True)
    error = refused(*JOB, "--frames", 2, *model, loads=True)
    assert "there is no motion prior for preset tiny here; name one with --prior or train one with" in error


def test_tokens_of_another_model(
    bitpuppet: Bitpuppet, refused: Refused, folder: Path, options: tuple[str, ...], model: tuple[str, ...]
) -> None:
    bitpuppet("tokens", "motion.png", "--frame", "32x32", "--packed", "moves.bptk", *model)
    data = bytearray((folder / "moves.bptk").read_bytes())
    from bitpuppet.model.packing import PackedTokens

    packed = PackedTokens.from_bytes(bytes(data))
    other = PackedTokens("tiny", b"8 bytes.", packed.frames, packed.groups, packed.codewords, packed.payload)
    (folder / "moves.bptk").write_bytes(other.to_bytes())
    job = ("extend", "--motion", "moves.bptk", "--frames", "2", "--out", "out.png")
    assert "packed motion tokens show nobody; say who performs them with --content" in refused(
        *job, *options, loads=True
    )
    error = refused(*job, "--content", "content.png", "--frame", "48x48", *options, loads=True)
    assert "moves.bptk: tokens of other weights of preset tiny" in error
    job = ("retarget", "--motion", "moves.bptk", "--content", "content.png", "--frame", "48x48", "--out", "out.png")
    assert "moves.bptk: tokens of other weights of preset tiny" in refused(*job, *model, loads=True)


def test_stopped_by_ctrl_c(
    bitpuppet: Bitpuppet, folder: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bitpuppet.model.prior import MotionPrior

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = list_files(folder)
    monkeypatch.setattr(MotionPrior, "continue_motion", stop)
    ran = bitpuppet(*JOB, "--frames", "5", *options)
    assert (ran.status, ran.out, ran.err) == (130, "", "stopped\n")
    assert list_files(folder) == before
