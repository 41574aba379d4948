"""The objective lets nothing reach the denoiser but content, motion and noise."""

from __future__ import annotations

import pytest
import torch

from bitpuppet.data.mixture import make_mixture
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.training.objective import CrossDriving, as_tensors, pick_blindly, soften
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]


def test_kept_tokens_do_not_tell_the_silhouette() -> None:
    torch.manual_seed(0)
    tokens = torch.full((400, 16, 8), -1.0)
    tokens[:, 0] = 1.0
    tokens[:200, 5] = 1.0  # half of the frames show something at place 5
    kept = torch.stack([(pick_blindly(tokens, 6).places == 5).any(dim=1) for _ in range(20)]).float().mean(0)
    assert float(kept[:200].mean()) == pytest.approx(float(kept[200:].mean()), abs=0.03)
    assert 0.2 < float(kept.mean()) < 0.95


def test_picked_tokens_are_the_frames_own() -> None:
    tokens = torch.arange(3 * 16 * 8, dtype=torch.float32).reshape(3, 16, 8)
    picked = pick_blindly(tokens, 5)
    for frame in range(3):
        assert torch.equal(picked.tokens[frame], tokens[frame, picked.places[frame]])
        assert len(set(picked.places[frame].tolist())) == 5


def test_hidden_content_frames_have_no_say() -> None:
    torch.manual_seed(0)
    objective = CrossDriving(BitrateControlledDiffusion(TINY), Recipe())
    content, shown, _ = as_tensors(make_mixture(None, TINY.canvas).draw(0, 2, 3, 2), torch.device("cpu"))
    shown = torch.tensor([[True, False, False]] * 2)
    other = content.clone()
    other[:, 1:] = other[:, 1:].flip(2)
    torch.manual_seed(1)
    one = objective._encode_content(content, shown)
    torch.manual_seed(1)
    torch.testing.assert_close(one, objective._encode_content(other, shown))
    torch.manual_seed(1)
    assert not torch.allclose(one, objective._encode_content(other, ~shown))


def test_losses_are_finite_and_have_gradient() -> None:
    torch.manual_seed(0)
    for share in (0.0, 0.5):
        objective = CrossDriving(BitrateControlledDiffusion(TINY), Recipe(share_guessed=share))
        losses = objective(*as_tensors(make_mixture(None, TINY.canvas).draw(0, 2, 3, 2), torch.device("cpu")), 1.0)
        assert losses.total.isfinite()
        losses.total.backward()
        gradient = objective.model.denoiser.predict.weight.grad
        assert gradient is not None and gradient.abs().sum() > 0


def test_soften_is_square_below_and_absolute_above_the_knee() -> None:
    assert float(soften(torch.tensor(0.001))) == pytest.approx(0.001**2 / (2 * 0.05), rel=0.01)
    assert float(soften(torch.tensor(2.0))) == pytest.approx(2 - 0.05, rel=0.01)
