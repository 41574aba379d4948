"""Tests of sprites.reader."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    MIN_CONFIDENCE,
    EmptyArtError,
    Grid,
    encode_apng,
    encode_gif,
    read_clip,
    write_strip,
)

from .art import draw_clip, draw_sheet, fail, make_png, save

# Sheets


def test_cells_in_reading_order_without_the_empty_ones(tmp_path: Path) -> None:
    sheet = draw_sheet(0, Grid(32, 32, 4, 3), [4, 2, 3])
    clip = read_clip(save(sheet, tmp_path / "hero.png"), (32, 32))
    assert clip.rows == (0, 0, 0, 0, 1, 1, 2, 2, 2)
    assert clip.name == "hero"
    assert np.array_equal(clip.frames[4], sheet[32:64, :32])
    assert np.array_equal(clip.frames[8], sheet[64:, 64:96])


def test_an_empty_cell_between_drawn_ones_is_left_out(tmp_path: Path) -> None:
    sheet = draw_sheet(0, Grid(32, 32, 3, 1))
    sheet[:, 32:64] = (50, 60, 70, 0)
    clip = read_clip(save(sheet, tmp_path / "a.png"), (32, 32))
    assert np.array_equal(clip.frames, [sheet[:, :32], sheet[:, 64:]])


def test_rows_in_the_order_of_the_user(tmp_path: Path) -> None:
    path = save(draw_sheet(1, Grid(32, 32, 3, 4), [3, 2, 3, 1]), tmp_path / "a.png")
    every = read_clip(path, (32, 32))
    clip = read_clip(path, (32, 32), rows=[3, 1])
    assert clip.rows == (3, 1, 1)
    assert np.array_equal(clip.frames, every.frames[[8, 3, 4]])


def test_the_frame_is_found(tmp_path: Path) -> None:
    path = save(draw_sheet(2, Grid(48, 64, 5, 3)), tmp_path / "a.png")
    assert read_clip(path).frames.shape == (15, 64, 48, 4)
    write_strip(draw_clip(0, count=6), tmp_path / "strip.png")
    assert read_clip(tmp_path / "strip.png").frames.shape == (6, 32, 32, 4)


def test_a_doubtful_grid_asks_for_the_frame(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 126, 4), dtype=np.uint8)
    fail(save(noise, tmp_path / "a.png"), r"no sure grid in 126x60.*best guess.*--frame WxH")


def test_a_frame_that_does_not_divide_names_those_that_do(tmp_path: Path) -> None:
    path = save(draw_sheet(0, Grid(50, 40, 3, 2)), tmp_path / "a.png")
    message = fail(path, "150x80, which --frame 48x40 does not divide", frame=(48, 40))
    sizes = [tuple(map(int, size.split("x"))) for size in message.rsplit(": ", 1)[1].split(", ")]
    assert sizes[0] == (50, 40)
    assert all(150 % w == 0 and 80 % h == 0 for w, h in sizes)


@pytest.mark.parametrize("frame", [(0, 32), (32, 0), (-32, 32)])
def test_a_frame_without_size_is_refused(tmp_path: Path, frame: tuple[int, int]) -> None:
    with pytest.raises(BitpuppetError, match="1 or more"):
        read_clip(save(draw_sheet(0, Grid(32, 32, 2, 1)), tmp_path / "a.png"), frame)


@pytest.mark.parametrize("row", [3, -1])
def test_a_row_out_of_range(tmp_path: Path, row: int) -> None:
    path = save(draw_sheet(0, Grid(32, 32, 2, 3)), tmp_path / "a.png")
    fail(path, f"3 rows, numbers 0 to 2; there is no row {row}", frame=(32, 32), rows=[0, row])


def test_transparent_art_is_told_apart(tmp_path: Path) -> None:
    sheet = draw_sheet(0, Grid(32, 32, 2, 2), [2, 0])
    with pytest.raises(EmptyArtError, match="every cell is transparent in row 1"):
        read_clip(save(sheet, tmp_path / "a.png"), (32, 32), rows=[1])
    with pytest.raises(EmptyArtError, match="every cell is transparent; give"):
        read_clip(save(np.zeros_like(sheet), tmp_path / "b.png"))


# Animations and folders


def test_apng_frames_and_durations(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 4), dtype=np.uint8)
    frames[2] = frames[1]
    (tmp_path / "a.png").write_bytes(encode_apng(frames, [10, 20, 35, 4000]))
    clip = read_clip(tmp_path / "a.png")
    assert np.array_equal(clip.frames, frames)
    assert clip.durations_ms == (10, 20, 35, 4000)


def test_the_still_image_of_an_apng_is_no_frame(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), "red")
    others = [Image.new("RGBA", (8, 8), colour) for colour in ("lime", "blue")]
    image.save(tmp_path / "a.png", save_all=True, append_images=others, default_image=True, duration=70)
    clip = read_clip(tmp_path / "a.png")
    assert clip.frames[:, 0, 0].tolist() == [[0, 255, 0, 255], [0, 0, 255, 255]]
    assert clip.durations_ms == (70, 70)


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_gif_disposal(tmp_path: Path, disposal: int) -> None:
    """The frames are dots on nothing; what shows is what the disposal leaves of the earlier ones."""
    dots = []
    for x in range(3):
        dot = np.zeros((4, 8, 4), dtype=np.uint8)
        dot[1, 2 * x + 1] = (250, 10 * x, 0, 255)
        dots.append(dot)
    data = bytearray(encode_gif(np.stack(dots), [40, 50, 60]))
    for match in list(re.finditer(rb"\x21\xf9\x04", data)):
        data[match.end()] = disposal << 2 | 1
    (tmp_path / "a.gif").write_bytes(data)
    clip = read_clip(tmp_path / "a.gif")
    assert clip.durations_ms == (40, 50, 60)
    piled = disposal in (0, 1)
    for index, frame in enumerate(clip.frames):
        expected = np.maximum.reduce(dots[: index + 1]) if piled else dots[index]
        assert np.array_equal(np.where(frame[..., 3:] > 0, frame, 0), expected)


def test_a_gif_of_one_frame_is_one_frame(tmp_path: Path) -> None:
    frames = draw_clip(0, count=1, width=64, height=32)
    (tmp_path / "a.gif").write_bytes(encode_gif(frames))
    assert read_clip(tmp_path / "a.gif").frames.shape == (1, 32, 64, 4)
    assert read_clip(tmp_path / "a.gif", (32, 32)).frames.shape == (2, 32, 32, 4)


def test_gif_without_durations_gets_the_usual_one(tmp_path: Path) -> None:
    data = bytearray(encode_gif(draw_clip(0, count=2)))
    for match in list(re.finditer(rb"\x21\xf9\x04.", data)):
        data[match.end() : match.end() + 2] = b"\0\0"
    (tmp_path / "a.gif").write_bytes(data)
    assert read_clip(tmp_path / "a.gif").durations_ms == (100, 100)


def test_animations_keep_empty_frames_and_have_one_row(tmp_path: Path) -> None:
    frames = draw_clip(0, count=3)
    frames[1] = 0
    (tmp_path / "a.gif").write_bytes(encode_gif(frames))
    assert len(read_clip(tmp_path / "a.gif", (64, 64), rows=[0])) == 3
    fail(tmp_path / "a.gif", "1 row, number 0", rows=[1])
    (tmp_path / "b.gif").write_bytes(encode_gif(np.zeros_like(frames)))
    with pytest.raises(EmptyArtError, match="every cell is transparent"):
        read_clip(tmp_path / "b.gif")


def test_folders_are_sorted_as_people_count(tmp_path: Path) -> None:
    frames = draw_clip(0, count=4)
    for name, frame in zip(("walk2.png", "walk10.PNG", "walk1.png", "walk03.png"), frames, strict=True):
        save(frame, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._walk1.png").write_bytes(b"junk of a file system")
    (tmp_path / "sub.png").mkdir()
    clip = read_clip(tmp_path)
    assert np.array_equal(clip.frames, frames[[2, 0, 3, 1]])
    assert clip.name == tmp_path.name


def test_folders_with_mistakes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    fail(tmp_path, "holds no frames")
    save(draw_clip(0, count=1)[0], tmp_path / "1.png")
    odd = save(draw_clip(0, count=1, width=16)[0], tmp_path / "2.png")
    with pytest.raises(BitpuppetError, match=re.escape(f"{odd} is 16x32, 1.png is 32x32; export all")):
        read_clip(tmp_path)
    odd.write_bytes(b"text")
    with pytest.raises(BitpuppetError, match=r"2\.png is not a PNG"):
        read_clip(tmp_path)


def test_the_cells_of_a_sheet_are_limited(tmp_path: Path) -> None:
    sheet = np.full((64, 65, 4), 255, np.uint8)
    path = save(sheet, tmp_path / "a.png")
    fail(path, "4160 frames of 1x1, the limit is 4096", frame=(1, 1))
    assert len(read_clip(path, (1, 1), rows=[0, 63])) == 130


def test_the_files_of_a_folder_are_limited(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(make_png(4000, 4000, 8, 6, []))
    fail(tmp_path, "4000x4000 pixels in 3 frames")


def test_the_threshold_is_the_one_of_the_message(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 126, 4), dtype=np.uint8)
    assert f"of the {MIN_CONFIDENCE} needed" in fail(save(noise, tmp_path / "a.png"), "confidence")
