"""Videos that are sent to a real server: decoded as the command line does it, told in steps, refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.server import reading
from bitpuppet.sprites import Clip, VideoSettings, read_video, write_clip
from bitpuppet_client import jobs
from bitpuppet_client.errors import JobFailedError
from bitpuppet_client.jobs import ReadParams
from bitpuppet_client.parts import check_frames

from .backend import Backend, make_parts, read_seed, retarget


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey frames of 32x24 pixels, each lighter than the one before it, at 10 a second."""
    path = tmp_path_factory.mktemp("films") / "a.webm"
    frames = np.full((12, 24, 32, 4), 255, np.uint8)
    frames[..., :3] = (20 * np.arange(12, dtype=np.uint8))[:, None, None, None]
    write_clip(Clip(frames, (100,) * 12), path)
    return path


def load(path: Path) -> dict[str, NDArray[np.uint8]]:
    return {"video": np.fromfile(path, np.uint8)}


def test_video_comes_back_as_frames(shared: Backend, film: Path) -> None:
    with shared.connect() as client:
        result = client.run(ReadParams("a.webm"), load(film))
    assert np.array_equal(result.parts["frames"], read_video(film).frames)
    report = dict(result.report)
    assert report.pop("seconds") >= 0 and report.pop("queue_seconds") >= 0  # type: ignore[operator]
    assert report == {"frames": 12, "width": 32, "height": 24, "fps": 10.0}


def test_settings_are_those_of_the_command_line(shared: Backend, film: Path) -> None:
    texts = {"fps": "5", "range": "0.2-0.8", "crop": "centre", "size": "16x16", "sampling": "nearest"}
    with shared.connect() as client:
        result = client.run(ReadParams("a.webm", **texts), load(film))
    assert np.array_equal(result.parts["frames"], read_video(film, VideoSettings.parse(texts)).frames)
    assert np.rint(result.parts["frames"][:, 8, 8, 0] / 20).tolist() == [2, 4, 6]
    assert result.report["fps"] == 5.0


def test_clients_of_before_are_told_of_kinds_that_they_know(shared: Backend) -> None:
    with shared.connect() as client:
        assert set(client.welcome.kinds) == set(jobs.ANNOUNCED)


@pytest.mark.parametrize(
    ("params", "change", "match"),
    [
        ({}, lambda data: data[:40], r"my film\.webm is damaged or cut short"),
        ({}, lambda data: data[1:], r"my film\.webm is no video that can be read; convert it"),
        ({"fps": "x"}, lambda data: data, r"--fps is 'x', it must be above 0 .* write for example 12"),
        ({"range": "9-"}, lambda data: data, r"my film\.webm is 1\.2 s long, --range begins at 9 s; correct it"),
        ({"crop": "99x9"}, lambda data: data, r"my film\.webm: --crop 99x9 reaches beyond the picture of 32x24"),
        ({"fps": "240", "size": "4000x4000"}, lambda data: data, r"the limit is 32 million in all; give --size"),
    ],
    ids=["cut", "noise", "rate", "range", "crop", "size"],
)
def test_what_cannot_be_read_is_told_in_one_line(
    shared: Backend,
    film: Path,
    params: dict[str, str],
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    match: str,
) -> None:
    with shared.connect() as client:
        with pytest.raises(JobFailedError, match=match):
            client.run(ReadParams("my film.webm", **params), {"video": change(load(film)["video"])})
        assert read_seed(client.run(retarget(5), make_parts())) == 5, "the worker is as it was"


@settings(deadline=None, max_examples=200)
@given(
    places=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=12),
    end=st.integers(1, 4000),
)
def test_damaged_videos_are_read_or_refused(film: Path, places: list[tuple[int, int]], end: int) -> None:
    data = load(film)["video"].copy()
    for place, value in places:
        data[place % len(data)] = value
    try:
        done = reading.run_reading(ReadParams(size="8"), {"video": data[:end]}, lambda *_: None)
    except BitpuppetError as error:
        assert str(error) and "\n" not in str(error)
    else:
        check_frames("frames", done.parts["frames"])


def test_steps_are_frames_and_may_end_it(film: Path) -> None:
    steps: list[tuple[int, int]] = []
    reading.run_reading(ReadParams(), load(film), lambda step, total, _: steps.append((step, total)))
    assert steps == [(number, 12) for number in [0, *range(12)]][: len(steps)] and len(steps) == 12

    def stop(step: int, total: int, preview: object) -> None:
        if step == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        reading.run_reading(ReadParams(), load(film), stop)
