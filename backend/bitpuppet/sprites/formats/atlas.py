"""Sheets with a JSON that says where the frames are: Aseprite's and TexturePacker's, as hash or array.

Sources: Aseprite's `--data` export; TexturePacker's "JSON (Hash)", "JSON (Array)", and its multipack forms for Phaser
(`textures`) and PixiJS (`related_multi_packs`, `animations`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_FRAMES
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.formats.values import Values, parse_json
from bitpuppet.sprites.tags import DIRECTIONS, MAX_TAGS, Slice, SliceKey, Tag

MAX_PAGES = 64
"""Most images that belong to one atlas."""
_MAX_DIGITS = 9
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,8}$")


@dataclass(frozen=True)
class Piece:
    """Where one frame is in the image, and where that part is in the frame. All in pixels."""

    name: str
    page: int
    x: int
    y: int
    width: int
    height: int
    """Of the part as it looks in the frame; a rotated one lies in the image as height x width."""
    rotated: bool
    """A quarter turn clockwise."""
    left: int
    top: int
    frame_width: int
    frame_height: int
    duration_ms: int | None


@dataclass(frozen=True)
class Page:
    """One image. `size`: what the JSON says, None where it does not."""

    image: str
    """Its file, from the JSON's folder on; empty where the JSON does not say."""
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Atlas:
    """A JSON, parsed. `related`: other JSON files of the same atlas. Tags number the pieces."""

    pages: tuple[Page, ...]
    pieces: tuple[Piece, ...]
    tags: tuple[Tag, ...] = ()
    slices: tuple[Slice, ...] = ()
    related: tuple[str, ...] = ()
    animations: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ordered: bool = False
    """Whether the pieces are in the order in which they play, as Aseprite writes them."""


def parse_atlas(data: bytes, name: str) -> Atlas:
    """Parse a JSON's bytes; `sort_pieces` then puts the frames in order.

    Raises BitpuppetError, with `name` for the file, when it is none of these formats, or beyond MAX_JSON_BYTES,
    MAX_FRAMES, MAX_TAGS or MAX_PAGES.
    """
    root = Values(parse_json(data, name), name, "")
    meta = root.object("meta", {})
    textures = root.list("textures")
    if textures:
        parts = [Values(texture, name, f"textures[{number}]") for number, texture in enumerate(textures)]
        if len(parts) > MAX_PAGES:
            raise _refuse_pages(name, len(parts))
    elif root.has("frames"):
        parts = [root]
    else:
        raise BitpuppetError(
            f"{name} has neither frames nor textures; export the sheet's JSON from Aseprite or TexturePacker"
        )
    pages: list[Page] = []
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        head = part if textures else meta
        pages.append(Page(head.text("image", ""), head.size("size") if head.has("size") else None))
        pieces += _read_pieces(part, number, MAX_FRAMES - len(pieces))
    if not pieces:
        raise BitpuppetError(f"{name} names no frames; export the sheet again")
    tags = _read_tags(meta, len(pieces))
    app = meta.text("app", "").lower()
    ordered = "aseprite" in app or "libresprite" in app or any(piece.duration_ms for piece in pieces) or bool(tags)
    related = tuple(str(one) for one in meta.list("related_multi_packs"))
    if len(related) >= MAX_PAGES:
        raise _refuse_pages(name, len(related))
    animations = () if ordered else _read_animations(root)
    return Atlas(tuple(pages), tuple(pieces), tags, _read_slices(meta), related, animations, ordered)


def join_atlases(atlases: Sequence[Atlas], name: str) -> Atlas:
    """The parts of a multipack as one atlas. Raises BitpuppetError beyond MAX_FRAMES or MAX_PAGES."""
    first, *others = atlases
    pages, pieces = list(first.pages), list(first.pieces)
    for other in others:
        pieces += [replace(piece, page=piece.page + len(pages)) for piece in other.pieces]
        pages += other.pages
    if len(pages) > MAX_PAGES:
        raise _refuse_pages(name, len(pages))
    if len(pieces) > MAX_FRAMES:
        raise _refuse_frames(name, len(pieces))
    animations = tuple({one: None for atlas in atlases for one in atlas.animations})
    return replace(first, pages=tuple(pages), pieces=tuple(pieces), animations=animations)


def sort_pieces(atlas: Atlas, name: str) -> Atlas:
    """The atlas with its pieces in the order in which they play, and a tag for each animation.

    Packers write frames as they fit. Where they name animations, those are the tags; else frames whose names differ
    in their number alone are one animation, in the order of the numbers. Raises BitpuppetError beyond MAX_FRAMES.
    """
    if atlas.ordered:
        return atlas
    known = {piece.name: piece for piece in atlas.pieces}
    runs: dict[str, list[Piece]] = {}
    for title, members in atlas.animations:
        found = [known[member] for member in members if member in known]
        if found:
            runs.setdefault(title, []).extend(found)
    used = {piece.name for run in runs.values() for piece in run}
    numbered: dict[str, list[tuple[int, int, Piece]]] = {}
    for place, piece in enumerate(atlas.pieces):
        if piece.name not in used:
            title, number = split_number(piece.name)
            numbered.setdefault(title, []).append((number, place, piece))
    for title, entries in numbered.items():
        runs.setdefault(title, []).extend(entry[2] for entry in sorted(entries, key=lambda entry: entry[:2]))
    pieces: list[Piece] = []
    tags = []
    for title, run in runs.items():
        if len(pieces) + len(run) > MAX_FRAMES:
            raise _refuse_frames(name, len(pieces) + len(run))
        if title:
            tags.append(Tag(title, len(pieces), len(pieces) + len(run) - 1))
        pieces += run
    return replace(atlas, pieces=tuple(pieces), tags=tuple(tags), ordered=True)


def split_number(name: str) -> tuple[str, int]:
    """The name of an animation and the number in it: "hero/walk_03.png" is ("hero/walk", 3); 0 where there is none."""
    whole = _SUFFIX.sub("", name)
    stem = whole.removesuffix(")").rstrip("0123456789")
    digits = whole[len(stem) :].removesuffix(")")[-_MAX_DIGITS:]
    return (stem.rstrip(" _.-("), int(digits)) if digits else (whole, 0)


def _read_pieces(part: Values, page: int, limit: int) -> list[Piece]:
    frames = part.get("frames")
    where = ".".join(text for text in (part.where, "frames") if text)
    entries: list[tuple[str, Any]]
    if isinstance(frames, dict):
        entries = list(frames.items())
    elif isinstance(frames, list):
        entries = [("", frame) for frame in frames]
    else:
        raise part.refuse(f"is {quote(frames)}, neither an object nor a list", "frames")
    if len(entries) > limit:
        raise _refuse_frames(part.name, MAX_FRAMES - limit + len(entries))
    pieces = []
    for number, (key, value) in enumerate(entries):
        frame = Values(value, part.name, f"{where}[{quote(key) if key else number}]")
        pieces.append(_read_piece(frame, key or frame.text("filename", str(number)), page))
    return pieces


def _read_piece(frame: Values, title: str, page: int) -> Piece:
    if frame.has("vertices") or frame.has("triangles"):
        raise frame.refuse("is cut as a polygon, where neighbours show; choose the packer's trim mode Trim")
    x, y, width, height = frame.rectangle("frame")
    if frame.has("spriteSourceSize"):
        left, top, inner_width, inner_height = frame.rectangle("spriteSourceSize")
    else:
        left, top, inner_width, inner_height = 0, 0, width, height
    rotated = frame.flag("rotated")
    # Aseprite counts its inner padding into the rectangle in the sheet.
    padding, odd = divmod(width - inner_width, 2)
    if (width - inner_width, height - inner_height) != (2 * padding, 2 * padding) or odd or padding < 0:
        raise frame.refuse(f"is {width}x{height} in the sheet and {inner_width}x{inner_height} in the frame")
    if frame.has("sourceSize"):
        frame_width, frame_height = frame.size("sourceSize")
    else:
        frame_width, frame_height = left + inner_width, top + inner_height
    if left + inner_width > frame_width or top + inner_height > frame_height:
        raise frame.refuse(f"reaches beyond its own size of {frame_width}x{frame_height}")
    duration = max(1, frame.number("duration")) if frame.has("duration") else None
    x, y = x + padding, y + padding
    return Piece(title, page, x, y, inner_width, inner_height, rotated, left, top, frame_width, frame_height, duration)


def _read_tags(meta: Values, frames: int) -> tuple[Tag, ...]:
    entries = meta.list("frameTags")
    if len(entries) > MAX_TAGS:
        raise BitpuppetError(f"{meta.name} has {len(entries)} tags, the limit is {MAX_TAGS}; delete some")
    tags = []
    for number, entry in enumerate(entries):
        tag = Values(entry, meta.name, f"meta.frameTags[{number}]")
        first, last = tag.number("from"), tag.number("to")
        direction = tag.text("direction", "forward")
        if not first <= last < frames or direction not in DIRECTIONS:
            raise tag.refuse(f"is of frames {first} to {last}, {quote(direction)}, and there are {frames} frames")
        tags.append(Tag(tag.text("name", ""), first, last, direction, tag.number("repeat", default=0)))
    return tuple(tags)


def _read_slices(meta: Values) -> tuple[Slice, ...]:
    entries = meta.list("slices")
    keys_left = 16 * MAX_TAGS
    slices = []
    for number, entry in enumerate(entries):
        one = Values(entry, meta.name, f"meta.slices[{number}]")
        keys = one.list("keys")
        keys_left -= len(keys)
        if number >= MAX_TAGS or keys_left < 0:
            raise BitpuppetError(f"{meta.name} has too many slices, the limit is {MAX_TAGS}; delete some")
        read = [_read_key(Values(key, meta.name, f"{one.where}.keys[{place}]")) for place, key in enumerate(keys)]
        slices.append(Slice(one.text("name", ""), tuple(sorted(read, key=lambda key: key.frame))))
    return tuple(slices)


def _read_key(key: Values) -> SliceKey:
    anywhere = -1_000_000
    pivot = key.object("pivot") if key.has("pivot") else None
    return SliceKey(
        key.number("frame", default=0),
        key.rectangle("bounds", anywhere),
        key.rectangle("center", anywhere) if key.has("center") else None,
        (pivot.number("x", anywhere), pivot.number("y", anywhere)) if pivot is not None else None,
    )


def _read_animations(root: Values) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not root.has("animations"):
        return ()
    animations = root.object("animations")
    read = []
    total = 0
    for title, _ in animations.items():
        members = tuple(str(member) for member in animations.list(title))
        total += len(members)
        if total > MAX_FRAMES:
            raise _refuse_frames(root.name, total)
        read.append((title, members))
    return tuple(read)


def _refuse_frames(name: str, count: int) -> BitpuppetError:
    return BitpuppetError(f"{name} has {count} frames, the limit is {MAX_FRAMES}; split the sheet")


def _refuse_pages(name: str, count: int) -> BitpuppetError:
    return BitpuppetError(f"{name} has {count} images, the limit is {MAX_PAGES}; split the atlas")
