"""The latent codec: local, frozen, bounded, and never asked for transparency."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion, pick_tokens
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.telling import Telling

PAPER = replace(PRESETS["paper"], canvas=64)


@pytest.fixture(scope="module")
def codec(autoencoder_folder: Path) -> LatentCodec:
    return LatentCodec.load(autoencoder_folder, PAPER)


@pytest.fixture
def frames() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (5, 64, 64, 4), dtype=torch.uint8)


def test_tokens_are_scaled_latents_in_reading_order(codec: LatentCodec, frames: torch.Tensor) -> None:
    frames[..., 3] = 255
    tokens = codec.encode(frames)
    assert tokens.shape == (5, PAPER.tokens, PAPER.token_width)
    rgb = frames[..., :3].permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = codec.autoencoder.encode(rgb).latent_dist.mean * codec.autoencoder.config["scaling_factor"]
    # The second token is the patch of 4 x 4 cells to the right of the first one.
    torch.testing.assert_close(tokens[:, 1], latents[:, :, :4, 4:].permute(0, 2, 3, 1).flatten(1))


def test_decoding_undoes_cutting_and_scaling(codec: LatentCodec, frames: torch.Tensor) -> None:
    tokens = codec.encode(frames)
    out = codec.decode(tokens)
    assert out.shape == (5, 64, 64, 4)
    assert (out[..., 3] == 255).all() and float(out.min()) >= 0 and float(out.max()) <= 255
    cells = tokens.reshape(5, 2, 2, 4, 4, 4).permute(0, 5, 1, 3, 2, 4).reshape(5, 4, 8, 8)
    rgb = codec.autoencoder.decode(cells / codec.autoencoder.config["scaling_factor"]).sample
    torch.testing.assert_close(out[..., :3], ((rgb + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1) * 255)


def test_frames_go_through_in_small_groups(autoencoder_folder: Path, frames: torch.Tensor) -> None:
    codec = LatentCodec.load(autoencoder_folder, PAPER)
    whole = codec.encode(frames)
    codec.at_once = 2
    seen: list[int] = []
    codec.autoencoder.encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    torch.testing.assert_close(codec.encode(frames), whole)
    assert seen == [2, 2, 1]


def test_transparent_pixels_show_the_background(autoencoder_folder: Path, frames: torch.Tensor) -> None:
    hidden, flat = frames.clone(), frames.clone()
    hidden[..., 3] = 0
    for background, level in (("black", 0), ("white", 255)):
        codec = LatentCodec.load(autoencoder_folder, PAPER, background=background)
        flat[..., :3], flat[..., 3] = level, 255
        torch.testing.assert_close(codec.encode(hidden), codec.encode(flat))


def test_the_autoencoder_is_frozen_and_no_part_of_the_model(codec: LatentCodec, frames: torch.Tensor) -> None:
    small = replace(PAPER, width=32, heads=2, encoder_width=32, encoder_heads=2, encoder_blocks=1, denoiser_blocks=1)
    model = BitrateControlledDiffusion(small, codec)
    assert not any(parameter.requires_grad for parameter in codec.autoencoder.parameters())
    assert not any("autoencoder" in name or "codec" in name for name in model.state_dict())
    assert not codec.encode(frames).requires_grad
    assert not codec.autoencoder.training
    model.train()
    assert not codec.autoencoder.training


def test_a_pipeline_folder_will_do(autoencoder_folder: Path, tmp_path: Path, frames: torch.Tensor) -> None:
    shutil.copytree(autoencoder_folder, tmp_path / "vae")
    other = LatentCodec.load(tmp_path, PAPER)
    torch.testing.assert_close(other.encode(frames), LatentCodec.load(autoencoder_folder, PAPER).encode(frames))


def test_wrong_folders_are_named(autoencoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="nowhere: no image autoencoder"):
        LatentCodec.load(tmp_path / "nowhere", PAPER)
    with pytest.raises(BitpuppetError, match="no image autoencoder"):
        LatentCodec.load(tmp_path, PAPER)
    with pytest.raises(BitpuppetError, match="4 channels at 1/8, preset paper has 16 at 1/8"):
        LatentCodec.load(autoencoder_folder, replace(PAPER, latent_channels=16))


@pytest.mark.parametrize("damage", ["weights", "config", "keys"])
def test_damaged_files_are_named(autoencoder_folder: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "codec"
    shutil.copytree(autoencoder_folder, folder)
    if damage == "weights":
        (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"\x80\x04K\x01.")
    elif damage == "config":
        (folder / "config.json").write_text("{")
    else:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"block_out_channels": [16, 16, 16, 16]}))
    with pytest.raises(BitpuppetError, match=r"codec: not a readable autoencoder"):
        LatentCodec.load(folder, PAPER)


def test_no_autoencoder_is_an_error_not_a_download() -> None:
    with pytest.raises(BitpuppetError, match="name its folder with --codec"):
        BitrateControlledDiffusion(PAPER)


def test_mirrored_latents_are_refused() -> None:
    with pytest.raises(BitpuppetError, match="set mirrored to false"):
        replace(PRESETS["heads"], mirrored=True)


def test_every_token_of_a_latent_frame_counts(codec: LatentCodec) -> None:
    dark = torch.full((2, PAPER.tokens, PAPER.token_width), -3.0)  # as pixels, these would be transparent
    assert pick_tokens(codec, dark, 3).mask.all()


def test_convolutions_read_motion_from_latents(codec: LatentCodec, frames: torch.Tensor) -> None:
    torch.manual_seed(0)
    heads = replace(PRESETS["heads"], canvas=64, latent_channels=4, stem_width=8, width=32, encoder_blocks=1)
    model = BitrateControlledDiffusion(heads, LatentCodec(codec.autoencoder, heads.patch))
    assert model.encoder.stem is not None
    model.encoder.stem.to_motion.weight.data.mul_(20)
    read = model.encode_motion(frames)
    assert read.shape == (5, heads.groups)
    assert len(read.unique(dim=0)) > 1


def test_references_are_moved_by_what_motion_tells(codec: LatentCodec, frames: torch.Tensor) -> None:
    torch.manual_seed(0)
    heads = replace(PRESETS["heads"], canvas=64, latent_channels=4, stem_width=8, width=32, encoder_blocks=1)
    model = BitrateControlledDiffusion(heads, LatentCodec(codec.autoencoder, heads.patch))
    telling = model.denoiser.telling
    assert telling is not None
    content = model.encode_content(frames[:2])
    assert content.references is not None
    motion = torch.randn(2, heads.motion_width)
    nearest = content.references.find_nearest(motion, model.denoiser.closeness, model.denoiser.metric, heads.nearest)
    given, start = content.references.take_tokens(nearest), content.references.take_motion(nearest)
    end = motion[:, None].expand(-1, 2, -1)
    assert not telling(given, start, end).any(), "nothing, before it has learnt"
    telling.out.bias.data.fill_(0.5)
    telling.requires_grad_(False)
    told = telling(given, start, end)
    for places in (None, torch.tensor([[5, 0, 3], [1, 2, 4]])):
        placed = given + told if places is None else (given + told).take_along_dim(places[:, None, :, None], dim=2)
        moved = content.references.mix_tokens(nearest, places, placed)
        torch.testing.assert_close(moved, content.references.mix_tokens(nearest, places) + 0.5)


def test_what_is_told_is_where_motion_says_and_of_what_is_shown(codec: LatentCodec) -> None:
    torch.manual_seed(0)
    heads = replace(PRESETS["heads"], latent_channels=4)
    telling = Telling(heads)
    torch.nn.init.normal_(telling.out.weight)
    shown, start, end = torch.randn(1, 64, 16), torch.randn(1, heads.motion_width), torch.randn(1, heads.motion_width)
    told = telling(shown, start, end)
    other = shown.clone()
    other[:, 0] += 1
    changed = (telling(other, start, end) - told).abs().amax(dim=-1)[0] > 1e-6
    assert changed[0] and not changed[[7, 56, 63]].any(), "five convolutions reach five cells, two to a token"
    assert ((telling(shown, start, end + 1) - told).abs().amax(dim=-1) > 1e-6).all()


def test_what_has_learnt_nothing_draws_the_nearest_reference(codec: LatentCodec, frames: torch.Tensor) -> None:
    torch.manual_seed(0)
    heads = replace(PRESETS["heads"], canvas=64, latent_channels=4, stem_width=8, width=32, encoder_blocks=1)
    model = BitrateControlledDiffusion(heads, LatentCodec(codec.autoencoder, heads.patch))
    frames[..., 3] = 255
    content = model.encode_content(frames[:1])
    noise = torch.randn(1, heads.tokens, heads.token_width)
    drawn = model.decode(content, model.encode_motion(frames[1:2]), steps=1, noise=noise)
    torch.testing.assert_close(drawn, model.codec.decode(model.codec.encode(frames[:1])))
