"""The trained judge on disk, so that it is trained once."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bitpuppet.data.benchmark import Benchmark, split_characters
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.judge import HEADS, Judge, JudgeNetwork, TrainingStrips, Watch, measure_judge, train_judge

VERSION = "1"
"""Raise it whenever the judge's network, data or training changes: older files are then trained anew."""


def find_judge() -> Path:
    """Where the judge is kept: a file in the user's cache folder."""
    return Path(platformdirs.user_cache_dir("bitpuppet")) / "judge.safetensors"


def open_judge(benchmark: Benchmark, path: Path | None = None, *, watch: Watch | None = None) -> Judge:
    """The benchmark's judge: read from its file, or trained, measured on the 296 test characters and written.

    Args:
        benchmark: draws the training and the test characters.
        path: the file; None for the one in the user's cache folder. A missing, damaged or older file is replaced.
        watch: told about the training; what it raises cancels it, and then no file is written.

    Raises:
        BitpuppetError: the file cannot be written.
    """
    file = path or find_judge()
    judge = read_judge(file, HEADS)
    if judge is not None:
        return judge
    _make_folder(file)  # a folder that cannot be made is better known before two minutes of training
    judge = train_judge(TrainingStrips(benchmark), watch=watch)
    _, test = split_characters()
    judge = Judge(judge.network, judge.heads, measure_judge(judge, benchmark, test, watch))
    write_judge(judge, file)
    return judge


def read_judge(path: Path, heads: Mapping[str, int]) -> Judge | None:
    """The judge of a file, or None where it is missing, damaged, of another version or has other heads."""
    # What is wrong with the file does not matter: a judge can always be trained again.
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if header.get("version") != VERSION or list(json.loads(header["heads"]).items()) != list(heads.items()):
            return None
        accuracy = {str(head): float(share) for head, share in json.loads(header["accuracy"]).items()}
        with torch.random.fork_rng(devices=[]):
            network = JudgeNetwork(heads)
        network.load_state_dict(state)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None
    return Judge(network.eval().requires_grad_(False), dict(heads), accuracy)


def write_judge(judge: Judge, path: Path) -> None:
    """Write a judge to a temporary name, then rename it.

    Raises:
        BitpuppetError: the file cannot be written.
    """
    header = {"version": VERSION, "heads": json.dumps(dict(judge.heads)), "accuracy": json.dumps(dict(judge.accuracy))}
    tensors = {name: value.contiguous() for name, value in judge.network.state_dict().items()}
    _make_folder(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        save_file(tensors, partial, header)
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        raise _refuse(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refuse(path, error) from error


def _refuse(path: Path, error: Exception) -> BitpuppetError:
    reason = str(error).splitlines()[0]
    return BitpuppetError(f"{path}: the judge cannot be kept there ({reason}); make room there or make it writable")
