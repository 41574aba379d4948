"""Contact sheets: clips under one another, with labels, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bitpuppet.sprites.clip import check_frames
from bitpuppet.sprites.scale import enlarge_frames

_CHECKER = ((72, 72, 80), (88, 88, 98))
_CHECKER_SIDE = 8
_TEXT = (235, 235, 240)
_PANEL = (40, 40, 46)
_GAP = 8


def draw_contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], scale: int = 4) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3) with one line per (label, frames (T, H, W, 4)): the label, and below it the frames.

    Frames are enlarged `scale` (>= 1) times by nearest neighbour and lie on a checker background that both dark and
    light art stands out from. Raises ValueError without rows.
    """
    if not rows or scale < 1:
        raise ValueError(f"a contact sheet needs rows and a scale of 1 or more, not {len(rows)} rows and {scale}")
    font = ImageFont.load_default()
    pictures = [_lay_frames(frames, scale) for _, frames in rows]
    boxes = [font.getbbox(label) for label, _ in rows]
    line = max(int(np.ceil(bottom)) for _, _, _, bottom in [*boxes, font.getbbox("Ag")])
    width = 2 * _GAP + max(*(picture.width for picture in pictures), *(int(np.ceil(box[2])) for box in boxes))
    height = _GAP + sum(line + _GAP // 2 + picture.height + _GAP for picture in pictures)
    sheet = Image.new("RGB", (width, height), _PANEL)
    draw = ImageDraw.Draw(sheet)
    y = _GAP
    for (label, _), picture in zip(rows, pictures, strict=True):
        draw.text((_GAP, y), label, font=font, fill=_TEXT)
        y += line + _GAP // 2
        sheet.paste(picture, (_GAP, y))
        y += picture.height + _GAP
    return np.array(sheet)


def _lay_frames(frames: NDArray[np.uint8], scale: int) -> Image.Image:
    """Frames side by side on the checker, with a dark line of `scale` pixels between them."""
    check_frames(frames)
    large = enlarge_frames(frames, scale)
    count, height, width, _ = large.shape
    strip = Image.new("RGB", (count * (width + scale) - scale, height), _PANEL)
    checker = _draw_checker(width, height)
    for index, frame in enumerate(large):
        cell = checker.copy()
        image = Image.fromarray(frame)
        cell.paste(image, (0, 0), image)
        strip.paste(cell, (index * (width + scale), 0))
    return strip


def _draw_checker(width: int, height: int) -> Image.Image:
    y, x = np.ogrid[:height, :width]
    odd = (x // _CHECKER_SIDE + y // _CHECKER_SIDE) % 2
    return Image.fromarray(np.array(_CHECKER, dtype=np.uint8)[odd])
