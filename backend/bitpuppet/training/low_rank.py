"""Low-rank fine-tuning: W + B A in place of W (Hu et al. 2021, LoRA, arXiv 2106.09685)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bitpuppet.errors import BitpuppetError

MAX_RANK = 128
_MIN_SIDE = 32
"""Smaller matrices are as cheap to train whole."""


class LowRank(nn.Module):
    """Adds a product of two thin matrices, which is nothing at first, to a matrix."""

    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, columns) * columns**-0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The changed matrix, (rows, columns)."""
        return weight + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int) -> None:
    """Let every linear layer that learns do so by a change of `rank` alone; all else is frozen.

    Biases and small parameters go on learning as they did.

    Raises:
        BitpuppetError: the rank is out of range.
    """
    if not 1 <= rank <= MAX_RANK:
        raise BitpuppetError(f"--rank is {rank}, it must be from 1 to {MAX_RANK}, or 0 to train all; change it")
    for module in list(model.modules()):
        if isinstance(module, nn.Linear) and module.weight.requires_grad and min(module.weight.shape) >= _MIN_SIDE:
            rows, columns = module.weight.shape
            module.weight.requires_grad_(False)
            change = LowRank(rows, columns, min(rank, rows, columns)).to(module.weight.device)
            parametrize.register_parametrization(module, "weight", change)


def merge_low_rank(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model as if its changes had been part of its matrices from the first, by the usual names."""
    state = dict(model.state_dict())
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            prefix = f"{name}.parametrizations.weight."
            state = {key: value for key, value in state.items() if not key.startswith(prefix)}
            state[f"{name}.weight"] = module.weight.detach()
    return state
