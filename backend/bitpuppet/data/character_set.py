"""Character sets: an animator's sheets, sorted into characters and their animations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.set_file import plan_file
from bitpuppet.data.set_plan import (
    SET_FILE,
    SHEET_SUFFIXES,
    Key,
    SetPlan,
    name_animations,
    plan_folder,
    plan_single,
)
from bitpuppet.data.set_reading import AnimationReading, SheetReader, read_character
from bitpuppet.errors import BitpuppetError

MAX_SET_PIXELS = 100_000_000
"""Most pixels that the frames of a set may have in all; 400 MB."""
Frames = NDArray[np.uint8]
SetWatch = Callable[[int, int, str], None]
"""(characters read, characters, name of the next one); whatever it raises stops the reading."""


@dataclass(frozen=True, eq=False)
class CharacterAnimation:
    """One animation of a character.

    `frames`: straight-alpha RGBA uint8 (T, H, W, 4), T >= 1. `durations`: T times in milliseconds.
    """

    name: str
    frames: Frames
    durations: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Character:
    """All animations of one character, one at least. Their frames have one size (H, W)."""

    name: str
    animations: tuple[CharacterAnimation, ...]


@dataclass(frozen=True, eq=False)
class CharacterSet:
    """Characters that are trained on together. Their frames may differ in size from character to character."""

    name: str
    characters: tuple[Character, ...]


@dataclass(frozen=True, eq=False)
class CharacterReading:
    """What was found of one character: its animations in the sizes of their files, and why sheets were not read."""

    name: str
    animations: tuple[AnimationReading, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SetReading:
    """A set as it was found, good or bad."""

    name: str
    characters: tuple[CharacterReading, ...]


def read_character_set(path: Path, watch: SetWatch | None = None) -> CharacterSet:
    """Read a set from a folder, a `.toml` file (see docs/own-characters.md), or one sheet.

    Cells without a visible pixel are left out. Where the animations of a character differ in size, all of them are
    put on frames of the largest width and height, centred, with their lower edges at the bottom.

    Raises:
        BitpuppetError: a sheet or the set's file cannot be used; the first of the reasons.
    """
    return finish_reading(survey_character_set(path, watch=watch))


def survey_character_set(
    path: Path, frame: tuple[int, int] | None = None, key: Key | None = None, watch: SetWatch | None = None
) -> SetReading:
    """Read a set as far as that goes; what is wrong with single sheets stands in the characters' `errors`.

    Args:
        path: as for `read_character_set`.
        frame: width and height of the frames of sheets that do not tell it.
        key: the colour that means transparent; both for folders and sheets only, a `.toml` file says it itself.
        watch: called before each character.

    Raises:
        BitpuppetError: there is no set, its file is wrong, or it has more than MAX_SET_PIXELS.
    """
    plan = _plan(path, frame, key)
    reader = SheetReader()
    characters = []
    pixels = 0
    for number, character in enumerate(plan.characters):
        if watch is not None:
            watch(number, len(plan.characters), character.name)
        animations, errors = read_character(character, reader)
        pixels += sum(one.frames[..., 0].size for one in animations)
        if pixels > MAX_SET_PIXELS:
            raise BitpuppetError(
                f"{path} has more than {MAX_SET_PIXELS // 1_000_000} million pixels in its frames, which is the limit; "
                "split the set, or crop the frames"
            )
        characters.append(CharacterReading(character.name, tuple(animations), tuple(errors)))
    return SetReading(plan.name, _join_loose(plan, characters))


def finish_reading(reading: SetReading) -> CharacterSet:
    """The set that was read, each character in one size.

    Raises:
        BitpuppetError: a sheet could not be read; the first of the reasons.
    """
    for character in reading.characters:
        for error in character.errors:
            raise BitpuppetError(error)
    return CharacterSet(reading.name, tuple(Character(one.name, _align(one)) for one in reading.characters))


def _plan(path: Path, frame: tuple[int, int] | None, key: Key | None) -> SetPlan:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:
        raise BitpuppetError(f"{str(path)!r} cannot be opened; correct the path") from error
    if is_folder and not (path / SET_FILE).is_file():
        return plan_folder(path, frame, key)
    file = path / SET_FILE if is_folder else path
    if file.suffix.lower() == ".toml":
        if frame is not None or key is not None:
            raise BitpuppetError(f"{file} says frames and colour keys itself; write them into that file")
        return plan_file(file)
    if not is_file:
        raise BitpuppetError(f"{path} does not exist; name a folder of sheets, or a .toml file that lists them")
    if path.suffix.lower() not in SHEET_SUFFIXES:
        raise BitpuppetError(f"{path} is no character set; name a folder of sheets, or a .toml file that lists them")
    return plan_single(path, frame, key)


def _join_loose(plan: SetPlan, characters: list[CharacterReading]) -> tuple[CharacterReading, ...]:
    """Sheets beside each other, most of them of one animation, are the animations of one character."""
    single = sum(len(one.animations) + len(one.errors) == 1 for one in characters)
    if not plan.loose or len(characters) < 2 or 2 * single <= len(characters):
        return tuple(characters)
    names = name_animations([one.sheets[0].path for one in plan.characters], plan.name)
    renamed = [
        replace(a, name=name if len(one.animations) == 1 else f"{name} {number}")
        for name, one in zip(names, characters, strict=True)
        for number, a in enumerate(one.animations)
    ]
    errors = tuple(error for one in characters for error in one.errors)
    return (CharacterReading(plan.name, tuple(renamed), errors),)


def _align(character: CharacterReading) -> tuple[CharacterAnimation, ...]:
    height = max(one.frames.shape[1] for one in character.animations)
    width = max(one.frames.shape[2] for one in character.animations)
    aligned = []
    for one in character.animations:
        count, h, w, _ = one.frames.shape
        frames = np.zeros((count, height, width, 4), dtype=np.uint8)
        left = (width - w) // 2
        frames[:, height - h :, left : left + w] = one.frames
        aligned.append(CharacterAnimation(one.name, frames, one.durations_ms))
    return tuple(aligned)
