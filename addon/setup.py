"""The buttons of the preferences: install, verify, repair, uninstall, start, stop, test, log."""

import atexit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from bitpuppet_client.errors import ClientError
from bitpuppet_client.replies import HealthReport
from bitpuppet_client.requests import Health

from .installation import Record, find_wheel
from .installer import Installer, Note, Plan
from .preferences import get_preferences
from .server import read_tail, stop_backend
from .state import current, describe_source, find_folder


def make_plan() -> Plan:
    """What the preferences ask to install.

    Raises:
        ValueError: it cannot be; one sentence.
    """
    preferences = get_preferences()
    if not preferences.packages and not bpy.app.online_access:
        raise ValueError(
            "Blender may not go online; allow it in Preferences > System > Network, or name a folder of packages"
        )
    wheel = find_wheel(Path(__file__).parent)
    if wheel is None:
        raise ValueError("This build of the extension has no backend in it; choose Use Existing, or another zip")
    packages = Path(bpy.path.abspath(preferences.packages)) if preferences.packages else None
    return Plan(
        find_folder(),
        wheel,
        preferences.device.lower(),
        packages,
        preferences.index_url.strip(),
        latent=bool(preferences.codec),
    )


def begin(doing: str, installer: Installer, work: Callable[[], Any], praise: Callable[[Any], str]) -> None:
    """Let an installer work in a thread, and note how it ends."""
    state = current()
    setup = state.setup
    setup.installer, setup.doing, setup.step, setup.fraction = installer, doing, "", 0.0
    setup.outcome, setup.has_failed = "", False
    setup.lines.clear()
    atexit.register(installer.cancel)  # or pip would outlive Blender

    def finish(result: Any, error: Exception | None) -> None:
        atexit.unregister(installer.cancel)
        setup.take_notes()
        setup.installer, setup.doing = None, ""
        setup.has_failed = error is not None
        setup.outcome = praise(result) if error is None else str(error) or type(error).__name__
        state.link.refresh()

    state.link.run(work, finish)


class _Idle:
    """Operators that wait until an installation has ended."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while nothing is being installed."""
        return current().setup.installer is None


class BITPUPPET_OT_install_backend(_Idle, bpy.types.Operator):
    """Install the backend into a folder of its own, with the torch that suits this machine"""

    bl_idname = "bitpuppet.install_backend"
    bl_label = "Install Backend"

    fresh: bpy.props.BoolProperty(
        name="Fresh", description="Throw away the environment that is there", options={"SKIP_SAVE", "HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; the timer tells how it goes."""
        try:
            plan = make_plan()
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        setup = current().setup
        current().link.disconnect()
        installer = Installer(plan, setup.notes.put)
        source = describe_source()

        def work() -> Record:
            _stop_quietly(source, setup.notes.put)
            return installer.install(fresh=self_fresh)

        self_fresh = self.fresh  # the operator is gone when the thread looks
        begin("Repairing" if self_fresh else "Installing", installer, work, _praise_installation)
        return {"FINISHED"}


class BITPUPPET_OT_cancel_install(bpy.types.Operator):
    """Stop what is under way; what was loaded is kept for the next try"""

    bl_idname = "bitpuppet.cancel_install"
    bl_label = "Cancel"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tell the thread."""
        installer = current().setup.installer
        if installer is None:
            return {"CANCELLED"}
        installer.cancel()
        return {"FINISHED"}


class BITPUPPET_OT_verify_backend(_Idle, bpy.types.Operator):
    """Look whether the installed backend is complete and works"""

    bl_idname = "bitpuppet.verify_backend"
    bl_label = "Verify"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin."""
        installer = Installer(Plan(find_folder(), Path()), current().setup.notes.put)
        begin("Verifying", installer, installer.verify, lambda version: f"bitpuppet {version} is complete and works")
        return {"FINISHED"}


class BITPUPPET_OT_uninstall_backend(_Idle, bpy.types.Operator):
    """Remove the backend that was installed here; pictures and models stay"""

    bl_idname = "bitpuppet.uninstall_backend"
    bl_label = "Uninstall"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin."""
        setup = current().setup
        current().link.disconnect()
        installer = Installer(Plan(find_folder(), Path()), setup.notes.put)
        source = describe_source()

        def work() -> None:
            _stop_quietly(source, setup.notes.put)
            installer.uninstall()

        begin("Uninstalling", installer, work, lambda nothing: "The backend was removed")
        return {"FINISHED"}


class BITPUPPET_OT_start_backend(_Idle, bpy.types.Operator):
    """Start the backend now; the first job does it by itself"""

    bl_idname = "bitpuppet.start_backend"
    bl_label = "Start"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Connect, which starts it."""
        try:
            current().link.connect()
        except ClientError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class BITPUPPET_OT_stop_backend(_Idle, bpy.types.Operator):
    """Stop the backend; jobs that are not done wait for its next start"""

    bl_idname = "bitpuppet.stop_backend"
    bl_label = "Stop"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let it go, and ask it to end."""
        current().link.disconnect()
        _run_and_tell(partial(stop_backend, describe_source(), finish=False))
        return {"FINISHED"}


class BITPUPPET_OT_test_backend(_Idle, bpy.types.Operator):
    """Start the backend if need be, and ask whether all is well"""

    bl_idname = "bitpuppet.test_backend"
    bl_label = "Test"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask."""
        setup, link = current().setup, current().link

        def tell(reply: Any, error: str | None) -> None:
            setup.has_failed = not isinstance(reply, HealthReport) or bool(reply.problems)
            if not isinstance(reply, HealthReport):
                setup.outcome = error or "The backend gave no answer"
            elif reply.problems:
                setup.outcome = reply.problems[0]
            else:
                names = ", ".join(model.name for model in link.models)
                setup.outcome = f"The backend is {reply.state}; models: {names}"

        setup.outcome, setup.has_failed = "", False
        try:
            link.connect()
            link.ask(Health(), tell)
        except ClientError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class BITPUPPET_OT_show_log(bpy.types.Operator):
    """Show the last lines of the backend's log, and of its installation if it never ran"""

    bl_idname = "bitpuppet.show_log"
    bl_label = "Log"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read it in a thread."""
        setup, folder = current().setup, find_folder()

        def show(lines: list[str] | None, error: Exception | None) -> None:
            setup.lines[:] = lines or ["There is no log yet"]

        current().link.run(lambda: read_tail(folder / "serve.log") or read_tail(folder / "install.log"), show)
        return {"FINISHED"}


class BITPUPPET_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of Bitpuppet"""

    bl_idname = "bitpuppet.open_preferences"
    bl_label = "Bitpuppet Preferences"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the window."""
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


def _praise_installation(record: Record) -> str:
    return f"bitpuppet {record.version} is installed, for {record.device}"


def _run_and_tell(work: Callable[[], str]) -> None:
    setup = current().setup

    def tell(outcome: str | None, error: Exception | None) -> None:
        setup.has_failed = error is not None
        setup.outcome = outcome or str(error)

    current().link.run(work, tell)


def _stop_quietly(source: Any, tell: Callable[[Note], None]) -> None:
    """Stop a backend that would hold its files; without one, or with one that does not answer, go on."""
    try:
        tell(Note(line=stop_backend(source, finish=False)))
    except ClientError as error:
        tell(Note(line=str(error)))


CLASSES = (
    BITPUPPET_OT_install_backend,
    BITPUPPET_OT_cancel_install,
    BITPUPPET_OT_verify_backend,
    BITPUPPET_OT_uninstall_backend,
    BITPUPPET_OT_start_backend,
    BITPUPPET_OT_stop_backend,
    BITPUPPET_OT_test_backend,
    BITPUPPET_OT_show_log,
    BITPUPPET_OT_open_preferences,
)
