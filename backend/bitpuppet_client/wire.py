"""Between messages and the frames on the wire: a JSON header, then the raw bytes of each array.

Nothing here trusts its input or makes anything of it before the header's claims fit the bytes that are there: arrays
are read-only views of the received buffers, never copies whose size a peer could choose.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitpuppet_client.errors import LimitError, ProtocolError, VersionError
from bitpuppet_client.limits import MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_PARTS, MAX_REQUEST, PROTOCOL
from bitpuppet_client.message import NO_PARTS, Message
from bitpuppet_client.parts import Array, Parts
from bitpuppet_client.replies import REPLIES
from bitpuppet_client.requests import REQUESTS, Submit
from bitpuppet_client.schema import check_keys, check_name, parse_header, read_object, shorten, write_object

Buffer = bytes | bytearray | memoryview
"""One frame of a multipart message."""

DTYPES: Mapping[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2"), "float32": np.dtype("<f4")}
"""What arrays may be made of, little-endian."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_MAX_SIDES = 4
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_KEYS = ("protocol", "type", "request", "body", "parts")


@dataclass(frozen=True)
class Packet:
    """A message and the number of the request that it is or answers; 0 for an event."""

    message: Message
    request: int


@dataclass(frozen=True)
class _PartSpec:
    name: str
    dtype: str
    shape: tuple[int, ...]


def encode(message: Message, request: int = 0) -> list[Buffer]:
    """Make the frames of a message for `send_multipart`: the header, then one frame an array (not copied).

    Raises:
        LimitError: the header or the arrays are too large for one message.
        ProtocolError: an array of a type that does not travel.
    """
    parts: Parts = getattr(message, "parts", NO_PARTS)
    specs, payload = [], []
    for name, array in parts.items():
        check_name("the part's name", name)
        dtype = name_dtype(array)
        if dtype not in DTYPES or not 1 <= array.ndim <= _MAX_SIDES or not array.size:
            raise ProtocolError(
                f"the part {name!r} is {array.dtype} {array.shape}; send uint8, uint16 or float32 of 1 to 4 sides"
            )
        specs.append(_PartSpec(name, dtype, array.shape))
        payload.append(_list_bytes(array))
    _check_amount(payload)
    header = {
        "protocol": PROTOCOL,
        "type": message.type,
        "request": request,
        "body": message.to_body(),
        "parts": [write_object(spec) for spec in specs],
    }
    data = _ENCODER.encode(header).encode()
    if len(data) > MAX_HEADER_BYTES:
        raise LimitError(f"the header has {len(data)} bytes, the limit is {MAX_HEADER_BYTES}; send less in one message")
    return [data, *payload]


def decode_request(frames: Sequence[Buffer]) -> Packet:
    """Read what a client sent, without the routing id in front.

    Args:
        frames: bytes, or `zmq.Frame.buffer` to have no copies. Arrays are read-only views of them.

    Raises:
        ProtocolError: with `code` and `request`, all that an error reply needs; VersionError, LimitError and
            ParameterError are kinds of it.
    """
    return decode_message(frames, REQUESTS, "this client", "the backend")


def decode_reply(frames: Sequence[Buffer]) -> Packet:
    """Read what the server sent; otherwise as `decode_request`."""
    return decode_message(frames, REPLIES, "the backend", "this client")


def decode_message(frames: Sequence[Buffer], kinds: Mapping[str, type[Message]], them: str, us: str) -> Packet:
    """Read one of certain kinds of messages; otherwise as `decode_request`, which says what clients send.

    Args:
        frames: the header, and the bytes of each array.
        kinds: by the header's `type`.
        them: who sent it, such as "the backend", for messages.
        us: who we are.
    """
    if not frames:
        raise ProtocolError("a message without frames; send a header")
    if len(frames) - 1 > MAX_PARTS:
        raise LimitError(f"{len(frames) - 1} payload parts, the limit is {MAX_PARTS}; send fewer")
    payload = [memoryview(frame).cast("B") for frame in frames[1:]]
    first = memoryview(frames[0])
    if first.nbytes > MAX_HEADER_BYTES:  # before it is copied
        raise LimitError(f"the header has {first.nbytes} bytes, the limit is {MAX_HEADER_BYTES}; send less at once")
    header = parse_header(bytes(first))
    number = header.get("request")
    request = number if type(number) is int and 0 <= number <= MAX_REQUEST else 0
    check_version(header.get("protocol"), them, us, request)
    try:
        check_keys(header, _KEYS, "the header")
        if type(number) is not int or number != request:
            raise ProtocolError(f"the header's request is no whole number from 0 to {MAX_REQUEST}; count messages")
        name = header["type"]
        if not isinstance(name, str) or name not in kinds:
            told = repr(shorten(name, 40)) if isinstance(name, str) else "no text"
            raise ProtocolError(
                f"the message's type is {told}, {us} reads {', '.join(kinds)}; see docs/protocol.md",
                "unknown_type",
            )
        _check_amount(payload)
        parts = _read_parts(header["parts"], payload)
        return Packet(kinds[name].from_body(header["body"], parts), request)
    except ProtocolError as error:
        error.request = request
        raise


def digest(submit: Submit) -> str:
    """SHA-256 of what makes a job: kind, parameters and arrays, not its priority. The same id must have the same."""
    parts = sorted(submit.parts.items())
    facts = {
        "kind": submit.params.kind,
        "params": write_object(submit.params),
        "parts": [[name, name_dtype(array), list(array.shape)] for name, array in parts],
    }
    state = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode())
    for _, array in parts:
        state.update(_list_bytes(array))
    return state.hexdigest()


def check_version(theirs: object, them: str, us: str, request: int = 0) -> None:
    """Raise VersionError with the remedy when the other side speaks another version.

    Args:
        theirs: the `protocol` of what came.
        them: who sent it, such as "the backend".
        us: who we are.
        request: number of the message, for the error reply.
    """
    if type(theirs) is not int or not 0 < theirs <= MAX_REQUEST:
        raise ProtocolError(f"{them} names no protocol version; is something else at this address?", request=request)
    if theirs != PROTOCOL:
        older = them if theirs < PROTOCOL else us
        raise VersionError(
            f"{them} speaks version {theirs} of the protocol and {us} version {PROTOCOL}; update {older} "
            "so that add-on and backend come from the same release, then start the backend again",
            theirs,
            request,
        )


def _read_parts(specs: object, payload: list[memoryview]) -> Parts:
    if not isinstance(specs, list) or len(specs) != len(payload):
        told = f"{len(specs)} parts" if isinstance(specs, list) else "no list of parts"
        raise ProtocolError(f"the header tells of {told}, {len(payload)} came; send one frame for each part")
    parts: dict[str, Array] = {}
    for values, data in zip(specs, payload, strict=True):
        spec = read_object(_PartSpec, values, "a part")
        check_name("a part's name", spec.name)
        if spec.name in parts:
            raise ProtocolError(f"two parts have the name {spec.name!r}; name each part once")
        parts[spec.name] = _read_part(spec, data)
    return parts


def _read_part(spec: _PartSpec, data: memoryview) -> Array:
    dtype = DTYPES.get(spec.dtype)
    if dtype is None:
        known = ", ".join(DTYPES)
        raise ProtocolError(
            f"the part {spec.name!r} is of {shorten(spec.dtype, 40)!r}, the types are {known}; convert it"
        )
    if not 1 <= len(spec.shape) <= _MAX_SIDES or min(spec.shape) < 1:
        raise ProtocolError(
            f"the part {spec.name!r} must have 1 to {_MAX_SIDES} sides, none of them 0; send its true shape"
        )
    wanted = math.prod(spec.shape) * dtype.itemsize  # Python's numbers do not overflow
    if wanted != data.nbytes:
        raise ProtocolError(
            f"the part {spec.name!r} has {data.nbytes} bytes, its shape asks for {wanted}; send all of it, and no more"
        )
    array: Array = np.frombuffer(data, dtype).reshape(spec.shape)
    array.flags.writeable = False
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ProtocolError(f"the part {spec.name!r} holds numbers that are not finite; send finite ones")
    return array


def name_dtype(array: Array) -> str:
    """`array.dtype.name`, which numpy would make anew each time."""
    return _NAMES.get(array.dtype) or array.dtype.name


def _list_bytes(array: Array) -> memoryview:
    """An array's bytes in C order, little-endian; not copied where they lie so already."""
    return np.ascontiguousarray(array, DTYPES[name_dtype(array)]).reshape(-1).view(np.uint8).data


def _check_amount(payload: Sequence[memoryview]) -> None:
    if len(payload) > MAX_PARTS:
        raise LimitError(f"{len(payload)} payload parts, the limit is {MAX_PARTS}; send fewer")
    amount = sum(data.nbytes for data in payload)
    if amount > MAX_MESSAGE_BYTES:
        raise LimitError(
            f"{amount} bytes of pictures in one message, the limit is {MAX_MESSAGE_BYTES}; send fewer or smaller frames"
        )
