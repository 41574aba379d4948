"""Tests of reading videos: sprites.video.container, reader and sampling. Every file is written here, with PyAV."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Clip, VideoSettings, probe_video, read_clip, read_video, read_windows, write_clip
from bitpuppet.sprites.video.container import turn_picture
from bitpuppet.sprites.video.sampling import Moment, cut_clip, sample_moments

from .art import draw_clip, relaxed
from .films import draw_levels, read_levels, write_film


def settings(**values: str) -> VideoSettings:
    return VideoSettings.parse(values)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mov", "prores_ks", "yuv444p10le"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mkv", "ffv1", "yuv444p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
    ],
)
@pytest.mark.filterwarnings("ignore:deprecated pixel format")
def test_every_frame_of_a_film_comes_once(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    for rate in (Fraction(25), Fraction(30000, 1001)):
        path = write_film(tmp_path / name, draw_levels(), rate, codec=codec, pixels=pixels)
        clip = read_clip(path)
        assert read_levels(clip.frames) == list(range(12))
        assert clip.frames.shape == (12, 24, 32, 4)
        assert clip.frames[..., 3].min() == 255
        assert sum(clip.durations_ms) == round(12000 / rate)
        assert abs(probe_video(path).rate - rate) < 0.05


def test_rate_and_range_choose_frames(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(), 10)
    half = read_clip(path, video=settings(fps="5"))
    assert (read_levels(half.frames), half.durations_ms) == ([0, 2, 4, 6, 8, 10], (200,) * 6)
    assert read_levels(read_video(path, settings(fps="20", range="0-0.4")).frames) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert read_levels(read_video(path, settings(range="0.3-0.6")).frames) == [3, 4, 5]
    assert read_levels(read_video(path, settings(range="0.95-")).frames) == [9, 10, 11]
    with pytest.raises(BitpuppetError, match=r"a\.mp4 is 1\.2 s long, --range begins at 3 s; correct it"):
        read_video(path, settings(range="3-"))


def test_bytes_are_read_as_a_file_is(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(), 10)
    data, seen = BytesIO(path.read_bytes()), list[tuple[int, int]]()
    clip = read_video("film of hers.mp4", settings(range="0.5-"), data, lambda done, total: seen.append((done, total)))
    assert read_levels(clip.frames) == [5, 6, 7, 8, 9, 10, 11]
    assert seen[0] == (0, 7) and {total for _, total in seen} == {7}
    assert len(seen) == 12, "pictures before the range are told, too"
    with pytest.raises(BitpuppetError, match=r"film of hers\.mp4 is no video"):
        read_video("film of hers.mp4", data=BytesIO(b"text of some length"))


def test_a_range_far_in_is_found_by_seeking(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(60), 1)
    assert read_levels(read_video(path, settings(range="0:30-0:33")).frames) == [6, 7, 8]


def test_a_varying_rate_becomes_constant(tmp_path: Path) -> None:
    times = [0, 100, 200, 600, 1000, 1100]
    path = write_film(tmp_path / "a.mkv", draw_levels(6), 10, codec="ffv1", pixels="yuv444p", times_ms=times)
    clip = read_video(path, settings(fps="10"))
    assert read_levels(clip.frames) == [0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5]
    assert set(clip.durations_ms) == {100}
    assert len(set(read_video(path).durations_ms)) <= 2  # but for rounding


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_film_is_shown_upright(tmp_path: Path, rotation: int) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(2), rotation=rotation)
    turned = read_video(path).frames[0]
    expected = np.rot90(draw_levels(1)[0], rotation // 90)
    assert turned.shape == expected.shape
    assert np.abs(turned.astype(int) - expected).mean() < 4
    # The crop is a box in the picture as it is shown.
    assert read_video(path, settings(crop="8x24" if rotation != 180 else "32x8")).frames.shape[0] == 2


@pytest.mark.parametrize("matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0)])
def test_pictures_turn_as_the_matrix_says(matrix: tuple[int, int, int, int]) -> None:
    a, b, c, d = matrix
    picture = np.zeros((3, 5, 1), dtype=np.uint8)
    picture[1, 4] = 9
    x, y = a * (4 - 2) + c * (1 - 1), b * (4 - 2) + d * (1 - 1)  # from the middle
    turned = turn_picture(picture, matrix)
    assert turned[turned.shape[0] // 2 + y, turned.shape[1] // 2 + x] == 9


@pytest.mark.parametrize(("name", "exact"), [("a.webm", 6), ("a.mov", 2)])
def test_soft_alpha_is_kept(tmp_path: Path, name: str, exact: int) -> None:
    frames = np.full((3, 24, 32, 4), 200, dtype=np.uint8)
    frames[..., 3] = np.linspace(0, 255, 32).astype(np.uint8)
    write_clip(Clip(frames), tmp_path / name)
    back = read_clip(tmp_path / name).frames
    assert np.abs(back[..., 3].astype(int) - frames[..., 3]).max() <= exact
    assert probe_video(tmp_path / name).alpha
    smaller = read_clip(tmp_path / name, video=settings(size="16")).frames
    assert smaller.shape == (3, 12, 16, 4)
    assert np.abs(smaller[..., 12, :3].astype(int) - 200).max() <= exact  # clear pixels do not darken their neighbours


def test_pixel_art_keeps_its_colours_and_film_is_averaged(tmp_path: Path) -> None:
    art = draw_clip(0, count=3)
    write_clip(Clip(art), tmp_path / "a.gif")
    small = read_clip(tmp_path / "a.gif", video=settings(size="16x16")).frames
    assert set(map(bytes, small.reshape(-1, 4))) <= set(map(bytes, art.reshape(-1, 4)))
    noise = np.random.default_rng(0).integers(0, 2, (2, 32, 32, 1)) * np.array([255, 255, 255, 0])
    film = write_film(tmp_path / "a.mp4", np.where([0, 0, 0, 1], 255, noise).astype(np.uint8), codec="libx264")
    middle = read_video(film, settings(size="2x2")).frames[..., :3]
    assert abs(int(middle.mean()) - 128) < 25
    assert np.ptp(read_video(film, VideoSettings.parse({"size": "2x2", "sampling": "nearest"})).frames[..., 0]) > 150


def test_a_gif_has_its_own_durations_until_it_is_cut(tmp_path: Path) -> None:
    write_clip(Clip(draw_clip(0, count=4), (100, 300, 100, 100)), tmp_path / "a.gif")
    whole, cut = read_clip(tmp_path / "a.gif"), read_clip(tmp_path / "a.gif", video=settings(fps="10", range="0.1-"))
    assert whole.durations_ms == (100, 300, 100, 100)
    assert np.array_equal(cut.frames, whole.frames[[1, 1, 1, 2, 3]])


def test_folders_are_cut_alike(tmp_path: Path) -> None:
    frames = draw_clip(0, count=6)
    frames[..., 3] //= 2
    write_clip(Clip(frames), tmp_path / "a", "frames")
    cut = read_clip(tmp_path / "a", video=settings(range="0.1-0.5", fps="5", crop="16x16+0+0"))
    assert np.array_equal(cut.frames, frames[[1, 3], :16, :16])
    with pytest.raises(BitpuppetError, match="a ends before --range begins, at 9 s"):
        read_clip(tmp_path / "a", video=settings(range="9-"))
    clip = Clip(frames, (10, 20, 30, 40, 50, 60))
    assert cut_clip(clip, settings(range="0.01-0.06")).durations_ms == (20, 30)


def test_windows_cover_the_film_and_overlap(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(), 10)
    assert [read_levels(w.frames) for w in read_windows(path, frames=5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    shown = [read_levels(window.frames) for window in read_windows(path, settings(range="0-0.7"), 4, 2)]
    assert shown == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6]]
    (single,) = read_windows(path, settings(range="0-0.1"), 4, 3)
    assert read_levels(single.frames) == [0]
    with pytest.raises(ValueError, match="cannot overlap"):
        next(read_windows(path, frames=4, overlap=4))


def test_windows_hold_no_more_than_one(tmp_path: Path) -> None:
    frame = draw_levels(1, 256, 256)
    path = write_film(tmp_path / "a.mp4", np.repeat(frame, 150, axis=0), 25)

    def measure(count: int) -> int:
        tracemalloc.start()
        for _ in read_windows(path, settings(range=f"0-{count / 25}"), 8):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = measure(25), measure(150)
    assert long < 1.3 * short < 40 * frame.nbytes


def test_a_ten_hour_film_is_told_before_it_is_decoded(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", draw_levels(6), Fraction(1, 6000), times_ms=[6_000_000 * n for n in range(6)])
    assert abs((probe_video(path).seconds or 0) - 36000) < 6001
    for read in (read_video, lambda path: next(read_windows(path))):
        with pytest.raises(
            BitpuppetError, match=r"a\.mkv would be read for \d+:\d\d:\d\d, the limit is 1:00:00 .*--range"
        ):
            read(path)
    part = read_video(path, settings(range="5:00:00-5:00:02", fps="2"))
    assert read_levels(part.frames) == [3, 3, 3, 3]


def test_too_much_for_a_clip_is_told_with_a_remedy(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(1, 1280, 720), Fraction(1, 600))
    with pytest.raises(BitpuppetError, match=r"has 13\d* million pixels in \d+ frames, the limit is 32 .*--size"):
        read_video(path, settings(fps="1/4"))
    with pytest.raises(BitpuppetError, match=r"has \d+ frames at 25 a second, the limit is 4096; name a part, .*0-163"):
        read_video(path, settings(fps="25", size="8x8"))
    with pytest.raises(BitpuppetError, match=r"a\.mp4: --crop 2000x8 reaches beyond the picture of 1280x720"):
        read_video(path, settings(fps="1/600", crop="2000x8"))


def test_broken_files_are_told(tmp_path: Path) -> None:
    good = write_film(tmp_path / "good.mp4", draw_levels(), codec="libx264").read_bytes()
    for name, data, match in (
        ("empty.mp4", b"", "is an empty file"),
        ("text.mp4", b"#EXTM3U\nhttp://example.com/a.ts\n", "is no video that can be read"),
        ("short.mp4", good[: len(good) // 3], "damaged or cut short"),
        ("zero.mp4", good[:32] + bytes(len(good) - 32), "damaged or cut short|no video track"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BitpuppetError, match=f"{name} .*({match})") as caught:
            read_clip(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(BitpuppetError, match=r"none\.mp4 does not exist"):
        read_clip(tmp_path / "none.mp4")


@relaxed
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_damage_never_ends_in_another_error(tmp_path: Path, place: int, value: int) -> None:
    whole = tmp_path / "whole.mp4"
    if not whole.exists():
        write_film(whole, draw_levels(4))
    data = bytearray(whole.read_bytes())
    data[place % len(data)] = value
    (tmp_path / "a.mp4").write_bytes(data)
    try:
        assert len(read_clip(tmp_path / "a.mp4")) >= 1
    except BitpuppetError as error:
        assert "a.mp4" in str(error)


def test_sound_alone_is_told(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", draw_levels(1), picture=False, sound=True)
    with pytest.raises(BitpuppetError, match=r"a\.mp4 has sound but no picture; give a file with a video track"):
        read_clip(path)


def test_a_film_with_sound_is_read(tmp_path: Path) -> None:
    assert read_levels(read_clip(write_film(tmp_path / "a.mp4", draw_levels(3), sound=True)).frames) == [0, 1, 2]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.integers(1, 60), st.integers(0, 2000))
def test_sampled_frames_follow_the_clock(lengths: list[int], fps: int, start: int) -> None:
    ends = np.cumsum(lengths).tolist()
    moments = [
        Moment(Fraction(e - n, 1000), Fraction(n, 1000), i) for i, (e, n) in enumerate(zip(ends, lengths, strict=True))
    ]
    native = Fraction(1000 * len(lengths), ends[-1])
    shown = list(sample_moments(moments, Fraction(fps), native, Fraction(start, 1000), None))
    assert shown == sorted(shown)
    wanted = (ends[-1] - start) * fps / 1000
    assert abs(len(shown) - max(wanted, 0)) <= 1
    late = min(1 / fps, 1 / native) / 4
    for number, index in enumerate(shown):
        time = start / 1000 + number / fps + late
        assert moments[index].time - 1e-9 <= time or number == 0


def test_pyav_is_loaded_late() -> None:
    code = "import sys, bitpuppet.sprites, bitpuppet.cli\nprint('av' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"
