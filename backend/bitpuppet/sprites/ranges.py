"""Sizes and rows as people write them: "64x48", "0,2,5", "0-3"."""

from __future__ import annotations

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_FRAMES
from bitpuppet.sprites.formats.binary import quote

_MAX_DIGITS = 6
"""Of a number of pixels or rows: no sheet has a million of either, and longer numbers only cost time."""


def parse_frame(text: str, option: str = "--frame") -> tuple[int, int]:
    """Read "64x48" as (64, 48).

    Raises:
        BitpuppetError: it is not of that form; the message names `option`.
    """
    width, _, height = text.strip().lower().partition("x")
    sides = [int(side) if side.isdecimal() and len(side) <= _MAX_DIGITS else 0 for side in (width, height)]
    if 0 in sides:
        raise BitpuppetError(
            f"{option} is {quote(text)}, it must be WIDTHxHEIGHT in pixels, each 1 or more; write for example 64x64"
        )
    return sides[0], sides[1]


def parse_rows(text: str, option: str = "rows", what: str = "rows") -> tuple[int, ...]:
    """Read "0,2,5" or "0-3" as numbers of rows, or of `what` else, counted from 0.

    Raises:
        BitpuppetError: it is not of that form, or names more than MAX_FRAMES; the message names `option`.
    """
    rows: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or max(len(first), len(last)) > _MAX_DIGITS:
            raise BitpuppetError(
                f"{option} is {quote(text)}, {what} are numbers counted from 0; write for example 0,2 or 0-3"
            )
        low, high = int(first), int(last or first)
        if high < low:
            raise BitpuppetError(f"{option} is {quote(text)}, the range {low}-{high} is empty; write {high}-{low}")
        check_row_count(len(rows) + high - low + 1, option, what)
        rows += range(low, high + 1)
    return tuple(rows)


def check_row_count(count: int, option: str, what: str = "rows") -> None:
    """Raise BitpuppetError when these are more than MAX_FRAMES."""
    if count > MAX_FRAMES:
        raise BitpuppetError(f"{option} names {count} {what}, the limit is {MAX_FRAMES}; name fewer")
