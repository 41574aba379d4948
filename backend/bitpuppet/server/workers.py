"""The broker's side of its workers: start them, talk to them, and see when one dies or hangs."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import zmq

from bitpuppet.data.folder import CODEC_VARIABLE
from bitpuppet.server.channel import has_message, send_frames
from bitpuppet.server.line import Orders
from bitpuppet.server.logs import follow
from bitpuppet.server.security import Gate, Keys, bind, guard
from bitpuppet.server.settings import LOOPBACK, Settings
from bitpuppet_client import wire
from bitpuppet_client.messages import Message, MetricsReport, Shutdown

COMMAND = (sys.executable, "-P", "-m", "bitpuppet.server.worker")
TRAINER = (sys.executable, "-P", "-m", "bitpuppet.server.trainer")
"""`-P`: a folder that happens to be the current one must not bring modules of its own."""
SECONDS_TO_LEAVE = 5.0
_MOST_PAUSE = 60.0
_MOST_BATCH_FRAMES = 4096
_LOG = logging.getLogger(__name__)


class WorkerHandle:
    """One device's worker: a process, its socket and what it was given. Each start has keys and a port of its own."""

    def __init__(
        self,
        number: int,
        device: str | None,
        settings: Settings,
        context: zmq.Context[zmq.Socket[bytes]],
        gate: Gate,
        wake: Callable[[], None],
        command: Sequence[str],
    ) -> None:
        """Describe a worker; `start` makes it.

        Args:
            number: of the worker, from 0.
            device: what it computes on; None for the best.
            settings: the server's.
            context: the server's.
            gate: that guards its socket.
            wake: called from another thread when the process ends.
            command: program and arguments.
        """
        self.number = number
        self.device = device
        self.jobs: list[str] = []
        """What it was given and has not given back."""
        self.report: MetricsReport | None = None
        """The last that it told of itself; None until it is ready."""
        self.socket: zmq.Socket[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        """Steady clock."""
        self.deaths = 0
        """In a row, without a finished job in between."""
        self.last_words = ""
        """The last line that the process printed."""
        self.is_dismissed = False
        """Whether it was told to leave: its end is no death then."""
        self._settings, self._context, self._gate = settings, context, gate
        self._wake, self._command = wake, list(command)
        self._restart_at = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it can take a job."""
        return self.socket is not None and self.report is not None and not self.jobs and not self.is_dismissed

    @property
    def batch_frames(self) -> int:
        """Frames that its device draws at once with gain; 0 where a batch of jobs gains nothing."""
        value = self.report.values.get("batch_frames") if self.report else None
        return min(value, _MOST_BATCH_FRAMES) if isinstance(value, int) else 0

    def start(self, now: float) -> None:
        """Start the process, unless it is too soon after its last deaths."""
        if now < self._restart_at:
            return
        domain, keys, own = f"worker-{self.number}", Keys.make(), Keys.make()
        self._gate.allow(domain, [keys.public])
        self.socket = self._context.socket(zmq.DEALER)
        guard(self.socket, own, domain)
        self.socket.sndhwm = self.socket.rcvhwm = 1000
        orders = Orders(
            address=bind(self.socket, LOOPBACK, None),
            server_public=own.public.decode(),
            public=keys.public.decode(),
            secret=keys.secret.decode(),
            models=str(self._settings.models),
            device=self.device,
            sets=str(self._settings.sets),
            trainings=str(self._settings.trainings),
        )
        codec = self._settings.codec
        # A session of its own: Ctrl-C in the terminal is for the broker alone.
        self.process = subprocess.Popen(
            self._command,
            env=None if codec is None else os.environ | {CODEC_VARIABLE: codec},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self.process.stdin is not None and self.process.stderr is not None
        with contextlib.suppress(BrokenPipeError):  # it died already, which `has_died` will tell
            self.process.stdin.write(orders.write())
            self.process.stdin.flush()
        follow(self.process.stderr, self._hear, self._wake)
        self.report, self.jobs, self.started, self.last_words = None, [], now, ""
        self.is_dismissed = False
        _LOG.info("worker %d started, process %d", self.number, self.process.pid)

    def send(self, message: Message) -> None:
        """Tell the worker; what does not get through is found when the worker is."""
        if self.socket is not None:
            with contextlib.suppress(zmq.Again):
                send_frames(self.socket, wire.encode(message), zmq.NOBLOCK)

    def receive(self, most: int) -> list[Message]:
        """What the worker has told, at most so many messages. Raises ProtocolError for what no worker says."""
        messages: list[Message] = []
        while self.socket is not None and len(messages) < most and has_message(self.socket):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            messages.append(wire.decode_reply([frame.buffer for frame in frames]).message)
        return messages

    def has_died(self) -> bool:
        """Whether the process has ended."""
        return self.process is not None and self.process.poll() is not None

    def bury(self, now: float) -> list[str]:
        """Clear away what is left of the process, and kill it if it still lives; the jobs that it had."""
        jobs = self._clear(logging.WARNING)
        self.deaths += 1
        pause = min(_MOST_PAUSE, self._settings.restart_seconds * 2 ** (self.deaths - 1))
        self._restart_at = now + (pause if self.deaths > 1 else 0.0)
        return jobs

    def release(self) -> list[str]:
        """The same for a process that was dismissed, and may be started again at once."""
        return self._clear(logging.INFO)

    def _clear(self, level: int) -> list[str]:
        process, jobs = self.process, self.jobs
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            _LOG.log(level, "worker %d has ended with status %s", self.number, process.returncode)
        if self.socket is not None:
            self.socket.close(0)
            self._gate.close(f"worker-{self.number}")
        self.process, self.socket, self.report, self.jobs = None, None, None, []
        return jobs

    def dismiss(self) -> None:
        """Tell the worker to stop with its step."""
        self.is_dismissed = True
        self.send(Shutdown(finish=False))

    def wait(self, seconds: float = SECONDS_TO_LEAVE) -> None:
        """Wait a little for the process to leave."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)

    def _hear(self, line: str) -> None:
        self.last_words = line
        _LOG.warning("worker %d: %s", self.number, line)
