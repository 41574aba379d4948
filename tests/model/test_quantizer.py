"""The bottleneck passes as many bits as it says."""

from __future__ import annotations

import math

import pytest
import torch

from bitpuppet.model.preset import Preset
from bitpuppet.model.quantizer import GroupQuantizer, entropy_bits, hard_entropy_bits

PRESET = Preset(groups=3, codewords=4, group_width=2, bits_per_frame=5.0)


@pytest.fixture
def quantizer() -> GroupQuantizer:
    torch.manual_seed(0)
    return GroupQuantizer(PRESET)


def test_output_is_one_codeword_per_group(quantizer: GroupQuantizer) -> None:
    for sample in (False, True):
        out = quantizer(torch.randn(50, 3, 2), sample=sample)
        assert out.indices.shape == (50, 3)
        torch.testing.assert_close(out.motion, quantizer.look_up(out.indices))


def test_nearest_codeword_wins(quantizer: GroupQuantizer) -> None:
    wanted = torch.randint(0, 4, (20, 3))
    near = quantizer.look_up(wanted).reshape(20, 3, 2) + 1e-4
    assert (quantizer(near).indices == wanted).all()


def test_gradient_reaches_motion_and_codebooks(quantizer: GroupQuantizer) -> None:
    motion = torch.randn(8, 3, 2, requires_grad=True)
    out = quantizer(motion, sample=True)
    (out.motion.square().sum() + quantizer.rate_loss(out.bits)).backward()
    assert motion.grad is not None and motion.grad.abs().sum() > 0
    assert quantizer.codebooks.grad is not None and quantizer.codebooks.grad.abs().sum() > 0


def test_entropy_of_known_histograms() -> None:
    uniform = torch.full((10, 3, 4), 0.25)
    assert float(entropy_bits(uniform)) == pytest.approx(6.0, abs=1e-5)
    constant = torch.zeros(10, 3, 4)
    constant[..., 1] = 1
    assert float(entropy_bits(constant)) == pytest.approx(0.0, abs=1e-5)
    assert hard_entropy_bits(torch.tensor([[0, 0, 0], [1, 0, 0]]), 4) == pytest.approx(1.0, abs=1e-5)


def test_rate_loss_is_the_papers(quantizer: GroupQuantizer) -> None:
    assert float(quantizer.rate_loss(torch.tensor(7.0))) == pytest.approx(0.04 * 4)
    assert float(quantizer.rate_loss(torch.tensor(5.0))) == 0


def test_code_lengths_follow_the_stored_statistics(quantizer: GroupQuantizer) -> None:
    tokens = torch.tensor([[0, 0, 0]])
    assert float(quantizer.code_lengths(tokens)) == pytest.approx(6.0, abs=1e-3)
    for _ in range(2000):
        quantizer.observe(torch.tensor([[0, 0, 0], [0, 0, 1]]))
    assert float(quantizer.code_lengths(tokens)) == pytest.approx(1.0, abs=0.01)
    assert float(quantizer.code_lengths(torch.tensor([[3, 3, 3]]))) == pytest.approx(3 * math.log2(1e4), rel=0.01)
