"""EDM as it is in its paper: noise levels, loss weight and the second-order sampler."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitpuppet.model.diffusion import draw_edm_levels, edm_weight, precondition, sample
from bitpuppet.model.preset import Preset

EDM = Preset(prediction="edm", sampler="euler", sigma_data=0.5, sigma_min=0.002, sigma_max=80.0, sigma_last=0.002)


def test_levels_are_log_normal_and_move_with_the_data() -> None:
    torch.manual_seed(0)
    for data in (0.5, 1.0):
        logs = draw_edm_levels(replace(EDM, sigma_data=data), 40_000, torch.device("cpu")).log()
        assert float(logs.mean()) == pytest.approx(-1.2 + float(torch.tensor(data / 0.5).log()), abs=0.03)
        assert float(logs.std()) == pytest.approx(1.2, abs=0.03)


def test_weight_undoes_the_scale_of_the_output() -> None:
    sigma = torch.tensor([0.01, 0.5, 60.0])
    torch.testing.assert_close(edm_weight(EDM, sigma) * precondition(EDM, sigma).out.squeeze() ** 2, torch.ones(3))


def test_heun_follows_the_flow_of_a_gaussian_better_than_euler() -> None:
    """For data ~ N(0, s^2) the ideal denoiser is linear and the flow known: x(0) = x(T) s / sqrt(s^2 + T^2)."""
    evaluations = 0

    def denoise_gaussian(tokens: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        # F of the preconditioning whose D is the ideal denoiser: D = skip x exactly, so F = 0.
        nonlocal evaluations
        evaluations += 1
        return torch.zeros_like(tokens)

    noise = torch.randn(1, 4, 8)
    exact = noise * EDM.sigma_max * 0.5 / (0.25 + EDM.sigma_max**2) ** 0.5
    errors, counts = [], []
    for sampler in ("euler", "heun"):
        evaluations = 0
        drawn = sample(replace(EDM, sampler=sampler), denoise_gaussian, noise, 36)
        errors.append(float((drawn - exact).abs().max()))
        counts.append(evaluations)
    assert counts == [36, 71]
    assert errors[1] < 0.2 * errors[0]  # second order against first
