"""Bad input of `retarget` and `tokens`: one line with file, limit and remedy, before the model is loaded."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitpuppet.sprites import write_frames, write_strip

from .runner import Refused, make_header


@pytest.fixture
def bad_files(folder: Path) -> None:
    data = (folder / "content.png").read_bytes()
    (folder / "truncated.png").write_bytes(data[: len(data) // 2])
    (folder / "text.png").write_text("not an image")
    (folder / "nothing.png").write_bytes(b"")
    (folder / "noframes.gif").write_bytes(b"GIF89a" + struct.pack("<HHBBB", 32, 32, 0, 0, 0) + b";")
    (folder / "100mp.png").write_bytes(make_header(10_000, 10_000))
    (folder / "bomb.png").write_bytes(make_header(2**31 - 1, 2**31 - 1))
    (folder / "emptyfolder").mkdir()
    large = np.zeros((1, 200, 200, 4), dtype=np.uint8)
    large[:, 3:197, 5:195] = (90, 10, 10, 255)
    large[:, 50:55, 50:57] = (10, 90, 10, 255)
    write_strip(large, folder / "large.png")
    ghost = np.zeros((2, 32, 32, 4), dtype=np.uint8)
    ghost[:, 5:20, 5:20] = (200, 200, 200, 100)
    write_strip(ghost, folder / "ghost.png")


CASES = [
    ("nope.png", "32x32", "does not exist; check the name"),
    ("text.png", "32x32", "is not a PNG, APNG or GIF image; export"),
    ("truncated.png", "48x48", "is damaged or cut short (image file is truncated); export it again"),
    ("nothing.png", "32x32", "is an empty file; export it again"),
    ("noframes.gif", "32x32", "export it again"),
    ("emptyfolder", "32x32", "holds no frames; put PNG images"),
    ("100mp.png", "100x100", "is 10000x10000 pixels, the limit is 32 million pixels in all; split it or scale it down"),
    ("bomb.png", "32x32", "is 2147483647x2147483647 pixels, the limit is 32 million pixels"),
    ("empty.png", "32x32", "every cell is transparent; give art"),
    ("content.png", "50x50", "is 384x192, which --frame 50x50 does not divide; sizes near it that do: 48x48"),
    ("content.png", "99999x1", "does not divide"),
    ("large.png", "200x200", "190x194 pixels over all frames, the canvas holds 64x64; use smaller art"),
]


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(("name", "frame", "match"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_bad_file_is_told_as_content_as_motion_and_for_its_tokens(
    refused: Refused, model: tuple[str, ...], name: str, frame: str, match: str
) -> None:
    as_content = ("--content", name, "--content-frame", frame, "--motion", "motion.png")
    as_motion = ("--content", "content.png", "--motion", name, "--motion-frame", frame)
    for command in (as_content, as_motion):
        error = refused("retarget", *command, "--out", "out.png", *model)
        assert match in error
        assert error.startswith(f"error: {name}")
    assert match in refused("tokens", name, "--frame", frame, *model)


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize("name", ["100mp.png", "bomb.png"])
def test_bomb_is_refused_before_decoding(
    refused: Refused, model: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object, **__: object) -> None:
        raise AssertionError("the bomb was opened")

    monkeypatch.setattr(Image, "open", decode)
    assert "limit" in refused("tokens", name, *model)


@pytest.mark.usefixtures("bad_files")
def test_content_without_an_opaque_pixel_has_no_colours(refused: Refused, model: tuple[str, ...]) -> None:
    error = refused("retarget", "--content", "ghost.png", "--motion", "motion.png", "--out", "out.png", *model)
    assert error.startswith("error: ghost.png: the art has no colours")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(refused: Refused, folder: Path, model: tuple[str, ...]) -> None:
    (folder / "motion.png").chmod(0)
    error = refused("tokens", "motion.png", *model)
    (folder / "motion.png").chmod(0o600)
    assert "motion.png may not be read; give yourself the permission" in error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_does_not_hang(refused: Refused, folder: Path, model: tuple[str, ...]) -> None:
    os.mkfifo(folder / "pipe.png")
    assert "pipe.png is not a file with an image in it" in refused("tokens", "pipe.png", *model)


@pytest.mark.parametrize(
    ("out", "match"),
    [
        ("nowhere/out.png", "the folder nowhere does not exist; create it first"),
        ("frames", "frames is a folder; name a file that ends in .png"),
        (
            "out.jpg",
            "out.jpg does not end in .png, .apng, .gif, .aseprite, .ase, .json, .mp4, .m4v, .webm or .mov; "
            "change the suffix",
        ),
        ("out", "out does not end in .png"),
        ("content.png", "content.png: --out would overwrite its own input; choose another name"),
        ("frames/../motion.png", "would overwrite its own input"),
        ("hard.png", "would overwrite its own input"),
        ("x" * 300 + ".png", "cannot be written (File name too long); choose another name"),
    ],
)
def test_bad_output(refused: Refused, folder: Path, model: tuple[str, ...], out: str, match: str) -> None:
    (folder / "frames").mkdir()
    os.link(folder / "motion.png", folder / "hard.png")
    error = refused("retarget", "--content", "content.png", "--motion", "motion.png", "--out", out, *model)
    assert match in error


def test_output_into_the_folder_of_frames_that_is_read(refused: Refused, folder: Path, model: tuple[str, ...]) -> None:
    write_frames(np.full((2, 16, 16, 4), 255, dtype=np.uint8), folder / "frames")
    command = ("retarget", "--content", "frames", "--motion", "motion.png", "--out", "frames/frame-0001.png")
    assert "lies in its own input, the folder frames; choose another folder" in refused(*command, *model)


def test_output_folder_that_may_not_be_changed(
    refused: Refused, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # permissions do not bind root
    error = refused("retarget", "--content", "content.png", "--motion", "motion.png", "--out", "out.png", *model)
    assert "out.png cannot be written, its folder may not be changed; choose another folder" in error


def test_output_beyond_the_limit_of_what_can_be_read_again(
    refused: Refused, folder: Path, model: tuple[str, ...]
) -> None:
    wide = np.zeros((1, 2400, 2400, 4), dtype=np.uint8)
    wide[:, 1000:1010, 1000:1007] = (200, 10, 10, 255)
    write_strip(wide, folder / "wide.png")
    command = ("retarget", "--content", "wide.png", "--motion", "motion.png", "--out", "out.png")
    error = refused(*command, "--content-frame", "2400x2400", *model)
    assert "out.png would hold 8 frames of 2400x2400, the limit is 32 million pixels in all; crop" in error


BAD_VALUES = [
    ("--frame", "garbage", "WIDTHxHEIGHT"),
    ("--frame", "64", "WIDTHxHEIGHT"),
    ("--frame", "0x0", "1 or more"),
    ("--frame", "-1x5", "write for example 64x64"),
    ("--frame", "", "--frame is ''"),
    ("--frame", "9" * 5000 + "x5", "--frame is '999"),
    ("--content-frame", "x", "--content-frame is 'x'"),
    ("--motion-frame", "99999999x99999999", "--motion-frame is"),
    ("--motion-rows", "garbage", "rows are numbers counted from 0; write for example 0,2 or 0-3"),
    ("--motion-rows", "", "--motion-rows is ''"),
    ("--motion-rows", "0-999999999", "--motion-rows is"),
    ("--motion-rows", "0-999999", "names 1000000 rows, the limit is 4096"),
    ("--motion-rows", "0," * 5000 + "0", "names 4097 rows, the limit is 4096; name fewer"),
    ("--content-rows", "5-2", "the range 5-2 is empty; write 2-5"),
    ("--content-rows", "0,5-2", "the range 5-2 is empty"),
    ("--content-rows", "-1", "--content-rows is '-1'"),
    ("--seed", "-1", "--seed is -1, it must be from 0 to 9223372036854775807"),
    ("--seed", "9" * 30, "must be from 0"),
    ("--seed", "x", "--seed"),
    ("--steps", "0", "--steps is 0, it must be from 1 to 100; change it"),
    ("--steps", "101", "--steps is 101"),
    ("--preset", "nope", "--preset nope: there is no such preset; choose one of sprite64"),
    ("--device", "nonsense", "--device is 'nonsense', there is no such device; use cpu, cuda or mps"),
    ("--device", "meta", "there is no such device"),
    ("--device", "", "there is no such device"),
]


@pytest.mark.parametrize(("option", "value", "match"), BAD_VALUES, ids=[f"{o} {v[:9]}" for o, v, _ in BAD_VALUES])
def test_bad_value_is_bad_usage(refused: Refused, option: str, value: str, match: str) -> None:
    command = ("retarget", "--content", "content.png", "--motion", "motion.png", "--out", "out.png")
    error = refused(*command, option, value, status=2)
    assert match in error
    assert error.endswith("; see bitpuppet retarget --help\n")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("retarget",), "--content, --motion, --out missing"),
        (("retarget", "--content", "content.png", "--out", "out.png"), "error: --motion missing; give"),
        (
            ("retarget", "--jobs", "jobs.jsonl", "--out", "out.png"),
            "--jobs goes without --out; put this into the lines",
        ),
        (("retarget", "--jobs", "j", "--seed", "3", "--no-palette-lock"), "without --seed, --no-palette-lock"),
        (("retarget", "--sede", "3"), "No such option"),
        (("dance",), "No such command 'dance'"),
        (("tokens",), "Missing argument"),
        (("tokens", "a.png", "b.png"), "unexpected extra argument"),
        (("tokens", "motion.png", "--motion-rows", "x"), "--motion-rows is 'x'"),
        (("demo", "--seed", "-1"), "--seed is -1"),
        (("demo", "--steps", "0"), "--steps is 0"),
    ],
)
def test_bad_usage(refused: Refused, arguments: tuple[str, ...], match: str) -> None:
    assert match in refused(*arguments, status=2)


@pytest.mark.parametrize("rows", ["7", "0,7", "0-9"])
def test_row_that_the_sheet_does_not_have(refused: Refused, model: tuple[str, ...], rows: str) -> None:
    error = refused("tokens", "content.png", "--frame", "48x48", "--motion-rows", rows, *model)
    assert "content.png has 4 rows, numbers 0 to 3; there is no row" in error
    assert "name another one" in error


def test_rows_named_thousands_of_times_take_no_memory(refused: Refused, folder: Path, model: tuple[str, ...]) -> None:
    wide = np.zeros((1, 2000, 2000, 4), dtype=np.uint8)
    wide[:, 1000:1010, 1000:1007] = (200, 10, 10, 255)
    write_strip(wide, folder / "wide.png")
    Image.fromarray(wide[0, 900:1100, 900:1100]).save(folder / "still.gif")
    rows = ",".join(["0"] * 4000)
    error = refused("tokens", "wide.png", "--frame", "2000x2000", "--motion-rows", rows, *model)
    assert "wide.png is 2000x2000 pixels in 4000 frames, the limit is 32 million pixels" in error
    error = refused("tokens", "still.gif", "--motion-rows", rows, *model)
    assert "still.gif is 200x200 pixels in 4000 frames, the limit is 32 million pixels" in error
