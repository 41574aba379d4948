"""JSON that nobody trusts: objects, lists and numbers, each looked at before it is used."""

from __future__ import annotations

import json
from typing import Any

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.formats.binary import quote

MAX_JSON_BYTES = 8 << 20
MAX_NUMBER = 1_000_000
"""Of pixels, frames and milliseconds; what is larger is a mistake."""


class Values:
    """One object of a JSON file.

    `name`: the file; `where`: the way to the object, for messages. Every method raises BitpuppetError when the value
    is not of its kind; a value that is missing is the `default`, and refused where there is none.
    """

    def __init__(self, value: Any, name: str, where: str) -> None:
        self.name = name
        self.where = where
        if not isinstance(value, dict):
            raise self.refuse(f"is {quote(value)}, not an object")
        self._values: dict[str, Any] = value

    def has(self, key: str) -> bool:
        """Whether a value is there and not null."""
        return self._values.get(key) is not None

    def get(self, key: str) -> Any:
        """The value as it is; None where it is missing."""
        return self._values.get(key)

    def items(self) -> list[tuple[str, Any]]:
        """All keys with their values, in the order of the file."""
        return list(self._values.items())

    def object(self, key: str, default: Any = None) -> Values:
        """An object in this one."""
        value = self._values.get(key)
        return Values(default if value is None else value, self.name, self._join(key))

    def list(self, key: str) -> list[Any]:
        """A list, empty where it is missing."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.refuse(f"is {quote(value)}, not a list", key)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        value = self._values.get(key)
        value = default if value is None else value
        if not isinstance(value, str):
            raise self.refuse(f"is {quote(value)}, not a text", key)
        return value

    def flag(self, key: str) -> bool:
        """A truth value, false where it is missing."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(f"is {quote(value)}, neither true nor false", key)
        return value

    def number(self, key: str, low: int = 0, default: int | None = None) -> int:
        """A whole number from `low` to MAX_NUMBER; some programs write it as 1.0 or "1"."""
        value = self._values.get(key)
        value = default if value is None else value
        if isinstance(value, str) and len(value) <= 8 and value.isdecimal():
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= MAX_NUMBER:
            raise self.refuse(f"is {quote(value)}, not a whole number from {low} to {MAX_NUMBER}", key)
        return value

    def rectangle(self, key: str, low: int = 0) -> tuple[int, int, int, int]:
        """Left, top, width and height of an object with x, y, w and h; `low` is for the corner."""
        inner = self.object(key)
        return inner.number("x", low), inner.number("y", low), inner.number("w"), inner.number("h")

    def size(self, key: str) -> tuple[int, int]:
        """Width and height of an object with w and h."""
        inner = self.object(key)
        return inner.number("w"), inner.number("h")

    def refuse(self, reason: str, key: str = "") -> BitpuppetError:
        """The error for a value that cannot be used."""
        return BitpuppetError(f"{self.name}: {self._join(key) or 'it'} {reason}; export the sheet and its JSON again")

    def _join(self, key: str) -> str:
        return ".".join(part for part in (self.where, key) if part)


def parse_json(data: bytes, name: str) -> Any:
    """The value of a JSON file's bytes.

    Raises BitpuppetError when there are more than MAX_JSON_BYTES, it is no JSON, or an object names a key twice.
    """
    if len(data) > MAX_JSON_BYTES:
        raise BitpuppetError(f"{name}: the limit for a JSON is {MAX_JSON_BYTES >> 20} MiB; split the sheet")

    def keep_all(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise _TwiceError
        return values

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=keep_all)
    except _TwiceError as error:
        raise BitpuppetError(
            f"{name}: two frames or values have one name, so one of them is lost; export the JSON as an array"
        ) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or a number or nesting beyond what Python reads
        reason = f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "not readable"
        raise BitpuppetError(f"{name} is no JSON ({reason}); export it again") from error


class _TwiceError(Exception):
    """An object names a key twice."""
