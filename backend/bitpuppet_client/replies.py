"""What the server answers, and what it tells unasked. docs/protocol.md tells the meaning of every message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bitpuppet_client.errors import ParameterError, ProtocolError
from bitpuppet_client.jobs import KINDS, check_results
from bitpuppet_client.limits import (
    MAX_CARD_FACTS,
    MAX_CARDS_PER_MESSAGE,
    MAX_FACT_BYTES,
    MAX_FRAMES,
    MAX_JOBS_PER_MESSAGE,
    MAX_KINDS,
    MAX_MESSAGE_BYTES,
    MAX_MODELS,
    MAX_PIXELS,
    MAX_REQUEST,
    MAX_SIDE,
)
from bitpuppet_client.message import Message, check_jobs
from bitpuppet_client.parts import Parts, check_frames
from bitpuppet_client.schema import (
    NOT_IN_HEADER,
    Report,
    check_choice,
    check_flag,
    check_job,
    check_name,
    check_number,
    check_report,
    check_text,
    check_whole,
    shorten,
)
from bitpuppet_client.status import JobStatus

ERROR_CODES = (
    "version",
    "malformed",
    "unknown_type",
    "wrong_channel",
    "too_large",
    "bad_parameter",
    "unknown_model",
    "unknown_set",
    "unknown_job",
    "conflict",
    "not_finished",
    "no_result",
    "busy",
    "unsupported",
    "stopping",
    "store_full",
    "crashed",
    "out_of_memory",
    "failed",
    "internal",
)
"""What an error or a failed job can say; docs/protocol.md says when, and what to do."""
HEALTH_STATES = ("starting", "ready", "busy", "stopping", "degraded")
MAX_PROBLEMS = 16
_MAX_WAIT_SECONDS = 86_400.0
_FINGERPRINT = re.compile("[0-9a-f]{8,64}")


@dataclass(frozen=True)
class ModelInfo:
    """A model that the server can use."""

    name: str
    """What jobs call it."""
    preset: str
    fingerprint: str
    """8 to 64 hexadecimal digits: the same digits, the same weights, so the same seed gives the same picture."""
    canvas: int
    """Side in pixels: art of at most this visible size fits."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        check_name("the model's name", self.name)
        check_name("the model's preset", self.preset)
        check_whole("the model's canvas", self.canvas, 1, MAX_SIDE)
        if not _FINGERPRINT.fullmatch(self.fingerprint):
            raise ParameterError("a model's fingerprint must be 8 to 64 digits of 0-9a-f; update the backend")


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model."""

    model: ModelInfo
    bytes: int
    """Of its file."""
    created: float
    """Unix seconds of the file."""
    own: bool
    """Whether it is one of the user's, which can be renamed and deleted; otherwise it came with the backend."""
    facts: Report
    """What its maker wrote into it: base, character set, steps, figures. At most MAX_CARD_FACTS short ones."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range, or a card that is too long."""
        check_whole("the model's bytes", self.bytes, 0, MAX_REQUEST)
        check_number("the model's created", self.created, 0, 1e11)
        check_flag("the model's own", self.own)
        check_report("the model's facts", self.facts)
        check_whole("the number of facts", len(self.facts), 0, MAX_CARD_FACTS)
        for name, value in self.facts.items():
            if isinstance(value, tuple) or (isinstance(value, str) and len(value.encode()) > MAX_FACT_BYTES):
                raise ParameterError(f"the model's fact {name} is no short value; update the backend")


@dataclass(frozen=True)
class ServerLimits:
    """The server's own limits, none above the protocol's."""

    pixels: int = MAX_PIXELS
    """Of all pictures of one message."""
    frames: int = MAX_FRAMES
    """Of one strip."""
    message_bytes: int = MAX_MESSAGE_BYTES
    """All payload parts of one message."""
    queued_jobs: int = 1000
    """Jobs that may wait at the same time."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a limit beyond the protocol's."""
        check_whole("the limit of pixels", self.pixels, 1, MAX_PIXELS)
        check_whole("the limit of frames", self.frames, 1, MAX_FRAMES)
        check_whole("the limit of message_bytes", self.message_bytes, 1, MAX_MESSAGE_BYTES)
        check_whole("the limit of queued_jobs", self.queued_jobs, 1, MAX_REQUEST)


@dataclass(frozen=True)
class Welcome(Message):
    """Answer to `Hello`."""

    type: ClassVar[str] = "welcome"

    server: str
    """Version of the backend."""
    instance: str
    """UUID of this start of the backend: another one means that it was started anew."""
    models: tuple[ModelInfo, ...]
    kinds: tuple[str, ...]
    """Kinds of jobs that it runs; some may be unknown here, and those that are not in `jobs.ANNOUNCED` are missing."""
    limits: ServerLimits

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        check_text("server", self.server)
        check_job(self.instance)
        check_whole("the number of models", len(self.models), 0, MAX_MODELS)
        check_whole("the number of kinds", len(self.kinds), 0, MAX_KINDS)
        for kind in self.kinds:
            check_name("kind", kind)


@dataclass(frozen=True)
class Accepted(Message):
    """Answer to `Submit`: the job is in the store and survives a crash."""

    type: ClassVar[str] = "accepted"

    status: JobStatus
    known: bool
    """Whether it was there before."""


@dataclass(frozen=True)
class Statuses(Message):
    """Answer to `Watch`, `Status`, `ListJobs`, `Cancel` and `Steer`."""

    type: ClassVar[str] = "statuses"

    instance: str
    """As in `Welcome`."""
    statuses: tuple[JobStatus, ...]
    unknown: tuple[str, ...] = ()
    """Jobs that were asked for and that the server does not know."""
    after: str | None = None
    """Where the next page of a list begins; None when there is none."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a page that is too long."""
        check_job(self.instance)
        check_whole("the number of statuses", len(self.statuses), 0, MAX_JOBS_PER_MESSAGE)
        check_jobs(self.unknown)
        if self.after is not None:
            check_text("after", self.after)


@dataclass(frozen=True)
class Result(Message):
    """Answer to `Fetch`."""

    type: ClassVar[str] = "result"
    has_parts: ClassVar[bool] = True

    job: str
    kind: str
    report: Report
    """What was used: model, fingerprint, seed, steps, device and so on."""
    parts: Parts = field(metadata=NOT_IN_HEADER)
    """Read-only arrays; which ones, the job's parameters say."""

    def __post_init__(self) -> None:
        """Raise ParameterError or LimitError for a result that this kind of job cannot have."""
        check_job(self.job)
        check_choice("kind", self.kind, KINDS)
        check_report("report", self.report)
        check_results(self.kind, self.parts)


@dataclass(frozen=True)
class Acknowledged(Message):
    """Answer to `Acknowledge`."""

    type: ClassVar[str] = "acknowledged"

    job: str

    def __post_init__(self) -> None:
        """Raise ParameterError when the job is no id."""
        check_job(self.job)


@dataclass(frozen=True)
class LibraryPage(Message):
    """Answer to `Library`: some models by name, and all character sets."""

    type: ClassVar[str] = "library_page"

    models: tuple[ModelCard, ...]
    sets: tuple[str, ...]
    """What trainings can name as `characters`."""
    after: str | None = None
    """Where the next page begins; None when there is none."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a page that is too long."""
        check_whole("the number of cards", len(self.models), 0, MAX_CARDS_PER_MESSAGE)
        check_whole("the number of sets", len(self.sets), 0, MAX_MODELS)
        for name in (*self.sets, *((self.after,) if self.after is not None else ())):
            check_name("a name in the library", name)


@dataclass(frozen=True)
class ModelChanged(Message):
    """Answer to `RenameModel` and `DeleteModel`."""

    type: ClassVar[str] = "model_changed"

    name: str | None
    """What the model is called now; None where it is no more."""

    def __post_init__(self) -> None:
        """Raise ParameterError when it is no name."""
        if self.name is not None:
            check_name("the model's name", self.name)


@dataclass(frozen=True)
class HealthReport(Message):
    """Answer to `Health`."""

    type: ClassVar[str] = "health_report"

    state: str
    """One of HEALTH_STATES."""
    problems: tuple[str, ...] = ()
    """What is wrong, each with what to do."""

    def __post_init__(self) -> None:
        """Raise ParameterError for an unknown state or too many problems."""
        check_choice("state", self.state, HEALTH_STATES)
        check_whole("the number of problems", len(self.problems), 0, MAX_PROBLEMS)
        for problem in self.problems:
            check_text("problem", problem)


@dataclass(frozen=True)
class MetricsReport(Message):
    """Answer to `Metrics`."""

    type: ClassVar[str] = "metrics_report"

    values: Report
    """Flat names such as `queued`, `running`, `done`, `memory_bytes`, `frames_per_second`."""

    def __post_init__(self) -> None:
        """Raise ParameterError when it is no report."""
        check_report("metrics", self.values)


@dataclass(frozen=True)
class Stopping(Message):
    """Answer to `Shutdown`: the server takes no more jobs and ends."""

    type: ClassVar[str] = "stopping"


@dataclass(frozen=True)
class Error(Message):
    """Answer to any request that was refused."""

    type: ClassVar[str] = "error"

    code: str
    """One of ERROR_CODES; a client takes one that it does not know for `internal`."""
    message: str
    """One line: the limit or the setting, and the remedy."""
    job: str | None = None
    retry_after: float | None = None
    """Seconds after which the same request may succeed; None where it will not."""

    @classmethod
    def from_refusal(cls, error: ProtocolError) -> Error:
        """The answer to a message that could not be read or must not be done."""
        return cls(error.code, shorten(str(error)))

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        check_name("code", self.code)
        check_text("message", self.message)
        if self.job is not None:
            check_job(self.job)
        check_number("retry_after", self.retry_after, 0, _MAX_WAIT_SECONDS, optional=True)


@dataclass(frozen=True)
class Update(Message):
    """Event: a watched job changed its state or made a step."""

    type: ClassVar[str] = "update"

    status: JobStatus


@dataclass(frozen=True)
class Preview(Message):
    """Event: how the frames of a watched job look after a step. The part `frames` is uint8 (T, H, W, 4)."""

    type: ClassVar[str] = "preview"
    has_parts: ClassVar[bool] = True

    job: str
    step: int
    steps: int
    parts: Parts = field(metadata=NOT_IN_HEADER)

    def __post_init__(self) -> None:
        """Raise ParameterError or LimitError when the frames are none."""
        check_job(self.job)
        check_whole("steps", self.steps, 1, MAX_REQUEST)
        check_whole("step", self.step, 0, self.steps)
        if tuple(self.parts) != ("frames",):
            raise ParameterError("a preview has the part 'frames' and no other; update the older of add-on and backend")
        check_frames("frames", self.parts["frames"])


EVENTS: tuple[type[Message], ...] = (Update, Preview)
"""What the server sends unasked, with the request number 0."""
_ANSWERS: tuple[type[Message], ...] = (
    Welcome,
    Accepted,
    Statuses,
    Result,
    Acknowledged,
    LibraryPage,
    ModelChanged,
    HealthReport,
    MetricsReport,
    Stopping,
    Error,
)
REPLIES: Mapping[str, type[Message]] = {kind.type: kind for kind in (*_ANSWERS, *EVENTS)}
