"""A job as the server keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bitpuppet_client.messages import FINAL_STATES, JobError, JobStatus

MAX_ATTEMPTS = 2
"""Runs that may be begun: whatever made the worker die twice does not get a third one."""


@dataclass
class Job:
    """One row of the store. What only matters while the job waits or runs is not written: see the last fields."""

    id: str
    kind: str
    model: str
    params: str
    """JSON object."""
    digest: str
    """`wire.digest` of its submission."""
    priority: int
    created: float
    """Wall clock, as all times that are shown."""
    input_bytes: int
    frames: int
    """Of the result; 0 while unknown."""
    sequence: int = 0
    """Order of submission, given by the store."""
    state: str = "queued"
    started: float | None = None
    finished: float | None = None
    ended: float | None = None
    """When it became final, by the store's own clock, which retention is counted by."""
    acknowledged: float | None = None
    """When its result was acknowledged, by the same clock."""
    step: int = 0
    steps: int = 0
    attempts: int = 0
    cancelling: bool = False
    """Somebody cancelled it while it ran: it will not be run again, and its result is not wanted."""
    report: str | None = None
    """JSON object, once it is done."""
    result_bytes: int = 0
    has_result: bool = False
    error_code: str | None = None
    error_message: str | None = None

    begun: float | None = None
    """Steady clock: when the worker began it."""
    heard: float | None = None
    """Steady clock: its worker's last sign of life."""
    queued_at: float | None = None
    """Steady clock: when it entered the queue of this start of the server."""
    eta: float | None = None
    """Seconds that are left, where the worker says so itself."""
    loss: float | None = None
    held_out: float | None = None
    pausing: bool = False
    """Somebody paused it, and it runs on to the end of its step."""
    finishing: bool = False
    """Somebody wants the model that it has, and no more steps."""

    @property
    def is_training(self) -> bool:
        """Whether it is for the trainer, and not for a device's worker."""
        return self.kind == "train"

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in FINAL_STATES

    @property
    def is_suspect(self) -> bool:
        """Whether a worker died while it held this job: such a job runs alone."""
        return self.attempts > 0

    @property
    def is_drawn(self) -> bool:
        """Whether it runs and has made its last step: bringing the result to pixels leaves the device idle."""
        return self.state == "running" and 0 < self.steps == self.step

    def restart(self) -> None:
        """Forget where the last run was; a training goes on from there."""
        self.begun = self.eta = None
        self.pausing = False
        if not self.is_training:
            self.step = self.steps = 0

    def advance(self, told: JobStatus, now: float) -> None:
        """Note a step, as the worker tells it, at a moment of the steady clock."""
        self.heard = now
        if told.step == 0:
            self.begun = now
        self.step, self.steps, self.eta = min(told.step, told.steps), told.steps, told.eta_seconds
        if told.loss is not None:
            self.loss = told.loss
        if told.held_out is not None:
            self.held_out = told.held_out

    def complete(self) -> None:
        """Note that there are no more steps; a training may have ended early."""
        if self.is_training:
            self.steps = self.step
        else:
            self.step = self.steps

    def read_report(self) -> dict[str, Any]:
        """What its result says of it. JSON knows no tuples, and a report has no lists."""
        values = json.loads(self.report or "{}")
        return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

    def explain_no_result(self) -> str:
        """Why a final job has no result."""
        words = {"failed": "it has failed", "cancelled": "it has been cancelled"}
        return words.get(self.state, "its result has expired")

    def to_status(self, *, position: int | None = None, now: float = 0.0) -> JobStatus:
        """What clients are told; `now` is the steady clock's, for the remaining time."""
        error = None
        if self.state == "failed":
            error = JobError(self.error_code or "internal", self.error_message or "it failed; submit it again")
        eta = None
        if self.state == "running" and self.eta is not None:
            eta = self.eta
        elif self.state == "running" and self.begun is not None and 0 < self.step <= self.steps:
            eta = max(now - self.begun, 0.0) / self.step * (self.steps - self.step)
        return JobStatus(
            job=self.id,
            kind=self.kind,
            state=self.state,
            priority=self.priority,
            created=self.created,
            started=self.started,
            finished=self.finished,
            position=position,
            step=self.step,
            steps=self.steps,
            frames=self.frames,
            eta_seconds=eta,
            attempts=self.attempts,
            has_result=self.has_result,
            error=error,
            loss=self.loss,
            held_out=self.held_out,
        )


STORED = (
    "id",
    "kind",
    "model",
    "params",
    "digest",
    "priority",
    "created",
    "input_bytes",
    "frames",
    "sequence",
    "state",
    "started",
    "finished",
    "ended",
    "acknowledged",
    "step",
    "steps",
    "attempts",
    "cancelling",
    "report",
    "result_bytes",
    "has_result",
    "error_code",
    "error_message",
)
"""The fields that are written, in the order of the table's columns."""
