"""Who gets in, what others can see, and what is left lying about."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from bitpuppet.errors import BitpuppetError
from bitpuppet.server.security import Gate, Keys, bind, guard
from bitpuppet.server.service import describe_exposure
from bitpuppet.server.settings import Settings
from bitpuppet_client.client import Client
from bitpuppet_client.errors import TimedOutError

from . import fake_worker
from .backend import SECONDS, Backend, make_art, retarget
from .raw import connect, make_header

HELLO = make_header("hello", {"client": "stranger", "version": "1"})
SHORT = 0.7
"""Seconds without an answer after which a stranger counts as turned away; a friend waits for at most a few ms."""


def make_pair() -> tuple[str, str]:
    keys = Keys.make()
    return keys.public.decode(), keys.secret.decode()


@pytest.mark.parametrize("channel", ["control", "jobs"])
def test_own_key_gets_in(shared: Backend, channel: str) -> None:
    with connect(shared.read_endpoint(), channel) as peer:
        peer.send(HELLO)
        assert peer.receive() is not None


@pytest.mark.parametrize("channel", ["control", "jobs"])
@pytest.mark.parametrize("case", ["unknown client key", "no key", "wrong server key"])
def test_stranger_gets_no_answer(shared: Backend, channel: str, case: str) -> None:
    endpoint = shared.read_endpoint()
    keys = {"unknown client key": make_pair(), "no key": ()}.get(case)
    server = make_pair()[0] if case == "wrong server key" else None
    with connect(endpoint, channel, keys=keys, server=server) as peer:
        peer.send(HELLO)
        assert peer.receive(SHORT) is None
    with shared.connect() as client:
        assert client.check_health().state == "ready"


def test_client_is_told_what_is_wrong_with_its_key(shared: Backend) -> None:
    public, secret = make_pair()
    stranger = replace(shared.read_endpoint(), client_public=public, client_secret=secret)
    with pytest.raises(TimedOutError, match="does not let this client's key in"):
        Client(stranger, timeout=SHORT)


def test_key_of_the_list_gets_in(backend: Backend) -> None:
    friend, other = make_pair(), make_pair()
    backend.start(clients=[friend[0]])
    for keys, answers in ((friend, True), (other, False)):
        with connect(backend.read_endpoint(), keys=keys) as peer:
            peer.send(HELLO)
            assert (peer.receive(SECONDS if answers else SHORT) is not None) == answers


def test_workers_port_is_closed_to_clients(shared: Backend) -> None:
    """The worker's connection has keys of its own: whoever may submit jobs may not pass for a worker."""
    endpoint = shared.read_endpoint()
    assert shared.process is not None
    ports = {int(line.split(":")[-1]) for line in (endpoint.control, endpoint.jobs)}
    import psutil

    process = psutil.Process(shared.process.pid)
    listening = {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert ports < listening
    for port in listening - ports:
        workers = replace(endpoint, jobs=f"tcp://127.0.0.1:{port}")
        with connect(workers) as peer:
            peer.send(HELLO)
            assert peer.receive(SHORT) is None


def test_all_ports_are_on_the_loopback(shared: Backend) -> None:
    import psutil

    assert shared.process is not None
    process = psutil.Process(shared.process.pid)
    listening = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert not [c for c in shared.find_worker().net_connections("inet") if c.status == psutil.CONN_LISTEN]


@contextmanager
def eavesdrop(address: str) -> Iterator[tuple[str, bytearray]]:
    """A proxy in front of a TCP address that keeps all bytes of both directions."""
    seen = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = address.removeprefix("tcp://").split(":")

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                seen.extend(data)
                target.sendall(data)
        except OSError:
            pass

    def accept() -> None:
        try:
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((host, int(port)))
                sockets.extend((client, server))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()
        except OSError:
            pass

    sockets: list[socket.socket] = []
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in sockets:
            one.close()
        thread.join()


def test_eavesdropper_sees_no_plaintext(shared: Backend) -> None:
    endpoint = shared.read_endpoint()
    parts = {"content": make_art(1), "motion": make_art(3)}
    with eavesdrop(endpoint.jobs) as (jobs, seen), eavesdrop(endpoint.control) as (control, seen_control):
        with Client(replace(endpoint, jobs=jobs, control=control), timeout=SECONDS) as client:
            result = client.run(retarget(12345), parts)
            client.read_metrics()
        everything = bytes(seen + seen_control)
    assert len(everything) > sum(array.nbytes for array in (*parts.values(), result.parts["frames"]))
    for array in (*parts.values(), result.parts["frames"]):
        assert array.tobytes()[:64] not in everything
    for word in (b"CURVE",):  # the mechanism is told, and nothing else
        assert word in everything
    for word in (b"submit", b"retarget", b"sprite64", b"protocol", b"metrics", result.job.encode()):
        assert word not in everything


def test_files_are_for_their_user_alone(shared: Backend) -> None:
    if os.name != "posix":
        pytest.skip("modes of files are of POSIX")
    with shared.connect() as client:
        client.submit(retarget(), {"content": make_art(1), "motion": make_art(2)})
    open_to_others = [
        path
        for root in (shared.endpoint_path.parent, shared.store)
        for path in (root, *root.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


def test_log_has_no_keys_and_no_pixels(shared: Backend) -> None:
    endpoint = shared.read_endpoint()
    with shared.connect() as client:
        client.run(retarget(), {"content": make_art(1), "motion": make_art(2)})
    with connect(endpoint, keys=make_pair()) as peer:
        peer.send(HELLO)
        peer.receive(SHORT)
    log = shared.log
    assert "is done" in log
    for secret in (endpoint.client_secret, endpoint.client_public, endpoint.server_public):
        assert secret not in log
    assert max(map(len, log.splitlines())) < 2100


def test_server_secret_is_nowhere_on_disk(shared: Backend) -> None:
    text = shared.endpoint_path.read_text()
    assert text.count("secret") == 1  # the client's


def test_command_line_and_environment_of_the_worker_hold_no_keys(shared: Backend) -> None:
    worker = shared.find_worker()
    told = " ".join([*worker.cmdline(), *worker.environ().values()])
    endpoint = shared.read_endpoint()
    assert endpoint.client_secret not in told and endpoint.server_public not in told
    assert "tcp://" not in told


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"bind": "0.0.0.0"}, "lets other machines connect.*--allow-remote"),
        ({"bind": "192.168.1.7"}, "--allow-remote"),
        ({"bind": "::"}, "--allow-remote"),
        ({"bind": "example.org"}, "must be an address"),
        ({"clients": ("short",)}, "40 characters"),
    ],
)
def test_settings_that_would_let_others_in_are_refused(values: dict[str, object], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        Settings(**values)  # type: ignore[arg-type]


def test_open_address_says_what_it_means() -> None:
    assert describe_exposure(Settings()) == []
    told = " ".join(describe_exposure(Settings(bind="0.0.0.0", allow_remote=True)))
    assert "other machines" in told and "SSH tunnel" in told


def test_open_address_is_told_at_the_start(backend: Backend) -> None:
    backend.start(bind="0.0.0.0", allow_remote=True)
    assert backend.process is not None and backend.process.stdout is not None
    lines = [backend.process.stdout.readline() for _ in range(3)]
    assert "warning: 0.0.0.0 is open to other machines" in lines[2]


@pytest.mark.skipif(os.name != "posix" or not zmq.has("ipc"), reason="needs sockets in files")
def test_ipc_sockets_are_in_the_users_folder(backend: Backend) -> None:
    folder = backend.folder / "r"
    endpoint = backend.start(ipc=True)
    assert endpoint.jobs == f"ipc://{backend.endpoint_path.parent}/jobs.sock"
    for name in ("jobs", "control"):
        assert stat.S_IMODE((backend.endpoint_path.parent / f"{name}.sock").stat().st_mode) == 0o600
    with backend.connect() as client:
        client.run(retarget(3), {"content": make_art(1), "motion": make_art(2)})
    with connect(endpoint, keys=make_pair()) as peer:
        peer.send(HELLO)
        assert peer.receive(SHORT) is None
    assert not folder.exists()


def test_modules_of_the_current_folder_are_not_run(backend: Backend, tmp_path: Path) -> None:
    """A sheet's folder may hold a `json.py` from the internet."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "bitpuppet", "psutil"):
        (trap / f"{name}.py").write_text("raise SystemExit('caught')")
    from bitpuppet.server.workers import COMMAND

    ran = subprocess.run(
        [COMMAND[0], COMMAND[1], "-c", "import json, bitpuppet, psutil"],
        cwd=trap,
        env=os.environ | {"PYTHONPATH": str(Path(fake_worker.__file__).parents[2] / "backend")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert COMMAND[0] == sys.executable and COMMAND[1] == "-P"


@pytest.mark.parametrize("case", ["open", "stopped", "forgotten", "never there"])
def test_without_its_gate_a_socket_lets_nobody_in(case: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    own, client = Keys.make(), Keys.make()
    gate = Gate(context) if case != "never there" else None
    if gate is not None and case != "forgotten":
        gate.allow("clients", [client.public])
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    try:
        guard(router, own, "clients")
        address = bind(router, "127.0.0.1", None)
        if gate is not None and case == "stopped":
            gate.stop()
        dealer.linger = 0
        dealer.curve_serverkey, dealer.curve_publickey, dealer.curve_secretkey = (
            own.public,
            client.public,
            client.secret,
        )
        dealer.connect(address)
        dealer.send(b"hello")
        assert bool(router.poll(SECONDS * 1000 if case == "open" else SHORT * 1000)) == (case == "open")
    finally:
        router.close(0)
        dealer.close(0)
        if gate is not None and case != "stopped":
            gate.stop()
        context.term()
