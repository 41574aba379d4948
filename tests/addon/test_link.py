"""The link, with the real client's events but without a network: what reaches the callbacks, and what stays calm."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bitpuppet_addon import link as module
from bitpuppet_addon.link import Link
from bitpuppet_addon.server import Finder, Source, clean_environ, find_python, make_command, read_tail

from bitpuppet_client.errors import ClientError, NotRunningError, VersionError
from bitpuppet_client.events import Answered, Connected, Disconnected, Event, Failed, Stopped, Updated
from bitpuppet_client.replies import ServerLimits, Welcome
from bitpuppet_client.requests import Health
from bitpuppet_client.status import JobStatus

JOB = "5a9f3c7e-58c1-4a92-8c3b-0e6a4b1f7d10"


class FakeClient:
    """A background client that does what the test says."""

    made: list[FakeClient]

    def __init__(self, find: Callable[[], Any], name: str) -> None:
        self.find, self.events, self.calls = find, deque[Event](), list[tuple[str, Any]]()
        self.is_alive = True
        FakeClient.made.append(self)

    def submit(self, params: Any, parts: Any, *, job: str | None, priority: int, previews: bool) -> str:
        self.calls.append(("submit", job))
        return job or JOB

    def attach(self, job: str, previews: bool = False) -> None:
        self.calls.append(("attach", job))

    def cancel(self, job: str) -> None:
        self.calls.append(("cancel", job))

    def acknowledge(self, job: str) -> None:
        self.calls.append(("acknowledge", job))

    def ask(self, message: Any) -> int:
        self.calls.append(("ask", message))
        return len(self.calls)

    def take(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def close(self, timeout: float = 2.0) -> None:
        self.is_alive = False
        self.calls.append(("close", timeout))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeClient]]:
    FakeClient.made = []
    monkeypatch.setattr(module, "BackgroundClient", FakeClient)
    yield FakeClient.made


def make_status(state: str = "running") -> JobStatus:
    return JobStatus(JOB, "retarget", state, 5, 1.0)


def make_welcome() -> Welcome:
    return Welcome(server="0.1.0", instance=str(uuid4()), models=(), kinds=("retarget",), limits=ServerLimits())


def connect(link: Link, made: list[FakeClient]) -> FakeClient:
    link.connect()
    made[-1].events.append(Connected(make_welcome(), False))
    link.pump()
    return made[-1]


def pump_until(link: Link, check: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        link.pump()
        time.sleep(0.005)


def test_nothing_connects_before_it_must(made: list[FakeClient]) -> None:
    link = Link(Source)
    link.refresh()
    assert not link.pump() and not made and link.state == "stopped" and "next job starts it" in link.message


def test_problem_of_the_source_is_told_and_raised(made: list[FakeClient]) -> None:
    link = Link(lambda: Source(problem="It is not installed; install it"))
    link.refresh()
    assert (link.state, link.message) == ("not installed", "It is not installed; install it")
    with pytest.raises(NotRunningError, match="install it"):
        link.submit(None, {}, lambda event: None)  # type: ignore[arg-type]
    assert not made and link.jobs == ()
    link = Link(lambda: Source(problem="Old", problem_state="wrong version"))
    link.refresh()
    assert link.state == "wrong version"


def test_events_reach_the_callback_until_the_last(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()
    assert link.submit(None, {}, seen.append, job=JOB) == JOB  # type: ignore[arg-type]
    assert link.jobs == (JOB,) and link.is_busy and link.state == "starting"
    first, last = Updated(make_status()), Failed(JOB, "cancelled", "it was cancelled")
    made[0].events.extend([Connected(make_welcome(), False), first, last, Failed(JOB, "x", "too late")])
    assert link.pump(10.0)
    assert seen == [first, last] and link.jobs == () and link.state == "connected"


def test_forgotten_job_tells_nobody(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()
    link.submit(None, {}, seen.append, job=JOB)  # type: ignore[arg-type]
    link.forget(JOB)
    made[0].events.append(Failed(JOB, "cancelled", "gone"))
    link.pump()
    assert not seen and link.jobs == ()


def test_failing_callback_stops_nobody_else(made: list[FakeClient], capsys: pytest.CaptureFixture[str]) -> None:
    link, seen = Link(Source), list[Any]()
    other = str(uuid4())

    def fail(event: Any) -> None:
        raise ValueError("first line\nsecond line")

    link.submit(None, {}, fail, job=JOB)  # type: ignore[arg-type]
    link.submit(None, {}, seen.append, job=other)  # type: ignore[arg-type]
    made[0].events.extend([Failed(JOB, "failed", "a"), Failed(other, "failed", "b")])
    link.pump(10.0)
    assert len(seen) == 1 and link.last_error == "ValueError: first line"
    assert "Traceback" in capsys.readouterr().err


def test_pump_keeps_its_time(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()

    def linger(event: Any) -> None:
        seen.append(event)
        time.sleep(0.01)

    link.submit(None, {}, linger, job=JOB)  # type: ignore[arg-type]
    made[0].events.extend([Updated(make_status())] * 50)
    link.pump(0.005)
    assert 1 <= len(seen) <= 2, "what is left over waits for the next tick"
    link.pump(10.0)
    assert len(seen) == 50


@pytest.mark.parametrize(
    ("source", "message"),
    [(Source(command=("bitpuppet", "serve")), "The backend is starting"), (Source(), "The backend is looked for")],
    ids=["ours", "one that runs"],
)
def test_what_is_only_looked_for_is_not_said_to_start(made: list[FakeClient], source: Source, message: str) -> None:
    link = Link(lambda: source)
    link.connect()
    assert (link.state, link.message) == ("starting", message)


def test_lost_and_found(made: list[FakeClient]) -> None:
    link = Link(Source)
    client = connect(link, made)
    client.events.append(Disconnected("the backend is gone: start it"))
    link.pump()
    assert (link.state, link.message) == ("lost", "The backend is gone: start it")
    client.events.append(Connected(make_welcome(), True))
    link.pump()
    assert link.state == "connected"


def test_questions_are_answered_or_told_why_not(made: list[FakeClient]) -> None:
    link, answers = Link(Source), list[Any]()
    client = connect(link, made)
    link.ask(Health(), lambda reply, error: answers.append((reply, error)))
    client.events.append(Answered(1, None, "no"))
    link.pump()
    link.ask(Health(), lambda reply, error: answers.append((reply, error)))
    link.disconnect()
    pump_until(link, lambda: len(answers) == 2)
    assert answers == [(None, "no"), (None, "the connection was closed; ask again")]


def test_jobs_are_taken_up_at_the_next_connection(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()
    link.submit(None, {}, seen.append, job=JOB)  # type: ignore[arg-type]
    link.disconnect()
    done = str(uuid4())
    link.acknowledge(done)
    assert link.jobs == (JOB,) and link.state == "stopped"
    link.connect()
    assert made[1].calls == [("attach", JOB), ("acknowledge", done)]
    made[1].events.append(Failed(JOB, "unknown_job", "never heard of it"))
    link.pump()
    assert len(seen) == 1


def test_idle_connection_is_given_up(made: list[FakeClient]) -> None:
    rest = [1000.0]
    link = Link(Source, lambda: rest[0])
    client = connect(link, made)
    assert link.state == "connected"
    rest[0] = 0.0
    link.submit(None, {}, lambda event: None, job=JOB)  # type: ignore[arg-type]
    link.pump()
    assert link.state == "connected", "a job is under way"
    client.events.append(Failed(JOB, "failed", "over"))
    link.pump()
    pump_until(link, lambda: not client.is_alive)
    assert link.state == "stopped"


def test_bug_of_the_client_ends_its_jobs(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()
    link.submit(None, {}, seen.append, job=JOB)  # type: ignore[arg-type]
    made[0].events.append(Stopped("the client stopped by a bug"))
    link.pump()
    assert seen == [Failed(JOB, "internal", "the client stopped by a bug")] and link.state == "stopped"


def test_errands_report_on_the_callers_thread(made: list[FakeClient]) -> None:
    link, seen = Link(Source), list[Any]()

    def fail() -> None:
        raise OSError("the disk is full")

    link.run(threading.get_ident, lambda result, error: seen.append((result, error, threading.get_ident())))
    pump_until(link, lambda: len(seen) == 1)
    assert seen[0][0] != threading.get_ident() and seen[0][1:] == (None, threading.get_ident())
    link.run(fail, lambda result, error: seen.append((result, str(error))))
    pump_until(link, lambda: len(seen) == 2)
    assert seen[1] == (None, "the disk is full")


def test_close_waits_for_nobody_for_long(made: list[FakeClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    link, gate = Link(Source), threading.Event()
    connect(link, made)
    link.run(gate.wait, lambda result, error: None)
    started = time.monotonic()
    link.close()
    assert time.monotonic() - started < 5 and not made[0].is_alive and link.jobs == ()
    gate.set()


def test_backend_that_does_not_start_is_started_once(tmp_path: Path) -> None:
    """And again when the user asks; with the program's own last words."""
    count = tmp_path / "count"
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho x >> '{count}'\necho 'no module named bitpuppet'\nexit 3\n")
    script.chmod(0o755)
    finder = Finder(Source((str(script),), endpoint=tmp_path / "none.json", log=tmp_path / "log"))
    for _ in range(3):
        with pytest.raises(ClientError, match="status 3: no module named bitpuppet"):
            finder()
    assert count.read_text() == "x\n" and not finder.is_starting and not finder.has_started_it
    finder.forget_failure()
    with pytest.raises(ClientError):
        finder()
    assert count.read_text() == "x\nx\n"


def test_endpoint_of_another_version_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "backend.json"
    finder = Finder(Source(endpoint=path))
    with pytest.raises(NotRunningError, match="there is no endpoint file"):
        finder()
    path.touch(mode=0o600)
    path.write_text(json.dumps({"protocol": 99}))
    with pytest.raises(VersionError):
        finder()
    assert finder.is_wrong_version
    path.chmod(0o644)
    with pytest.raises(ClientError, match="chmod 600" if os.name == "posix" else "protocol"):
        finder()


def test_backend_gets_an_environment_without_blenders_python() -> None:
    kept = clean_environ({"PYTHONHOME": "/blender", "PYTHONPATH": "/blender/lib", "PATH": "/bin", "LANG": "de"})
    assert kept == {"PATH": "/bin", "LANG": "de", "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


def test_command_names_device_and_ends_by_itself() -> None:
    command = make_command(Path("/env/bin/python"), device="cpu")
    assert command[:4] == (str(Path("/env/bin/python")), "-m", "bitpuppet", "serve") and "--auto" in command
    assert command[-2:] == ("--device", "cpu")
    assert "--device" not in make_command(Path("python")) and "--codec" not in command
    assert make_command(Path("python"), codec=Path("/eyes"))[-2:] == ("--codec", str(Path("/eyes")))


def test_python_is_found_by_whatever_names_the_environment(tmp_path: Path) -> None:
    python, program = tmp_path / "bin" / "python", tmp_path / "bin" / "bitpuppet"
    python.parent.mkdir()
    python.touch()
    program.touch()
    assert find_python(tmp_path) == find_python(python) == find_python(program) == python
    with pytest.raises(FileNotFoundError, match="name the folder of the environment"):
        find_python(tmp_path / "elsewhere")


def test_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_tail(None) == read_tail(log) == []
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(10_000)))
    assert read_tail(log, 2) == ["line 9998", "line 9999"]
