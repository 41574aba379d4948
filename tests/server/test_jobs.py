"""Jobs of a healthy server: each result goes with its request, each kind says what it is."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import numpy as np
import pytest

from bitpuppet_client.client import Client
from bitpuppet_client.errors import JobFailedError, RefusedError
from bitpuppet_client.jobs import (
    DecodeParams,
    EncodeParams,
    ExtendParams,
    RetargetParams,
    TokensParams,
)
from bitpuppet_client.messages import Accepted, Message, Preview, Submit, Update
from bitpuppet_client.wire import encode

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_art, make_parts, read_seed, retarget, wait_for
from .raw import connect


def test_job_comes_back(shared: Backend) -> None:
    with shared.connect() as client:
        result = client.run(retarget(seed=1234), make_parts())
    assert read_seed(result) == 1234
    report = dict(result.report)
    assert report.pop("model_seconds") >= 0  # type: ignore[operator]
    assert 0 <= report.pop("queue_seconds") < SECONDS  # type: ignore[operator]
    assert len(str(report.pop("fingerprint"))) == 16
    assert report == {
        "model": "sprite64",
        "device": "cpu",
        "seed": 1234,
        "steps": 4,
        "frames": 2,
        "content_frames": 1,
        "bits_per_frame": 3.25,
        "palette_size": None,
        "pixel_scale": 1,
        "cut_pixels": 0,
    }


def test_size_and_colours_are_those_of_the_content(shared: Backend) -> None:
    parts = {"content": make_art(1, 48), "motion": make_art(3, 32)}
    with shared.connect() as client:
        frames = client.run(RetargetParams(seed=5), parts).parts["frames"]
    assert frames.shape == (3, 48, 48, 4)
    assert set(np.unique(frames[..., 3])) <= {0, 255}
    known = {tuple(colour) for colour in parts["content"].reshape(-1, 4)[:, :3]}
    assert {tuple(colour) for colour in frames[frames[..., 3] == 255][:, :3]} <= known


def test_tokens(shared: Backend) -> None:
    with shared.connect() as client:
        result = client.run(TokensParams(), {"motion": make_art(3)})
    assert result.parts["tokens"].dtype == np.uint16
    assert result.parts["tokens"].shape == (3, 4)
    assert result.report["bits_per_frame"] == 3.25


def test_two_hundred_jobs_of_eight_clients(shared: Backend) -> None:
    each, wrong = 25, []

    def work(number: int) -> None:
        with shared.connect() as client:
            jobs = {}
            for turn in range(each):
                seed = number * 1000 + turn
                frames = 1 + (seed % 3)
                jobs[client.submit(retarget(seed, steps=2), make_parts(frames)).job] = seed, frames
            for job, (seed, frames) in jobs.items():
                client.wait(job, SECONDS)
                result = client.fetch(job)
                if (read_seed(result), len(result.parts["frames"])) != (seed, frames):
                    wrong.append((seed, read_seed(result)))
                client.acknowledge(job)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with shared.connect() as client:
        before = client.read_metrics().values["done"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        assert wrong == []
        assert client.read_metrics().values["done"] == before + 8 * each


def test_previews_and_progress_come_with_each_step(shared: Backend) -> None:
    statuses, previews = [], list[Preview]()
    with shared.connect() as client:
        before = client.read_metrics().values["dropped"]
        client.run(retarget(7, steps=5), make_parts(), progress=statuses.append, preview=previews.append)
        dropped = client.read_metrics().values["dropped"] - before  # type: ignore[operator]
    steps = [preview.step for preview in previews]
    assert steps == sorted(set(steps)) and set(steps) <= {1, 2, 3, 4, 5}
    assert 5 - dropped <= len(steps)  # a connection that reads too slowly loses some, and the server counts them
    assert all(preview.parts["frames"].shape == (2, 64, 64, 4) for preview in previews)
    assert all((preview.parts["frames"][..., 0] == 7).all() for preview in previews)
    assert statuses[-1].state == "done"
    assert {status.frames for status in statuses} == {2}


def test_no_previews_unless_somebody_asks(shared: Backend) -> None:
    with connect(shared.read_endpoint()) as one, shared.connect() as other:
        submit = Submit(str(uuid4()), retarget(7, steps=30), make_parts())
        one.send(*encode(submit, 1))
        heard: list[Message | None] = [one.receive()]
        assert other.wait(submit.job, SECONDS, preview=lambda _: None).state == "done"  # who asks for them
        while heard[-1] is not None:
            heard.append(one.receive(1.0))
        assert {type(message) for message in heard[:-1]} == {Accepted, Update}


def test_watcher_who_comes_late_gets_previews(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.1"
    backend.start()
    with backend.connect() as client, backend.connect() as other:
        job = client.submit(retarget(steps=30), make_parts()).job
        wait_for(lambda: get_status(client, job).step > 1, "the second step")
        seen: list[Preview] = []
        status = other.wait(job, SECONDS, preview=seen.append)
        assert status.state == "done"
        assert seen


def test_same_id_is_the_same_job(shared: Backend) -> None:
    job = str(uuid4())
    with shared.connect() as client:
        for _ in range(3):
            assert client.submit(retarget(3), make_parts(), job=job).job == job
        client.wait(job, SECONDS)
        again = client.submit(retarget(3), make_parts(), job=job)
        assert (again.state, again.attempts) == ("done", 1)
        with pytest.raises(RefusedError, match="another job has this id") as caught:
            client.submit(retarget(4), make_parts(), job=job)
        assert caught.value.code == "conflict"


def test_higher_priority_runs_first(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.05"
    backend.start()
    with backend.connect() as client:
        first = client.submit(retarget(steps=100), make_parts()).job
        wait_for(lambda: get_status(client, first).state == "running", "the first job")
        low = client.submit(retarget(1), make_parts(), priority=1).job
        high = client.submit(retarget(2), make_parts(), priority=9).job
        assert [get_status(client, job).position for job in (first, high, low)] == [None, 0, 1]
        client.cancel(first)
        ends = [client.wait(job, SECONDS).finished or 0.0 for job in (first, high, low)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("seed", "code", "match"),
    [
        (fake_worker.FILLS_MEMORY, "out_of_memory", "send fewer frames"),
        (fake_worker.FAILS, "failed", "draw better art"),
        (fake_worker.HAS_A_BUG, "internal", "see its log"),
        (fake_worker.DRAWS_NO_NUMBERS, "failed", "drew no numbers"),
    ],
)
def test_failed_job_says_why_and_hurts_nobody(shared: Backend, seed: int, code: str, match: str) -> None:
    with shared.connect() as client:
        with pytest.raises(JobFailedError, match=match) as caught:
            client.run(retarget(seed), make_parts())
        assert caught.value.code == code
        assert read_seed(client.run(retarget(9), make_parts())) == 9
    if code == "internal":
        assert "ValueError: a bug" in shared.log


def test_art_that_cannot_be_used(shared: Backend) -> None:
    with shared.connect() as client, pytest.raises(JobFailedError, match="content: the art has no colours"):
        client.run(retarget(), {"content": np.zeros((1, 64, 64, 4), np.uint8), "motion": make_art()})


def test_unknown_model_is_refused_with_the_known_ones(shared: Backend) -> None:
    with shared.connect() as client, pytest.raises(RefusedError, match="sprite64") as caught:
        client.submit(RetargetParams(model="nobody"), make_parts())
    assert caught.value.code == "unknown_model"


def test_welcome_names_models_and_kinds(shared: Backend) -> None:
    with shared.connect() as client:
        welcome = client.welcome
    assert {"retarget", "tokens"} <= set(welcome.kinds)
    assert [model.name for model in welcome.models] == ["render64", "sprite64"]
    assert (welcome.models[1].preset, welcome.models[1].canvas) == ("tiny", 64)


def test_list_has_all_jobs_newest_first(backend: Backend) -> None:
    backend.start()
    with backend.connect() as client:
        jobs = [client.submit(retarget(seed), make_parts(1)).job for seed in range(40)]
        assert [status.job for status in client.list_jobs()] == jobs[::-1]
        for job in jobs:
            client.wait(job, SECONDS)
        assert [status.job for status in client.list_jobs("done")] == jobs[::-1]
        assert list(client.list_jobs("failed")) == []


def test_full_queue_is_told_with_the_time_to_wait(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.5"
    backend.start(limits={"queued_jobs": 3, "pixels": 64 * 64 * 5})
    with backend.connect() as client:
        assert client.welcome.limits.queued_jobs == 3
        running = client.submit(retarget(steps=100), make_parts()).job
        wait_for(lambda: get_status(client, running).state == "running", "the first job")
        for seed in range(3):
            client.submit(retarget(seed), make_parts())
        with pytest.raises(RefusedError, match="3 jobs wait already") as caught:
            client.submit(retarget(4), make_parts())
        assert (caught.value.code, caught.value.retry_after) == ("busy", 5.0)
        with pytest.raises(RefusedError, match="pixels in one job") as caught:
            client.submit(retarget(4), make_parts(8))
        assert caught.value.code == "too_large"


def test_control_channel_answers_while_the_device_is_busy(backend: Backend) -> None:
    backend.start()
    with backend.connect() as client:
        client.submit(retarget(fake_worker.HANGS), make_parts())
        wait_for(lambda: client.read_metrics().values["running"], "the job that hangs")
        slowest = max(_time(client) for _ in range(20))
        assert client.check_health().state == "busy"
    assert slowest < SECONDS / 2  # the job hangs for an hour


def _time(client: Client) -> float:
    started = time.perf_counter()
    client.check_health()
    return time.perf_counter() - started


def test_metrics_tell_of_queue_memory_and_throughput(shared: Backend) -> None:
    with shared.connect() as client:
        client.run(retarget(), make_parts())
        values = wait_for(lambda: _find_worker_memory(client), "the worker's report")
    assert values["done"] >= 1 and values["frames"] >= 2
    assert values["queued"] == values["running"] == 0
    assert values["devices"] == ("cpu",)
    assert values["memory_bytes"] > 1 << 20
    assert values["clients"] >= 1


def _find_worker_memory(client: Client) -> dict[str, object] | None:
    values = dict(client.read_metrics().values)
    (memory,) = values["worker_memory_bytes"]
    return values if memory else None


def test_encode_and_decode(shared: Backend) -> None:
    content = make_art(2, 48)
    with shared.connect() as client:
        assert client.run(EncodeParams(), {"content": content}).parts["code"].tolist() == [[2.0] * 5] * 3
        tokens = client.run(TokensParams(), {"motion": make_art(3)}).parts["tokens"]
        result = client.run(DecodeParams(seed=3, palette_lock=False), {"tokens": tokens, "content": content})
        assert result.parts["frames"].shape == (3, 48, 48, 4)
        assert read_seed(result) == 3
        with pytest.raises(JobFailedError, match="4 groups of 0 to 7"):
            client.run(DecodeParams(), {"tokens": tokens + 8, "content": content})
        with pytest.raises(JobFailedError, match="send the part content, and no code") as caught:
            client.run(DecodeParams(palette_lock=False), {"tokens": tokens, "code": np.ones((3, 5), np.float32)})
        assert caught.value.code == "unsupported"


def test_extend_says_when_the_model_cannot(shared: Backend) -> None:
    with shared.connect() as client:
        assert "extend" in client.welcome.kinds
        with pytest.raises(JobFailedError, match="no motion prior"):
            client.run(ExtendParams(count=4), {"motion": make_art(3)})


def test_two_devices_work_side_by_side(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.05"
    backend.start(devices=["cpu", "cpu"])
    with backend.connect() as client:
        wait_for(lambda: len(dict(client.read_metrics().values)["devices"]) == 2, "both workers")  # type: ignore[arg-type]
        wait_for(lambda: None not in dict(client.read_metrics().values)["devices"], "both workers")  # type: ignore[operator]
        jobs = [client.submit(retarget(seed, steps=40), make_parts()).job for seed in range(4)]
        wait_for(lambda: client.read_metrics().values["running"] == 2, "two running jobs")
        for seed, job in enumerate(jobs):
            client.wait(job, SECONDS)
            assert read_seed(client.fetch(job)) == seed
