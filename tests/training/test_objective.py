"""The objective lets nothing reach the denoiser but content, motion and noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch

from bitpuppet.data.mixture import UNKNOWN, make_mixture
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.quantizer import hard_entropy_bits
from bitpuppet.model.stem import Stem
from bitpuppet.training import objective as objective_module
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.loop import choose_learners
from bitpuppet.training.objective import CrossDriving, pick_blindly, score_colours, soften
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]


def test_kept_tokens_do_not_tell_the_silhouette() -> None:
    torch.manual_seed(0)
    tokens = torch.full((400, 16, 8), -1.0)
    tokens[:, 0] = 1.0
    tokens[:200, 5] = 1.0  # half of the frames show something at place 5
    draws = [(pick_blindly(PatchCodec(1), tokens, 6, len(tokens)).places == 5).any(dim=1) for _ in range(20)]
    kept = torch.stack(draws).float().mean(0)
    assert float(kept[:200].mean()) == pytest.approx(float(kept[200:].mean()), abs=0.03)
    assert 0.2 < float(kept.mean()) < 0.95


def test_picked_tokens_are_the_frames_own() -> None:
    tokens = torch.arange(3 * 16 * 8, dtype=torch.float32).reshape(3, 16, 8)
    picked = pick_blindly(PatchCodec(1), tokens, 5, 1)
    assert torch.equal(picked.places[0], picked.places[2])  # time looks at the same place
    for frame in range(3):
        assert torch.equal(picked.tokens[frame], tokens[frame, picked.places[frame]])
        assert len(set(picked.places[frame].tolist())) == 5


def test_retrieval_teaches_what_a_mirror_shows() -> None:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(replace(TINY, knows_mirrored=True))
    CrossDriving(model, Recipe(learns="frames"))(draw_batch(), 1.0).total.backward()
    assert model.denoiser.mirrored is not None and model.denoiser.mirrored.weight.grad is not None
    own, seen = model.denoiser.mirrored.weight.grad.chunk(2, dim=1)
    assert own.any() and seen.any()


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
        for preset in (TINY, replace(TINY, head="values", sampler="euler")):
            objective = CrossDriving(BitrateControlledDiffusion(preset), Recipe(share_guessed=share))
            losses = objective(draw_batch(), 1.0)
            assert losses.total.isfinite()
            losses.total.backward()
            gradients = [value.grad for value in objective.model.denoiser.head.parameters()]
            assert all(gradient is not None for gradient in gradients)
            assert sum(float(gradient.abs().sum()) for gradient in gradients if gradient is not None) > 0


def test_references_of_values_are_found_by_their_looks_and_not_by_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shaded frames have no palette whose entries could be counted: all frames would suit equally well."""
    called = []
    for name in ("score_likeness", "score_retrieval"):
        monkeypatch.setattr(
            objective_module, name, lambda likeness, *_, name=name: called.append(name) or 0 * likeness.sum()
        )
    for preset in (TINY, replace(TINY, head="values", sampler="euler")):
        torch.manual_seed(0)
        CrossDriving(BitrateControlledDiffusion(preset), Recipe())(draw_batch(), 1.0)
    assert called == ["score_retrieval", "score_likeness"]


def test_colours_that_nobody_knows_do_not_count() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 2] = 20.0
    score = score_colours(logits, torch.tensor([[2, UNKNOWN, UNKNOWN]]))
    assert float(score.loss) == pytest.approx(0, abs=1e-5) and float(score.wrong) == 0
    score = score_colours(logits, torch.tensor([[1, 3, UNKNOWN]]))
    assert float(score.loss) == pytest.approx((20 + math.log(4)) / 2, abs=0.01) and float(score.wrong) == 1


def test_soften_is_square_below_and_absolute_above_the_knee() -> None:
    assert float(soften(torch.tensor(0.001), 0.05)) == pytest.approx(0.001**2 / (2 * 0.05), rel=0.01)
    assert float(soften(torch.tensor(2.0), 0.05)) == pytest.approx(2 - 0.05, rel=0.01)


def test_motion_tokens_that_do_not_learn_are_those_of_use() -> None:
    torch.manual_seed(0)
    objective = CrossDriving(BitrateControlledDiffusion(TINY), Recipe(learns="frames"))
    choose_learners(objective.model, objective.recipe)
    batch = draw_batch()
    losses = objective(batch, 1.0)
    losses.total.backward()
    stem = objective.model.encoder.stem
    assert isinstance(stem, Stem) and all(weight.grad is None for weight in stem.parameters())
    assert objective.model.quantizer.codebooks.grad is None
    used = objective.model.encode_motion(batch.motion.flatten(0, 1))
    assert losses.hard_bits == pytest.approx(hard_entropy_bits(used, TINY.codewords))


def test_tokens_that_do_not_learn_keep_their_statistics() -> None:
    lessons: tuple[tuple[Literal["all", "frames"], bool], ...] = (("frames", True), ("all", False))
    for learns, kept in lessons:
        model = BitrateControlledDiffusion(TINY)
        before = model.quantizer.usage.clone()
        CrossDriving(model, Recipe(learns=learns))(draw_batch(), 1.0)
        assert torch.equal(model.quantizer.usage, before) == kept
