"""What happens by itself: opening files, undo, and the small clock that turns the flipbook's pages."""

from __future__ import annotations

import time
from typing import Any

import bpy
from bpy.app.handlers import persistent

from bitpuppet_client.errors import ClientError

from . import films, icons, rendering, session
from .state import current, redraw

LOOK_SECONDS = 0.5
"""Between looks at what is not urgent."""


def register() -> None:
    """Listen."""
    for handlers, function in _list_handlers():
        handlers.append(function)
    bpy.app.timers.register(turn, first_interval=LOOK_SECONDS, persistent=True)


def unregister() -> None:
    """Stop listening, and end what is under way here."""
    if bpy.app.timers.is_registered(turn):
        bpy.app.timers.unregister(turn)
    for handlers, function in _list_handlers():
        if function in handlers:
            handlers.remove(function)
    rendering.stop()
    films.stop()
    icons.remove_icons()


def turn() -> float:
    """One turn of the clock.

    Returns:
        Seconds until the next one: those of a frame while a flipbook plays.
    """
    extras = current().extras
    if "file" not in extras:
        extras["file"] = ""  # the add-on was enabled with a file open
        session.take_up_file()
        rendering.clean_file()
    now = time.monotonic()
    if now - extras.get("looked", 0.0) >= LOOK_SECONDS:
        extras["looked"] = now
        _attach_missing()
    return _play()


def _play() -> float:
    """Have the panels drawn again when the flipbook's next page is due; drawing is what chooses the page."""
    book = current().extras.get("icons")
    scene = bpy.context.scene
    if book is None or scene is None or book.frames is None or len(book.frames) < 2 or not scene.bitpuppet.play:
        return LOOK_SECONDS
    if book.shown < 0:
        return LOOK_SECONDS
    book.shown = -1  # until a panel shows it again, nothing is drawn for it
    redraw()
    return max(1 / 30, 1 / max(book.fps, 0.1))


def _attach_missing() -> None:
    """Ask for jobs of the file that could not be asked for when it was opened."""
    state = current()
    if state.link.state != "connected":
        return
    under_way = {*state.link.jobs, *session.get_session().storing}
    for item in [item for scene in bpy.data.scenes for item in scene.bitpuppet.jobs if item.is_open]:
        if item.job not in under_way:
            try:
                state.link.attach(item.job, session.tell, previews=True)
            except ClientError:
                return  # it is told where the connection is shown


@persistent
def _before_load(*_: Any) -> None:
    rendering.stop()
    films.stop()


@persistent
def _after_load(*_: Any) -> None:
    icons.remove_icons()
    rendering.clean_file()
    current().extras["file"] = bpy.data.filepath
    session.take_up_file()


@persistent
def _after_undo(*_: Any) -> None:
    session.reconcile()


def _list_handlers() -> tuple[tuple[Any, Any], ...]:
    handlers = bpy.app.handlers
    return (
        (handlers.load_pre, _before_load),
        (handlers.load_post, _after_load),
        (handlers.undo_post, _after_undo),
        (handlers.redo_post, _after_undo),
    )
