"""Motion tokens of two characters in one pose come to agree, without a denoiser."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bitpuppet.data.duets import Duets
from bitpuppet.data.mixture import PairBatch, make_mixture
from bitpuppet.data.poses import name_cells
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.training.agreement import MotionAgreement, score_agreement, score_both, score_sameness, score_scenes
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.loop import Trainer
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]
RECIPE = Recipe(learns="motion", steps=30, pairs=2, content_frames=3, target_frames=3, warmup=2)


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


class OneBatch:
    """The same batch for every step."""

    def draw(self, *_: object, **__: object) -> PairBatch:
        """Draw it."""
        return make_mixture(None, TINY.canvas).draw(1, 4, 3, 3)


def test_agreement_improves_and_nothing_else_moves(tmp_path: Path) -> None:
    source = OneBatch()
    trainer = Trainer(TINY, replace(RECIPE, adam_rate=3e-3), source, tmp_path, cpu=True)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    batch = TensorBatch.from_arrays(source.draw(), torch.device("cpu"))
    first = measure(trainer.model, batch)
    trainer.run()
    assert measure(trainer.model, batch) < 0.8 * first
    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert all(name.startswith(("encoder.stem.", "quantizer.")) for name in moved)
    assert {"quantizer.codebooks", "quantizer.usage", "encoder.stem.to_motion.weight"} <= moved


def measure(model: BitrateControlledDiffusion, batch: TensorBatch) -> float:
    usage = model.quantizer.usage.clone()
    torch.manual_seed(0)
    with torch.no_grad():
        agreement = float(MotionAgreement(model, RECIPE)(batch, 1.0).at_max)
    model.quantizer.usage.copy_(usage)
    return agreement


def test_a_duet_is_scored_from_both_sides() -> None:
    """Motion of the second that lies between two frames of the first is found from one side alone."""
    batch = TensorBatch.from_arrays(Duets(make_mixture(None, TINY.canvas)).draw(1, 1, 0, 2), torch.device("cpu"))
    batch.motion[:, 1, 0, 0], batch.target[:, 1, 0, 0] = 255, 255  # no two frames are the same
    motion = torch.tensor([[0.0, 0], [9, 0], [0, 0], [4.5, 0]])
    driver_asks = score_scenes(motion, batch)
    assert float(score_both(motion, batch)) > float(driver_asks) + 0.1
    settled = torch.tensor([[0.0, 0], [20, 0], [0, 0], [20, 0]])
    assert float(score_both(settled, batch)) < 0.01


def test_same_codewords_are_asked_for_where_characters_are_drawn_over_the_same_poses() -> None:
    drawn = Duets(make_mixture(None, TINY.canvas)).draw(1, 1, 0, 2)
    batch = TensorBatch.from_arrays(drawn, torch.device("cpu"))
    assert batch.names is not None
    lpc = torch.from_numpy(name_cells((0, 1)))[None]
    sure = torch.tensor([[0.98, 0.02], [0.02, 0.98], [0.98, 0.02], [0.98, 0.02]])[:, None]
    assert score_sameness(sure, batch) == 0
    assert score_sameness(sure, batch._replace(names=None)) == 0
    apart = score_sameness(sure, batch._replace(names=lpc))
    assert apart == pytest.approx(-(math.log(0.98) * 0.98 + math.log(0.02) * 0.02) / 2 + 1.918, abs=0.01)
    same = sure.clone()
    same[3] = same[1]
    assert score_sameness(same, batch._replace(names=lpc)) < 0.1


def test_motion_without_a_part_of_its_own_cannot_learn_alone(tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="no stem"):
        Trainer(replace(TINY, stem_width=0), RECIPE, make_mixture(None, TINY.canvas), tmp_path, cpu=True)


def test_all_motion_is_read_from_whole_frames() -> None:
    torch.manual_seed(0)
    objective = MotionAgreement(BitrateControlledDiffusion(TINY), RECIPE)
    batch = TensorBatch.from_arrays(make_mixture(None, TINY.canvas).draw(0, 2, 3, 3), torch.device("cpu"))
    losses = objective(batch, 1.0)
    assert losses.total.isfinite() and losses.hard_bits > 0
    changed = batch.content.clone()
    changed[:, 0] = changed[:, 0].flip(1)
    torch.manual_seed(0)
    again = MotionAgreement(BitrateControlledDiffusion(TINY), RECIPE)(batch._replace(content=changed), 1.0)
    assert not torch.equal(again.at_max, losses.at_max)
