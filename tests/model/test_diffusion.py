"""EDM's equations, checked against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bitpuppet.model.diffusion import denoise, draw_noise_levels, loss_weight, noise_schedule, precondition, sample
from bitpuppet.model.preset import Preset

CLEAN = Preset(prediction="clean", sigma_data=0.5)
EDM = Preset(prediction="edm", sampler="euler", sigma_data=0.5)
SIGMA = torch.tensor([0.05, 0.5, 20.0])


def test_edm_keeps_unit_variance() -> None:
    c = precondition(EDM, SIGMA)
    variance_in = (c.scale.squeeze() ** 2) * (SIGMA**2 + 0.25)
    torch.testing.assert_close(variance_in, torch.ones(3))
    # Variance of the effective target (y - skip (y + n)) / out is 1 (EDM, appendix B.6).
    target = ((1 - c.skip) ** 2 * 0.25 + c.skip**2 * SIGMA[:, None, None] ** 2) / c.out**2
    torch.testing.assert_close(target.squeeze(), torch.ones(3))


def test_clean_prediction_has_no_skip_path() -> None:
    noisy = torch.randn(3, 4, 5)
    out = denoise(CLEAN, lambda tokens, level: torch.full_like(tokens, 0.25), noisy, SIGMA)
    assert (out == 0.25).all()


def test_clean_input_fades_out_at_high_noise() -> None:
    scale = precondition(CLEAN, SIGMA).scale.squeeze()
    assert float(scale[0]) > 0.98
    assert float(scale[2] * 20) < 0.02


@pytest.mark.parametrize("steps", [1, 2, 4, 18])
def test_schedule_falls_to_zero(steps: int) -> None:
    levels = noise_schedule(CLEAN, steps)
    assert len(levels) == steps + 1
    assert levels[0] == pytest.approx(CLEAN.sigma_max) and levels[-1] == 0
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_sampler_finds_the_clean_frame_of_a_perfect_denoiser(steps: int) -> None:
    truth = torch.rand(2, 4, 5)
    seen: list[tuple[int, int]] = []

    def watch(step: int, total: int, clean: Tensor) -> None:
        seen.append((step, total))

    out = sample(CLEAN, lambda tokens, level: truth, torch.randn(2, 4, 5), steps, watch)
    torch.testing.assert_close(out, truth)
    assert seen == [(step, steps) for step in range(1, steps + 1)]


def test_sampler_matches_a_gaussian_posterior() -> None:
    """With data ~ N(0, sigma_data^2) the ideal denoiser is linear, and many steps must give that distribution."""
    torch.manual_seed(0)
    preset = Preset(prediction="edm", sampler="euler", sigma_data=0.5, sigma_last=0.002)
    out = sample(preset, lambda tokens, level: torch.zeros_like(tokens), torch.randn(64, 64, 4), 80)
    assert float(out.std()) == pytest.approx(0.5, rel=0.05)


def test_cancelling_stops_the_sampler() -> None:
    def cancel(step: int, total: int, clean: Tensor) -> None:
        if step == 2:
            raise KeyboardInterrupt

    calls = []

    def predict(tokens: Tensor, level: Tensor) -> Tensor:
        calls.append(1)
        return tokens

    with pytest.raises(KeyboardInterrupt):
        sample(CLEAN, predict, torch.randn(1, 2, 3), 10, cancel)
    assert len(calls) == 2


def test_noise_levels_and_weights_stay_in_range() -> None:
    torch.manual_seed(0)
    levels = draw_noise_levels(CLEAN, 4000, 0.6, torch.device("cpu"))
    assert float((levels == CLEAN.sigma_max).float().mean()) == pytest.approx(0.6, abs=0.03)
    assert float(levels.min()) >= CLEAN.sigma_min and float(levels.max()) <= CLEAN.sigma_max
    assert (loss_weight(CLEAN, SIGMA) == 1).all()
    assert (loss_weight(EDM, SIGMA) <= 1 / 0.25 + 1).all()
