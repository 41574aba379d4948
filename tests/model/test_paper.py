"""The `paper` preset: the paper's sizes, counted part by part, and one step of training and of sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.device import autocast
from bitpuppet.model.frame_encoder import FrameEncoder
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.training.loop import make_optimizers
from bitpuppet.training.objective import CrossDriving, TensorBatch
from bitpuppet.training.recipe import make_paper_recipe

PAPER = PRESETS["paper"]
SMALL = replace(
    PAPER,
    canvas=64,
    clip_frames=4,
    width=32,
    heads=2,
    encoder_width=16,
    encoder_heads=2,
    encoder_blocks=2,
    denoiser_blocks=2,
    temporal_width=16,
    temporal_reach=2,
    content_tokens=3,
    groups=4,
    codewords=8,
    bits_per_frame=8.0,
)
"""The paper's form at sizes for quick tests."""


def count(module: nn.Module | nn.Parameter) -> int:
    parts = [module] if isinstance(module, nn.Parameter) else module.parameters()
    return sum(parameter.numel() for parameter in parts)


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def test_sizes_are_the_papers() -> None:
    assert (PAPER.encoder_blocks, *PAPER.encoder_size) == (12, 512, 8)
    assert (PAPER.groups, PAPER.codewords, PAPER.bits_per_frame) == (64, 32, 160)
    assert (PAPER.denoiser_blocks, PAPER.width, PAPER.heads, PAPER.patch) == (12, 768, 12, 4)  # DiT-B/4
    assert (PAPER.codec, PAPER.reading, PAPER.prediction, PAPER.sampler) == ("latent", "frames", "edm", "heun")
    assert (PAPER.head, PAPER.detail_frames, PAPER.clip_frames) == ("values", 0, 50)
    assert (PAPER.tokens, PAPER.token_width) == (8 * 8, 4 * 4 * 4)  # 256 pixels are 32 cells, in patches of 4
    assert PAPER.temporal_width > 0


def test_parameters_part_by_part() -> None:
    with torch.device("meta"):
        model = BitrateControlledDiffusion(PAPER, PatchCodec(1))
    encoder, denoiser = model.encoder, model.denoiser
    assert isinstance(encoder, FrameEncoder)
    # T5: four square projections and a feed-forward of four times the width a block, no biases, two norms; 32 buckets
    # of distances for each head; a last norm, and the one word that nothing reads.
    t5 = 12 * (4 * 512**2 + 2 * 512 * 2048 + 2 * 512) + 32 * 8 + 512 + 512
    assert count(encoder.stack) == t5
    assert count(encoder.embed) == linear(32 * 32 * 4, 512)  # one token for all latents of a frame
    assert count(encoder.content_queries) == 32 * 512
    assert count(encoder.to_content) == linear(512, 768)
    assert count(encoder.to_motion) == linear(512, 64 * 8)
    assert count(model.quantizer) == 64 * 32 * 8
    # DiT-B: attention and feed-forward of four times the width, adaLN of six vectors; ours projects content besides.
    dit = 12 * (linear(768, 6 * 768) + linear(768, 3 * 768) + linear(768, 768) + linear(768, 3072) + linear(3072, 768))
    assert count(denoiser.blocks) == dit + 12 * linear(768, 2 * 768)
    assert dit == pytest.approx(130e6, rel=0.03)  # what the DiT paper gives for DiT-B/4, with its embeddings
    reach = 2 * 24 + 1
    assert count(denoiser.temporal_blocks) == 12 * (linear(768, 3 * 768) + linear(768, 768) + 12 * reach)
    assert count(denoiser.embed) == linear(64, 768) and count(denoiser.places) == 64 * 768
    assert count(denoiser.noise) == linear(64, 768) + linear(768, 768)
    assert count(denoiser.motion) == linear(512, 768)
    assert count(denoiser.modulation) == linear(768, 2 * 768) and count(denoiser.head) == linear(768, 64)
    named = {name.split(".")[1] for name, _ in model.named_parameters()}
    parts = {"stack", "embed", "content_queries", "to_content", "to_motion", "codebooks", "blocks", "temporal_blocks"}
    assert named == parts | {"places", "noise", "motion", "modulation", "head"}, "a part was not counted"


def test_sprite64_is_what_it_was() -> None:
    with torch.device("meta"):
        model = BitrateControlledDiffusion(Preset())
    names = set(model.state_dict())
    assert {"encoder.stem.to_motion.weight", "encoder.places", "denoiser.temporal_blocks.2.distances"} <= names
    assert model.denoiser.temporal_blocks[0].distances.shape == (4, 7)
    assert len(model.denoiser.temporal_blocks) == 3
    assert Preset.from_metadata({"name": "sprite64"}) == Preset()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "palette"}, "latents have no palette"),
        ({"stem_width": 8}, "stem_width 0"),
        ({"detail_frames": 2}, "detail_frames 0"),
        ({"clip_frames": 5}, "even clip_frames"),
        ({"canvas": 40}, "does not divide"),
        ({"encoder_heads": 7}, "heads 7"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BitpuppetError, match=message):
        replace(PAPER, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def codec(autoencoder_folder: Path) -> LatentCodec:
    return LatentCodec.load(autoencoder_folder, SMALL)


@pytest.fixture
def small(codec: LatentCodec) -> BitrateControlledDiffusion:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(SMALL, codec).eval()
    for parameter in model.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def make_batch(preset: Preset, clips: int) -> TensorBatch:
    half, side = preset.clip_frames // 2, preset.canvas
    frames = torch.randint(0, 256, (2, clips, half, side, side, 4), dtype=torch.uint8)
    empty = torch.zeros(clips, 0, 3, dtype=torch.uint8)
    return TensorBatch(
        content=frames[0],
        shown=torch.ones(clips, half, dtype=torch.bool),
        target=frames[1],
        motion=frames[1],
        colours=empty,
        counts=torch.zeros(clips, dtype=torch.int64),
        wanted=torch.zeros(clips, half, 0, 0, dtype=torch.uint8),
        numbers=torch.zeros(clips, half, 0, 0, dtype=torch.uint8),
    )


def test_motion_is_read_at_the_frames_of_a_clip(small: BitrateControlledDiffusion) -> None:
    frames = make_batch(SMALL, 1).target[0]
    assert isinstance(small.encoder, FrameEncoder)
    read = small.encoder.forward_motion(small.codec.encode(frames)[None])
    assert read.shape == (2, 4, 8)
    other = small.encoder.forward_motion(small.codec.encode(frames.flip(0))[None])
    assert not torch.allclose(read, other.flip(0)), "motion must depend on the frames around it, as in the paper"


def test_long_clips_are_read_in_windows_as_long_as_in_training(small: BitrateControlledDiffusion) -> None:
    frames = make_batch(replace(SMALL, clip_frames=10), 1).target[0]  # 5 frames, windows of 2
    tokens = small.encode_motion(frames)
    assert tokens.shape == (5, 4)
    assert torch.equal(tokens[:2], small.encode_motion(frames[:2]))
    assert torch.equal(tokens[4:], small.encode_motion(frames[3:])[1:]), "the last window is whole"
    assert small.encode_motion(frames[:1]).shape == (1, 4)


def test_hidden_content_frames_have_no_say(small: BitrateControlledDiffusion) -> None:
    clip = small.codec.encode(make_batch(SMALL, 1).target[0])[None]
    assert isinstance(small.encoder, FrameEncoder)
    shown = torch.tensor([[True, False]])
    changed = clip.clone()
    changed[:, 1] += 1
    one, two = (small.encoder.forward_content(part, shown).tokens for part in (clip, changed))
    assert one.shape == (1, 3, 32)
    torch.testing.assert_close(one, two)
    assert not torch.allclose(one, small.encoder.forward_content(changed, ~shown).tokens)


@pytest.mark.parametrize("temporal", [False, True])
def test_small_form_trains_and_samples(small: BitrateControlledDiffusion, temporal: bool) -> None:
    recipe = make_paper_recipe(SMALL, 64, temporal=temporal)
    losses = CrossDriving(small, recipe)(make_batch(SMALL, 2), 1.0)
    losses.total.backward()
    assert losses.total.isfinite()
    learns = small.denoiser.temporal_blocks[0].qkv.weight.grad
    assert (learns is not None) == temporal
    assert small.encoder.embed.weight.grad is not None and small.quantizer.codebooks.grad is not None
    content = small.encode_content(make_batch(SMALL, 1).content[0])
    drawn = small.decode(
        content, torch.zeros(3, 4, dtype=torch.int64), steps=2, noise=torch.randn(3, SMALL.tokens, SMALL.token_width)
    )
    assert drawn.shape == (3, 64, 64, 4) and drawn.isfinite().all()


def test_stages_have_the_papers_epochs_and_batch() -> None:
    for devices, pairs in ((1, 32), (8, 4), (64, 1)):
        first, second = (make_paper_recipe(PAPER, 6400, devices, temporal=temporal) for temporal in (False, True))
        assert first.pairs == second.pairs == pairs
        assert first.steps == 30 * 6400 / (pairs * devices) and second.steps == first.steps / 2
        assert not first.temporal and second.temporal
        assert first.content_frames + first.target_frames == 50 and first.denoiser_tokens == 64
    assert make_paper_recipe(PAPER, 3).steps == 3  # 90 clips in batches of 32


@pytest.mark.slow
def test_full_size_takes_a_training_step_and_a_sampling_step(autoencoder_folder: Path) -> None:
    """All widths and depths are the paper's; frames are smaller and fewer, so only the frame's embedding is."""
    torch.manual_seed(0)
    preset = replace(PAPER, canvas=64, clip_frames=4)
    model = BitrateControlledDiffusion(preset, LatentCodec.load(autoencoder_folder, preset))
    assert count(model) == pytest.approx(211.0e6, rel=0.001)  # 212.9 million at 256 pixels
    recipe = make_paper_recipe(preset, 32, temporal=True)
    optimizers = make_optimizers(model, recipe)
    head = next(model.denoiser.head.parameters())  # it starts at zero, so the first step moves nothing before it
    before = head.detach().clone()
    with autocast(torch.device("cpu")):
        losses = CrossDriving(model, recipe)(make_batch(preset, 1), 0.8)
    losses.total.backward()
    for optimizer in optimizers:
        optimizer.step()
    assert losses.total.isfinite()
    assert not torch.equal(head, before)
    model.eval()
    with autocast(torch.device("cpu")):
        content = model.encode_content(make_batch(preset, 1).content[0])
        motion = model.encode_motion(make_batch(preset, 1).target[0])
        drawn = model.decode(content, motion, steps=1, noise=torch.randn(2, preset.tokens, preset.token_width))
    assert motion.shape == (2, 64)
    assert drawn.shape == (2, 64, 64, 4) and drawn.isfinite().all()
