"""One ROUTER socket: requests in, replies and events out, and a limit for each connection.

A ROUTER drops what does not fit into a connection's queue. Here nothing waits for a client that does not read: its
queue in ZeroMQ is short, replies beyond it wait in a list that is short as well, and events are dropped at once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import zmq

from bitpuppet.server.refusal import Refusal
from bitpuppet_client.errors import ProtocolError
from bitpuppet_client.limits import MAX_HEADER_BYTES, MAX_REQUEST
from bitpuppet_client.messages import Message
from bitpuppet_client.schema import parse_header
from bitpuppet_client.wire import Buffer, encode

_QUEUE = 8
"""Messages that ZeroMQ holds for one connection, besides what the system's own buffers take."""
_WAITING_BYTES = 1 << 20
"""Replies to one connection that wait for room in that queue, and one more, which may be large."""
_COPIED_BYTES = 1 << 20
"""Frames up to this size are copied to be sent. To lend them to ZeroMQ costs two wakings of another thread, more than
copying these."""
_READABLE = int(zmq.POLLIN)
"""As a plain number: what pyzmq's flags make of `&` takes longer than to ask for the state."""
_RECEIVED = 64
"""Messages that ZeroMQ holds of one connection before it stops reading."""


@dataclass
class _Peer:
    allowance: float
    heard: float
    waiting: deque[list[Buffer]] = field(default_factory=deque)
    waiting_bytes: int = 0


class Channel:
    """A guarded ROUTER socket with its connections. One thread uses it."""

    def __init__(self, socket: zmq.Socket[bytes], *, rate: float, burst: int, peers: int) -> None:
        """Take a socket that is not bound yet.

        Args:
            socket: a ROUTER.
            rate: requests a second of one connection, in the long run.
            burst: requests at once.
            peers: connections that are remembered.
        """
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # to be told of a full queue in place of losing the message
        socket.sndhwm, socket.rcvhwm = _QUEUE, _RECEIVED
        self.socket = socket
        self.dropped = 0
        """Messages that found no room, and replies to connections that are gone."""
        self.heard: float | None = None
        """When the last message came, by the steady clock."""
        self._rate, self._burst, self._most = rate, burst, peers
        self._peers: OrderedDict[bytes, _Peer] = OrderedDict()
        self._clogged: set[bytes] = set()
        """Those of the peers for which replies wait."""

    @property
    def is_clogged(self) -> bool:
        """Whether replies wait."""
        return bool(self._clogged)

    def count_peers(self, since: float) -> int:
        """Connections that were heard since a moment of the steady clock."""
        return sum(peer.heard >= since for peer in self._peers.values())

    def receive(self, most: int) -> Iterator[tuple[bytes, list[Buffer]]]:
        """At most so many messages that have come: the connection, and the frames without it."""
        for _ in range(most):
            if not has_message(self.socket):
                return
            try:
                first, *rest = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            yield first.bytes, [frame.buffer for frame in rest]

    def admit(self, peer: bytes, now: float) -> None:
        """Count a request. Raises Refusal when the connection sends too many."""
        self.heard = now
        known = self._touch(peer, now)
        known.allowance = min(self._burst, known.allowance + (now - known.heard) * self._rate)
        known.heard = now
        if known.allowance < 1:
            raise Refusal(
                "busy",
                f"more than {self._rate:g} requests a second from one connection; send fewer",
                retry_after=1.0,
            )
        known.allowance -= 1

    def refuse_clogged(self, peer: bytes) -> None:
        """Raise Refusal when too much still waits for this connection to read."""
        known = self._peers.get(peer)
        if known is not None and known.waiting_bytes > _WAITING_BYTES:
            raise Refusal("busy", "earlier replies wait to be read; read them first", retry_after=1.0)

    def reply(self, peer: bytes, message: Message, request: int) -> None:
        """Send a reply, at once or when the connection has read others."""
        frames = encode(message, request)
        known = self._peers.get(peer)
        is_sent = (known is None or not known.waiting) and self._send(peer, frames)
        if is_sent:
            return
        if known is None or known.waiting_bytes > _WAITING_BYTES:
            self.dropped += 1
            return
        self._clogged.add(peer)
        known.waiting.append(frames)
        known.waiting_bytes += _count(frames)

    def push(self, peer: bytes, message: Message) -> None:
        """Send an event, or drop it where the connection does not keep up."""
        known = self._peers.get(peer)
        if (known is not None and known.waiting) or not self._send(peer, encode(message)):
            self.dropped += 1

    def flush(self) -> bool:
        """Send replies that wait, as far as there is room; whether there was any."""
        was_sent = False
        for name in list(self._clogged):
            peer = self._peers[name]
            while peer.waiting and self._send(name, peer.waiting[0]):
                peer.waiting_bytes -= _count(peer.waiting.popleft())
                was_sent = True
            if not peer.waiting:
                self._clogged.remove(name)
        return was_sent

    def close(self) -> None:
        """Send what waits, as far as there is room, and close the socket."""
        self.flush()
        self.socket.close(200)

    def _send(self, peer: bytes, frames: Sequence[Buffer]) -> bool:
        """Whether there was room; also true when nobody is there any more, so that nothing waits for him."""
        try:
            send_frames(self.socket, [peer, *frames], zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.dropped += 1
        return True

    def _touch(self, peer: bytes, now: float) -> _Peer:
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = _Peer(self._burst, now)
        self._peers.move_to_end(peer)
        while len(self._peers) > self._most:
            gone, _ = self._peers.popitem(last=False)
            self._clogged.discard(gone)
        return known


def has_message(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message has come. To ask is much cheaper than the exception that tells of none."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & _READABLE)


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[Buffer], flags: int = 0) -> None:
    """Send a message, whose large frames are lent and not copied. Raises zmq.Again as the socket does."""
    is_large = max(memoryview(frame).nbytes for frame in frames) > _COPIED_BYTES
    socket.send_multipart(frames, flags, copy=not is_large)


def read_number(frames: Sequence[Buffer]) -> int:
    """The number of a request that is refused unread; 0 where it cannot be found."""
    if not frames or memoryview(frames[0]).nbytes > MAX_HEADER_BYTES:
        return 0
    try:
        number = parse_header(bytes(frames[0])).get("request")
    except ProtocolError:
        return 0
    return number if type(number) is int and 0 <= number <= MAX_REQUEST else 0


def _count(frames: Sequence[Buffer]) -> int:
    return sum(memoryview(frame).nbytes for frame in frames)
