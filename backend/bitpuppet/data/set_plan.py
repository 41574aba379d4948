"""Which sheets make up a character set: told by a folder's names alone, or by a `.toml` file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.formats.files import ASEPRITE_SUFFIXES, ATLAS_SUFFIX
from bitpuppet.sprites.formats.values import MAX_JSON_BYTES
from bitpuppet.sprites.images import read_bytes

SET_FILE = "set.toml"
"""A folder that holds a file of this name is read as that file says."""
MAX_DURATION_MS = 3_600_000
"""An hour: frames that a file holds for longer stay as long as that."""
MAX_SHEETS = 10_000
"""Sheets, and entries of a folder, that a set may have."""
IMAGE_SUFFIXES = (".png", ".apng", ".gif")
SHEET_SUFFIXES = (*IMAGE_SUFFIXES, *ASEPRITE_SUFFIXES, ATLAS_SUFFIX)
_SIZE_AT_END = re.compile(r"[\s_.-]*\(?(\d{1,4})[\s_]*[xX][\s_]*(\d{1,4})\)?$")
"""How artists put the size of a frame behind a name: Idle_32x32, Running_(16_x_16)."""


@dataclass(frozen=True)
class Key:
    """The colour that means transparent: `colour` (red, green, blue), or that of each sheet's first pixel for None."""

    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class SheetPlan:
    """A sheet, and what to take of it. Without `animation`, its tags are the animations, else its rows."""

    path: Path
    animation: str | None = None
    fallback: str = ""
    """What the animation is called where the sheet has no tags and one row; with several rows, their number follows."""
    alone: bool = False
    """The character has no other sheet: several rows are row 0, row 1, so that those of several characters meet."""
    frame: tuple[int, int] | None = None
    """Width and height in pixels; None where the file tells, or the grid can be found."""
    key: Key | None = None
    durations_ms: tuple[int, ...] = ()
    """One for all frames, or one for each; empty for the file's own."""
    rows: tuple[int, ...] | None = None
    columns: tuple[int, ...] | None = None
    """Of each of the rows, in the order wanted."""
    cells: tuple[int, ...] | None = None
    """Counted row by row from 0, in place of rows and columns."""
    tag: str | None = None


@dataclass(frozen=True)
class CharacterPlan:
    """A character and its sheets."""

    name: str
    sheets: tuple[SheetPlan, ...]


@dataclass(frozen=True)
class SetPlan:
    """A set. Its characters have different names; the sheets may not exist."""

    name: str
    characters: tuple[CharacterPlan, ...]
    loose: bool = False
    """Whether the characters are sheets that lie beside each other in a folder, which may be animations of one."""


def plan_folder(
    folder: Path, frame: tuple[int, int] | None = None, key: Key | None = None, durations_ms: tuple[int, ...] = ()
) -> SetPlan:
    """Plan a set by the names in a folder.

    Each sub-folder is a character; its sheets (and folders of single frames) are animations with the names of the
    files. Each sheet that lies in the folder itself is a character too, with its tags or rows as animations. A folder
    of sheets without sub-folders, of which most have one animation, is one character: `survey_character_set` finds
    that out.

    Raises:
        BitpuppetError: the folder cannot be listed, or holds no sheet.
    """

    def plan(path: Path, fallback: str, *, alone: bool) -> SheetPlan:
        return SheetPlan(path, None, fallback, alone, find_frame(path.stem) or frame, key, durations_ms)

    characters: list[CharacterPlan] = []
    loose: list[Path] = []
    for entry in list_sheets(folder):
        if not entry.is_dir():
            loose.append(entry)
            continue
        sheets = list_sheets(entry)
        if sheets:
            names = name_animations(sheets, entry.name)
            plans = [plan(one, two, alone=len(sheets) == 1) for one, two in zip(sheets, names, strict=True)]
            characters.append(CharacterPlan(entry.name, tuple(plans)))
    for sheet in loose:
        name = strip_size(sheet.stem)
        while any(character.name == name for character in characters):
            name += " (sheet)"
        characters.append(CharacterPlan(name, (plan(sheet, "row 0", alone=True),)))
    if not characters:
        raise BitpuppetError(
            f"{folder} holds no sheets; put one sub-folder for each character into it, with a sheet for each animation"
        )
    return SetPlan(folder.resolve().name or "set", tuple(characters), loose=len(loose) == len(characters))


def plan_single(path: Path, frame: tuple[int, int] | None = None, key: Key | None = None) -> SetPlan:
    """Plan a set of one sheet, which is one character."""
    name = strip_size(path.stem)
    sheet = SheetPlan(path, None, "row 0", True, find_frame(path.stem) or frame, key)
    return SetPlan(name, (CharacterPlan(name, (sheet,)),))


def list_sheets(folder: Path) -> list[Path]:
    """The sheets and folders in a folder by name, without the images that a JSON beside them describes.

    A folder of single frames is a sheet as any other. Names with a leading dot are passed over, and JSON files that
    describe something else.

    Raises:
        BitpuppetError: the folder cannot be listed, or has more than MAX_SHEETS entries.
    """
    found: list[Path] = []
    try:
        for entry in folder.iterdir():
            if len(found) >= MAX_SHEETS:
                raise BitpuppetError(f"{folder} has more than {MAX_SHEETS} sheets; split the set into several folders")
            if not entry.name.startswith(".") and (entry.is_dir() or entry.suffix.lower() in SHEET_SUFFIXES):
                found.append(entry)
    except OSError as error:
        raise BitpuppetError(f"{folder} cannot be listed ({error.strerror}); check the name and its rights") from error
    found = [entry for entry in found if entry.suffix.lower() != ATLAS_SUFFIX or not _is_foreign(entry)]
    described = {entry.stem for entry in found if entry.suffix.lower() == ATLAS_SUFFIX}
    kept = [e for e in found if e.is_dir() or e.suffix.lower() not in IMAGE_SUFFIXES or e.stem not in described]
    return sorted(kept, key=lambda entry: (entry.name.casefold(), entry.name))


def find_frame(stem: str) -> tuple[int, int] | None:
    """The size of a frame that ends the name of a sheet, if one does."""
    match = _SIZE_AT_END.search(stem)
    if not match or not (int(match[1]) and int(match[2])):
        return None
    return int(match[1]), int(match[2])


def strip_size(stem: str) -> str:
    """The name of a sheet without a frame's size at its end."""
    return _SIZE_AT_END.sub("", stem) or stem


def name_animations(sheets: list[Path], character: str) -> list[str]:
    """What the animations of a character's sheets are called: lower case, without sizes and the character's own name.

    So that animations of several characters meet: Devo_Running_(16_x_16).png of `devo` and run.png's sisters.
    """
    names = [re.sub(r"[\s_.-]+", "_", strip_size(sheet.stem)).strip("_").casefold() for sheet in sheets]
    own = [part for part in re.split(r"[\s_.-]+", character.casefold()) if part]
    prefixes = ["_".join(own) + "_", own[-1] + "_"] if own else []
    for prefix in prefixes:
        if all(name.startswith(prefix) and name != prefix for name in names):
            names = [name.removeprefix(prefix) for name in names]
    return list(_make_unique(name or "animation" for name in names))


def _is_foreign(path: Path) -> bool:
    """Whether a JSON is certainly none of a sheet. One that is damaged may be, and is told when it is read."""
    try:
        values = json.loads(read_bytes(path, MAX_JSON_BYTES))
    except (BitpuppetError, ValueError, RecursionError):
        return False
    return not isinstance(values, dict) or not {"frames", "textures", "meta"} & values.keys()


def _make_unique(names: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        one, number = name, 2
        while one in seen:
            one, number = f"{name} {number}", number + 1
        seen.add(one)
        yield one
