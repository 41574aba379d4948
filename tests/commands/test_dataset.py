"""Tests of `bitpuppet dataset`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bitpuppet.cli import app
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError

RUNNER = CliRunner()


@pytest.fixture
def sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of two puppets; the user's folder of sets is empty."""
    monkeypatch.setenv("BITPUPPET_SETS", str(tmp_path / "sets"))
    folder = tmp_path / "puppets"
    for seed in (3, 8):
        puppet = make_puppet(seed, size=32)
        place = folder / f"puppet{seed}"
        place.mkdir(parents=True)
        for motion in puppet.motions[:2]:
            frames = draw_clip(puppet, motion, 4)
            size = f"{frames.shape[2]}x{frames.shape[1]}"
            Image.fromarray(np.concatenate(list(frames), axis=1)).save(place / f"{motion}_{size}.png")
    return folder


def run(*args: object, status: int = 0) -> str:
    result = RUNNER.invoke(app, ["dataset", *map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.output


def test_check_counts_and_reports(sheets: Path, tmp_path: Path) -> None:
    output = run("check", sheets, "--report", tmp_path / "report.html")
    assert "puppet3" in output
    assert "2 characters, 4 animations, 16 frames" in output
    assert (tmp_path / "report.html").read_text().count("<figure>") == 4
    found = json.loads(run("check", sheets, "--json"))
    assert found["usable"]
    assert [len(one["animations"]) for one in found["characters"]] == [2, 2]
    assert found["report"] is None


def test_programs_are_told_each_step_and_may_stop_it(sheets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    monkeypatch.setattr("signal.signal", lambda *values: taken.append(values))
    lines = run("add", sheets, "--name", "zoo", "--json", "--raw-progress").splitlines()
    assert json.loads(lines[-1])["characters"] == 2
    assert "Progress 0 of 2 copying" in lines and "Progress 1 of 2 copying" in lines
    assert taken == [(signal.SIGTERM, signal.default_int_handler)]


def test_check_fails_where_nothing_can_be_driven(sheets: Path) -> None:
    sheet = next((sheets / "puppet3").iterdir())
    output = run("check", sheet, status=1)
    assert "error: " in output
    assert "no character has two animations" in output


def test_a_set_is_added_listed_and_removed(sheets: Path, tmp_path: Path) -> None:
    assert "no sets yet" in run("list")
    assert "2 characters" in run("add", sheets, "--name", "mine")
    assert json.loads(run("list", "--json")) == {"sets": [{"name": "mine", "path": str(tmp_path / "sets" / "mine")}]}
    assert "mine" in run("list")
    with pytest.raises(BitpuppetError, match="already"):
        run("add", sheets, "--name", "mine")
    run("add", sheets, "--name", "mine", "--replace")
    assert json.loads(run("check", tmp_path / "sets" / "mine", "--json"))["usable"]
    assert "removed" in run("remove", "mine")
    assert "no sets yet" in run("list")


def test_added_set_says_what_hinders_its_training(sheets: Path) -> None:
    assert json.loads(run("add", sheets, "--name", "good", "--json"))["hindrances"] == []
    sheet = next((sheets / "puppet3").iterdir())
    assert "error: " in run("add", sheet, "--name", "one")
    told = json.loads(run("add", sheet, "--name", "one", "--replace", "--json"))["hindrances"]
    assert "no character has two animations" in told[0]


def test_bad_options_are_bad_usage(sheets: Path) -> None:
    assert "--key is 'pink'" in " ".join(run("check", sheets, "--key", "pink", status=2).split())
    run("check", sheets, "--frame", "big", status=2)
    run("add", sheets, "--name", "a/b", status=2)
    run("add", sheets, status=2)
