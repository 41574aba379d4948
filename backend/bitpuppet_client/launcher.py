"""Start a backend of this user, unless one runs. The command is the caller's: nothing here knows bitpuppet itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitpuppet_client.discovery import find_backend
from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.errors import NotRunningError, TimedOutError
from bitpuppet_client.schema import shorten

START_SECONDS = 60.0
"""Importing torch on a busy machine takes a while."""
_POLL_SECONDS = 0.1
_STOP_SECONDS = 5.0
_LOG_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Backend:
    """A running backend, and its process if it was started here."""

    endpoint: Endpoint
    process: subprocess.Popen[bytes] | None
    """Keep it as long as the program runs: dropping it would leave a dead process behind. None if it was found."""


def default_command(python: str | Path = sys.executable) -> list[str]:
    """The command that starts a backend which stops by itself when nobody needs it.

    Args:
        python: the interpreter of the environment that has bitpuppet; inside Blender that is not its own.
    """
    return [str(python), "-m", "bitpuppet", "serve", "--auto"]


def ensure_backend(
    command: Sequence[str],
    *,
    path: Path | None = None,
    log: Path | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float = START_SECONDS,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Backend:
    """Find the running backend of this user, or start one and wait until it answers.

    Two callers at once are fine: the backend itself sees to it that only one stays.

    Args:
        command: program and arguments, run without a shell; see `default_command`.
        path: endpoint file to look at; None for this user's own.
        log: file that takes what the command prints, emptied first; None to drop it.
        environ: the command's environment; None for this process's.
        timeout: seconds until it must answer.
        is_cancelled: asked ten times a second; when it says yes, the start is undone.

    Raises:
        NotRunningError: the command could not be run, ended with an error, or was cancelled.
        TimedOutError: it runs but does not answer; it was stopped.
        EndpointError, VersionError: see `find_backend`.
    """
    found = find_backend(path)
    if found is not None:
        return Backend(found, None)
    process = _run(command, log, environ)
    try:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not is_cancelled():
            ended = process.poll()
            found = find_backend(path)
            if found is not None:
                return Backend(found, process if ended is None else None)
            if ended:  # not for 0: it met another one, which may still be on its way
                raise NotRunningError(f"{command[0]} ended with status {ended}: {_read_tail(log)}")
            time.sleep(_POLL_SECONDS)
    except BaseException:
        _stop(process)
        raise
    _stop(process)
    if is_cancelled():
        raise NotRunningError("starting the backend was cancelled; start it again when you need it")
    raise TimedOutError(f"the backend did not answer {timeout:g} s after its start: {_read_tail(log)}")


def _run(command: Sequence[str], log: Path | None, environ: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start the command so that Ctrl-C in our terminal and the end of this process do not reach it."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        output = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise NotRunningError(f"{log} cannot be written ({error.strerror}); name another log file") from error
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            start_new_session=True,
            creationflags=flags,
        )
    except OSError as error:
        raise NotRunningError(
            f"{command[0]} cannot be run ({error.strerror}); install the backend, or correct the path to its Python"
        ) from error
    finally:
        os.close(output)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_tail(log: Path | None) -> str:
    """The last line that the command printed, which says most."""
    if log is None:
        return "run the command in a terminal to see why"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return f"{shorten(lines[-1], 300)} (see {log})" if lines else f"it printed nothing; see {log}"
