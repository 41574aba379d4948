"""The background client: for programs that must never wait, such as Blender. One thread owns all sockets.

The owner's thread puts commands in and takes events out, and neither ever waits for the network. The thread is a
daemon, its sockets drop what was not sent, and closing it waits for a bounded time: it cannot keep a program alive.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Self
from uuid import uuid4

import numpy as np

from bitpuppet_client.endpoint import read_endpoint
from bitpuppet_client.errors import ParameterError, StoppedError
from bitpuppet_client.events import Event, Mailbox, Stopped
from bitpuppet_client.jobs import JobParams
from bitpuppet_client.limits import DEFAULT_PRIORITY, REPLY_SECONDS
from bitpuppet_client.message import Message
from bitpuppet_client.parts import Parts
from bitpuppet_client.requests import CONTROL_REQUESTS, Acknowledge, Cancel, Hello, Submit
from bitpuppet_client.schema import check_job
from bitpuppet_client.session import FindEndpoint, Session
from bitpuppet_client.wire import encode

DRAIN_SECONDS = 0.005
"""A share of a frame at 60 Hz that nobody notices."""
CLOSE_SECONDS = 2.0


class BackgroundClient:
    """Runs jobs for a program that has no time. Every method returns at once, from any thread.

    It connects when it can, tries again when it cannot, and finds its jobs again after the backend or the network went
    away. Each job ends by exactly one `Finished` or `Failed`. What the backend did not accept before `close` is lost;
    what it did accept goes on, and another client takes it up with `attach`.
    """

    def __init__(
        self, find: FindEndpoint = read_endpoint, *, name: str = "bitpuppet-client", patience: float = 2 * REPLY_SECONDS
    ) -> None:
        """Start the thread.

        Args:
            find: says where the backend is, asked in the thread before each try to connect; it may also start one
                (see `launcher.ensure_backend`) and take its time.
            name: what the backend's log calls this client.
            patience: seconds to wait for a reply, before the backend counts as gone.
        """
        self._mailbox = Mailbox()
        self._commands: queue.SimpleQueue[Callable[[Session], None]] = queue.SimpleQueue()
        self._tokens = itertools.count(1)
        self._stop = threading.Event()
        self._wake, woken = socket.socketpair()
        self._wake.setblocking(False)
        woken.setblocking(False)
        session = Session(find, self._mailbox, woken, name, patience)
        self._thread = threading.Thread(target=self._run, args=(session, woken), name="bitpuppet-client", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs; otherwise only events that are there already can be taken."""
        return self._thread.is_alive() and not self._stop.is_set()

    def submit(
        self,
        params: JobParams,
        parts: Parts,
        *,
        job: str | None = None,
        priority: int = DEFAULT_PRIORITY,
        previews: bool = False,
    ) -> str:
        """Run a job as soon as there is a backend; see `Client.submit`. The arrays are copied.

        Returns:
            The job's id, to keep: it finds the job again in a later session.

        Raises:
            ParameterError: the backend would refuse this; LimitError where it is too large.
            StoppedError: the client is closed.
        """
        copies = {part: np.array(array) for part, array in parts.items()}
        message = Submit(job or str(uuid4()), params, copies, priority, previews)
        encode(message)  # what cannot be sent is told to the caller, not to the thread
        self._command(partial(Session.submit, message=message))
        return message.job

    def attach(self, job: str, *, previews: bool = False) -> None:
        """Take up a job of an earlier session: its updates and its result come as if it were submitted here."""
        check_job(job)
        self._command(partial(Session.attach, job=job, previews=previews))

    def cancel(self, job: str) -> None:
        """Stop a job. It ends by `Failed` with the code `cancelled`, or by `Finished` if it was quicker."""
        check_job(job)
        self._command(partial(Session.cancel, job=job))

    def acknowledge(self, job: str) -> None:
        """Tell the backend that the result is safe here, so that it may forget the job."""
        check_job(job)
        self._command(partial(Session.acknowledge, job=job))

    def ask(self, message: Message) -> int:
        """Send a question of the control channel, such as `Health`, `ListJobs` or `Steer`.

        Returns:
            The token of the `Answered` event that will come in any case.

        Raises:
            ParameterError: it is no such question.
        """
        if not isinstance(message, CONTROL_REQUESTS) or isinstance(message, (Hello, Cancel, Acknowledge)):
            raise ParameterError(f"{message.type} is no question; call the method of that name")
        encode(message)
        token = next(self._tokens)
        self._command(partial(Session.ask, message=message, token=token))
        return token

    def take(self) -> Event | None:
        """The oldest event that waits, or None."""
        return self._mailbox.take()

    def drain(self, seconds: float = DRAIN_SECONDS) -> Iterator[Event]:
        """The events that wait, until there are no more or the time is over; what the caller does with them counts."""
        deadline = time.monotonic() + seconds
        while (event := self._mailbox.take()) is not None:
            yield event
            if time.monotonic() >= deadline:
                return

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """End the thread and its connection; twice does no harm. Jobs that the backend has go on.

        What was asked for just before is still sent if the backend is there and takes it within a third of a second.

        Args:
            timeout: seconds to wait for the thread, which can only be late when `find` is.
        """
        self._stop.set()
        self._ring()
        self._thread.join(timeout)
        atexit.unregister(self.close)
        self._wake.close()

    def _command(self, command: Callable[[Session], None]) -> None:
        if not self.is_alive:
            raise StoppedError("the client is closed; make a new one")
        self._commands.put(command)
        self._ring()

    def _ring(self) -> None:
        # Full means that it rings already; closed, that nobody is there.
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    def _take_commands(self, session: Session) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._commands.get_nowait()(session)

    def _run(self, session: Session, woken: socket.socket) -> None:
        try:
            while not self._stop.is_set():
                self._take_commands(session)
                session.turn()
            self._take_commands(session)
        except Exception as error:  # tells the owner, and then fails as loudly as any other thread
            self._mailbox.put(
                Stopped(f"the client stopped by a bug ({type(error).__name__}: {error}); please report it")
            )
            raise
        finally:
            session.close()
            woken.close()
