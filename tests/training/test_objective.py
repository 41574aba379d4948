"""The objective lets nothing reach the denoiser but content, motion and noise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bitpuppet.data.mixture import UNKNOWN, make_mixture
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.training.objective import CrossDriving, TensorBatch, pick_blindly, score_agreement, score_colours, soften
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]


def test_kept_tokens_do_not_tell_the_silhouette() -> None:
    torch.manual_seed(0)
    tokens = torch.full((400, 16, 8), -1.0)
    tokens[:, 0] = 1.0
    tokens[:200, 5] = 1.0  # half of the frames show something at place 5
    draws = [(pick_blindly(tokens, 6, len(tokens)).places == 5).any(dim=1) for _ in range(20)]
    kept = torch.stack(draws).float().mean(0)
    assert float(kept[:200].mean()) == pytest.approx(float(kept[200:].mean()), abs=0.03)
    assert 0.2 < float(kept.mean()) < 0.95


def test_picked_tokens_are_the_frames_own() -> None:
    tokens = torch.arange(3 * 16 * 8, dtype=torch.float32).reshape(3, 16, 8)
    picked = pick_blindly(tokens, 5, 1)
    assert torch.equal(picked.places[0], picked.places[2])  # time looks at the same place
    for frame in range(3):
        assert torch.equal(picked.tokens[frame], tokens[frame, picked.places[frame]])
        assert len(set(picked.places[frame].tolist())) == 5


def test_hidden_content_frames_have_no_say() -> None:
    torch.manual_seed(0)
    objective = CrossDriving(BitrateControlledDiffusion(TINY), Recipe())
    batch = draw_batch()._replace(shown=torch.tensor([[True, False, False]] * 2))
    content = batch.content.clone()
    content[:, 1:] = content[:, 1:].flip(2)
    other = batch._replace(content=content)
    one, two = (encode_shown(objective, b) for b in (batch, other))
    torch.testing.assert_close(one, two)
    hidden = torch.tensor([[False, True, True]] * 2)
    one, two = (encode_shown(objective, b._replace(shown=hidden)) for b in (batch, other))
    assert not torch.allclose(one, two)


def draw_batch() -> TensorBatch:
    return TensorBatch.from_arrays(make_mixture(None, TINY.canvas).draw(0, 2, 3, 2), torch.device("cpu"))


def encode_shown(objective: CrossDriving, batch: TensorBatch) -> torch.Tensor:
    torch.manual_seed(1)
    content, _ = objective._encode_content(batch, 1.0)
    return content.tokens[content.mask]


def test_losses_are_finite_and_have_gradient() -> None:
    torch.manual_seed(0)
    for share in (0.0, 0.5):
        for preset in (TINY, replace(TINY, head="values")):
            objective = CrossDriving(BitrateControlledDiffusion(preset), Recipe(share_guessed=share))
            losses = objective(draw_batch(), 1.0)
            assert losses.total.isfinite()
            losses.total.backward()
            gradients = [value.grad for value in objective.model.denoiser.head.parameters()]
            assert all(gradient is not None for gradient in gradients)
            assert sum(float(gradient.abs().sum()) for gradient in gradients if gradient is not None) > 0


def test_colours_that_nobody_knows_do_not_count() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 2] = 20.0
    score = score_colours(logits, torch.tensor([[2, UNKNOWN, UNKNOWN]]))
    assert float(score.loss) == pytest.approx(0, abs=1e-5) and float(score.wrong) == 0
    score = score_colours(logits, torch.tensor([[1, 3, UNKNOWN]]))
    assert float(score.loss) == pytest.approx((20 + math.log(4)) / 2, abs=0.01) and float(score.wrong) == 1


def test_soften_is_square_below_and_absolute_above_the_knee() -> None:
    assert float(soften(torch.tensor(0.001))) == pytest.approx(0.001**2 / (2 * 0.05), rel=0.01)
    assert float(soften(torch.tensor(2.0))) == pytest.approx(2 - 0.05, rel=0.01)


def test_agreement_finds_poses_by_motion() -> None:
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(2, 5, 32, generator=generator) * 2
    poses = torch.randint(0, 256, (2, 5, 4, 4, 4), generator=generator, dtype=torch.uint8)
    agreed = score_agreement(own[:, :3], own, poses)
    mixed_up = score_agreement(own[:, [1, 2, 0]], own, poses)
    assert agreed < 0.01 < 1 < mixed_up


def test_poses_that_look_the_same_need_not_differ() -> None:
    motion, poses = torch.zeros(1, 3, 32), torch.zeros(1, 3, 4, 4, 4, dtype=torch.uint8)
    assert score_agreement(motion, motion, poses) == 0
    poses[0, 1] = 9  # now the second frame can be told from the others
    assert score_agreement(motion, motion, poses) == pytest.approx((2 * math.log(2) + math.log(3)) / 3)


def test_agreement_moves_motion_of_two_characters_together() -> None:
    motion = torch.randn(1, 3, 32).requires_grad_()
    poses = torch.randint(0, 256, (1, 3, 4, 4, 4), dtype=torch.uint8)
    candidates = torch.randn(1, 3, 32)
    before = score_agreement(motion, candidates, poses)
    before.backward()
    assert motion.grad is not None
    assert score_agreement(motion - motion.grad, candidates, poses) < before
