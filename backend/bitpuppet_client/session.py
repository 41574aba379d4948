"""What a background client's thread does: one connection at a time, and the jobs that outlive it.

All of this belongs to that thread. A turn sends what is due (submit, watch, fetch, cancel, acknowledge), waits for the
network or for a new command, and takes in what came. When the backend is lost, everything about the connection is
thrown away and another one begins: submits are sent again, which is safe, and jobs are watched again.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.errors import ClientError, NotRunningError, ProtocolError
from bitpuppet_client.events import Answered, Connected, Disconnected, Failed, Finished, Mailbox, Previewed, Updated
from bitpuppet_client.limits import HEARTBEAT_SECONDS, MAX_JOBS_PER_MESSAGE, MAX_MESSAGE_BYTES
from bitpuppet_client.link import Asked, Link
from bitpuppet_client.message import Message
from bitpuppet_client.replies import Accepted, Error, Preview, Result, Statuses, Update
from bitpuppet_client.requests import Acknowledge, Cancel, Fetch, Submit, Watch
from bitpuppet_client.status import JobStatus

FindEndpoint = Callable[[], Endpoint | None]
"""Tells where the backend is now: None, FileNotFoundError or ClientError when it does not run. May take its time."""

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 5.0
MAX_UNTAKEN_BYTES = 2 * MAX_MESSAGE_BYTES
"""No further result is fetched while the owner leaves so much lying."""
_LOOK_SECONDS = 0.25
"""How often the connection's state is looked at when nothing else happens."""
_SUBMITS_AT_ONCE = 8
"""Under way unanswered: more would only make the heartbeat wait behind pictures."""
_BUSY_SECONDS = 1.0
_LINGER_SECONDS = 0.3
_NOT_RUNNING = "no backend is running; start it, with `bitpuppet serve` or from the add-on"


@dataclass
class _Job:
    """A job that is not over yet, for all that we know."""

    job: str
    submit: Submit | None = None
    """What to send; None once the backend has it."""
    previews: bool = False
    tried: bool = False
    """Whether it was sent over any connection, so that the backend may have it."""
    sent: bool = False
    """Whether it was sent over this connection."""
    due: float = 0.0
    """When to submit it or to fetch its result, on the monotonic clock."""
    fetching: bool = False
    cancel: bool = False
    cancel_sent: bool = False
    status: JobStatus | None = None


class Session:
    """The state of one background client; see the module."""

    def __init__(self, find: FindEndpoint, mailbox: Mailbox, wake: socket.socket, name: str, patience: float) -> None:
        """Prepare; the first turn connects.

        Args:
            find: where the backend is; asked before each try to connect.
            mailbox: where events go.
            wake: becomes readable when there are commands.
            name: what the backend's log calls us.
            patience: seconds to wait for a reply before the backend counts as gone.
        """
        self._find, self._mailbox, self._wake = find, mailbox, wake
        self._name, self._patience = name, patience
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link: Link | None = None
        self._jobs: dict[str, _Job] = {}
        self._acknowledged: dict[str, bool] = {}
        """Jobs whose results the owner has; whether that was sent over this connection."""
        self._instance: str | None = None
        self._is_online = False
        self._reason: str | None = None
        self._retry_at = 0.0
        self._pause = FIRST_RETRY_SECONDS
        self._beat = 0.0
        self._questions: list[tuple[Message, int]] = []
        """Of the owner, not sent yet."""

    def submit(self, message: Submit) -> None:
        """Run a job, now or when there is a backend."""
        self._jobs.setdefault(message.job, _Job(message.job, message, message.previews))

    def attach(self, job: str, previews: bool) -> None:
        """Take up a job of an earlier session."""
        self._jobs.setdefault(job, _Job(job)).previews |= previews
        self._beat = 0.0

    def cancel(self, job: str) -> None:
        """Stop a job. One that the backend cannot have is just forgotten."""
        record = self._jobs.setdefault(job, _Job(job))
        if record.submit is not None and not record.tried:
            self._fail(job, "cancelled", f"job {job} was cancelled before it was sent; submit it again")
        else:
            record.cancel = True

    def acknowledge(self, job: str) -> None:
        """The owner has the result."""
        self._acknowledged[job] = False

    def ask(self, message: Message, token: int) -> None:
        """Pass on a question of the owner's; where there is no backend, the reason is the answer."""
        if self._link is None and self._reason is not None:
            self._mailbox.put(Answered(token, None, self._reason))
        else:
            self._questions.append((message, token))

    def turn(self) -> None:
        """Do what is due, wait a little for what comes, and take it in."""
        try:
            if self._link is None and time.monotonic() >= self._retry_at:
                self._connect()
            if self._link is not None and self._is_online:
                self._send_due(self._link)
            self._sleep()
            if self._link is not None:
                self._take_in(self._link)
        except ClientError as error:
            self._drop(str(error))

    def close(self) -> None:
        """End the connection, after a last try to send what is due."""
        if self._link is not None:
            if self._is_online:
                with contextlib.suppress(ClientError):
                    self._send_due(self._link)
            self._link.close(_LINGER_SECONDS if self._is_online else 0.0)
        self._context.term()

    def _connect(self) -> None:
        try:
            endpoint = self._find()
        except FileNotFoundError:
            endpoint = None
        if endpoint is None:
            raise NotRunningError(_NOT_RUNNING)
        self._link = Link(self._context, endpoint, self._name, self._patience)

    def _drop(self, reason: str) -> None:
        """Forget the connection, tell the owner once, and try again after a while."""
        tokens = [token for _, token in self._questions]
        self._questions.clear()
        if self._link is not None:
            tokens += [asked.token for asked in self._link.list_asked() if asked.token]
            self._link.close()
            self._link = None
        for token in tokens:
            self._mailbox.put(Answered(token, None, reason))
        for job in self._jobs.values():
            job.sent = job.fetching = job.cancel_sent = False
        self._acknowledged = dict.fromkeys(self._acknowledged, False)
        if self._is_online or reason != self._reason:
            self._mailbox.put(Disconnected(reason), key="connection")
        self._is_online, self._reason = False, reason
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LAST_RETRY_SECONDS)

    def _sleep(self) -> None:
        now = time.monotonic()
        wait = _LOOK_SECONDS if self._link is not None else max(0.0, self._retry_at - now)
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        for channel in self._link.sockets if self._link is not None else ():
            poller.register(channel, zmq.POLLIN)
        ready = dict(poller.poll(round(wait * 1000)))
        if self._wake.fileno() in ready:
            self._wake.recv(4096)

    def _send_due(self, link: Link) -> None:
        now = time.monotonic()
        if now >= self._beat and not link.is_asking(Watch):
            self._beat = now + HEARTBEAT_SECONDS
            self._watch(link)
        under_way = sum(job.sent and job.submit is not None for job in self._jobs.values())
        for job in self._jobs.values():
            if job.submit is not None:
                if not job.sent and now >= job.due and under_way < _SUBMITS_AT_ONCE:
                    under_way += 1
                    job.sent = job.tried = True
                    link.send(job.submit)
            elif job.cancel and not job.cancel_sent:
                job.cancel_sent = True
                link.send(Cancel(job.job))
        for job_id, sent in self._acknowledged.items():
            if not sent:
                self._acknowledged[job_id] = True
                link.send(Acknowledge(job_id))
        while self._questions:
            link.send(*self._questions[0])
            self._questions.pop(0)  # not before it is sent: it is answered in any case
        self._fetch_next(link, now)

    def _watch(self, link: Link) -> None:
        """The heartbeat: also without jobs, to see that the backend is there."""
        groups = [
            [job.job for job in self._jobs.values() if job.submit is None and job.previews == previews]
            for previews in (False, True)
        ]
        for previews, jobs in enumerate(groups):
            for start in range(0, len(jobs) or 1 - previews, MAX_JOBS_PER_MESSAGE):
                link.send(Watch(tuple(jobs[start : start + MAX_JOBS_PER_MESSAGE]), bool(previews)))

    def _fetch_next(self, link: Link, now: float) -> None:
        """One result at a time, and only while the owner takes them."""
        if link.is_asking(Fetch) or self._mailbox.size >= MAX_UNTAKEN_BYTES:
            return
        for job in self._jobs.values():
            if job.status is not None and job.status.state == "done" and not job.fetching and now >= job.due:
                job.fetching = True
                link.send(Fetch(job.job))
                return

    def _take_in(self, link: Link) -> None:
        for asked, message in link.read():
            if asked is None:
                self._take_event(message)
            elif asked.token:
                self._answer(asked, message)
            else:
                self._take_reply(link, asked.message, message)
        if link.is_ready and link.welcome is not None and not self._is_online:
            restarted = self._instance not in (None, link.welcome.instance)
            self._instance = link.welcome.instance
            self._is_online, self._reason, self._beat = True, None, 0.0
            self._mailbox.put(Connected(link.welcome, restarted), key="connection")
        link.check()

    def _take_event(self, message: Message) -> None:
        if isinstance(message, Update):
            self._note(message.status)
        elif isinstance(message, Preview) and message.job in self._jobs:
            size = sum(array.nbytes for array in message.parts.values())
            self._mailbox.put(Previewed(message), key=("preview", message.job), size=size)
        elif isinstance(message, Error):
            raise NotRunningError(f"the backend could not read our message: {message.message}")

    def _answer(self, asked: Asked, message: Message) -> None:
        if isinstance(message, Error):
            self._mailbox.put(Answered(asked.token, None, message.message))
        else:
            self._mailbox.put(Answered(asked.token, message, None))

    def _take_reply(self, link: Link, request: Message, reply: Message) -> None:
        if isinstance(request, Acknowledge):  # refused or not, saying it again would change nothing
            self._acknowledged.pop(request.job, None)
        elif isinstance(reply, Error) and isinstance(request, (Submit, Fetch, Cancel)):
            self._take_refusal(request, reply)
        elif isinstance(reply, Error):
            raise NotRunningError(f"the backend refused {request.type}: {reply.message}")
        elif isinstance(request, Submit) and isinstance(reply, Accepted):
            self._note(reply.status)
        elif isinstance(request, Fetch) and isinstance(reply, Result):
            if self._jobs.pop(request.job, None) is not None:
                self._mailbox.put(Finished(reply), size=sum(array.nbytes for array in reply.parts.values()))
        elif isinstance(request, Watch) and isinstance(reply, Statuses):
            self._take_statuses(link, reply)
        elif isinstance(request, Cancel) and isinstance(reply, Statuses):
            for status in reply.statuses:  # of the other channel: what is not final may be old
                if status.is_final:
                    self._note(status)
        else:
            raise ProtocolError(f"the backend answered {request.type} by {reply.type}; update the backend")

    def _take_statuses(self, link: Link, reply: Statuses) -> None:
        if link.welcome is not None and reply.instance != link.welcome.instance:
            raise NotRunningError("the backend was started anew; connecting again")
        self._pause = FIRST_RETRY_SECONDS  # this connection works
        for status in reply.statuses:
            self._note(status)
        for job in reply.unknown:
            record = self._jobs.get(job)
            if record is not None and record.submit is None:
                self._fail(job, "unknown_job", f"the backend does not know job {job} any more; submit it again")

    def _take_refusal(self, request: Submit | Fetch | Cancel, reply: Error) -> None:
        record = self._jobs.get(request.job)
        if record is None:
            return
        waits = reply.code in ("busy", "stopping") and not isinstance(request, Cancel)
        if waits:
            record.sent = record.fetching = False
            record.due = time.monotonic() + (reply.retry_after if reply.retry_after is not None else _BUSY_SECONDS)
        else:
            self._fail(request.job, reply.code, reply.message)

    def _note(self, status: JobStatus) -> None:
        """Take in where a job is; what comes late or twice changes nothing."""
        record = self._jobs.get(status.job)
        if record is None or status == record.status or (record.status is not None and record.status.is_final):
            return
        record.status, record.submit = status, None
        self._mailbox.put(Updated(status), key=("status", status.job))
        if status.error is not None:
            self._fail(status.job, status.error.code, status.error.message)
        elif status.state == "cancelled":
            self._fail(status.job, "cancelled", f"job {status.job} was cancelled; submit it again if you need it")
        elif status.state == "done" and not status.has_result:
            self._fail(status.job, "no_result", f"the backend has no result of job {status.job}; submit it again")

    def _fail(self, job: str, code: str, message: str) -> None:
        self._jobs.pop(job, None)
        self._mailbox.put(Failed(job, code, message))
