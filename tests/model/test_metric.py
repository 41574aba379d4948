"""How unlike two frames are, by their codewords."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from bitpuppet.model.device import store_products
from bitpuppet.model.metric import Metric

SIGNS = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=2)))
"""Two groups of which neither tells front from back, but whether they agree does, (4, 2)."""


def find_by_agreement(metric: Metric, steps: int = 400) -> float:
    """Learn that frames suit each other whose two groups agree, or differ, alike; the loss in the end, in nats."""
    front = SIGNS.prod(dim=1)
    right = (front[:, None] == front[None]).float()
    right = right / right.sum(dim=1, keepdim=True)
    optimizer = torch.optim.Adam(metric.parameters(), lr=0.02)
    loss = torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -(right * torch.log_softmax(-metric.measure(SIGNS[None], SIGNS[None])[0], dim=1)).sum(dim=1).mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_it_begins_with_the_distance_of_codewords() -> None:
    wanted, known = torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    expected = torch.cdist(wanted, known).square()
    for hidden in (0, 8):
        torch.testing.assert_close(Metric(6, hidden).measure(wanted, known), expected, rtol=1e-4, atol=1e-4)


def test_what_groups_say_together_takes_a_hidden_layer() -> None:
    torch.manual_seed(0)
    perfect = 0.693  # two frames are right, and equally so
    assert find_by_agreement(Metric(2)) > 1.0
    assert find_by_agreement(Metric(2, 16)) < perfect + 0.1


def test_the_same_codewords_are_at_no_distance_in_bfloat16() -> None:
    torch.manual_seed(0)
    motion = torch.randn(1, 7, 8) * 10

    def measure(hidden: int) -> Tensor:
        metric = Metric(8, hidden)
        if metric.contract is not None:
            nn.init.normal_(metric.contract.weight)
        store_products(metric, torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
            return metric.measure(motion[:, :3].bfloat16().float(), motion.bfloat16().float())[0]

    for hidden in (0, 16):
        apart = measure(hidden)
        assert apart.dtype == torch.float32
        assert float(apart[range(3), range(3)].max()) < 1e-6 * float(apart.max())
