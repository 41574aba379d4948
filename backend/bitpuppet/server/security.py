"""Who is let in: CurveZMQ keys on every socket, and a list of the client keys that may speak (ZAP, RFC 27)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.auth import Authenticator

from bitpuppet_client.limits import MAX_PART_BYTES

CLIENTS = "clients"
"""ZAP domain of the two channels that clients use. Each worker has a domain, and a key, of its own."""
_HANDSHAKE_MS = 5_000
_HEARTBEAT_MS = 10_000
_GONE_MS = 30_000
"""Silence of the other end's ZeroMQ after which its connection, and what waits for it, is given up."""
_STOP = "inproc://bitpuppet-gate-stop"


@dataclass(frozen=True, repr=False)
class Keys:
    """A CurveZMQ key pair in Z85. It has no `repr`, so that it cannot get into a log by accident."""

    public: bytes
    secret: bytes

    @classmethod
    def make(cls) -> Keys:
        """A new pair."""
        return cls(*zmq.curve_keypair())


class Gate:
    """Answers ZeroMQ's question whether a key may connect, in a thread of its own.

    pyzmq's `ThreadAuthenticator` does the same, but on Windows its thread does not run without tornado.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Open the gate for nobody. It must exist before the sockets that it guards."""
        self._allowed: dict[str, frozenset[bytes]] = {}
        log = logging.getLogger("bitpuppet.server.gate")
        log.setLevel(logging.WARNING)  # pyzmq tells keys on the level below
        self._authenticator = Authenticator(context, log=log)
        self._authenticator.start()
        self._stop: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self._stop.bind(_STOP)
        self._context = context
        self._thread = threading.Thread(target=self._answer, name="gate", daemon=True)
        self._thread.start()

    def allow(self, domain: str, keys: Iterable[bytes]) -> None:
        """Let the owners of these public keys, and nobody else, into a domain."""
        self._allowed[domain] = frozenset(keys)
        self._authenticator.configure_curve_callback(domain, self)

    def close(self, domain: str) -> None:
        """Let nobody in any more."""
        self._allowed.pop(domain, None)

    def callback(self, domain: str, key: bytes) -> bool:
        """pyzmq asks this."""
        return key in self._allowed.get(domain, frozenset())

    def stop(self) -> None:
        """End the thread. Sockets that are still open let nobody new in."""
        self._stop.send(b"")
        self._thread.join()
        self._stop.close(0)
        self._authenticator.stop()

    def _answer(self) -> None:
        stop: zmq.Socket[bytes] = self._context.socket(zmq.PAIR)
        stop.connect(_STOP)
        socket = self._authenticator.zap_socket
        poller = zmq.Poller()
        poller.register(stop, zmq.POLLIN)
        poller.register(socket, zmq.POLLIN)
        loop = asyncio.new_event_loop()  # pyzmq's handler is a coroutine; it never waits for anything
        try:
            while True:
                ready = dict(poller.poll())
                if stop in ready:
                    return
                loop.run_until_complete(self._authenticator.handle_zap_message(socket.recv_multipart()))
        finally:
            loop.close()
            stop.close(0)


def guard(socket: zmq.Socket[bytes], keys: Keys, domain: str) -> None:
    """Set up a server's socket, before it is bound, so that it speaks to nobody whom the gate does not know."""
    socket.curve_server = True
    socket.curve_secretkey, socket.curve_publickey = keys.secret, keys.public
    socket.zap_domain = domain.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without the gate's thread nobody is let in, instead of everybody
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    harden(socket)


def harden(socket: zmq.Socket[bytes]) -> None:
    """Limits that each of our sockets has."""
    socket.linger = 0
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _GONE_MS)


def bind(socket: zmq.Socket[bytes], address: str, ipc: Path | None) -> str:
    """Bind a socket, on a port that the system chooses or on a socket file; the address for the other side.

    Args:
        address: of the network interface, IPv4 or IPv6.
        ipc: the socket file to use in place of a port.

    Raises:
        zmq.ZMQError: the address is not of this machine, or the path is too long.
    """
    if ipc is not None:
        with contextlib.suppress(FileNotFoundError):
            ipc.unlink()
        socket.bind(f"ipc://{ipc}")
        os.chmod(ipc, 0o600)
        return f"ipc://{ipc}"
    host = f"[{address}]" if ":" in address else address
    if ":" in address:
        socket.ipv6 = True
    socket.bind(f"tcp://{host}:*")
    bound = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(bound, bytes)
    return bound.rstrip(b"\0").decode()
