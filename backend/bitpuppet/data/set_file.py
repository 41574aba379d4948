"""The `.toml` file of a character set: which sheets, cells and tags belong to which character and animation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple, NoReturn

from bitpuppet.data.set_plan import (
    MAX_DURATION_MS,
    MAX_SHEETS,
    CharacterPlan,
    Key,
    SetPlan,
    SheetPlan,
    find_frame,
    list_sheets,
    name_animations,
    plan_folder,
)
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.images import read_bytes
from bitpuppet.sprites.ranges import check_row_count, parse_frame, parse_rows

MAX_FILE_BYTES = 1 << 20
_HEX = re.compile(r"#?([0-9A-Fa-f]{6})")
_SHEET_KEYS = ("sheet", "frame", "key", "duration")
_CELL_KEYS = ("rows", "columns", "cells", "tag")
_SET_KEYS = ("name", "frame", "key", "duration", "animations", "characters")
_CHARACTER_KEYS = ("folder", *_SHEET_KEYS, "animations")
_ANIMATION_KEYS = (*_SHEET_KEYS, *_CELL_KEYS)


class _Defaults(NamedTuple):
    """What a table passes on to those in it."""

    folder: Path
    sheet: str | None = None
    frame: tuple[int, int] | None = None
    key: Key | None = None
    durations_ms: tuple[int, ...] = ()


def plan_file(path: Path) -> SetPlan:
    """Read the plan of a set from its `.toml` file. Sheets are named from the file's folder on, and lie in it.

    Raises:
        BitpuppetError: the file cannot be read, a key or value is unknown, a path leads out of the folder.
    """
    try:
        text = read_bytes(path, MAX_FILE_BYTES).decode("utf-8-sig")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise BitpuppetError(f"{path} is not UTF-8 text; save it again as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "too deep"
        raise BitpuppetError(f"{path} is not TOML that can be read ({reason}); correct it") from error
    return _Reader(path).read_set(table)


class _Reader:
    """The tables of one file; every error names the file and the place in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_set(self, table: Mapping[str, Any]) -> SetPlan:
        self._check_keys(table, _SET_KEYS, "")
        defaults = self._read_defaults(table, _Defaults(self._path.parent), "")
        name = self._read_text(table, "name", "") or self._name_set()
        shared = self._read_tables(table, "animations", "")
        characters = self._read_tables(table, "characters", "")
        if not characters:
            if shared:
                self._refuse("characters", "missing", "add a table [characters.NAME] for each character")
            plan = plan_folder(defaults.folder, defaults.frame, defaults.key, defaults.durations_ms)
            return SetPlan(name, plan.characters)
        plans = tuple(self._read_character(one, rest, shared, defaults) for one, rest in characters.items())
        count = sum(len(plan.sheets) for plan in plans)
        if count > MAX_SHEETS:
            self._refuse("characters", f"{count} animations in all", f"split the set, the limit is {MAX_SHEETS}")
        return SetPlan(name, plans)

    def _name_set(self) -> str:
        return self._path.stem if self._path.stem != "set" else self._path.resolve().parent.name or "set"

    def _read_character(
        self, name: str, table: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]], above: _Defaults
    ) -> CharacterPlan:
        place = f"characters.{name}"
        self._check_keys(table, _CHARACTER_KEYS, place)
        folder = self._read_text(table, "folder", place)
        if folder is not None:
            above = above._replace(folder=self._find_path(above.folder, folder, f"{place}.folder"))
        defaults = self._read_defaults(table, above, place)
        own = self._read_tables(table, "animations", place)
        # Cells that all characters share say nothing about a folder of sheets.
        by_names = folder is not None and defaults.sheet is None and not all("sheet" in one for one in shared.values())
        animations = own or ({} if by_names else shared)
        if animations:
            sheets = [self._read_animation(one, rest, defaults, place) for one, rest in animations.items()]
            return CharacterPlan(name, tuple(sheets))
        if defaults.sheet is not None:
            return CharacterPlan(name, (self._plan_sheet(defaults.sheet, defaults, place),))
        if folder is None:
            self._refuse(place, "without a sheet", "give it a sheet, a folder, or animations with sheets")
        found = list_sheets(defaults.folder)
        if not found:
            self._refuse(f"{place}.folder", "a folder without sheets", "name the folder with the character's sheets")
        named = zip(found, name_animations(found, defaults.folder.name), strict=True)
        return CharacterPlan(
            name,
            tuple(
                SheetPlan(
                    p,
                    fallback=one,
                    alone=len(found) == 1,
                    frame=find_frame(p.stem) or defaults.frame,
                    key=defaults.key,
                    durations_ms=defaults.durations_ms,
                )
                for p, one in named
            ),
        )

    def _read_animation(self, name: str, table: Mapping[str, Any], above: _Defaults, character: str) -> SheetPlan:
        place = f"{character}.animations.{name}"
        self._check_keys(table, _ANIMATION_KEYS, place)
        defaults = self._read_defaults(table, above, place)
        if defaults.sheet is None:
            self._refuse(place, "without a sheet", "name one here, for the character or for the set")
        plan = self._plan_sheet(defaults.sheet, defaults, place)
        rows, columns, cells = (self._read_numbers(table, key, place) for key in ("rows", "columns", "cells"))
        tag = self._read_text(table, "tag", place)
        if sum((rows is not None or columns is not None, cells is not None, tag is not None)) > 1:
            self._refuse(place, "told twice which frames it has", "give cells, a tag, or rows and columns")
        return replace(plan, animation=name, rows=rows, columns=columns, cells=cells, tag=tag)

    def _plan_sheet(self, sheet: str, defaults: _Defaults, place: str) -> SheetPlan:
        path = self._find_path(defaults.folder, sheet, f"{place}.sheet")
        frame = defaults.frame or find_frame(path.stem)
        return SheetPlan(
            path, fallback="row 0", alone=True, frame=frame, key=defaults.key, durations_ms=defaults.durations_ms
        )

    def _read_defaults(self, table: Mapping[str, Any], above: _Defaults, place: str) -> _Defaults:
        frame, key = self._read_text(table, "frame", place), self._read_text(table, "key", place)
        size = above.frame
        if frame is not None:
            size = parse_frame(frame, f"{self._path}: {_join(place, 'frame')}")
        return above._replace(
            sheet=self._read_text(table, "sheet", place) or above.sheet,
            frame=size,
            key=above.key if key is None else self._parse_key(key, _join(place, "key")),
            durations_ms=self._read_durations(table, place) or above.durations_ms,
        )

    def _parse_key(self, text: str, place: str) -> Key | None:
        try:
            return parse_key(text)
        except BitpuppetError as error:
            raise BitpuppetError(f"{self._path}: {place} {error}") from error

    def _read_durations(self, table: Mapping[str, Any], place: str) -> tuple[int, ...]:
        value = table.get("duration", [])
        values = value if isinstance(value, list) else [value]
        for one in values:
            if not isinstance(one, int) or isinstance(one, bool) or not 1 <= one <= MAX_DURATION_MS:
                self._refuse(_join(place, "duration"), quote(one), f"write 1 to {MAX_DURATION_MS} milliseconds")
        return tuple(values)

    def _read_numbers(self, table: Mapping[str, Any], key: str, place: str) -> tuple[int, ...] | None:
        value, where = table.get(key), _join(place, key)
        if value is None:
            return None
        if isinstance(value, str):
            return parse_rows(value, f"{self._path}: {where}", key)
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in values):
            self._refuse(where, quote(value), 'write numbers from 0 on, such as 2, [0, 2] or "0-3"')
        check_row_count(len(values), f"{self._path}: {where}", key)
        return tuple(values)

    def _read_text(self, table: Mapping[str, Any], key: str, place: str) -> str | None:
        value = table.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            self._refuse(_join(place, key), quote(value), "write a text in quotes")
        return value

    def _read_tables(self, table: Mapping[str, Any], key: str, place: str) -> dict[str, Mapping[str, Any]]:
        value = table.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
            self._refuse(_join(place, key), "no table of tables", f"write [{_join(place, key)}.NAME] above each")
        if not all(name.strip() and name.isprintable() for name in value):
            self._refuse(_join(place, key), "with a name that cannot be shown", "write names of visible letters")
        return dict(value)

    def _find_path(self, folder: Path, name: str, place: str) -> Path:
        """A file that the set names; the sheets of a set lie in the folder of its file, also behind links."""
        parts = PureWindowsPath(name).parts if "\\" in name else PurePosixPath(name).parts
        outside = ".." in parts or PureWindowsPath(name).drive or name.startswith(("/", "\\"))
        path = folder.joinpath(*parts) if not outside else folder
        try:
            outside = outside or not path.resolve().is_relative_to(self._path.parent.resolve())
        except (OSError, ValueError, RuntimeError):
            outside = True
        if outside:
            self._refuse(place, f"{quote(name)}, which leads out of the folder of this file", "move the sheets there")
        return path

    def _check_keys(self, table: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
        for key in table:
            if key not in known:
                self._refuse(_join(place, key), "not known here", f"the keys are {', '.join(known)}")

    def _refuse(self, place: str, what: str, remedy: str) -> NoReturn:
        raise BitpuppetError(f"{self._path}: {place or 'the file'} is {what}; {remedy}")


def parse_key(text: str) -> Key | None:
    """Read a colour key: "ff00ff", "corner" for the first pixel of each sheet, or "none".

    Raises:
        BitpuppetError: it is none of these.
    """
    word = text.strip().lower()
    if word in ("corner", "none"):
        return Key() if word == "corner" else None
    match = _HEX.fullmatch(word)
    if not match:
        raise BitpuppetError(f'is {quote(text)}, no colour key; write a colour such as "ff00ff", "corner" or "none"')
    red, green, blue = bytes.fromhex(match[1])
    return Key((red, green, blue))


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
