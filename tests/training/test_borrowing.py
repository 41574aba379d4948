"""Training with a bank: lent frames reach the references, beside the lender's own motion, with a lead for the first."""

from __future__ import annotations

import numpy as np
import torch

from bitpuppet.data.mixture import Frames, Mixture, Scene, Share
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.reference import LEAD
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.borrowing import BorrowingDriving
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]


def draw(frames: int, row: int, colour: int = 200) -> Frames:
    art = np.zeros((frames, 64, 64, 4), np.uint8)
    for number in range(frames):
        art[number, row + number : row + 12 + number, 20:30] = (colour, 40, 90, 255)
    return art


class Lending:
    """A source whose scenes bring what two others lend, every second time."""

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        lent = np.stack([draw(4, 10), draw(4, 30)]) if rng.random() < 0.5 else None
        return Scene([draw(4, 10), draw(3, 40)], draw(4, 10, 90), lent=lent, lenders=lent)


def make_batch() -> TensorBatch:
    arrays = Mixture([Share(Lending(), 1.0, 0.5)]).draw(0, 8, 2, 3, in_order=True)
    return TensorBatch.from_arrays(arrays, torch.device("cpu"))


def test_lent_frames_are_those_of_the_target() -> None:
    batch = make_batch()
    assert batch.lent is not None and batch.lent_shown is not None and batch.lent.shape[:2] == (8, 6)
    shown = batch.lent_shown.all(dim=1)
    assert torch.equal(shown, batch.lent_shown.any(dim=1)) and 0 < shown.sum() < 8
    assert torch.equal(batch.lent[shown][:, :3], batch.target[shown]), "the same frames in the same new colours"
    assert not batch.lent[~shown].any()


def test_lent_frames_become_references() -> None:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(TINY)
    recipe = Recipe(steps=4, encoder_tokens=8, denoiser_tokens=8, agreement=0.0)
    batch = make_batch()
    content, _ = BorrowingDriving(model, recipe)._encode_content(batch, 2.0)
    plain, _ = BorrowingDriving(model, recipe)._encode_content(batch._replace(lent=None), 2.0)
    assert content.references is not None and plain.references is not None and content.references.lead is not None
    own = plain.references.tokens.shape[1]
    assert torch.equal(content.references.tokens[:, :own], plain.references.tokens)
    assert torch.equal(content.references.mask[:, own:], batch.lent_shown)
    assert content.references.lead[0].tolist() == [0.0] * own + [LEAD] * 3 + [0.0] * 3
    wanted = content.references.motion[:, own : own + 3].flatten(0, 1)
    assert model.denoiser.metric is not None
    nearest = content.references.find_nearest(wanted, torch.tensor(0.1), model.denoiser.metric, 2)
    lent = batch.lent_shown.all(dim=1).repeat_interleave(3)
    assert ((nearest.frames[:, 0] >= own) == lent).all(), "where something is lent for the very pose, it comes first"
    assert BorrowingDriving(model, recipe)(batch, 2.0).total.isfinite()
