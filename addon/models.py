"""What is known of the backend's models, by their names: the panel, jobs and films ask it."""

from __future__ import annotations

from bitpuppet_client.jobs import SOFT_PRESETS

from .core.errors import ArtError
from .training import list_models


def is_soft(name: str) -> bool:
    """Whether a model draws soft edges and shades, which a palette lock or hard alpha would take away.

    Before the backend has told of its models, the name says it: shipped weights are called like their preset.
    """
    presets = {model.name: model.preset for model in list_models()}
    return presets.get(name, name) in SOFT_PRESETS


def find_canvas(name: str) -> int:
    """Side in pixels of what a model draws.

    Raises:
        ArtError: the backend has no such model.
    """
    sides = {model.name: model.canvas for model in list_models()}
    if name not in sides:
        raise ArtError(f'The backend has no preset "{name}", so its frame size is not known; choose another preset')
    return sides[name]
