"""A cursor over bytes that nobody trusts: whatever is not there is told in one line."""

from __future__ import annotations

import reprlib
import struct

from bitpuppet.errors import BitpuppetError

_QUOTE = reprlib.Repr()
_QUOTE.maxstring = _QUOTE.maxother = _QUOTE.maxlong = 60
_QUOTED = 120
"""Most characters of a quotation."""


class Cursor:
    """Reads little-endian values one after the other.

    Every method raises BitpuppetError where the bytes end too early; `name` is the file and `part` what is read.
    """

    def __init__(self, data: memoryview, name: str, part: str) -> None:
        self._data = data
        self._name = name
        self._part = part
        self._place = 0

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return len(self._data) - self._place

    def take(self, count: int, part: str = "") -> Cursor:
        """The next `count` bytes as a cursor of their own."""
        return Cursor(self.take_bytes(count), self._name, part or self._part)

    def take_bytes(self, count: int) -> memoryview:
        """The next `count` bytes, not copied."""
        if count > self.left:
            raise self.refuse(f"ends after {self.left} of {count} bytes")
        start = self._place
        self._place += count
        return self._data[start : self._place]

    def unpack(self, form: str) -> tuple[int, ...]:
        """Values in the notation of `struct`, without its byte order; only those that are whole numbers."""
        return struct.unpack("<" + form, self.take_bytes(struct.calcsize("<" + form)))

    def number(self, form: str) -> int:
        """One value."""
        return self.unpack(form)[0]

    def text(self) -> str:
        """A string with its length in front; what is not UTF-8 becomes a question mark."""
        return bytes(self.take_bytes(self.number("H"))).decode("utf-8", errors="replace")

    def refuse(self, reason: str) -> BitpuppetError:
        """The error for a part that is not as it should be."""
        return BitpuppetError(f"{self._name} is damaged ({self._part} {reason}); save it again in Aseprite")


def quote(value: object) -> str:
    """A value of the file in quotes, in one line and not too long."""
    text = _QUOTE.repr(value)  # short for each part, and there may be many
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."
