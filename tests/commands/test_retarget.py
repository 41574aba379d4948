"""`bitpuppet retarget` on input that works: what it writes, prints and reports, and that it stops cleanly."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitpuppet.jobs.engine import Engine
from bitpuppet.model.weights import SHIPPED
from bitpuppet.sprites import (
    collect_palette,
    enlarge_frames,
    read_clip,
    write_apng,
    write_frames,
    write_gif,
    write_strip,
)

from .conftest import CONTENT_SIZE, MOTION_FRAMES, MOTION_SIZE
from .runner import Bitpuppet, list_files, read_strip, read_width, spawn

JOB = ("retarget", "--content", "content.png", "--motion", "motion.png")
REPORT = {
    "out": str,
    "frames": int,
    "frame": str,
    "content_frames": int,
    "motion_frame": str,
    "seed": int,
    "steps": int,
    "preset": str,
    "device": str,
    "bits_per_frame": float,
    "palette_size": int,
    "pixel_scale": int,
    "cut_pixels": int,
    "seconds": dict,
}


def test_strip_has_the_motions_length_and_the_contents_frame_palette_and_hard_alpha(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]
) -> None:
    ran = bitpuppet(*JOB, "--out", "out.png", *model)
    assert ran.status == 0, ran.err
    assert ran.out == ("out.png: 8 frames of 48x48, seed 0 (content: 32 frames, motion: frames of 32x32)\n"), (
        "sizes that were found are told, so that a wrong guess shows"
    )
    assert read_width(folder / "out.png") == MOTION_FRAMES * CONTENT_SIZE
    frames = read_strip(folder / "out.png", CONTENT_SIZE, CONTENT_SIZE)
    assert len(frames) == MOTION_FRAMES
    assert set(np.unique(frames[..., 3])) == {0, 255}
    assert not frames[frames[..., 3] == 0].any()
    content = read_clip(folder / "content.png", (CONTENT_SIZE, CONTENT_SIZE)).frames
    own = {tuple(colour) for colour in collect_palette(content)}
    used = {tuple(colour) for colour in collect_palette(frames)}
    assert used <= own
    assert len(used) > 1
    assert not [name for name in list_files(folder) if name.endswith(".tmp")]


def test_report_holds_what_was_used(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    ran = bitpuppet(*JOB, "--out", "out.png", "--seed", 7, "--steps", 2, "--json", *model)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.count("\n") == 1
    report = json.loads(ran.out)
    assert {name: type(value) for name, value in report.items()} == REPORT
    assert report["seconds"].keys() == {"imports", "loading", "reading", "model", "saving"}
    assert all(value >= 0 for value in report["seconds"].values())
    chosen = {name: report[name] for name in ("out", "seed", "steps", "preset", "device", "motion_frame")}
    assert chosen == {
        "out": "out.png", "seed": 7, "steps": 2, "preset": "tiny", "device": "cpu", "motion_frame": "32x32"
    }  # fmt: skip
    assert 0 < report["bits_per_frame"] <= 12
    colours = collect_palette(read_clip(folder / "content.png", (48, 48)).frames)
    assert report["palette_size"] == len(colours)


def test_same_seed_same_bytes(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert bitpuppet(*JOB, "--out", f"{name}.png", "--seed", seed, *model).status == 0
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_every_kind_of_file_gives_the_same_strip(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    frames = read_clip(folder / "motion.png", (MOTION_SIZE, MOTION_SIZE)).frames
    write_gif(frames, folder / "motion.gif")
    write_apng(frames, folder / "animated.png")
    write_frames(frames, folder / "frames")
    written = set()
    for source in ("motion.png", "motion.gif", "animated.png", "frames"):
        ran = bitpuppet("retarget", "--content", "content.png", "--motion", source, "--out", "out.png", *model)
        assert ran.status == 0, ran.err
        written.add((folder / "out.png").read_bytes())
    assert len(written) == 1


def test_rows_choose_and_order_the_frames(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    command = ("retarget", "--content", "motion.png", "--motion", "content.png", "--content-rows", "0")
    strips = {}
    for rows in ("1", "2", "2,1"):
        ran = bitpuppet(*command, "--motion-rows", rows, "--out", f"{rows}.png", "--json", *model)
        assert ran.status == 0, ran.err
        strips[rows] = json.loads(ran.out)["frames"]
    assert strips == {"1": 8, "2": 8, "2,1": 16}
    assert (folder / "1.png").read_bytes() != (folder / "2.png").read_bytes()


def test_motion_of_one_frame(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    write_strip(read_clip(folder / "motion.png", (MOTION_SIZE, MOTION_SIZE)).frames[:1], folder / "one.png")
    assert (
        bitpuppet("retarget", "--content", "content.png", "--motion", "one.png", "--out", "out.png", *model).status == 0
    )
    assert read_strip(folder / "out.png", CONTENT_SIZE, CONTENT_SIZE).shape == (1, CONTENT_SIZE, CONTENT_SIZE, 4)


def test_art_at_twice_its_size_comes_back_at_twice_its_size(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]
) -> None:
    content = read_clip(folder / "content.png", (CONTENT_SIZE, CONTENT_SIZE)).frames[:8]
    write_strip(content, folder / "small.png")
    write_strip(enlarge_frames(content, 2), folder / "large.png")
    for name in ("small", "large"):
        command = (
            "retarget",
            "--content",
            f"{name}.png",
            "--motion",
            "motion.png",
            "--out",
            f"{name}-out.png",
            "--json",
        )
        ran = bitpuppet(*command, *model)
        assert ran.status == 0, ran.err
        assert json.loads(ran.out)["pixel_scale"] == {"small": 1, "large": 2}[name]
    small = read_strip(folder / "small-out.png", CONTENT_SIZE, CONTENT_SIZE)
    large = read_strip(folder / "large-out.png", 2 * CONTENT_SIZE, 2 * CONTENT_SIZE)
    np.testing.assert_array_equal(large, enlarge_frames(small, 2))


def test_a_model_that_chooses_colours_keeps_them_without_the_palette_lock(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]
) -> None:
    ran = bitpuppet(*JOB, "--out", "out.png", "--no-palette-lock", "--json", *model)
    assert json.loads(ran.out)["palette_size"] is None
    own = {tuple(colour) for colour in collect_palette(read_clip(folder / "content.png", (48, 48)).frames)}
    frames = read_strip(folder / "out.png", CONTENT_SIZE, CONTENT_SIZE)
    assert {tuple(colour) for colour in collect_palette(frames)} <= own


def test_another_palette_is_kept_to(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    (folder / "grey.hex").write_text("202020\n808080\nf0f0f0\n")
    for palette in ("3", "grey.hex"):
        ran = bitpuppet(*JOB, "--out", "out.png", "--palette", palette, "--steps", 1, "--json", *model)
        assert ran.status == 0, ran.err
        assert json.loads(ran.out)["palette_size"] == 3
        shown = collect_palette(read_strip(folder / "out.png", CONTENT_SIZE, CONTENT_SIZE))
        assert len(shown) <= 3
    assert (shown[:, 0] == shown[:, 2]).all()
    assert bitpuppet(*JOB, "--out", "out.png", "--palette", "0", *model).status == 2
    ran = bitpuppet(*JOB, "--out", "out.png", "--palette", "missing.gpl", *model)
    assert (ran.status, ran.err) == (1, "error: missing.gpl does not exist; check the name and the folder\n")


@pytest.mark.parametrize("name", ["with space", "ünï-好", "[red]bold[/red]", ":smile:", "-dash", "100%", "'quoted\""])
def test_names_are_printed_as_they_are(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], name: str) -> None:
    if os.name == "nt" and set(name) & set(':"'):
        pytest.skip("no name for a folder here")
    place = folder / name
    place.mkdir(parents=True)
    (folder / "motion.png").rename(place / "in.png")
    out = place / "out.png"
    job = ("retarget", "--content", "content.png", "--motion", place / "in.png", "--out", out)
    ran = bitpuppet(*job, "--steps", 1, *model)
    assert ran.status == 0, ran.err
    assert ran.out.startswith(f"{out}: 8 frames")
    assert out.exists()
    ran = bitpuppet("tokens", place / "missing.png", *model)
    assert ran.err == f"error: {place / 'missing.png'} does not exist; check the name and the folder\n"


def test_control_characters_in_a_name_do_not_reach_the_terminal(bitpuppet: Bitpuppet, model: tuple[str, ...]) -> None:
    ran = bitpuppet("tokens", "a\x1b[31m\nb.png", *model)
    assert ran.err == "error: a\\x1b[31m\\nb.png does not exist; check the name and the folder\n"


def test_cut_pixels_are_noted(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    tight = np.zeros((1, 8, 8, 4), dtype=np.uint8)
    tight[0] = np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    tight[..., 3] = 255
    write_strip(tight, folder / "tight.png")
    ran = bitpuppet("retarget", "--content", "tight.png", "--motion", "motion.png", "--out", "out.png", *model)
    assert ran.status == 0, ran.err
    assert "pixels lie outside the 8x8 frame and were cut off; give the content more room" in ran.err


@pytest.mark.parametrize("existing", [False, True])
def test_ctrl_c_while_drawing_writes_nothing(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    if existing:
        (folder / "out.png").write_bytes(b"an older result")
    drawing = Engine.retarget

    def interrupt(step: int, *_: object) -> None:
        if step == 2:
            raise KeyboardInterrupt

    def draw(self: Engine, *arguments: Any, **options: Any) -> object:
        return drawing(self, *arguments, **options | {"callback": interrupt})

    monkeypatch.setattr(Engine, "retarget", draw)
    before = list_files(folder)
    ran = bitpuppet(*JOB, "--out", "out.png", *model)
    assert (ran.status, ran.out, ran.err) == (130, "", "stopped\n")
    assert list_files(folder) == before


@pytest.mark.parametrize("stage", ["open", "replace"])
def test_full_disk_leaves_the_older_result(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    (folder / "out.png").write_bytes(b"an older result")
    before = list_files(folder)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if stage == "replace":
        monkeypatch.setattr(os, "replace", fail)
    else:
        opening = Path.open
        monkeypatch.setattr(Path, "open", lambda path, mode="r", *more: fail() if "x" in mode else opening(path, mode))
    ran = bitpuppet(*JOB, "--out", "out.png", *model)
    assert (ran.status, ran.out) == (1, "")
    reason = os.strerror(errno.ENOSPC)
    assert ran.err == f"error: out.png cannot be written ({reason}); free space or choose another folder\n"
    assert list_files(folder) == before


def test_in_a_process_of_its_own(folder: Path, model: tuple[str, ...]) -> None:
    with spawn(*JOB, "--out", "out.png", "--json", *model, cwd=folder) as process:
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["frames"] == MOTION_FRAMES


@pytest.mark.slow
@pytest.mark.skipif(not (SHIPPED / "sprite64.safetensors").exists(), reason="the weights are not in this checkout")
def test_with_the_weights_that_ship(folder: Path) -> None:
    with spawn(*JOB, "--out", "out.png", "--json", cwd=folder) as process:
        out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, b"")
    report = json.loads(out)
    assert (report["preset"], report["frames"], report["frame"]) == ("sprite64", MOTION_FRAMES, "48x48")
    frames = read_strip(folder / "out.png", CONTENT_SIZE, CONTENT_SIZE)
    assert frames[..., 3].any(axis=(1, 2)).all()
