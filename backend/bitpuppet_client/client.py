"""The synchronous client: ask, wait, have. For scripts, the command line and tests; one thread at a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

import zmq

from bitpuppet_client import __version__
from bitpuppet_client.endpoint import Endpoint, default_path, read_endpoint
from bitpuppet_client.errors import (
    ClientError,
    JobFailedError,
    NotRunningError,
    ProtocolError,
    RefusedError,
    TimedOutError,
)
from bitpuppet_client.jobs import JobParams
from bitpuppet_client.limits import DEFAULT_PRIORITY, HEARTBEAT_SECONDS, REPLY_SECONDS, TRANSFER_SECONDS
from bitpuppet_client.message import Message, estimate_seconds
from bitpuppet_client.parts import Parts
from bitpuppet_client.replies import (
    Accepted,
    Acknowledged,
    Error,
    HealthReport,
    LibraryPage,
    MetricsReport,
    ModelCard,
    ModelChanged,
    Preview,
    Result,
    Statuses,
    Stopping,
    Update,
    Welcome,
)
from bitpuppet_client.requests import (
    Acknowledge,
    Cancel,
    DeleteModel,
    Fetch,
    Health,
    Hello,
    Library,
    ListJobs,
    Metrics,
    RenameModel,
    Shutdown,
    Status,
    Steer,
    Submit,
    Watch,
)
from bitpuppet_client.status import JobStatus
from bitpuppet_client.transport import Channel
from bitpuppet_client.wire import Packet

ProgressWatch = Callable[[JobStatus], None]
"""Called with each new status of a job; whatever it raises ends the waiting."""
PreviewWatch = Callable[[Preview], None]

R = TypeVar("R", bound=Message)


class Client:
    """A connection to a running backend. Use it in a `with` statement, which closes it.

    Jobs belong to the backend, not to the connection: what was submitted goes on when the client goes away, and any
    later client can wait for it, fetch it or cancel it by its id.
    """

    def __init__(
        self, endpoint: Endpoint | None = None, *, name: str = "bitpuppet-client", timeout: float = REPLY_SECONDS
    ) -> None:
        """Connect and say hello.

        Args:
            endpoint: None for the running backend of this user.
            name: what the server's log calls this client.
            timeout: seconds to wait for a reply, before the backend counts as gone.

        Raises:
            NotRunningError: there is no endpoint file.
            TimedOutError: nothing answers there; the message says what to do.
            VersionError: the backend speaks another version of the protocol.
        """
        if endpoint is None:
            endpoint = _read_own_endpoint()
        self.timeout = timeout
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._channels: list[Channel] = []
        try:
            self._control = self._open(endpoint.control, endpoint)
            self._jobs = self._open(endpoint.jobs, endpoint)
            hello = Hello(name, __version__)
            self.welcome = self._ask(self._control, hello, Welcome)
            """What the backend said of itself: models with fingerprints, kinds of jobs, limits."""
            self._ask(self._jobs, hello, Welcome)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the connection at once; jobs go on."""
        for channel in self._channels:
            channel.close()
        self._context.term()

    def submit(
        self,
        params: JobParams,
        parts: Parts,
        *,
        job: str | None = None,
        priority: int = DEFAULT_PRIORITY,
        previews: bool = False,
        patience: float = 0.0,
    ) -> JobStatus:
        """Put a job into the backend's queue, and return when it is safe there.

        Args:
            params: the kind of job and its settings.
            parts: the arrays that it needs; see the class of `params`.
            job: a UUID; None for a new one. After a TimedOutError the same call with the same id is safe: the job
                runs once. A caller who wants that must choose the id.
            priority: 0 to 9, higher first.
            previews: whether `wait` may give previews.
            patience: seconds to try again while the queue is full.

        Raises:
            ParameterError: the backend would refuse this; LimitError where it is too large.
            RefusedError: the backend did refuse it; see its `code`.
            TimedOutError: no answer.
        """
        message = Submit(job or str(uuid4()), params, parts, priority, previews)
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._ask(self._jobs, message, Accepted, self.timeout + estimate_seconds(parts)).status
            except RefusedError as error:
                pause = error.retry_after
                if error.code != "busy" or pause is None or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)

    def wait(
        self,
        job: str,
        timeout: float | None = None,
        *,
        progress: ProgressWatch | None = None,
        preview: PreviewWatch | None = None,
    ) -> JobStatus:
        """Wait until a job is done, failed or cancelled.

        Args:
            job: its id; the job may be another client's.
            timeout: seconds; None to wait as long as the backend answers.
            progress: called with each new status, the last one included.
            preview: called with each preview.

        Raises:
            TimedOutError: not final in time, or the backend is silent; the job itself goes on.
            RefusedError: the backend does not know the job.
        """
        return self._follow(job, timeout, progress, preview, time.monotonic())

    def _follow(
        self, job: str, timeout: float | None, progress: ProgressWatch | None, preview: PreviewWatch | None, beat: float
    ) -> JobStatus:
        """See `wait`; `beat` is when to ask how the job is, for the first time."""
        started = heard = time.monotonic()
        number, last = 0, None
        while True:
            now = time.monotonic()
            if timeout is not None and now - started >= timeout:
                raise TimedOutError(f"job {job} is not done after {timeout:g} s; it goes on: wait again, or cancel it")
            if now - heard >= self.timeout:
                raise self._time_out(self._jobs, self.timeout, f" about job {job}")
            if now >= beat:
                number, beat = self._jobs.send(Watch((job,), preview is not None)), now + HEARTBEAT_SECONDS
            until = min(beat, heard + self.timeout, now + HEARTBEAT_SECONDS if timeout is None else started + timeout)
            packet = self._jobs.receive(max(0.0, until - now))
            if packet is None:
                continue
            heard = time.monotonic()
            if preview is not None and isinstance(packet.message, Preview) and packet.message.job == job:
                preview(packet.message)
            status = _find_status(packet, number, job)
            if status is not None and status != last:
                last = status
                if progress is not None:
                    progress(status)
                if status.is_final:
                    return status

    def fetch(self, job: str) -> Result:
        """The result of a job that is done. It stays with the backend until `acknowledge`.

        Raises:
            RefusedError: `unknown_job`, `not_finished`, or `no_result`.
        """
        return self._ask(self._jobs, Fetch(job), Result, TRANSFER_SECONDS)

    def acknowledge(self, job: str) -> None:
        """Tell that the result is safe here, so that the backend may forget the job. Twice does no harm."""
        self._ask(self._jobs, Acknowledge(job), Acknowledged)

    def run(
        self,
        params: JobParams,
        parts: Parts,
        *,
        priority: int = DEFAULT_PRIORITY,
        timeout: float | None = None,
        progress: ProgressWatch | None = None,
        preview: PreviewWatch | None = None,
        patience: float = 0.0,
    ) -> Result:
        """Submit, wait, fetch and acknowledge. What stops the waiting, Ctrl-C too, cancels the job.

        Raises:
            JobFailedError: it failed or was cancelled; `code` says which.
            RefusedError, TimedOutError: as `submit` and `wait`.
        """
        job = str(uuid4())
        try:
            self.submit(params, parts, job=job, priority=priority, previews=preview is not None, patience=patience)
            # The backend tells whoever submits, so there is nothing to ask yet.
            beat = time.monotonic() + HEARTBEAT_SECONDS
            status = self._follow(job, timeout, progress, preview, beat)
        except BaseException:
            with contextlib.suppress(ClientError):  # what stopped us says more
                self._control.send(Cancel(job))
                self._control.receive(min(self.timeout, 1.0))  # so that closing does not overtake it
            raise
        if status.error is not None:
            raise JobFailedError(status.error.code, status.error.message, job)
        if status.state == "cancelled":
            raise JobFailedError("cancelled", f"job {job} was cancelled; submit it again", job)
        result = self.fetch(job)
        self.acknowledge(job)
        return result

    def cancel(self, job: str) -> JobStatus:
        """Stop a job before its next step; the status as it is now. A job that is final stays what it is.

        Raises:
            RefusedError: the backend does not know the job.
        """
        return self._ask_status(Cancel(job), job)

    def steer(self, job: str, action: str) -> JobStatus:
        """Pause a training, resume or finish it; the status as it is now. One that is final stays what it is.

        Args:
            job: its id.
            action: `pause` keeps it for later and frees the device, `resume` lets it go on, `finish` ends it after its
                step with the model that it has.

        Raises:
            RefusedError: there is no such job, or it is no training.
        """
        return self._ask_status(Steer(job, action), job)

    def list_models(self) -> Iterator[ModelCard]:
        """All models by name, with their cards."""
        for page in self._read_library():
            yield from page.models

    def list_sets(self) -> tuple[str, ...]:
        """The character sets that trainings can name."""
        return next(self._read_library()).sets

    def rename_model(self, name: str, to: str) -> None:
        """Give one of the user's own models another name.

        Raises:
            RefusedError: there is no such model, it came with the backend, the name is taken, or a job needs it.
        """
        self._ask(self._control, RenameModel(name, to), ModelChanged)

    def delete_model(self, name: str) -> None:
        """Remove one of the user's own models, for ever. Raises as `rename_model`."""
        self._ask(self._control, DeleteModel(name), ModelChanged)

    def status(self, *jobs: str) -> tuple[JobStatus, ...]:
        """Where jobs are (at most MAX_JOBS_PER_MESSAGE); those that the backend does not know are missing."""
        return self._ask(self._control, Status(jobs), Statuses).statuses

    def list_jobs(self, *states: str) -> Iterator[JobStatus]:
        """All jobs that the backend knows, newest first, or those in certain states."""
        after, known = None, set[str]()
        while True:
            page = self._ask(self._control, ListJobs(states, after=after), Statuses)
            yield from page.statuses
            after = page.after
            if after is None:
                return
            if after in known:
                raise ProtocolError("the backend's list of jobs has no end; update the backend")
            known.add(after)

    def check_health(self) -> HealthReport:
        """Whether all is well with the backend."""
        return self._ask(self._control, Health(), HealthReport)

    def read_metrics(self) -> MetricsReport:
        """The backend's counters."""
        return self._ask(self._control, Metrics(), MetricsReport)

    def shut_down(self, *, finish: bool) -> None:
        """Stop the backend; with `finish` after its jobs are done, otherwise they wait for the next start."""
        self._ask(self._control, Shutdown(finish), Stopping)

    def _ask_status(self, message: Message, job: str) -> JobStatus:
        for status in self._ask(self._control, message, Statuses).statuses:
            if status.job == job:
                return status
        raise RefusedError("unknown_job", f"the backend does not know job {job}; it may be long gone", job)

    def _read_library(self) -> Iterator[LibraryPage]:
        after = None
        while True:
            page = self._ask(self._control, Library(after), LibraryPage)
            yield page
            if page.after is None or page.after == after:
                return
            after = page.after

    def _open(self, address: str, endpoint: Endpoint) -> Channel:
        channel = Channel(self._context, address, endpoint)
        self._channels.append(channel)
        return channel

    def _ask(self, channel: Channel, message: Message, wanted: type[R], timeout: float = 0.0) -> R:
        """Send a request and wait for its reply. Events and late replies to others are dropped: `wait` asks anew."""
        timeout = max(timeout, self.timeout)
        number = channel.send(message)
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            packet = channel.receive(min(left, self.timeout))
            if packet is None:
                if channel.state == "ready":  # pictures may be on the way
                    continue
                break
            if isinstance(packet.message, Error) and packet.request in (number, 0):
                raise _make_error(packet.message)
            if packet.request == number:
                if not isinstance(packet.message, wanted):
                    told = f"the backend answered {message.type} by {packet.message.type}; update the backend"
                    raise ProtocolError(told)
                return packet.message
        raise self._time_out(channel, timeout, f" to {message.type}")

    def _time_out(self, channel: Channel, timeout: float, what: str) -> TimedOutError:
        return TimedOutError(f"the backend did not answer{what} in {timeout:g} s: {channel.explain()}")


def _read_own_endpoint() -> Endpoint:
    try:
        return read_endpoint()
    except FileNotFoundError as error:
        raise NotRunningError(
            f"no backend is running for this user (there is no {default_path()}); start it with `bitpuppet serve`"
        ) from error


def _find_status(packet: Packet, number: int, job: str) -> JobStatus | None:
    message = packet.message
    if isinstance(message, Update):
        return message.status if message.status.job == job else None
    if isinstance(message, Error) and packet.request in (number, 0):
        raise _make_error(message)
    if isinstance(message, Statuses):
        if job in message.unknown:
            raise RefusedError("unknown_job", f"the backend does not know job {job}; submit it again", job)
        return next((status for status in message.statuses if status.job == job), None)
    return None


def _make_error(error: Error) -> RefusedError:
    return RefusedError(error.code, error.message, error.job, error.retry_after)
