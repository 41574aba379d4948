"""Films as source or motion: settings as the service's own parser reads them, files that cannot be sent, words."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.films import (
    CROPS,
    SIZES,
    Cut,
    describe_cut,
    describe_reading,
    explain,
    read_bytes,
)
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.sprites.video.settings import VideoSettings
from bitpuppet_client.jobs import ReadParams
from bitpuppet_client.limits import MAX_VIDEO_BYTES

SECONDS = st.floats(0, 359_000, width=32)
SIDE = st.integers(1, 8192)
CUTS = st.builds(
    Cut,
    SECONDS,
    SECONDS,
    st.just(0.0) | st.floats(0.125, 240, width=32),
    st.sampled_from(CROPS),
    st.tuples(st.integers(0, 8192), st.integers(0, 8192), SIDE, SIDE),
    st.sampled_from(SIZES),
    st.tuples(SIDE, SIDE),
)


@given(CUTS, st.integers(1, 1024))
def test_service_reads_what_the_panel_says(cut: Cut, canvas: int) -> None:
    if cut.end and cut.end <= cut.start + 0.001:
        return
    texts = describe_cut(cut, canvas)
    ReadParams("film.mp4", **texts)
    read = VideoSettings.parse(texts)
    assert abs(float(read.start) - cut.start) <= 0.0006
    assert (read.end is None) == (cut.end == 0.0) and (read.end is None or abs(float(read.end) - cut.end) <= 0.0006)
    assert (read.fps is None) == (cut.fps == 0.0) and (read.fps is None or abs(float(read.fps) / cut.fps - 1) < 1e-5)
    wanted = {"PRESET": (canvas, canvas), "FILE": None, "SIZE": cut.size}[cut.sizing]
    assert read.size == wanted
    assert (read.crop is None) == (cut.crop == "WHOLE")
    if cut.crop == "BOX":
        assert read.crop is not None and (*(read.crop.place or ()), *(read.crop.size or ())) == cut.box


def test_usual_cut_is_all_of_the_film_in_the_middle() -> None:
    assert describe_cut(Cut(), 128) == {"fps": None, "range": None, "crop": "centre", "size": "128x128"}
    assert VideoSettings.parse(describe_cut(Cut(fps=29.97), 64)).fps == Fraction("29.97")
    with pytest.raises(ArtError, match="To is 2 s and From 3 s; "):
        describe_cut(Cut(3.0, 2.0), 64)


def test_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00\x01\xff")
    assert read_bytes(tmp_path / "a.mp4").tolist() == [0, 1, 255]


def test_file_that_cannot_be_sent_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate(MAX_VIDEO_BYTES + 1)  # takes no room on the disk
    for name, words in (
        ("none.mp4", "does not exist; choose"),
        (".", "is no file; choose"),
        ("empty.mp4", "empty file; export"),
        ("long.mp4", r"long\.mp4 has 128 million bytes, at most 128 million are sent; cut it"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(ArtError, match=words):
            read_bytes(tmp_path / name)
    (tmp_path / "most.mp4").write_bytes(b"")
    with (tmp_path / "most.mp4").open("wb") as file:
        file.truncate(1000)
    assert np.array_equal(read_bytes(tmp_path / "most.mp4"), np.zeros(1000, np.uint8))


def test_messages_use_the_words_of_the_panel() -> None:
    told = explain("a.mp4 is too long; name a part, such as --range 0-9, or a lower --fps, --size 64x64, --crop")
    assert told == (
        "a.mp4 is too long; name a part, such as the range (From, To) 0-9, or a lower Frame Rate, "
        "Frame Size 64x64, Crop"
    )


def test_bar_says_how_far_it_is() -> None:
    assert describe_reading("sending", 0, 0, -1) == "Sending the film"
    assert describe_reading("queued", 0, 0, 2) == "Queued, 2 ahead"
    assert describe_reading("queued", 0, 0, 0) == "Queued"
    assert describe_reading("running", 0, 0, -1) == "Looking into the film"
    assert describe_reading("running", 12, 750, -1) == "Frame 12 of 750"
    assert describe_reading("storing", 0, 0, -1) == "Packing the frames"
