"""Aseprite files and sheets with a JSON, from their paths to clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import DEFAULT_DURATION_MS, Clip, clear_hidden
from bitpuppet.sprites.formats.atlas import Atlas, Page, Piece, join_atlases, parse_atlas, sort_pieces
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.formats.compositing import read_aseprite
from bitpuppet.sprites.formats.tagging import find_tag, list_names
from bitpuppet.sprites.formats.values import MAX_JSON_BYTES
from bitpuppet.sprites.images import check_pixels, read_bytes, read_picture

ASEPRITE_SUFFIXES = (".aseprite", ".ase")
ATLAS_SUFFIX = ".json"
MAX_ASEPRITE_BYTES = 128 << 20
_MAX_SIZES = 4
"""Frame sizes that a message lists."""
Image = NDArray[np.uint8]


def read_aseprite_file(path: Path) -> Clip:
    """All frames of an Aseprite file. Raises BitpuppetError as `read_aseprite`, or when it cannot be read."""
    return read_aseprite(read_bytes(path, MAX_ASEPRITE_BYTES), str(path))


def read_atlas_file(path: Path, tag: str | None = None) -> Clip:
    """The frames of a sheet by its JSON, or those of one tag.

    The sheet's image is the one that the JSON names, in the JSON's folder or below; else the PNG of the JSON's name.
    Raises BitpuppetError when a file cannot be read or used, or frames are of several sizes.
    """
    atlas = parse_atlas(read_bytes(path, MAX_JSON_BYTES), str(path))
    if atlas.related:
        others = []
        for name in dict.fromkeys(atlas.related):
            other = _find_beside(path, name)
            if other.name != path.name:
                others.append(parse_atlas(read_bytes(other, MAX_JSON_BYTES), str(other)))
        atlas = join_atlases([atlas, *others], str(path))

    def load(page: Page) -> Image:
        file = _find_beside(path, page.image) if page.image else path.with_suffix(".png")
        image: Image = read_picture(file).frames[0]
        size = image.shape[1], image.shape[0]
        if page.size is not None and page.size != size:
            raise BitpuppetError(
                f"{file} is {size[0]}x{size[1]}, {path.name} was written for {page.size[0]}x{page.size[1]}; export "
                "both again"
            )
        return image

    return cut_pieces(sort_pieces(atlas, str(path)), load, str(path), tag)


def cut_pieces(atlas: Atlas, load: Callable[[Page], Image], name: str, tag: str | None = None) -> Clip:
    """The frames of an atlas, or those of one tag, from its images.

    `load` gives a page's pixels, RGBA (H, W, 4); it is called once for each page that is needed. Raises BitpuppetError
    when there is no such tag, frames are of several sizes, without pixels, beyond a limit, or outside their image.
    RGB under alpha 0 is cleared, as in Aseprite files.
    """
    first, last = 0, len(atlas.pieces) - 1
    if tag is not None:
        found = find_tag(atlas.tags, tag, name)
        first, last = found.first, found.last
    pieces = atlas.pieces[first : last + 1]
    width, height = _find_size(pieces, atlas, name)
    check_pixels(Path(name), width, height, len(pieces))
    frames = np.zeros((len(pieces), height, width, 4), dtype=np.uint8)
    for number in sorted({piece.page for piece in pieces}):
        image = load(atlas.pages[number])
        for frame, piece in zip(frames, pieces, strict=True):
            if piece.page == number:
                frame[piece.top : piece.top + piece.height, piece.left : piece.left + piece.width] = _cut(
                    image, piece, name
                )
    count = len(pieces)
    return Clip(
        clear_hidden(frames),
        tuple(piece.duration_ms or DEFAULT_DURATION_MS for piece in pieces),
        name=Path(name).stem,
        tags=tuple(one for old in atlas.tags if (one := old.shift(first, count)) is not None),
        slices=tuple(moved for old in atlas.slices if (moved := old.shift(first, count)) is not None),
    )


def _find_size(pieces: tuple[Piece, ...], atlas: Atlas, name: str) -> tuple[int, int]:
    sizes = list(dict.fromkeys((piece.frame_width, piece.frame_height) for piece in pieces))
    if len(sizes) > 1:
        named = ", ".join(f"{width}x{height}" for width, height in sizes[:_MAX_SIZES])
        more = ", ..." if len(sizes) > _MAX_SIZES else ""
        remedy = f"name one of its tags, which are {list_names(atlas.tags)}" if atlas.tags else "export them apart"
        raise BitpuppetError(f"{name} has frames of {named}{more}, a clip has one size; {remedy}")
    if 0 in sizes[0]:
        raise BitpuppetError(f"{name} has frames of {sizes[0][0]}x{sizes[0][1]} pixels; export the sheet again")
    return sizes[0]


def _cut(image: Image, piece: Piece, name: str) -> Image:
    """The part of the image that a piece is, turned upright: (height, width, 4)."""
    wide, high = (piece.height, piece.width) if piece.rotated else (piece.width, piece.height)
    if piece.x + wide > image.shape[1] or piece.y + high > image.shape[0]:
        raise BitpuppetError(
            f"{name}: the frame {quote(piece.name)} reaches beyond its image of {image.shape[1]}x{image.shape[0]}; "
            "export both again"
        )
    part = image[piece.y : piece.y + high, piece.x : piece.x + wide]
    return np.rot90(part) if piece.rotated else part


def _find_beside(path: Path, name: str) -> Path:
    """A file that a JSON names. Ways out of the JSON's folder lead to files of other machines: only the name counts."""
    parts = PureWindowsPath(name).parts if "\\" in name else PurePosixPath(name).parts
    outside = ".." in parts or PureWindowsPath(name).drive or (parts and parts[0] in ("/", "\\"))
    if not parts or parts[-1] == ".." or "\0" in name:
        raise BitpuppetError(f"{path} names the file {quote(name)}, which is none; export the sheet and its JSON again")
    return path.parent / parts[-1] if outside else path.parent.joinpath(*parts)
