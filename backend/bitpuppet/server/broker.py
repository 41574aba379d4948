"""The broker: one loop that reads requests, gives jobs to workers and passes on what they tell. It computes nothing.

The control channel is read first in every round, and a round takes a bounded number of messages, so that it is answered
at once whatever devices and other clients do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import zmq

from bitpuppet.server.channel import Channel, read_number
from bitpuppet.server.clock import Clock
from bitpuppet.server.desk import Desk
from bitpuppet.server.ledger import Ledger
from bitpuppet.server.life import Vitals
from bitpuppet.server.metrics import Counters, collect_metrics
from bitpuppet.server.models import ModelFolder, SetFolder
from bitpuppet.server.overseer import Overseer
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import Settings
from bitpuppet.server.trainings import Trainings
from bitpuppet.server.watchers import Watchers
from bitpuppet.server.workers import WorkerHandle
from bitpuppet_client import wire
from bitpuppet_client.errors import ProtocolError
from bitpuppet_client.messages import Error, HealthReport, Message, Preview, Report, Update, shorten

_ROUND = 32
"""Messages of one socket in one round."""
_IDLE_MS, _STOPPING_MS = 500, 50
_STEP_MS = 100
"""How long a step may wait to be told, in case that another one or the end of the job follows."""
_CLOGGED_MS = 1, 50
"""Shortest and longest wait while replies wait for their readers."""
_SWEEP_SECONDS, _SWEEP_AGAIN_SECONDS = 30.0, 0.5
_FLUSH_SECONDS = 1.0
_ALIVE_SECONDS = 10.0
"""A connection that was heard within this time counts as a client."""
_LOG = logging.getLogger(__name__)


class Broker:
    """Joins the channels, the ledger and the workers."""

    def __init__(
        self,
        instance: str,
        settings: Settings,
        clock: Clock,
        ledger: Ledger,
        models: ModelFolder,
        sets: SetFolder,
        kinds: Sequence[str],
        channels: dict[str, Channel],
        workers: Sequence[WorkerHandle],
        trainer: WorkerHandle,
        vitals: Vitals,
        wakeup: zmq.Socket[bytes],
    ) -> None:
        """Take what the service has opened: `channels` are `control` and `jobs`; `wakeup` ends a wait."""
        self._trainer = trainer
        self._settings, self._clock, self._ledger = settings, clock, ledger
        self._channels, self._workers, self._vitals, self._wakeup = channels, workers, vitals, wakeup
        self._watchers = Watchers()
        self._counters = Counters(clock.steady())
        self._overseer = Overseer(settings, ledger, workers, self._counters)
        self._trainings = Trainings(settings, ledger, trainer, self._counters)
        self._desk = Desk(
            instance,
            ledger,
            models,
            sets,
            kinds,
            self._watchers,
            self._counters,
            check_health=self._check_health,
            collect_metrics=self._collect_metrics,
            tell_worker=self._tell_worker,
            steer=self._trainings.steer,
            show_sample=self._show_sample,
            stop=self.stop,
        )
        self._told: dict[str, tuple[str, float]] = {}
        """Which state of unfinished jobs watchers were told last, and when by the steady clock."""
        self._poller = zmq.Poller()
        self._finish = False
        self._pause = _CLOGGED_MS[0]
        self._stop_at: float | None = None
        self._flushed = clock.steady()
        self._sweep_at = self._flushed + _SWEEP_SECONDS

    def run(self) -> None:
        """Serve until told to stop; jobs that run then are finished or put back."""
        for worker in self._workers:
            worker.start(self._clock.steady())
        while not self._is_over():
            self._wait()
            now = self._clock.steady()
            for name in ("control", "jobs"):
                self._serve(name, now)
            for worker in self._workers:
                self._hear(worker, now, self._overseer.hear)
            self._hear(self._trainer, now, lambda _, message: self._trainings.hear(message))
            self._overseer.check(now, is_stopping=self._stop_at is not None)
            self._trainings.check(now)
            if self._stop_at is None or self._finish:
                self._overseer.dispatch(self._wants_previews)
            if self._stop_at is None:
                self._trainings.dispatch(now)
            self._tell_changes(now)
            self._keep_house(now)
        for one in (self._overseer, self._trainings):
            one.dismiss()
        for one in (self._overseer, self._trainings):
            one.end()
        self._tell_changes(self._clock.steady())
        for channel in self._channels.values():
            channel.close()

    def stop(self, finish: bool) -> None:
        """Take no more jobs and end: after all that wait, or after those that run and a little time.

        Nobody waits for a training: it saves itself, and goes on with the next start of the server. The second time
        that somebody does not want to wait, those that run are put back at once.
        """
        now = self._clock.steady()
        self._desk.is_stopping = True
        if finish:
            if self._stop_at is None:
                self._finish, self._stop_at = True, now
        elif self._stop_at is None or self._finish:
            self._finish, self._stop_at = False, now + self._settings.grace_seconds
        else:
            self._stop_at = now

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        if self._finish:
            return not self._ledger.is_interactive
        runs = any(not job.is_training for job in self._ledger.list_running())
        return not runs or self._clock.steady() >= self._stop_at

    def _wait(self) -> None:
        """Sleep until a message comes or something is due."""
        self._watch_sockets()
        timeout = _IDLE_MS if self._stop_at is None else _STOPPING_MS
        if self._ledger.changed:
            timeout = min(timeout, _STEP_MS)
        shortest, longest = _CLOGGED_MS
        if any([channel.flush() for channel in self._channels.values()]):
            self._pause = shortest
        if any(channel.is_clogged for channel in self._channels.values()):
            timeout = self._pause = min(self._pause * 2, longest)
        if self._wakeup in dict(self._poller.poll(timeout)):
            self._wakeup.recv()

    def _watch_sockets(self) -> None:
        """Have the poller look at what is open now: workers come and go."""
        channels = [channel.socket for channel in self._channels.values()]
        workers = [worker.socket for worker in (*self._workers, self._trainer) if worker.socket is not None]
        sockets = [self._wakeup, *channels, *workers]
        if [id(socket) for socket, _ in self._poller.sockets] != [id(socket) for socket in sockets]:
            self._poller = zmq.Poller()  # the old one kept its sockets, so no number was used again
            for socket in sockets:
                self._poller.register(socket, zmq.POLLIN)

    def _serve(self, name: str, now: float) -> None:
        """Answer what has come on a channel."""
        channel = self._channels[name]
        for peer, frames in channel.receive(_ROUND):
            try:
                channel.admit(peer, now)
                channel.refuse_clogged(peer)
                packet = wire.decode_request(frames)
            except ProtocolError as error:
                self._counters.refused += 1
                channel.reply(peer, Error.from_refusal(error), error.request)
            except Refusal as refusal:
                self._counters.refused += 1
                channel.reply(peer, refusal.to_error(), read_number(frames))
            else:
                self._answer(name, peer, packet, now)

    def _answer(self, name: str, peer: bytes, packet: wire.Packet, now: float) -> None:
        """Send the one reply that every request has."""
        channel = self._channels[name]
        try:
            channel.reply(peer, self._desk.answer(name, peer, packet.message, now), packet.request)
        except Exception:  # a bug with one request must not end the service for all
            _LOG.exception("a bug with %s", packet.message.type)
            bug = Error("internal", f"a bug of the server with {packet.message.type}; see its log, and report it")
            channel.reply(peer, bug, packet.request)

    def _hear(self, worker: WorkerHandle, now: float, hear: Callable[[WorkerHandle, Message], None]) -> None:
        """Take what a worker has told."""
        try:
            messages = worker.receive(_ROUND)
        except ProtocolError as error:
            _LOG.error("worker %d speaks nonsense (%s) and is ended", worker.number, error)
            self._bury(worker, now)
            return
        for message in messages:
            if isinstance(message, Preview):
                self._push(message.job, message, now, previews=True)
            try:
                hear(worker, message)
            except Exception:
                _LOG.exception("a bug with a worker's %s; the worker is ended", message.type)
                self._bury(worker, now)
                return

    def _bury(self, worker: WorkerHandle, now: float) -> None:
        if worker is self._trainer:
            self._trainings.bury(now)
        else:
            self._overseer.bury(worker, now)

    def _tell_worker(self, job: str, message: Message) -> None:
        self._overseer.tell(job, message)
        self._trainings.tell(job, message)

    def _show_sample(self, job: str, peer: bytes) -> None:
        """Samples of a training are rare: who comes late gets the newest one."""
        sample = self._trainings.find_sample(job)
        if sample is not None:
            self._channels["jobs"].push(peer, sample)

    def _tell_changes(self, now: float) -> None:
        """Tell watchers which jobs have changed: a new state at once, a step as soon as it is not too often."""
        changed, self._ledger.changed = self._ledger.changed, {}
        for job in changed.values():
            state, when = self._told.get(job.id, ("", 0.0))
            if job.state == state and now - when < _STEP_MS / 1000:
                self._ledger.changed[job.id] = job
                continue
            self._told[job.id] = job.state, now
            self._push(job.id, Update(self._ledger.describe(job)), now)
            if job.is_final:
                self._watchers.drop(job.id)
                del self._told[job.id]
                self._counters.count_end(job, now)
                _LOG.info("job %s (%s) is %s after %d attempts", job.id, job.kind, job.state, job.attempts)

    def _push(self, job: str, message: Message, now: float, *, previews: bool = False) -> None:
        for peer in self._watchers.find(job, now, previews=previews):
            self._channels["jobs"].push(peer, message)

    def _wants_previews(self, job: str) -> bool:
        return any(self._watchers.find(job, self._clock.steady(), previews=True))

    def _keep_house(self, now: float) -> None:
        """What is due from time to time."""
        if now - self._flushed >= _FLUSH_SECONDS and (self._ledger.is_stuck or self._ledger.problem):
            self._ledger.flush()
            self._flushed = now
        if now >= self._sweep_at:
            more = self._ledger.sweep()
            self._watchers.sweep(now)
            self._sweep_at = now + (_SWEEP_AGAIN_SECONDS if more else _SWEEP_SECONDS)
        for _ in range(self._vitals.take_signals()):
            _LOG.info("stopping: a signal")
            self.stop(False)
        if self._stop_at is None:
            heard = max((channel.heard or 0.0 for channel in self._channels.values()), default=0.0)
            reason = self._vitals.find_end(now, heard, is_busy=self._ledger.is_busy)
            if reason:
                _LOG.info("stopping: %s", reason)
                self.stop(False)

    def _check_health(self) -> HealthReport:
        problems = [*self._overseer.list_problems(), *self._trainings.list_problems()]
        if self._ledger.problem:
            problems.append(self._ledger.problem)
        if self._stop_at is not None:
            state = "stopping"
        elif problems:
            state = "degraded"
        elif not any(worker.report for worker in self._workers):
            state = "starting"
        else:
            state = "busy" if self._ledger.is_busy else "ready"
        return HealthReport(state, tuple(shorten(problem) for problem in problems[:16]))

    def _collect_metrics(self) -> Report:
        now = self._clock.steady()
        clients = max(channel.count_peers(now - _ALIVE_SECONDS) for channel in self._channels.values())
        dropped = sum(channel.dropped for channel in self._channels.values())
        return collect_metrics(self._counters, self._ledger, self._workers, self._trainer, clients, dropped, now)
