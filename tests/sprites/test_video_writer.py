"""Tests of sprites.video.writer and of the settings as users write them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    Clip,
    Crop,
    Tag,
    Videos,
    VideoSettings,
    VideoWriter,
    probe_video,
    read_video,
    write_clip,
)
from bitpuppet.sprites.video.sampling import count_durations
from bitpuppet.sprites.video.settings import VIDEO_OPTIONS
from bitpuppet.sprites.video.writer import find_rate

from .art import draw_clip
from .films import draw_levels, read_levels


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov"])
def test_a_clip_is_written_with_its_timing(tmp_path: Path, name: str) -> None:
    for rate in (Fraction(10), Fraction(30), Fraction(30000, 1001)):
        clip = Clip(draw_levels(), count_durations(rate, 0, 12))
        assert write_clip(clip, tmp_path / name) == (tmp_path / name,)
        back = read_video(tmp_path / name)
        assert (read_levels(back.frames), back.durations_ms) == (list(range(12)), clip.durations_ms)
    clip = Clip(draw_levels(4), (100, 300, 50, 250))
    write_clip(clip, tmp_path / name)
    seen = read_levels(read_video(tmp_path / name, VideoSettings(fps=Fraction(20))).frames)
    assert seen == [0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_tag_plays_in_its_direction(tmp_path: Path) -> None:
    write_clip(Clip(draw_levels(3), tags=(Tag("all", 0, 2, "pingpong"),)), tmp_path / "a.mp4")
    assert read_levels(read_video(tmp_path / "a.mp4").frames) == [0, 1, 2, 1]


def test_pixel_art_in_mp4_is_enlarged_and_lies_on_white(tmp_path: Path) -> None:
    art = draw_clip(0, count=2, width=33, height=31)
    write_clip(Clip(art), tmp_path / "a.mp4")
    info = probe_video(tmp_path / "a.mp4")
    assert (info.width, info.height, info.alpha) == (232, 218, False)  # 7 times, with sides made even
    back = read_video(tmp_path / "a.mp4").frames[:, 3:217:7, 3:231:7].astype(int)
    flat = np.where(art[..., 3:] > 0, art, 255)
    assert np.abs(back[..., :3] - flat[..., :3]).mean() < 4


@pytest.mark.parametrize("name", ["a.webm", "a.mov"])
def test_hard_alpha_stays_hard(tmp_path: Path, name: str) -> None:
    art = draw_clip(0, count=3)
    write_clip(Clip(art), tmp_path / name)
    assert np.array_equal(read_video(tmp_path / name).frames[..., 3], art[..., 3])


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.webm", "a.mov"):
        written = []
        for _ in range(2):
            write_clip(Clip(draw_clip(0)), tmp_path / name)
            written.append((tmp_path / name).read_bytes())
        assert written[0] == written[1], name


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", "mp4", Fraction(10)) as writer:
        writer.write(draw_levels(1)[0])
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"before"
    with pytest.raises(BitpuppetError, match=r"the folder .* does not exist"):
        VideoWriter(tmp_path / "none" / "a.mp4", "mp4", Fraction(10))
    with pytest.raises(BitpuppetError, match=r"does not end in \.webm"):
        VideoWriter(tmp_path / "a.mp4", "webm", Fraction(10))


def test_rates_are_seen_through_their_rounding() -> None:
    assert find_rate((100, 100)) == (10, True)
    assert find_rate((33, 33, 34, 33)) == (30, True)
    assert find_rate((42, 41, 42)) == (24, True)
    assert find_rate((100, 300)) == (5, False)
    assert find_rate((70_000,)) == (Fraction(1, 70), True)


def test_settings_are_read_as_users_write_them() -> None:
    videos = Videos.parse("29.97", "1:30-1:40.5", "64x48+3+4", "32x24", "fps=12,crop=none", "whole")
    assert videos.shared == VideoSettings(
        Fraction(2997, 100), Fraction(90), Fraction(201, 2), Crop((64, 48), (3, 4)), (32, 24)
    )
    assert videos.of_content == VideoSettings(Fraction(12), Fraction(90), Fraction(201, 2), None, (32, 24))
    assert videos.of_motion.is_whole
    assert Videos.parse() == Videos()
    assert VideoSettings.parse({"range": "2:00:00-"}).start == 7200
    assert VideoSettings.parse({"size": "64", "crop": "Centre"}) == VideoSettings(crop=Crop(), size=64)
    assert len(VIDEO_OPTIONS) == 6


@pytest.mark.parametrize(
    ("option", "value"),
    [("fps", v) for v in ("0", "-1", "x", "1e2", "1/0", "241", "nan", "9" * 30)]
    + [("range", v) for v in ("-", "5", "3-2", "2-2", "a-b", "1-2-3", "1:2:3:4-")]
    + [("crop", v) for v in ("0x4", "4", "4x4+1", "middle", "4x4-1-1", "99999x1")]
    + [("size", v) for v in ("0", "4x0", "4x4x4", "x", "9999", "-4")]
    + [("content_video", v) for v in ("", "fps", "fps=1,fps=2", "speed=3", "fps=0", "sampling=soft")],
)
def test_bad_settings_are_told(option: str, value: str) -> None:
    with pytest.raises(BitpuppetError) as caught:
        Videos.parse(**{option: value})
    text = str(caught.value)
    assert ";" in text
    assert "\n" not in text
    assert len(text) < 260


def test_boxes() -> None:
    assert Crop().find_box(100, 60, None) == (20, 0, 60, 60)
    assert Crop().find_box(100, 60, (2, 1)) == (0, 5, 100, 50)
    assert Crop((10, 20)).find_box(100, 60, None) == (45, 20, 10, 20)
    assert Crop((10, 20), (90, 40)).find_box(100, 60, None) == (90, 40, 10, 20)
    with pytest.raises(BitpuppetError, match=r"10x20\+91\+40 reaches beyond the picture of 100x60"):
        Crop((10, 20), (91, 40)).find_box(100, 60, None)
