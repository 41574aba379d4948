"""A small server that speaks the protocol over real sockets with real keys, and misbehaves on request."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import zmq
from zmq.auth.thread import ThreadAuthenticator

from bitpuppet_client import endpoint, jobs, messages, wire
from bitpuppet_client.errors import ProtocolError

STEPS = 3
PATIENCE = 60.0
"""Seconds for what must happen at last: the machine may be busy with other things."""


def make_frames(count: int = 2, side: int = 4, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise (count, side, side + 1, 4): not square, so that swapped sides show."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side + 1, 4), np.uint8)


def make_retarget(seed: int = 0) -> tuple[jobs.RetargetParams, dict[str, Any]]:
    """A small job; each seed has other pictures."""
    return jobs.RetargetParams(seed=seed), {"content": make_frames(2, 4, seed), "motion": make_frames(3, 5, seed + 1)}


def perform(submit: messages.Submit) -> messages.Result:
    """What the fake model draws: it shows which job the frames belong to."""
    content = submit.parts.get("content", submit.parts.get("motion"))
    assert content is not None
    frames = np.repeat(255 - content[:1], len(submit.parts["motion"]), axis=0)
    return messages.Result(submit.job, submit.params.kind, {"seed": submit.params.seed}, {"frames": frames})  # type: ignore[union-attr]


@dataclass
class Record:
    """A job in the fake's memory."""

    submit: messages.Submit
    status: messages.JobStatus
    watchers: dict[bytes, bool] = field(default_factory=dict)


class FakeServer:
    """One thread with two ROUTER sockets. Set the public attributes to make it misbehave."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "backend.json"
        self.jobs: dict[str, Record] = {}
        self.seen: list[messages.Message] = []
        self.runs: dict[str, int] = {}
        self.is_held = False  # jobs make no steps
        self.is_silent = False  # reads and never answers
        self.busy_times = 0  # submits to refuse
        self.drop_events = False
        self.answer: Callable[[messages.Message], messages.Message | None] = lambda message: None
        self.client_keys = zmq.curve_keypair()
        self.thread: threading.Thread | None = None

    def start(self, *, addresses: tuple[str, str] | None = None, keep_keys: bool = False) -> endpoint.Endpoint:
        """Begin to listen, at new ports unless addresses are given, as another instance and with new server keys."""
        if not keep_keys:
            self.server_keys = zmq.curve_keypair()
        self.instance, self.stopping = str(uuid4()), threading.Event()
        bound: list[endpoint.Endpoint] = []
        ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(addresses, bound, ready), daemon=True)
        self.thread.start()
        assert ready.wait(PATIENCE)
        self.endpoint = bound[0]
        endpoint.write_endpoint(self.path, self.endpoint)
        return self.endpoint

    def stop(self) -> None:
        """Go away without a word, as after kill -9; the endpoint file stays."""
        if self.thread is not None:
            self.stopping.set()
            self.thread.join(PATIENCE)
            assert not self.thread.is_alive()
            self.thread = None

    def count(self, kind: type[messages.Message]) -> int:
        """How many messages of a kind came."""
        return sum(isinstance(message, kind) for message in list(self.seen))

    def _serve(self, addresses: tuple[str, str] | None, bound: list[endpoint.Endpoint], ready: threading.Event) -> None:
        context = zmq.Context()
        guard = ThreadAuthenticator(context)
        guard.start()
        guard.configure_curve_callback("*", credentials_provider=self)
        control, work = (self._bind(context, where) for where in addresses or ("tcp://127.0.0.1:*",) * 2)
        ends = [socket.getsockopt_string(zmq.LAST_ENDPOINT) for socket in (control, work)]
        client, secret = (key.decode() for key in self.client_keys)
        bound.append(
            endpoint.Endpoint(
                "0.1.0", self.instance, os.getpid(), ends[0], ends[1], self.server_keys[0].decode(), client, secret
            )
        )
        ready.set()
        try:
            while not self.stopping.is_set():
                for socket in (control, work):
                    while socket.poll(5):
                        self._take(socket, socket.recv_multipart(copy=False), is_control=socket is control)
                self._advance(work)
        finally:
            control.close(0)
            work.close(0)
            guard.stop()
            context.term()

    def callback(self, domain: str, key: bytes) -> bool:
        """The allow-list of keys, as the authenticator asks."""
        return key == self.client_keys[0]

    def _bind(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self.server_keys
        for _ in range(100):  # the last one may still be leaving
            try:
                socket.bind(address)
                break
            except zmq.ZMQError:
                time.sleep(0.05)
        return socket

    def _take(self, socket: zmq.Socket[bytes], frames: list[zmq.Frame], *, is_control: bool) -> None:
        peer = frames[0].bytes
        try:
            packet = wire.decode_request([frame.buffer for frame in frames[1:]])
        except ProtocolError as error:
            self._send(socket, peer, messages.Error.from_refusal(error), error.request)
            return
        self.seen.append(packet.message)
        if self.is_silent:
            return
        allowed = messages.CONTROL_REQUESTS if is_control else messages.JOB_REQUESTS
        if isinstance(packet.message, allowed):
            reply = self.answer(packet.message) or self._reply(packet.message, peer)
        else:
            reply = messages.Error("wrong_channel", "this goes to the other channel; send it there")
        if not self.is_silent:  # not even about what it just did
            self._send(socket, peer, reply, packet.request)

    def _send(self, socket: zmq.Socket[bytes], peer: bytes, message: messages.Message, request: int) -> None:
        socket.send_multipart([peer, *wire.encode(message, request)])

    def _reply(self, message: messages.Message, peer: bytes) -> messages.Message:
        match message:
            case messages.Hello():
                model = messages.ModelInfo("sprite64", "sprite64", "0123456789abcdef", 64)
                return messages.Welcome("0.1.0", self.instance, (model,), jobs.KINDS, messages.ServerLimits())
            case messages.Submit():
                return self._accept(message, peer)
            case messages.Watch():
                for job in message.jobs:
                    if job in self.jobs:
                        self.jobs[job].watchers[peer] = message.previews
                return self._tell(message.jobs)
            case messages.Status():
                return self._tell(message.jobs)
            case messages.ListJobs():
                return self._list(message)
            case messages.Health():
                return messages.HealthReport("ready")
            case messages.Steer() if message.job in self.jobs:
                return self._tell((message.job,))
            case messages.Library():
                return self._list_models(message)
            case messages.RenameModel():
                return messages.ModelChanged(message.to)
            case messages.DeleteModel():
                return messages.ModelChanged(None)
            case messages.Metrics():
                return messages.MetricsReport({"queued": 0, "devices": ("cpu",)})
            case messages.Shutdown():
                return messages.Stopping()
            case messages.Acknowledge():
                record = self.jobs.get(message.job)
                if record is not None and not record.status.is_final:
                    return messages.Error("not_finished", "the job goes on; wait for it", message.job)
                self.jobs.pop(message.job, None)
                return messages.Acknowledged(message.job)
            case messages.Fetch() | messages.Cancel() | messages.Steer() if message.job not in self.jobs:
                return messages.Error("unknown_job", "no such job; submit it again", message.job)
            case messages.Cancel():
                record = self.jobs[message.job]
                if not record.status.is_final:
                    record.status = replace(record.status, state="cancelled", position=None)
                return self._tell((message.job,))
            case messages.Fetch():
                if self.jobs[message.job].status.state != "done":
                    return messages.Error("not_finished", "the job goes on; wait for it", message.job)
                return perform(self.jobs[message.job].submit)
        raise AssertionError(message)

    def _accept(self, message: messages.Submit, peer: bytes) -> messages.Message:
        if self.busy_times > 0:
            self.busy_times -= 1
            return messages.Error("busy", "the queue is full; try again", message.job, 0.01)
        old = self.jobs.get(message.job)
        if old is not None:
            if wire.digest(old.submit) != wire.digest(message):
                return messages.Error("conflict", "this id is another job's; make a new one", message.job)
            return messages.Accepted(old.status, known=True)
        self.runs[message.job] = self.runs.get(message.job, 0) + 1
        kind, steps = message.params.kind, STEPS
        status = messages.JobStatus(message.job, kind, "queued", message.priority, time.time(), position=0, steps=steps)
        # The frames' buffers belong to the message: a copy is the server's own.
        parts = {name: array.copy() for name, array in message.parts.items()}
        self.jobs[message.job] = Record(replace(message, parts=parts), status, {peer: message.previews})
        return messages.Accepted(status, known=False)

    def _tell(self, wanted: tuple[str, ...]) -> messages.Statuses:
        known = tuple(self.jobs[job].status for job in wanted if job in self.jobs)
        return messages.Statuses(self.instance, known, tuple(job for job in wanted if job not in self.jobs))

    def _list(self, message: messages.ListJobs) -> messages.Statuses:
        found = [record.status for record in reversed(list(self.jobs.values()))]
        found = [status for status in found if not message.states or status.state in message.states]
        start = int(message.after or 0)
        page = tuple(found[start : start + message.limit])
        end = start + len(page)
        return messages.Statuses(self.instance, page, after=str(end) if end < len(found) else None)

    def _list_models(self, message: messages.Library) -> messages.LibraryPage:
        """Three models, one a page."""
        names = ["a", "b", "c"]
        at = names.index(message.after) + 1 if message.after is not None else 0
        model = messages.ModelInfo(names[at], "sprite64", "0123456789abcdef", 64)
        card = messages.ModelCard(model, 9, 1.0, True, {"steps": 3})
        return messages.LibraryPage((card,), ("knights",), names[at] if at < 2 else None)

    def _advance(self, work: zmq.Socket[bytes]) -> None:
        """One step of each job, unless held."""
        for record in self.jobs.values():
            if self.is_held or record.status.is_final:
                continue
            step = record.status.step + 1
            done = step == STEPS
            state = "done" if done else "running"
            record.status = replace(record.status, state=state, step=step, position=None, attempts=1, has_result=done)
            if self.drop_events:
                continue
            for peer, previews in record.watchers.items():
                self._send(work, peer, messages.Update(record.status), 0)
                if previews:
                    frames = perform(record.submit).parts
                    self._send(work, peer, messages.Preview(record.submit.job, step, STEPS, frames), 0)


def wait_for(ready: Callable[[], object], what: str) -> None:
    """Wait until something is so, and fail with a name when it never is."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
