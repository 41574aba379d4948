"""What clients ask. docs/protocol.md tells the meaning of every message, and which channel it goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bitpuppet_client.errors import ProtocolError
from bitpuppet_client.jobs import KINDS, PARAMS, JobParams, check_parts
from bitpuppet_client.limits import DEFAULT_PRIORITY, MAX_JOBS_PER_MESSAGE, MAX_PRIORITY
from bitpuppet_client.message import Message, check_jobs
from bitpuppet_client.parts import Parts
from bitpuppet_client.schema import (
    NOT_IN_HEADER,
    check_choice,
    check_flag,
    check_job,
    check_keys,
    check_name,
    check_text,
    check_whole,
    read_object,
    shorten,
    write_object,
)
from bitpuppet_client.status import STATES

ACTIONS = ("pause", "resume", "finish")
"""What can be done to a training: keep it for later, go on, or end it now with the model that it has."""


@dataclass(frozen=True)
class Hello(Message):
    """Who speaks; the first message on each channel. Answer: `Welcome`."""

    type: ClassVar[str] = "hello"

    client: str
    """Name of the program, for the server's log."""
    version: str

    def __post_init__(self) -> None:
        """Raise ParameterError when a text is no short line."""
        check_text("client", self.client)
        check_text("version", self.version)


@dataclass(frozen=True)
class Submit(Message):
    """Run a job. Answer: `Accepted`, also when this very job is known already."""

    type: ClassVar[str] = "submit"
    has_parts: ClassVar[bool] = True

    job: str
    """UUID that the client makes; the same id is the same job, however often it is sent."""
    params: JobParams
    parts: Parts = field(metadata=NOT_IN_HEADER)
    priority: int = DEFAULT_PRIORITY
    previews: bool = False
    """Whether this connection wants a preview after each step."""

    def __post_init__(self) -> None:
        """Raise ParameterError or LimitError for values or arrays that no job can have."""
        check_job(self.job)
        check_whole("priority", self.priority, 0, MAX_PRIORITY)
        check_flag("previews", self.previews)
        check_parts(self.params, self.parts)

    @classmethod
    def read_arguments(cls, body: object) -> dict[str, Any]:
        """The fields that the header holds; `kind` says which parameters there are."""
        if not isinstance(body, dict):
            raise ProtocolError("submit is not a JSON object; write an object")
        check_keys(body, ("job", "kind", "priority", "previews", "params"), cls.type)
        values = dict(body)
        kind = values.pop("kind")
        if not isinstance(kind, str) or kind not in PARAMS:
            told = repr(shorten(kind, 40)) if isinstance(kind, str) else "no text"
            raise ProtocolError(
                f"the kind of job is {told}, this version knows {', '.join(KINDS)}; update the backend", "unsupported"
            )
        values["params"] = read_object(PARAMS[kind], values["params"], f"submit: params of {kind}")
        for name, wanted in (("job", str), ("priority", int), ("previews", bool)):
            if type(values[name]) is not wanted:
                raise ProtocolError(f"submit: {name} is of the wrong type; see docs/protocol.md")
        return values

    def to_body(self) -> dict[str, Any]:
        """The header's `body`."""
        return {
            "job": self.job,
            "kind": self.params.kind,
            "priority": self.priority,
            "previews": self.previews,
            "params": write_object(self.params),
        }


@dataclass(frozen=True)
class Watch(Message):
    """Tell this connection about jobs for WATCH_LEASE_SECONDS. Answer: `Statuses`. Without jobs it is a ping."""

    type: ClassVar[str] = "watch"

    jobs: tuple[str, ...]
    previews: bool = False

    def __post_init__(self) -> None:
        """Raise ParameterError for too many jobs or for one that is none."""
        check_jobs(self.jobs)
        check_flag("previews", self.previews)


@dataclass(frozen=True)
class Fetch(Message):
    """Send the result of a job that is done. Answer: `Result`."""

    type: ClassVar[str] = "fetch"

    job: str

    def __post_init__(self) -> None:
        """Raise ParameterError when the job is no id."""
        check_job(self.job)


@dataclass(frozen=True)
class Acknowledge(Message):
    """The result is safe with the client: server may forget the job. Answer: `Acknowledged`, also the second time."""

    type: ClassVar[str] = "acknowledge"

    job: str

    def __post_init__(self) -> None:
        """Raise ParameterError when the job is no id."""
        check_job(self.job)


@dataclass(frozen=True)
class Status(Message):
    """Where jobs are. Answer: `Statuses`."""

    type: ClassVar[str] = "status"

    jobs: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise ParameterError for too many jobs or for one that is none."""
        check_jobs(self.jobs)


@dataclass(frozen=True)
class ListJobs(Message):
    """One page of all jobs that the server knows, newest first. Answer: `Statuses`."""

    type: ClassVar[str] = "list"

    states: tuple[str, ...] = ()
    """Only jobs in one of these; empty for all."""
    limit: int = MAX_JOBS_PER_MESSAGE
    after: str | None = None
    """`Statuses.after` of the page before; None for the first page."""

    def __post_init__(self) -> None:
        """Raise ParameterError for an unknown state or a page that is too long."""
        check_whole("the number of states", len(self.states), 0, len(STATES))
        for state in self.states:
            check_choice("state", state, STATES)
        check_whole("limit", self.limit, 1, MAX_JOBS_PER_MESSAGE)
        if self.after is not None:
            check_text("after", self.after)


@dataclass(frozen=True)
class Cancel(Message):
    """Stop a job before its next step. Answer: `Statuses` with this job as it is; a final job stays what it is."""

    type: ClassVar[str] = "cancel"

    job: str

    def __post_init__(self) -> None:
        """Raise ParameterError when the job is no id."""
        check_job(self.job)


@dataclass(frozen=True)
class Steer(Message):
    """Pause a training, let it go on, or finish it early. Answer: `Statuses` with this job as it is."""

    type: ClassVar[str] = "steer"

    job: str
    action: str
    """One of ACTIONS."""

    def __post_init__(self) -> None:
        """Raise ParameterError when the job is no id or the action unknown."""
        check_job(self.job)
        check_choice("action", self.action, ACTIONS)


@dataclass(frozen=True)
class Library(Message):
    """What models and character sets there are, one page of models. Answer: `LibraryPage`."""

    type: ClassVar[str] = "library"

    after: str | None = None
    """`LibraryPage.after` of the page before; None for the first page."""

    def __post_init__(self) -> None:
        """Raise ParameterError when `after` is no name."""
        if self.after is not None:
            check_name("after", self.after)


@dataclass(frozen=True)
class RenameModel(Message):
    """Give one of the user's own models another name. Answer: `ModelChanged`."""

    type: ClassVar[str] = "rename_model"

    name: str
    to: str

    def __post_init__(self) -> None:
        """Raise ParameterError when either is no name."""
        check_name("name", self.name)
        check_name("to", self.to)


@dataclass(frozen=True)
class DeleteModel(Message):
    """Remove one of the user's own models, for ever. Answer: `ModelChanged`."""

    type: ClassVar[str] = "delete_model"

    name: str

    def __post_init__(self) -> None:
        """Raise ParameterError when it is no name."""
        check_name("name", self.name)


@dataclass(frozen=True)
class Health(Message):
    """Is all well? Answer: `HealthReport`."""

    type: ClassVar[str] = "health"


@dataclass(frozen=True)
class Metrics(Message):
    """Counters. Answer: `MetricsReport`."""

    type: ClassVar[str] = "metrics"


@dataclass(frozen=True)
class Shutdown(Message):
    """Stop the server. Answer: `Stopping`."""

    type: ClassVar[str] = "shutdown"

    finish: bool
    """Whether queued and running jobs end first; otherwise they wait in the store for the next start."""

    def __post_init__(self) -> None:
        """Raise ParameterError when it is no flag."""
        check_flag("finish", self.finish)


CONTROL_REQUESTS: tuple[type[Message], ...] = (
    Hello,
    Status,
    ListJobs,
    Cancel,
    Steer,
    Library,
    RenameModel,
    DeleteModel,
    Health,
    Metrics,
    Shutdown,
)
"""What the control channel answers, also while the device is busy and pixels are on the way."""
JOB_REQUESTS: tuple[type[Message], ...] = (Hello, Submit, Watch, Fetch, Acknowledge)
"""What the jobs channel answers."""
REQUESTS: Mapping[str, type[Message]] = {kind.type: kind for kind in (*CONTROL_REQUESTS, *JOB_REQUESTS)}
