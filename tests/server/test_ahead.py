"""The next job is with the worker when its last one has made all steps, and still no job harms another."""

from __future__ import annotations

import pytest

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, read_seed, retarget, wait_for


@pytest.fixture
def finishing(backend: Backend) -> Backend:
    """A server whose worker takes its time after the last step."""
    backend.environ[fake_worker.FINISH_SECONDS] = "0.5"
    backend.settings["restart_seconds"] = 0.05
    backend.start()
    return backend


def test_one_job_waits_with_the_worker_and_no_more(finishing: Backend) -> None:
    with finishing.connect() as client:
        jobs = [client.submit(retarget(seed), make_parts()).job for seed in range(3)]
        wait_for(lambda: get_status(client, jobs[1]).state == "running", "the second job")
        assert [status.state for status in client.status(*jobs)] == ["running", "running", "queued"]
        late = client.submit(retarget(7), make_parts(), priority=9).job
        client.cancel(jobs[1])
        ends = {job: client.wait(job, SECONDS) for job in (*jobs, late)}
        assert [ends[job].state for job in jobs] == ["done", "cancelled", "done"]
        assert (ends[late].finished or 0.0) < (ends[jobs[2]].finished or 0.0)
        assert [read_seed(client.fetch(job)) for job in (jobs[0], jobs[2], late)] == [0, 2, 7]


def test_job_is_cancelled_after_its_last_step(backend: Backend) -> None:
    """Nothing stops it there, but its result is not wanted any more, and the next one is not harmed."""
    backend.environ[fake_worker.FINISH_SECONDS] = "2"
    backend.start()
    with backend.connect() as client:
        jobs = [client.submit(retarget(seed, steps=2), make_parts()).job for seed in range(2)]
        wait_for(lambda: get_status(client, jobs[0]).step == 2, "the last step")
        told = client.cancel(jobs[0])
        ends = [client.wait(job, SECONDS) for job in jobs]
        assert told.state == "running"
        assert [(end.state, end.has_result) for end in ends] == [("cancelled", False), ("done", True)]
        assert read_seed(client.fetch(jobs[1])) == 1


def test_job_that_kills_the_worker_takes_the_next_one_with_it_only_once(finishing: Backend) -> None:
    with finishing.connect() as client:
        jobs = [client.submit(retarget(seed), make_parts()).job for seed in (fake_worker.DIES_LATE, 1, 2)]
        ends = [client.wait(job, SECONDS) for job in jobs]
        assert [end.state for end in ends] == ["failed", "done", "done"]
        assert [end.attempts for end in ends] == [2, 2, 1]  # the second was there when it died, and never again
        assert [read_seed(client.fetch(job)) for job in jobs[1:]] == [1, 2]
