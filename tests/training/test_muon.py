"""Muon: its updates are orthogonal, those of torch, and in a format that the device has."""

import pytest
import torch
from torch import nn

from bitpuppet.model import device
from bitpuppet.training import muon
from bitpuppet.training.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(24, 24), (16, 40), (40, 16)])
def test_update_is_nearly_orthogonal(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)))
    assert values.min() > 0.5 and values.max() < 1.5


def test_steps_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its number format; in float32 they differ by what bfloat16 rounds away."""
    monkeypatch.setattr(muon, "pick_dtype", lambda device: torch.bfloat16)
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.randn(8, 20)) for _ in range(2))
    with torch.no_grad():
        theirs.copy_(ours)
    mine = Muon([ours], lr=0.1, weight_decay=0.01)
    reference = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        gradient = torch.randn(8, 20)
        for parameter, optimizer in ((ours, mine), (theirs, reference)):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_works_in_the_format_of_the_device() -> None:
    """Where bfloat16 is chosen without being asked for, an update shows it: its values have eight bits."""
    found = orthogonalize(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
    coarse = device.pick_dtype(torch.device("cpu")) == torch.bfloat16
    assert torch.equal(found, found.bfloat16().float()) == coarse


def test_other_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="matrices alone"):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1, weight_decay=0.0)
