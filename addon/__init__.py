"""The Blender side of Bitpuppet: panels and operators, and the way to the backend, which runs in a process of its own.

Nothing is imported before Blender registers the extension, so that modules without `bpy` can be used without Blender.
"""

from __future__ import annotations


def register() -> None:
    """Blender enables the extension."""
    from . import registry

    registry.register()


def unregister() -> None:
    """Blender disables the extension, or is about to remove it."""
    from . import registry

    registry.unregister()
