"""Cancelling: the right job, within a step, at every stage."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from bitpuppet_client.errors import RefusedError

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, read_seed, retarget, wait_for


@pytest.fixture(scope="module")
def slow(shared: Backend) -> Backend:
    shared.end()
    shared.environ[fake_worker.STEP_SECONDS] = "0.1"
    shared.start()
    return shared


@pytest.mark.parametrize("step", [0, 1, 4])
def test_running_job_stops(slow: Backend, step: int) -> None:
    with slow.connect() as client:
        job = client.submit(retarget(steps=100), make_parts()).job
        wait_for(lambda: (s := get_status(client, job)).state == "running" and s.step >= step, "the step")
        before = client.cancel(job)
        assert before.state == "running"
        after = client.wait(job, SECONDS)
        assert after.state == "cancelled"
        assert after.step < 100  # `test_worker` counts the steps after the message has come
        assert after.error is None and not after.has_result
        assert client.cancel(job) == after
        with pytest.raises(RefusedError, match="cancelled"):
            client.fetch(job)


def test_waiting_job_is_cancelled_at_once_and_no_other(slow: Backend) -> None:
    with slow.connect() as client:
        running = client.submit(retarget(1, steps=10), make_parts()).job
        wait_for(lambda: get_status(client, running).state == "running", "the first job")
        waiting = [client.submit(retarget(seed, steps=1), make_parts()).job for seed in (2, 3, 4)]
        assert client.cancel(waiting[1]).state == "cancelled"
        assert [client.wait(job, SECONDS).state for job in (running, waiting[0], waiting[2])] == ["done"] * 3
        assert get_status(client, waiting[1]).attempts == 0
        assert [read_seed(client.fetch(job)) for job in (running, waiting[0], waiting[2])] == [1, 2, 4]


def test_finished_job_stays_finished(slow: Backend) -> None:
    with slow.connect() as client:
        job = client.submit(retarget(5, steps=1), make_parts()).job
        done = client.wait(job, SECONDS)
        assert client.cancel(job) == done
        assert read_seed(client.fetch(job)) == 5


def test_unknown_job(slow: Backend) -> None:
    with slow.connect() as client, pytest.raises(RefusedError) as caught:
        client.cancel(str(uuid4()))
    assert caught.value.code == "unknown_job"


def test_cancel_races_with_finish(slow: Backend) -> None:
    """Whoever wins: a job that was told to be cancelled while it ran never has a result, a finished one keeps it."""
    seen = set()
    with slow.connect() as client:
        for turn in range(12):
            job = client.submit(retarget(turn, steps=1), make_parts()).job
            wait_for(lambda job=job: get_status(client, job).state != "queued", "its start")
            time.sleep(0.08 + turn * 0.005)  # around the end of its only step
            told = client.cancel(job).state
            end = client.wait(job, SECONDS)
            assert (told, end.state) in {("running", "cancelled"), ("done", "done")}
            assert end.has_result == (end.state == "done")
            seen.add(end.state)
    assert seen  # which ones depends on the machine's speed


def test_cancelled_job_is_not_run_again_when_its_worker_dies(slow: Backend) -> None:
    with slow.connect() as client:
        job = client.submit(retarget(fake_worker.HANGS, steps=1), make_parts()).job
        wait_for(lambda: get_status(client, job).state == "running", "its start")
        assert client.cancel(job).state == "running"
        slow.find_worker().kill()
        status = client.wait(job, SECONDS)
        assert (status.state, status.attempts) == ("cancelled", 1)


def test_job_that_does_not_stop_is_stopped_by_force(backend: Backend) -> None:
    backend.start(cancel_seconds=0.3, restart_seconds=0.05)
    with backend.connect() as client:
        job = client.submit(retarget(fake_worker.HANGS), make_parts()).job
        wait_for(lambda: get_status(client, job).state == "running", "its start")
        client.cancel(job)
        assert client.wait(job, SECONDS).state == "cancelled"
        assert read_seed(client.run(retarget(6), make_parts())) == 6
