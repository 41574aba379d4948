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
    slower = CliRunner().invoke(app, [*RUN, "--steps", "4", "--out", out, "--resume", "--rates", "0.1"])
    assert isinstance(slower.exception, BitpuppetError) and "give --rates as it was for" in str(slower.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["train", "tiny", "--steps", "0"], "--steps is 0"),
        (["train", "tiny", "--pairs", "-1"], "--pairs is -1"),
        (["train", "tiny", "--rates", "0"], "--rates is 0"),
        (["train", "tiny", "--rates", "nan"], "--rates is nan"),
        (["train", "nothing"], "nothing"),
        (["train", "tiny", "--puppets-only", "--resume"], "checkpoint"),
        (["train", "tiny", "--puppets-only", "--start-from", "no.safetensors"], "no.safetensors"),
        (["train", "tiny", "--data", "nowhere"], "nowhere"),
        (["train", "--from", "sprite64", "nobody"], "nobody"),
        (["train", "--from", "sprite64", "set", "--minutes", "0"], "--minutes is 0"),
        (["train", "--from", "no.safetensors", "set"], "no.safetensors"),
    ],
)
def test_mistakes_are_named(options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, BitpuppetError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["train", "--from", "nothing", "set"], "no such preset"),
        (["train", "--from", "sprite64", "set", "--temporal"], "--temporal"),
        (["train", "--from", "sprite64", "set", "--learn", "motion"], "--learn"),
        (["train", "--from", "sprite64", "set", "--rates", "0.1"], "--rates"),
        (["train", "tiny", "--learn", "colours"], "--learn"),
        (["train", "tiny", "--minutes", "3"], "--from"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2 and message in result.output


def test_a_base_learns_a_set_and_goes_on(tmp_path: Path) -> None:
    import torch

    from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
    from bitpuppet.model.bcd import BitrateControlledDiffusion
    from bitpuppet.model.preset import PRESETS
    from bitpuppet.model.weights import save_weights
    from bitpuppet.sprites import write_strip

    for seed in (1, 2):
        puppet = make_puppet(seed, plan="biped", size=24)
        folder = tmp_path / "duo" / f"puppet{seed}"
        folder.mkdir(parents=True)
        for animation, direction in (("walk", "down"), ("attack", "left")):
            write_strip(draw_clip(puppet, Motion(animation, direction), 3), folder / f"{animation}_24x24.png")
    torch.manual_seed(0)
    weights = tmp_path / "base.safetensors"
    save_weights(weights, BitrateControlledDiffusion(PRESETS["tiny"]).state_dict(), PRESETS["tiny"], {})
    run = ["train", "--from", str(weights), str(tmp_path / "duo"), "--out", str(tmp_path / "run"), "--cpu"]
    run += ["--puppets-only", "--steps", "2", "--pairs", "1"]
    first = CliRunner().invoke(app, run)
    assert first.exit_code == 0, first.output
    assert "duo.safetensors: done after 2 steps" in first.output and "about" in first.output
    again = CliRunner().invoke(app, run)
    assert isinstance(again.exception, BitpuppetError) and "--resume" in str(again.exception)
    assert CliRunner().invoke(app, [*run, "--resume"]).exit_code == 0
