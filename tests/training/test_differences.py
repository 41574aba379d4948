"""Motion of videos alone: learnt from what changes between frames; it begins with what changes inside of clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bitpuppet.data.clips import pack_batch
from bitpuppet.data.mixture import PairBatch
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.differences import MotionDifferences
from bitpuppet.training.loop import Trainer
from bitpuppet.training.recipe import make_heads_recipe

HEADS = replace(
    PRESETS["heads"],
    canvas=64,
    latent_channels=4,
    stem_width=16,
    width=16,
    heads=2,
    encoder_blocks=1,
    denoiser_blocks=2,
    temporal_width=8,
    detail_frames=2,
    groups=4,
    codewords=8,
    bits_per_frame=6.0,
)


class Nodding:
    """Latents of "people", each a pattern of its own, with a spot that moves."""

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        rng = np.random.default_rng([step, 5])
        content, target = (
            np.stack([self._draw(np.random.default_rng(who), rng, count) for who in range(pairs)])
            for count in (content_frames, target_frames)
        )
        return pack_batch(content, target)

    def _draw(self, who: np.random.Generator, rng: np.random.Generator, count: int) -> NDArray[np.float16]:
        cells = np.repeat(who.normal(size=(1, 8, 8, 4)), count, axis=0)
        for frame, (row, column) in zip(cells, rng.integers(0, 4, size=(count, 2)), strict=True):
            frame[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 2.0
        tokens = cells.reshape(count, 4, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(count, 16, 16)
        return tokens.astype(np.float16)


@pytest.fixture(scope="module")
def codec(autoencoder_folder: Path) -> LatentCodec:
    return LatentCodec.load(autoencoder_folder, HEADS)


def make_trainer(codec: LatentCodec, folder: Path, steps: int) -> Trainer:
    recipe = replace(make_heads_recipe(HEADS, learns="motion"), steps=steps, pairs=16, warmup=5, control=(1.0, 1.0))
    return Trainer(HEADS, recipe, Nodding(), folder, codec=codec, cpu=True)


def test_frames_of_a_clip_have_different_motion_from_the_start(codec: LatentCodec, tmp_path: Path) -> None:
    trainer = make_trainer(codec, tmp_path, 1)
    lesson = trainer.objective
    assert isinstance(lesson, MotionDifferences)
    shares = []
    for _ in range(2):
        batch = Nodding().draw(9, 8, 2, 12)
        tokens = torch.from_numpy(batch.target).float()
        places = torch.arange(16).expand(96, -1)
        read = trainer.model.encoder.forward_motion(tokens.flatten(0, 1), places, places >= 0)
        motion = trainer.model.quantizer(read).motion.detach().reshape(8, 12, -1)
        within = (motion - motion.mean(1, keepdim=True)).square().mean()
        shares.append(float(within / (motion - motion.mean((0, 1))).square().mean()))
        lesson.settle(TensorBatch.from_arrays(Nodding().draw(n, 8, 2, 12), torch.device("cpu")) for n in range(4))
    assert shares[0] < 0.6 < 0.8 < shares[1], "before, it was about who somebody is"


def test_what_moves_is_learnt(codec: LatentCodec, tmp_path: Path) -> None:
    untold: list[float] = []
    make_trainer(codec, tmp_path, 160).run(lambda progress: untold.append(progress.measures["loss_at_max"]))
    assert np.mean(untold[:5]) > 0.9 and np.mean(untold[-5:]) < 0.5


def test_a_lesson_resumes_where_it_was(codec: LatentCodec, tmp_path: Path) -> None:
    whole = make_trainer(codec, tmp_path / "whole", 4)
    whole.run()
    make_trainer(codec, tmp_path / "parts", 4).run(until=2)
    rest = make_trainer(codec, tmp_path / "parts", 4)
    rest.resume()
    rest.run()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name


def test_a_clip_that_hardly_moves_counts_as_much_as_one_that_does(codec: LatentCodec) -> None:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(HEADS, codec)
    lesson = MotionDifferences(model, replace(make_heads_recipe(HEADS, learns="motion"), most_shift=0))
    assert model.denoiser.telling is not None
    torch.nn.init.normal_(model.denoiser.telling.out.bias)
    batch = TensorBatch.from_arrays(Nodding().draw(0, 2, 2, 6), torch.device("cpu"))
    size = torch.tensor([1.0, 100.0])[:, None, None, None]
    batch = batch._replace(**{name: getattr(batch, name) * size for name in ("content", "target", "motion")})

    def take(clips: slice) -> TensorBatch:
        return TensorBatch(*(None if part is None else part[clips] for part in batch))

    losses = [float(lesson(take(clips), 2.0).diffusion) for clips in (slice(1), slice(1, 2), slice(2))]
    assert losses[2] == pytest.approx((losses[0] + losses[1]) / 2, rel=1e-3)
    assert losses[0] > 2 * losses[1]
