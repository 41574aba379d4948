"""Where an evaluation's pictures go."""

from __future__ import annotations

from pathlib import Path

from bitpuppet.errors import BitpuppetError


def make_folder(folder: Path | None) -> None:
    """Make the folder of `--pictures` when it is missing, before the work and not after it; None is none.

    Raises:
        BitpuppetError: it cannot be made, since its parent is missing, or it is a file.
    """
    if folder is None:
        return
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise BitpuppetError(
            f"--pictures {folder}: cannot be made ({error.strerror}); name a folder, or a new one in an existing one"
        ) from error
