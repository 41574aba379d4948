"""Files, whole or not at all: a temporary name in the same folder, then a rename. It runs in a thread."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from .errors import ArtError


def check_folder(path: Path) -> None:
    """Raise ArtError when a file could not be written at `path`: better before the work than after it."""
    if path.is_dir():
        raise ArtError(f"{path} is a folder; write the name of a file")
    if not path.parent.is_dir():
        raise ArtError(f"The folder {path.parent} does not exist; choose another one")
    if not os.access(path.parent, os.W_OK):
        raise ArtError(f"The folder {path.parent} may not be changed; choose another one")


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files; folders of their own are made where they are missing.

    Raises:
        ArtError: the disk refuses. Each file is either new or as it was.
    """
    for path, data in files.items():
        hidden = path.with_name(f".{secrets.token_hex(6)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(data)
            os.replace(hidden, path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ArtError(f"{path} cannot be written ({reason}); make room, or choose another folder") from error
        finally:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
