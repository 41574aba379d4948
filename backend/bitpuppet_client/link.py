"""A connection to both channels of one backend, and the requests that are under way on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from bitpuppet_client import __version__
from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.errors import NotRunningError, TimedOutError
from bitpuppet_client.limits import TRANSFER_SECONDS
from bitpuppet_client.message import Message, estimate_seconds
from bitpuppet_client.replies import Error, Welcome
from bitpuppet_client.requests import CONTROL_REQUESTS, Fetch, Hello, Submit
from bitpuppet_client.transport import Channel

_READ_AT_ONCE = 64
_PROMISING = ("connecting", "greeting", "ready")
"""States of a channel on which something may still come."""


@dataclass(frozen=True)
class Asked:
    """A request under way."""

    message: Message
    deadline: float
    """On the monotonic clock."""
    token: int = 0
    """Number of the owner's question; 0 where the client asks for itself."""


class Link:
    """Both channels. Its methods raise TimedOutError or NotRunningError when the backend is lost."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: Endpoint, name: str, patience: float) -> None:
        """Begin to connect, and say hello on both channels; nothing waits here.

        Args:
            context: for the sockets.
            endpoint: the backend.
            name: what its log calls us.
            patience: seconds to wait for each reply; longer while pictures are under way.
        """
        self.endpoint = endpoint
        self.welcome: Welcome | None = None
        self._patience = patience
        self._greeted: set[str] = set()
        self._asked: dict[tuple[str, int], Asked] = {}
        self._channels: dict[str, Channel] = {}
        try:
            for where, address in (("control", endpoint.control), ("jobs", endpoint.jobs)):
                self._channels[where] = Channel(context, address, endpoint)
                self._send(where, Hello(name, __version__))
        except BaseException:
            self.close()
            raise

    @property
    def is_ready(self) -> bool:
        """Whether both channels were answered."""
        return len(self._greeted) == len(self._channels)

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to poll for reading."""
        return [channel.socket for channel in self._channels.values()]

    def send(self, message: Message, token: int = 0) -> None:
        """Send a request on its channel."""
        self._send("control" if isinstance(message, CONTROL_REQUESTS) else "jobs", message, token)

    def is_asking(self, kind: type[Message]) -> bool:
        """Whether a request of this kind is under way."""
        return any(isinstance(asked.message, kind) for asked in self._asked.values())

    def list_asked(self) -> list[Asked]:
        """All requests under way."""
        return list(self._asked.values())

    def read(self) -> Iterator[tuple[Asked | None, Message]]:
        """What came, with the request that it answers; None for events. Answers to nothing are dropped."""
        for where, channel in self._channels.items():
            for _ in range(_READ_AT_ONCE):
                packet = channel.receive_now()
                if packet is None:
                    break
                if packet.request == 0:
                    yield None, packet.message
                    continue
                asked = self._asked.pop((where, packet.request), None)
                if asked is None:
                    continue
                if isinstance(asked.message, Hello):
                    self._greet(where, packet.message)
                else:
                    yield asked, packet.message

    def check(self) -> None:
        """Raise NotRunningError or TimedOutError when the backend is gone, or silent for too long."""
        for channel in self._channels.values():
            if channel.state not in _PROMISING:
                raise NotRunningError(f"the backend is gone: {channel.explain()}")
        now = time.monotonic()
        for (where, _), asked in self._asked.items():
            if now >= asked.deadline and not (where == "jobs" and self._is_transferring(now)):
                channel = self._channels[where]
                raise TimedOutError(f"the backend did not answer to {asked.message.type}: {channel.explain()}")

    def close(self, linger: float = 0.0) -> None:
        """Close both channels; see `Channel.close`."""
        for channel in self._channels.values():
            channel.close(linger)

    def _send(self, where: str, message: Message, token: int = 0) -> None:
        number = self._channels[where].send(message)
        patience = self._patience
        if isinstance(message, Fetch):
            patience = max(patience, TRANSFER_SECONDS)
        elif isinstance(message, Submit):
            patience += estimate_seconds(message.parts)
        self._asked[where, number] = Asked(message, time.monotonic() + patience, token)

    def _is_transferring(self, now: float) -> bool:
        """Whether pictures may keep other replies waiting."""
        return any(
            isinstance(asked.message, (Submit, Fetch)) and now < asked.deadline for asked in self._asked.values()
        )

    def _greet(self, where: str, reply: Message) -> None:
        if isinstance(reply, Error):
            raise NotRunningError(reply.message)
        if not isinstance(reply, Welcome):
            raise NotRunningError(f"the backend answered hello by {reply.type}; update the backend")
        self.welcome = reply
        self._greeted.add(where)
