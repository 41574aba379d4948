"""What a background client tells its owner, and the box that the owner empties when it has time."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass

from bitpuppet_client.message import Message
from bitpuppet_client.replies import Preview, Result, Welcome
from bitpuppet_client.status import JobStatus


@dataclass(frozen=True)
class Connected:
    """The backend answered. Jobs that were under way are watched again."""

    welcome: Welcome
    restarted: bool
    """Whether it is another start of the backend than the last one we met."""


@dataclass(frozen=True)
class Disconnected:
    """There is no backend, or it went away; the client goes on trying."""

    reason: str
    """One line that says what to do."""


@dataclass(frozen=True)
class Updated:
    """A job changed its state or made a step."""

    status: JobStatus


@dataclass(frozen=True)
class Previewed:
    """How the frames of a job look after a step."""

    preview: Preview


@dataclass(frozen=True)
class Finished:
    """A job's result is here. The backend keeps its copy until `acknowledge`: store it first, then acknowledge."""

    result: Result


@dataclass(frozen=True)
class Failed:
    """A job ended without a result, or was refused. Nothing more comes about it."""

    job: str
    code: str
    """One of `messages.ERROR_CODES`, or `cancelled`."""
    message: str


@dataclass(frozen=True)
class Answered:
    """The reply to `BackgroundClient.ask`, or why there is none."""

    token: int
    """What `ask` returned."""
    reply: Message | None
    error: str | None


@dataclass(frozen=True)
class Stopped:
    """The client's thread ended by a bug; nothing more comes."""

    reason: str


Event = Connected | Disconnected | Updated | Previewed | Finished | Failed | Answered | Stopped


class Mailbox:
    """Events on their way between two threads; nobody ever waits for the other.

    An event with a key replaces an older one with the same key that was not taken yet: an owner who does not look for
    an hour finds the newest status and preview of each job, not a thousand.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        self._lock = threading.Lock()
        self._events: dict[Hashable, tuple[Event, int]] = {}
        self._count = 0
        self._bytes = 0

    def put(self, event: Event, key: Hashable = None, size: int = 0) -> None:
        """Add an event at the end.

        Args:
            event: what happened.
            key: events of the same key replace each other; None for none.
            size: bytes that it holds.
        """
        with self._lock:
            self._count += 1
            if key is None:
                key = self._count
            else:
                self._bytes -= self._events.pop(key, (event, 0))[1]
            self._events[key] = event, size
            self._bytes += size

    def take(self) -> Event | None:
        """Remove and return the oldest event; None when there is none."""
        with self._lock:
            if not self._events:
                return None
            event, size = self._events.pop(next(iter(self._events)))
            self._bytes -= size
            return event

    @property
    def size(self) -> int:
        """Bytes that wait to be taken."""
        with self._lock:
            return self._bytes
