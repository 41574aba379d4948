"""All jobs and what may happen to them: the only place that changes a job's state.

What is told to a client is on disk before. Where the disk refuses, nothing new is taken or begun; results that are
finished by then stay in memory, can be fetched, and are written as soon as there is room.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bitpuppet.server.clock import Clock
from bitpuppet.server.estimates import expect_bytes, expect_frames
from bitpuppet.server.queue import find_positions, order_jobs
from bitpuppet.server.record import MAX_ATTEMPTS, Job
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import Settings
from bitpuppet.server.shelf import Shelf
from bitpuppet.server.store import Store, StoreClock, StoreError
from bitpuppet_client import wire
from bitpuppet_client.jobs import PARAMS
from bitpuppet_client.messages import JobStatus, Submit, shorten
from bitpuppet_client.parts import Array, Parts
from bitpuppet_client.schema import read_object, write_object

_LOG = logging.getLogger(__name__)
BUSY_SECONDS = 5.0
"""When a client may try again after the queue was full."""


class Ledger:
    """The jobs of one store. One thread uses it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open the store and put the jobs of a server that died back into the queue.

        Raises:
            StoreError: the store cannot be used.
        """
        self.settings, self.clock = settings, clock
        self.store = Store(settings.store)
        self.shelf = Shelf(settings, self.store)
        self.time = StoreClock(self.store, clock.steady())
        self.live: dict[str, Job] = {job.id: job for job in self.store.list_unfinished()}
        """Jobs that are not final."""
        self.changed: dict[str, Job] = {}
        """Jobs whose state or step changed since somebody emptied this."""
        self.problem: str | None = None
        """Why the store refuses to take more, if it does."""
        self._unsaved: dict[str, Job] = {}
        self._queue: list[Job] | None = None
        self._positions: Mapping[str, int] | None = None
        self._recover()

    def close(self) -> None:
        """Write what can be written, and close the store."""
        self.flush()
        self.store.close()

    @property
    def is_stuck(self) -> bool:
        """Whether results or states wait for room on the disk: nothing new may begin."""
        return bool(self.shelf.is_waiting or self._unsaved)

    def list_queued(self) -> list[Job]:
        """Waiting jobs in the order in which they will run."""
        if self._queue is None:
            self._queue = order_jobs(self.live.values())
        return self._queue

    @property
    def is_busy(self) -> bool:
        """Whether there is work; a paused training is none."""
        return any(job.state != "paused" for job in self.live.values())

    @property
    def is_interactive(self) -> bool:
        """Whether somebody waits for a job that is no training."""
        return any(not job.is_training for job in self.live.values())

    def list_running(self) -> list[Job]:
        """Jobs that a worker has."""
        return [job for job in self.live.values() if job.state == "running"]

    def find(self, jobs: Sequence[str]) -> dict[str, Job]:
        """Those of the jobs that there are. Raises StoreError."""
        found = {job: self.live.get(job) or self._unsaved.get(job) for job in jobs}
        missing = [job for job, record in found.items() if record is None]
        stored = self.store.find(missing) if missing else {}
        return {job: record for job in jobs if (record := found[job] or stored.get(job)) is not None}

    def get(self, job: str) -> Job:
        """One job. Raises Refusal when there is none."""
        record = self.find([job]).get(job)
        if record is None:
            raise Refusal("unknown_job", "there is no such job here, or its result has expired; submit it", job=job)
        return record

    def list_page(self, states: Sequence[str], limit: int, before: int | None) -> list[Job]:
        """Jobs, newest first: see `Store.list_page`. Raises StoreError."""
        page = self.store.list_page(states, limit, before)
        return [self._unsaved.get(job.id) or self.live.get(job.id) or job for job in page]

    def describe(self, job: Job) -> JobStatus:
        """What clients are told of a job."""
        position = None
        if job.state == "queued":
            if self._positions is None:
                self._positions = find_positions(self.list_queued())
            position = self._positions.get(job.id)
        return job.to_status(position=position, now=self.clock.steady())

    def submit(self, submit: Submit, check: Callable[[Submit], None] = lambda _: None) -> tuple[Job, bool]:
        """Take a job, which `check` may refuse where it was not here before; also whether it was.

        Raises:
            Refusal: another job has this id, too many wait, or the store is full.
        """
        known = self.find([submit.job]).get(submit.job)
        if known is None:
            check(submit)
        digest = wire.digest(submit)
        if known is not None:
            if known.digest != digest:
                raise Refusal("conflict", "another job has this id already; make a new id for each job", job=submit.job)
            return known, True
        waiting = sum(job.state == "queued" for job in self.live.values())
        if waiting >= self.settings.limits.queued_jobs:
            told = f"{waiting} jobs wait already, that is the limit; wait until some are done"
            raise Refusal("busy", told, job=submit.job, retry_after=BUSY_SECONDS)
        if self.is_stuck:
            raise Refusal("store_full", self.problem or "the server's disk is full; make room on it", job=submit.job)
        sent = sum(array.nbytes for array in submit.parts.values())
        self.shelf.make_room(sent + expect_bytes(submit), submit.job)
        job = Job(
            id=submit.job,
            kind=submit.params.kind,
            model=str(getattr(submit.params, "model", getattr(submit.params, "base", ""))),
            params=json.dumps(write_object(submit.params)),
            digest=digest,
            priority=submit.priority,
            created=self.clock.wall(),
            input_bytes=0,
            frames=expect_frames(submit),
            queued_at=self.clock.steady(),
        )
        try:
            self.shelf.put_input(job, submit.parts)
            self.store.insert(job)
        except StoreError as error:
            self.shelf.drop_input(job.id, job.input_bytes)
            self._tell(error)
            raise Refusal("store_full", error.told, job=job.id) from error
        self.live[job.id] = job
        self._queue = self._positions = None  # the reply tells of it, and nobody else knows of it yet
        return job, False

    def load(self, job: Job, *, previews: bool) -> Submit:
        """A waiting job as it was submitted. Raises StoreError or ProtocolError when that cannot be read any more."""
        params = read_object(PARAMS[job.kind], json.loads(job.params), "the stored job")
        return Submit(job.id, params, self.shelf.read_input(job), job.priority, previews)

    def begin(self, jobs: Sequence[Job]) -> bool:
        """Note that a worker gets jobs, before it gets them: whoever kills it is known afterwards.

        Returns:
            Whether this could be written; if not, the jobs must not run.
        """
        before = [(job, job.state, job.attempts, job.started) for job in jobs]
        now = self.clock.steady()
        try:
            for job in jobs:
                job.state, job.attempts, job.started = "running", job.attempts + 1, self.clock.wall()
                job.restart()
                job.begun = job.heard = now
                self.store.update(job)
        except StoreError as error:
            self._tell(error)
            for job, state, attempts, started in before:
                job.state, job.attempts, job.started = state, attempts, started
                self._unsaved[job.id] = job
            return False
        for job in jobs:
            self._note(job)
        return True

    def advance(self, status: JobStatus) -> None:
        """Note a step of a job. The first one, 0, starts its clock: a job of a batch may have waited for others.

        Args:
            status: as the worker knows it: step, steps, and a training's losses and remaining time.
        """
        record = self.live.get(status.job)
        if record is None or record.state != "running":
            return
        record.advance(status, self.clock.steady())
        self.changed[status.job] = record

    def finish(self, job: str, report: Mapping[str, Any], parts: Parts) -> Job | None:
        """Keep a result; None when nobody waits for it (any more)."""
        record = self.live.get(job)
        if record is None or record.state != "running":
            return None
        if record.cancelling:
            self._end(record, "cancelled")
            return record
        waited = max((record.begun or 0.0) - (record.queued_at or 0.0), 0.0)
        record.report = json.dumps(dict(report) | {"queue_seconds": round(waited, 4)})
        record.complete()
        error = self.shelf.put_result(record, parts)
        if error:
            self._tell(error)
        # A result that is in memory only is not done on disk: after a kill the job must run again.
        self._end(record, "done", is_written=error is None)
        return record

    def fail(self, job: str, code: str, message: str) -> Job | None:
        """End a job without a result; the code `cancelled` cancels it. None when it is not there (any more)."""
        record = self.live.get(job)
        if record is None:
            return None
        if record.cancelling or code == "cancelled":
            self._end(record, "cancelled")
        else:
            record.error_code, record.error_message = code, shorten(message)
            self._end(record, "failed")
        return record

    def cancel(self, job: str) -> Job:
        """Cancel a job: one that waits at once, one that runs with its step. A final one stays what it is.

        Raises:
            Refusal: there is no such job.
        """
        record = self.get(job)
        if record.state in ("queued", "paused"):
            self._end(record, "cancelled")
        elif record.state == "running" and not record.cancelling:
            record.cancelling = True
            record.heard = self.clock.steady()
            self._save(record)
        return record

    def steer(self, job: str, action: str) -> Job:
        """Pause, resume or finish a training. One that runs is paused and finished after its step, by its trainer.

        Raises:
            Refusal: there is no such job, or it is no training.
        """
        record = self.get(job)
        if not record.is_training:
            raise Refusal(
                "bad_parameter", f"only trainings can be steered, this is a {record.kind}; cancel it", job=job
            )
        if record.is_final:
            return record
        record.pausing = action == "pause" and record.state == "running"
        record.finishing |= action == "finish"
        if action == "pause" and record.state == "queued":
            self._set_aside(record)
        elif action != "pause" and record.state == "paused":
            self._requeue(record)
        return record

    def lose(self, jobs: Iterable[str]) -> None:
        """Put jobs whose worker died back into the queue, once; who was in it twice has failed."""
        for record in self._pick_running(jobs):
            if record.attempts >= MAX_ATTEMPTS and not record.cancelling:
                self.fail(record.id, "crashed", "the worker died twice of this job; send fewer or smaller frames")
            else:
                self._give_back(record)

    def put_back(self, jobs: Iterable[str]) -> None:
        """Put jobs that were stopped in good order back into the queue: this was no attempt."""
        for record in self._pick_running(jobs):
            record.attempts -= 1
            self._give_back(record)

    def fetch(self, job: str) -> tuple[Job, dict[str, Any], Mapping[str, Array]]:
        """A result: the job, its report and its arrays. Raises Refusal when there is none (yet)."""
        record = self.get(job)
        if not record.is_final:
            raise Refusal("not_finished", f"the job is {record.state}; wait for its end", job=job)
        if not record.has_result:
            told = record.explain_no_result()
            raise Refusal("no_result", f"the job has no result, {told}; submit it under a new id", job=job)
        try:
            parts = self.shelf.read_result(record)
        except StoreError as error:
            self.shelf.drop_result(record)
            self._save(record)
            raise Refusal("no_result", error.told, job=job) from error
        return record, record.read_report(), parts

    def acknowledge(self, job: str) -> None:
        """Note that a result is safe with its client. Raises Refusal while the job is unfinished."""
        record = self.find([job]).get(job)
        if record is None or record.acknowledged is not None:
            return
        if not record.is_final:
            raise Refusal("not_finished", f"the job is {record.state}; cancel it, or wait for its end", job=job)
        record.acknowledged = self.time.read(self.clock.steady())
        self.shelf.release(record)
        self._save(record)

    def flush(self) -> None:
        """Write again what the disk refused; forget the problem when all is written."""
        try:
            for record in self.shelf.write_held(self.get):
                self._unsaved[record.id] = record
            for job, record in list(self._unsaved.items()):
                self.store.update(record)
                del self._unsaved[job]
                if record.is_final:
                    self.shelf.drop_input(job, 0)
            if self.problem is not None:
                self.shelf.probe()
                self.store.write_fact("probe", self.clock.steady())
        except StoreError as error:
            self._tell(error)
        else:
            self.problem = None

    def sweep(self) -> int:
        """Let some results go that were acknowledged or kept for long enough; how many went."""
        now = self.clock.steady()
        self.time.keep(now)
        with contextlib.suppress(StoreError):  # the next sweep will
            return self.shelf.sweep(self.time.read(now))
        return 0

    def _recover(self) -> None:
        """Bring jobs of a server that was killed to a state that is true."""
        for job in list(self.live.values()):
            job.queued_at = self.clock.steady()
            if not self.shelf.has_input(job):
                self.fail(job.id, "internal", "its frames are gone from the store; submit it again")
        self.lose([job.id for job in self.list_running()])
        self.shelf.tidy(self.live)
        self.changed.clear()

    def _pick_running(self, jobs: Iterable[str]) -> list[Job]:
        return [job for job in map(self.live.get, jobs) if job is not None and job.state == "running"]

    def _give_back(self, job: Job) -> None:
        """See to a job that no worker has any more and that has not ended."""
        if job.cancelling:
            self._end(job, "cancelled")
        elif job.pausing:
            self._set_aside(job)
        else:
            self._requeue(job)

    def _requeue(self, job: Job) -> None:
        job.state = "queued"
        job.restart()
        job.queued_at = self.clock.steady()
        self._save(job)
        self._note(job)

    def _set_aside(self, job: Job) -> None:
        """Keep a training until somebody wants it to go on."""
        job.state = "paused"
        job.restart()
        self._save(job)
        self._note(job)

    def _end(self, job: Job, state: str, *, is_written: bool = True) -> None:
        job.state = state
        job.finished = self.clock.wall()
        job.ended = self.time.read(self.clock.steady())
        self.live.pop(job.id, None)
        size, job.input_bytes = job.input_bytes, 0
        if is_written:
            self._save(job)
        else:
            self._unsaved[job.id] = job
        # What a job needs goes only when it is certain that the job will not run again.
        self.shelf.drop_input(job.id, size, delete=job.id not in self._unsaved)
        self._note(job)

    def _note(self, job: Job) -> None:
        self.changed[job.id] = job
        self._queue = self._positions = None

    def _save(self, job: Job) -> None:
        try:
            self.store.update(job)
            self._unsaved.pop(job.id, None)
        except StoreError as error:
            self._tell(error)
            self._unsaved[job.id] = job

    def _tell(self, error: StoreError) -> None:
        if self.problem != error.told:
            _LOG.error("%s", error)
        self.problem = error.told
