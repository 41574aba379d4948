"""Random legal characters of the Liberated Pixel Cup wardrobe, composed on the fly.

The layer order and the sexes follow the data folder's `LAYOUT.json`; which frames a garment fills comes from its
`lpc_index.json`. A motion is used only where every garment that should show in it does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.layers import COLUMNS, LayerStore
from bitpuppet.errors import BitpuppetError

SEXES = ("male", "female")
HELD_OUT_SHARE = 0.10
_HOLD_OUT_SALT = "12:"
"""Chosen once, so that the held-out names spread over the slots and none of them is drawn in the Sprites benchmark."""
FRAMES_OF_ROW = (7,) * 4 + (8,) * 4 + (9,) * 4 + (6,) * 4 + (13,) * 4 + (6,)

_BENCHMARK_GARMENTS = re.compile(
    r"body/|feet/armor/boots|formal_male_no_th-sh/(pants|shirt)|legs/|torso/(shirts/longsleeve|plate/chest|chain|tunics)"
    r"|hair/(bangs|jewfro|longknot|shortknot|xlongknot|messy1|parted|plain|unkempt)$"
)
"""Garments that the Sprites benchmark is drawn with (their outlines in frame 131 agree to 80 % or more)."""
_COLOURS = re.compile(
    r"(^|[_\-\s])(black|blue2?|brown|dark brown|dark gray|forest green|gray|green|lavender|light gray|maroon|pink"
    r"|red|teal2?|white|yellow|purple|orange|bronze|gold(en)?|iron|silver|metal|steel|wood|whiteblue)(?=$|[_\-\s])"
)
_SLOTS: tuple[tuple[str, str, float], ...] = (
    # slot, what its paths look like, chance that a character wears it; bottom to top, as LAYOUT.json orders them
    ("behind", r"behind_body/cape", 0.0),  # goes with a cape
    ("body", r"body/[^/]+/[^/]+\.png", 1.0),
    ("eyes", r"body/[^/]+/eyes/(?!casting)", 0.75),
    ("ears", r"body/[^/]+/ears/", 0.15),
    ("nose", r"body/[^/]+/nose/", 0.3),
    ("feet", r"feet/", 0.75),
    ("legs", r"legs/|formal_male_no_th-sh/pants", 0.85),
    ("torso", r"torso/(shirts|tunics|robes|dress)|formal_male_no_th-sh/shirt", 0.8),
    ("armour", r"torso/(chain|plate|corset)|formal_male_no_th-sh/vest", 0.25),
    ("belt", r"belt/", 0.3),
    ("hands", r"hands/", 0.25),
    ("back", r"torso/back/", 0.15),
    ("neck", r"accessories/|formal_male_no_th-sh/(bow)?tie", 0.12),
    ("facial", r"facial/", 0.2),
    ("hair", r"hair/", 0.85),
    ("head", r"head/", 0.2),
    ("weapon", r"weapons/", 0.25),
)


@dataclass(frozen=True)
class Garment:
    """One sheet of the wardrobe."""

    path: str
    slot: str
    sexes: tuple[str, ...]
    frames_per_row: tuple[int, ...]

    @property
    def name(self) -> str:
        """The garment without its colour and its sex: all recolours of one drawing share it."""
        folder, _, file = self.path.removesuffix(".png").rpartition("/")
        if self.slot in ("hair", "facial"):  # the folder is the style, the file the colour; or the file is the style
            style = folder.split("/")[2:] or [file]
            return f"{self.slot}/{style[0]}"
        words = _COLOURS.sub("", file).strip("_- ")
        words = re.sub(r"_?(fe)?male$", "", words)
        place = "/".join(part for part in folder.split("/") if part not in SEXES)
        return f"{place}/{words}" if words else place

    @property
    def held_out(self) -> bool:
        """Whether the garment is kept for validation (10 % of the names; bodies and eyes are always for training)."""
        if self.slot in ("body", "eyes", "ears", "nose", "behind"):
            return False
        digest = hashlib.sha256((_HOLD_OUT_SALT + self.name).encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32 < HELD_OUT_SHARE

    def covers(self, row: int) -> bool:
        """Whether the garment may be worn in this row: it fills it, or what it hides there is natural.

        Faces, beards and clips do not show from behind (rows "up"); weapons are in hand only in their own rows, and
        a hand-held thing that is away in the other rows is legal too.
        """
        if self.frames_per_row[row] or self.slot == "weapon":
            return True
        seen_from_behind = row % 4 == 0 and row != 20
        return seen_from_behind and self.slot in ("eyes", "nose", "facial", "neck", "belt", "behind")


@dataclass(frozen=True)
class LpcCharacter:
    """A dressed character: garments from bottom to top."""

    sex: str
    garments: tuple[Garment, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Sheets, bottom to top."""
        return tuple(garment.path for garment in self.garments)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Rows of the sheet in which everything that the character wears is drawn."""
        return tuple(row for row in range(21) if all(garment.covers(row) for garment in self.garments))


def row_cells(row: int) -> tuple[int, ...]:
    """Grid cells of one row's frames, in time order."""
    return tuple(row * COLUMNS + column for column in range(FRAMES_OF_ROW[row]))


class Wardrobe:
    """The garments under `root`, and random characters that wear them."""

    def __init__(self, root: Path) -> None:
        self.store = LayerStore(root)
        self.garments = read_wardrobe(root)
        self._shelves: dict[tuple[str, str, bool], dict[str, list[Garment]]] = {}
        for garment in self.garments:
            for sex in garment.sexes:
                shelf = self._shelves.setdefault((garment.slot, sex, garment.held_out), defaultdict(list))
                shelf[garment.name].append(garment)

    def dress(self, rng: np.random.Generator, *, held_out: bool = False) -> LpcCharacter:
        """Draw a random legal character.

        Styles are drawn before colours, so that 29 colours of one hair do not outweigh a shirt in one.

        Args:
            rng: the only source of chance.
            held_out: wear at least one garment that training never shows.
        """
        while True:
            character = self._dress_once(rng, held_out=held_out)
            if not self.is_benchmark_outfit(character.garments):
                return character

    def is_benchmark_outfit(self, garments: tuple[Garment, ...]) -> bool:
        """Whether this could be a character of the Sprites benchmark, whose test characters nobody may train on."""
        names = [garment.name for garment in garments]
        return "feet/armor/boots" in names and all(_BENCHMARK_GARMENTS.match(name) for name in names)

    def _dress_once(self, rng: np.random.Generator, *, held_out: bool) -> LpcCharacter:
        sex = SEXES[int(rng.integers(2))]
        new_slot = ""
        if held_out:
            slots = sorted({slot for slot, of_sex, held in self._shelves if held and of_sex == sex})
            new_slot = slots[int(rng.integers(len(slots)))]
        worn: dict[str, Garment] = {}
        for slot, _, chance in _SLOTS:
            wears = slot == new_slot or rng.random() < chance
            shelf = self._shelves.get((slot, sex, slot == new_slot))
            if not wears or not shelf:
                continue
            styles = sorted(shelf)
            colours = shelf[styles[int(rng.integers(len(styles)))]]
            worn[slot] = colours[int(rng.integers(len(colours)))]
        for slot in ("ears", "nose"):  # these are drawn in the skin's colours
            if slot in worn:
                worn = self._match_skin(worn, slot)
        worn = self._match_cape(worn, sex)
        return LpcCharacter(sex, tuple(worn[slot] for slot, _, _ in _SLOTS if slot in worn))

    def clip(self, character: LpcCharacter, row: int) -> NDArray[np.uint8]:
        """Straight-alpha RGBA frames of one row, uint8 (T, 64, 64, 4), T between 6 and 13."""
        return self.store.compose(character.layers, row_cells(row))

    def find_tops(self, character: LpcCharacter, row: int) -> NDArray[np.int64]:
        """Which of the character's layers shows at each pixel of a row, -1 for none, (T, 64, 64)."""
        return self.store.find_tops(character.layers, row_cells(row))

    def _match_skin(self, worn: dict[str, Garment], slot: str) -> dict[str, Garment]:
        skin = Path(worn["body"].path).stem
        style = Path(worn[slot].path).stem.split("_")[0]
        path = str(Path(worn[slot].path).with_name(f"{style}_{skin}.png"))
        match = next((garment for garment in self.garments if garment.path == path), None)
        return {key: value for key, value in worn.items() if key != slot} | ({slot: match} if match else {})

    def _match_cape(self, worn: dict[str, Garment], sex: str) -> dict[str, Garment]:
        """A cape on the back has its other half behind the body, in the same cut and colour."""
        cape = worn.get("back")
        if cape is None or "cape" not in cape.path:
            return {key: value for key, value in worn.items() if key != "behind"}
        path = cape.path.replace("torso/back", "behind_body")
        match = next((garment for garment in self.garments if garment.path == path), None)
        return (
            worn | {"behind": match} if match else {key: v for key, v in worn.items() if key not in ("behind", "back")}
        )


def read_wardrobe(root: Path) -> tuple[Garment, ...]:
    """List the garments that `lpc_index.json` names and that belong to a slot, sorted by path."""
    index = root / "lpc_index.json"
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BitpuppetError(f"{index}: cannot be read ({error}); point BITPUPPET_DATA at the data folder") from error
    garments = []
    for entry in entries:
        path, frames = str(entry["path"]), tuple(int(n) for n in entry["frames_per_row"])
        slot = next((slot for slot, pattern, _ in _SLOTS if re.match(pattern, path)), None)
        if slot is not None and (root / path).exists():
            garments.append(Garment(path, slot, _sexes_of(path), frames))
    return tuple(sorted(garments, key=lambda garment: garment.path))


def _sexes_of(path: str) -> tuple[str, ...]:
    """LAYOUT.json's rule: any part of the path that ends in male or female decides; unmarked fits both."""
    words = re.split(r"[/_.\s]", path)
    if "female" in words:
        return ("female",)
    return ("male",) if "male" in words else SEXES
