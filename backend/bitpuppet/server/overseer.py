"""Who gives jobs to workers, takes what comes of them, and deals with workers that die or hang."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from bitpuppet.server.ledger import Ledger
from bitpuppet.server.metrics import Counters
from bitpuppet.server.queue import TOGETHER, pick_batch
from bitpuppet.server.record import Job
from bitpuppet.server.settings import Settings
from bitpuppet.server.store import StoreError
from bitpuppet.server.workers import WorkerHandle
from bitpuppet_client.errors import ProtocolError
from bitpuppet_client.messages import Error, Message, MetricsReport, Result, Submit, Update

_HOPELESS = 3
"""Deaths in a row without ever having been ready, after which waiting jobs are told that they will not run."""
_LOG = logging.getLogger(__name__)


class Overseer:
    """The workers and what they have."""

    def __init__(self, settings: Settings, ledger: Ledger, workers: Sequence[WorkerHandle], counters: Counters) -> None:
        """Take charge of workers that are not started yet."""
        self._settings, self._ledger, self._workers, self._counters = settings, ledger, workers, counters
        self._complaints: dict[int, str] = {}

    def tell(self, job: str, message: Message) -> None:
        """Send a message to the worker that has a job."""
        for worker in self._workers:
            if job in worker.jobs:
                worker.send(message)

    def dispatch(self, wants_previews: Callable[[str], bool]) -> None:
        """Give waiting jobs to workers that are free, or will be in a moment.

        Args:
            wants_previews: whether somebody wants to see a job on its way.
        """
        for worker in self._workers:
            while self._has_room(worker) and not self._ledger.is_stuck:
                most_frames = worker.batch_frames
                most_jobs = self._settings.batch_jobs if most_frames else 1
                batch = pick_batch(self._list_queued(), most_jobs, most_frames)
                if not batch:
                    return
                if worker.jobs and batch[0].is_suspect:
                    break  # it runs alone
                loaded = [pair for job in batch if (pair := self._load(job, wants_previews(job.id)))]
                jobs = [job for job, _ in loaded]
                if jobs and self._ledger.begin(jobs):
                    worker.jobs += [job.id for job in jobs]
                    for _, submit in loaded:
                        worker.send(submit)

    def _has_room(self, worker: WorkerHandle) -> bool:
        """Whether a worker can take jobs: it is free, or its jobs have made their last step.

        So the next one is there when it has brought these to pixels. Who runs for the second time runs alone.
        """
        if not worker.jobs or worker.is_dismissed:
            return worker.is_ready
        jobs = [self._ledger.live.get(name) for name in worker.jobs]
        return all(job is not None and job.kind in TOGETHER and job.is_drawn and job.attempts == 1 for job in jobs)

    def hear(self, worker: WorkerHandle, message: Message) -> None:
        """Take what a worker tells; what it tells of jobs that it has not is not believed."""
        if isinstance(message, MetricsReport):
            worker.report = message
        elif isinstance(message, Error) and message.job is None:
            self._complaints[worker.number] = message.message
        elif isinstance(message, Update):
            if message.status.job in worker.jobs:
                self._ledger.advance(message.status)
        elif isinstance(message, (Result, Error)) and message.job in worker.jobs:
            worker.jobs.remove(message.job)
            worker.deaths = 0
            if isinstance(message, Result):
                self._ledger.finish(message.job, message.report, message.parts)
            else:
                self._ledger.fail(message.job, message.code, message.message)

    def check(self, now: float, *, is_stopping: bool) -> None:
        """Bury workers that died or hang, and start new ones."""
        for worker in self._workers:
            if worker.has_died():
                self.bury(worker, now)
            elif worker.process is not None and (reason := self._find_fault(worker, now)):
                _LOG.error("worker %d %s and is ended", worker.number, reason)
                self.bury(worker, now)
            if worker.process is None and not is_stopping:
                worker.start(now)

    def bury(self, worker: WorkerHandle, now: float) -> None:
        """Clear away a worker, and see to its jobs."""
        was_ready = worker.report is not None
        words = worker.last_words
        jobs = worker.bury(now)
        self._counters.crashes += 1
        self._ledger.lose(jobs)
        if was_ready:
            return
        self._complaints[worker.number] = f"the worker for {worker.device or 'the best device'} does not start: {words}"
        if all(other.deaths >= _HOPELESS and other.report is None for other in self._workers):
            for job in self._list_queued():
                self._ledger.fail(job.id, "crashed", "the worker does not start; run `bitpuppet doctor` to see why")

    def list_problems(self) -> list[str]:
        """What is wrong with workers."""
        problems = []
        for worker in self._workers:
            if worker.number in self._complaints and (worker.report is None or not worker.deaths):
                problems.append(self._complaints[worker.number])
            elif worker.deaths > 1:
                problems.append(f"the worker for {worker.device or 'the best device'} died {worker.deaths} times")
        return problems

    def dismiss(self) -> None:
        """Tell all workers to leave."""
        for worker in self._workers:
            worker.dismiss()

    def end(self) -> None:
        """Wait for workers that were dismissed; what they had is put back into the queue."""
        for worker in self._workers:
            worker.wait()
            self._ledger.put_back(worker.bury(0.0))

    def _list_queued(self) -> list[Job]:
        return [job for job in self._ledger.list_queued() if not job.is_training]

    def _load(self, job: Job, previews: bool) -> tuple[Job, Submit] | None:
        """A job as it was submitted; None when it cannot be read any more, and has failed."""
        try:
            return job, self._ledger.load(job, previews=previews)
        except StoreError as error:
            self._ledger.fail(job.id, "internal", error.told)
        except ProtocolError as error:
            self._ledger.fail(job.id, "internal", f"another version stored it ({error}); submit it again")
        return None

    def _find_fault(self, worker: WorkerHandle, now: float) -> str:
        """Why a worker must be ended; empty while all is well."""
        if worker.report is None:
            is_late = now - worker.started > self._settings.start_seconds
            return "was not ready in time" if is_late else ""
        jobs = [job for name in worker.jobs if (job := self._ledger.live.get(name))]
        if not jobs:
            return ""
        silence = now - max(job.heard or now for job in jobs)
        if silence > self._settings.stall_seconds:
            return f"gave no sign of life for {silence:.0f} s"
        if silence > self._settings.cancel_seconds and any(job.cancelling for job in jobs):
            return "did not stop a cancelled job"
        return ""
