"""The background client: it never waits, loses nothing that was accepted, and ends when it is told to."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from bitpuppet_client import messages, session
from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.endpoint import Endpoint, read_endpoint
from bitpuppet_client.errors import LimitError, ParameterError, StoppedError
from bitpuppet_client.events import (
    Answered,
    Connected,
    Failed,
    Finished,
    Mailbox,
    Previewed,
    Stopped,
    Updated,
)

from .fakes import PATIENCE, STEPS, FakeServer, make_retarget, wait_for
from .owner import Owner, check_result, name_job


def test_jobs_come_back_with_their_own_results(owner: Owner, server: FakeServer) -> None:
    jobs = {seed: owner.client.submit(*make_retarget(seed), previews=seed % 2 == 0) for seed in range(20)}
    for seed, job in jobs.items():
        check_result(owner.expect(Finished, job), seed)
        owner.client.acknowledge(job)
    assert owner.count(Finished) == 20
    wait_for(lambda: not server.jobs, "acknowledgements")
    assert {name_job(event) for event in owner.events if isinstance(event, Previewed)} <= set(list(jobs.values())[::2])
    owner.expect(Connected)


def test_updates_and_previews_come_while_it_works(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget(), previews=True)
    assert owner.expect(Updated, job).status.state == "queued"
    server.is_held = False
    assert owner.expect(Finished, job)
    last = [event.status for event in owner.events if isinstance(event, Updated)][-1]
    assert (last.state, last.step) == ("done", STEPS)
    assert owner.expect(Previewed, job).preview.parts["frames"].shape[0] == 3


def test_submit_copies_the_pictures(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    params, parts = make_retarget(3)
    job = owner.client.submit(params, parts)
    parts["content"][:] = 0
    owner.expect(Updated, job)
    server.is_held = False
    check_result(owner.expect(Finished, job), 3)


def test_cancel_stops_this_job_and_no_other(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    jobs = [owner.client.submit(*make_retarget(seed)) for seed in range(3)]
    owner.client.cancel(jobs[1])  # perhaps before it was sent, perhaps after
    assert owner.expect(Failed, jobs[1]).code == "cancelled"
    owner.expect(Updated, jobs[0])
    owner.client.cancel(jobs[0])
    assert owner.expect(Failed, jobs[0]).code == "cancelled"
    server.is_held = False
    check_result(owner.expect(Finished, jobs[2]), 2)
    assert owner.count(Failed) == 2


def test_cancel_of_a_job_that_is_done_gives_its_result(owner: Owner, server: FakeServer) -> None:
    job = owner.client.submit(*make_retarget())
    wait_for(lambda: job in server.jobs and server.jobs[job].status.is_final, "the end of the job")
    owner.client.cancel(job)
    assert owner.expect(Finished, job)
    assert not owner.count(Failed)


def test_failed_and_refused_jobs_tell_why(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget())
    owner.expect(Updated, job)
    error = messages.JobError("crashed", "the job stopped its worker twice; send fewer frames")
    server.jobs[job].status = replace(server.jobs[job].status, state="failed", error=error)
    assert owner.expect(Failed, job).code == "crashed"
    server.answer = lambda message: (
        messages.Error("unknown_model", "no such model; list them", message.job)
        if isinstance(message, messages.Submit)
        else None
    )
    refused = owner.client.submit(*make_retarget())
    assert owner.expect(Failed, refused).message == "no such model; list them"


def test_full_queue_is_tried_again(owner: Owner, server: FakeServer) -> None:
    server.busy_times = 5
    check_result(owner.expect(Finished, owner.client.submit(*make_retarget(8))), 8)
    assert server.busy_times == 0


def test_questions_are_answered_in_any_case(owner: Owner, server: FakeServer) -> None:
    asked = owner.client.ask(messages.Health())
    answer = owner.expect(Answered)
    assert (answer.token, answer.reply, answer.error) == (asked, messages.HealthReport("ready"), None)
    server.is_silent = True
    owner.client.ask(messages.Metrics())
    wait_for(lambda: server.count(messages.Metrics), "the question")
    server.stop()
    assert owner.expect(Answered, count=2).error
    owner.client.ask(messages.Metrics())
    assert owner.expect(Answered, count=3).error
    with pytest.raises(ParameterError, match="call the method"):
        owner.client.ask(messages.Watch(()))


def test_what_cannot_be_sent_is_told_to_the_caller(owner: Owner) -> None:
    params, parts = make_retarget()
    with pytest.raises(ParameterError):
        owner.client.submit(params, {"content": parts["content"]})
    with pytest.raises(LimitError):
        owner.client.submit(params, parts | {"motion": np.zeros((4097, 1, 1, 4), np.uint8)})
    for call in (owner.client.attach, owner.client.cancel, owner.client.acknowledge):
        with pytest.raises(ParameterError):
            call("no job")
    assert owner.client.is_alive


def test_slow_owner_finds_the_newest_of_each_kind(owner: Owner, server: FakeServer) -> None:
    jobs = [owner.client.submit(*make_retarget(seed), previews=True) for seed in range(4)]
    wait_for(lambda: all(job in server.jobs and server.jobs[job].status.is_final for job in jobs), "the jobs")
    wait_for(lambda: server.count(messages.Fetch) == 4, "the results")
    time.sleep(0.3)
    waiting = list(owner.client.drain(10.0))
    for job in jobs:
        kinds = [type(event) for event in waiting if name_job(event) == job]
        assert kinds == [Previewed, Updated, Finished] or kinds == [Updated, Previewed, Finished]


def test_results_stay_with_the_backend_while_the_owner_takes_none(
    owner: Owner, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_UNTAKEN_BYTES", 1)
    jobs = [owner.client.submit(*make_retarget(seed)) for seed in range(4)]
    wait_for(lambda: server.count(messages.Fetch) == 1, "the first result")
    time.sleep(1.0)
    assert server.count(messages.Fetch) == 1
    for seed, job in enumerate(jobs):
        check_result(owner.expect(Finished, job), seed)


def test_drain_keeps_its_time(owner: Owner) -> None:
    owner.expect(Connected)
    for number in range(100):
        owner.client._mailbox.put(Failed(str(number), "failed", "x"))
    taken = 0
    started = time.monotonic()
    for _ in owner.client.drain(0.02):
        taken += 1
        time.sleep(0.005)
    assert 0 < taken < 100
    assert time.monotonic() - started < 5


def test_mailbox_keeps_order_and_replaces_by_key() -> None:
    box = Mailbox()
    for number in range(3):
        box.put(Failed(str(number), "a", "b"), key="same" if number != 1 else None, size=number + 1)
    assert box.size == 2 + 3
    assert [event.job for event in iter(box.take, None)] == ["1", "2"]  # type: ignore[union-attr]
    assert box.size == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_bug_in_the_thread_is_told() -> None:
    def find() -> Endpoint | None:
        raise ZeroDivisionError("a bug")

    client = BackgroundClient(find)
    wait_for(lambda: not client.is_alive, "the end of the thread")
    event = client.take()
    assert isinstance(event, Stopped) and "a bug" in event.reason
    with pytest.raises(StoppedError):
        client.submit(*make_retarget())
    client.close()


def test_close_is_quick_and_final(server: FakeServer) -> None:
    client = BackgroundClient(lambda: read_endpoint(server.path))
    job = client.submit(*make_retarget())
    server.stop()
    started = time.monotonic()
    client.close()
    client.close()
    assert time.monotonic() - started < 10
    for call in (client.attach, client.cancel, client.acknowledge):
        with pytest.raises(StoppedError):
            call(job)


def test_close_does_not_wait_for_a_slow_start() -> None:
    release = threading.Event()

    def find() -> Endpoint | None:
        release.wait(PATIENCE)
        return None

    client = BackgroundClient(find)
    started = time.monotonic()
    client.close(timeout=0.2)
    assert time.monotonic() - started < PATIENCE / 2
    release.set()
    client._thread.join(PATIENCE)


def test_what_was_asked_just_before_closing_is_sent(owner: Owner, server: FakeServer) -> None:
    owner.expect(Connected)
    server.is_held = True
    job = owner.client.submit(*make_retarget())
    owner.client.close()
    wait_for(lambda: job in server.jobs, "the job")


@pytest.mark.parametrize("ending", ["", "raise SystemExit", "client._thread.join(0.5)"])
def test_program_that_forgets_to_close_ends_anyway(server: FakeServer, ending: str) -> None:
    code = f"""
import atexit, pathlib, numpy as np
atexit.register(lambda: print(client.is_alive))  # runs last
from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.endpoint import read_endpoint
from bitpuppet_client.jobs import RetargetParams
client = BackgroundClient(lambda: read_endpoint(pathlib.Path({str(server.path)!r})))
frames = np.ones((1, 2, 2, 4), np.uint8)
print(client.submit(RetargetParams(), dict(content=frames, motion=frames)))
{ending}
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=3 * PATIENCE, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split()[1:] == ["False"], "the thread was not ended"
