"""Weights files that are missing, damaged or of another model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bitpuppet.model.preset import PRESETS

from .runner import Refused

JOB = ("retarget", "--content", "content.png", "--motion", "motion.png", "--out", "out.png", "--preset", "tiny")
PICKLE = b"\x80\x04\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."
Tensors = dict[str, Tensor]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:200],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: random.Random(0).randbytes(5000),
        lambda data: PICKLE,
        lambda data: b"PK\x03\x04" + data,
        lambda data: data[:100] + b"\xff" * 20 + data[120:],
    ],
    ids=["empty", "5 bytes", "header cut", "half", "a byte short", "random", "pickle", "zip", "header spoilt"],
)
def test_damaged_file(refused: Refused, folder: Path, weights: Path, spoil: Callable[[bytes], bytes]) -> None:
    (folder / "bad.safetensors").write_bytes(spoil(weights.read_bytes()))
    error = refused(*JOB, "--weights", "bad.safetensors", loads=True)
    assert error.startswith("error: bad.safetensors: not a readable weights file of bitpuppet (")
    assert "copy it again" in error


def change(tensors: Tensors, name: str, value: Tensor | None) -> Tensors:
    kept = {key: tensor for key, tensor in tensors.items() if key != name}
    return kept if value is None else kept | {name: value}


QUERIES = "encoder.content_queries"


@pytest.mark.parametrize(
    ("tensors", "sizes", "match"),
    [
        (
            lambda all: change(all, QUERIES, None),
            {},
            f"1 tensors do not fit preset tiny, the first is {QUERIES}",
        ),
        (
            lambda all: change(all, QUERIES, torch.ones(3)),
            {},
            f"1 tensors do not fit preset tiny, the first is {QUERIES}",
        ),
        (lambda all: change(all, "more", torch.ones(3)), {}, "the first is more"),
        (lambda all: all, {"canvas": 32}, "do not fit preset tiny"),
        (lambda all: all, {"canvas": "64"}, "not a readable weights file"),
        (lambda all: all, {"width": 2**40}, "the model cannot be loaded ("),
        (lambda all: all, {"groups": 4.5}, "the model cannot be loaded ("),
        (lambda all: all, {"name": "sprite64"}, "weights of preset sprite64, not of tiny; name another file"),
    ],
    ids=["missing", "shape", "unknown", "other canvas", "text size", "huge size", "broken size", "other preset"],
)
def test_file_of_another_model(
    refused: Refused,
    folder: Path,
    weights: Path,
    tensors: Callable[[Tensors], Tensors],
    sizes: dict[str, object],
    match: str,
) -> None:
    with safe_open(weights, framework="pt") as file:
        preset = json.loads(file.metadata()["preset"])
    header = {"preset": json.dumps(preset | sizes)}
    save_file(tensors(load_file(weights)), folder / "bad.safetensors", header)
    error = refused(*JOB, "--weights", "bad.safetensors", loads=True)
    assert error.startswith("error: bad.safetensors: ")
    assert match in error


def test_weights_of_another_preset(refused: Refused, weights: Path) -> None:
    command = ("retarget", "--content", "content.png", "--motion", "motion.png", "--out", "out.png")
    error = refused(*command, "--weights", weights, loads=True)
    assert f"{weights}: weights of preset tiny, not of sprite64; name another file" in error


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("nope.safetensors", "--weights nope.safetensors does not exist; check the name and the folder"),
        (".", "--weights . is a folder; name the .safetensors file in it"),
        ("x" * 300, "cannot be opened (File name too long); correct the path"),
    ],
)
def test_missing_file_is_told_before_anything_is_loaded(refused: Refused, path: str, match: str) -> None:
    assert match in refused(*JOB, "--weights", path)


def test_preset_without_weights_of_its_own(refused: Refused) -> None:
    error = refused(*JOB, loads=True)
    assert "there are no weights for preset tiny here; name a weights file with --weights" in error


def test_weights_that_draw_no_numbers_write_nothing(refused: Refused, folder: Path, weights: Path) -> None:
    broken = {name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(weights).items()}
    header = {"preset": json.dumps(PRESETS["tiny"].to_metadata())}
    save_file(broken, folder / "nan.safetensors", header)
    error = refused(*JOB, "--weights", "nan.safetensors", loads=True)
    assert "out.png: the model drew no numbers, so nothing was written; name other --weights" in error
