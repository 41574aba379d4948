"""What no client of ours would send: the server answers each with a reason, and goes on."""

from __future__ import annotations

import json
import os
import random
import time
from uuid import uuid4

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitpuppet_client.limits import MAX_HEADER_BYTES, MAX_PART_BYTES, PROTOCOL
from bitpuppet_client.messages import Error, HealthReport, Submit, Welcome
from bitpuppet_client.wire import encode

from .backend import Backend, make_parts, retarget
from .raw import Peer, connect, make_header

HEALTH = make_header("health", {})
PICKLE = b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94."
"""What `pickle` would run `true` for."""


def make_submit(job: str | None = None) -> list[bytes]:
    return [bytes(frame) for frame in encode(Submit(job or str(uuid4()), retarget(), make_parts()), 1)]


def is_well(peer: Peer) -> bool:
    peer.send(HEALTH)
    while (reply := peer.receive()) is not None:
        if isinstance(reply, HealthReport):
            return reply.state in ("ready", "busy")
    return False


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "malformed"),
        ([b"{"], "malformed"),
        ([b"\xff\xfe"], "malformed"),
        ([b"[]"], "malformed"),
        ([b"null"], "malformed"),
        ([b"NaN"], "malformed"),
        ([PICKLE], "malformed"),
        ([b"[" * 60_000], "malformed"),
        ([b" " * (MAX_HEADER_BYTES + 1)], "too_large"),
        ([make_header("health", {}, protocol=99)], "version"),
        ([make_header("health", {}, protocol="1")], "malformed"),
        ([make_header("explode", {})], "unknown_type"),
        ([make_header("health", {"path": "/etc/passwd"})], "malformed"),
        ([make_header("cancel", {"job": "../../etc/passwd"})], "bad_parameter"),
        ([make_header("hello", {"client": "x", "version": "1"}), b"more"], "malformed"),
        ([make_header("health", {}), *[b""] * 300], "too_large"),
    ],
)
def test_malformed_message_is_refused_with_a_reason(shared: Backend, frames: list[bytes], code: str) -> None:
    with connect(shared.read_endpoint(), "control") as peer:
        error = peer.ask(*frames)
        assert error.code == code
        assert error.message.isprintable() and error.message
        assert is_well(peer)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda header, frames: frames.pop(), "malformed"),
        (lambda header, frames: frames.append(b"x"), "malformed"),
        (lambda header, frames: frames.__setitem__(1, frames[1][:-1]), "malformed"),
        (lambda header, frames: frames.__setitem__(1, frames[1] + b"x"), "malformed"),
        (lambda header, frames: frames.__setitem__(1, PICKLE), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("shape", [1, 64, 64, 3]), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("shape", [2**40, 2**40, 1, 4]), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("shape", [-1, 64, 64, 4]), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("dtype", "object"), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("dtype", "float32"), "malformed"),
        (lambda header, frames: header["parts"][0].__setitem__("shape", [1, 128, 32, 4]), None),
        (lambda header, frames: header["body"]["params"].__setitem__("model", "../sprite64"), "bad_parameter"),
        (lambda header, frames: header["body"]["params"].__setitem__("model", "/etc/passwd"), "bad_parameter"),
        (lambda header, frames: header["body"]["params"].__setitem__("steps", 10**9), "bad_parameter"),
        (lambda header, frames: header["body"]["params"].__setitem__("code", "import os"), "malformed"),
        (lambda header, frames: header["body"]["params"]["pixels"].__setitem__("colours", 0), "bad_parameter"),
        (lambda header, frames: header["body"]["params"]["pixels"].__setitem__("palette", "/a.gpl"), "malformed"),
        (lambda header, frames: header["body"].__setitem__("job", "1"), "bad_parameter"),
        (lambda header, frames: header["body"].__setitem__("kind", "shell"), "unsupported"),
    ],
)
def test_wrong_frames_are_refused_before_anything_is_made(shared: Backend, change, code: str | None) -> None:
    frames = make_submit()
    header = json.loads(frames[0])
    change(header, frames)
    frames[0] = json.dumps(header).encode()
    with connect(shared.read_endpoint()) as peer:
        peer.send(*frames)
        reply = peer.receive()
        assert (reply.code if isinstance(reply, Error) else None) == code
    with connect(shared.read_endpoint(), "control") as peer:
        assert is_well(peer)


@pytest.mark.parametrize(("kind", "channel"), [("submit", "control"), ("health", "jobs"), ("cancel", "jobs")])
def test_request_on_the_wrong_channel(shared: Backend, kind: str, channel: str) -> None:
    bodies = {"health": {}, "cancel": {"job": str(uuid4())}}
    frames = make_submit() if kind == "submit" else [make_header(kind, bodies[kind])]
    with connect(shared.read_endpoint(), channel) as peer:
        assert peer.ask(*frames).code == "wrong_channel"


@pytest.mark.parametrize("channel", ["control", "jobs"])
def test_reply_to_an_older_or_newer_client_says_what_to_do(shared: Backend, channel: str) -> None:
    with connect(shared.read_endpoint(), channel) as peer:
        for protocol, remedy in ((PROTOCOL - 1, "update this client"), (PROTOCOL + 1, "update the backend")):
            error = peer.ask(make_header("hello", {"name": "of another time"}, protocol=protocol))
            assert error.code == "version"
            assert f"version {protocol} " in error.message and remedy in error.message
        peer.send(make_header("hello", {"client": "x", "version": "0.0.1"}))
        assert isinstance(peer.receive(), Welcome)


def test_ten_thousand_tiny_messages_from_one_peer(backend: Backend) -> None:
    backend.start(requests_per_second=200, burst=500)
    endpoint = backend.read_endpoint()
    assert backend.process is not None
    process = psutil.Process(backend.process.pid)
    before = process.memory_info().rss
    with connect(endpoint, "control") as flooder, connect(endpoint, "control") as other:
        flooder.socket.sndhwm = 0
        for number in range(10_000):
            flooder.send(make_header("health", {}, request=number + 1))
        started = time.perf_counter()
        assert is_well(other)
        assert time.perf_counter() - started < 30
        refused = answered = 0
        while (reply := flooder.receive(5.0)) is not None:
            answered += isinstance(reply, HealthReport)
            refused += isinstance(reply, Error) and reply.code == "busy" and reply.retry_after == 1.0
        assert refused > 1000 and answered >= 400
    assert process.memory_info().rss - before < 100 << 20
    with backend.connect() as client:
        client.run(retarget(), make_parts())


def test_client_that_never_reads_holds_up_nobody(backend: Backend) -> None:
    backend.start()
    endpoint = backend.read_endpoint()
    assert backend.process is not None
    process = psutil.Process(backend.process.pid)
    parts = make_parts(100)  # 1.6 MB
    with backend.connect() as client, connect(endpoint) as sleeper:
        sleeper.socket.rcvhwm = 1
        job = client.submit(retarget(), parts).job
        client.wait(job)
        before = process.memory_info().rss
        for number in range(1, 400):
            sleeper.send(make_header("fetch", {"job": job}, request=number))
        for seed in range(5):
            client.run(retarget(seed), make_parts())
        assert client.read_metrics().values["refused"] > 0
        assert process.memory_info().rss - before < 200 << 20  # all replies together are 650 MB
        assert client.fetch(job).parts["frames"].shape[0] == 100


def mutate(frames: list[bytes], chance: random.Random) -> list[bytes]:
    """A message with something wrong somewhere, most of the time."""
    frames = list(frames)
    for _ in range(chance.randint(1, 3)):
        which = chance.randrange(len(frames)) if frames else 0
        data = bytearray(frames[which]) if frames else bytearray()
        match chance.randrange(6):
            case 0 if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                del data[chance.randint(0, len(data)) :]
            case 2:
                data.insert(chance.randint(0, len(data)), chance.randrange(256))
            case 3 if frames:
                frames.pop(which)
                continue
            case 4:
                frames.insert(which, bytes(data))
                continue
            case _:
                at = chance.randint(0, len(data))
                data[at : at + chance.randint(0, 9)] = chance.randbytes(chance.randint(0, 9))
        if frames:
            frames[which] = bytes(data)
    return frames or [b""]


def fuzz(backend: Backend, seed: int, count: int) -> None:
    """Send many broken messages; each gets one answer, and the server stays well."""
    chance = random.Random(seed)
    endpoint = backend.read_endpoint()
    small = {"content": np.full((1, 2, 2, 4), 9, np.uint8), "motion": np.full((1, 2, 2, 4), 9, np.uint8)}
    templates = [
        *[[make_header(kind, {})] for kind in ("health", "metrics")],
        [make_header("list", {"states": [], "limit": 3, "after": None})],
        [make_header("watch", {"jobs": [str(uuid4())], "previews": True})],
        [make_header("cancel", {"job": str(uuid4())})],
        [bytes(frame) for frame in encode(Submit(str(uuid4()), retarget(), small), 1)],
    ]
    with connect(endpoint, "jobs") as jobs, connect(endpoint, "control") as control:
        for number in range(count):
            peer = chance.choice((jobs, control))
            peer.send(*mutate(chance.choice(templates), chance))
            if number % 50 == 49:
                assert is_well(control)
                while jobs.receive(0.0) is not None:
                    pass


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_broken_messages(shared: Backend, seed: int) -> None:
    fuzz(shared, seed, 50)


@pytest.mark.slow
def test_many_broken_messages(shared: Backend) -> None:
    """The long run has BITPUPPET_FUZZ_CASES=10000."""
    fuzz(shared, 4, int(os.environ.get("BITPUPPET_FUZZ_CASES", "1000")))


@pytest.mark.slow
def test_part_beyond_the_limit_ends_the_connection_and_nothing_else(shared: Backend) -> None:
    with connect(shared.read_endpoint()) as peer, connect(shared.read_endpoint(), "control") as other:
        peer.send(make_header("hello", {"client": "large", "version": "1"}), bytes(MAX_PART_BYTES + 1))
        assert peer.receive(5.0) is None
        assert is_well(other)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_noise(shared: Backend, frames: list[bytes]) -> None:
    with connect(shared.read_endpoint(), "control") as peer:
        assert peer.ask(*frames).code in ("malformed", "too_large", "version")
