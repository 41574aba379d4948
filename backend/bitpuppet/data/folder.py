"""Where data is that is no part of the project: for training and evaluation, and the user's character sets."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from bitpuppet.errors import BitpuppetError

VARIABLE = "BITPUPPET_DATA"
SETS_VARIABLE = "BITPUPPET_SETS"
CODEC_VARIABLE = "BITPUPPET_CODEC"
_PARTS = ("lpc", "sprites")


def find_data() -> Path | None:
    """The data folder: what BITPUPPET_DATA names, else `../shared/data` beside the checkout; None where neither is.

    The checkout is the current folder or the nearest one above it that git keeps. A folder counts when it holds
    `lpc/` or `sprites/`. A variable that names a wrong folder is not passed over in silence: the result is None.
    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named).expanduser()
        return folder if _holds_data(folder) else None
    here = Path.cwd()
    checkout = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    places = (folder.parent / "shared" / "data" for folder in dict.fromkeys((here, checkout)))
    return next((place for place in places if _holds_data(place)), None)


def find_codec() -> Path | None:
    """The image autoencoder of presets that need one: what BITPUPPET_CODEC names, else `taef2/` in the data folder."""
    named = os.environ.get(CODEC_VARIABLE)
    if named:
        return Path(named)
    data = find_data()
    return data / "taef2" if data is not None and (data / "taef2").is_dir() else None


def find_sets() -> Path:
    """The folder of the user's character sets: $BITPUPPET_SETS, or the user's folder for the data of programs."""
    named = os.environ.get(SETS_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("bitpuppet", appauthor=False) / "sets"


def require_data(what: str, *parts: str) -> Path:
    """The data folder, or the reason why `what` cannot be done without it.

    Args:
        what: who needs the data, the first words of the message, such as "eval sprites".
        parts: folders that must be in it, such as "sprites" or "lpc".

    Raises:
        BitpuppetError: there is no data folder, or a part of it is missing.
    """
    folder = find_data()
    if folder is None:
        named = os.environ.get(VARIABLE)
        if named:
            raise BitpuppetError(
                f"{what}: {VARIABLE} is {named}, which has no {' or '.join(p + '/' for p in _PARTS)} folder; correct it"
            )
        raise BitpuppetError(f"{what} needs the data folder, and there is none; set {VARIABLE} to it")
    for part in parts:
        if not (folder / part).is_dir():
            raise BitpuppetError(
                f"{what} needs {folder / part}, which is missing; set {VARIABLE} to a complete data folder"
            )
    return folder


def _holds_data(folder: Path) -> bool:
    return any((folder / part).is_dir() for part in _PARTS)


def has_base_data(data: Path | None) -> bool:
    """Whether a data folder, if there is one, holds what base weights were trained on."""
    return data is not None and (data / "lpc").is_dir() and (data / "sprites").is_dir()
