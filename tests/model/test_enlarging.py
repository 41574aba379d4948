"""A model for a larger canvas: the same motion tokens for art that is drawn larger."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.enlarging import enlarge
from bitpuppet.model.preset import PRESETS

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def model() -> BitrateControlledDiffusion:
    torch.manual_seed(0)
    made = BitrateControlledDiffusion(TINY)
    assert made.encoder.stem is not None
    made.encoder.stem.to_motion.weight.data.mul_(20)
    return made.eval()


@pytest.fixture
def frames() -> torch.Tensor:
    torch.manual_seed(1)
    drawn = torch.randint(0, 256, (12, 64, 64, 4), dtype=torch.uint8)
    drawn[:, :20], drawn[:, 50:] = 0, 0
    return drawn


def double(frames: torch.Tensor) -> torch.Tensor:
    return frames.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)


def test_doubled_art_has_the_motion_that_it_had(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    larger = enlarge(model)
    tokens = larger.encode_motion(double(frames))
    assert torch.equal(tokens, model.encode_motion(frames))
    assert len(tokens.unique(dim=0)) > 1


def test_frames_of_the_larger_canvas_come_out(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    larger = enlarge(model)
    content = larger.encode_content(double(frames[:2]), torch.zeros(3, 3, dtype=torch.uint8))
    noise = torch.randn(2, larger.preset.tokens, larger.preset.token_width)
    drawn = larger.decode(content, larger.encode_motion(double(frames[2:4])), steps=1, noise=noise)
    assert drawn.shape == (2, 128, 128, 4)


def test_each_place_lends_what_it_is_to_four(model: BitrateControlledDiffusion) -> None:
    larger = enlarge(model)
    old, new = model.denoiser.places, larger.denoiser.places
    assert new.shape[0] == 4 * old.shape[0]
    side = 64 // TINY.patch
    for row, column in ((0, 1), (5, 2), (7, 7)):
        assert torch.equal(new[row * 2 * side + column], old[row // 2 * side + column // 2])


def test_what_cannot_be_enlarged_is_named(model: BitrateControlledDiffusion) -> None:
    without = BitrateControlledDiffusion(replace(TINY, stem_width=0))
    for wrong in (without, enlarge(model)):
        with pytest.raises(BitpuppetError, match="cannot be enlarged; begin with sprite64"):
            enlarge(wrong)
