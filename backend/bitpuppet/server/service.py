"""A server from its first to its last moment: lock, keys, sockets, store, workers, and back again."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import zmq

from bitpuppet import __version__
from bitpuppet.errors import BitpuppetError
from bitpuppet.server.broker import Broker
from bitpuppet.server.channel import Channel
from bitpuppet.server.clock import Clock
from bitpuppet.server.ledger import Ledger
from bitpuppet.server.life import LockedError, Vitals, hold
from bitpuppet.server.logs import start_log, stop_log
from bitpuppet.server.models import ModelFolder, SetFolder
from bitpuppet.server.security import CLIENTS, Gate, Keys, bind, guard
from bitpuppet.server.settings import Settings
from bitpuppet.server.tasks import list_kinds
from bitpuppet.server.workers import COMMAND, TRAINER, WorkerHandle
from bitpuppet_client.endpoint import Endpoint, make_folder, read_endpoint, remove_endpoint, write_endpoint
from bitpuppet_client.errors import ClientError

Context = zmq.Context[zmq.Socket[bytes]]
_WAKE = "inproc://bitpuppet-wake"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlreadyRunning(Exception):
    """Another server of this user runs."""

    pid: int | None
    """Its process; None where it is just starting."""


def serve(
    settings: Settings,
    *,
    tell: Callable[[str], None] = print,
    to_stderr: bool = False,
    clock: Clock | None = None,
    worker_command: Sequence[str] = COMMAND,
    trainer_command: Sequence[str] = TRAINER,
) -> None:
    """Run a server until it is told to stop, or nobody needs it.

    Args:
        settings: all that can be set.
        tell: what the person at the terminal should know.
        to_stderr: write the log to the terminal, too.
        clock: the machine's; tests bring one of their own.
        worker_command: program and arguments of a worker; tests bring one with an engine of their own.
        trainer_command: the same of the process that trains.

    Raises:
        AlreadyRunning: there is one already.
        BitpuppetError: a folder, the address or the store cannot be used.
    """
    os.umask(0o077)  # nothing that the server makes is for others
    clock = clock or Clock()
    with ExitStack() as stack:
        stack.enter_context(_hold_place(settings))
        start_log(settings.log, settings.log_bytes, to_stderr=to_stderr)
        stack.callback(stop_log)
        ledger = Ledger(settings, clock)
        stack.callback(ledger.close)
        context: Context = zmq.Context()
        stack.callback(context.term)
        gate = Gate(context)
        stack.callback(gate.stop)
        wakeup = context.socket(zmq.PULL)
        stack.callback(wakeup.close, 0)
        wakeup.bind(_WAKE)
        wake = _make_wake(context)

        own, client, instance = Keys.make(), Keys.make(), str(uuid.uuid4())
        gate.allow(CLIENTS, [client.public, *(key.encode() for key in settings.clients)])
        channels, addresses = {}, {}
        for name in ("control", "jobs"):
            channels[name], addresses[name] = _open_channel(context, settings, own, name)
            stack.callback(channels[name].socket.close, 0)
        vitals = Vitals(settings, clock.steady(), wake)
        vitals.catch_signals()
        workers = [
            WorkerHandle(number, device, settings, context, gate, wake, worker_command)
            for number, device in enumerate(settings.devices)
        ]
        trainer = WorkerHandle(len(workers), settings.devices[0], settings, context, gate, wake, trainer_command)
        for worker in (*workers, trainer):
            stack.callback(worker.bury, 0.0)  # whatever happens, no socket may keep the context from ending
        models = ModelFolder(settings.models)
        models.list()  # reads and hashes the weights now, and not while a client waits
        broker = Broker(
            instance,
            settings,
            clock,
            ledger,
            models,
            SetFolder(settings.sets),
            list_kinds(),
            channels,
            workers,
            trainer,
            vitals,
            wakeup,
        )
        endpoint = Endpoint(
            version=__version__,
            instance=instance,
            pid=os.getpid(),
            control=addresses["control"],
            jobs=addresses["jobs"],
            server_public=own.public.decode(),
            client_public=client.public.decode(),
            client_secret=client.secret.decode(),
        )
        _write_endpoint(settings, endpoint)
        stack.callback(remove_endpoint, settings.endpoint, instance)
        _LOG.info("bitpuppet %s serves at %s and %s", __version__, endpoint.control, endpoint.jobs)
        tell(f"serving at {endpoint.control} (control) and {endpoint.jobs} (jobs)")
        tell(f"clients find it by {settings.endpoint}; Ctrl-C stops it")
        for line in describe_exposure(settings):
            tell(line)
        broker.run()
        _LOG.info("stopped")


def describe_exposure(settings: Settings) -> list[str]:
    """What it means that other machines can connect; empty where they cannot."""
    if settings.ipc or ip_address(settings.bind).is_loopback:
        return []
    return [
        f"warning: {settings.bind} is open to other machines of the network.",
        f"  Whoever has a copy of {settings.endpoint} can run jobs, read and cancel all jobs, and stop this server.",
        "  Connections are encrypted and strangers are turned away, but they can still reach the port and load it.",
        "  Prefer an SSH tunnel to the loopback address; give the file to nobody by mail or chat.",
    ]


@contextmanager
def _hold_place(settings: Settings) -> Iterator[None]:
    """Be this user's only server, and the only one of the store.

    Raises:
        AlreadyRunning: this user has one.
        BitpuppetError: a folder cannot be used, or a server of another place has the store.
    """
    try:
        make_folder(settings.runtime)
        settings.store.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BitpuppetError(
            f"{error.filename or settings.store}: the folder cannot be made ({error.strerror}); name another one"
        ) from error
    except ClientError as error:
        raise BitpuppetError(str(error)) from error
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(settings.lock))
        except LockedError as error:
            raise AlreadyRunning(_find_pid(settings)) from error
        except OSError as error:
            raise BitpuppetError(
                f"{settings.lock}: cannot be locked ({error.strerror}); name another folder"
            ) from error
        try:
            stack.enter_context(hold(settings.store / "lock"))
        except LockedError as error:
            raise BitpuppetError(
                f"{settings.store} is in use by another server; stop that one, or name another folder with --store"
            ) from error
        except OSError as error:
            raise BitpuppetError(
                f"{settings.store} cannot be written ({error.strerror}); name another folder with --store"
            ) from error
        yield


def _find_pid(settings: Settings) -> int | None:
    with contextlib.suppress(OSError, ClientError):
        return read_endpoint(settings.endpoint).pid
    return None


def _make_wake(context: Context) -> Callable[[], None]:
    """A function that ends the broker's wait; any thread may call it."""

    def wake() -> None:
        with contextlib.suppress(zmq.ZMQError):  # the server has ended
            socket = context.socket(zmq.PUSH)
            socket.connect(_WAKE)
            socket.send(b"")
            socket.close(100)

    return wake


def _open_channel(context: Context, settings: Settings, keys: Keys, name: str) -> tuple[Channel, str]:
    socket = context.socket(zmq.ROUTER)
    guard(socket, keys, CLIENTS)
    channel = Channel(socket, rate=settings.requests_per_second, burst=settings.burst, peers=settings.peers)
    try:
        address = bind(socket, settings.bind, settings.runtime / f"{name}.sock" if settings.ipc else None)
    except zmq.ZMQError as error:
        socket.close(0)
        place = f"{settings.runtime}/{name}.sock" if settings.ipc else settings.bind
        raise BitpuppetError(
            f"{place}: the server cannot listen there ({error.strerror}); name another address with --bind"
        ) from error
    return channel, address


def _write_endpoint(settings: Settings, endpoint: Endpoint) -> None:
    try:
        write_endpoint(settings.endpoint, endpoint)
    except ClientError as error:
        raise BitpuppetError(str(error)) from error
