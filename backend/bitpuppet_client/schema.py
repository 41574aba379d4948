"""Between JSON objects and frozen dataclasses: every key named, every type exact, every number finite.

A dataclass is its own schema: the names of its fields are the keys, its annotations the types, and its `__post_init__`
the ranges. Fields marked with `NOT_IN_HEADER` travel by other ways.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import Any, TypeVar

from bitpuppet_client.errors import LimitError, ParameterError, ProtocolError
from bitpuppet_client.limits import (
    MAX_HEADER_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_REPORT_KEYS,
    MAX_REPORT_LIST,
    MAX_TEXT_BYTES,
)

Scalar = bool | int | float | str | None
Report = Mapping[str, Scalar | tuple[Scalar, ...]]
"""Flat facts for people and programs: what a job used, or the server's counters."""

NOT_IN_HEADER = {"in_header": False}
"""Metadata of a field that is no key of the JSON object."""

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME_CHARACTERS - 1}}}")
_JOB = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_WHOLE = 2**63 - 1
_UPDATE = "update the older of add-on and backend"

T = TypeVar("T")
_Reader = Callable[[object, str], Any]
"""Makes a field's value of what JSON gave; the text says where it stands, for messages."""


def parse_header(data: bytes, where: str = "the header") -> dict[str, Any]:
    """Read a JSON object, with none of the freedoms that two readers could take differently.

    Raises:
        LimitError: longer than MAX_HEADER_BYTES.
        ProtocolError: not UTF-8, not JSON, not an object, a key twice, NaN or an infinite or endless number, too deep.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise LimitError(f"{where} has {len(data)} bytes, the limit is {MAX_HEADER_BYTES}; send less in one message")
    try:
        values = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ProtocolError(f"{where} is not JSON that can be read ({_tell(error)}); write plain JSON") from error
    if not isinstance(values, dict):
        raise ProtocolError(f"{where} is not a JSON object; write an object with the keys of the protocol")
    return values


def read_object(kind: type[T], values: object, where: str) -> T:
    """Make a dataclass of a JSON object.

    Args:
        kind: a dataclass of plain values, tuples, reports and other such dataclasses.
        values: what JSON gave.
        where: what the object is, for messages.

    Raises:
        ProtocolError: a key that is missing or unknown, or a value of another type; ParameterError for its range.
    """
    return kind(**read_fields(kind, values, where))


def read_fields(kind: type, values: object, where: str) -> dict[str, Any]:
    """The arguments that make a dataclass of a JSON object; see `read_object`."""
    if not isinstance(values, dict):
        raise ProtocolError(f"{where} is not a JSON object; write an object")
    readers = _list_fields(kind)
    check_keys(values, readers, where)
    return {name: read(values[name], f"{where}: {name}") for name, read in readers.items()}


def write_object(value: Any) -> dict[str, Any]:
    """Make a JSON object of a dataclass: the inverse of `read_object`."""
    kind: type = type(value)
    written = {}
    for name in _list_fields(kind):
        item = getattr(value, name)
        written[name] = item if item is None or type(item) in _TYPES else _write_value(item)
    return written


def check_keys(values: Mapping[str, Any], wanted: Collection[str], where: str) -> None:
    """Raise ProtocolError unless the keys are exactly those that are wanted."""
    for name in values:
        if name not in wanted:
            known = ", ".join(wanted) or "none"
            raise ProtocolError(f"{where} has the unknown key {shorten(name, 40)!r}, known are: {known}; {_UPDATE}")
    for name in wanted:
        if name not in values:
            raise ProtocolError(f"{where} has no key {name!r}; all keys must be there, {_UPDATE}")


def check_whole(name: str, value: object, low: int, high: int, *, optional: bool = False) -> None:
    """Raise ParameterError when a value is no whole number from `low` to `high`."""
    if (type(value) is int and low <= value <= high) or (value is None and optional):
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        told = shorten(str(value), 40) if isinstance(value, int) else f"a {type(value).__name__}"
        raise ParameterError(f"{name} is {told}, it must be a whole number from {low} to {high}; change it")


def check_number(name: str, value: object, low: float, high: float, *, optional: bool = False) -> None:
    """Raise ParameterError when a value is no number from `low` to `high`."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        told = shorten(str(value), 40) if isinstance(value, (int, float)) else f"a {type(value).__name__}"
        raise ParameterError(f"{name} is {told}, it must be a number from {low} to {high}; change it")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise ParameterError when a value is none of the choices."""
    if value not in choices:
        raise ParameterError(f"{name} is {_quote(value)}, it must be one of {', '.join(choices)}; change it")


def check_flag(name: str, value: object) -> None:
    """Raise ParameterError when a value is neither true nor false."""
    if not isinstance(value, bool):
        raise ParameterError(f"{name} is {_quote(value)}, it must be true or false; change it")


def check_name(name: str, value: object) -> None:
    """Raise ParameterError when a value is no name: letters, digits, - and _, no path and no file name."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ParameterError(
            f"{name} is {_quote(value)}, it must be 1 to {MAX_NAME_CHARACTERS} letters, digits, - or _ "
            "and begin with a letter or digit; give a name, not a path"
        )


def check_job(value: object) -> None:
    """Raise ParameterError when a value is no job id: a UUID in lower case with its dashes."""
    if not isinstance(value, str) or not _JOB.fullmatch(value):
        raise ParameterError(f"the job id {_quote(value)} is no UUID of 36 lower-case characters; make one per job")


def check_text(name: str, value: object) -> None:
    """Raise ParameterError when a value is no single printable line of at most MAX_TEXT_BYTES of UTF-8."""
    # No lone surrogate is printable, so `encode` cannot fail.
    if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > MAX_TEXT_BYTES:
        raise ParameterError(f"{name} must be one printable line of at most {MAX_TEXT_BYTES} bytes; shorten it")


def shorten(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """A text as one printable line of at most `limit` bytes of UTF-8, so that `check_text` lets it pass."""
    line = text[: limit * 2]
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    line = line.strip()
    data = line.encode()
    if len(data) <= limit and len(text) <= limit * 2:
        return line
    return data[: max(limit - 3, 0)].decode(errors="ignore") + "..."


@cache
def _list_fields(kind: type) -> dict[str, _Reader]:
    """The keys of a dataclass, and what reads each: made once, since looking at types takes longer than reading."""
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    return {field.name: _make_reader(hints[field.name]) for field in fields if field.metadata.get("in_header", True)}


def _make_reader(hint: Any) -> _Reader:
    if hint == Report:
        return _read_report
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):  # always of one type and None
        read = _make_reader(arguments[0])
        return lambda value, where: None if value is None else read(value, where)
    if origin is tuple:
        return partial(_read_list, _make_reader(arguments[0]))
    if dataclasses.is_dataclass(hint):
        return partial(read_object, typing.cast(type, hint))
    return partial(_read_scalar, hint)


def _read_list(read: _Reader, value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ProtocolError(f"{where} is {_name_type(value)}, it must be a list; {_UPDATE}")
    return tuple(read(item, where) for item in value)


def _read_scalar(hint: type, value: object, where: str) -> Any:
    if hint is float and type(value) is int:
        return float(_check_size(value, where))
    if type(value) is not hint:
        raise ProtocolError(f"{where} is {_name_type(value)}, it must be {_TYPES[hint]}; {_UPDATE}")
    return _check_size(value, where) if type(value) is int else value


def _write_value(value: Any) -> Any:
    if value is None or type(value) in _TYPES:
        return value
    if dataclasses.is_dataclass(value):
        return write_object(value)
    if isinstance(value, tuple):
        return [_write_value(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _write_value(item) for name, item in value.items()}
    return value


def check_report(name: str, values: object) -> None:
    """Raise ParameterError when a value is no report: names with scalars or short tuples of scalars."""
    if not isinstance(values, Mapping) or len(values) > MAX_REPORT_KEYS:
        raise ParameterError(f"{name} must be an object of at most {MAX_REPORT_KEYS} keys; leave some out")
    for key, value in values.items():
        check_name(f"a key of {name}", key)
        items = value if isinstance(value, tuple) else (value,)
        if len(items) > MAX_REPORT_LIST:
            raise ParameterError(f"{name}: {key} has {len(items)} items, the limit is {MAX_REPORT_LIST}; send fewer")
        for item in items:
            if isinstance(item, str):
                check_text(f"{name}: {key}", item)
            elif isinstance(item, int):
                _check_size(item, f"{name}: {key}")
            elif item is not None and not (isinstance(item, float) and math.isfinite(item)):
                raise ParameterError(f"{name}: {key} is {_name_type(item)}, not a finite number, text, flag or nothing")


def _read_report(value: object, where: str) -> Report:
    if not isinstance(value, dict):
        raise ProtocolError(f"{where} is {_name_type(value)}, it must be an object; {_UPDATE}")
    return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}


def _check_size(value: int, where: str) -> int:
    if abs(value) > _MAX_WHOLE:
        raise ProtocolError(f"{where} is a number of more than 63 bits; send a smaller one")
    return value


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _read_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_twins, parse_constant=_refuse_constant, parse_float=_read_finite)
"""Made once: that takes longer than reading a header."""
_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _name_type(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a flag", int: "a whole number", float: "a fraction", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def _quote(value: object) -> str:
    return repr(shorten(value, 40)) if isinstance(value, str) else _name_type(value)


def _tell(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "objects or lists lie too deep in each other"
    return shorten(str(error), 80)
