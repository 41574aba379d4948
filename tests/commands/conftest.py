"""Art of puppets in a folder, random weights of the tiny preset, and the command line to try on them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bitpuppet import cli
from bitpuppet.commands import options
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.prior import MotionPrior, PriorSizes
from bitpuppet.model.prior_weights import save_prior
from bitpuppet.model.weights import load_model, save_weights
from bitpuppet.sprites import Clip, write_sheet, write_strip

from .runner import Bitpuppet, Refused, Run, list_files

CONTENT_SIZE, MOTION_SIZE, MOTION_FRAMES = 48, 32, 8


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the tiny preset that draw something. Those that a training starts with draw nothing at all."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    torch.manual_seed(0)
    state = BitrateControlledDiffusion(PRESETS["tiny"]).state_dict()
    for tensor in state.values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.5)
    save_weights(path, state, PRESETS["tiny"], {})
    return path


@pytest.fixture(scope="session")
def prior(weights: Path) -> Path:
    """A small motion prior with random weights for that model."""
    path = weights.with_name("tiny-prior.safetensors")
    sizes = PriorSizes(PRESETS["tiny"].groups, PRESETS["tiny"].codewords, width=16, blocks=1, heads=2, window=8)
    torch.manual_seed(0)
    save_prior(path, MotionPrior(sizes), load_model("tiny", weights))
    return path


@pytest.fixture(scope="session")
def art(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two puppets: content.png has four rows of 48x48, motion.png is a strip of 32x32; they are drawn once."""
    folder = tmp_path_factory.mktemp("art")
    hero, actor = make_puppet(3, plan="biped", size=CONTENT_SIZE), make_puppet(8, plan="biped", size=MOTION_SIZE)
    write_sheet([Clip(draw_clip(hero, motion)) for motion in hero.motions[:4]], folder / "content.png")
    write_strip(draw_clip(actor, actor.motions[2], MOTION_FRAMES), folder / "motion.png")
    write_strip(np.zeros((4, MOTION_SIZE, MOTION_SIZE, 4), dtype=np.uint8), folder / "empty.png")
    return list_files(folder)


@pytest.fixture
def folder(tmp_path: Path, art: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the command, with the art in it."""
    for name, data in art.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(weights: Path) -> tuple[str, ...]:
    """The options that choose the tiny model, on the device that every machine has."""
    return "--preset", "tiny", "--weights", str(weights), "--device", "cpu"


@pytest.fixture
def bitpuppet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bitpuppet:
    """Run the command line in this process, through `main` as the installed command does."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):  # would make rich draw its bar into the capture
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["bitpuppet", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            assert isinstance(stop.code, int), stop.code
            status = stop.code
        out, err = capsys.readouterr()
        return Run(status, out, err)

    return run


@pytest.fixture
def refused(bitpuppet: Bitpuppet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Run a command that must fail: one line, the status, nothing printed or written; returns the line.

    Unless `loads` is set, it must fail before the model is loaded.
    """

    def run(*arguments: object, status: int = 1, loads: bool = False) -> str:
        if not loads:
            monkeypatch.setattr(options, "load_engine", _load_nothing)
        before = list_files(folder)
        ran = bitpuppet(*arguments)
        assert ran.out == ""
        assert ran.err.startswith("error: ")
        assert ran.err.count("\n") == 1 and ran.err.endswith("\n"), ran.err
        assert len(ran.err) < 600
        assert ran.status == status, ran.err
        assert list_files(folder) == before
        return ran.err

    return run


def _load_nothing(*_: object) -> None:
    raise AssertionError("the model was loaded for a job that cannot be")
