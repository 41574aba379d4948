"""The order of waiting jobs, and which of them run together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from bitpuppet.server.record import Job

TOGETHER = ("retarget",)
"""Kinds of which several jobs can be drawn in one batch."""


def order_jobs(jobs: Iterable[Job]) -> list[Job]:
    """Waiting jobs in the order in which they will run: by priority, then by submission."""
    return sorted((job for job in jobs if job.state == "queued"), key=lambda job: (-job.priority, job.sequence))


def find_positions(ordered: Sequence[Job]) -> Mapping[str, int]:
    """How many jobs are ahead of each; trainings have a queue of their own."""
    ahead = {False: 0, True: 0}
    positions = {}
    for job in ordered:
        positions[job.id] = ahead[job.is_training]
        ahead[job.is_training] += 1
    return positions


def pick_batch(ordered: Sequence[Job], most_jobs: int, most_frames: int) -> list[Job]:
    """The jobs that a free worker takes next: the first one, and others that can be drawn with it.

    A job that a worker died of runs alone, so that it cannot take others with it again.

    Args:
        ordered: from `order_jobs`.
        most_jobs: 1 or more.
        most_frames: of all jobs together; a single job may have more.
    """
    if not ordered:
        return []
    first, *rest = ordered
    batch = [first]
    if most_jobs == 1 or first.kind not in TOGETHER or first.is_suspect:
        return batch
    frames, wanted = first.frames, _describe(first)
    for job in rest:
        if len(batch) == most_jobs:
            break
        if job.is_suspect or frames + job.frames > most_frames or _describe(job) != wanted:
            continue
        batch.append(job)
        frames += job.frames
    return batch


def _describe(job: Job) -> tuple[str, str, object]:
    """What jobs of a batch have in common."""
    return job.kind, job.model, json.loads(job.params).get("steps")
