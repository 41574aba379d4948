"""The user's character sets, kept by name: copies that do not change when the sheets they came from do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange

from bitpuppet.data.character_set import CharacterSet
from bitpuppet.data.folder import SETS_VARIABLE, find_sets
from bitpuppet.data.set_plan import SET_FILE
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.writer import encode_png, hide_path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
StoreWatch = Callable[[int, int, str], None]
"""(characters written, characters, name of the next one); whatever it raises stops the copy."""


@dataclass(frozen=True)
class StoredSet:
    """A set by name, and where it is."""

    name: str
    path: Path


def check_set_name(name: str) -> None:
    """Raise BitpuppetError unless a set can be called `name`."""
    if not _NAME.fullmatch(name):
        raise BitpuppetError(
            f"{name!r} is no name for a set; use 1 to 64 letters, digits, dashes and underscores, a letter or "
            "digit first"
        )


def find_set(name: str, folder: Path | None = None) -> Path:
    """The path of a set for `read_character_set`.

    Raises:
        BitpuppetError: there is no set of that name; the message lists those there are.
    """
    check_set_name(name)
    path = (folder or find_sets()) / name
    if not (path / SET_FILE).is_file():
        known = ", ".join(one.name for one in list_sets(folder)) or "none yet"
        raise BitpuppetError(f"there is no set {name!r} (there is: {known}); add it with bitpuppet dataset add")
    return path


def list_sets(folder: Path | None = None) -> list[StoredSet]:
    """The user's sets by name."""
    try:
        found = sorted((folder or find_sets()).iterdir())
    except FileNotFoundError:
        return []
    return [StoredSet(one.name, one) for one in found if _NAME.fullmatch(one.name) and (one / SET_FILE).is_file()]


def add_set(
    found: CharacterSet,
    name: str,
    folder: Path | None = None,
    *,
    replace: bool = False,
    watch: StoreWatch | None = None,
) -> Path:
    """Copy a set into the user's folder: a strip for each animation, and a `.toml` file that names them.

    What `read_character_set` gives for the copy is equal to `found`, apart from the name of the set. A copy that is
    stopped leaves nothing behind.

    Raises:
        BitpuppetError: the name is taken (and not to be replaced) or cannot be used, or the copy cannot be written.
    """
    check_set_name(name)
    target = (folder or find_sets()) / name
    if target.exists() and not replace:
        raise BitpuppetError(f"there is a set {name!r} already; choose another name, or give --replace")
    hidden = hide_path(target)
    try:
        hidden.mkdir(parents=True)
        _write(found, name, hidden, watch)
        _move(hidden, target)
    except OSError as error:
        raise BitpuppetError(
            f"{target} cannot be written ({error.strerror or type(error).__name__}); free space, or name "
            f"another folder with {SETS_VARIABLE}"
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return target


def remove_set(name: str, folder: Path | None = None) -> None:
    """Remove a set of the user's. Its first step makes it unreadable as a whole, not in parts.

    Raises:
        BitpuppetError: there is no such set, or it may not be removed.
    """
    path = find_set(name, folder)
    hidden = hide_path(path)
    try:
        path.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise BitpuppetError(f"{path} cannot be removed ({error.strerror}); check your rights to it") from error


def _write(found: CharacterSet, name: str, folder: Path, watch: StoreWatch | None) -> None:
    lines = [f"name = {_quote(name)}"]
    for number, character in enumerate(found.characters):
        if watch is not None:
            watch(number, len(found.characters), character.name)
        place = f"{number:04d}"
        (folder / place).mkdir()
        height, width = character.animations[0].frames.shape[1:3]
        lines += ["", f"[characters.{_quote(character.name)}]", f'frame = "{width}x{height}"']
        for index, animation in enumerate(character.animations):
            sheet = f"{place}/{index:04d}.png"
            strip = rearrange(animation.frames, "t h w c -> h (t w) c")
            (folder / sheet).write_bytes(encode_png(np.ascontiguousarray(strip)))
            durations = ", ".join(map(str, animation.durations))
            entry = f'{{ sheet = "{sheet}", duration = [{durations}] }}'
            lines.append(f"animations.{_quote(animation.name)} = {entry}")
    (folder / SET_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _move(source: Path, target: Path) -> None:
    """Put a folder in the place of another one, if there is one, so that no reader finds half of either."""
    if not target.exists():
        source.rename(target)
        return
    old = hide_path(target)
    target.rename(old)
    try:
        source.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _quote(text: str) -> str:
    """A string of TOML: as in JSON, which also escapes the one control character that TOML refuses and JSON has."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
