"""Families of characters that share motions, from the data folder: what `bitpuppet eval custom` measures on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet
from bitpuppet.data.custom import Frames, fit_character
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import DEFAULT_DURATION_MS, find_content_box
from bitpuppet.sprites.images import read_picture
from bitpuppet.sprites.palette import OPAQUE_ALPHA

FAMILIES = ("ninja_adventure", "pixelfrog", "grafxkid", "tmw")
"""Beginnings of the folders' names in `custom_sheets/`: characters by one artist, in one style."""
_LARGE_FAMILY = 6
"""From so many characters on, two are kept from training instead of one."""


class Wanted(NamedTuple):
    """One animation of a new character that is to be predicted."""

    character: Character
    given: CharacterAnimation
    """What the model and the base line may see of the character."""
    wanted: CharacterAnimation
    """What is true; the drivers' animation has its name and its length."""
    drivers: tuple[Character, ...]
    """The training characters that perform the wanted animation."""


class Trial(NamedTuple):
    """A family, cut into what training sees and what is new."""

    name: str
    training: CharacterSet
    wanted: tuple[Wanted, ...]

    @property
    def new_characters(self) -> tuple[str, ...]:
        """Names of those that training does not see."""
        return tuple(dict.fromkeys(case.character.name for case in self.wanted))


def read_family(root: Path, name: str, canvas: int) -> tuple[Character, ...]:
    """The characters of a family whose art fits a canvas (its side in pixels), by name.

    Raises:
        BitpuppetError: the folder has no such family, or a file of it cannot be used.
    """
    files = sorted(root.glob(f"{name}*/*.json"))
    if not files:
        raise BitpuppetError(f"{root}: there are no sheets of {name} here; set BITPUPPET_DATA to a complete folder")
    characters = []
    for file in files:
        try:
            character = _read_character(file, json.loads(file.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BitpuppetError(f"{file}: not a description of sheets ({error}); copy it again") from error
        try:
            characters.append(fit_character(character, canvas))
        except BitpuppetError:
            continue  # larger than this preset can see
    return tuple(characters)


def split_family(name: str, characters: tuple[Character, ...]) -> Trial:
    """Keep the last one or two by name, of those that share most motions with others, from training.

    The given animation is the longest (the first of several); each other animation that a training character performs
    in as many frames is wanted.

    Raises:
        BitpuppetError: no two characters share two animations.
    """
    count = 2 if len(characters) >= _LARGE_FAMILY else 1
    chosen: list[Character] = []
    best = max((_count_shared(one, characters) for one in characters), default=0)
    for character in reversed(characters):
        # Those that share much: a new character of which little can be predicted measures little.
        if len(chosen) < count and best >= 2 and 4 * _count_shared(character, characters) >= 3 * best:
            chosen.append(character)
    names = {character.name for character in chosen}
    training = tuple(character for character in characters if character.name not in names)
    wanted = [case for character in reversed(chosen) for case in _list_wanted(character, training)]
    if not wanted:
        raise BitpuppetError(f"{name}: no two characters share two animations; choose another family")
    return Trial(name, CharacterSet(name, training), tuple(wanted))


def _list_wanted(character: Character, training: tuple[Character, ...]) -> list[Wanted]:
    shared = [a for a in character.animations if _find_performers(a, training)]
    given = max(shared, key=lambda animation: len(animation.frames), default=None)
    if given is None:
        return []
    return [
        Wanted(character, given, animation, _find_performers(animation, training))
        for animation in shared
        if animation is not given
    ]


def _find_performers(animation: CharacterAnimation, characters: tuple[Character, ...]) -> tuple[Character, ...]:
    return tuple(one for one in characters if find_animation(one, animation.name, len(animation.frames)) is not None)


def _count_shared(character: Character, characters: tuple[Character, ...]) -> int:
    """Frames of animations that another one of the characters performs too."""
    others = tuple(other for other in characters if other.name != character.name)
    return sum(len(animation.frames) for animation in character.animations if _find_performers(animation, others))


def find_animation(character: Character, name: str, frames: int) -> CharacterAnimation | None:
    """The character's animation of that name and length, if there is one."""
    return next((a for a in character.animations if a.name == name and len(a.frames) == frames), None)


def _read_character(file: Path, description: Mapping[str, Any]) -> Character:
    sheets = {name: read_picture(file.parent / name).frames[0] for name in description["sheets"]}
    size = int(description["frame_width"]), int(description["frame_height"])
    animations = []
    for entry in description["animations"]:
        width, height = int(entry.get("frame_width", size[0])), int(entry.get("frame_height", size[1]))
        if (width, height) != size:
            continue
        sheet = sheets[entry["sheet"]]
        cells = [_cut(sheet, int(column) * width, int(row) * height, width, height) for column, row in entry["frames"]]
        shown = np.stack([cell for cell in cells if find_content_box(cell[None]) is not None])
        if not (shown[..., 3] >= OPAQUE_ALPHA).any():  # a ghost: how much shines through it is no question of pose
            shown = np.where(shown[..., 3:] > 0, shown | np.array([0, 0, 0, 255], np.uint8), shown)
        animations.append(CharacterAnimation(str(entry["name"]), shown, (DEFAULT_DURATION_MS,) * len(shown)))
    return Character(str(description["name"]), tuple(animations))


def _cut(sheet: Frames, left: int, top: int, width: int, height: int) -> Frames:
    cell = sheet[top : top + height, left : left + width]
    if cell.shape[:2] != (height, width):
        raise ValueError(f"a cell at {left}, {top} lies outside its sheet")
    return cell
