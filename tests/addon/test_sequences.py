"""Image sequences as films: what the service's own reader makes of them, and what cannot be sent."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from bitpuppet_addon.core import sequences
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.png import encode_png
from bitpuppet_addon.core.sequences import list_files, read_sequence
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet.sprites import VideoSettings, probe_video, read_video
from bitpuppet.sprites.clip import clear_hidden


def write_files(folder: Path, frames: np.ndarray, first: int = 1) -> Path:
    """Files as Blender renders them; the path of the first one."""
    for number, frame in enumerate(frames, first):
        (folder / f"walk{number:04d}.png").write_bytes(encode_png(frame))
    return folder / f"walk{first:04d}.png"


def draw(seed: int, count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 4), np.uint8)


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 99),
    count=st.integers(1, 6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    rate=st.sampled_from([Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(12), Fraction(1, 2)]),
)
def test_service_reads_every_pixel(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, height: int, width: int, rate: Fraction
) -> None:
    frames = draw(seed, count, height, width)
    film = read_sequence(write_files(tmp_path_factory.mktemp("walk"), frames), rate)
    assert abs(probe_video("walk", BytesIO(film.data)).rate / rate - 1) < 1e-3
    clip = read_video("walk", VideoSettings.parse({"sampling": "nearest"}), BytesIO(film.data))
    assert np.array_equal(clip.frames, clear_hidden(frames))


def test_files_are_those_with_the_name_and_any_number(tmp_path: Path) -> None:
    first = write_files(tmp_path, draw(0, 12, 2, 2), 8)
    for name in ("walk.png", "walks0009.png", "walk0010.txt", "Run0009.png"):
        (tmp_path / name).touch()
    assert [file.name for file in list_files(first)] == [f"walk{number:04d}.png" for number in range(8, 20)]
    assert list_files(tmp_path / "walk.png") == [tmp_path / "walk.png"]


def test_what_is_no_sequence_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_files(tmp_path, draw(0, 3, 2, 2))
    with pytest.raises(ArtError, match=r"none\.png cannot be read .*; choose another file"):
        read_sequence(tmp_path / "none.png", Fraction(24))
    with pytest.raises(ArtError, match=r"nowhere cannot be read .*; choose another folder"):
        read_sequence(tmp_path / "nowhere" / "a1.png", Fraction(24))
    (tmp_path / "walk0004.png").write_bytes(encode_png(draw(0, 1, 2, 3)[0]))
    with pytest.raises(ArtError, match=r"walk0004\.png is 3x2, the files before it are 2x2; render all in one size"):
        read_sequence(first, Fraction(24))
    (tmp_path / "walk0002.png").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ArtError, match=r"walk0002\.png is no PNG; render the frames as PNG"):
        read_sequence(first, Fraction(24))
    monkeypatch.setattr(sequences, "MAX_VIDEO_BYTES", 50)
    with pytest.raises(ArtError, match=r"up to walk0001\.png .* more are not sent; render smaller or fewer"):
        read_sequence(first, Fraction(24))
    monkeypatch.setattr(sequences, "MAX_FRAMES", 3)
    with pytest.raises(ArtError, match="one of 4 files, at most 3"):
        read_sequence(first, Fraction(24))
