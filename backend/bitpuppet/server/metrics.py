"""Counters, for the control channel and `bitpuppet doctor`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from bitpuppet.server.ledger import Ledger
from bitpuppet.server.record import Job
from bitpuppet.server.workers import WorkerHandle
from bitpuppet_client.messages import Report

_WINDOW_SECONDS = 60.0


@dataclass
class Counters:
    """What happened since the start of the server. Times are the steady clock's."""

    started: float
    requests: int = 0
    refused: int = 0
    submitted: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    crashes: int = 0
    frames: int = 0
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def count_end(self, job: Job, now: float) -> None:
        """Count a job that became final."""
        if job.state == "done":
            self.done += 1
            self.frames += job.frames
            self._recent.append((now, job.frames))
            if job.begun is not None and not job.is_training:  # whose hours would hide the seconds of all others
                self.run_seconds += now - job.begun
                self.queue_seconds += max(job.begun - (job.queued_at or job.begun), 0.0)
        elif job.state == "failed":
            self.failed += 1
        else:
            self.cancelled += 1
        self._trim(now)

    def measure_throughput(self, now: float) -> tuple[float, float]:
        """Jobs and frames a second over the last minute, or over the time since the start."""
        self._trim(now)
        seconds = max(min(_WINDOW_SECONDS, now - self.started), 1.0)
        return len(self._recent) / seconds, sum(frames for _, frames in self._recent) / seconds

    def _trim(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - _WINDOW_SECONDS:
            self._recent.popleft()


def collect_metrics(
    counters: Counters,
    ledger: Ledger,
    workers: Sequence[WorkerHandle],
    trainer: WorkerHandle,
    clients: int,
    dropped: int,
    now: float,
) -> Report:
    """All figures under flat names. Those of workers are lists, one item a worker."""
    jobs, frames = counters.measure_throughput(now)
    queued = ledger.list_queued()
    waits = [now - job.queued_at for job in queued if job.queued_at is not None]
    return {
        "uptime_seconds": round(now - counters.started, 1),
        "clients": clients,
        "queued": len(queued),
        "running": len(ledger.list_running()),
        "paused": sum(job.state == "paused" for job in ledger.live.values()),
        "submitted": counters.submitted,
        "done": counters.done,
        "failed": counters.failed,
        "cancelled": counters.cancelled,
        "crashes": counters.crashes,
        "frames": counters.frames,
        "jobs_per_second": round(jobs, 3),
        "frames_per_second": round(frames, 3),
        "queue_seconds_mean": round(counters.queue_seconds / max(counters.done, 1), 4),
        "run_seconds_mean": round(counters.run_seconds / max(counters.done, 1), 4),
        "longest_wait_seconds": round(max(waits, default=0.0), 1),
        "requests": counters.requests,
        "refused": counters.refused,
        "dropped": dropped,
        "store_bytes": ledger.shelf.bytes,
        "memory_bytes": psutil.Process().memory_info().rss,
        "devices": tuple(_tell(worker, "device") for worker in workers),
        "worker_memory_bytes": tuple(_tell(worker, "memory_bytes") for worker in workers),
        "device_memory_bytes": tuple(_tell(worker, "device_memory_bytes") for worker in workers),
        "worker_jobs": tuple(len(worker.jobs) for worker in workers),
        "trainer_memory_bytes": _tell(trainer, "memory_bytes"),
    }


def _tell(worker: WorkerHandle, name: str) -> str | int | None:
    value = worker.report.values.get(name) if worker.report else None
    return value if isinstance(value, (str, int)) else None
