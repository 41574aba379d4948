"""What Blender is told when the extension is enabled, and takes back when it is disabled."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType

import bpy

from . import state

MODULES: tuple[str, ...] = (
    "preferences",
    "setup",
    "properties",
    "operators.jobs",
    "operators.history",
    "operators.batch",
    "operators.palettes",
    "operators.export",
    "operators.scene",
    "operators.render",
    "operators.films",
    "operators.train",
    "panels.lists",
    "panels.tabs",
    "overlay",
    "handlers",
)
"""Modules with `CLASSES`, `register` and `unregister`, as far as they have them, in the order of registration."""


def register() -> None:
    """Make the state and register all modules; a failure takes back what was registered before it."""
    with ExitStack() as undo:
        state.start()
        undo.callback(state.stop)
        for name in MODULES:
            module = importlib.import_module(f".{name}", __package__)
            for cls in getattr(module, "CLASSES", ()):
                bpy.utils.register_class(cls)
                undo.callback(bpy.utils.unregister_class, cls)
            _find(module, "register")()
            undo.callback(_find(module, "unregister"))
        state.begin()
        undo.pop_all()


def unregister() -> None:
    """Take everything back, last in first out; what fails does not keep the rest from going."""
    with ExitStack() as undo:
        undo.callback(state.stop)
        for name in MODULES:
            module = importlib.import_module(f".{name}", __package__)
            for cls in getattr(module, "CLASSES", ()):
                undo.callback(bpy.utils.unregister_class, cls)
            undo.callback(_find(module, "unregister"))


def _find(module: ModuleType, name: str) -> Callable[[], None]:
    function: Callable[[], None] = getattr(module, name, lambda: None)
    return function
