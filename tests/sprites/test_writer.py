"""Tests of sprites.writer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    Clip,
    read_clip,
    write_apng,
    write_contact_sheet,
    write_frames,
    write_gif,
    write_sheet,
    write_strip,
)

from .art import draw_clip, noise_clips, relaxed

Writer = Callable[[NDArray[np.uint8], Path], None]


def write_rows(frames: NDArray[np.uint8], path: Path) -> None:
    write_sheet([Clip(frames), Clip(frames[:1])], path)


def write_contact(frames: NDArray[np.uint8], path: Path) -> None:
    write_contact_sheet([("clip", frames)], path)


WRITERS: list[tuple[Writer, str]] = [
    (write_strip, "a.png"),
    (write_rows, "a.png"),
    (write_gif, "a.gif"),
    (write_apng, "a.png"),
    (write_contact, "a.png"),
]


@relaxed
@given(noise_clips())
def test_strips_keep_every_byte(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    write_strip(frames, tmp_path / "a.png")
    strip = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(np.concatenate(list(frames), axis=1), strip)


@relaxed
@given(noise_clips())
def test_apng_and_folders_come_back_exactly(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    if not frames[..., 3].any():
        return
    durations = tuple(range(20, 20 + len(frames)))
    if len(frames) > 1:
        write_apng(frames, tmp_path / "a.apng", durations)
        clip = read_clip(tmp_path / "a.apng")
        assert np.array_equal(clip.frames, frames)
        assert clip.durations_ms == durations
    folder = tmp_path / f"frames{len(list(tmp_path.iterdir()))}"
    write_frames(frames, folder)
    assert np.array_equal(read_clip(folder).frames, frames)


@relaxed
@given(noise_clips(side=40, hard=True, colours=255))
def test_gifs_come_back_exactly(tmp_path: Path, frames: NDArray[np.uint8]) -> None:
    if not frames.any():
        return
    write_gif(frames, tmp_path / "a.gif", [30] * len(frames))
    clip = read_clip(tmp_path / "a.gif")
    assert np.array_equal(clip.frames, frames)
    if len(frames) > 1:
        assert clip.durations_ms == (30,) * len(frames)


def test_equal_neighbours_are_all_kept(tmp_path: Path) -> None:
    frames = np.repeat(draw_clip(0, count=1), 5, axis=0)
    write_gif(frames, tmp_path / "a.gif")
    write_apng(frames, tmp_path / "a.png")
    assert len(read_clip(tmp_path / "a.gif")) == len(read_clip(tmp_path / "a.png")) == 5


@pytest.mark.parametrize("colours", [1, 2, 3, 4, 5, 16, 17, 128, 255])
def test_gif_palettes_and_code_widths(tmp_path: Path, colours: int) -> None:
    """Enough pixels that the code table fills and starts anew."""
    rng = np.random.default_rng(colours)
    frames = np.full((2, 150, 200, 4), 255, dtype=np.uint8)
    look = np.unique(rng.integers(0, 2**24, 4 * colours))[:colours]
    picked = look[rng.integers(0, len(look), (2, 150, 200))]
    frames[..., :3] = np.stack([picked >> 16, picked >> 8 & 255, picked & 255], axis=-1)
    write_gif(frames, tmp_path / "a.gif")
    assert np.array_equal(read_clip(tmp_path / "a.gif").frames, frames)


def test_gif_of_many_colours_is_close(tmp_path: Path) -> None:
    ramp = np.zeros((2, 64, 64, 4), dtype=np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(64) * 4, np.arange(64)[:, None] * 4
    ramp[..., 3] = 255
    write_gif(ramp, tmp_path / "a.gif")
    assert np.abs(read_clip(tmp_path / "a.gif").frames.astype(int) - ramp).mean() < 6


def test_gif_cuts_half_transparency(tmp_path: Path) -> None:
    frames = np.zeros((2, 1, 2, 4), dtype=np.uint8)
    frames[:, 0] = [(9, 9, 9, 127), (7, 7, 7, 128)]
    write_gif(frames, tmp_path / "a.gif")
    assert read_clip(tmp_path / "a.gif").frames[1, 0].tolist() == [[0, 0, 0, 0], [7, 7, 7, 255]]


def test_sheets_have_a_row_for_each_clip(tmp_path: Path) -> None:
    long, short = draw_clip(0, count=4), draw_clip(1, count=2)
    write_sheet([Clip(long), Clip(short)], tmp_path / "a.png")
    clip = read_clip(tmp_path / "a.png", (32, 32))
    assert clip.rows == (0, 0, 0, 0, 1, 1)
    assert np.array_equal(clip.frames, np.concatenate([long, short]))
    with pytest.raises(BitpuppetError, match="not 16x32, 32x32"):
        write_sheet([Clip(long), Clip(draw_clip(1, width=16))], tmp_path / "b.png")


def test_wrong_durations_are_refused(tmp_path: Path) -> None:
    for write, name in ((write_gif, "a.gif"), (write_apng, "a.png")):
        with pytest.raises(ValueError, match="as many durations"):
            write(draw_clip(0, count=3), tmp_path / name, [100, 100])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_targets_that_are_no_good(tmp_path: Path, write: Writer, name: str) -> None:
    frames = draw_clip(0)
    with pytest.raises(BitpuppetError, match="missing does not exist; create it"):
        write(frames, tmp_path / "missing" / name)
    with pytest.raises(BitpuppetError, match="does not end in"):
        write(frames, tmp_path / "a.jpeg")
    (tmp_path / name).mkdir()
    with pytest.raises(BitpuppetError, match="is a folder"):
        write(frames, tmp_path / name)


@pytest.mark.parametrize(("write", "name"), WRITERS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failures_leave_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Writer, name: str, error: BaseException
) -> None:
    (tmp_path / name).write_bytes(b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BitpuppetError if isinstance(error, OSError) else KeyboardInterrupt) as info:
        write(draw_clip(0), tmp_path / name)
    if isinstance(error, OSError):
        assert "No space left on device" in str(info.value)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"old"


def test_folders_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = draw_clip(0, count=12)
    write_frames(frames[:3], tmp_path / "walk")
    write_frames(frames, tmp_path / "walk")
    assert np.array_equal(read_clip(tmp_path / "walk").frames, frames)
    with pytest.raises(BitpuppetError, match=r"other frames \(frame-0003\.png\)"):
        write_frames(frames[:3], tmp_path / "walk")
    (tmp_path / "file").write_text("")
    with pytest.raises(BitpuppetError, match="is a file"):
        write_frames(frames, tmp_path / "file")
    with pytest.raises(BitpuppetError, match="create it first"):
        write_frames(frames, tmp_path / "missing" / "walk")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(BitpuppetError, match="No space left"):
        write_frames(frames, tmp_path / "run")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "walk"]


def test_contact_sheets(tmp_path: Path) -> None:
    frames = draw_clip(0, count=3)
    write_contact_sheet([("a", frames), ("much longer label", draw_clip(1, count=2, width=16))], tmp_path / "a.png", 3)
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    assert sheet.shape[2] == 3
    # Each pixel of the art is a block of 3 x 3 somewhere, the first frame whole.
    big = np.kron(frames[0], np.ones((3, 3, 1), np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(sheet[:, 8 : 8 + 96], 96, axis=0)
    matches = [np.all((window.transpose(2, 0, 1) == big[..., :3])[big[..., 3] > 0]) for window in windows]
    assert sum(matches) == 1
    with pytest.raises(ValueError, match="needs rows"):
        write_contact_sheet([], tmp_path / "b.png")
