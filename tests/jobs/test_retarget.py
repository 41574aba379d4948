"""The retarget job without a model: what the engine is asked for, and what is made of its answer."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs import retarget as job_module
from bitpuppet.jobs.pixels import PixelOptions
from bitpuppet.jobs.retarget import (
    RetargetJob,
    check_numbers,
    finish,
    perform,
    place_motion,
    prepare,
    run_retarget,
)
from bitpuppet.sprites import MAX_FRAMES, VIDEO_OPTIONS, Videos, enlarge_frames, read_clip, write_frames, write_strip
from bitpuppet.sprites.ranges import parse_frame, parse_rows

from .fakes import FakeEngine

Frames = NDArray[np.uint8]
CANVAS = 64
relaxed = settings(deadline=None)  # a machine that also trains is slow at times


@pytest.fixture(scope="module")
def hero() -> Frames:
    puppet = make_puppet(3, plan="biped", size=48)
    return draw_clip(puppet, puppet.motions[0], 4)


@pytest.fixture(scope="module")
def actor() -> Frames:
    puppet = make_puppet(8, plan="robot", size=32)
    return draw_clip(puppet, puppet.motions[1], 6)


@pytest.fixture
def job(tmp_path: Path, hero: Frames, actor: Frames) -> RetargetJob:
    write_strip(hero, tmp_path / "content.png")
    write_strip(actor, tmp_path / "motion.png")
    files = (tmp_path / f"{name}.png" for name in ("content", "motion", "out"))
    return RetargetJob(*files, content_frame=(48, 48), motion_frame=(32, 32), seed=9, steps=3)


@pytest.mark.parametrize(("seed", "steps"), [(-1, None), (job_module.MAX_SEED + 1, None), (0, 0), (0, 101)])
def test_numbers_outside_their_limits_are_refused(seed: int, steps: int | None) -> None:
    check_numbers(0, None)
    check_numbers(job_module.MAX_SEED, job_module.MAX_STEPS)
    with pytest.raises(BitpuppetError, match="it must be from"):
        check_numbers(seed, steps)


def test_keys_of_a_jobs_file_are_the_fields_of_a_job() -> None:
    keys = set(job_module._KINDS) - set(VIDEO_OPTIONS) - set(job_module._PIXELS)
    assert keys | {"videos", "pixels"} == {field.name for field in fields(RetargetJob)}


def test_a_line_of_jobs_says_what_to_take_of_videos() -> None:
    line = {"content": "a.mp4", "motion": "b.webm", "out": "c.png", "fps": 12, "size": 64, "content-video": "range=0-2"}
    job = RetargetJob.from_json(json.dumps(line))
    assert job.videos == Videos.parse(fps="12", size="64", content_video="range=0-2")
    with pytest.raises(BitpuppetError, match="fps is True, it must be a text"):
        RetargetJob.from_json(json.dumps(line | {"fps": True}))


def test_engine_is_given_both_clips_on_its_canvas(job: RetargetJob, hero: Frames, actor: Frames) -> None:
    engine = FakeEngine()
    run_retarget(engine, job, CANVAS)
    ((content, motion, seed, steps),) = engine.asked
    assert content.shape == (4, CANVAS, CANVAS, 4)
    assert motion.shape == (6, CANVAS, CANVAS, 4)
    assert (seed, steps) == (9, 3)
    assert np.count_nonzero(content[..., 3]) == np.count_nonzero(hero[..., 3])
    assert np.count_nonzero(motion[..., 3]) == np.count_nonzero(actor[..., 3])


def test_what_the_engine_gives_back_unchanged_is_written_unchanged(job: RetargetJob, hero: Frames) -> None:
    prepared = prepare(job, CANVAS)
    report = perform(FakeEngine(prepared.content.astype(np.float32)), job, prepared)
    np.testing.assert_array_equal(read_clip(job.out, (48, 48)).frames, hero)
    assert report == {
        "out": str(job.out),
        "frames": 4,
        "frame": "48x48",
        "content_frames": 4,
        "motion_frame": "32x32",
        "seed": 9,
        "bits_per_frame": 3.25,
        "palette_size": len(prepared.palette),
        "pixel_scale": 1,
        "cut_pixels": 0,
        "seconds": report["seconds"],
    }
    assert report["seconds"].keys() == {"model", "saving"}


@pytest.mark.parametrize("scale", [2, 3])
def test_scale_is_taken_away_and_given_back(job: RetargetJob, hero: Frames, scale: int) -> None:
    write_strip(enlarge_frames(hero, scale), job.content)
    side = 48 * scale
    large = RetargetJob(job.content, job.motion, job.out, content_frame=(side, side), motion_frame=(32, 32))
    prepared = prepare(large, CANVAS)
    assert prepared.scale == scale
    np.testing.assert_array_equal(prepared.content, prepare_small(job, hero))
    report = perform(FakeEngine(prepared.content.astype(np.float32)), large, prepared)
    np.testing.assert_array_equal(read_clip(job.out, (side, side)).frames, enlarge_frames(hero, scale))
    assert report["frame"] == f"{side}x{side}"
    assert report["pixel_scale"] == scale


def prepare_small(job: RetargetJob, hero: Frames) -> Frames:
    small = job.content.with_name("small.png")
    write_strip(hero, small)
    return place_motion(small, (48, 48), None, CANVAS)


def test_motion_at_another_scale_is_reduced_too(job: RetargetJob, actor: Frames) -> None:
    plain = prepare(job, CANVAS)
    write_strip(enlarge_frames(actor, 2), job.motion)
    large = prepare(RetargetJob(job.content, job.motion, job.out, (48, 48), motion_frame=(64, 64)), CANVAS)
    np.testing.assert_array_equal(large.motion, plain.motion)
    assert large.motion_size == (64, 64)
    assert large.scale == plain.scale == 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_palette_lock_holds_whatever_the_model_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = np.zeros((1, 20, 24, 4), dtype=np.uint8)
    content[0, 4:18, 5:15, :3] = rng.integers(0, 256, (5, 3), dtype=np.uint8)[rng.integers(0, 5, (14, 10))]
    content[0, 4:18, 5:15, 3] = 255
    placed, anchor = job_module.place_clip(content, CANVAS)
    steps = PixelOptions(orphans=False).resolve()
    palette = job_module.collect_palette(placed)
    prepared = job_module.Prepared(placed, placed, palette, anchor, 2, (24, 20), steps=steps)
    wild = rng.uniform(-40, 300, (3, CANVAS, CANVAS, 4)).astype(np.float32)
    frames, cut = finish(prepared, wild, palette_lock=True)
    assert frames.shape == (3, 40, 48, 4)
    opaque = frames[..., 3] == 255
    assert not frames[~opaque].any()
    own = {tuple(colour) for colour in prepared.palette}
    assert {tuple(colour) for colour in frames[opaque][:, :3]} <= own
    assert cut + np.count_nonzero(opaque) // 4 == np.count_nonzero(wild[..., 3] >= 128)
    free, _ = finish(prepared, wild, palette_lock=False)
    assert len(np.unique(free[..., 3])) > 2


def test_frames_beyond_numbers_are_not_written(job: RetargetJob) -> None:
    broken = np.full((6, CANVAS, CANVAS, 4), np.nan, dtype=np.float32)
    with pytest.raises(BitpuppetError, match=r"out\.png: the model drew no numbers"):
        run_retarget(FakeEngine(broken), job, CANVAS)
    assert not job.out.exists()


@pytest.mark.parametrize(
    "raised",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), RuntimeError("CUDA out of memory.")],
)
def test_small_memory_is_told_with_the_motion(job: RetargetJob, raised: Exception) -> None:
    with pytest.raises(BitpuppetError, match=r"motion\.png: the memory is too small for 6 frames; name fewer"):
        run_retarget(FakeEngine(raised), job, CANVAS)
    assert not job.out.exists()


def test_other_failures_of_the_engine_are_not_hidden(job: RetargetJob) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        run_retarget(FakeEngine(RuntimeError("a bug")), job, CANVAS)


def test_watcher_that_raises_cancels(job: RetargetJob) -> None:
    def cancel(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_retarget(FakeEngine(), job, CANVAS, cancel)
    assert not job.out.exists()


def test_link_to_an_input_is_the_input(job: RetargetJob) -> None:
    link = job.out.with_name("link.png")
    link.symlink_to(job.content)
    with pytest.raises(BitpuppetError, match="would overwrite its own input"):
        prepare(RetargetJob(job.content, job.motion, link), CANVAS)


def test_folder_that_is_read_is_not_written_into(job: RetargetJob, actor: Frames) -> None:
    folder = job.out.with_name("frames")
    write_frames(actor, folder)
    with pytest.raises(BitpuppetError, match="lies in its own input"):
        prepare(RetargetJob(job.content, folder, folder / "out.png"), CANVAS)


@relaxed
@given(st.integers(1, 999_999), st.integers(1, 999_999))
def test_frame_is_read(width: int, height: int) -> None:
    assert parse_frame(f"{width}x{height}") == (width, height) == parse_frame(f" {width}X{height} ")


@relaxed
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), min_size=1, max_size=9))
def test_rows_are_read_in_their_order(ranges: list[tuple[int, int]]) -> None:
    text = ", ".join(f"{low}-{low + more}" if more else str(low) for low, more in ranges)
    assert parse_rows(text) == tuple(row for low, more in ranges for row in range(low, low + more + 1))


@relaxed
@given(st.text(alphabet="0123456789-,x ٣²\n", max_size=12))
def test_any_text_gives_numbers_or_one_line(text: str) -> None:
    for parse in (parse_frame, parse_rows):
        try:
            assert all(isinstance(number, int) and number >= 0 for number in parse(text))
        except BitpuppetError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("text", ["0-999999999", "0-999999", ",".join(["0-4000"] * 1000), "0" * 1_000_000])
def test_rows_without_end_take_no_memory(text: str) -> None:
    tracemalloc.start()
    with pytest.raises(BitpuppetError) as info:
        parse_rows(text, "--motion-rows")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert len(str(info.value)) < 300
    assert len(parse_rows(f"0-{MAX_FRAMES - 1}")) == MAX_FRAMES


def test_line_of_a_jobs_file() -> None:
    keys = {
        "content": "a b.png",
        "motion": "ü.png",
        "out": "o.png",
        "frame": "64x48",
        "content-frame": None,
        "motion-rows": "3,1-2",
        "content_rows": [0, 2],
        "seed": 5,
        "palette-lock": False,
    }
    assert RetargetJob.from_json(json.dumps(keys)) == RetargetJob(
        Path("a b.png"),
        Path("ü.png"),
        Path("o.png"),
        frame=(64, 48),
        content_rows=(0, 2),
        motion_rows=(3, 1, 2),
        seed=5,
        palette_lock=False,
    )


def test_null_counts_as_left_out() -> None:
    named = {"content": "a.png", "motion": "b.png", "out": "o.png"}
    nulls = {name: None for name in job_module._KINDS if name not in named}
    assert RetargetJob.from_json(json.dumps(named | nulls)) == RetargetJob.from_json(json.dumps(named))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@relaxed
@given(st.dictionaries(st.sampled_from([*job_module._KINDS, "content-rows", "more"]), JSON), st.booleans())
def test_any_line_is_a_job_or_one_line(values: dict[str, object], complete: bool) -> None:
    named = {"content": "a.png", "motion": "b.png", "out": "o.png"} if complete else {}
    try:
        job = RetargetJob.from_json(json.dumps(values | named))
    except BitpuppetError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300
    else:
        assert isinstance(job.seed, int) and isinstance(job.palette_lock, bool | None)
