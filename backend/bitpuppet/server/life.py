"""How a server's life begins and ends: one for each user, and none that nobody needs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil
from filelock import FileLock, Timeout

from bitpuppet.server.settings import Settings

_PARENT_SECONDS = 1.0
_STDIN = 0


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be made.
    """
    lock = FileLock(path, timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(str(path)) from error
    try:
        yield
    finally:
        lock.release()


class Parent:
    """The process that started the server."""

    def __init__(self, number: int) -> None:
        """Remember it by its number and the time of its start, since numbers are used again."""
        self._process: psutil.Process | None
        try:
            self._process = psutil.Process(number)
        except psutil.NoSuchProcess:
            self._process = None

    def is_alive(self) -> bool:
        """Whether it still runs."""
        if self._process is None:
            return False
        try:
            return bool(self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


class Vitals:
    """What tells a server to end: signals, the end of its starter, or that nobody needs it."""

    def __init__(self, settings: Settings, now: float, wake: Callable[[], None]) -> None:
        """Begin to watch.

        Args:
            settings: the server's.
            now: the steady clock, as in all methods.
            wake: ends a wait of the broker, from another thread.
        """
        self._settings = settings
        self._started = self._busy = now
        self._signals = 0
        self._orphaned: float | None = None
        self._parent = Parent(settings.parent) if settings.parent is not None else None
        self._asked = now
        self._pipe_closed = threading.Event()
        if settings.parent_pipe:
            threading.Thread(target=self._watch_pipe, args=(wake,), name="parent-pipe", daemon=True).start()

    def catch_signals(self) -> None:
        """Take SIGTERM, SIGINT and the like as a wish to stop. Only the main thread can."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` wants it
                signal.signal(number, self._note)

    def take_signals(self) -> int:
        """How many signals came since this was asked last."""
        count, self._signals = self._signals, 0
        return count

    def find_end(self, now: float, heard: float, *, is_busy: bool) -> str:
        """Why the server should end; empty as long as it should not.

        Args:
            now: the steady clock.
            heard: when a client was heard last; 0 for never.
            is_busy: whether jobs wait or run.
        """
        if is_busy:
            self._busy = now
        if self._orphaned is None and self._is_orphan(now):
            self._orphaned = now
        if self._orphaned is not None and now - max(heard, self._orphaned) > self._settings.orphan_seconds:
            return "the program that started the server is gone"
        quiet = now - max(heard, self._busy, self._started)
        if self._settings.auto and quiet > self._settings.idle_seconds:
            return f"nobody has needed the server for {quiet:.0f} s"
        return ""

    def _is_orphan(self, now: float) -> bool:
        if self._pipe_closed.is_set():
            return True
        if self._parent is None or now - self._asked < _PARENT_SECONDS:
            return False
        self._asked = now
        return not self._parent.is_alive()

    def _watch_pipe(self, wake: Callable[[], None]) -> None:
        try:
            while os.read(_STDIN, 4096):
                pass
        except OSError:
            pass  # closed: the same as its end
        self._pipe_closed.set()
        wake()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
