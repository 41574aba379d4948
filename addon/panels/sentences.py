"""Sentences in panels: labels do not wrap by themselves."""

from __future__ import annotations

import bpy

_LETTER_PIXELS = 7.0
"""Width of a letter of Blender's font at scale 1, about."""


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence, wrapped to the region's width."""
    scale = context.preferences.system.ui_scale or 1.0
    width = max(18, int((context.region.width - 60 * scale) / (_LETTER_PIXELS * scale)))
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    column = layout.column(align=True)
    column.scale_y = 0.75
    for number, one in enumerate([*lines, line]):
        column.label(text=one, icon=icon if number == 0 else ("BLANK1" if icon != "NONE" else "NONE"))
