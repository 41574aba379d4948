"""The judge, trained for a moment on puppets, and its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bitpuppet.data.benchmark import Benchmark, split_characters
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation import judge_cache
from bitpuppet.evaluation.judge import HEADS, Judge, JudgeNetwork, StripSource, TrainingStrips, spoil, train_judge
from bitpuppet.evaluation.judge_cache import open_judge, read_judge, write_judge

MakeStrips = Callable[[range], Any]


@pytest.fixture(scope="module")
def trained(puppet_strips: MakeStrips) -> Judge:
    strips = puppet_strips(range(8))
    return train_judge(strips, strips.HEADS, steps=60, batch=16)


def test_judge_learns_what_it_is_shown(trained: Judge, puppet_strips: MakeStrips) -> None:
    others = puppet_strips(range(100, 104))
    answers = trained.classify(others.strips)
    right = [(answers[head].argmax(axis=1) == others.classes[:, n]).mean() for n, head in enumerate(others.HEADS)]
    assert right[0] >= 0.6, "motion of 4"
    assert right[1] >= 0.8, "plan of 2"


def test_answers_are_probabilities(trained: Judge) -> None:
    answers = trained.classify(np.zeros((2, 8, 64, 64, 4), np.uint8))
    assert {head: value.shape for head, value in answers.items()} == {"motion": (2, 4), "plan": (2, 2)}
    assert all(np.allclose(value.sum(axis=1), 1) for value in answers.values())


def test_other_shapes_are_refused(trained: Judge) -> None:
    with pytest.raises(ValueError, match="64x64"):
        trained.classify(np.zeros((1, 6, 64, 64, 4), np.uint8))


def test_same_seed_trains_the_same_judge(puppet_strips: MakeStrips) -> None:
    strips = puppet_strips(range(1))
    state = torch.get_rng_state()
    first, second, other = (
        train_judge(strips, strips.HEADS, steps=2, batch=4, seed=seed).network.state_dict() for seed in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), state), "the global generator is not the judge's"
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["order.weight"], other["order.weight"])


def test_training_can_be_cancelled(puppet_strips: MakeStrips) -> None:
    strips = puppet_strips(range(1))
    told = []

    def cancel(what: str, done: int, of: int) -> None:
        told.append((what, done, of))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_judge(strips, strips.HEADS, steps=5, batch=2, watch=cancel)
    assert told == [("training the judge", 1, 5), ("training the judge", 2, 5)]


def test_spoiling_changes_strips_a_little() -> None:
    strips = torch.zeros(32, 8, 4, 16, 16)
    strips[..., 4:12, 4:12] = 0.8
    spoilt = spoil(strips, torch.Generator().manual_seed(0))
    assert spoilt.shape == strips.shape
    assert not torch.equal(spoilt, strips)
    assert (spoilt - strips).abs().mean() < 0.2


def test_file_keeps_the_judge(trained: Judge, tmp_path: Path) -> None:
    file = tmp_path / "new" / "judge.safetensors"
    known = Judge(trained.network, trained.heads, {"motion": 0.75})
    write_judge(known, file)
    again = read_judge(file, trained.heads)
    assert again is not None
    assert again.accuracy == {"motion": 0.75}
    strips = np.random.default_rng(0).integers(256, size=(2, 8, 64, 64, 4), dtype=np.uint8)
    assert all(np.array_equal(value, again.classify(strips)[head]) for head, value in known.classify(strips).items())
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def damage(file: Path, how: str) -> None:
    """Make a judge's file useless."""
    if how == "missing":
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "cut short":
        file.write_bytes(file.read_bytes()[:-100])
    elif how == "not safetensors":
        file.write_bytes(b"x" * 1000)
    else:
        tensors, heads = load_file(file), '{"motion": 4, "plan": 2}'
        header = {"version": judge_cache.VERSION, "heads": heads, "accuracy": "{}"}
        if how == "other version":
            header["version"] = "0"
        elif how == "other heads":
            header["heads"] = '{"plan": 2, "motion": 4}'
        elif how == "no header":
            header = {}
        elif how == "accuracy is no object":
            header["accuracy"] = "[1]"
        elif how == "tensor missing":
            tensors.pop("order.bias")
        save_file(tensors, file, header)


DAMAGES = ("missing", "empty", "cut short", "not safetensors", "other version", "other heads", "no header")
DAMAGES += ("accuracy is no object", "tensor missing")


@pytest.mark.parametrize("how", DAMAGES)
def test_useless_file_is_no_judge(trained: Judge, tmp_path: Path, how: str) -> None:
    file = tmp_path / "judge.safetensors"
    write_judge(trained, file)
    damage(file, "nothing")
    assert read_judge(file, trained.heads) is not None, "what follows must fail for its own reason"
    damage(file, how)
    assert read_judge(file, trained.heads) is None


def test_corrupt_cache_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def train(source: StripSource, *, watch: object = None) -> Judge:
        assert isinstance(source, TrainingStrips)
        runs.append(source)
        return Judge(JudgeNetwork(HEADS).eval().requires_grad_(False), HEADS, {})

    def measure(judge: Judge, benchmark: Benchmark, characters: list[Any], watch: object) -> dict[str, float]:
        assert {c.number for c in characters} == {c.number for c in split_characters()[1]}
        return {"joint": 0.5}

    monkeypatch.setattr(judge_cache, "train_judge", train)
    monkeypatch.setattr(judge_cache, "measure_judge", measure)
    benchmark, file = Benchmark(tmp_path), tmp_path / "judge.safetensors"
    first = open_judge(benchmark, file)
    assert (len(runs), first.accuracy) == (1, {"joint": 0.5})
    assert open_judge(benchmark, file).accuracy == {"joint": 0.5}
    assert len(runs) == 1, "the file spares the second training"
    file.write_bytes(file.read_bytes()[:500])
    open_judge(benchmark, file)
    assert len(runs) == 2
    open_judge(benchmark, file)
    assert len(runs) == 2, "the corrupt file was replaced"


def test_cancelled_training_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(source: StripSource, *, watch: object = None) -> Judge:
        raise KeyboardInterrupt

    monkeypatch.setattr(judge_cache, "train_judge", train)
    with pytest.raises(KeyboardInterrupt):
        open_judge(Benchmark(tmp_path), tmp_path / "judge.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_cache_is_named(trained: Judge, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(BitpuppetError, match="judge cannot be kept"):
        write_judge(trained, tmp_path / "file" / "judge.safetensors")


def test_training_strips_are_of_training_characters(data_folder: Path) -> None:
    source = TrainingStrips(Benchmark(data_folder / "sprites"))
    assert {c.number for c in source.characters}.isdisjoint({c.number for c in split_characters()[1]})
    strips, classes = source.draw_strips(np.random.default_rng(0), 3)
    assert strips.shape == (3, 8, 64, 64, 4)
    assert classes.shape == (3, len(HEADS))


@pytest.mark.slow
def test_judge_of_the_benchmark_is_right(data_folder: Path, tmp_path: Path) -> None:
    judge = open_judge(Benchmark(data_folder / "sprites"), tmp_path / "judge.safetensors")
    assert all(judge.accuracy[head] >= 0.995 for head in HEADS), judge.accuracy
