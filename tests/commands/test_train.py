"""`bitpuppet train`: runs, stops, goes on, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bitpuppet.cli import app
from bitpuppet.errors import BitpuppetError

RUN = ["train", "tiny", "--puppets-only", "--cpu", "--pairs", "2"]


def test_a_run_writes_weights_and_can_go_on(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    first = CliRunner().invoke(app, [*RUN, "--steps", "2", "--out", out])
    assert first.exit_code == 0, first.output
    assert "weights after 2 steps" in first.output
    assert (tmp_path / "run" / "tiny.safetensors").stat().st_size > 0
    again = CliRunner().invoke(app, [*RUN, "--steps", "3", "--out", out])
    assert isinstance(again.exception, BitpuppetError) and "--resume" in str(again.exception)
    more = CliRunner().invoke(app, [*RUN, "--steps", "3", "--out", out, "--resume"])
    assert more.exit_code == 0, more.output
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["train", "tiny", "--steps", "0"], "--steps is 0"),
        (["train", "tiny", "--pairs", "-1"], "--pairs is -1"),
        (["train", "nothing"], "nothing"),
        (["train", "tiny", "--puppets-only", "--resume"], "checkpoint"),
        (["train", "tiny", "--puppets-only", "--start-from", "no.safetensors"], "no.safetensors"),
        (["train", "tiny", "--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_named(options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, BitpuppetError)
    assert message in str(result.exception)
