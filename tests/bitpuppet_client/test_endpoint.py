"""The endpoint file: only its owner can read it, and nothing but an endpoint comes out of it."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet_client import endpoint
from bitpuppet_client.discovery import find_backend, may_run
from bitpuppet_client.endpoint import Endpoint, default_folder, read_endpoint, remove_endpoint, write_endpoint
from bitpuppet_client.errors import EndpointError, ProtocolError, VersionError
from bitpuppet_client.limits import PROTOCOL

from .fakes import FakeServer

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")


def make_endpoint() -> Endpoint:
    """An endpoint of this process with fresh keys."""
    server, client, secret = (key.decode() for key in (zmq.curve_keypair()[0], *zmq.curve_keypair()))
    addresses = "tcp://127.0.0.1:49152", "ipc:///run/user/1000/bitpuppet/jobs"
    return Endpoint("0.1.0", str(uuid4()), os.getpid(), *addresses, server, client, secret)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / endpoint.FILE_NAME


def test_what_is_written_is_read(path: Path) -> None:
    first, second = make_endpoint(), make_endpoint()
    write_endpoint(path, first)
    assert read_endpoint(path) == first
    write_endpoint(path, second)
    assert read_endpoint(path) == second
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@posix
def test_only_the_owner_can_read_it_and_its_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run" / "backend.json"
    old = os.umask(0)
    try:
        write_endpoint(path, make_endpoint())
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    write_endpoint(path, make_endpoint())
    path.chmod(mode)
    with pytest.raises(EndpointError, match=r"chmod 600 .* start the backend again"):
        read_endpoint(path)


@posix
def test_folder_that_others_can_change_is_refused(path: Path) -> None:
    write_endpoint(path, make_endpoint())
    path.parent.chmod(0o770)
    for call in (lambda: read_endpoint(path), lambda: write_endpoint(path, make_endpoint())):
        with pytest.raises(EndpointError, match="chmod 700"):
            call()
    path.parent.chmod(0o700)


@posix
def test_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_endpoint(path, make_endpoint())
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(EndpointError, match="another user"):
        read_endpoint(path)
    with pytest.raises(EndpointError, match="another user"):
        write_endpoint(path, make_endpoint())


@posix
def test_link_pipe_or_folder_is_no_endpoint_file(path: Path) -> None:
    real = path.with_name("real.json")
    write_endpoint(real, make_endpoint())
    path.symlink_to(real)
    with pytest.raises(EndpointError):
        read_endpoint(path)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(EndpointError, match="no file"):
        read_endpoint(path)
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(EndpointError):
        read_endpoint(path)


def test_no_file_is_no_backend(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_endpoint(path)
    assert find_backend(path) is None
    assert not remove_endpoint(path, str(uuid4()))


def save(path: Path, data: bytes) -> None:
    """Write a file as private as it must be."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"control": "tcp://*:5555"}, "tcp://HOST:PORT"),
        ({"control": "tcp://0.0.0.0"}, "tcp://HOST:PORT"),
        ({"jobs": "http://127.0.0.1:80"}, "tcp://HOST:PORT"),
        ({"jobs": "tcp://127.0.0.1:99999999"}, "tcp://HOST:PORT"),
        ({"server_public": "short"}, "Z85"),
        ({"client_secret": "'" * 40}, "Z85"),
        ({"pid": 0}, "pid"),
        ({"pid": "1"}, "pid"),
        ({"instance": "1"}, "UUID"),
        ({"version": "a\nb"}, "printable"),
        ({"extra": 1}, "unknown key"),
        ({"protocol": None}, "no protocol version"),
    ],
    ids=str,
)
def test_file_with_wrong_values_is_refused_with_the_remedy(path: Path, changes: dict[str, Any], match: str) -> None:
    write_endpoint(path, make_endpoint())
    save(path, json.dumps(json.loads(path.read_text()) | changes).encode())
    with pytest.raises(EndpointError, match=match) as refusal:
        read_endpoint(path)
    assert str(path) in str(refusal.value) and "start it again" in str(refusal.value)
    assert not remove_endpoint(path, str(uuid4()))


def test_endpoint_of_another_version_says_which_side_to_update(path: Path) -> None:
    write_endpoint(path, make_endpoint())
    save(path, json.dumps({"protocol": PROTOCOL + 1, "news": True}).encode())
    with pytest.raises(VersionError, match="update this client"):
        read_endpoint(path)


def test_file_that_is_too_long_is_not_read(path: Path) -> None:
    save(path, b" " * 20_000 + b"{}")
    with pytest.raises(EndpointError, match="16384"):
        read_endpoint(path)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("run") / "backend.json"
    save(path, data)
    with pytest.raises((EndpointError, VersionError)):
        read_endpoint(path)


def test_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_endpoint()
    write_endpoint(path, old)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(EndpointError, match="No space left"):
        write_endpoint(path, make_endpoint())
    assert read_endpoint(path) == old
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_server_removes_its_own_file_only(path: Path) -> None:
    old, new = make_endpoint(), make_endpoint()
    write_endpoint(path, new)
    assert not remove_endpoint(path, old.instance)
    assert read_endpoint(path) == new
    assert remove_endpoint(path, new.instance)
    assert not path.exists()


def test_readers_see_the_old_or_the_new_file(path: Path) -> None:
    versions = [make_endpoint() for _ in range(2)]
    write_endpoint(path, versions[0])
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            try:
                if read_endpoint(path) not in versions:
                    wrong.append("mixture")
            except (OSError, EndpointError) as error:
                wrong.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(100):
        write_endpoint(path, versions[number % 2])
    stop.set()
    thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {endpoint.FOLDER_VARIABLE: "/x"}, "/x"),
        ("win32", {endpoint.FOLDER_VARIABLE: "/x"}, "/x"),
        ("linux", {"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/bitpuppet"),
        ("win32", {"LOCALAPPDATA": "/L"}, "/L/bitpuppet/run"),
        ("darwin", {"XDG_RUNTIME_DIR": "/no"}, str(Path.home() / "Library/Caches/bitpuppet/run")),
    ],
)
def test_folder_is_the_users_own(platform: str, environ: dict[str, str], expected: str) -> None:
    assert default_folder(environ, platform) == Path(expected)


@posix
def test_folder_without_a_session_carries_the_users_number() -> None:
    folder = default_folder({}, "linux")
    assert str(os.getuid()) in str(folder)


def test_endpoint_is_checked_when_it_is_made() -> None:
    for changes in ({"control": "x"}, {"client_public": "x"}, {"protocol": PROTOCOL + 1}):
        with pytest.raises(ProtocolError):
            replace(make_endpoint(), **changes)  # type: ignore[arg-type]


def test_running_backend_is_found(server: FakeServer) -> None:
    assert find_backend(server.path, timeout=30) == server.endpoint


def test_file_that_a_killed_backend_left_is_no_backend(server: FakeServer) -> None:
    server.stop()
    assert find_backend(server.path, timeout=0.3) is None


@posix
def test_dead_process_needs_no_timeout(path: Path) -> None:
    process = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(process, 0)
    dead = replace(make_endpoint(), pid=process)
    write_endpoint(path, dead)
    calls: list[Callable[[], object]] = [lambda: may_run(dead), lambda: find_backend(path, timeout=1000)]
    assert not any(call() for call in calls)
    assert may_run(replace(dead, control="tcp://192.0.2.1:5000"))
    assert may_run(replace(dead, pid=os.getpid()))
    assert not may_run(replace(dead, pid=2**53 - 1))
