"""The arrange job from files to files, without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.arrange import ArrangeJob, perform, read_score
from bitpuppet.jobs.timing import Retime
from bitpuppet.sprites import enlarge_frames, write_strip

from .fakes import FakeDrawer, FakePrior
from .test_continuation import numbered
from .test_extend import read_frames

Frames = NDArray[np.uint8]
CANVAS = 64


@pytest.fixture(scope="module")
def clips() -> tuple[Frames, Frames]:
    puppet = make_puppet(3, plan="biped", size=48)
    walk, idle = draw_clip(puppet, puppet.motions[4], 4), draw_clip(puppet, puppet.motions[0], 3)
    walk[:, 0, 0] = (9, 8, 7, 0)  # colour that alpha hides is a part of the file too
    return walk, idle


@pytest.fixture
def job(tmp_path: Path, clips: tuple[Frames, Frames]) -> ArrangeJob:
    write_strip(clips[0], tmp_path / "walk.png")
    write_strip(clips[1], tmp_path / "idle.png")
    other = make_puppet(8, plan="robot", size=32)
    write_strip(draw_clip(other, other.motions[0], 2), tmp_path / "robot.png")
    return ArrangeJob(tmp_path / "walk.png", tmp_path / "out.png", frame=(48, 48))


def run(job: ArrangeJob, engine: FakeDrawer | None = None, prior: FakePrior | None = None) -> dict[str, Any]:
    return perform(engine, prior, job, read_score(job, CANVAS), CANVAS)


def test_own_frames_need_no_model_and_stay_untouched(job: ArrangeJob, clips: tuple[Frames, Frames]) -> None:
    walk, _ = clips
    wanted = replace(job, plan=Retime(order=(0, 1, 3), ping_pong=True, hold=2))
    assert not read_score(wanted, CANVAS).needs_model
    report = run(wanted)
    np.testing.assert_array_equal(read_frames(job.out), walk[[0, 0, 1, 1, 3, 3, 1, 1]])
    assert report["timing"] == [0, 0, 1, 1, 3, 3, 1, 1]
    assert (report["frames"], report["kept_frames"], report["drawn_frames"]) == (8, 8, 0)


def test_splice_of_own_frames(job: ArrangeJob, clips: tuple[Frames, Frames]) -> None:
    run(replace(job, then=job.motion.with_name("idle.png"), plan=Retime(drop=2)))
    np.testing.assert_array_equal(read_frames(job.out), np.concatenate([clips[0][::2], clips[1]]))


def test_in_betweens_alone_are_drawn(job: ArrangeJob, clips: tuple[Frames, Frames]) -> None:
    walk, _ = clips
    engine = FakeDrawer()
    wanted = replace(job, plan=Retime(between=1, hold=2), seed=4, steps=3)
    report = run(wanted, engine)
    frames = read_frames(job.out)
    np.testing.assert_array_equal(frames[::4], walk)
    np.testing.assert_array_equal(frames[1::4], walk)
    np.testing.assert_array_equal(frames[2::4], frames[3::4])
    assert (report["kept_frames"], report["drawn_frames"]) == (8, 6)
    ((_, tokens, seed, steps),) = engine.drawn
    assert (seed, steps) == (4, 3)
    # Every beat once, in its order, so that held frames are one picture.
    np.testing.assert_array_equal(tokens, numbered(0, 0, 1, 2, 2, 2, 3))


def test_blend_is_drawn_from_both(job: ArrangeJob, clips: tuple[Frames, Frames]) -> None:
    engine = FakeDrawer()
    report = run(replace(job, then=job.motion.with_name("idle.png"), blend=2), engine)
    assert report["timing"] == [0, 1, 2, 3, [3, 4, 0.3333], [3, 4, 0.6667], 4, 5, 6]
    frames = read_frames(job.out)
    np.testing.assert_array_equal(frames[[0, 1, 2, 3, 6, 7, 8]], np.concatenate(clips))
    assert len(engine.drawn[0][0]) == 7, "both clips are the content"


def test_prior_aims_at_the_second_pose(job: ArrangeJob) -> None:
    engine = FakeDrawer()
    prior = FakePrior(lambda tokens, frames, number: numbered(*range(40, 40 + frames)))
    wanted = replace(job, plan=Retime(order=(0, 3), between=2, hold=2), by="prior", seed=5)
    run(wanted, engine, prior)
    (asked,) = prior.asked
    np.testing.assert_array_equal(asked["goal"], numbered(3)[0])
    np.testing.assert_array_equal(asked["tokens"], numbered(0, 0))
    assert [tuple(seed) for seed in asked["seeds"]] == [(5, 2)]
    np.testing.assert_array_equal(engine.drawn[0][1], numbered(0, 40, 41, 3))


def test_another_character_performs_all_of_it(job: ArrangeJob) -> None:
    engine = FakeDrawer()
    robot = job.motion.with_name("robot.png")
    idle = job.motion.with_name("idle.png")
    wanted = replace(job, content=robot, content_frame=(32, 32), then=idle, plan=Retime(order=(0, 0, 1)))
    report = run(wanted, engine)
    assert (report["frame"], report["kept_frames"], report["drawn_frames"]) == ("32x32", 0, 6)
    frames = read_frames(job.out, 32)
    np.testing.assert_array_equal(frames[0], frames[1])
    assert len(engine.drawn[0][1]) == 5


def test_files_of_two_sizes_need_a_content(job: ArrangeJob) -> None:
    robot = job.motion.with_name("robot.png")
    with pytest.raises(BitpuppetError, match=r"robot\.png has frames of 32x32, .*walk\.png of 48x48; say who performs"):
        read_score(replace(job, then=robot, then_frame=(32, 32)), CANVAS)


def test_locked_frames_stay_as_the_result_has_them(job: ArrangeJob) -> None:
    engine = FakeDrawer()
    wanted = replace(job, content=job.motion.with_name("idle.png"), plan=Retime(order=(0, 1, 2)))
    run(wanted, engine)
    touched = read_frames(job.out)
    touched[2] = 0  # an empty frame is a frame
    touched[0, 5, 5] = (1, 2, 3, 4)
    touched[1] = 77
    write_strip(touched, job.out)
    report = run(replace(wanted, lock=(0, 2)), engine)
    again = read_frames(job.out)
    np.testing.assert_array_equal(again[[0, 2]], touched[[0, 2]])
    assert np.any(again[1] != touched[1])
    assert (report["kept_frames"], report["drawn_frames"]) == (2, 1)
    before = len(engine.drawn)
    locked = replace(wanted, lock=(0, 1, 2), lock_from=job.out, out=job.out.with_name("all.png"))
    assert not read_score(locked, CANVAS).needs_model
    run(locked)
    np.testing.assert_array_equal(read_frames(locked.out), again)
    assert len(engine.drawn) == before


def test_lock_without_anything_to_keep(job: ArrangeJob) -> None:
    content = job.motion.with_name("idle.png")
    with pytest.raises(BitpuppetError, match=r"out\.png does not exist, and --lock keeps frames that are there"):
        read_score(replace(job, content=content, lock=(0,)), CANVAS)
    with pytest.raises(BitpuppetError, match=r"idle\.png is 144x48, and --lock needs 4 frames of 48x48 side by side"):
        read_score(replace(job, content=content, lock=(0,), lock_from=content), CANVAS)
    with pytest.raises(BitpuppetError, match="--lock names frame 4, the result has 4 frames, numbers 0 to 3"):
        read_score(replace(job, content=content, lock=(4,), lock_from=content), CANVAS)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"blend": -1}, "--blend is -1"),
        ({"blend": 1}, "add --then"),
        ({"then_rows": (0,)}, "add --then"),
        ({"lock_from": Path("a.png")}, "add --lock"),
        ({"seed": -1}, "--seed is -1"),
        ({"steps": 101}, "--steps is 101"),
    ],
)
def test_options_that_do_not_go_together(job: ArrangeJob, options: dict[str, Any], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        replace(job, **options)


def test_results_that_no_strip_holds(job: ArrangeJob, clips: tuple[Frames, Frames]) -> None:
    large = job.motion.with_name("large.png")
    write_strip(enlarge_frames(clips[0], 8), large)
    with pytest.raises(BitpuppetError, match="would hold 400 frames of 384x384, the limit is 32 million pixels"):
        read_score(replace(job, motion=large, frame=(384, 384), plan=Retime(hold=100)), CANVAS)
    with pytest.raises(BitpuppetError, match="would overwrite its own input"):
        read_score(replace(job, out=job.motion), CANVAS)
    assert not job.out.exists()


def test_art_that_cannot_be_drawn_is_no_matter_where_nothing_is_drawn(job: ArrangeJob) -> None:
    huge = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 4), dtype=np.uint8) | 1
    path = job.motion.with_name("huge.png")
    write_strip(huge, path)
    plain = replace(job, motion=path, frame=(80, 80), plan=Retime(order=(1, 0)))
    run(plain)
    np.testing.assert_array_equal(read_frames(job.out, 80), huge[::-1])
    with pytest.raises(BitpuppetError, match=r"huge\.png: the art is 80x80"):
        read_score(replace(plain, plan=Retime(between=1)), CANVAS)


def test_watcher_that_raises_cancels(job: ArrangeJob) -> None:
    def cancel(*_: object) -> None:
        raise KeyboardInterrupt

    wanted = replace(job, plan=Retime(between=1))
    with pytest.raises(KeyboardInterrupt):
        perform(FakeDrawer(), None, wanted, read_score(wanted, CANVAS), CANVAS, cancel)
    assert not job.out.exists()
