"""The synchronous client against a fake server over real sockets with real keys."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import zmq

from bitpuppet_client import limits, messages
from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import FOLDER_VARIABLE, Endpoint
from bitpuppet_client.errors import (
    JobFailedError,
    LimitError,
    NotRunningError,
    ParameterError,
    ProtocolError,
    RefusedError,
    TimedOutError,
    VersionError,
)

from .fakes import PATIENCE, STEPS, FakeServer, make_frames, make_retarget, perform

IMPATIENCE = 4.0
"""Seconds after which the tests give up on a backend that will never answer."""
SHORT = 0.3
"""Seconds for what must not come."""


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.endpoint, timeout=PATIENCE) as client:
        yield client


def test_hello_tells_models_and_limits(client: Client, server: FakeServer) -> None:
    assert client.welcome.instance == server.instance
    assert client.welcome.models[0].fingerprint == "0123456789abcdef"
    assert client.welcome.limits.pixels == limits.MAX_PIXELS


def test_client_finds_the_users_own_backend(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(server.path.parent))
    with Client(timeout=PATIENCE) as client:
        assert client.check_health().state == "ready"


def test_no_backend_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(NotRunningError, match="bitpuppet serve"):
        Client()


def test_run_gives_the_result_of_this_job_and_acknowledges_it(client: Client, server: FakeServer) -> None:
    params, parts = make_retarget(7)
    statuses: list[messages.JobStatus] = []
    previews: list[messages.Preview] = []
    result = client.run(params, parts, progress=statuses.append, preview=previews.append)
    assert result.report["seed"] == 7
    assert np.array_equal(result.parts["frames"], np.repeat(255 - parts["content"][:1], 3, axis=0))
    assert [status.state for status in statuses][-1] == "done"
    assert statuses == sorted(statuses, key=lambda status: status.step)
    assert all(preview.parts["frames"].shape == result.parts["frames"].shape for preview in previews)
    assert not server.jobs


def test_result_stays_until_it_is_acknowledged(client: Client) -> None:
    job = client.submit(*make_retarget()).job
    client.wait(job, PATIENCE)
    first, second = client.fetch(job), client.fetch(job)
    assert np.array_equal(first.parts["frames"], second.parts["frames"])
    client.acknowledge(job)
    client.acknowledge(job)
    with pytest.raises(RefusedError) as refusal:
        client.fetch(job)
    assert refusal.value.code == "unknown_job"


def test_the_same_id_is_the_same_job(client: Client, server: FakeServer) -> None:
    server.is_held = True
    job = str(uuid4())
    params, parts = make_retarget()
    for _ in range(3):
        assert client.submit(params, parts, job=job).job == job
    assert server.runs == {job: 1}
    with pytest.raises(RefusedError) as refusal:
        client.submit(replace(params, seed=99), parts, job=job)
    assert refusal.value.code == "conflict"


def test_events_that_are_lost_do_not_stop_the_waiting(client: Client, server: FakeServer) -> None:
    server.drop_events = True
    job = client.submit(*make_retarget()).job
    assert client.wait(job, PATIENCE).state == "done"


def test_wait_ends_in_time_and_the_job_goes_on(client: Client, server: FakeServer) -> None:
    server.is_held = True
    job = client.submit(*make_retarget()).job
    with pytest.raises(TimedOutError, match="wait again, or cancel"):
        client.wait(job, SHORT)
    server.is_held = False
    assert client.wait(job, PATIENCE).step == STEPS


def test_wait_for_a_job_of_another_client(client: Client, server: FakeServer) -> None:
    job = client.submit(*make_retarget()).job
    with Client(server.endpoint, timeout=PATIENCE) as other:
        assert other.wait(job, PATIENCE).state == "done"
        assert other.fetch(job).job == job


def test_unknown_job_is_told(client: Client) -> None:
    job = str(uuid4())
    calls: list[Callable[[str], object]] = [client.wait, client.fetch, client.cancel]
    for call in calls:
        with pytest.raises(RefusedError) as refusal:
            call(job)
        assert refusal.value.code == "unknown_job"
    assert client.status(job) == ()


def test_cancel_stops_this_job_and_no_other(client: Client, server: FakeServer) -> None:
    server.is_held = True
    first, second = (client.submit(*make_retarget(seed)).job for seed in range(2))
    assert client.cancel(first).state == "cancelled"
    server.is_held = False
    assert client.wait(second, PATIENCE).state == "done"
    assert client.wait(first, PATIENCE).state == "cancelled"
    assert client.cancel(second).state == "done"


def test_run_says_that_a_job_was_cancelled_or_failed(client: Client, server: FakeServer) -> None:
    def cancel(status: messages.JobStatus) -> None:
        server.jobs[status.job].status = replace(status, state="cancelled")

    with pytest.raises(JobFailedError, match="cancelled"):
        client.run(*make_retarget(), progress=cancel)

    def fail(status: messages.JobStatus) -> None:
        if not status.is_final:
            error = messages.JobError("out_of_memory", "the device is full; send fewer frames")
            server.jobs[status.job].status = replace(status, state="failed", error=error)

    server.is_held = True  # so that the first status is not the last
    with pytest.raises(JobFailedError, match="send fewer frames") as failure:
        client.run(*make_retarget(), progress=fail)
    assert failure.value.code == "out_of_memory"


def test_interrupted_run_cancels_its_job(client: Client, server: FakeServer) -> None:
    def interrupt(status: messages.JobStatus) -> None:
        raise KeyboardInterrupt

    server.is_held = True
    with pytest.raises(KeyboardInterrupt):
        client.run(*make_retarget(), progress=interrupt)
    assert [record.status.state for record in server.jobs.values()] == ["cancelled"]


def test_full_queue_is_tried_again_for_as_long_as_asked(client: Client, server: FakeServer) -> None:
    server.busy_times = 3
    with pytest.raises(RefusedError) as refusal:
        client.submit(*make_retarget())
    assert (refusal.value.code, refusal.value.retry_after) == ("busy", 0.01)
    client.submit(*make_retarget(), patience=PATIENCE)
    assert server.busy_times == 0


def test_list_has_all_pages_and_the_wanted_states(client: Client, server: FakeServer) -> None:
    server.is_held = True
    submitted = [client.submit(*make_retarget(seed)).job for seed in range(limits.MAX_JOBS_PER_MESSAGE + 3)]
    client.cancel(submitted[5])
    assert [status.job for status in client.list_jobs()] == submitted[::-1]
    assert [status.job for status in client.list_jobs("cancelled", "failed")] == [submitted[5]]


def test_list_without_end_is_refused(client: Client, server: FakeServer) -> None:
    server.answer = lambda message: (
        messages.Statuses(server.instance, (), after="1") if isinstance(message, messages.ListJobs) else None
    )
    with pytest.raises(ProtocolError, match="no end"):
        list(client.list_jobs())


def test_models_and_sets(client: Client, server: FakeServer) -> None:
    assert [card.model.name for card in client.list_models()] == ["a", "b", "c"]
    assert client.list_sets() == ("knights",)
    client.rename_model("a", "z")
    client.delete_model("z")
    assert messages.RenameModel("a", "z") in server.seen and messages.DeleteModel("z") in server.seen
    with pytest.raises(ParameterError):
        client.rename_model("a", "../z")


def test_steering(client: Client, server: FakeServer) -> None:
    server.is_held = True
    params, parts = make_retarget()
    job = client.submit(params, parts).job
    assert client.steer(job, "pause").job == job
    assert messages.Steer(job, "pause") in server.seen
    with pytest.raises(ParameterError, match="pause, resume, finish"):
        client.steer(job, "explode")
    with pytest.raises(RefusedError):
        client.steer(str(uuid4()), "pause")


def test_metrics_and_shutdown(client: Client, server: FakeServer) -> None:
    assert client.read_metrics().values == {"queued": 0, "devices": ("cpu",)}
    client.shut_down(finish=True)
    assert server.seen[-1] == messages.Shutdown(True)


def test_bad_parameters_and_pictures_never_leave(client: Client, server: FakeServer) -> None:
    params, parts = make_retarget()
    before = len(server.seen)
    with pytest.raises(ParameterError, match="motion"):
        client.submit(params, {"content": parts["content"]})
    with pytest.raises(ParameterError, match="UUID"):
        client.submit(params, parts, job="../../etc")
    with pytest.raises(LimitError, match="million pixels"):
        big = np.broadcast_to(np.uint8(0), (1, 6000, 6000, 4))
        client.submit(params, parts | {"content": big})
    assert len(server.seen) == before


def test_silent_backend_is_told_with_the_remedy(server: FakeServer) -> None:
    server.is_silent = True
    with pytest.raises(TimedOutError, match="connected but does not answer"):
        Client(server.endpoint, timeout=IMPATIENCE)


def test_backend_that_goes_silent_ends_the_waiting(server: FakeServer) -> None:
    with Client(server.endpoint, timeout=IMPATIENCE) as client:
        server.is_held = True
        job = client.submit(*make_retarget()).job
        server.is_silent = True
        with pytest.raises(TimedOutError, match=job):
            client.wait(job)


def test_wrong_server_key_is_never_spoken_to(server: FakeServer) -> None:
    other = replace(server.endpoint, server_public=zmq.curve_keypair()[0].decode())
    with pytest.raises(TimedOutError, match="does not own the server key"):
        Client(other, timeout=IMPATIENCE)
    assert not server.seen


def test_unknown_client_key_is_not_let_in(server: FakeServer) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    with pytest.raises(TimedOutError, match="does not let this client's key in"):
        Client(replace(server.endpoint, client_public=public, client_secret=secret), timeout=IMPATIENCE)
    assert not server.seen


def test_client_without_a_key_is_not_let_in(server: FakeServer) -> None:
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(server.endpoint.control)
    plain.send(b"{}")
    assert not plain.poll(1000)
    plain.close(0)
    context.term()
    assert not server.seen


def test_address_where_nobody_listens_is_told(server: FakeServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(TimedOutError, match="nothing listens there"):
            Client(replace(server.endpoint, control=address), timeout=SHORT)


def test_server_that_speaks_another_protocol_is_no_backend(server: FakeServer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(TimedOutError, match=r"does not speak our protocol|does not own"):
            Client(replace(server.endpoint, control=address), timeout=IMPATIENCE)


def test_newer_backend_says_which_side_to_update(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def send(socket: zmq.Socket[bytes], peer: bytes, message: messages.Message, request: int) -> None:
        newer = {"protocol": 9, "request": request, "something": "else"}
        socket.send_multipart([peer, str(newer).replace("'", '"').encode()])

    monkeypatch.setattr(server, "_send", send)
    with pytest.raises(VersionError, match=r"speaks version 9 .* update this client"):
        Client(server.endpoint, timeout=PATIENCE)


def test_reply_of_the_wrong_kind_is_refused(client: Client, server: FakeServer) -> None:
    server.answer = lambda message: messages.Stopping()
    with pytest.raises(ProtocolError, match="answered health by stopping"):
        client.check_health()


def test_late_replies_are_not_taken_for_others(client: Client, server: FakeServer) -> None:
    server.is_held = True
    job = client.submit(*make_retarget()).job
    with pytest.raises(TimedOutError):
        client.wait(job, 0.0)
    client._jobs.send(messages.Watch((job,)))  # answered while we ask for something else
    client._jobs.send(messages.Fetch(job))
    client.acknowledge(str(uuid4()))
    assert client.cancel(job).state == "cancelled"


def test_closing_with_unsent_pictures_does_not_wait(server: FakeServer, folder: Path) -> None:
    client = Client(server.endpoint, timeout=PATIENCE)
    server.stop()
    client._jobs.send(messages.Submit(str(uuid4()), *make_retarget()))
    started = time.monotonic()
    client.close()
    client.close()
    assert time.monotonic() - started < 5


def test_eight_clients_get_their_own_results(server: FakeServer) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        with Client(server.endpoint, timeout=PATIENCE) as client:
            for seed in range(number * 10, number * 10 + 5):
                params, parts = make_retarget(seed)
                result = client.run(params, parts, timeout=PATIENCE)
                expected = perform(messages.Submit(str(uuid4()), params, parts)).parts["frames"]
                if not np.array_equal(result.parts["frames"], expected) or result.report["seed"] != seed:
                    wrong.append(seed)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert len(server.runs) == 40


def test_big_pictures_travel_whole(client: Client) -> None:
    params, _ = make_retarget()
    content = make_frames(8, 256, 3)
    result = client.run(params, {"content": content, "motion": make_frames(16, 64)}, timeout=2 * PATIENCE)
    assert result.parts["frames"].shape == (16, 256, 257, 4)
    assert not result.parts["frames"].flags.writeable


def test_keys_do_not_show_in_texts(server: FakeServer) -> None:
    shown = repr(server.endpoint)
    assert isinstance(server.endpoint, Endpoint)
    for key in (server.endpoint.client_secret, server.endpoint.client_public, server.endpoint.server_public):
        assert key not in shown
