"""A bare DEALER, to send what no client of ours would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import zmq

from bitpuppet_client.endpoint import Endpoint
from bitpuppet_client.limits import PROTOCOL
from bitpuppet_client.messages import Error, Message
from bitpuppet_client.wire import Buffer, decode_reply

SECONDS = 30.0


class Peer:
    """One connection to one channel."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket

    def send(self, *frames: Buffer) -> None:
        self.socket.send_multipart(frames)

    def receive(self, seconds: float = SECONDS) -> Message | None:
        """The next message; None when none came in time."""
        if not self.socket.poll(seconds * 1000):
            return None
        return decode_reply(self.socket.recv_multipart()).message

    def ask(self, *frames: Buffer) -> Error:
        """Send what must be refused; the refusal."""
        self.send(*frames)
        reply = self.receive()
        assert isinstance(reply, Error), reply
        return reply


@contextmanager
def connect(
    endpoint: Endpoint, channel: str = "jobs", *, keys: Sequence[str] | None = None, server: str | None = None
) -> Iterator[Peer]:
    """Connect with the endpoint's keys, or with others: `keys` is a pair, or empty for none at all."""
    public, secret = (endpoint.client_public, endpoint.client_secret) if keys is None else keys or (None, None)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    if public is not None and secret is not None:
        socket.curve_serverkey = (server or endpoint.server_public).encode()
        socket.curve_publickey, socket.curve_secretkey = public.encode(), secret.encode()
    socket.connect(getattr(endpoint, channel))
    try:
        yield Peer(socket)
    finally:
        socket.close(0)
        context.term()


def make_header(kind: str, body: Any, request: int = 1, protocol: Any = PROTOCOL, parts: Any = ()) -> bytes:
    header = {"protocol": protocol, "type": kind, "request": request, "body": body, "parts": list(parts)}
    return json.dumps(header).encode()
