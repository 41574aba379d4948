"""Where requests are answered: one reply to each, from what the ledger knows; nothing here waits for a worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from bitpuppet import __version__
from bitpuppet.server.ledger import Ledger
from bitpuppet.server.metrics import Counters
from bitpuppet.server.models import ModelFolder
from bitpuppet.server.record import Job
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.store import StoreError
from bitpuppet.server.watchers import Watchers
from bitpuppet_client.jobs import Array, TrainParams
from bitpuppet_client.messages import (
    CONTROL_REQUESTS,
    JOB_REQUESTS,
    Accepted,
    Acknowledge,
    Acknowledged,
    Cancel,
    Error,
    Fetch,
    Health,
    HealthReport,
    Hello,
    ListJobs,
    Message,
    Metrics,
    MetricsReport,
    Report,
    Result,
    Shutdown,
    Status,
    Statuses,
    Stopping,
    Submit,
    Watch,
    Welcome,
)

CHANNELS = {"control": CONTROL_REQUESTS, "jobs": JOB_REQUESTS}
_LOG = logging.getLogger(__name__)


class Desk:
    """Answers. What only the broker can do, it is asked to do by the given functions."""

    def __init__(
        self,
        instance: str,
        ledger: Ledger,
        models: ModelFolder,
        kinds: Sequence[str],
        watchers: Watchers,
        counters: Counters,
        *,
        check_health: Callable[[], HealthReport],
        collect_metrics: Callable[[], Report],
        tell_worker: Callable[[str, Message], None],
        stop: Callable[[bool], None],
    ) -> None:
        """Keep what answers are made of.

        Args:
            instance: UUID of this start of the server.
            ledger: the jobs.
            models: what jobs may name.
            kinds: of jobs that are run here.
            watchers: who hears of which job.
            counters: what is counted.
            check_health: makes the health report.
            collect_metrics: makes the metrics.
            tell_worker: sends a message to the worker that has a job, if one has.
            stop: stops the server, after its jobs or before.
        """
        self.is_stopping = False
        self._instance, self._ledger, self._models, self._kinds = instance, ledger, models, tuple(kinds)
        self._watchers, self._counters = watchers, counters
        self._check_health, self._collect_metrics = check_health, collect_metrics
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
        return Welcome(__version__, self._instance, models, self._kinds, self._ledger.settings.limits)

    def _submit(self, peer: bytes, submit: Submit, now: float) -> Accepted:
        if submit.job not in self._ledger.live:
            # A job that is known is answered whatever has changed since: it may have been accepted in other times.
            known = self._ledger.find([submit.job])
            if not known:
                self._check_submit(submit)
        job, known_before = self._ledger.submit(submit)
        self._counters.submitted += not known_before
        if not job.is_final:
            self._watchers.add(peer, [job.id], now, previews=submit.previews)
            self._ask_for_previews(job, submit.previews)
        return Accepted(self._ledger.describe(job), known_before)

    def _check_submit(self, submit: Submit) -> None:
        """Raise Refusal for a job that this server does not take."""
        if self.is_stopping:
            raise Refusal("stopping", "the server is stopping; start it again, then submit the job", job=submit.job)
        kind = submit.params.kind
        if kind not in self._kinds:
            remedy = "use the command `bitpuppet train`" if isinstance(submit.params, TrainParams) else "update it"
            raise Refusal("unsupported", f"this server runs no jobs of the kind {kind}; {remedy}", job=submit.job)
        if not isinstance(submit.params, TrainParams):
            self._models.find(submit.params.model)
        check_amount(submit.parts.values(), self._ledger.settings.limits.pixels, "pixels", _count_pixels)
        check_amount(submit.parts.values(), self._ledger.settings.limits.message_bytes, "bytes", _count_bytes)
        for array in submit.parts.values():
            check_amount([array], self._ledger.settings.limits.frames, "frames in one part", len)

    def _watch(self, peer: bytes, watch: Watch, now: float) -> None:
        found = self._ledger.find(watch.jobs)
        self._watchers.add(peer, [job.id for job in found.values() if not job.is_final], now, previews=watch.previews)
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
