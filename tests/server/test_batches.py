"""Several jobs drawn at once, on a device that gains by it."""

from __future__ import annotations

import pytest

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, read_seed, retarget, wait_for


@pytest.fixture(scope="module")
def gpu(shared: Backend) -> Backend:
    """A server whose worker draws up to 64 frames of jobs at once, a step in a tenth of a second."""
    shared.end()
    shared.environ |= {fake_worker.BATCH_FRAMES: "64", fake_worker.STEP_SECONDS: "0.1"}
    shared.settings["restart_seconds"] = 0.05
    shared.start()
    return shared


def test_jobs_that_wait_together_run_together(gpu: Backend) -> None:
    with gpu.connect() as client:
        first = client.submit(retarget(1, steps=100), make_parts()).job
        wait_for(lambda: get_status(client, first).state == "running", "the first job")
        shown = client.submit(retarget(10, steps=5), make_parts(), previews=True).job
        jobs = {client.submit(retarget(seed, steps=5), make_parts()).job: seed for seed in range(11, 18)} | {shown: 10}
        others = {client.submit(retarget(seed, steps=4), make_parts(3)).job: seed for seed in (20, 21)}
        client.cancel(first)  # it ran for as long as it took to submit the others
        previews = []
        client.wait(shown, SECONDS, preview=previews.append)
        for job, seed in (jobs | others).items():
            assert client.wait(job, SECONDS).state == "done"
            assert read_seed(client.fetch(job)) == seed
        statuses = [get_status(client, job) for job in jobs]
        assert max(status.started or 0.0 for status in statuses) < min(status.finished or 0.0 for status in statuses)
        assert [preview.parts["frames"][0, 0, 0, 0] for preview in previews] == [10] * len(previews)
        assert previews


def test_one_of_a_batch_is_cancelled(gpu: Backend) -> None:
    with gpu.connect() as client:
        first = client.submit(retarget(1, steps=3), make_parts()).job
        jobs = [client.submit(retarget(seed, steps=40), make_parts()).job for seed in range(4)]
        wait_for(lambda: get_status(client, jobs[2]).step > 1, "the batch")
        assert client.cancel(jobs[2]).state == "running"
        status = client.wait(jobs[2], SECONDS)
        assert status.state == "cancelled" and status.step < 40
        for seed in (0, 1, 3):
            assert client.wait(jobs[seed], SECONDS).state == "done"
            assert read_seed(client.fetch(jobs[seed])) == seed
        assert get_status(client, first).state == "done"


def test_all_of_a_batch_are_cancelled(gpu: Backend) -> None:
    with gpu.connect() as client:
        client.submit(retarget(1, steps=3), make_parts())
        jobs = [client.submit(retarget(seed, steps=100), make_parts()).job for seed in range(3)]
        wait_for(lambda: get_status(client, jobs[0]).step > 1, "the batch")
        for job in jobs:
            client.cancel(job)
        assert [client.wait(job, SECONDS).state for job in jobs] == ["cancelled"] * 3
        assert read_seed(client.run(retarget(5, steps=1), make_parts())) == 5


@pytest.mark.parametrize("bad", [fake_worker.FILLS_MEMORY, fake_worker.FAILS])
def test_job_that_fails_takes_none_with_it(gpu: Backend, bad: int) -> None:
    with gpu.connect() as client:
        client.submit(retarget(1, steps=3), make_parts())
        jobs = [client.submit(retarget(seed, steps=2), make_parts()).job for seed in (0, bad, 2)]
        assert [client.wait(job, SECONDS).state for job in jobs] == ["done", "failed", "done"]
        assert [read_seed(client.fetch(jobs[number])) for number in (0, 2)] == [0, 2]


def test_job_that_kills_the_worker_takes_none_with_it(gpu: Backend) -> None:
    with gpu.connect() as client:
        client.submit(retarget(1, steps=3), make_parts())
        jobs = [client.submit(retarget(seed, steps=2), make_parts()).job for seed in (0, fake_worker.DIES, 2)]
        ends = [client.wait(job, SECONDS) for job in jobs]
        assert [end.state for end in ends] == ["done", "failed", "done"]
        assert ends[1].attempts == 2 and all(end.attempts <= 2 for end in ends)  # the others may have been done before
        assert [read_seed(client.fetch(jobs[number])) for number in (0, 2)] == [0, 2]
