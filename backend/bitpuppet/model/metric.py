"""The metric: how much two frames of a character show of one another, by their codewords alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Metric(nn.Linear):
    """Describes poses, so that the squared distance of two descriptions says how unlike their frames are.

    A matrix weighs codewords: the group that tells front from back counts more than the one that tells two steps of a
    walk apart. Where no single group tells front from back, but several do together, it takes a hidden layer as well.
    It begins as the squared distance of the codewords themselves.
    """

    def __init__(self, width: int, hidden: int = 0) -> None:
        """Make one for codewords of `width` values side by side; `hidden` is the layer's width, 0 for none."""
        super().__init__(width, width, bias=False)
        nn.init.eye_(self.weight)
        self.expand: nn.Linear | None = None
        self.contract: nn.Linear | None = None
        if hidden:
            self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width, bias=False)
            nn.init.zeros_(self.contract.weight)

    def measure(self, wanted: Tensor, known: Tensor) -> Tensor:
        """Squared distances (B, T, N), float32, of motion (B, T, width) from motion (B, N, width)."""
        if self.expand is None:
            # Differences first: bfloat16 is coarse, and the same codewords have to be at no distance.
            apart: Tensor = self(wanted[:, :, None] - known[:, None])
        else:
            apart = self(wanted)[:, :, None] - self(known)[:, None]
        return apart.float().square().sum(dim=-1)

    def forward(self, motion: Tensor) -> Tensor:
        """Descriptions (..., width) of motion (..., width); with a hidden layer in float32 at all times."""
        if self.expand is None or self.contract is None:
            return super().forward(motion)
        with torch.autocast(motion.device.type, enabled=False):
            motion = motion.float()
            wide = nn.functional.linear(motion, self.expand.weight.float(), self.expand.bias.float())
            said = nn.functional.linear(nn.functional.gelu(wide), self.contract.weight.float())
            return nn.functional.linear(motion, self.weight.float()) + said
