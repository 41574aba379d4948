"""Kill -9 of worker, broker and client: what was finished is there, what was not runs once more, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bitpuppet_client.client import Client
from bitpuppet_client.errors import JobFailedError, RefusedError

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, read_seed, retarget, wait_for


@pytest.fixture
def slow(backend: Backend) -> Backend:
    """A server whose steps take a while."""
    backend.environ[fake_worker.STEP_SECONDS] = "0.05"
    backend.settings["restart_seconds"] = 0.05
    backend.start()
    return backend


def submit_running(client: Client, seed: int, steps: int = 100) -> str:
    """A job that is in the middle of its steps."""
    job = client.submit(retarget(seed, steps), make_parts()).job
    wait_for(lambda: get_status(client, job).step > 0, "the first step")
    return job


def test_worker_killed_in_mid_job(slow: Backend) -> None:
    with slow.connect() as client:
        job = submit_running(client, 11, steps=60)
        worker = slow.find_worker()
        worker.kill()
        wait_for(lambda: get_status(client, job).attempts == 2, "the second run")
        status = client.wait(job, SECONDS)
        assert (status.state, status.attempts) == ("done", 2)
        assert read_seed(client.fetch(job)) == 11
        assert slow.find_worker().pid != worker.pid


def test_job_that_kills_its_worker_runs_twice_and_never_again(backend: Backend) -> None:
    backend.settings["restart_seconds"] = 0.05
    backend.start()
    with backend.connect() as client:
        bad = client.submit(retarget(fake_worker.DIES), make_parts()).job
        good = [client.submit(retarget(seed), make_parts()).job for seed in range(3)]
        status = client.wait(bad, SECONDS)
        assert (status.state, status.attempts) == ("failed", 2)
        assert status.error is not None and status.error.code == "crashed"
        for seed, job in enumerate(good):
            assert client.wait(job, SECONDS).state == "done"
            assert read_seed(client.fetch(job)) == seed
        assert client.read_metrics().values["crashes"] == 2
        with pytest.raises(RefusedError, match="failed") as caught:
            client.fetch(bad)
        assert caught.value.code == "no_result"


def test_poison_does_not_survive_restarts_of_the_broker(backend: Backend) -> None:
    backend.settings["restart_seconds"] = 60.0  # the second death would come after the kill
    backend.start()
    with backend.connect() as client:
        bad = client.submit(retarget(fake_worker.HANGS), make_parts()).job
        wait_for(lambda: get_status(client, bad).state == "running", "the first run")
    backend.kill()
    backend.start()
    with backend.connect() as client:
        wait_for(lambda: get_status(client, bad).attempts == 2, "the second run")
    backend.kill()
    backend.start()
    with backend.connect() as client:
        status = get_status(client, bad)
        assert (status.state, status.attempts) == ("failed", 2)
        assert status.error is not None and status.error.code == "crashed"


def test_broker_killed_in_mid_queue(slow: Backend) -> None:
    with slow.connect() as client:
        finished = client.submit(retarget(1, steps=1), make_parts()).job
        client.wait(finished, SECONDS)
        running = submit_running(client, 2, steps=100)
        waiting = [client.submit(retarget(seed, steps=1), make_parts(3)).job for seed in (3, 4)]
    slow.kill()
    slow.environ[fake_worker.STEP_SECONDS] = "0"
    slow.start()
    with slow.connect() as client:
        assert read_seed(client.fetch(finished)) == 1
        for seed, job in ((2, running), (3, waiting[0]), (4, waiting[1])):
            assert client.wait(job, SECONDS).state == "done"
            assert read_seed(client.fetch(job)) == seed
        assert [get_status(client, job).attempts for job in (finished, running, *waiting)] == [1, 2, 1, 1]


def test_client_killed_in_mid_result(slow: Backend) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.server.backend import *
with Client(read_endpoint(Path({str(slow.endpoint_path)!r})), timeout=60.0) as client:
    status = client.submit(retarget(77, steps=20), make_parts(), previews=True)
    print(status.job, flush=True)
    client.wait(status.job, preview=lambda preview: print("step", preview.step, flush=True))
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    job = child.stdout.readline().strip()
    assert child.stdout.readline().startswith("step")
    child.kill()
    child.wait()
    child.stdout.close()
    with slow.connect() as client:
        assert client.wait(job, SECONDS).state == "done"
        assert read_seed(client.fetch(job)) == 77


def test_client_killed_while_it_fetches(backend: Backend) -> None:
    backend.start()
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.server.backend import *
with Client(read_endpoint(Path({str(backend.endpoint_path)!r})), timeout=60.0) as client:
    job = client.submit(retarget(78), make_parts(100)).job  # 1.6 MB: most of the time is its way
    client.wait(job)
    print(job, flush=True)
    while True:
        client.fetch(job)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    job = child.stdout.readline().strip()
    child.kill()
    child.wait()
    child.stdout.close()
    with backend.connect() as client:
        result = client.fetch(job)
        assert (read_seed(result), len(result.parts["frames"])) == (78, 100)
        assert client.check_health().state == "ready"


def test_worker_that_hangs_is_ended(backend: Backend) -> None:
    backend.start(stall_seconds=3.0, restart_seconds=0.05)
    with backend.connect() as client:
        with pytest.raises(JobFailedError) as caught:
            client.run(retarget(fake_worker.HANGS), make_parts())
        assert caught.value.code == "crashed"
        assert read_seed(client.run(retarget(8), make_parts())) == 8
    assert "gave no sign of life" in backend.log


def test_worker_that_never_starts_is_told(backend: Backend) -> None:
    backend.start(ready=False, devices=["cuda:9"], restart_seconds=0.02)
    with backend.connect() as client:
        with pytest.raises(JobFailedError, match="bitpuppet doctor") as caught:
            client.run(retarget(), make_parts())
        assert caught.value.code == "crashed"
        health = client.check_health()
        assert health.state == "degraded"
        assert "does not start: there is no such device" in health.problems[0]
