"""What a job was asked for, as text that lives in the .blend: on the image that came of it and in the history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import ArtError
from .sheets import SheetSettings

KINDS = ("retarget", "extend", "loop", "tokens", "decode")
"""Kinds of the history; `loop` is the service's `extend` with its flag."""
_MAX_TEXT = 1 << 20


@dataclass(frozen=True)
class SheetRecord:
    """An image, by its data-block's name, and how it was cut."""

    image: str = ""
    cut: SheetSettings = field(default_factory=SheetSettings)


@dataclass(frozen=True)
class JobRecord:
    """Everything that a job was started with, and nothing about how it went."""

    kind: str = "retarget"
    source: SheetRecord = field(default_factory=SheetRecord)
    motion: SheetRecord = field(default_factory=SheetRecord)
    model: str = "sprite64"
    seed: str = "0"
    """In decimal digits: JSON and Blender have no 63-bit numbers that all readers keep."""
    steps: int = 0
    """0 for the model's own number."""
    palette_lock: bool = True
    hard_alpha: bool = True
    colours: int = 0
    """0 for all of the character's own."""
    palette: tuple[int, ...] = ()
    """Other colours in their place, 0xRRGGBB; empty for the character's own."""
    palette_name: str = ""
    """Data-block that these colours came from."""
    orphans: bool = True
    patterns: bool = False
    outline: bool = False
    anchor: str = "SOURCE"
    count: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    variations: int = 1
    fps: float = 12.0
    target: str = ""
    """Data-block that the result replaces; empty for a new one."""
    strip: str = ""
    """Data-block that locked frames are taken from."""
    poses: tuple[int, ...] = ()
    """The pose of each frame of the new strip, for `decode`."""
    locked: tuple[int, ...] = ()
    """Frames of the new strip that are taken from `strip`, for `decode`."""
    seconds: tuple[int, ...] = ()
    """As `poses.Plan` has them, for `decode`."""
    percents: tuple[int, ...] = ()
    """As `poses.Plan` has them, for `decode`."""

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


def read_record(text: str) -> JobRecord:
    """The record of a text by `JobRecord.to_text`, also of an older or newer version: unknown names are left out.

    Raises:
        ArtError: it is none.
    """
    if len(text) > _MAX_TEXT:
        raise ArtError("The settings of this entry are damaged; delete it")
    try:
        values = json.loads(text)
        record = _fill(JobRecord, values)
    except (ValueError, TypeError, RecursionError) as error:
        raise ArtError("The settings of this entry are damaged; delete it") from error
    if record.kind not in KINDS:
        raise ArtError("This entry is of a newer version of the add-on; update it")
    return record


def _fill(kind: type, values: Any) -> Any:
    """An instance of a dataclass from JSON; raises TypeError for a value of another type than the default's."""
    if not isinstance(values, Mapping):
        raise TypeError("no object")
    default = kind()
    chosen: dict[str, Any] = {}
    for each in fields(kind):
        if each.name not in values:
            continue
        usual, value = getattr(default, each.name), values[each.name]
        if isinstance(usual, (SheetRecord, SheetSettings)):
            value = _fill(type(usual), value)
        elif isinstance(usual, tuple):
            if not isinstance(value, list) or not all(type(one) is int for one in value):
                raise TypeError(each.name)
            value = tuple(value)
        elif isinstance(usual, float) and type(value) is int:
            value = float(value)
        elif type(value) is not type(usual):
            raise TypeError(each.name)
        chosen[each.name] = value
    return kind(**chosen)


def read_seed(text: str) -> int:
    """A seed from its digits. Raises ArtError when it is none of 0 to 2^63 - 1."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and int(digits) < 2**63):
        raise ArtError(f"Seed is {text[:24]!r}; write a whole number from 0 to {2**63 - 1}")
    return int(digits)
