"""`bitpuppet eval ablation` and `eval probes` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bitpuppet.data.folder import VARIABLE
from bitpuppet.evaluation import ablation

from .runner import Bitpuppet, Refused

QUICK = ("eval", "ablation", "--puppets-only", "--steps", 1, "--pairs", 1, "--cpu", "--rows")


def test_rows_go_into_the_file_and_the_table_to_stdout(
    bitpuppet: Bitpuppet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(ablation.PRESET, width=32, heads=2, encoder_blocks=1, denoiser_blocks=1)
    monkeypatch.setattr(ablation, "PRESET", small)
    ran = bitpuppet(*QUICK, "bits-2")
    assert ran.status == 0, ran.err
    assert "\nbits-2 " in ran.out and ran.out.endswith("ablation.json\n")
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    again = bitpuppet(*QUICK, "bits-2, bits-160", "--json")
    assert again.status == 0, again.err
    values = json.loads(again.out)
    assert list(values["rows"]) == ["bits-2", "bits-160"]
    assert values == json.loads((folder / "ablation.json").read_text())
    assert (folder / "ablation-runs" / "bits-160" / "metrics.jsonl").exists()


def test_mistakes_are_named(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no row 'all'" in refused(*QUICK, "all")
    assert "--threads is 0" in refused(*QUICK, "bits-2", "--threads", 0)
    assert "--steps is 0" in refused("eval", "ablation", "--steps", 0)
    assert "--data nowhere" in refused("eval", "ablation", "--data", "nowhere")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    assert VARIABLE in refused("eval", "ablation")
    assert VARIABLE in refused("eval", "probes")


def test_probes_say_what_is_out_of_range(
    refused: Refused, model: tuple[str, ...], data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(data_folder))
    assert "--clips is 10" in refused("eval", "probes", "--clips", 10, *model, loads=True)
