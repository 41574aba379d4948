"""The add-on's line to the backend: submits jobs, and gives what happens to callbacks on Blender's main thread.

One thread of `BackgroundClient` does all the waiting. `pump` hands its events over, in a window as a timer and in tests
in a loop. No `bpy` here.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.errors import NotRunningError
from bitpuppet_client.events import (
    Answered,
    Connected,
    Disconnected,
    Event,
    Failed,
    Finished,
    Previewed,
    Stopped,
    Updated,
)
from bitpuppet_client.jobs import JobParams
from bitpuppet_client.limits import DEFAULT_PRIORITY
from bitpuppet_client.message import Message
from bitpuppet_client.parts import Parts
from bitpuppet_client.replies import ModelInfo, Welcome
from bitpuppet_client.requests import Shutdown

from .server import Finder, Source

PUMP_SECONDS = 0.005
CLOSE_SECONDS = 2.0
STATES = ("not installed", "stopped", "starting", "connected", "lost", "wrong version")

JobEvent = Updated | Previewed | Finished | Failed
Result = TypeVar("Result")


class Link:
    """The one connection of this Blender. Its methods are for the main thread, and return at once."""

    def __init__(self, describe: Callable[[], Source], rest_seconds: Callable[[], float] = lambda: 600.0) -> None:
        """Nothing connects before there is something to do.

        Args:
            describe: how to get to the backend; asked on the main thread at each new connection.
            rest_seconds: after how long without a job the connection is given up, so that the backend may end.
        """
        self._describe, self._rest_seconds = describe, rest_seconds
        self._client: BackgroundClient | None = None
        self._finder: Finder | None = None
        self._source = Source()
        self._callbacks: dict[str, Callable[[JobEvent], None] | None] = {}
        self._questions: dict[int, Callable[[Message | None, str | None], None]] = {}
        self._acknowledged: set[str] = set()
        """Results that are safe here, which could not be told yet."""
        self._outcomes: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._errands: list[threading.Thread] = []
        self._used = time.monotonic()
        self._is_online = False
        self._reason = ""
        self.welcome: Welcome | None = None
        """What the backend said of itself when we met it last; None before."""
        self.last_error = ""
        """The last failure in a callback: one line, empty when there was none."""

    @property
    def state(self) -> str:
        """One of STATES. Looks at no files."""
        if self._client is None or self._finder is None:
            return self._source.problem_state if self._source.problem else "stopped"
        if self._is_online:
            return "connected"
        if self._finder.is_wrong_version:
            return "wrong version"
        if self._finder.is_starting or not self._reason:
            return "starting"
        return "lost"

    @property
    def message(self) -> str:
        """The state in one sentence."""
        state = self.state
        if state == "connected" and self.welcome is not None:
            return f"Connected to the backend {self.welcome.server}"
        if state == "starting":
            return "The backend is starting" if self.can_start else "The backend is looked for"
        if state in ("lost", "wrong version") and self._reason:
            return f"{self._reason[:1].upper()}{self._reason[1:]}"
        return self._source.problem or "The backend rests; the next job starts it"

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The backend's models; empty until it was met."""
        return tuple(self.welcome.models) if self.welcome is not None else ()

    @property
    def jobs(self) -> tuple[str, ...]:
        """Ids of the jobs that are under way here."""
        return tuple(self._callbacks)

    @property
    def is_busy(self) -> bool:
        """Whether something is under way, so that `pump` should be called often."""
        return bool(self._callbacks or self._questions or self._errands) or self.state == "starting"

    @property
    def can_start(self) -> bool:
        """Whether the backend is one that we start; otherwise it is only looked for."""
        return bool(self._source.command)

    def refresh(self) -> None:
        """Look again whether there can be a backend: after a change of the preferences or an installation."""
        if self._client is None:
            self._source = self._describe()

    def submit(
        self,
        params: JobParams,
        parts: Parts,
        on_event: Callable[[JobEvent], None],
        *,
        job: str | None = None,
        priority: int = DEFAULT_PRIORITY,
        previews: bool = False,
    ) -> str:
        """Run a job, and start the backend for it if need be.

        Args:
            params: kind of job and settings.
            parts: its arrays, which are copied; see the class of `params`.
            on_event: called by `pump`; the last call brings `Finished` or `Failed`.
            job: UUID of the job; None for a new one.
            priority: 0 to 9, higher first.
            previews: whether `Previewed` is wanted.

        Returns:
            The job's id.

        Raises:
            ClientError: the backend would refuse the job, or there can be no backend; one sentence.
        """
        client = self._open()
        job = client.submit(params, parts, job=job, priority=priority, previews=previews)
        self._callbacks[job] = on_event
        return job

    def attach(self, job: str, on_event: Callable[[JobEvent], None], *, previews: bool = False) -> None:
        """Take up a job of an earlier session; its result comes by `Finished`. Errors as in `submit`."""
        self._open().attach(job, previews=previews)
        self._callbacks[job] = on_event

    def cancel(self, job: str) -> None:
        """Stop a job. It ends by `Failed` with the code `cancelled`, or by `Finished` if it was quicker."""
        if self._client is not None and job in self._callbacks:
            self._client.cancel(job)

    def acknowledge(self, job: str) -> None:
        """Tell the backend, now or at the next connection, that a result is safe here."""
        if self._client is not None:
            self._client.acknowledge(job)
        else:
            self._acknowledged.add(job)

    def forget(self, job: str) -> None:
        """Drop the callback of a job; the job itself goes on."""
        if job in self._callbacks:
            self._callbacks[job] = None

    def ask(self, message: Message, on_answer: Callable[[Message | None, str | None], None]) -> None:
        """Ask on the control channel, such as `Health()`; the answer or the reason for none comes in any case."""
        self._questions[self._open().ask(message)] = on_answer

    def run(self, work: Callable[[], Result], on_done: Callable[[Result | None, Exception | None], None]) -> None:
        """Do something slow in a thread, and give its result or its exception to `on_done` on the main thread.

        Args:
            work: must not touch Blender.
            on_done: called by `pump`.
        """

        def errand() -> None:
            result: Result | None = None
            failure: Exception | None = None
            try:
                result = work()
            except Exception as error:  # whatever it is, on_done is who knows what it means
                failure = error
            self._outcomes.put(partial(on_done, result, failure))

        thread = threading.Thread(target=errand, name="bitpuppet-errand", daemon=True)
        self._errands.append(thread)
        thread.start()

    def post(self, call: Callable[[], None]) -> None:
        """Have `pump` call something on the main thread; for the threads of `run`, which tell so how far they are."""
        self._outcomes.put(call)

    def connect(self) -> None:
        """Connect without a job, and try again what failed. Errors as in `submit`."""
        self._open()
        if self._finder is not None:
            self._finder.forget_failure()

    def disconnect(self) -> None:
        """Let the backend go, without waiting. Jobs that it has go on, and are taken up at the next connection."""
        client = self._detach()
        if client is not None:
            self.run(client.close, lambda result, error: None)

    def close(self) -> None:
        """End for good, in a bounded time; a backend that was started here finishes its jobs and ends."""
        stop = self._is_online and self._finder is not None and self._finder.has_started_it
        client = self._detach()
        self._callbacks.clear()
        if client is not None:
            if stop and client.is_alive:
                client.ask(Shutdown(finish=True))
            client.close(CLOSE_SECONDS)
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in self._errands:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._errands.clear()

    def pump(self, budget: float = PUMP_SECONDS) -> bool:
        """Give what came to the callbacks; whether anything came.

        Args:
            budget: seconds after which the rest is left for the next call.
        """
        deadline = time.monotonic() + budget
        happened = False
        while not self._outcomes.empty() and time.monotonic() < deadline:
            happened = True
            self._guard(self._outcomes.get())
        self._errands = [thread for thread in self._errands if thread.is_alive()]
        client = self._client
        while client is not None and client is self._client and time.monotonic() < deadline:
            event = client.take()
            if event is None:
                break
            happened = True
            self._take(event)
        self._rest()
        return happened

    def _open(self) -> BackgroundClient:
        """The client, connecting if there is none yet."""
        self._used = time.monotonic()
        if self._client is None or not self._client.is_alive:
            self._source = self._describe()
            if self._source.problem:
                raise NotRunningError(self._source.problem)
            self._finder = Finder(self._source, self._finder)
            self._reason, self._is_online = "", False
            self._client = BackgroundClient(self._finder, name="blender")
            for job in self._callbacks:
                self._client.attach(job)
            for job in self._acknowledged:
                self._client.acknowledge(job)
            self._acknowledged.clear()
        return self._client

    def _detach(self) -> BackgroundClient | None:
        client, self._client = self._client, None
        if self._finder is not None:
            self._finder.is_cancelled = True
        unanswered, self._questions = self._questions, {}
        for on_answer in unanswered.values():
            self._outcomes.put(partial(on_answer, None, "the connection was closed; ask again"))
        self._is_online = False
        return client

    def _take(self, event: Event) -> None:
        if isinstance(event, Connected):
            self._is_online, self._reason, self.welcome = True, "", event.welcome
        elif isinstance(event, Disconnected):
            self._is_online, self._reason = False, event.reason
        elif isinstance(event, Stopped):
            self._stop(event.reason)
        elif isinstance(event, Answered):
            on_answer = self._questions.pop(event.token, None)
            if on_answer is not None:
                self._guard(partial(on_answer, event.reply, event.error))
        else:
            self._tell(event)

    def _tell(self, event: JobEvent) -> None:
        self._used = time.monotonic()
        job = _name_job(event)
        is_last = isinstance(event, (Finished, Failed))
        callback = self._callbacks.pop(job, None) if is_last else self._callbacks.get(job)
        if callback is not None:
            self._guard(partial(callback, event))

    def _stop(self, reason: str) -> None:
        """The client's thread ended by a bug: tell it to whoever waits."""
        callbacks, self._callbacks = self._callbacks, {}
        self._detach()
        self.last_error = reason
        for job, callback in callbacks.items():
            if callback is not None:
                self._guard(partial(callback, Failed(job, "internal", reason)))

    def _rest(self) -> None:
        """Give up a connection that nobody needs: while it stands, the backend stays in memory."""
        if self._client is None or self._callbacks or self._questions:
            return
        if time.monotonic() - self._used >= self._rest_seconds():
            self.disconnect()

    def _guard(self, callback: Callable[[], Any]) -> None:
        """Call; a failure is one callback's own and must not stop the timer."""
        try:
            callback()
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}".splitlines()[0]
            traceback.print_exc(file=sys.stderr)


def _name_job(event: JobEvent) -> str:
    if isinstance(event, Updated):
        return event.status.job
    if isinstance(event, Previewed):
        return event.preview.job
    if isinstance(event, Finished):
        return event.result.job
    return event.job
