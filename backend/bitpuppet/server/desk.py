"""Where requests are answered: one reply to each, from what the ledger knows; nothing here waits for a worker."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence

from bitpuppet import __version__
from bitpuppet.server.ledger import Ledger
from bitpuppet.server.metrics import Counters
from bitpuppet.server.models import ModelFolder, SetFolder
from bitpuppet.server.record import Job
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.store import StoreError
from bitpuppet.server.watchers import Watchers
from bitpuppet_client.jobs import ANNOUNCED, ReadParams, TrainParams
from bitpuppet_client.messages import (
    CONTROL_REQUESTS,
    JOB_REQUESTS,
    Accepted,
    Acknowledge,
    Acknowledged,
    Cancel,
    DeleteModel,
    Error,
    Fetch,
    Health,
    HealthReport,
    Hello,
    Library,
    LibraryPage,
    ListJobs,
    Message,
    Metrics,
    MetricsReport,
    ModelChanged,
    RenameModel,
    Report,
    Result,
    Shutdown,
    Status,
    Statuses,
    Steer,
    Stopping,
    Submit,
    Watch,
    Welcome,
)
from bitpuppet_client.parts import Array

CHANNELS = {"control": CONTROL_REQUESTS, "jobs": JOB_REQUESTS}
_LOG = logging.getLogger(__name__)


class Desk:
    """Answers. What only the broker can do, it is asked to do by the given functions."""

    def __init__(
        self,
        instance: str,
        ledger: Ledger,
        models: ModelFolder,
        sets: SetFolder,
        kinds: Sequence[str],
        watchers: Watchers,
        counters: Counters,
        *,
        check_health: Callable[[], HealthReport],
        collect_metrics: Callable[[], Report],
        tell_worker: Callable[[str, Message], None],
        steer: Callable[[str, str], Job],
        show_sample: Callable[[str, bytes], None],
        stop: Callable[[bool], None],
    ) -> None:
        """Keep what answers are made of.

        Args:
            instance: UUID of this start of the server.
            ledger: the jobs.
            models: what jobs may name.
            sets: the character sets that trainings may name.
            kinds: of jobs that are run here.
            watchers: who hears of which job.
            counters: what is counted.
            check_health: makes the health report.
            collect_metrics: makes the metrics.
            tell_worker: sends a message to the worker that has a job, if one has.
            steer: pauses, resumes or finishes a training.
            show_sample: sends the newest sample of a training, if it has one, to a connection.
            stop: stops the server, after its jobs or before.
        """
        self.is_stopping = False
        self._instance, self._ledger, self._models, self._kinds = instance, ledger, models, tuple(kinds)
        self._watchers, self._counters = watchers, counters
        self._check_health, self._collect_metrics = check_health, collect_metrics
        self._sets, self._steer, self._show_sample = sets, steer, show_sample
        self._tell_worker, self._stop = tell_worker, stop

    def answer(self, channel: str, peer: bytes, message: Message, now: float) -> Message:
        """The reply to a request.

        Args:
            channel: where it came, `control` or `jobs`.
            peer: the connection.
            message: the request.
            now: the steady clock.
        """
        self._counters.requests += 1
        try:
            if not isinstance(message, CHANNELS[channel]):
                other = "jobs" if channel == "control" else "control"
                raise Refusal("wrong_channel", f"{message.type} goes to the {other} channel; send it there")
            return self._answer(peer, message, now)
        except Refusal as error:
            self._counters.refused += 1
            return error.to_error()
        except StoreError as error:
            _LOG.error("%s", error)
            return Error("internal", error.told)

    def _answer(self, peer: bytes, message: Message, now: float) -> Message:
        match message:
            case Hello():
                _LOG.info("hello from %s %s", message.client, message.version)
                return self._welcome()
            case Submit():
                return self._submit(peer, message, now)
            case Watch():
                self._watch(peer, message, now)
                return self._list_statuses(message.jobs)
            case Fetch():
                job, report, parts = self._ledger.fetch(message.job)
                return Result(job.id, job.kind, report, parts)
            case Acknowledge():
                self._ledger.acknowledge(message.job)
                return Acknowledged(message.job)
            case Status():
                return self._list_statuses(message.jobs)
            case ListJobs():
                return self._list_page(message)
            case Cancel():
                job = self._ledger.cancel(message.job)
                if job.state == "running":
                    self._tell_worker(job.id, message)
                return Statuses(self._instance, (self._ledger.describe(job),), (), None)
            case Steer():
                job = self._steer(message.job, message.action)
                return Statuses(self._instance, (self._ledger.describe(job),), (), None)
            case Library():
                cards, after = self._models.describe(message.after)
                return LibraryPage(cards, tuple(self._sets.list()), after)
            case RenameModel():
                self._check_unused(message.name)
                self._check_new(message.to)
                self._models.rename(message.name, message.to)
                return ModelChanged(message.to)
            case DeleteModel():
                self._check_unused(message.name)
                self._models.delete(message.name)
                return ModelChanged(None)
            case Health():
                return self._check_health()
            case Metrics():
                return MetricsReport(self._collect_metrics())
            case Shutdown():
                _LOG.info("told to stop, %s", "after all jobs" if message.finish else "now")
                self._stop(message.finish)
                return Stopping()
        raise Refusal("unknown_type", f"{message.type} is not known here; update the backend")

    def _welcome(self) -> Welcome:
        models = tuple(self._models.list())
        kinds = tuple(kind for kind in self._kinds if kind in ANNOUNCED)
        return Welcome(__version__, self._instance, models, kinds, self._ledger.settings.limits)

    def _submit(self, peer: bytes, submit: Submit, now: float) -> Accepted:
        # A job that is known is answered whatever has changed since: it may have been accepted in other times.
        job, known_before = self._ledger.submit(submit, self._check_submit)
        self._counters.submitted += not known_before
        if not job.is_final:
            for name in self._watchers.add(peer, [job.id], now, previews=submit.previews):
                self._show_sample(name, peer)
            self._ask_for_previews(job, submit.previews)
        return Accepted(self._ledger.describe(job), known_before)

    def _check_submit(self, submit: Submit) -> None:
        """Raise Refusal for a job that this server does not take."""
        if self.is_stopping:
            raise Refusal("stopping", "the server is stopping; start it again, then submit the job", job=submit.job)
        kind = submit.params.kind
        if kind not in self._kinds:
            raise Refusal("unsupported", f"this server runs no jobs of the kind {kind}; update it", job=submit.job)
        if isinstance(submit.params, TrainParams):
            self._models.find(submit.params.base)
            self._sets.find(submit.params.characters)
            self._check_new(submit.params.name)
            self._models.check_free(submit.params.name)
        elif not isinstance(submit.params, ReadParams):
            self._models.find(submit.params.model)
        check_amount(submit.parts.values(), self._ledger.settings.limits.pixels, "pixels", _count_pixels)
        check_amount(submit.parts.values(), self._ledger.settings.limits.message_bytes, "bytes", _count_bytes)
        for array in () if isinstance(submit.params, ReadParams) else submit.parts.values():
            check_amount([array], self._ledger.settings.limits.frames, "frames in one part", len)

    def _check_unused(self, name: str) -> None:
        """Raise Refusal while a job needs a model."""
        users = sum(job.model == name for job in self._ledger.live.values())
        if users:
            raise Refusal("busy", f"{users} jobs need the model {name}; wait for them, or cancel them", retry_after=5.0)

    def _check_new(self, name: str) -> None:
        """Raise Refusal where a training is to make a model of this name."""
        for job in self._ledger.live.values():
            if job.is_training and json.loads(job.params)["name"] == name:
                raise Refusal("conflict", f"a training makes a model {name} already; choose another name", job=job.id)

    def _watch(self, peer: bytes, watch: Watch, now: float) -> None:
        found = self._ledger.find(watch.jobs)
        live = [job.id for job in found.values() if not job.is_final]
        for name in self._watchers.add(peer, live, now, previews=watch.previews):
            self._show_sample(name, peer)
        for job in found.values():
            self._ask_for_previews(job, watch.previews)

    def _ask_for_previews(self, job: Job, wanted: bool) -> None:
        if wanted and job.state == "running":
            self._tell_worker(job.id, Watch((job.id,), previews=True))

    def _list_statuses(self, jobs: Sequence[str]) -> Statuses:
        found = self._ledger.find(jobs)
        known = tuple(self._ledger.describe(found[job]) for job in jobs if job in found)
        return Statuses(self._instance, known, tuple(job for job in jobs if job not in found), None)

    def _list_page(self, request: ListJobs) -> Statuses:
        before = None
        if request.after is not None:
            if not request.after.isdecimal() or len(request.after) > 18:
                raise Refusal("bad_parameter", "the cursor `after` is none that this server gave; leave it out")
            before = int(request.after)
        jobs = self._ledger.list_page(request.states, request.limit, before)
        after = str(jobs[-1].sequence) if len(jobs) == request.limit else None
        return Statuses(self._instance, tuple(self._ledger.describe(job) for job in jobs), (), after)


def check_amount(arrays: Iterable[Array], most: int, what: str, count: Callable[[Array], int]) -> None:
    """Raise Refusal when arrays hold more than the server's own limit."""
    amount = sum(count(array) for array in arrays)
    if amount > most:
        raise Refusal("too_large", f"{amount} {what} in one job, this server's limit is {most}; send fewer")


def _count_pixels(array: Array) -> int:
    return int(array.size) // 4 if array.ndim == 4 else 0


def _count_bytes(array: Array) -> int:
    return int(array.nbytes)
