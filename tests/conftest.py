"""Fixtures that all tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Hear Ctrl-C, and let the programs that tests start hear it, even where a shell started us in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the data folder, so that `-m data` chooses them."""
    for item in items:
        if "data_folder" in getattr(item, "fixturenames", ()):
            item.add_marker("data")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of training data; a test that asks for it is skipped where there is none."""
    from bitpuppet.data.folder import VARIABLE, find_data  # late: the tests inside Blender have no bitpuppet

    folder = find_data()
    if folder is None:
        pytest.skip(f"no training data in {VARIABLE} or in ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def autoencoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny AutoencoderKL with random weights, 4 channels at 1/8, in a folder as diffusers writes it."""
    import torch  # late: see above
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    folder = tmp_path_factory.mktemp("autoencoder")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        autoencoder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            norm_num_groups=4,
            latent_channels=4,
        )
    autoencoder.save_pretrained(folder, safe_serialization=True)
    return folder
