"""`bitpuppet train-prior`, and what it makes in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitpuppet.training import prior as training

from .runner import Bitpuppet, Refused, list_files

TRAIN = ("train-prior", "tiny", "--puppets-only", "--characters", "0.01", "--steps", "2")


def test_a_prior_is_trained_and_used(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    weights = model[2:]
    ran = bitpuppet(*TRAIN, "--out", "prior.safetensors", *weights)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("prior.safetensors: a motion prior after 2 steps, ")
    job = ("extend", "--motion", "motion.png", "--frame", "32x32", "--frames", "2", "--out", "out.png")
    assert bitpuppet(*job, *model, "--prior", "prior.safetensors").status == 0


def test_ctrl_c_writes_nothing(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "draw_sequences", stop)
    before = list_files(folder)
    ran = bitpuppet(*TRAIN, "--out", "prior.safetensors", *model[2:])
    assert (ran.status, ran.out, ran.err) == (130, "", "stopped\n")
    assert list_files(folder) == before


@pytest.mark.parametrize(
    ("more", "match", "status"),
    [
        (("--steps", "0"), "--steps is 0, it must be 1 or more", 1),
        (("--seed", "-1"), "--seed is -1", 1),
        (("--characters", "0"), "--characters is 0.0, it must be above 0", 1),
        (("--out", "prior.png"), "prior.png does not end in .safetensors", 1),
        (("--out", "none/prior.safetensors"), "the folder none does not exist", 1),
        (("--data", "none"), "none", 1),
    ],
)
def test_mistakes_are_named(
    refused: Refused, more: tuple[str, ...], match: str, status: int, model: tuple[str, ...]
) -> None:
    job = ("train-prior", "tiny", "--out", "prior.safetensors", *more, *model[2:])
    assert match in refused(*job, status=status, loads="--data" in more)


def test_no_such_preset(refused: Refused) -> None:
    assert "--preset nope" in refused("train-prior", "nope", "--out", "p.safetensors", status=2)
