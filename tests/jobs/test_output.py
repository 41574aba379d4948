"""What jobs write: formats, and what of the motion's timing and tags the result keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs import arrange, extend
from bitpuppet.jobs.arrange import ArrangeJob
from bitpuppet.jobs.continuation import ExtendSettings
from bitpuppet.jobs.extend import ExtendJob
from bitpuppet.jobs.output import check_out
from bitpuppet.jobs.retarget import RetargetJob, run_retarget
from bitpuppet.jobs.timing import Retime
from bitpuppet.sprites import Clip, Tag, read_clip, write_clip

from .fakes import FakeDrawer, FakeEngine

CANVAS = 64
DURATIONS = (10, 20, 30, 40, 50, 60)
TAGS = (Tag("idle", 0, 1), Tag("walk", 2, 5, "pingpong", 2))


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    puppet = make_puppet(3, plan="biped", size=48)
    clip = Clip(draw_clip(puppet, puppet.motions[0], 6), DURATIONS, tags=TAGS)
    write_clip(clip, tmp_path / "motion.aseprite")
    write_clip(clip, tmp_path / "content.png")
    return tmp_path / "motion.aseprite"


@pytest.fixture
def job(motion: Path) -> RetargetJob:
    return RetargetJob(motion.with_name("content.png"), motion, motion.with_name("out.json"), content_frame=(48, 48))


def test_retarget_keeps_durations_and_tags(job: RetargetJob) -> None:
    run_retarget(FakeEngine(), job, CANVAS)
    result = read_clip(job.out)
    assert (result.durations_ms, result.tags) == (DURATIONS, TAGS)
    assert job.out.with_suffix(".png").is_file()


def test_retarget_performs_one_tag(job: RetargetJob) -> None:
    report = run_retarget(FakeEngine(), replace(job, motion_tag="walk"), CANVAS)
    result = read_clip(job.out)
    assert report["frames"] == len(result) == 4
    assert (result.durations_ms, result.tags) == (DURATIONS[2:], (Tag("walk", 0, 3, "pingpong", 2),))
    engine = FakeEngine()
    run_retarget(engine, replace(job, content=job.motion, content_tag="idle", out=job.out.with_name("b.gif")), CANVAS)
    assert len(engine.asked[0][0]) == 2


def test_a_sheet_has_a_row_for_each_tag(job: RetargetJob) -> None:
    run_retarget(FakeEngine(), replace(job, out=job.out.with_suffix(".png"), format="sheet"), CANVAS)
    assert read_clip(job.out.with_suffix(".png"), (48, 48)).rows == (0, 0, 1, 1, 1, 1)


def test_extend_keeps_the_timing_of_the_given_frames(motion: Path) -> None:
    out = motion.with_name("longer.aseprite")
    job = ExtendJob(motion, out, ExtendSettings(3, cycle=True), motion_tag="walk")
    extend.perform(FakeDrawer(), None, job, extend.read_job(job, CANVAS), CANVAS)
    result = read_clip(out)
    assert result.durations_ms == (30, 40, 50, 60, 50, 50, 50)
    assert result.tags == (Tag("walk", 0, 6, "pingpong", 2),), "it names the whole animation, also the new frames"
    np.testing.assert_array_equal(result.frames[:4], read_clip(motion, tag="walk").frames)


def test_arrange_takes_the_durations_along(motion: Path) -> None:
    out = motion.with_name("to-and-fro.apng")
    job = ArrangeJob(motion, out, Retime(order=(0, 2), hold=2), then=motion, then_tag="idle")
    arrange.perform(None, None, job, arrange.read_score(job, CANVAS), CANVAS)
    assert read_clip(out).durations_ms == (10, 10, 30, 30, 10, 20)


def test_arrange_keeps_tags_where_the_timing_stays(motion: Path) -> None:
    """With nothing to arrange it turns one format into another."""
    out = motion.with_name("copy.json")
    job = ArrangeJob(motion, out)
    arrange.perform(None, None, job, arrange.read_score(job, CANVAS), CANVAS)
    result = read_clip(out)
    assert (result.durations_ms, result.tags) == (DURATIONS, TAGS)
    np.testing.assert_array_equal(result.frames, read_clip(motion).frames)
    job = replace(job, plan=Retime(ping_pong=True))
    arrange.perform(None, None, job, arrange.read_score(job, CANVAS), CANVAS)
    assert read_clip(out).tags == ()


def test_locked_frames_come_from_a_strip(motion: Path) -> None:
    job = ArrangeJob(motion, motion.with_name("out.gif"), lock=(0,))
    with pytest.raises(BitpuppetError, match="is no strip, and --lock keeps frames of one"):
        arrange.read_score(job, CANVAS)


def test_mistakes_in_formats_and_tags(job: RetargetJob) -> None:
    with pytest.raises(BitpuppetError, match="--format is 'bmp', it must be one of strip, "):
        replace(job, format="bmp")
    with pytest.raises(BitpuppetError, match="has no tag 'run'; name one of 'idle', 'walk'"):
        run_retarget(FakeEngine(), replace(job, motion_tag="run"), CANVAS)
    with pytest.raises(BitpuppetError, match="--then-tag need the animation that follows"):
        ArrangeJob(job.motion, job.out, then_tag="walk")
    assert not job.out.exists()


def test_the_sheet_beside_a_json_must_not_be_an_input(job: RetargetJob) -> None:
    with pytest.raises(BitpuppetError, match=r"content\.png: --out would overwrite its own input"):
        check_out(job.out.with_name("content.json"), [job.content, job.motion])
    check_out(job.out, [job.content, job.motion])


def test_lines_of_a_jobs_file_name_tags_and_formats() -> None:
    line = {"content": "a.ase", "motion": "b.ase", "out": "c.json", "content-tag": "idle", "motion-tag": "walk"}
    job = RetargetJob.from_json(json.dumps(line | {"format": "json-hash"}))
    assert (job.content_tag, job.motion_tag, job.format) == ("idle", "walk", "json-hash")
    with pytest.raises(BitpuppetError, match="motion-tag is 3, it must be the name of a tag"):
        RetargetJob.from_json(json.dumps(line | {"motion-tag": 3}))
