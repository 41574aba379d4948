"""The arrays that go with jobs and results: how each of them looks, and how large it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from bitpuppet_client.errors import LimitError, ParameterError
from bitpuppet_client.limits import (
    MAX_COLOURS,
    MAX_FRAMES,
    MAX_PIXELS,
    MAX_SIDE,
    MAX_TOKENS,
    MAX_VIDEO_BYTES,
)

Array = NDArray[Any]
Parts = Mapping[str, Array]
"""Named arrays of one message: uint8, uint16 or float32."""


def check_part(name: str, array: Array) -> None:
    """Refuse an array that is not of the form that its name asks for; what has no form of its own is frames.

    Raises:
        ParameterError: it is of another form.
        LimitError: it is too large.
    """
    _FORMS.get(name, check_frames)(name, array)


def check_frames(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not uint8 (T, H, W, 4), LimitError when it is too large."""
    if array.dtype.name != "uint8" or array.ndim != 4 or array.shape[3] != 4:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be uint8 (T, H, W, 4); convert it")
    _check_sides(name, array, (MAX_FRAMES, MAX_SIDE, MAX_SIDE, 4))
    check_frame_count(len(array), array)


def check_tokens(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not uint16 (T, groups), LimitError when it is too large."""
    if array.dtype.name != "uint16" or array.ndim != 2:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be uint16 (T, groups); convert it")
    _check_sides(name, array, (MAX_FRAMES, MAX_TOKENS))


def check_palette(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not uint8 (P, 3), LimitError when it is too large."""
    if array.dtype.name != "uint8" or array.ndim != 2 or array.shape[1] != 3:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be uint8 (P, 3); convert it")
    _check_sides(name, array, (MAX_COLOURS, 3))


def check_shares(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not float32 (T,) of 0 to 1, LimitError when it is too large."""
    if array.dtype.name != "float32" or array.ndim != 1:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be float32 (T,); convert it")
    _check_sides(name, array, (MAX_FRAMES,))
    if not (array.min() >= 0 and array.max() <= 1):  # so that NaN, too, is refused
        raise ParameterError(f"the part {name!r} has numbers beyond 0 to 1; send shares of 'second'")


def check_code(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not float32 (K, width), LimitError when it is too large."""
    if array.dtype.name != "float32" or array.ndim != 2:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be float32 (K, width); convert it")
    _check_sides(name, array, (MAX_TOKENS, MAX_TOKENS))


def check_video(name: str, array: Array) -> None:
    """Raise ParameterError when an array is not uint8 (bytes,), LimitError when it is too large."""
    if array.dtype.name != "uint8" or array.ndim != 1:
        raise ParameterError(f"the part {name!r} is {describe_array(array)}, it must be uint8 (bytes,); convert it")
    _check_sides(name, array, (MAX_VIDEO_BYTES,))


def check_frame_count(count: int, frames: Array, variations: int = 1) -> None:
    """Raise LimitError when `count` frames of the size of `frames` (N, H, W, 4) go beyond the limits."""
    height, width = frames.shape[1:3]
    if count > MAX_FRAMES:
        raise LimitError(f"a strip of {count} frames, the limit is {MAX_FRAMES}; send fewer frames")
    if count * height * width * variations > MAX_PIXELS:
        raise LimitError(
            f"{count * variations} frames of {width}x{height}, the limit is {MAX_PIXELS // 1_000_000} million pixels "
            "in all; send fewer frames, or crop them"
        )


def describe_array(array: Array) -> str:
    """Type and shape, for messages."""
    return f"{array.dtype.name} {tuple(array.shape)}"


def _check_sides(name: str, array: Array, limits: tuple[int, ...]) -> None:
    for side, limit in zip(array.shape, limits, strict=True):
        if not 1 <= side <= limit:
            raise LimitError(f"the part {name!r} is {describe_array(array)}, its sides must be 1 to {limit}; change it")


_FORMS: Mapping[str, Callable[[str, Array], None]] = {
    "tokens": check_tokens,
    "second": check_tokens,
    "shares": check_shares,
    "code": check_code,
    "palette": check_palette,
    "video": check_video,
}
"""How parts of these names look; all others are frames."""
