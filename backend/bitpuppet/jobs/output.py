"""Where a job's result goes: the checks before the work, and the formats to choose from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import FORMATS, Clip, check_output, find_format, list_outputs


def check_format(name: str | None) -> None:
    """Raise BitpuppetError when there is no such format."""
    if name is not None and name not in FORMATS:
        raise BitpuppetError(f"--format is {name!r}, it must be one of {', '.join(FORMATS)}; change it")


def check_out(out: Path, sources: Sequence[Path], wanted: str | None = None) -> None:
    """Refuse an output that could not be written or would spoil an input: better now than after the model's work.

    `wanted`: the format, None for the one that the name's ending says.
    """
    folder = out.parent
    try:
        check_output(out, wanted)
        os.fsencode(out)
        writable = os.access(folder, os.W_OK)
    except (OSError, ValueError) as error:  # a name that is too long, or no text
        reason = error.strerror if isinstance(error, OSError) else "no valid name"
        raise BitpuppetError(f"{out} cannot be written ({reason}); choose another name") from error
    if not writable:
        raise BitpuppetError(f"{out} cannot be written, its folder may not be changed; choose another folder")
    for source in sources:
        for written in list_outputs(out, wanted):
            if _are_same(written, source):
                also = "" if written == out else f", whose sheet would be {written.name}"
                raise BitpuppetError(f"{out}{also}: --out would overwrite its own input; choose another name")
        if _are_same(folder, source):
            raise BitpuppetError(f"{out} lies in its own input, the folder {source}; choose another folder")


def is_strip(out: Path, wanted: str | None) -> bool:
    """Whether the result is written as a strip."""
    return find_format(out, wanted) == "strip"


def give_timing(frames: NDArray[np.uint8], timing: Clip | None, name: str) -> Clip:
    """Frames (T, H, W, 4) with the durations, rows and tags of the clip that they follow, if that has as many."""
    if timing is None or len(timing) != len(frames):
        return Clip(frames, name=name)
    return timing.with_frames(frames, name)


def _are_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder, also by links or by another case of the letters."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False  # one of them does not exist; what cannot be read is told by its reader
