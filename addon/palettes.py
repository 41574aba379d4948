"""Blender's palettes as the colours of a job."""

from __future__ import annotations

import bpy
import numpy as np

from .core.palettes import Colours, check_colours, to_bytes, to_levels


def read_palette(palette: bpy.types.Palette) -> Colours:
    """The colours (P, 3) of a palette, each once. Raises ArtError unless they are 1 to 256."""
    levels = np.empty(3 * len(palette.colors), dtype=np.float32)
    palette.colors.foreach_get("color", levels)
    return check_colours(to_bytes(levels.reshape(-1, 3), _is_linear()), palette.name)


def store_palette(name: str, colours: Colours) -> bpy.types.Palette:
    """A new palette of colours (P, 3)."""
    palette = bpy.data.palettes.new(name)
    for level in to_levels(colours, _is_linear()):
        palette.colors.new().color = level
    return palette


def find_palette(name: str, colours: Colours) -> bpy.types.Palette:
    """The palette of that name if it has these colours, or else a new one that has."""
    palette = bpy.data.palettes.get(name)
    if palette is not None and len(palette.colors) and np.array_equal(read_palette(palette), colours):
        return palette
    return store_palette(name, colours)


def _is_linear() -> bool:
    """Whether this Blender keeps the colours of palettes linear, as from 5.0 on."""
    return bool(bpy.types.PaletteColor.bl_rna.properties["color"].subtype == "COLOR")
