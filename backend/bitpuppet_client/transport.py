"""One encrypted connection to one channel of the backend."""

from __future__ import annotations

import time
from collections.abc import Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.errors import NotRunningError, TimedOutError
from bitpuppet_client.limits import MAX_PART_BYTES
from bitpuppet_client.message import Message
from bitpuppet_client.wire import Packet, decode_reply, encode

_ABSENT = "nothing listens there; start the backend, with `bitpuppet serve` or from the add-on"
REMEDIES = {
    "connecting": _ABSENT,
    "absent": _ABSENT,
    "greeting": "what listens there does not speak our protocol; start the backend again",
    "foreign": "what listens there does not own the server key of the endpoint file; start the backend again",
    "refused": "it does not let this client's key in; read its endpoint file again, or start it again",
    "ready": "it is connected but does not answer; look at its log, or stop it and start it again",
    "lost": "the connection was lost; start the backend again if it is gone",
}
"""States of a connection, and what to do when nothing comes."""

_EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_RECONNECT_MS = 100
_RECONNECT_MAX_MS = 2000
_HANDSHAKE_MS = 10_000
_QUEUED_MESSAGES = 100
"""In each direction. More wait with the sender: pictures must not pile up unseen in memory."""


class Channel:
    """A DEALER socket that speaks to one channel of one backend; for one thread at a time."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, endpoint: Endpoint) -> None:
        """Begin to connect; nothing waits here.

        Args:
            context: the owner's, who ends it after closing the channel.
            address: one of the endpoint's two addresses.
            endpoint: the keys.

        Raises:
            NotRunningError: the address is none.
        """
        self._address = address
        self._state = "connecting"
        self._number = 0
        self.socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        self.socket.linger = 0  # what a dead server did not take must not keep this process alive
        self.socket.maxmsgsize = MAX_PART_BYTES
        self.socket.sndhwm = self.socket.rcvhwm = _QUEUED_MESSAGES
        self.socket.reconnect_ivl = _RECONNECT_MS
        self.socket.reconnect_ivl_max = _RECONNECT_MAX_MS
        self.socket.handshake_ivl = _HANDSHAKE_MS
        self.socket.ipv6 = True
        self.socket.curve_serverkey = endpoint.server_public.encode("ascii")
        self.socket.curve_publickey = endpoint.client_public.encode("ascii")
        self.socket.curve_secretkey = endpoint.client_secret.encode("ascii")
        self._monitor = self.socket.get_monitor_socket(_EVENTS)
        self._monitor.linger = 0
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise NotRunningError(f"{address} cannot be connected to ({error}); start the backend again") from error

    def send(self, message: Message) -> int:
        """Send a request without waiting for the network.

        Returns:
            The request's number, which its reply will carry.

        Raises:
            TimedOutError: too many messages wait for the backend already.
            ProtocolError: it cannot be sent; see `wire.encode`.
        """
        frames = encode(message, self._number + 1)
        try:
            self.socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.Again as error:
            raise TimedOutError(f"the backend at {self._address} takes no more messages; {self.explain()}") from error
        self._number += 1
        return self._number

    def receive(self, timeout: float) -> Packet | None:
        """The next message, or None when none came in `timeout` seconds.

        Raises:
            ProtocolError: what came is no message of this protocol.
        """
        deadline = time.monotonic() + timeout
        while not self.socket.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            if time.monotonic() >= deadline:
                return None
        return self.receive_now()

    def receive_now(self) -> Packet | None:
        """The next message, or None when there is none yet. Errors as in `receive`."""
        try:
            frames: Sequence[zmq.Frame] = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        return decode_reply([frame.buffer for frame in frames])

    @property
    def state(self) -> str:
        """What the connection's own events tell: one of the keys of REMEDIES."""
        while not self.socket.closed and self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._state = "ready"
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:  # final: libzmq does not try again
                self._state = "refused"
            elif event in (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
                self._state = "foreign"
            elif event == zmq.EVENT_CLOSED:
                self._state = "absent"
            elif event == zmq.EVENT_DISCONNECTED and self._state == "ready":
                self._state = "lost"
            elif event == zmq.EVENT_CONNECTED and self._state in ("connecting", "absent", "lost"):
                self._state = "greeting"
        return self._state

    def explain(self) -> str:
        """Why nothing comes, as far as this side can tell, and what to do."""
        return REMEDIES[self.state]

    def close(self, linger: float = 0.0) -> None:
        """Close the socket; ending its context then waits at most `linger` seconds for what was not sent yet."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self._monitor.close(0)
            self.socket.close(round(linger * 1000))
