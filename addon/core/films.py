"""Video files as source or motion: what is taken of them, as the service reads it. No Blender here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.limits import MAX_VIDEO_BYTES

from .errors import ArtError

CROPS = ("MIDDLE", "WHOLE", "BOX")
SIZES = ("PRESET", "FILE", "SIZE")
_OPTIONS = {
    "--range": "the range (From, To)",
    "--fps": "Frame Rate",
    "--crop": "Crop",
    "--size": "Frame Size",
}
"""What messages of the service call its settings, and what the panel does."""


@dataclass(frozen=True)
class Cut:
    """What is taken of a film."""

    start: float = 0.0
    """Seconds from its beginning."""
    end: float = 0.0
    """Seconds from its beginning; 0 for its end."""
    fps: float = 0.0
    """Frames a second; 0 for its own."""
    crop: str = "MIDDLE"
    """MIDDLE: the largest box in the middle, shaped like the frame; WHOLE: all of it; BOX: `box`."""
    box: tuple[int, int, int, int] = (0, 0, 64, 64)
    """Left, top, width and height in pixels of the film."""
    sizing: str = "PRESET"
    """PRESET: frames as large as the model's canvas; FILE: as what is taken; SIZE: `size`."""
    size: tuple[int, int] = (64, 64)
    """Width and height of a frame in pixels."""


def describe_cut(cut: Cut, canvas: int) -> dict[str, str | None]:
    """The settings of a `read` job but for its name; `canvas` is the side of the model's, in pixels.

    Raises:
        ArtError: the range ends before it begins.
    """
    if cut.end and cut.end <= cut.start:
        raise ArtError(
            f"To is {cut.end:g} s and From {cut.start:g} s; let To be the later one, or 0 for the film's end"
        )
    width, height = (canvas, canvas) if cut.sizing == "PRESET" else cut.size
    left, top, wide, high = cut.box
    return {
        "fps": f"{cut.fps:.6g}" if cut.fps else None,
        "range": f"{_write(cut.start)}-{_write(cut.end) if cut.end else ''}" if cut.start or cut.end else None,
        "crop": {"MIDDLE": "centre", "BOX": f"{wide}x{high}+{left}+{top}"}.get(cut.crop),
        "size": None if cut.sizing == "FILE" else f"{width}x{height}",
    }


def read_bytes(path: Path) -> NDArray[np.uint8]:
    """A film's file (bytes,), to be sent whole; it takes its time.

    Raises:
        ArtError: it is missing, no file, empty, too large, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ArtError(f"{path} is no file; choose a video file")
        if size > MAX_VIDEO_BYTES:
            raise ArtError(
                f"{path.name} has {size / 1e6:.0f} million bytes, at most {MAX_VIDEO_BYTES // 1_000_000} million are "
                "sent; cut it, or make it smaller, in a video editor"
            )
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise ArtError(f"{path} does not exist; choose a video file") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtError(f"{path} cannot be read ({reason}); choose another file") from error
    if not data.size:
        raise ArtError(f"{path.name} is an empty file; export it again")
    return data


def explain(message: str) -> str:
    """A message of the service in the words of the panel."""
    return re.sub("|".join(_OPTIONS), lambda found: _OPTIONS[found[0]], message)


def describe_reading(state: str, step: int, steps: int, position: int) -> str:
    """The text in the bar of a film that is being read.

    Args:
        state: "sending", "queued", "running" or "storing".
        step: frames that are there.
        steps: frames in all; 0 while unknown.
        position: jobs ahead in the queue; below 0 where unknown.
    """
    if state == "queued":
        return f"Queued, {position} ahead" if position > 0 else "Queued"
    if state == "running":
        return f"Frame {step} of {steps}" if steps else "Looking into the film"
    return {"sending": "Sending the film", "storing": "Packing the frames"}[state]


def _write(seconds: float) -> str:
    """Seconds as the service reads them: no exponent, at most a thousandth."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
