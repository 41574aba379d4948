"""Trainings: one after the other, in a process of their own that waits while other jobs need the device."""

from __future__ import annotations

import logging

from bitpuppet.server.ledger import Ledger
from bitpuppet.server.line import Hold
from bitpuppet.server.metrics import Counters
from bitpuppet.server.record import Job
from bitpuppet.server.settings import Settings
from bitpuppet.server.store import StoreError
from bitpuppet.server.workers import WorkerHandle
from bitpuppet_client.errors import ProtocolError
from bitpuppet_client.messages import Error, Message, MetricsReport, Preview, Result, Steer, Update

PAUSED = "paused"
"""Code by which the trainer says that a training is saved and can go on later."""
_HOPELESS = 3
_QUIET_SECONDS = 0.3
"""How long no other job must be there before a training goes on, so that it does not start and stop all the time."""
_LOG = logging.getLogger(__name__)


class Trainings:
    """The trainer and what it has. Its process is there only as long as there is a training to do."""

    def __init__(self, settings: Settings, ledger: Ledger, trainer: WorkerHandle, counters: Counters) -> None:
        """Take charge of a trainer that is not started yet."""
        self._settings, self._ledger, self._trainer, self._counters = settings, ledger, trainer, counters
        self._is_held = False
        self._disturbed = 0.0
        self._complaint = ""
        self._sample: Preview | None = None

    def tell(self, job: str, message: Message) -> None:
        """Send a message to the trainer, if it has the job."""
        if job in self._trainer.jobs:
            self._trainer.send(message)

    def steer(self, job: str, action: str) -> Job:
        """Pause, resume or finish a training. Raises Refusal when there is none of this id."""
        record = self._ledger.steer(job, action)
        if record.state == "running":
            self.tell(job, Steer(job, action))
        return record

    def find_sample(self, job: str) -> Preview | None:
        """The newest sample of a training that runs."""
        return self._sample if self._sample is not None and self._sample.job == job else None

    def dispatch(self, now: float) -> None:
        """Give the trainer the next training, start it for that, or let it go where there is none."""
        trainer = self._trainer
        waiting = [job for job in self._ledger.list_queued() if job.is_training]
        if self._ledger.is_stuck:
            return
        if trainer.process is None:
            if waiting:
                trainer.start(now)
        elif trainer.is_ready and not waiting:
            trainer.dismiss()
        elif trainer.is_ready:
            self._begin(waiting[0])

    def hear(self, message: Message) -> None:
        """Take what the trainer tells; what it tells of jobs that it has not is not believed."""
        jobs = self._trainer.jobs
        if isinstance(message, MetricsReport):
            self._trainer.report = message
        elif isinstance(message, Error) and message.job is None:
            self._complaint = message.message
        elif isinstance(message, Update):
            if message.status.job in jobs:
                self._ledger.advance(message.status)
        elif isinstance(message, Preview):
            if message.job in jobs:
                self._sample = message
        elif isinstance(message, (Result, Error)) and message.job in jobs:
            jobs.remove(message.job)
            self._trainer.deaths, self._sample = 0, None
            if isinstance(message, Result):
                self._ledger.finish(message.job, message.report, message.parts)
            elif message.code == PAUSED:
                self._ledger.put_back([message.job])
            else:
                self._ledger.fail(message.job, message.code, message.message)

    def check(self, now: float) -> None:
        """Hold the trainer while other jobs are there, and bury it when it died or hangs."""
        trainer = self._trainer
        if trainer.process is None:
            return
        if trainer.has_died():
            if trainer.is_dismissed and not trainer.jobs:
                trainer.release()
            else:
                self.bury(now)
        elif reason := self._find_fault(now):
            _LOG.error("the trainer %s and is ended", reason)
            self.bury(now)
        else:
            self._yield(now)

    def bury(self, now: float) -> None:
        """Clear away the trainer, and see to its training."""
        was_ready, words = self._trainer.report is not None, self._trainer.last_words
        self._ledger.lose(self._trainer.bury(now))
        self._counters.crashes += 1
        self._sample, self._is_held = None, False
        if was_ready:
            return
        self._complaint = f"the trainer does not start: {words}"
        if self._trainer.deaths >= _HOPELESS:
            for job in self._ledger.list_queued():
                if job.is_training:
                    self._ledger.fail(job.id, "crashed", "the trainer does not start; run `bitpuppet doctor`")

    def list_problems(self) -> list[str]:
        """What is wrong with the trainer."""
        if self._complaint and self._trainer.deaths:
            return [self._complaint]
        return [f"the trainer died {self._trainer.deaths} times"] if self._trainer.deaths > 1 else []

    def dismiss(self) -> None:
        """Tell the trainer to save itself and leave."""
        self._trainer.dismiss()

    def end(self) -> None:
        """Wait for a trainer that was dismissed; its training goes on with the next start of the server."""
        self._trainer.wait(self._settings.leave_seconds)
        self._ledger.put_back(self._trainer.release())

    def _begin(self, job: Job) -> None:
        try:
            submit = self._ledger.load(job, previews=True)
        except (StoreError, ProtocolError) as error:
            self._ledger.fail(job.id, "internal", f"it cannot be read any more ({error}); submit it again")
            return
        if self._ledger.begin([job]):
            self._trainer.jobs = [job.id]
            self._trainer.send(submit)
            self._is_held = False
            self._trainer.send(Hold(False))  # one that was on its way when the last training ended means this no more
            if job.finishing:
                self._trainer.send(Steer(job.id, "finish"))

    def _yield(self, now: float) -> None:
        """Let other jobs go first."""
        if self._ledger.is_interactive:
            self._disturbed = now
        waits = self._disturbed > 0 and now - self._disturbed < _QUIET_SECONDS
        if waits != self._is_held and self._trainer.jobs:
            self._is_held = waits
            self._trainer.send(Hold(waits))
        if self._is_held:
            self._note_life(now)

    def _note_life(self, now: float) -> None:
        """Waiting is no sign of death."""
        for name in self._trainer.jobs:
            job = self._ledger.live.get(name)
            if job is not None and not job.cancelling:
                job.heard = now

    def _find_fault(self, now: float) -> str:
        trainer = self._trainer
        if trainer.report is None:
            return "was not ready in time" if now - trainer.started > self._settings.start_seconds else ""
        jobs = [job for name in trainer.jobs if (job := self._ledger.live.get(name))]
        silence = now - max((job.heard or now for job in jobs), default=now)
        if silence > self._settings.training_stall_seconds:
            return f"gave no sign of life for {silence:.0f} s"
        if silence > self._settings.cancel_seconds and any(job.cancelling for job in jobs):
            return "did not stop a cancelled training"
        return ""
