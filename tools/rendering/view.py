"""The view: how the camera sees a character, the same for all."""

FLOOR = 0.07
"""Part of the picture that is below the soles, seen a little from above."""
ELEVATION = 9.0
"""Degrees that the camera looks down."""
