"""What a character set holds, and what in it would hinder training: counted and put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.character_set import CharacterReading, SetReading
from bitpuppet.data.set_reading import AnimationReading
from bitpuppet.sprites import clear_hidden, find_content_box, find_pixel_scale
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.palette import MAX_COLOURS, pack_colours

CANVAS, LARGE_CANVAS = 64, 128
"""Pixels; the art that the sprite presets hold."""
_MAX_HOLD_MS = 5000
"""A frame that stays longer is more likely a wrong number than a pose that is held."""
_MAX_SOFT = 0.02
"""Part of the visible pixels that may be half-transparent in art with hard edges: a shadow, a glow."""
_MAX_NAMED = 5
"""Names that a finding lists."""
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something to know about a set. An error keeps it from training, a warning makes it train badly."""

    level: Level
    where: str
    """The set, a character, or a character and its animation with a slash between them."""
    text: str


@dataclass(frozen=True)
class AnimationCheck:
    """What was counted in an animation. Sizes in pixels, width first."""

    name: str
    sheet: str
    frames: int
    size: tuple[int, int]
    art: tuple[int, int]
    """The box around all visible pixels."""
    scale: int
    """Art at so many times its size: it is reduced for the model."""
    distinct: int
    """Frames that differ from all frames before them."""
    empty: int
    colours: int
    soft: float
    """Part of the visible pixels that are half-transparent, 0 to 1."""
    milliseconds: int
    background: str | None


@dataclass(frozen=True)
class CharacterCheck:
    """A character's animations, and its colours in all of them."""

    name: str
    colours: int
    animations: tuple[AnimationCheck, ...]


@dataclass(frozen=True)
class SetCheck:
    """All that was found of a set."""

    name: str
    characters: tuple[CharacterCheck, ...]
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether no finding is an error: it can be read, and one animation can drive another of the same character."""
        return not any(finding.level == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"usable": self.usable} | asdict(self)


def check_set(reading: SetReading) -> SetCheck:
    """Count everything and tell what is wrong: the set first, then each character."""
    characters = tuple(_check_character(one) for one in reading.characters)
    findings = [*_judge_set(reading, characters)]
    for read, checked in zip(reading.characters, characters, strict=True):
        findings += _judge_character(read, checked)
    findings += _find_copies(reading)
    order = {"error": 0, "warning": 1, "note": 2}
    return SetCheck(reading.name, characters, tuple(sorted(findings, key=lambda finding: order[finding.level])))


def _check_character(character: CharacterReading) -> CharacterCheck:
    shown = [_list_colours(one.frames) for one in character.animations]
    colours = len(np.unique(np.concatenate(shown))) if shown else 0
    return CharacterCheck(
        character.name,
        colours,
        tuple(_check_animation(one, len(own)) for one, own in zip(character.animations, shown, strict=True)),
    )


def _check_animation(one: AnimationReading, colours: int) -> AnimationCheck:
    count, height, width, _ = one.frames.shape
    box = find_content_box(one.frames)
    alpha = one.frames[..., 3]
    visible = int(np.count_nonzero(alpha))
    soft = int(np.count_nonzero((alpha > 0) & (alpha < 255)))
    return AnimationCheck(
        name=one.name,
        sheet=one.sheet.name,
        frames=count,
        size=(width, height),
        art=(box.width, box.height) if box else (0, 0),
        scale=find_pixel_scale(one.frames),
        distinct=len({frame.tobytes() for frame in one.frames}),
        empty=one.empty,
        colours=colours,
        soft=round(soft / max(visible, 1), 4),
        milliseconds=sum(one.durations_ms),
        background=one.background,
    )


def _list_colours(frames: NDArray[np.uint8]) -> NDArray[np.uint32]:
    return np.unique(pack_colours(frames[frames[..., 3] > 0][:, :3]))


def _judge_set(reading: SetReading, characters: tuple[CharacterCheck, ...]) -> Iterator[Finding]:
    """What is missing for cross-driving: content from one animation, motion from another one, of one character."""
    drawn = [one for one in characters if one.animations]
    if not any(len(one.animations) > 1 for one in drawn):
        yield Finding(
            "error",
            reading.name,
            "no character has two animations, and training drives one animation of a character by another; add more "
            "sheets, or name the rows of those there are",
        )
    if len(drawn) == 1:
        yield Finding(
            "warning",
            reading.name,
            "there is one character only: a model learns how it looks, not how its motions look on others; add a "
            "second one of the same style if there is one",
        )
    holders = Counter(animation.name for one in drawn for animation in one.animations)
    if len(drawn) > 1 and max(holders.values(), default=0) < 2:
        yield Finding(
            "warning",
            reading.name,
            "no two characters have an animation of the same name, so results cannot be compared with true ones; give "
            "the sheets of equal motions equal names",
        )
    sizes = {animation.size for one in drawn for animation in one.animations}
    if len(sizes) > 1:
        yield Finding("note", reading.name, f"frames are of {len(sizes)} sizes: {_name_sizes(sizes)}")


def _judge_character(read: CharacterReading, checked: CharacterCheck) -> Iterator[Finding]:
    name = read.name
    for error in read.errors:
        yield Finding("error", name, error)
    if len(checked.animations) == 1:
        only = checked.animations[0]
        yield Finding(
            "warning",
            name,
            f"has one animation only, {quote(only.name)}: it can show its looks in training, but nothing can drive it; "
            "add another one",
        )
    sizes = {one.size for one in checked.animations}
    if len(sizes) > 1:
        yield Finding(
            "note",
            name,
            f"frames are of {len(sizes)} sizes ({_name_sizes(sizes)}); all will stand on the middle of the lower edge "
            "of the largest",
        )
    scales = {one.scale for one in checked.animations}
    if len(scales) > 1:
        listed = ", ".join(map(str, sorted(scales)))
        yield Finding("note", name, f"animations seem to be enlarged {listed} times; export all of them alike")
    if checked.colours > MAX_COLOURS:
        yield Finding(
            "warning",
            name,
            f"has {checked.colours} colours; the model draws with {MAX_COLOURS} at most, so the rarest will be "
            "replaced by others",
        )
    yield from _judge_frames(checked)
    for one, its in zip(read.animations, checked.animations, strict=True):
        yield from _judge_animation(f"{name}/{one.name}", one, its)


def _judge_animation(where: str, read: AnimationReading, its: AnimationCheck) -> Iterator[Finding]:
    if its.background is not None:
        yield Finding(
            "warning",
            where,
            f"has an opaque background of the colour {its.background}; if it is none of the art's, write "
            f'key = "{its.background}" into set.toml, or give --key {its.background}',
        )
    elif its.soft > _MAX_SOFT:
        yield Finding(
            "note",
            where,
            f"{its.soft:.0%} of its pixels are half-transparent; results have hard edges unless you say otherwise",
        )
    if its.empty:
        cells = "1 empty cell lies" if its.empty == 1 else f"{its.empty} empty cells lie"
        yield Finding("warning", where, f"{cells} among the drawn ones and will be left out; name the right cells")
    if max(read.durations_ms) > _MAX_HOLD_MS:
        yield Finding("note", where, f"a frame stays for {max(read.durations_ms) / 1000:g} s; check its duration")


def _judge_frames(checked: CharacterCheck) -> Iterator[Finding]:
    """What many animations of a character have in common: one finding for all of them."""
    # Of a frame with a background all is art: its size would be told in vain.
    large = [one for one in checked.animations if one.background is None and max(one.art) > CANVAS * one.scale]
    if large:
        largest = max(large, key=lambda one: max(one.art) / one.scale)
        side = LARGE_CANVAS * largest.scale
        what = f"has art of up to {largest.art[0]}x{largest.art[1]} pixels in {_name_all(large)}"
        if max(largest.art) > side:
            too_much = f"{what}, the largest canvas holds {side}x{side}; leave these out, or draw them smaller"
            yield Finding("warning", checked.name, too_much)
        else:
            slower = f"{what}, so the set is trained on a canvas of {side}x{side}, where a step takes longer"
            yield Finding("note", checked.name, slower)
    if poses := [one for one in checked.animations if one.distinct == 1]:
        yield Finding("note", checked.name, f"a pose, but no motion: {_name_all(poses)}")
    if repeated := [one for one in checked.animations if 1 < one.distinct < one.frames]:
        yield Finding("note", checked.name, f"some frames are there twice or more: {_name_all(repeated)}")


def _find_copies(reading: SetReading) -> Iterator[Finding]:
    """Animations with the same frames, in one character or in two."""
    seen: dict[bytes, list[str]] = {}
    for character in reading.characters:
        for one in character.animations:
            digest = sha256(repr(one.frames.shape).encode() + clear_hidden(one.frames).tobytes()).digest()
            seen.setdefault(digest, []).append(f"{character.name}/{one.name}")
    for names in seen.values():
        if len(names) > 1:
            more = ", ..." if len(names) > _MAX_NAMED else ""
            yield Finding(
                "note", names[0], f"has the same frames as {', '.join(names[1 : _MAX_NAMED + 1])}{more}; keep one"
            )


def _name_all(animations: list[AnimationCheck]) -> str:
    named = [one.name for one in animations[:_MAX_NAMED]]
    return ", ".join(named) + (", ..." if len(animations) > _MAX_NAMED else "")


def _name_sizes(sizes: set[tuple[int, int]]) -> str:
    named = [f"{width}x{height}" for width, height in sorted(sizes)]
    return ", ".join(named[:_MAX_NAMED]) + (", ..." if len(named) > _MAX_NAMED else "")
