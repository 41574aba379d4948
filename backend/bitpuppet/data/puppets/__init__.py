"""Puppets: pixel-art characters drawn by code, for demos, tests and as training data with exact swap targets."""

from __future__ import annotations

from bitpuppet.data.puppets.clips import draw_clip, draw_sheet
from bitpuppet.data.puppets.poses import ANIMATIONS, DIRECTIONS
from bitpuppet.data.puppets.recipe import (
    LARGEST,
    OUTLINES,
    PLANS,
    SMALLEST,
    Build,
    Motion,
    Outfit,
    Puppet,
    is_held_out,
    make_puppet,
)

__all__ = [
    "ANIMATIONS",
    "DIRECTIONS",
    "LARGEST",
    "OUTLINES",
    "PLANS",
    "SMALLEST",
    "Build",
    "Motion",
    "Outfit",
    "Puppet",
    "draw_clip",
    "draw_sheet",
    "is_held_out",
    "make_puppet",
]
