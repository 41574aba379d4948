"""Tests of sprites.export, formats.aseprite_writer and formats.atlas_writer, and of tags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    DEFAULT_DURATION_MS,
    FORMATS,
    Clip,
    Slice,
    SliceKey,
    Tag,
    check_output,
    clear_hidden,
    find_format,
    read_clip,
    write_clip,
)
from bitpuppet.sprites.tags import DIRECTIONS
from bitpuppet.sprites.video.writer import VIDEO_FORMATS

from .art import draw_clip, noise_clips, relaxed

NAMES = {
    "strip": "a.png",
    "sheet": "a.png",
    "apng": "a.apng",
    "gif": "a.gif",
    "frames": "a",
    "aseprite": "a.aseprite",
    "json": "a.json",
    "json-hash": "a.json",
}


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    frames = clear_hidden(draw(noise_clips()))
    frames[0, 0, 0] = (1, 2, 3, 255)  # an animation of nothing is refused
    last = len(frames) - 1
    durations = tuple(draw(st.integers(1, 65535)) for _ in frames)
    names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)
    tags = []
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, last))
        direction, repeat = draw(st.sampled_from(DIRECTIONS)), draw(st.integers(0, 9))
        tags.append(Tag(draw(names), first, draw(st.integers(first, last)), direction, repeat))
    side = st.integers(1, 9)
    slices = tuple(
        Slice(
            draw(names),
            (SliceKey(draw(st.integers(0, last)), (draw(side), -draw(side), draw(side), draw(side)), None, pivot),),
        )
        for pivot in draw(st.lists(st.none() | st.tuples(side, side), max_size=2))
    )
    return Clip(frames, durations, name="a", tags=tuple(tags), slices=slices)


@relaxed
@given(clips(), st.sampled_from(["json", "json-hash", "aseprite"]))
def test_formats_with_tags_come_back_identically(tmp_path: Path, clip: Clip, layout: str) -> None:
    path = tmp_path / NAMES[layout]
    written = write_clip(clip, path, layout)
    assert written[0] == path
    assert all(file.is_file() for file in written)
    back = read_clip(path)
    assert np.array_equal(back.frames, clip.frames)
    assert (back.durations_ms, back.tags, back.slices, back.name) == (
        clip.durations_ms,
        clip.tags,
        clip.slices,
        clip.name,
    )


def test_every_format_is_written_and_read_back(tmp_path: Path) -> None:
    frames = draw_clip(0, count=5)
    clip = Clip(frames, (100, 50, 200, 100, 30), tags=(Tag("a", 0, 1), Tag("b", 2, 4, "reverse")))
    assert set(NAMES) | set(VIDEO_FORMATS) == set(FORMATS)  # videos have tests of their own
    for layout, name in NAMES.items():
        (tmp_path / layout).mkdir()
        path = tmp_path / layout / name
        check_output(path, layout)
        write_clip(clip, path, layout)
        back = read_clip(path, (32, 32) if path.suffix == ".png" else None)
        assert np.array_equal(back.frames, clear_hidden(frames)), layout
        timed = layout not in ("strip", "sheet", "frames")
        assert back.durations_ms == (clip.durations_ms if timed else (DEFAULT_DURATION_MS,) * 5)
        assert bool(back.tags) == (layout in ("aseprite", "json", "json-hash"))


def test_a_sheet_has_a_row_for_each_tag_or_row(tmp_path: Path) -> None:
    frames = draw_clip(0, count=5)

    def list_rows(clip: Clip) -> tuple[int, ...]:
        write_clip(clip, tmp_path / "a.png", "sheet")
        return read_clip(tmp_path / "a.png", (32, 32)).rows

    assert list_rows(Clip(frames)) == (0, 0, 0, 0, 0)
    assert list_rows(Clip(frames, rows=(2, 2, 0, 0, 0))) == (0, 0, 1, 1, 1)
    assert list_rows(Clip(frames, tags=(Tag("a", 0, 0), Tag("b", 1, 4)))) == (0, 1, 1, 1, 1)
    gap = (Tag("a", 0, 0), Tag("b", 2, 4))
    assert list_rows(Clip(frames, rows=(1, 1, 1, 1, 3), tags=gap)) == (0, 0, 0, 0, 1)


def test_animations_play_in_the_direction_of_their_tag(tmp_path: Path) -> None:
    frames = draw_clip(0, count=3)
    clip = Clip(frames, (10, 20, 30), tags=(Tag("all", 0, 2, "pingpong"),))
    write_clip(clip, tmp_path / "a.apng")
    back = read_clip(tmp_path / "a.apng")
    assert np.array_equal(back.frames, frames[[0, 1, 2, 1]])
    assert back.durations_ms == (10, 20, 30, 20)


def test_what_engines_look_for_in_the_json(tmp_path: Path) -> None:
    clip = Clip(draw_clip(0, count=3), (10, 20, 30), name="hero", tags=(Tag("run", 0, 2, "pingpong", 2),))
    write_clip(clip, tmp_path / "hero.json")
    array = json.loads((tmp_path / "hero.json").read_text())
    # Phaser's createFromAseprite: frames by number, tags under meta.
    assert [frame["filename"] for frame in array["frames"]] == ["0", "1", "2"]
    assert array["meta"]["frameTags"][0] | {"color": ""} == {
        "name": "run",
        "from": 0,
        "to": 2,
        "direction": "pingpong",
        "repeat": "2",
        "color": "",
    }
    assert array["meta"]["image"] == "hero.png"
    write_clip(clip, tmp_path / "hero.json", "json-hash")
    table = json.loads((tmp_path / "hero.json").read_text())
    assert table["animations"] == {"run": ["hero 0", "hero 1", "hero 2", "hero 1"]}  # PixiJS
    assert set(table["animations"]["run"]) == set(table["frames"])


def test_long_clips_are_packed_into_several_rows(tmp_path: Path) -> None:
    frames = draw_clip(0, count=7, width=600, height=8)
    write_clip(Clip(frames), tmp_path / "a.json")
    root = json.loads((tmp_path / "a.json").read_text())
    assert root["meta"]["size"] == {"w": 1800, "h": 24}
    assert np.array_equal(read_clip(tmp_path / "a.json").frames, frames)


def test_the_format_is_told_by_the_name() -> None:
    found = {name: find_format(Path(name)) for name in ("a.png", "a.gif", "a.APNG", "a.ase", "a.json")}
    assert list(found.values()) == ["strip", "gif", "apng", "aseprite", "json"]
    with pytest.raises(
        BitpuppetError, match=r"a\.jpg does not end in \.png, .* \.json, .* or \.mov; change the suffix"
    ):
        find_format(Path("a.jpg"))
    with pytest.raises(BitpuppetError, match=r"a\.png does not end in \.gif, as the format gif does"):
        find_format(Path("a.png"), "gif")
    with pytest.raises(BitpuppetError, match="there is no format 'bmp'; use one of strip, sheet"):
        find_format(Path("a.bmp"), "bmp")


def test_bad_places_are_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "a.png").mkdir()
    for path, layout, match in (
        (tmp_path / "file", "frames", "is a file; name a folder"),
        (tmp_path / "none" / "a", "frames", "does not exist; create it"),
        (tmp_path / "none" / "a.gif", None, "does not exist; create it"),
        (tmp_path / "a.json", None, r"a\.png is a folder"),
    ):
        with pytest.raises(BitpuppetError, match=match):
            check_output(path, layout)


def test_a_cut_keeps_what_is_whole_in_it() -> None:
    clip = Clip(
        draw_clip(0, count=4),
        (1, 2, 3, 4),
        tags=(Tag("in", 1, 2), Tag("out", 0, 1)),
        slices=(Slice("a", (SliceKey(0, (0, 0, 1, 1)), SliceKey(3, (9, 9, 1, 1)))),),
    )
    cut = clip.cut(1, 2)
    assert (cut.durations_ms, cut.tags) == ((2, 3), (Tag("in", 0, 1),))
    assert cut.slices == (Slice("a", (SliceKey(0, (0, 0, 1, 1)),)),)
    assert clip.with_frames(draw_clip(1, count=4, width=8), "b").tags == clip.tags


@pytest.mark.parametrize("values", [(-1, 0), (1, 0), (0, 0, "up"), (0, 0, "forward", -1)])
def test_tags_out_of_range_are_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no tag has"):
        Tag("a", *values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="beyond the 2 frames"):
        Clip(draw_clip(0, count=2), tags=(Tag("a", 0, 2),))


def test_what_a_round_shows() -> None:
    shown = {direction: Tag("", 2, 4, direction).list_played() for direction in DIRECTIONS}
    assert shown == {
        "forward": [2, 3, 4],
        "reverse": [4, 3, 2],
        "pingpong": [2, 3, 4, 3],
        "pingpong_reverse": [4, 3, 2, 3],
    }
    assert all(Tag("", 5, 5, direction).list_played() == [5] for direction in DIRECTIONS)
