"""What the server tells about a job."""

from __future__ import annotations

from dataclasses import dataclass

from bitpuppet_client.limits import MAX_FRAMES, MAX_PRIORITY, MAX_REQUEST
from bitpuppet_client.schema import (
    check_choice,
    check_flag,
    check_job,
    check_name,
    check_number,
    check_text,
    check_whole,
)

STATES = ("queued", "running", "paused", "done", "failed", "cancelled")
"""A job is paused when somebody paused it; only trainings can be."""
FINAL_STATES = ("done", "failed", "cancelled")
"""A job that is in one of these stays there."""
_UNFAILED = tuple(state for state in STATES if state != "failed")
_MOST_LOSS = 1e30
_LAST_SECOND = 1e11
"""Unix seconds of the year 5138: what is later was given in another unit."""


@dataclass(frozen=True)
class JobError:
    """Why a job failed."""

    code: str
    """One of `messages.ERROR_CODES`; a client takes one that it does not know for `internal`."""
    message: str
    """One line that says what to do."""

    def __post_init__(self) -> None:
        """Raise ParameterError when the code is no name or the message no short line."""
        check_name("the error's code", self.code)
        check_text("the error's message", self.message)


@dataclass(frozen=True)
class JobStatus:
    """Where a job is. Times are Unix seconds by the server's clock, which may jump: show them, do not compute."""

    job: str
    kind: str
    state: str
    """One of STATES."""
    priority: int
    """0 to 9, higher runs first."""
    created: float
    started: float | None = None
    finished: float | None = None
    position: int | None = None
    """Jobs ahead in the queue; None unless queued."""
    step: int = 0
    """Sampling or training steps that are done."""
    steps: int = 0
    """Steps in all; 0 while that is not known."""
    frames: int = 0
    """Frames of the result; 0 while that is not known."""
    eta_seconds: float | None = None
    attempts: int = 0
    """Runs that were begun: a job whose worker dies is run once more."""
    has_result: bool = False
    """Whether `fetch` will give a result."""
    error: JobError | None = None
    """Why it failed; None in every other state."""
    loss: float | None = None
    """Of a training, on what it learns from; None before its first step, and for all other jobs."""
    held_out: float | None = None
    """Of a training: share of the pixels of animations that it does not learn from which it draws exactly right."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range, or an error that does not go with the state."""
        check_job(self.job)
        check_name("kind", self.kind)
        check_choice("state", self.state, STATES)
        check_whole("priority", self.priority, 0, MAX_PRIORITY)
        check_number("created", self.created, 0, _LAST_SECOND)
        check_number("started", self.started, 0, _LAST_SECOND, optional=True)
        check_number("finished", self.finished, 0, _LAST_SECOND, optional=True)
        check_whole("position", self.position, 0, MAX_REQUEST, optional=True)
        check_whole("step", self.step, 0, MAX_REQUEST)
        check_whole("steps", self.steps, 0, MAX_REQUEST)
        check_whole("frames", self.frames, 0, MAX_FRAMES)
        check_number("eta_seconds", self.eta_seconds, 0, _LAST_SECOND, optional=True)
        check_whole("attempts", self.attempts, 0, MAX_REQUEST)
        check_flag("has_result", self.has_result)
        check_number("loss", self.loss, -_MOST_LOSS, _MOST_LOSS, optional=True)
        check_number("held_out", self.held_out, 0, 1, optional=True)
        if self.error is None:
            check_choice("state without an error", self.state, _UNFAILED)
        else:
            check_choice("state with an error", self.state, ("failed",))

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to this job any more."""
        return self.state in FINAL_STATES
