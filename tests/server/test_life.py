"""Beginning and end: one server for each user, none that nobody needs, and a stop that loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from bitpuppet.server.life import Vitals
from bitpuppet.server.settings import Settings
from bitpuppet_client.errors import RefusedError, TimedOutError

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, read_seed, retarget, wait_for


def has_ended(backend: Backend) -> bool:
    assert backend.process is not None
    return backend.process.poll() is not None


def test_second_start_finds_the_first(backend: Backend) -> None:
    backend.start()
    assert backend.process is not None
    instance = backend.read_instance()
    second = backend.spawn()
    out, err = second.communicate(timeout=SECONDS)
    assert (second.returncode, err) == (0, "")
    assert out == f"already running: {backend.process.pid}\n"
    assert backend.read_instance() == instance
    with backend.connect() as client:
        client.run(retarget(), make_parts())


def test_ten_starts_at_once_leave_one(backend: Backend) -> None:
    starts = [backend.spawn() for _ in range(6)]
    try:
        wait_for(lambda: sum(start.poll() is None for start in starts) == 1, "all but one to end")
        wait_for(lambda: backend.read_instance(), "the endpoint file")
        (left,) = [start for start in starts if start.poll() is None]
        assert all(start.returncode == 0 for start in starts if start is not left)
        assert backend.read_endpoint().pid == left.pid
    finally:
        for start in starts:
            start.terminate()
            start.communicate(timeout=SECONDS)


def test_two_servers_never_share_a_store(backend: Backend, tmp_path: Path) -> None:
    backend.start()
    second = backend.spawn(endpoint=str(tmp_path / "elsewhere" / "backend.json"))
    _, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 1
    assert "in use by another server" in err and "--store" in err


def test_server_after_a_killed_one_takes_its_place(backend: Backend) -> None:
    backend.start()
    before = backend.read_instance()
    backend.kill()
    assert backend.read_instance() == before  # the killed one could not clear it away
    backend.start()
    assert backend.read_instance() != before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_in_good_order(backend: Backend, number: int) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.05"
    backend.start(grace_seconds=0.2)
    worker = backend.find_worker()
    with backend.connect() as client:
        running = client.submit(retarget(4, steps=100), make_parts()).job
        wait_for(lambda: get_status(client, running).step > 0, "the first step")
        waiting = client.submit(retarget(5, steps=1), make_parts()).job
    assert backend.stop(number) == 0
    assert not backend.endpoint_path.exists()
    assert not worker.is_running()
    backend.environ[fake_worker.STEP_SECONDS] = "0"
    backend.start()
    with backend.connect() as client:
        for job, seed in ((running, 4), (waiting, 5)):
            assert client.wait(job, SECONDS).attempts == 1
            assert read_seed(client.fetch(job)) == seed


def test_running_job_may_end_before_the_stop(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.05"
    backend.start(grace_seconds=30.0)
    with backend.connect() as client:
        running = client.submit(retarget(4, steps=10), make_parts()).job
        wait_for(lambda: get_status(client, running).step > 0, "the first step")
    assert backend.stop() == 0
    backend.start()
    with backend.connect() as client:
        assert get_status(client, running).state == "done"
        assert read_seed(client.fetch(running)) == 4


def test_shutdown_over_the_control_channel(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.02"
    backend.start()
    with backend.connect() as client:
        jobs = [client.submit(retarget(seed), make_parts()).job for seed in range(5)]
        client.shut_down(finish=True)
    wait_for(lambda: has_ended(backend), "its end")
    backend.start()
    with backend.connect() as client:
        assert [get_status(client, job).state for job in jobs] == ["done"] * 5
        client.shut_down(finish=False)
    wait_for(lambda: has_ended(backend), "its end")


def test_server_that_nobody_needs_stops(backend: Backend) -> None:
    backend.start(auto=True, idle_seconds=3.0)
    with backend.connect() as client:
        for _ in range(12):
            client.check_health()
            time.sleep(0.3)
        assert not has_ended(backend)
        job = client.submit(retarget(), make_parts()).job
        client.wait(job, SECONDS)
    wait_for(lambda: has_ended(backend), "its end")
    assert backend.process is not None and backend.process.returncode == 0
    assert not backend.endpoint_path.exists()
    assert "nobody has needed the server" in backend.log


def test_server_that_works_does_not_count_as_idle(backend: Backend) -> None:
    backend.environ[fake_worker.STEP_SECONDS] = "0.1"
    backend.start(auto=True, idle_seconds=3.0)
    with backend.connect() as client:
        job = client.submit(retarget(steps=40), make_parts()).job
    wait_for(lambda: has_ended(backend), "its end")
    backend.start()
    with backend.connect() as client:
        assert get_status(client, job).state == "done"


def test_server_ends_with_its_starter(backend: Backend) -> None:
    starter = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    backend.start(auto=True, parent=starter.pid, orphan_seconds=0.2)
    worker = backend.find_worker()
    time.sleep(0.5)
    assert not has_ended(backend)
    starter.kill()
    starter.wait()
    assert starter.stdin is not None
    starter.stdin.close()
    wait_for(lambda: has_ended(backend), "its end")
    assert not worker.is_running()
    assert "the program that started the server is gone" in backend.log


def test_server_ends_with_the_pipe_of_its_starter(backend: Backend) -> None:
    backend.start(auto=True, parent_pipe=True, orphan_seconds=0.2)
    assert backend.process is not None and backend.process.stdin is not None
    time.sleep(0.3)
    assert not has_ended(backend)
    backend.process.stdin.close()
    wait_for(lambda: has_ended(backend), "its end")


def test_orphan_stays_as_long_as_others_use_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    settings = Settings(endpoint=tmp_path / "backend.json", parent=2**22 - 1, orphan_seconds=10.0)
    os.close(reader)
    os.close(writer)
    vitals = Vitals(settings, 0.0, lambda: None)
    assert not psutil.pid_exists(2**22 - 1)
    assert vitals.find_end(5.0, heard=4.0, is_busy=False) == ""
    assert vitals.find_end(60.0, heard=55.0, is_busy=False) == ""
    assert "is gone" in vitals.find_end(80.0, heard=55.0, is_busy=True)


def test_server_that_people_start_stays(tmp_path: Path) -> None:
    vitals = Vitals(Settings(endpoint=tmp_path / "backend.json"), 0.0, lambda: None)
    assert vitals.find_end(1e9, heard=0.0, is_busy=False) == ""


def test_log_rotates(backend: Backend) -> None:
    backend.start(log_bytes=2_000)
    with backend.connect() as client:
        for seed in range(60):
            client.run(retarget(seed, steps=1), make_parts(1))
    files = sorted((backend.store / "logs").iterdir())
    assert [file.name for file in files] == ["serve.log", "serve.log.1", "serve.log.2", "serve.log.3"]
    assert all(file.stat().st_size <= 2_200 for file in files)


def test_clock_that_jumps_harms_nothing(backend: Backend) -> None:
    backend.start(jumping=True, auto=True, idle_seconds=60.0, keep_seconds=60.0)
    with backend.connect() as client:
        jobs = [client.submit(retarget(seed), make_parts()).job for seed in range(3)]
        for seed, job in enumerate(jobs):
            status = client.wait(job, SECONDS)
            assert status.state == "done"
            assert status.eta_seconds is None or status.eta_seconds < 60
            assert read_seed(client.fetch(job)) == seed
        times = [client.status(job)[0].created for job in jobs]
        assert max(times) - min(times) > 1e8
    assert not has_ended(backend)


def test_full_disk_of_a_real_server(backend: Backend) -> None:
    """Files of this process may not grow beyond a limit, which the store's database hits sooner or later."""
    backend.start(file_bytes=800_000)
    jobs: dict[str, int] = {}
    with backend.connect() as client:
        with pytest.raises((RefusedError, TimedOutError)):
            for seed in range(200):
                job = str(uuid4())
                client.submit(retarget(seed), make_parts(), job=job)
                jobs[job] = seed
                client.wait(job, 10.0)
        assert len(jobs) > 5
        with pytest.raises(RefusedError, match="server's store") as caught:
            client.submit(retarget(), make_parts())
        assert caught.value.code == "store_full"
        health = client.check_health()
        assert health.state == "degraded" and "server's store" in health.problems[0]
        for job, seed in jobs.items():
            status = get_status(client, job)
            assert status.state in ("queued", "done")
            if status.state == "done":
                assert read_seed(client.fetch(job)) == seed
    backend.kill()
    backend.start()  # there is room again
    with backend.connect() as client:
        for job, seed in jobs.items():
            assert client.wait(job, SECONDS).state == "done"
            assert read_seed(client.fetch(job)) == seed


def test_store_that_cannot_be_made(backend: Backend) -> None:
    (backend.folder / "file").write_text("no folder")
    second = backend.spawn(store=str(backend.folder / "file" / "store"))
    _, err = second.communicate(timeout=SECONDS)
    assert second.returncode == 1
    assert err.startswith("error: ") and err.count("\n") == 1, err
