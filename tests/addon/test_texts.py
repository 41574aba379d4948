"""Short texts, records, sheet data and files of the add-on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bitpuppet_addon.core.aseprite import Row, describe_sheet
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.files import check_folder, write_files
from bitpuppet_addon.core.records import KINDS, JobRecord, SheetRecord, read_record, read_seed
from bitpuppet_addon.core.sheets import SheetSettings
from bitpuppet_addon.core.texts import (
    describe_briefly,
    describe_progress,
    describe_time,
    make_file_name,
    name_result,
    wrap_text,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3780, "1 h 3 min")]
)
def test_times_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert describe_time(seconds) == text


def test_progress_says_where_a_job_is() -> None:
    assert describe_progress("waiting", 0, 0, -1, -1) == "Waiting for the backend"
    assert describe_progress("queued", 0, 0, 2, -1) == "Queued, 2 ahead"
    assert describe_progress("running", 2, 4, -1, 3.2) == "Step 2 of 4, 3 s left"
    assert describe_progress("running", 0, 0, -1, -1) == "Preparing"


@given(st.text(st.sampled_from("ab /\\.踊"), max_size=80), st.integers(1, 20))
def test_wrapped_text_is_whole_and_fits(text: str, width: int) -> None:
    lines = wrap_text(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert lines and all(len(line) <= width for line in lines)
    words = text.split()
    if all(len(word) + word.count("踊") / 2 <= width for word in words):
        assert " ".join(lines).split() == words, "no word is broken that fits"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one two three four", ["one two three", "four"]),
        ("/media/films/dance.mp4 is gone", ["/media/films/", "dance.mp4 is", "gone"]),
        (r"no C:\films\of2026\a.mp4", ["no C:\\films\\", r"of2026\a.mp4"]),
        ("/dance_of_the_year.mp4", ["/dance_of_the_", "year.mp4"]),
        ("WWWWWWWWWWWW", ["WWWWWWWWW", "WWW"]),
        ("/踊り子の練習風景の記録.mp4", ["/踊り子の練習風景", "の記録.mp4"]),
    ],
)
def test_long_words_are_broken_after_slashes(text: str, lines: list[str]) -> None:
    assert wrap_text(text, 14) == lines


def test_progress_fits_into_a_narrow_list() -> None:
    assert describe_briefly("queued", 0, 0, 2, -1) == "Queued, 2 ahead"
    assert describe_briefly("running", 0, 0, -1, -1) == "Preparing"
    assert describe_briefly("running", 1, 4, -1, -1) == "1 of 4"
    assert describe_briefly("running", 1, 4, -1, 141) == "1 of 4, 2 min 21 s"


def test_results_are_named_after_who_and_what() -> None:
    assert name_result("retarget", "knight.png", "walk.png.001") == "knight - walk"
    assert name_result("retarget", "anna.MOV", "dance.mp4.001") == "anna - dance"
    assert name_result("extend", "", "walk.png", 2) == "image - longer 2"
    assert len(name_result("retarget", "ä" * 90, "b").encode()) <= 63


@pytest.mark.parametrize("name", ["a/b:c*?", "..", "", "knight - walk"])
def test_file_names_are_safe(name: str, tmp_path: Path) -> None:
    made = make_file_name(name)
    assert made and Path(made).name == made and made not in (".", "..")
    (tmp_path / made).write_bytes(b"")


RECORDS = st.builds(
    JobRecord,
    kind=st.sampled_from(KINDS),
    source=st.builds(SheetRecord, st.text(max_size=9), st.builds(SheetSettings, rows=st.text(max_size=5))),
    seed=st.integers(0, 2**63 - 1).map(str),
    temperature=st.floats(0.1, 10),
    poses=st.lists(st.integers(0, 99), max_size=9).map(tuple),
)


@settings(deadline=None)
@given(RECORDS)
def test_record_and_back_is_the_same(record: JobRecord) -> None:
    assert read_record(record.to_text()) == record


@settings(deadline=None)
@given(
    st.text(max_size=60) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_damaged_record_is_told(text: str) -> None:
    with pytest.raises(ArtError):
        read_record(text)


@pytest.mark.parametrize(
    "change",
    [{"kind": "dance"}, {"steps": "4"}, {"source": 3}, {"poses": [1.5]}, {"palette_lock": 1}, {"source": {"cut": []}}],
)
def test_record_with_a_value_of_another_type_is_told(change: dict[str, object]) -> None:
    with pytest.raises(ArtError):
        read_record(json.dumps({**json.loads(JobRecord().to_text()), **change}))


def test_record_of_a_newer_version_is_read() -> None:
    assert read_record(json.dumps({"kind": "extend", "glow": 3})) == JobRecord(kind="extend")


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", str(2**63), "²"])
def test_seed_is_told(text: str) -> None:
    with pytest.raises(ArtError, match="whole number from 0"):
        read_seed(text)
    assert read_seed(f" {2**63 - 1} ") == 2**63 - 1


def test_sheet_data_is_what_importers_look_for() -> None:
    data = json.loads(describe_sheet("hero.png", (16, 24), [Row("walk", 5, 12), Row("jump", 2, 8)], 4))
    boxes = [frame["frame"] for frame in data["frames"]]
    assert [(box["x"], box["y"]) for box in boxes] == [(0, 0), (16, 0), (32, 0), (48, 0), (0, 24), (0, 48), (16, 48)]
    assert all((box["w"], box["h"]) == (16, 24) for box in boxes)
    assert [(tag["name"], tag["from"], tag["to"]) for tag in data["meta"]["frameTags"]] == [
        ("walk", 0, 4),
        ("jump", 5, 6),
    ]
    assert data["meta"]["size"] == {"w": 64, "h": 72}
    assert data["meta"]["image"] == "hero.png"
    assert sum(frame["duration"] for frame in data["frames"][:5]) == round(5000 / 12)
    assert [frame["duration"] for frame in data["frames"][5:]] == [125, 125]


def test_files_are_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.png"
    write_files({target: b"one"})
    write_files({target: b"two"})
    assert target.read_bytes() == b"two"
    assert [file.name for file in target.parent.iterdir()] == ["a.png"]


def test_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ArtError, match="cannot be written"):
        write_files({tmp_path / "a.png": b"one"})
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(ArtError, match="is a folder"):
        check_folder(tmp_path / "a.png")
    with pytest.raises(ArtError, match="does not exist"):
        check_folder(tmp_path / "b" / "a.png")
