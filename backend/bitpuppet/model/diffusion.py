"""EDM (Karras et al. 2022, arXiv 2206.00364): preconditioning, noise levels, loss weight and sampler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from bitpuppet.model.preset import Preset

Predict = Callable[[Tensor, Tensor], Tensor]
"""(scaled tokens (F, L, D), c_noise (F,)) -> F_theta (F, L, D)."""
StepCallback = Callable[[int, int, Tensor], None]
"""(step from 1, steps, denoised tokens (F, N, D)); whatever it raises ends the sampling."""


class Coefficients(NamedTuple):
    """D(x; sigma) = skip x + out F(in x; noise), each (F, 1, 1) but `noise` (F,)."""

    skip: Tensor
    out: Tensor
    scale: Tensor
    noise: Tensor


def precondition(preset: Preset, sigma: Tensor) -> Coefficients:
    """Coefficients for noise levels `sigma` (F,).

    With `edm` prediction they are those of EDM, table 1. EDM asks F to cancel the noise that the skip path lets
    through, and that noise has as many dimensions as a token has values: it does not fit through a network that is no
    wider than the token, and more sampling steps made frames worse (mean squared error 0.028 at sigma 20, 0.066 at
    0.5). With `clean` prediction there is no skip path, and the input is scaled to the best linear estimate of the
    clean frame, which fades noise out exactly where it says nothing.
    """
    s = sigma.float()[:, None, None]
    data = preset.sigma_data
    wiener = data**2 / (s**2 + data**2)
    noise = sigma.float().log() / 4
    if preset.prediction == "edm":
        root = (s**2 + data**2).sqrt()
        return Coefficients(wiener, s * data / root, 1 / root, noise)
    return Coefficients(torch.zeros_like(s), torch.ones_like(s), wiener, noise)


def denoise(preset: Preset, predict: Predict, noisy: Tensor, sigma: Tensor) -> Tensor:
    """D(x; sigma): the clean tokens (F, L, D) behind `noisy` at levels `sigma` (F,)."""
    c = precondition(preset, sigma)
    prediction = predict(c.scale * noisy, c.noise)
    return c.skip * noisy + c.out * prediction.float()


def loss_weight(preset: Preset, sigma: Tensor) -> Tensor:
    """Weight of the squared error at `sigma` (F,).

    EDM's 1 / c_out^2, capped: low noise levels must not drown the high ones, where content and motion are learned.
    """
    if preset.prediction == "clean":
        return torch.ones_like(sigma)
    data = preset.sigma_data
    return ((sigma**2 + data**2) / (sigma * data) ** 2).clamp(max=1 / data**2 + 1.0)


def edm_weight(preset: Preset, sigma: Tensor) -> Tensor:
    """EDM's own weight of the squared error at `sigma` (F,): 1 / c_out^2."""
    data = preset.sigma_data
    return (sigma**2 + data**2) / (sigma * data) ** 2


def draw_edm_levels(preset: Preset, count: int, device: torch.device) -> Tensor:
    """EDM's own training noise levels (count,): ln sigma ~ N(-1.2, 1.2^2) for data of deviation 0.5, moved with it."""
    mean = -1.2 + math.log(preset.sigma_data / 0.5)
    return torch.exp(mean + 1.2 * torch.randn(count, device=device))


def draw_noise_levels(preset: Preset, count: int, share_at_max: float, device: torch.device) -> Tensor:
    """Training noise levels (count,).

    At low noise the noisy frame shows the pose by itself, and nothing pushes the network to use content and motion, so
    a large share is drawn at sigma_max; the rest is log-uniform between sigma_min and sigma_max.
    """
    low, high = math.log(preset.sigma_min), math.log(preset.sigma_max)
    levels = torch.exp(low + (high - low) * torch.rand(count, device=device))
    at_max = torch.rand(count, device=device) < share_at_max
    return torch.where(at_max, preset.sigma_max, levels)


def noise_schedule(preset: Preset, steps: int, rho: float = 7.0) -> list[float]:
    """Noise levels of a sampling run, falling, `steps` + 1 of them, the last one 0 (EDM, equation 5)."""
    if steps == 1:
        return [preset.sigma_max, 0.0]
    high, low = preset.sigma_max ** (1 / rho), preset.sigma_last ** (1 / rho)
    return [(high + i / (steps - 1) * (low - high)) ** rho for i in range(steps)] + [0.0]


def sample(preset: Preset, predict: Predict, noise: Tensor, steps: int, callback: StepCallback | None = None) -> Tensor:
    """Draw clean tokens by steps along EDM's probability flow.

    With `euler` there is one network evaluation a step. With `heun`, EDM's algorithm 1 without its optional churn, the
    slope of a step is the mean of those at its two ends, which takes two evaluations but for the last step.

    Args:
        noise: unit normal, (F, N, D).
        steps: 1 or more.
        callback: called after each step; the place for progress, previews and cancelling.

    Returns:
        (F, N, D).
    """
    levels = noise_schedule(preset, steps)
    tokens = noise * levels[0]
    for step in range(steps):
        sigma = tokens.new_full((len(tokens),), levels[step])
        clean = denoise(preset, predict, tokens, sigma)
        moved = clean + (levels[step + 1] / levels[step]) * (tokens - clean)
        if preset.sampler == "heun" and levels[step + 1] > 0:
            end = denoise(preset, predict, moved, torch.full_like(sigma, levels[step + 1]))
            slope = ((tokens - clean) / levels[step] + (moved - end) / levels[step + 1]) / 2
            moved = tokens + (levels[step + 1] - levels[step]) * slope
        tokens = moved
        if callback is not None:
            callback(step + 1, steps, clean)
    return tokens
