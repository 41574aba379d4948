"""Frames of the scene as source or motion."""

import bpy
from bpy.props import EnumProperty

from .. import rendering
from .base import INNER, PLAIN, Guarded
from .jobs import SHEETS


class RenderFrames(Guarded, bpy.types.Operator):
    """Render the scene's frame range with a transparent background, and use the frames"""

    bl_idname = "bitpuppet.render_frames"
    bl_label = "Render Frames"
    bl_options = PLAIN

    sheet: EnumProperty(items=SHEETS, default="motion")

    @classmethod
    def poll(cls, context):
        """Whether nothing is rendered at the moment."""
        return rendering.get_run() is None

    def act(self, context):
        """Begin; a timer goes on."""
        rendering.begin(context, self.sheet)


class CancelRender(bpy.types.Operator):
    """Stop after the frame that is being rendered"""

    bl_idname = "bitpuppet.cancel_render"
    bl_label = "Cancel Rendering"
    bl_options = INNER

    def execute(self, context):
        """Ask for it."""
        run = rendering.get_run()
        if run is not None:
            run.cancelled = True
        return {"FINISHED"}


CLASSES = (RenderFrames, CancelRender)
