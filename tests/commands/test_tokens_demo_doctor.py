"""`bitpuppet tokens`, `demo` and `doctor`."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.commands import doctor, options
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import read_clip

from .runner import Bitpuppet, Refused, list_files, read_strip

TINY = PRESETS["tiny"]


def test_tokens_are_one_line_a_frame(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    ran = bitpuppet("tokens", "motion.png", "--json", *model)
    assert (ran.status, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert report.keys() == {"tokens", "frames", "bits_per_frame", "preset", "groups", "codewords"}
    tokens = np.array(report["tokens"])
    assert tokens.shape == (report["frames"], TINY.groups) == (8, 4)
    assert (tokens >= 0).all() and (tokens < TINY.codewords).all()
    *lines, summary = bitpuppet("tokens", "motion.png", *model).out.splitlines()
    assert [[int(word) for word in line.split()] for line in lines] == [
        [i, *row] for i, row in enumerate(report["tokens"])
    ]
    assert summary == f"8 frames, {report['bits_per_frame']:.2f} bits per frame"


def test_tokens_of_chosen_rows(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    def read(*chosen: str) -> list[list[int]]:
        ran = bitpuppet("tokens", "content.png", "--frame", "48x48", *chosen, "--json", *model)
        return list(json.loads(ran.out)["tokens"])

    every = read()
    assert read("--motion-rows", "2,0") == every[16:24] + every[:8]


def test_tokens_are_packed_and_come_back(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    ran = bitpuppet("tokens", "motion.png", "--packed", "moves.bptk", "--json", *model)
    report = json.loads(ran.out)
    assert report["packed"] == "moves.bptk"
    assert report["packed_bytes"] == (folder / "moves.bptk").stat().st_size < 60
    assert report["packed_bits_per_frame"] == pytest.approx(report["bits_per_frame"], abs=3)
    back = json.loads(bitpuppet("tokens", "moves.bptk", "--json", *model).out)
    assert back["tokens"] == report["tokens"]
    *_, packed = bitpuppet("tokens", "motion.png", "--packed", "moves.bptk", *model).out.splitlines()
    assert packed.startswith(f"moves.bptk: {report['packed_bytes']} bytes, ")
    job = ("retarget", "--content", "content.png", "--content-frame", "48x48", *model)
    assert bitpuppet(*job, "--motion", "moves.bptk", "--out", "a.png").status == 0
    assert bitpuppet(*job, "--motion", "motion.png", "--motion-frame", "32x32", "--out", "b.png").status == 0
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()


def test_tokens_that_cannot_be_packed_there(refused: Refused) -> None:
    assert "moves.png does not end in .bptk" in refused("tokens", "motion.png", "--packed", "moves.png")
    assert "the folder none does not exist" in refused("tokens", "motion.png", "--packed", "none/moves.bptk")


def test_demo_writes_what_it_says(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    before = list_files(folder)
    ran = bitpuppet("demo", "--out", "made/here [1]", *model)
    assert (ran.status, ran.err) == (0, "")
    written = {name: data for name, data in list_files(folder).items() if name not in before}
    assert {Path(name).name for name in written} == {
        "character.png", "motion.png", "retargeted.png", "retargeted.gif", "contact-sheet.png"
    }  # fmt: skip
    assert all(str(Path(name)) in ran.out for name in written)
    strip = read_strip(folder / "made/here [1]/retargeted.png", 48, 48)
    assert len(strip) == len(read_clip(folder / "made/here [1]/retargeted.gif")) == 8
    assert bitpuppet("demo", "--out", "again", *model).status == 0
    again = list_files(folder / "again")
    assert again == list_files(folder / "made/here [1]"), "the same seed gives the same bytes"


def test_demo_into_a_file(refused: Refused, model: tuple[str, ...]) -> None:
    assert "--out motion.png is a file; name a folder" in refused("demo", "--out", "motion.png", *model)


def test_demo_into_a_folder_that_may_not_be_changed(
    refused: Refused, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # permissions do not bind root
    error = refused("demo", "--out", "locked", *model)
    assert "--out locked may not be changed; give yourself the permission or name another folder" in error


def test_demo_without_weights_leaves_no_folder(refused: Refused, folder: Path) -> None:
    refused("demo", "--out", "made", "--preset", "tiny", loads=True)
    assert not (folder / "made").exists()


def test_doctor_finds_all_well(bitpuppet: Bitpuppet, model: tuple[str, ...]) -> None:
    ran = bitpuppet("doctor", *model)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.endswith("everything works\n")
    ran = bitpuppet("doctor", "--json", *model)
    found = json.loads(ran.out)
    assert found["problems"] == []
    assert {"bitpuppet", "python", "device", "weights", "data", *doctor.LIBRARIES} <= found.keys()


def test_doctor_tells_of_missing_weights_and_goes_on(bitpuppet: Bitpuppet) -> None:
    ran = bitpuppet("doctor", "--preset", "tiny")
    assert ran.status == 1
    assert "problem: " in ran.out
    assert "there are no weights for preset tiny here; name a weights file with --weights" in ran.out
    assert "everything works" not in ran.out
    assert {"device", "data"} <= {line.split()[0] for line in ran.out.splitlines()}


def test_doctor_tells_of_a_missing_library(
    bitpuppet: Bitpuppet, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> str:
        if name == "einops":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", find)
    found = json.loads(bitpuppet("doctor", "--json", *model).out)
    assert found["problems"] == ["einops is not installed; install bitpuppet again"]


@pytest.mark.parametrize("raised", [ImportError("No module named 'torch'"), OSError("a DLL is missing")])
def test_doctor_survives_a_library_that_does_not_load(
    bitpuppet: Bitpuppet, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(options, "load_engine", fail)
    ran = bitpuppet("doctor", *model)
    assert ran.status == 1
    assert f"problem: a library does not load ({raised}); install bitpuppet again" in ran.out


def test_doctor_knows_no_such_preset(refused: Refused) -> None:
    assert "--preset nope: there is no such preset" in refused("doctor", "--preset", "nope", status=2)
