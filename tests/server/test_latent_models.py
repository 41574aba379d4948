"""Models that draw by an image autoencoder, in a real server: they are listed, find it, and say when they cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.weights import save_weights
from bitpuppet.sprites import Clip, write_clip
from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.errors import JobFailedError
from bitpuppet_client.jobs import ReadParams, RetargetParams

from .test_command import environ, run, serve

__all__ = ["environ"]
pytestmark = pytest.mark.slow
SIZES = replace(
    PRESETS["heads"], canvas=32, width=32, heads=2, stem_width=0, encoder_blocks=1, denoiser_blocks=1, temporal_width=0
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An autoencoder of 32 channels in `eyes`, weights of `heads` that were made with it in `models`, and a film."""
    place = tmp_path_factory.mktemp("latent")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        autoencoder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            norm_num_groups=4,
            latent_channels=32,
        )
        autoencoder.save_pretrained(place / "eyes", safe_serialization=True)
        codec = LatentCodec.load(place / "eyes", SIZES)
        model = BitrateControlledDiffusion(SIZES, codec)
    (place / "models").mkdir()
    path = place / "models" / "heads.safetensors"
    save_weights(path, model.state_dict(), SIZES, {"codec": codec.fingerprint})
    frames = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 4), np.uint8)
    frames[..., 3] = 255
    write_clip(Clip(frames, (40,) * 5), place / "film.webm")
    return place


@pytest.fixture
def watched(environ: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a user who has no data folder."""
    yield environ | {"BITPUPPET_MODELS": str(folder / "models"), "BITPUPPET_DATA": str(folder)}


def draw(endpoint: Endpoint, folder: Path) -> np.ndarray:
    """Let a film drive itself, as the extension does it."""
    with Client(endpoint, timeout=60.0) as client:
        (info,) = [one for one in client.welcome.models if one.name == "heads"]
        assert (info.preset, info.canvas) == ("heads", 32)
        params = ReadParams("film.webm", crop="centre", size=f"{info.canvas}x{info.canvas}")
        film = client.run(params, {"video": np.fromfile(folder / "film.webm", np.uint8)}).parts["frames"]
        params = RetargetParams("heads", steps=1, palette_lock=False)
        return client.run(params, {"content": film[:2], "motion": film}).parts["frames"]


def test_film_drives_a_head_where_the_server_is_told_of_the_autoencoder(
    watched: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    film, out = str(folder / "film.webm"), str(tmp_path / "out.apng")
    files = ("--content", film, "--motion", film, "--out", out)
    with serve(watched, "--codec", str(folder / "eyes")) as endpoint:
        frames = draw(endpoint, folder)
        drawn = run(watched, "retarget", "--server", "--preset", "heads", *files, "--steps", "1", "--json")
    assert frames.shape == (5, 32, 32, 4) and (frames[..., 3] == 255).all()
    assert drawn.returncode == 0, drawn.stderr
    report = json.loads(drawn.stdout)
    assert report["palette_size"] is None, "nobody asked for the lock"
    assert report["frame"] == "32x32", "the film was cut to the canvas"


def test_head_without_an_autoencoder_is_listed_and_says_what_is_missing(watched: dict[str, str], folder: Path) -> None:
    with serve(watched) as endpoint, pytest.raises(JobFailedError) as caught:
        draw(endpoint, folder)
    told = str(caught.value)
    assert "none is named" in told and "serve --codec" in told and "Autoencoder in Blender's preferences" in told


def test_clients_learn_no_paths_of_an_autoencoder_that_is_wrong(watched: dict[str, str], folder: Path) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    with serve(watched, "--codec", str(folder / "empty")) as endpoint, pytest.raises(JobFailedError) as caught:
        draw(endpoint, folder)
    assert "--codec empty: no image autoencoder here" in str(caught.value)
    assert str(folder) not in str(caught.value)
