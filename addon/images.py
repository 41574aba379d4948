"""Image data-blocks to exact pixels and back. Blender keeps rows bottom-up and gives bytes as floats."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from .core.errors import ArtError
from .core.pixels import read_rows
from .core.png import encode_png

MAX_PIXELS = 32_000_000
"""The service's limit for all pictures of one job."""


def check_image(image: bpy.types.Image | None, what: str = "an image") -> bpy.types.Image:
    """The image itself, if its pixels can be read exactly.

    Args:
        image: a data-block.
        what: what the user is to choose where there is none.

    Raises:
        ArtError: it cannot be read exactly; the sentence says why, and what to do.
    """
    if image is None:
        raise ArtError(f"There is no image; choose {what}")
    name = f'"{image.name}"'
    if image.source == "TILED":
        raise ArtError(f"{name} is a tiled image (UDIM); use a single image")
    if image.source in {"MOVIE", "SEQUENCE"}:
        raise ArtError(f"{name} is a film; choose it as Driving Motion or Source Character, and press Read Film")
    if image.source == "VIEWER":
        raise ArtError(f"{name} holds no pixels of its own; save it as a PNG, and open that")
    width, height = image.size  # reads the file where that has not been done yet
    if not width or not height:
        if image.source == "FILE" and image.packed_file is None:
            raise ArtError(
                f"{name} has no pixels, its file is missing: {image.filepath}; find it", "file.find_missing_files"
            )
        raise ArtError(f"{name} has no pixels; choose another image")
    if width * height > MAX_PIXELS:
        raise ArtError(f"{name} has {width} x {height} pixels, at most {MAX_PIXELS // 1_000_000} million; crop it")
    if image.is_float:
        raise ArtError(f"{name} has float pixels, which are not exact colours; save it as an 8-bit PNG, and open that")
    if image.channels != 4:
        raise ArtError(f"{name} has {image.channels} channels instead of RGBA; save it as an RGBA PNG, and open that")
    if image.alpha_mode not in {"STRAIGHT", "CHANNEL_PACKED"}:
        raise ArtError(
            f"{name} has no straight alpha, which changes its colours; set Alpha to Straight", "bitpuppet.fix_alpha"
        )
    return image


def read_pixels(image: bpy.types.Image | None, what: str = "an image") -> NDArray[np.uint8]:
    """All pixels (H, W, 4), straight alpha, top row first, exactly as in the file.

    Raises:
        ArtError: as `check_image`.
    """
    image = check_image(image, what)
    width, height = image.size
    floats = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(floats)
    return read_rows(floats, width, height)


def store_picture(name: str, png: bytes, target: str = "") -> bpy.types.Image:
    """An image data-block with the pixels of a PNG file, packed, so that it comes back with the .blend.

    Args:
        name: of a new data-block.
        png: a whole file, see `encode_png`.
        target: name of the data-block to use again, so that all that shows it shows the new picture; a new one is made
            where it is gone or cannot take a picture.
    """
    image = bpy.data.images.get(target) if target else None
    if image is not None and (image.source not in {"FILE", "GENERATED"} or not image.is_editable):
        image = None
    if image is None:
        image = bpy.data.images.new(name, 1, 1, alpha=True)
    image.source = "FILE"
    image.alpha_mode = "STRAIGHT"
    image.pack(data=png, data_len=len(png))
    image.buffers_free()  # whoever shows an old picture lets go of it, and reads the new pack
    image.use_fake_user = True  # the history may be cleared without losing pictures
    return image


def store_pixels(name: str, picture: NDArray[np.uint8], target: str = "") -> bpy.types.Image:
    """As `store_picture`, from pixels (H, W, 4); codes the PNG at once, so it is for small pictures."""
    return store_picture(name, encode_png(picture), target)
