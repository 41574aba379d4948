"""Files of packed motion tokens (`.bptk`): what `bitpuppet tokens --packed` writes and other jobs read as motion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.packing import MAX_PACKED_BYTES, PackedTokens, TokenCoder
from bitpuppet.sprites.writer import check_path, write_bytes

SUFFIX = ".bptk"


def is_packed(path: Path) -> bool:
    """Whether a file is one of packed motion tokens, by its name."""
    return path.suffix.lower() == SUFFIX


def read_packed(path: Path, rows: Sequence[int] | str | None = None) -> PackedTokens:
    """Read a file of packed motion tokens. Whether they fit a model is told by `TokenCoder.unpack`.

    Args:
        path: the file.
        rows: rows of a sheet or a tag that the user named; packed tokens have none.

    Raises:
        BitpuppetError: it cannot be read, is foreign, damaged or cut off, or rows are named.
    """
    if rows:
        raise BitpuppetError(f"{path}: packed motion tokens have no rows; leave out --motion-rows and --motion-tag")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PACKED_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no valid name"
        raise BitpuppetError(f"{path} cannot be read ({reason}); check the name and the folder") from error
    if len(data) > MAX_PACKED_BYTES:
        raise BitpuppetError(f"{path}: more than {MAX_PACKED_BYTES >> 20} MiB, no packed tokens are; name another file")
    return PackedTokens.from_bytes(data, str(path))


def check_packed_path(path: Path) -> None:
    """Raise BitpuppetError when `write_packed` could not write there: better before the work than after it."""
    check_path(path, (SUFFIX,))


def write_packed(coder: TokenCoder, tokens: NDArray[np.int64], path: Path) -> dict[str, Any]:
    """Write motion tokens (T, groups), whole or not at all.

    Returns:
        For `--json`: `packed` (the path), `packed_bytes` of the whole file, and `packed_bits_per_frame`, the coded
        tokens alone, which is the figure to hold against their entropy.

    Raises:
        BitpuppetError: it cannot be written.
    """
    packed = coder.pack(tokens)
    data = packed.to_bytes()
    write_bytes(data, path, (SUFFIX,))
    bits = 8 * len(packed.payload) / len(packed)
    return {"packed": str(path), "packed_bytes": len(data), "packed_bits_per_frame": round(bits, 2)}
