"""Muon in a number format that the device has instructions for.

`torch.optim.Muon` orthogonalizes in bfloat16 always. A processor without instructions for it then spends twice as long
in the optimizer as on all else (31 of 50 seconds of a step of `sprite64` with AVX2), so this is the same method in the
format of `model.device.pick_dtype`. Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the scale of
its updates: Liu et al. 2025, arXiv 2502.16982.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from bitpuppet.model.device import pick_dtype

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic whose iteration moves all singular values towards 1 (Jordan et al. 2024)."""
ITERATIONS = 5
MOMENTUM = 0.95
RMS = 0.2
"""Root mean square of an update at a rate of 1: that of AdamW, so both can have the same rates (arXiv 2502.16982)."""


class Muon(Optimizer):
    """Momentum whose every update is nearly orthogonal, with Nesterov's look ahead and decoupled weight decay."""

    def __init__(self, matrices: Iterable[Tensor], *, lr: float, weight_decay: float) -> None:
        """Train matrices.

        Args:
            matrices: two-dimensional parameters.
            lr: learning rate on AdamW's scale.
            weight_decay: share of a weight that is taken off at a rate of 1.

        Raises:
            ValueError: a parameter is no matrix.
        """
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})
        if any(matrix.ndim != 2 for group in self.param_groups for matrix in group["params"]):
            raise ValueError("Muon trains matrices alone; give other parameters to AdamW")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step along the gradients that are there."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                momentum: Tensor = state["momentum_buffer"]
                momentum.lerp_(matrix.grad, 1 - MOMENTUM)
                update = orthogonalize(matrix.grad.lerp(momentum, MOMENTUM))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * RMS * math.sqrt(max(matrix.shape)))
        return loss


def orthogonalize(matrix: Tensor) -> Tensor:
    """About U V^T of a matrix U S V^T (n, m), in its own format; singular values end between 0.5 and 1.5."""
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.to(pick_dtype(matrix.device))
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return (wide if matrix.shape[0] <= matrix.shape[1] else wide.T).to(matrix.dtype)
