"""A worker's line to the broker that started it: what it is told at its start, and the messages after that.

A worker's standard input says what it is to be, and then stays open: its end is the end of the broker, and so of the
worker, however the broker ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import zmq

from bitpuppet.server.channel import has_message
from bitpuppet.server.security import harden
from bitpuppet_client import wire
from bitpuppet_client.message import Message
from bitpuppet_client.requests import REQUESTS
from bitpuppet_client.schema import check_flag

_STDIN = 0
_LOST = 3
"""Exit status of a worker whose broker is gone."""


@dataclass(frozen=True, repr=False)
class Orders:
    """What a worker is told on its standard input, as one line of JSON."""

    address: str
    server_public: str
    public: str
    secret: str
    models: str
    device: str | None
    sets: str = ""
    """Folder of the character sets."""
    trainings: str = ""
    """Folder of the runs of trainings, one folder a job."""

    @classmethod
    def read(cls, line: str) -> Orders:
        """Undo `write`."""
        return cls(**json.loads(line))

    def write(self) -> bytes:
        """The line."""
        return json.dumps(vars(self)).encode() + b"\n"


@dataclass(frozen=True)
class Hold(Message):
    """From the broker to a trainer: wait after this step, since other jobs need the device; or go on."""

    type: ClassVar[str] = "hold"

    waits: bool

    def __post_init__(self) -> None:
        """Raise ParameterError when it is no flag."""
        check_flag("waits", self.waits)


_KINDS = {**REQUESTS, Hold.type: Hold}


class Line:
    """The connection. One thread uses it."""

    def __init__(self, orders: Orders) -> None:
        """Connect to the broker."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        harden(self._socket)
        self._socket.linger = 1000  # the last words of a worker that cannot start
        self._socket.sndhwm = self._socket.rcvhwm = 1000
        self._socket.curve_serverkey = orders.server_public.encode()
        self._socket.curve_publickey, self._socket.curve_secretkey = orders.public.encode(), orders.secret.encode()
        self._socket.connect(orders.address)

    def close(self) -> None:
        """End it; what was sent arrives first."""
        self._socket.close()
        self._context.term()

    def receive(self, *, wait: bool) -> Iterator[Message]:
        """What the broker says; `wait` for at least one message."""
        while wait or has_message(self._socket):
            try:
                frames = self._socket.recv_multipart(0 if wait else zmq.NOBLOCK)
            except zmq.Again:
                return
            wait = False
            yield wire.decode_message(frames, _KINDS, "the broker", "this worker").message

    def send(self, message: Message, *, drop: bool = False) -> None:
        """Tell the broker; what is of the moment only may be lost where it does not keep up."""
        try:
            self._socket.send_multipart(wire.encode(message), zmq.NOBLOCK if drop else 0)
        except zmq.Again:
            if not drop:
                raise


def begin() -> Orders:
    """Read the orders, and see to it from now on that this process ends with its broker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the broker, which tells its workers
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(_STDIN, 1 << 16)
        if not data:
            sys.exit(_LOST)
        line += data
    orders = Orders.read(line.decode())
    threading.Thread(target=_end_with_broker, name="lifeline", daemon=True).start()
    return orders


def _end_with_broker() -> None:
    """Wait for the end of standard input, which only the broker holds open."""
    while os.read(_STDIN, 1 << 16):
        pass
    os._exit(_LOST)  # at once, also out of the middle of a step: nobody is left to hear of it
