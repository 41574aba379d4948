"""Starting a backend: one is enough, a failed start leaves nothing, and the remedy is told."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.client import Client
from bitpuppet_client.errors import NotRunningError, TimedOutError
from bitpuppet_client.events import Connected
from bitpuppet_client.launcher import Backend, default_command, ensure_backend

from .fakes import PATIENCE, FakeServer, wait_for

CHECKOUT = Path(__file__).parent.parent.parent
SERVE = f"""
import sys, pathlib, threading
sys.path.insert(0, {str(CHECKOUT)!r})
from tests.bitpuppet_client.fakes import FakeServer
print("listening", flush=True)
FakeServer(pathlib.Path(sys.argv[1])).start()
threading.Event().wait()
"""


def make_command(code: str, *arguments: object) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def stop(backend: Backend) -> None:
    """End what a test started."""
    assert backend.process is not None
    backend.process.kill()
    backend.process.wait()


def test_backend_is_started_once_and_outlives_nobody(folder: Path) -> None:
    path, log = folder / "backend.json", folder / "backend.log"
    backend = ensure_backend(make_command(SERVE, folder), path=path, log=log, timeout=3 * PATIENCE)
    try:
        assert backend.process is not None and backend.process.pid == backend.endpoint.pid
        assert log.read_text() == "listening\n"
        with Client(backend.endpoint, timeout=PATIENCE) as client:
            assert client.check_health().state == "ready"
        again = ensure_backend(["/no/such/program"], path=path)
        assert again == Backend(backend.endpoint, None)
        if os.name == "posix":
            assert os.getsid(backend.process.pid) != os.getsid(0), "Ctrl-C in our terminal would end it"
            assert log.stat().st_mode & 0o077 == 0
    finally:
        stop(backend)


def test_background_client_can_start_its_own(folder: Path) -> None:
    path, started = folder / "backend.json", list[Backend]()

    def find() -> object:
        started.append(ensure_backend(make_command(SERVE, folder), path=path, timeout=3 * PATIENCE))
        return started[-1].endpoint

    with BackgroundClient(find, patience=PATIENCE) as client:  # type: ignore[arg-type]
        found: list[object] = []
        wait_for(lambda: found.append(client.take()) or isinstance(found[-1], Connected), "a backend")
    stop(started[0])


def test_second_start_that_finds_the_first_is_no_failure(server: FakeServer, folder: Path) -> None:
    # As when two programs start at the same time: the file of the first comes while the second is on its way out.
    path, late = server.path, folder / "late.json"
    path.rename(late)
    threading.Timer(1.0, lambda: late.rename(path)).start()
    assert ensure_backend(make_command("pass"), path=path, timeout=PATIENCE) == Backend(server.endpoint, None)


def test_command_that_cannot_be_run_is_told(folder: Path) -> None:
    with pytest.raises(NotRunningError, match=r"/no/such/python cannot be run .* correct the path"):
        ensure_backend(default_command("/no/such/python"), path=folder / "backend.json")
    with pytest.raises(NotRunningError, match="name another log file"):
        ensure_backend(default_command(), path=folder / "backend.json", log=folder)


def test_command_that_fails_is_told_with_its_last_line(folder: Path) -> None:
    code = "import sys; print('first'); sys.exit('error: the device is on fire')"
    with pytest.raises(NotRunningError, match="ended with status 1: error: the device is on fire"):
        ensure_backend(make_command(code), path=folder / "backend.json", log=folder / "log", timeout=PATIENCE)
    with pytest.raises(NotRunningError, match="run the command in a terminal"):
        ensure_backend(make_command(code), path=folder / "backend.json", timeout=PATIENCE)


def test_command_that_never_answers_is_stopped(folder: Path) -> None:
    mark = folder / "mark"
    code = "import sys, os, time, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"
    with pytest.raises(TimedOutError, match="did not answer 6 s after its start: it printed nothing"):
        ensure_backend(make_command(code, mark), path=folder / "backend.json", log=folder / "log", timeout=6.0)
    if os.name == "posix":
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_cancelled_start_is_undone(folder: Path) -> None:
    with pytest.raises(NotRunningError, match="cancelled"):
        ensure_backend(
            make_command("import time; time.sleep(600)"),
            path=folder / "backend.json",
            timeout=PATIENCE,
            is_cancelled=lambda: True,
        )


def test_environment_is_handed_on(folder: Path) -> None:
    code = "import os, sys; sys.exit(os.environ.get('BITPUPPET_RUNTIME', 'none'))"
    environ = {**os.environ, "BITPUPPET_RUNTIME": "somewhere"}
    with pytest.raises(NotRunningError, match="somewhere"):
        ensure_backend(
            make_command(code), path=folder / "backend.json", log=folder / "log", environ=environ, timeout=PATIENCE
        )


def test_default_command_is_the_backends_own() -> None:
    assert default_command("python")[1:] == ["-m", "bitpuppet", "serve", "--auto"]
