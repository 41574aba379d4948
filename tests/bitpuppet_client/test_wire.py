"""The wire format: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet_client import jobs, limits, messages, wire
from bitpuppet_client.errors import LimitError, ParameterError, ProtocolError, VersionError

from .fakes import make_frames, make_retarget
from .strategies import REPLIES, REQUESTS, submits

CASES = int(os.environ.get("BITPUPPET_FUZZ_CASES", "100"))
"""Of each fuzzing test; 10,000 in the long run."""
relaxed = settings(max_examples=CASES, deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def are_same(one: messages.Message, other: messages.Message) -> bool:
    """Whether two messages are equal, arrays by their type and values."""
    if type(one) is not type(other):
        return False
    for field in fields(one):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if field.name != "parts":
            if first != second:
                return False
        elif list(first) != list(second) or any(
            first[name].dtype != second[name].dtype or not np.array_equal(first[name], second[name]) for name in first
        ):
            return False
    return True


def make_header(message: messages.Message, **changes: Any) -> bytes:
    """The header of a message with some keys replaced."""
    return json.dumps(json.loads(bytes(wire.encode(message, 7)[0])) | changes).encode()


def refuse(frames: list[Any], kind: type[ProtocolError] = ProtocolError, match: str | None = None) -> ProtocolError:
    """Demand that a server refuses frames by one printable line with a remedy."""
    with pytest.raises(kind, match=match) as refusal:
        wire.decode_request(frames)
    assert refusal.value.code in messages.ERROR_CODES
    assert ";" in str(refusal.value) or "?" in str(refusal.value), "no remedy"
    assert messages.Error.from_refusal(refusal.value).message
    return refusal.value


@relaxed
@given(REQUESTS, st.integers(0, limits.MAX_REQUEST))
def test_requests_come_out_as_they_went_in(message: messages.Message, number: int) -> None:
    packet = wire.decode_request([bytes(frame) for frame in wire.encode(message, number)])
    assert packet.request == number
    assert are_same(packet.message, message)


@relaxed
@given(REPLIES, st.integers(0, limits.MAX_REQUEST))
def test_replies_come_out_as_they_went_in(message: messages.Message, number: int) -> None:
    packet = wire.decode_reply([bytes(frame) for frame in wire.encode(message, number)])
    assert packet.request == number
    assert are_same(packet.message, message)


@relaxed
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_refused(frames: list[bytes]) -> None:
    refuse(frames)


@relaxed
@given(JSON)
def test_any_json_is_refused(value: Any) -> None:
    refuse([json.dumps(value).encode()])


@relaxed
@given(REQUESTS, st.data())
def test_damaged_header_is_refused_or_still_a_message(message: messages.Message, data: st.DataObject) -> None:
    header, *parts = wire.encode(message, 7)
    start = data.draw(st.integers(0, len(header) - 1))
    length = data.draw(st.integers(0, 8))
    damaged = bytes(header[:start]) + data.draw(st.binary(max_size=8)) + bytes(header[start + length :])
    try:
        packet = wire.decode_request([damaged, *parts])
    except ProtocolError as error:
        assert messages.Error.from_refusal(error)
    else:
        assert wire.encode(packet.message, packet.request)


@relaxed
@given(REQUESTS, st.data())
def test_wrong_values_are_refused_or_still_a_message(message: messages.Message, data: st.DataObject) -> None:
    header, *parts = wire.encode(message, 7)
    values = json.loads(bytes(header))
    place, key = values, data.draw(st.sampled_from(sorted(values)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace" or isinstance(place, list):
        place[key] = data.draw(JSON)
    elif change == "remove":
        del place[key]
    else:
        place["extra"] = data.draw(JSON)
    frames = [json.dumps(values).encode(), *parts]
    if change != "replace" and isinstance(place, dict):
        refuse(frames)
    else:
        try:
            packet = wire.decode_request(frames)
        except ProtocolError as error:
            assert messages.Error.from_refusal(error)
        else:
            assert wire.encode(packet.message, packet.request)


@relaxed
@given(submits().filter(lambda message: message.parts), st.data())
def test_truncated_swollen_or_missing_parts_are_refused(message: messages.Submit, data: st.DataObject) -> None:
    header, *parts = (bytes(frame) for frame in wire.encode(message, 7))
    number = data.draw(st.integers(0, len(parts) - 1))
    damage: Callable[[bytes], list[bytes]] = data.draw(
        st.sampled_from(
            [
                lambda part: [part[:-1]],
                lambda part: [part + b"\0"],
                lambda part: [b""],
                lambda part: [],
                lambda part: [part, part],
                lambda part: [part[:1] * (2 * len(part))],
            ]
        )
    )
    parts[number : number + 1] = damage(parts[number])
    assert refuse([header, *parts]).request == 7


@pytest.mark.parametrize(
    "poison",
    [
        b"cos\nabort\n(tR.",
        b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x05abort\x94\x93)R.",
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\ncos\nabort\n(tR.",
    ],
)
def test_pickles_that_would_end_the_process_are_only_bytes(poison: bytes) -> None:
    refuse([poison])
    refuse([poison, poison])
    refuse([make_header(messages.Submit(str(uuid4()), *make_retarget())), poison, poison])


def test_shape_is_checked_before_anything_is_made() -> None:
    huge = {"name": "motion", "dtype": "uint8", "shape": [4096, 16_384, 16_384, 4]}
    message = messages.Submit(str(uuid4()), *make_retarget())
    header = make_header(message, parts=[huge, huge])
    tracemalloc.start()
    refuse([header, b"1234", b"1234"], match="has 4 bytes, its shape asks for 4398046511104")
    refuse([make_header(message, parts=[{**huge, "shape": [2**62, 2**62, 4]}] * 2), b"", b""])
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_arrays_are_views_that_cannot_be_written() -> None:
    frames = [bytearray(frame) for frame in wire.encode(messages.Submit(str(uuid4()), *make_retarget()))]
    packet = wire.decode_request(frames)
    assert isinstance(packet.message, messages.Submit)
    content = packet.message.parts["content"]
    with pytest.raises(ValueError, match="read-only"):
        content[0] = 0
    frames[1][0] ^= 255
    assert content.reshape(-1)[0] == frames[1][0]


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ({"dtype": "object"}, "'object', the types are"),
        ({"dtype": "float64"}, "'float64', the types are"),
        ({"dtype": "uint16"}, "its shape asks for"),
        ({"shape": []}, "1 to 4 sides"),
        ({"shape": [1, 1, 2, 4, 5, 4]}, "1 to 4 sides"),
        ({"shape": [0, 4, 5, 4]}, "none of them 0"),
        ({"shape": [-2, -4, 5, 4]}, "none of them 0"),
        ({"shape": [160.0]}, "a whole number"),
        ({"shape": [True, 160]}, "a whole number"),
        ({"shape": "160"}, "must be a list"),
        ({"shape": [160]}, r"must be uint8 \(T, H, W, 4\)"),
        ({"shape": [2, 5, 4, 4], "name": "motion"}, "two parts have the name"),
        ({"name": "palette"}, "needs the part 'content'"),
        ({"name": "../content"}, "not a path"),
        ({"name": ""}, "not a path"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
    ids=str,
)
def test_wrong_part_is_refused(part: dict[str, Any], match: str) -> None:
    params, parts = make_retarget()
    header, *payload = wire.encode(messages.Submit(str(uuid4()), params, parts), 7)
    specs = json.loads(bytes(header))["parts"]
    assert specs[0] == {"name": "content", "dtype": "uint8", "shape": [2, 4, 5, 4]}
    message = messages.Submit(str(uuid4()), params, parts)
    refuse([make_header(message, parts=[specs[0] | part, specs[1]]), *payload], match=match)


def test_numbers_that_are_none_are_refused() -> None:
    bad = np.array([[1.0, np.nan]], np.float32)
    message = messages.Submit(
        str(uuid4()),
        jobs.DecodeParams(palette_lock=False),
        {"tokens": np.ones((1, 1), np.uint16), "code": np.ones((1, 2), np.float32)},
    )
    header, tokens, _ = wire.encode(message)
    for value in (np.nan, np.inf):
        bad[0, 1] = value
        refuse([header, tokens, bad.tobytes()], match="not finite")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("NaN", "NaN is no number"),
        ("-Infinity", "is no number"),
        ("1e999", "too large"),
        ("1" * 5000, "not JSON that can be read"),
        (str(2**64), "request is no whole number"),
        ("1.0", "request is no whole number"),
        ("true", "request is no whole number"),
        ("-1", "request is no whole number"),
        ("[" * 30_000 + "]" * 30_000, "too deep"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "too deep"),
        ('"\\ud800"', "request is no whole number"),
        ('7, "request": 7', "twice"),
        ('{"a": 1, "a": 2}', "twice"),
    ],
    ids=lambda text: text[:12],
)
def test_json_of_a_dangerous_kind_is_refused(text: str, match: str) -> None:
    header = f'{{"protocol": {limits.PROTOCOL}, "type": "health", "request": {text}, "body": {{}}, "parts": []}}'
    error = refuse([header.encode()], match=match)
    assert error.request in (0, 7)


def test_limits_of_size_and_number_hold() -> None:
    long = make_header(messages.Health(), body={"x": "y" * limits.MAX_HEADER_BYTES})
    refuse([long], LimitError, f"limit is {limits.MAX_HEADER_BYTES}")
    refuse([memoryview(bytes(50_000_000))], LimitError)
    many = [make_header(messages.Health()), *[b""] * (limits.MAX_PARTS + 1)]
    refuse(many, LimitError, "257 payload parts")
    big = memoryview(np.zeros(limits.MAX_MESSAGE_BYTES // 2 + 1, np.uint8))
    refuse([make_header(messages.Health()), big, big], LimitError, "bytes of pictures")
    assert not [frame for frame in wire.encode(messages.Health()) if len(frame) > 200]


def test_header_that_grows_too_long_is_not_sent() -> None:
    values = {f"key{number}": ("x" * 500,) * 4 for number in range(40)}
    with pytest.raises(LimitError, match="header"):
        wire.encode(messages.MetricsReport(values))


def test_longest_page_of_statuses_fits_into_a_header() -> None:
    worst = '"' * limits.MAX_TEXT_BYTES
    huge = limits.MAX_REQUEST
    status = messages.JobStatus(
        str(uuid4()), "k" * 64, "failed", 9, 1e10 / 3, 1e10 / 3, 1e10 / 3, huge, huge, huge, 4096, 1e10 / 3, huge, True,
        messages.JobError("c" * 64, worst), -1e30 / 3, 1 / 3,
    )  # fmt: skip
    page = messages.Statuses(str(uuid4()), (status,) * limits.MAX_JOBS_PER_MESSAGE, after="x" * 64)
    assert len(wire.encode(page, huge)[0]) <= limits.MAX_HEADER_BYTES


def test_longest_page_of_models_fits_into_a_header() -> None:
    facts = {f"{number:02}{'k' * 62}": '"' * limits.MAX_FACT_BYTES for number in range(limits.MAX_CARD_FACTS)}
    model = messages.ModelInfo("n" * 64, "p" * 64, "0" * 64, limits.MAX_SIDE)
    card = messages.ModelCard(model, limits.MAX_REQUEST, 1e10 / 3, False, facts)
    page = messages.LibraryPage((card,) * limits.MAX_CARDS_PER_MESSAGE, ("s" * 64,) * limits.MAX_MODELS, "n" * 64)
    assert len(wire.encode(page, limits.MAX_REQUEST)[0]) <= limits.MAX_HEADER_BYTES


def test_other_versions_are_told_which_side_to_update() -> None:
    error = refuse([make_header(messages.Health(), protocol=9, news=1)], VersionError, "update the backend")
    assert (error.code, error.request) == ("version", 7)
    with pytest.raises(VersionError, match=r"the backend speaks version 9 .* update this client"):
        wire.decode_reply([make_header(messages.Stopping(), protocol=9)])
    for none in (None, "1", 1.0, 0, -1, True, [1]):
        refuse([make_header(messages.Health(), protocol=none)], match="no protocol version")


def test_replies_are_no_requests_and_the_other_way_round() -> None:
    assert refuse([make_header(messages.Stopping())]).code == "unknown_type"
    with pytest.raises(ProtocolError, match="health"):
        wire.decode_reply([make_header(messages.Health())])


def test_parts_where_none_belong_are_refused() -> None:
    part = {"name": "frames", "dtype": "uint8", "shape": [1]}
    refuse([make_header(messages.Health(), parts=[part]), b"x"], match="health comes with 1 payload parts")


def test_arrays_of_other_layouts_travel_as_their_values() -> None:
    params, parts = make_retarget()
    odd = {"content": np.asfortranarray(parts["content"]), "motion": make_frames(6, 8)[::2, ::-1, ::3]}
    packet = wire.decode_request(wire.encode(messages.Submit(str(uuid4()), params, odd)))
    assert isinstance(packet.message, messages.Submit)
    assert all(np.array_equal(packet.message.parts[name], odd[name]) for name in odd)
    big_endian = np.arange(6, dtype=">u2").reshape(2, 3)
    message = messages.Result(str(uuid4()), "tokens", {}, {"tokens": big_endian})
    reply = wire.decode_reply(wire.encode(message)).message
    assert isinstance(reply, messages.Result)
    assert reply.parts["tokens"].tolist() == big_endian.tolist()


@pytest.mark.parametrize("kind", [np.float64, np.int64, object, bool], ids=str)
def test_arrays_of_other_types_do_not_travel(kind: Any) -> None:
    with pytest.raises(ParameterError, match="convert it"):
        messages.Submit(
            str(uuid4()), make_retarget()[0], dict.fromkeys(("content", "motion"), np.ones((1, 2, 2, 4), kind))
        )


def test_digest_tells_jobs_apart_and_nothing_else() -> None:
    params, parts = make_retarget()
    message = messages.Submit(str(uuid4()), params, parts)
    same = messages.Submit(str(uuid4()), params, dict(reversed(parts.items())), priority=9, previews=True)
    assert wire.digest(message) == wire.digest(same)
    assert wire.digest(message) == wire.digest(wire.decode_request(wire.encode(message)).message)  # type: ignore[arg-type]
    others = [
        replace(message, params=replace(params, seed=1)),
        replace(message, parts=parts | {"motion": parts["motion"][:2]}),
        replace(message, parts=parts | {"motion": parts["motion"] ^ 1}),
        replace(message, parts={"content": parts["motion"], "motion": parts["content"]}),
    ]
    assert len({wire.digest(other) for other in [message, *others]}) == 5
