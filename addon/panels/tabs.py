"""The panels themselves: the same ones in Image Editor and 3D View."""

import bpy

from . import film, parts, train

TAB = "Bitpuppet"
SPACES = (("IMAGE_EDITOR", "image"), ("VIEW_3D", "view"))
CLOSED = {"DEFAULT_CLOSED"}


class _Panel:
    """What all panels share; `parts` has what they show."""

    bl_region_type = "UI"
    bl_category = TAB
    draws = ()

    def draw(self, context):
        """Draw its parts."""
        for draw in self.draws:
            draw(self.layout.column(), context)


class _Source(_Panel):
    """The character that is drawn."""

    bl_label = "Source Character"

    def draw(self, context):
        """Messages first: this is the top of the tab."""
        parts.draw_messages(self.layout, context)
        parts.draw_image(self.layout, context, "source")


class _SourceSheet(_Panel):
    """How its sheet is cut."""

    bl_label = "Frames"
    bl_options = CLOSED

    @classmethod
    def poll(cls, context):
        """Whether there is an image."""
        return context.scene.bitpuppet.source.image is not None

    def draw_header_preset(self, context):
        """The switch of the grid."""
        self.layout.prop(context.scene.bitpuppet, "overlay", text="", icon="MESH_GRID")

    def draw(self, context):
        """Draw it."""
        parts.draw_sheet(self.layout, context, "source")


class _Motion(_Panel):
    """The animation that is performed."""

    bl_label = "Driving Motion"

    def draw(self, context):
        """Draw it."""
        parts.draw_image(self.layout, context, "motion")


class _MotionSheet(_Panel):
    """How its sheet is cut."""

    bl_label = "Frames"
    bl_options = CLOSED

    @classmethod
    def poll(cls, context):
        """Whether there is an image."""
        return context.scene.bitpuppet.motion.image is not None

    def draw(self, context):
        """Draw it."""
        parts.draw_sheet(self.layout, context, "motion")


class _Render(_Panel):
    """Frames of the scene."""

    bl_label = "Render Frames"
    bl_options = CLOSED
    draws = (parts.draw_render,)


class _Film(_Panel):
    """Frames of a video file."""

    bl_label = "Film"
    bl_options = CLOSED
    draws = (film.draw_film,)


class _Draw(_Panel):
    """The jobs."""

    bl_label = "Draw"
    draws = (parts.draw_actions,)


class _Settings(_Panel):
    """How results are drawn."""

    bl_label = "Settings"
    bl_options = CLOSED
    draws = (parts.draw_settings,)


class _Pixels(_Panel):
    """What is done to pixels."""

    bl_label = "Exact Pixels"
    bl_options = CLOSED
    draws = (parts.draw_pixels,)

    def draw_header(self, context):
        """The switch of it all."""
        settings = context.scene.bitpuppet.settings
        self.layout.prop(settings, settings.switches[0], text="")


class _Extend(_Panel):
    """How a motion goes on."""

    bl_label = "Extend and Loop"
    bl_options = CLOSED
    draws = (parts.draw_extend,)


class _Output(_Panel):
    """Where results go."""

    bl_label = "Output"
    bl_options = CLOSED
    draws = (parts.draw_output,)


class _Result(_Panel):
    """The selected result."""

    bl_label = "Result"
    draws = (parts.draw_result,)


class _Timeline(_Panel):
    """Motion as keyframes."""

    bl_label = "Motion on the Timeline"
    bl_options = CLOSED
    draws = (parts.draw_timeline,)


class _Batch(_Panel):
    """Many at once."""

    bl_label = "Batch"
    bl_options = CLOSED
    draws = (parts.draw_batch,)


class _Train(_Panel):
    """A model of one's own."""

    bl_label = "Train"
    bl_options = CLOSED
    draws = (train.draw_training,)


class _Models(_Panel):
    """The models that there are."""

    bl_label = "Models"
    bl_options = CLOSED
    draws = (train.draw_models,)


class _History(_Panel):
    """Queue and history."""

    bl_label = "History"
    draws = (parts.draw_history,)


_TREE = (
    (_Source, "source", ""),
    (_SourceSheet, "source_sheet", "source"),
    (_Motion, "motion", ""),
    (_MotionSheet, "motion_sheet", "motion"),
    (_Render, "render", "motion"),
    (_Film, "film", "motion"),
    (_Draw, "draw", ""),
    (_Settings, "settings", "draw"),
    (_Pixels, "pixels", "draw"),
    (_Extend, "extend", "draw"),
    (_Output, "output", "draw"),
    (_Result, "result", ""),
    (_Timeline, "timeline", ""),
    (_Batch, "batch", ""),
    (_History, "history", ""),
    (_Train, "train", ""),
    (_Models, "models", "train"),
)
"""Panel, name, and the name of the panel that it is in."""


def _make_panels():
    """A class for each panel and editor: Blender ties a class to one editor."""
    for space, short in SPACES:
        for kind, name, parent in _TREE:
            idname = f"BITPUPPET_PT_{short}_{name}"
            names = {"bl_idname": idname, "bl_space_type": space, "__doc__": kind.__doc__}
            if parent:
                names["bl_parent_id"] = f"BITPUPPET_PT_{short}_{parent}"
            yield type(idname, (kind, bpy.types.Panel), names)


CLASSES = tuple(_make_panels())
