"""Checkpoints are complete, atomic and free of pickle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim import AdamW

from bitpuppet.errors import BitpuppetError
from bitpuppet.training import checkpoint as module
from bitpuppet.training.checkpoint import Checkpoint, MovingAverage, collect_optimizer, restore_optimizer


def _checkpoint(step: int = 3) -> Checkpoint:
    return Checkpoint(
        step,
        {"a": torch.ones(2)},
        {"a": torch.zeros(2)},
        ({"0/step": torch.tensor(3.0)}, {}),
        {"preset": {}},
        {"naming.a": torch.full((2,), 5.0)},
    )


def test_round_trip(tmp_path: Path) -> None:
    _checkpoint().write(tmp_path / "c.safetensors")
    back = Checkpoint.read(tmp_path / "c.safetensors")
    assert back.step == 3 and back.settings == {"preset": {}}
    assert (back.model["a"] == 1).all() and (back.ema["a"] == 0).all()
    assert float(back.optimizers[0]["0/step"]) == 3 and back.optimizers[1] == {}
    assert list(back.lessons) == ["naming.a"] and (back.lessons["naming.a"] == 5).all()


def test_a_failed_write_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.safetensors"
    _checkpoint(1).write(path)

    def fill_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", fill_disk)
    with pytest.raises(OSError, match="space"):
        _checkpoint(2).write(path)
    assert Checkpoint.read(path).step == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04K\x01."])
def test_damaged_files_are_errors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(content)
    with pytest.raises(BitpuppetError, match=r"c\.safetensors"):
        Checkpoint.read(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(BitpuppetError, match="checkpoint"):
        Checkpoint.read(path)


def test_optimizer_state_survives() -> None:
    torch.manual_seed(0)

    def make() -> tuple[nn.Linear, AdamW]:
        layer = nn.Linear(3, 2)
        return layer, AdamW(layer.parameters(), lr=0.1)

    def step(layer: nn.Linear, optimizer: AdamW) -> None:
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    first, optimizer = make()
    step(first, optimizer)
    second, other = make()
    second.load_state_dict(first.state_dict())
    restore_optimizer(other, collect_optimizer(optimizer))
    step(first, optimizer)
    step(second, other)
    assert torch.equal(first.weight, second.weight)


def test_moving_average_follows() -> None:
    average = MovingAverage({"a": torch.zeros(1)}, decay=0.9)
    for step in range(1, 200):
        average.update({"a": torch.ones(1)}, step)
    assert float(average.values["a"]) == pytest.approx(1, abs=1e-4)
