"""The one object that lives as long as the extension is enabled, and the timer that keeps it going."""

from __future__ import annotations

import queue
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .installation import find_wheel, is_current, read_record
from .installer import Installer, Note
from .link import Link
from .server import Source, find_python, make_command

BUSY_SECONDS = 0.05
CALM_SECONDS = 0.25
FAILED_SECONDS = 2.0
AREAS = ("IMAGE_EDITOR", "VIEW_3D", "PREFERENCES")
_LINES = 200


@dataclass(frozen=True)
class Status:
    """How things are, for panels."""

    state: str
    """One of `link.STATES`, or `installing`."""
    message: str
    """One sentence."""
    operator: str = ""
    """`bl_idname` of the operator that helps; empty where none does."""
    label: str = ""
    """Text of its button."""
    can_run: bool = True
    """Whether a job is worth trying."""


@dataclass
class Setup:
    """What the preferences show of an installation, a test or a stop that is under way."""

    installer: Installer | None = None
    """The one at work; None when nothing is under way."""
    doing: str = ""
    """What is under way, such as `Installing`; empty for nothing."""
    notes: queue.SimpleQueue[Note] = field(default_factory=queue.SimpleQueue)
    step: str = ""
    fraction: float = 0.0
    """0 to 1 of the whole."""
    lines: list[str] = field(default_factory=list)
    """The newest lines of the log."""
    outcome: str = ""
    """How the last one ended: one sentence."""
    has_failed: bool = False

    def take_notes(self) -> bool:
        """Take in what the thread told; whether it told anything."""
        happened = False
        while not self.notes.empty():
            note = self.notes.get()
            happened = True
            self.step, self.fraction = note.step or self.step, note.fraction
            if note.line:
                self.lines.append(note.line)
        del self.lines[:-_LINES]
        return happened


class State:
    """All that the extension keeps in memory."""

    def __init__(self) -> None:
        """Nothing is started or looked up yet: preferences are not registered at this moment."""
        self.link = Link(describe_source, read_rest_seconds)
        self.setup = Setup()
        self.extras: dict[str, Any] = {}
        """What other modules keep, by their names."""
        self.stops: list[Callable[[], None]] = []
        """What ends programs that run in threads of `link.run`."""
        self.timer: Callable[[], float] | None = None

    def status(self) -> Status:
        """How things are. Reads no files, so it may be called while drawing."""
        link, setup = self.link, self.setup
        if setup.installer is not None:
            return Status("installing", setup.step or setup.doing, "bitpuppet.open_preferences", "Show", False)
        state, message = link.state, link.message
        if state == "not installed":
            return Status(state, message, "bitpuppet.open_preferences", "Set Up", False)
        if state == "wrong version":
            return Status(state, message, "bitpuppet.open_preferences", "Set Up", False)
        if state == "lost":
            label = "Start Backend" if link.can_start else "Try Again"
            return Status(state, message, "bitpuppet.start_backend", label)
        return Status(state, message)


class _Holder:
    """Holds the state between register() and unregister()."""

    state: State | None = None


def current() -> State:
    """The state. Raises RuntimeError while the extension is not enabled."""
    if _Holder.state is None:
        raise RuntimeError("Bitpuppet is not enabled")
    return _Holder.state


def start() -> None:
    """Make the state; register() calls this first."""
    stop()
    _Holder.state = State()


def begin() -> None:
    """Begin to work, when all classes are registered."""
    state = current()
    state.link.refresh()
    state.timer = beat
    bpy.app.timers.register(beat, first_interval=CALM_SECONDS, persistent=True)


def stop() -> None:
    """Stop the timer, the threads and the connection, and drop the state; without one nothing happens."""
    state, _Holder.state = _Holder.state, None
    if state is None:
        return
    if state.timer is not None and bpy.app.timers.is_registered(state.timer):
        bpy.app.timers.unregister(state.timer)
    if state.setup.installer is not None:
        state.setup.installer.cancel()
    for end in state.stops:
        end()
    state.link.close()


def beat() -> float:
    """What the timer calls: Blender drops a timer that raises, and with it all that is under way would stand still."""
    try:
        return tick()
    except Exception:  # a bug: it is shown in the console, and the next turn may do better
        traceback.print_exc()
        return FAILED_SECONDS


def tick() -> float:
    """One turn.

    Returns:
        Seconds until the next one.
    """
    state = current()
    happened = state.link.pump()
    happened |= state.setup.take_notes()
    if happened:
        redraw()
    return BUSY_SECONDS if happened or state.link.is_busy else CALM_SECONDS


def redraw() -> None:
    """Have our areas drawn anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in AREAS:
                area.tag_redraw()


def read_rest_seconds() -> float:
    """After how long without a job the backend is let go."""
    from .preferences import get_preferences

    return 60.0 * get_preferences().idle_minutes


def find_folder() -> Path:
    """The folder of the backend that we installed, in the extension's own folder of the user; made if need be."""
    return Path(bpy.utils.extension_path_user(__package__, path="backend", create=True))


def describe_source() -> Source:
    """How the preferences say that the backend is reached."""
    from .preferences import get_preferences

    preferences = get_preferences()
    device = None if preferences.device == "AUTO" else preferences.device.lower()
    codec = Path(bpy.path.abspath(preferences.codec)) if preferences.codec else None
    try:
        folder = find_folder()
    except (OSError, ValueError) as error:
        return Source(problem=f"The extension's own folder cannot be made ({error}); look at its permissions")
    log = folder / "serve.log"
    if preferences.mode == "ENDPOINT":
        if not preferences.endpoint_file:
            return Source(problem="No endpoint file is named; choose the backend.json of a running backend")
        return Source(endpoint=Path(bpy.path.abspath(preferences.endpoint_file)))
    if preferences.mode == "PROGRAM":
        if not preferences.program:
            return Source(problem="No backend is named; choose the folder of the environment that has bitpuppet")
        try:
            python = find_python(Path(bpy.path.abspath(preferences.program)))
        except FileNotFoundError as error:
            return Source(problem=str(error))
        return Source(make_command(python, device=device, codec=codec), log=log)
    return _describe_installed(folder, log, device, codec)


def _describe_installed(folder: Path, log: Path, device: str | None, codec: Path | None) -> Source:
    record = read_record(folder)
    if record is None:
        return Source(problem="The backend is not installed yet; install it in the preferences")
    wheel = find_wheel(Path(__file__).parent)
    if wheel is not None and not is_current(record, wheel):
        problem = (
            f"The installed backend {record.version} is not the one of this extension; update it in the preferences"
        )
        return Source(problem=problem, problem_state="wrong version")
    return Source(make_command(record.find_python(folder), device=device, codec=codec), log=log)
