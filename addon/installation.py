"""What is installed, and what there is to install: the record of an installation, and the wheel in the extension."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD, ENVIRONMENT = "installed.json", "env"
WHEEL_FOLDER = "backend_wheel"
"""Beside this file, in the extension: the backend's wheel and `constraints.txt`."""


@dataclass(frozen=True)
class Record:
    """A finished installation."""

    version: str
    wheel: str
    """File name of the backend's wheel."""
    wheel_bytes: int
    device: str

    def find_python(self, folder: Path) -> Path:
        """The environment's interpreter."""
        return find_python(folder / ENVIRONMENT)


def read_record(folder: Path) -> Record | None:
    """The installation in a folder; None where there is none, or an unfinished one."""
    try:
        record = Record(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return record if record.find_python(folder).exists() else None


def is_current(record: Record, wheel: Path) -> bool:
    """Whether what is installed came from this wheel."""
    return (record.wheel, record.wheel_bytes) == (wheel.name, wheel.stat().st_size)


def find_wheel(extension: Path) -> Path | None:
    """The backend's wheel in an extension's folder; None where it was built without one."""
    return next(iter(sorted((extension / WHEEL_FOLDER).glob("bitpuppet-*.whl"))), None)


def write_record(folder: Path, record: Record) -> None:
    """Note that an installation is complete, in one step."""
    temporary = folder / f"{RECORD}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
    temporary.replace(folder / RECORD)


def find_python(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
