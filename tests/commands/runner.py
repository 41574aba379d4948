"""Running the command line as a user does: in this process for speed, and in one of its own where that matters."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bitpuppet as package
from bitpuppet.sprites.images import read_picture

Frames = NDArray[np.uint8]
CODE = "from bitpuppet.cli import main; main()"


@dataclass(frozen=True)
class Run:
    """What a command left: exit status and what it printed."""

    status: int
    out: str
    err: str


Bitpuppet = Callable[..., Run]
"""The fixture `bitpuppet`: call it with the arguments of the command line."""
Refused = Callable[..., str]
"""The fixture `refused`: call it with arguments that must fail; it returns what was told."""


def spawn(*arguments: object, code: str = CODE, **options: object) -> subprocess.Popen[bytes]:
    """The command line in a process of its own, with pipes unless `options` say otherwise."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": make_env()}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, **(settings | options))  # type: ignore[call-overload,no-any-return]


def make_env(**variables: str) -> dict[str, str]:
    """The environment of a child that finds the package from any folder, installed or not."""
    source = str(Path(package.__file__).parents[1])
    path = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": ""} | variables


def list_files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def read_strip(path: Path, width: int, height: int) -> Frames:
    """All cells of a strip as frames (T, height, width, 4), empty ones too."""
    strip = read_picture(path).frames[0]
    assert strip.shape[0] == height
    return np.stack(np.split(strip, strip.shape[1] // width, axis=1))


def read_width(path: Path) -> int:
    """Width from the header of a PNG."""
    return int.from_bytes(path.read_bytes()[16:20], "big")


def make_header(width: int, height: int) -> bytes:
    """A PNG of under 100 bytes that says it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(64))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
