"""What all operators share: one sentence for what cannot be done, in the report area and in the panel."""

from __future__ import annotations

import bpy

from bitpuppet_client.errors import ClientError

from .. import results
from ..core.errors import ArtError
from ..session import notify
from ..state import current

UNDOABLE = {"REGISTER", "UNDO"}
PLAIN = {"REGISTER"}
"""For what only starts something: the result is what is undone."""
INNER = {"INTERNAL"}


class Guarded:
    """An operator that acts in `act`, which raises ArtError or ClientError where it cannot."""

    topic = ""
    """As `notify` has it."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Act; a failure is told and leaves the file as it was."""
        try:
            self.act(context)
        except (ArtError, ClientError) as error:
            tell_error(self, context.scene, error, self.topic)
            return {"CANCELLED"}
        notify(context.scene, "")
        return {"FINISHED"}

    def act(self, context: bpy.types.Context) -> None:
        """What the operator does."""
        raise NotImplementedError


def tell_error(operator: bpy.types.Operator, scene: bpy.types.Scene, error: Exception, topic: str = "") -> None:
    """Report an error, and show it in the panel with the operator that helps; `topic` is as `notify` has it."""
    notify(scene, str(error), getattr(error, "remedy", ""), topic)
    operator.report({"ERROR"}, str(error))


def find_result(context: bpy.types.Context) -> bpy.types.Image | None:
    """The result that an action is about: what the Image Editor shows, else the selected entry's."""
    shown = getattr(context.space_data, "image", None) if context.space_data is not None else None
    if results.is_result(shown):
        return shown
    item = context.scene.bitpuppet.selected
    return item.image if item is not None and results.is_result(item.image) else None


def need_result(context: bpy.types.Context) -> bpy.types.Image:
    """As `find_result`. Raises ArtError where there is none."""
    image = find_result(context)
    if image is None:
        raise ArtError("There is no result here; select a finished entry of the history")
    return image


def poll_result(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether there is a result to act on; says so in the tooltip where there is none."""
    if find_result(context) is not None:
        return True
    cls.poll_message_set("Select a finished entry of the history")
    return False


def poll_backend(cls: type[bpy.types.Operator]) -> bool:
    """Whether the backend is not being installed at this moment; the tooltip of the disabled button says so."""
    setup = current().setup
    if setup.installer is not None:
        cls.poll_message_set("Wait until the bar at the top has ended: the backend is not ready")
    return setup.installer is None
