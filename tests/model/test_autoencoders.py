"""Image autoencoders: from diffusers' folders, from the two files of a tiny one, and never from a network unasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from safetensors.torch import save_file

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.autoencoders import PooledBlock, count_cells, fingerprint, read_autoencoder
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS

HEADS = PRESETS["heads"]
POOLED = "11"
"""The layer of the encoder that gets a pool in these tests."""


@pytest.fixture(scope="module")
def tiny() -> AutoencoderTiny:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoencoderTiny(latent_channels=32).eval()


@pytest.fixture(scope="module")
def pair(tiny: AutoencoderTiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights under the names that the author of these autoencoders gives them."""
    folder = tmp_path_factory.mktemp("pair")
    encoder = {name.removeprefix("layers."): value for name, value in tiny.encoder.state_dict().items()}
    decoder = {name.removeprefix("layers."): value for name, value in tiny.decoder.state_dict().items()}
    decoder = {f"{int(name.partition('.')[0]) + 1}.{name.partition('.')[2]}": value for name, value in decoder.items()}
    save_file(encoder, folder / "small_encoder.safetensors")
    save_file(decoder, folder / "small_decoder.safetensors")
    return folder


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.inference_mode()
def test_the_two_files_are_diffusers_class_under_other_names(
    tiny: AutoencoderTiny, pair: Path, pictures: torch.Tensor
) -> None:
    found = read_autoencoder(pair).eval()
    assert count_cells(found) == (32, 8)
    assert fingerprint(found) == fingerprint(tiny)
    latents = tiny.encode(pictures).latents
    torch.testing.assert_close(found.encode(pictures).latents, latents)
    torch.testing.assert_close(found.decode(latents).sample, tiny.decode(latents).sample)


@torch.inference_mode()
def test_a_pool_is_added_to_what_its_block_sees(pair: Path, tmp_path: Path, pictures: torch.Tensor) -> None:
    from safetensors.torch import load_file

    encoder = load_file(pair / "small_encoder.safetensors")
    pool = {
        f"{POOLED}.pool.0.weight": torch.randn(256, 64, 1, 1),
        f"{POOLED}.pool.1.weight": torch.ones(256),
        f"{POOLED}.pool.1.bias": torch.zeros(256),
        f"{POOLED}.pool.3.weight": torch.zeros(64, 256, 1, 1),
    }
    (tmp_path / "a_decoder.safetensors").write_bytes((pair / "small_decoder.safetensors").read_bytes())
    plain = read_autoencoder(pair).encode(pictures).latents
    save_file(encoder | pool, tmp_path / "a_encoder.safetensors")
    found = read_autoencoder(tmp_path)
    assert isinstance(found.encoder.layers[int(POOLED)], PooledBlock)
    torch.testing.assert_close(found.encode(pictures).latents, plain)  # a pool that says nothing changes nothing
    pool[f"{POOLED}.pool.3.weight"] = torch.ones(64, 256, 1, 1)
    save_file(encoder | pool, tmp_path / "a_encoder.safetensors")
    assert not torch.allclose(read_autoencoder(tmp_path).encode(pictures).latents, plain)


def test_tiny_ones_are_a_codec_too(tiny: AutoencoderTiny, tmp_path: Path) -> None:
    tiny.save_pretrained(tmp_path, safe_serialization=True)
    codec = LatentCodec.load(tmp_path, HEADS)
    frames = torch.randint(0, 256, (2, 128, 128, 4), dtype=torch.uint8)
    tokens = codec.encode(frames)
    assert tokens.shape == (2, HEADS.tokens, HEADS.token_width) == (2, 64, 128)
    assert codec.decode(tokens).shape == frames.shape
    assert codec.fingerprint == LatentCodec.load(tmp_path, HEADS).fingerprint
    assert codec.fingerprint != LatentCodec.load(tmp_path, HEADS, background="white").fingerprint


def test_what_cannot_be_read_is_told(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BitpuppetError, match="no image autoencoder here"):
        read_autoencoder(tmp_path / "nothing" / "of" / "this")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BitpuppetError, match="neither a folder nor in the hub's cache; add --download"):
        read_autoencoder("nobody/has-this-autoencoder")
    for name in ("small_encoder.safetensors", "small_decoder.safetensors"):
        (tmp_path / name).write_bytes((pair / name).read_bytes())
    (tmp_path / "small_encoder.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BitpuppetError, match=r"small_encoder\.safetensors and .* are no tiny autoencoder"):
        read_autoencoder(tmp_path)


def test_the_small_pretrained_one_rebuilds_a_picture(data_folder: Path) -> None:
    if not (data_folder / "taef2").is_dir():
        pytest.skip("no taef2 in the data folder")
    codec = LatentCodec.load(data_folder / "taef2", HEADS)
    ramp = np.linspace(0, 255, 128, dtype=np.uint8)
    frame = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(128), np.uint8(255)), axis=-1)
    tokens = codec.encode(torch.from_numpy(frame[None].copy()))
    assert 0.3 < float(tokens.std()) < 3
    error = (codec.decode(tokens)[0].numpy() - frame).astype(np.float64)
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 28
