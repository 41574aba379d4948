"""Runs a program and hands over its lines as they come; can be stopped at any moment. No shell, no `bpy`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

STOP_SECONDS = 5.0


class StoppedError(Exception):
    """The program was stopped by `Runner.stop`, or would have been started after it."""


class Runner:
    """Runs programs one after the other, until it is stopped for good."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._is_stopped

    def run(self, command: Sequence[str], environ: Mapping[str, str], take_line: Callable[[str], None]) -> int:
        """Run a program to its end.

        Args:
            command: program and arguments.
            environ: all of its environment.
            take_line: called with each line of its output and its errors; carriage returns end lines too.

        Returns:
            Its exit status.

        Raises:
            StoppedError: it was stopped.
            OSError: it cannot be run.
        """
        with self._lock:
            if self._is_stopped:
                raise StoppedError
            process = self._process = _start(command, environ)
        try:
            assert process.stdout is not None
            with process.stdout as output:
                for raw in output:
                    for line in raw.decode(errors="replace").splitlines():
                        take_line(line.rstrip())
            status = process.wait()
        finally:
            _end(process)
            with self._lock:
                self._process = None
        if self._is_stopped:
            raise StoppedError
        return status

    def stop(self) -> None:
        """Stop what runs, and let nothing start any more; returns at once, from any thread."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                _signal(self._process, kill=False)


def _start(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own, so that its children can be stopped with it."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        start_new_session=True,
        creationflags=flags,
    )


def _signal(process: subprocess.Popen[bytes], *, kill: bool) -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()  # there is no gentle way for a process without a window
        return
    try:
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
    except ProcessLookupError:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """See to it that a process is gone, whatever brought us here."""
    _signal(process, kill=False)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, kill=True)
        process.wait()
