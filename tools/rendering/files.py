"""The folder of rendered characters: its plan, what is there already, and files that are whole or not there."""

from __future__ import annotations

import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .looks import Look, draw_look
from .motion import ACTIONS, DIRECTIONS, Pose, make_pose

PLAN = "rendered.json"
CHARACTER = "character.json"
VERSION = 1
"""Goes up when the same seed draws other pictures than before."""
MAX_CHARACTERS, MAX_FRAMES, MAX_SIZE = 100_000, 64, 256


@dataclass(frozen=True)
class Plan:
    """What is rendered: each of `characters` in each action from each direction, `frames` frames of `size` pixels.

    Raises ValueError, in words for the user, when a value is out of its range.
    """

    characters: tuple[int, ...]
    seed: int = 0
    actions: tuple[str, ...] = ACTIONS
    directions: tuple[str, ...] = ("front", "right", "left", "back")
    frames: int = 8
    size: int = 64
    engine: str = "cycles"
    samples: int = 16

    def __post_init__(self) -> None:
        """Check the values."""
        for option, values, known in (
            ("--actions", self.actions, tuple(ACTIONS)),
            ("--directions", self.directions, tuple(DIRECTIONS)),
        ):
            if not values or len(set(values)) < len(values) or not set(values) <= set(known):
                raise ValueError(
                    f"{option} is {','.join(values)!r}, it must name some of {', '.join(known)}, each once"
                )
        for option, value, low, high in (
            ("--frames", self.frames, 1, MAX_FRAMES),
            ("--size", self.size, 16, MAX_SIZE),
            ("--samples", self.samples, 1, 256),
            ("--seed", self.seed, 0, 2**31),
            ("the last character", max(self.characters, default=0), 0, MAX_CHARACTERS - 1),
        ):
            if not low <= value <= high:
                raise ValueError(f"{option} is {value}, it must be from {low} to {high}; change it")
        if not self.characters:
            raise ValueError("--characters names none; write for example 100 or 100-199")

    @property
    def settings(self) -> dict[str, Any]:
        """What all characters of a folder share."""
        return {"version": VERSION} | {key: value for key, value in asdict(self).items() if key != "characters"}

    @property
    def poses(self) -> dict[str, list[Pose]]:
        """The frames of each action: the same for all characters and directions."""
        return {action: [make_pose(action, n / self.frames) for n in range(self.frames)] for action in self.actions}


def read_characters(text: str) -> tuple[int, ...]:
    """Read "100" as the numbers 0 to 99, and "100-199" as those. Raises ValueError when it is neither."""
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or len(text) > 13:
        raise ValueError(f"--characters is {text!r}, it must be a number or a range; write for example 100 or 100-199")
    return tuple(range(int(first), int(last) + 1) if dash else range(int(first)))


def open_folder(folder: Path, plan: Plan) -> None:
    """Make the folder, or see that what it holds was made with the same settings. Raises ValueError when it was not."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN
    wanted = json.loads(json.dumps(plan.settings))
    if not path.exists():
        if any(folder.iterdir()):
            raise ValueError(f"{folder} holds other files; name a new folder")
        write_whole(path, json.dumps(wanted, indent=1).encode())
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); name a new folder") from error
    if found != wanted:
        other = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
        raise ValueError(f"{folder} was made with other settings ({', '.join(other)}); give the same, or a new folder")


def list_missing(folder: Path, plan: Plan) -> Iterator[tuple[Look, list[str]]]:
    """Looks whose files are not complete, with the actions that are missing."""
    for number in plan.characters:
        look = draw_look(plan.seed, number)
        missing = [action for action in plan.actions if not (folder / look.name / f"{action}.png").is_file()]
        if missing or not (folder / look.name / CHARACTER).is_file():
            yield look, missing


def write_character(folder: Path, look: Look, plan: Plan) -> None:
    """The JSON of a character whose sheets are complete: what they hold, and what it looks like."""
    settings = plan.settings
    sheets = {action: f"{action}.png" for action in plan.actions}
    data = {
        "name": look.name,
        "frame": [plan.size, plan.size],
        "frames": plan.frames,
        "rows": list(plan.directions),
        "sheets": sheets,
        "seed": settings["seed"],
        "look": asdict(look),
    }
    write_whole(folder / look.name / CHARACTER, json.dumps(data, indent=1).encode())


def write_sheet(path: Path, rows: list[NDArray[np.uint8]]) -> None:
    """Rows of frames, each RGBA (T, H, W, 4), as a PNG sheet."""
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, encode_png(sheet))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of RGBA pixels (H, W, 4). Blender's Python has no Pillow."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 4 * width), dtype=np.uint8)
    lines[:, 1:] = pixels.reshape(height, 4 * width)
    # Filter 1 (the difference to the left pixel) suits flat colours.
    lines[:, 0] = 1
    lines[:, 5:] -= pixels.reshape(height, 4 * width)[:, :-4]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, then rename it: it is whole or not there."""
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        hidden.write_bytes(data)
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
