"""The background client when the backend goes away, comes back, forgets or falls silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bitpuppet_client import messages, session
from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.endpoint import Endpoint, read_endpoint
from bitpuppet_client.errors import NotRunningError
from bitpuppet_client.events import (
    Connected,
    Disconnected,
    Event,
    Failed,
    Finished,
    Updated,
)

from .fakes import PATIENCE, FakeServer, make_retarget, wait_for
from .owner import Owner, check_result, name_job


def test_jobs_wait_for_a_backend(folder: Path) -> None:
    server = FakeServer(folder)
    owner = Owner(server)
    try:
        job = owner.client.submit(*make_retarget(1))
        assert "start it" in owner.expect(Disconnected).reason
        server.start()
        check_result(owner.expect(Finished, job), 1)
        assert not owner.expect(Connected).restarted
    finally:
        owner.client.close()
        server.stop()


def test_backend_that_comes_back_elsewhere_goes_on_with_its_jobs(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    jobs = [owner.client.submit(*make_retarget(seed)) for seed in range(3)]
    for job in jobs:
        owner.expect(Updated, job)
    server.stop()
    owner.expect(Disconnected)
    later = owner.client.submit(*make_retarget(3))
    server.is_held = False
    server.start()
    for seed, job in enumerate([*jobs, later]):
        check_result(owner.expect(Finished, job), seed)
    assert owner.expect(Connected, count=2).restarted
    assert set(server.runs.values()) == {1}


def test_backend_that_comes_back_at_the_same_address_is_noticed(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget(5))
    owner.expect(Updated, job)
    server.stop()
    server.is_held = False
    server.start(addresses=(server.endpoint.control, server.endpoint.jobs), keep_keys=True)
    check_result(owner.expect(Finished, job), 5)


def test_new_instance_behind_a_living_connection_is_noticed(owner: Owner, server: FakeServer) -> None:
    owner.expect(Connected)
    server.instance = str(uuid4())
    assert owner.expect(Connected, count=2).restarted


def test_job_that_the_backend_forgot_fails_and_is_not_waited_for(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget())
    owner.expect(Updated, job)
    server.stop()
    server.jobs.clear()
    server.start()
    failure = owner.expect(Failed, job)
    assert failure.code == "unknown_job" and "submit it again" in failure.message


def go_silent_at(server: FakeServer, kind: type[messages.Message]) -> None:
    """Let the server do what the next message of a kind asks, and then never answer again."""

    def listen(message: messages.Message) -> None:
        if isinstance(message, kind):
            server.is_silent = True

    server.answer = listen


@pytest.fixture
def hasty(server: FakeServer) -> Iterator[Owner]:
    """An owner whose client soon takes a silent backend for gone."""
    owner = Owner(server, patience=2.0)
    owner.expect(Connected)
    yield owner
    owner.client.close()


def recover(server: FakeServer, owner: Owner) -> None:
    """Speak again when the client has noticed the silence."""
    owner.expect(Disconnected)
    server.answer = lambda message: None
    server.is_silent = False


def test_submit_that_was_not_answered_is_sent_again_and_runs_once(hasty: Owner, server: FakeServer) -> None:
    server.is_held = True  # or an event would tell that it was accepted
    go_silent_at(server, messages.Submit)
    job = hasty.client.submit(*make_retarget(4))
    recover(server, hasty)
    server.is_held = False
    check_result(hasty.expect(Finished, job), 4)
    assert server.count(messages.Submit) == 2
    assert server.runs == {job: 1}


def test_cancel_that_was_not_heard_is_sent_again(hasty: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = hasty.client.submit(*make_retarget())
    hasty.expect(Updated, job)
    server.is_silent = True
    hasty.client.cancel(job)
    recover(server, hasty)
    assert hasty.expect(Failed, job).code == "cancelled"
    assert server.count(messages.Cancel) >= 2


def test_fetch_and_acknowledge_that_were_not_heard_are_sent_again(hasty: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = hasty.client.submit(*make_retarget(5))
    hasty.expect(Updated, job)
    go_silent_at(server, messages.Fetch)
    server.is_held = False
    wait_for(lambda: server.is_silent, "the fetch")
    server.stop()
    server.is_silent, server.answer = False, lambda message: None
    server.start()
    check_result(hasty.expect(Finished, job), 5)
    server.is_silent = True
    hasty.client.acknowledge(job)
    wait_for(lambda: server.count(messages.Acknowledge), "the acknowledgement")
    hasty.events.clear()
    recover(server, hasty)
    wait_for(lambda: job not in server.jobs, "another acknowledgement")


def test_silence_is_noticed_and_told_once(folder: Path) -> None:
    server = FakeServer(folder)
    server.start()
    owner = Owner(server, patience=2.0)
    try:
        owner.expect(Connected)
        server.is_silent = True
        assert "does not answer" in owner.expect(Disconnected).reason
        server.is_silent = False
        owner.expect(Connected, count=2)
    finally:
        owner.client.close()
        server.stop()


def test_a_later_session_takes_up_the_job(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget(6))
    owner.expect(Updated, job)
    owner.client.close()
    with BackgroundClient(lambda: read_endpoint(server.path), patience=PATIENCE) as client:
        client.attach(job, previews=True)
        server.is_held = False
        found: list[Event] = []
        wait_for(lambda: found.extend(client.drain()) or any(isinstance(event, Finished) for event in found), "result")
        assert name_job(found[-1]) == job


def test_result_stays_with_the_backend_until_it_is_acknowledged(owner: Owner, server: FakeServer) -> None:
    job = owner.client.submit(*make_retarget(2))
    owner.expect(Finished, job)
    assert job in server.jobs
    owner.client.attach(job)
    check_result(owner.expect(Finished, job, count=2), 2)
    server.stop()
    owner.client.acknowledge(job)
    server.start()
    wait_for(lambda: job not in server.jobs, "an acknowledgement to the new backend")


def test_attach_to_a_job_that_is_gone_fails(owner: Owner) -> None:
    job = str(uuid4())
    owner.client.attach(job)
    assert owner.expect(Failed, job).code == "unknown_job"


def test_cancel_before_there_is_a_backend_never_sends_the_job(folder: Path) -> None:
    server = FakeServer(folder)
    owner = Owner(server)
    try:
        job = owner.client.submit(*make_retarget())
        owner.client.cancel(job)
        assert owner.expect(Failed, job).code == "cancelled"
        server.start()
        owner.expect(Connected)
        assert not server.count(messages.Submit)
    finally:
        owner.client.close()
        server.stop()


def test_cancel_while_the_backend_is_away_reaches_it_later(owner: Owner, server: FakeServer) -> None:
    server.is_held = True
    job = owner.client.submit(*make_retarget())
    owner.expect(Updated, job)
    server.stop()
    owner.client.cancel(job)
    server.start()
    assert owner.expect(Failed, job).code == "cancelled"
    assert server.jobs[job].status.state == "cancelled"


def test_reasons_for_no_backend_are_told_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(session, "LAST_RETRY_SECONDS", 0.001)
    asked: list[int] = []
    fails: list[bool] = []

    def find() -> Endpoint | None:
        asked.append(1)
        if fails:
            raise NotRunningError("the start failed; look at the log")
        return None

    with BackgroundClient(find) as client:
        reasons: list[Event] = []
        for _ in range(2):
            tries = len(asked)
            wait_for(lambda: reasons.extend(client.drain()) or len(asked) > tries + 50, "many tries")  # noqa: B023
            fails.append(True)
        reasons += client.drain()
    told = [event.reason for event in reasons if isinstance(event, Disconnected)]
    assert len(told) == 2
    assert "bitpuppet serve" in told[0]
    assert told[1] == "the start failed; look at the log"
