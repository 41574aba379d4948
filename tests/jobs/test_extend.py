"""The extend job from files to files, without a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.continuation import ExtendSettings
from bitpuppet.jobs.extend import ExtendJob, perform, read_job
from bitpuppet.jobs.seams import judge_seam
from bitpuppet.sprites import write_strip
from bitpuppet.sprites.writer import write_bytes

from .fakes import FakeDrawer, FakePrior
from .test_continuation import go_round, invent, numbered

Frames = NDArray[np.uint8]
CANVAS = 64


@pytest.fixture(scope="module")
def walk() -> Frames:
    puppet = make_puppet(3, plan="biped", size=48)
    return draw_clip(puppet, puppet.motions[4], 6)


@pytest.fixture
def job(tmp_path: Path, walk: Frames) -> ExtendJob:
    write_strip(walk, tmp_path / "walk.png")
    return ExtendJob(tmp_path / "walk.png", tmp_path / "out.png", ExtendSettings(4), frame=(48, 48))


def read_frames(path: Path, width: int = 48) -> Frames:
    from bitpuppet.sprites.images import read_picture

    strip = read_picture(path).frames[0]
    return np.stack(np.split(strip, strip.shape[1] // width, axis=1))


def test_strip_holds_the_given_frames_and_the_new_ones(job: ExtendJob, walk: Frames) -> None:
    engine = FakeDrawer()
    report = perform(engine, FakePrior(go_round), job, read_job(job, CANVAS), CANVAS)
    np.testing.assert_array_equal(read_frames(job.out), np.concatenate([walk, walk[:4]]))
    seam = judge_seam(np.concatenate([walk, walk[:4]]))
    assert report == {
        "out": str(job.out),
        "seam": round(seam.seam, 4),
        "largest_inside": round(seam.largest_inside, 4),
        "loop_closed": seam.closed,
        "join": report["join"],
        "method": "prior",
        "copied_frames": 4,
        "cut_pixels": 0,
        "frames": 10,
        "given_frames": 6,
        "new_frames": 4,
        "frame": "48x48",
        "content_frames": 6,
        "loop": False,
        "tries": 1,
        "temperature": 0.8,
        "top_p": 0.95,
        "seed": 0,
        "bits_per_frame": 12.0,
        "palette_size": report["palette_size"],
        "pixel_scale": 1,
        "seconds": report["seconds"],
    }
    json.dumps(report, allow_nan=False)


def test_variations_are_files_of_their_own(job: ExtendJob) -> None:
    many = replace(job, settings=ExtendSettings(4, variations=3))
    report = perform(FakeDrawer(), FakePrior(invent), many, read_job(many, CANVAS), CANVAS)
    names = [job.out.with_name(f"out-{number}.png") for number in (1, 2, 3)]
    assert [one["out"] for one in report["variations"]] == [str(name) for name in names]
    assert report["out"] == str(names[0])
    seams = [judge_seam(read_frames(name)).seam for name in names]
    assert seams == sorted(seams)
    assert [one["seam"] for one in report["variations"]] == [round(seam, 4) for seam in seams]
    assert not job.out.exists()


def test_packed_motion_is_performed_by_the_content(job: ExtendJob, walk: Frames) -> None:
    engine = FakeDrawer()
    path = job.motion.with_name("moves.bptk")
    write_bytes(engine.coder.pack(numbered(3, 4)).to_bytes(), path, (".bptk",))
    packed = replace(job, motion=path, content=job.motion)
    report = perform(engine, FakePrior(go_round), packed, read_job(packed, CANVAS), CANVAS)
    assert (report["frames"], report["given_frames"], report["content_frames"]) == (6, 2, 6)
    frames = read_frames(job.out)
    np.testing.assert_array_equal(frames[2:4], frames[:2])


def test_nothing_is_written_where_one_thing_is_wrong(job: ExtendJob, walk: Frames) -> None:
    def fail(job: ExtendJob, match: str) -> None:
        with pytest.raises(BitpuppetError, match=match):
            perform(FakeDrawer(), FakePrior(invent), job, read_job(job, CANVAS), CANVAS)

    fail(replace(job, out=job.motion), "would overwrite its own input")
    fail(replace(job, out=job.out.with_suffix(".jpg")), r"does not end in \.png")
    fail(replace(job, content=job.motion.with_name("none.png")), r"none\.png does not exist")
    fail(replace(job, motion=job.motion.with_name("none.bptk")), r"none\.bptk cannot be read")
    fail(replace(job, settings=ExtendSettings(4091)), r"walk\.png has 6 frames of 48x48")
    (job.out.parent / "out-2.png").mkdir()
    fail(replace(job, settings=ExtendSettings(4, variations=2)), r"out-2\.png is a folder")
    assert sorted(file.name for file in job.out.parent.iterdir()) == ["out-2.png", "walk.png"]


def test_art_beyond_the_canvas_is_told_before_anything_is_drawn(job: ExtendJob, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_strip(rng.integers(0, 256, (2, 80, 80, 4), dtype=np.uint8) | 1, tmp_path / "large.png")
    with pytest.raises(BitpuppetError, match=r"large\.png: the art is 80x80"):
        read_job(replace(job, motion=tmp_path / "large.png", frame=(80, 80)), CANVAS)
