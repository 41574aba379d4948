"""Sentences in panels: labels do not wrap by themselves."""

from __future__ import annotations

import bpy

from ..core.texts import wrap_text

_LETTER_PIXELS = 7.5
"""Width of a letter of Blender's font at scale 1: of capitals, about; sentences need less."""
_MARGIN_PIXELS = 60.0
"""What is beside a sentence in a sidebar, at scale 1: tabs, margins and the icon."""


def draw_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", beside: float = 0.0
) -> None:
    """A sentence, wrapped to the region's width less what else is `beside` it, in pixels at scale 1."""
    scale = context.preferences.system.ui_scale or 1.0
    width = max(18, int((context.region.width - (_MARGIN_PIXELS + beside) * scale) / (_LETTER_PIXELS * scale)))
    column = layout.column(align=True)
    column.scale_y = 0.75
    for number, one in enumerate(wrap_text(text, width)):
        column.label(text=one, icon=icon if number == 0 else ("BLANK1" if icon != "NONE" else "NONE"))
