"""Latents on disk: made once, by the codec that made them, and made again where the file is of no use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.training.latents import LatentCache


class FakeCodec:
    def __init__(self, fingerprint: str = "one", factor: float = 1.0) -> None:
        self.fingerprint, self.factor = fingerprint, factor

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.float().flatten(2) * self.factor


class Reader:
    """Frames of a clip, and how often they were asked for."""

    def __init__(self, count: int = 300) -> None:
        self.frames = np.arange(count * 2 * 2 * 4, dtype=np.uint64).astype(np.uint8).reshape(count, 2, 2, 4)
        self.asked = 0

    def __call__(self) -> NDArray[np.uint8]:
        self.asked += 1
        return self.frames


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"1")
    return path


def test_a_clip_is_encoded_once(clip: Path, tmp_path: Path) -> None:
    read, place = Reader(), tmp_path / "latents"
    first = LatentCache(FakeCodec(), place)(clip, "64", read)  # type: ignore[arg-type]
    assert first.dtype == np.float16 and first.shape == (300, 2, 8)
    assert np.array_equal(first, read.frames.reshape(300, 2, 8))
    again = LatentCache(FakeCodec(factor=9), place)(clip, "64", read)  # type: ignore[arg-type]
    assert read.asked == 1 and np.array_equal(again, first)


def test_a_clip_that_was_moved_is_the_same(clip: Path, tmp_path: Path) -> None:
    read, cache = Reader(2), LatentCache(FakeCodec(), tmp_path / "latents")  # type: ignore[arg-type]
    cache(clip, "64", read)
    moved = clip.rename(tmp_path / "other.mp4")
    os.utime(moved, (1, 1))
    cache(moved, "64", read)
    assert read.asked == 1


def test_what_is_different_is_encoded_again(clip: Path, tmp_path: Path) -> None:
    read, place = Reader(2), tmp_path / "latents"
    LatentCache(FakeCodec(), place)(clip, "64", read)  # type: ignore[arg-type]
    LatentCache(FakeCodec("two"), place)(clip, "64", read)  # type: ignore[arg-type]
    LatentCache(FakeCodec(), place)(clip, "128", read)  # type: ignore[arg-type]
    clip.write_bytes(b"changed")
    LatentCache(FakeCodec(), place)(clip, "64", read)  # type: ignore[arg-type]
    assert read.asked == 4
    for file in place.iterdir():
        file.write_bytes(b"damaged")
    LatentCache(FakeCodec(), place)(clip, "64", read)  # type: ignore[arg-type]
    assert read.asked == 5 and not [file for file in place.iterdir() if file.suffix == ".tmp"]


def test_a_place_that_cannot_be_written_is_told(clip: Path) -> None:
    with pytest.raises(BitpuppetError, match="latents cannot be kept there"):
        LatentCache(FakeCodec(), clip)(clip, "64", Reader(2))  # type: ignore[arg-type]
