"""Retarget, Extend, Close Loop, Cancel, and the small buttons around them."""

import bpy
from bpy.props import EnumProperty, StringProperty

from ..core.errors import ArtError
from ..core.sheets import guess_size
from ..images import read_pixels
from ..session import cancel, find_entries, notify
from ..starting import draw_seed, start_job
from ..state import current
from .base import INNER, PLAIN, UNDOABLE, Guarded, poll_backend

SHEETS = (("source", "Source", "The source character"), ("motion", "Motion", "The driving motion"))


class Retarget(Guarded, bpy.types.Operator):
    """Draw the source character performing the driving motion"""

    bl_idname = "bitpuppet.retarget"
    bl_label = "Retarget"
    bl_options = PLAIN

    @classmethod
    def poll(cls, context):
        """Whether both images are chosen, and the backend is not being installed."""
        data = context.scene.bitpuppet
        has_images = _ask(cls, data.source.image, "a source character") and _ask(
            cls, data.motion.image, "a driving motion"
        )
        return has_images and poll_backend(cls)

    def act(self, context):
        """Start the job."""
        start_job(context.scene, "retarget")


class _Continuing(Guarded):
    """What goes on from a motion."""

    @classmethod
    def poll(cls, context):
        """Whether a motion is chosen, and the backend is not being installed."""
        return _ask(cls, context.scene.bitpuppet.motion.image, "a driving motion") and poll_backend(cls)


class Extend(_Continuing, bpy.types.Operator):
    """Let the driving motion go on for more frames"""

    bl_idname = "bitpuppet.extend"
    bl_label = "Extend"
    bl_options = PLAIN

    def act(self, context):
        """Start the job."""
        start_job(context.scene, "extend")


class CloseLoop(_Continuing, bpy.types.Operator):
    """Add frames that lead the driving motion's end into its start"""

    bl_idname = "bitpuppet.close_loop"
    bl_label = "Close Loop"
    bl_options = PLAIN

    def act(self, context):
        """Start the job."""
        start_job(context.scene, "loop")


class Cancel(bpy.types.Operator):
    """Stop this job before its next step"""

    bl_idname = "bitpuppet.cancel"
    bl_label = "Cancel"
    bl_options = INNER

    job: StringProperty(description="The job; empty for all of this scene", options={"SKIP_SAVE"})

    def execute(self, context):
        """Ask the backend; the entry says so once it has answered."""
        jobs = [self.job] if self.job else [item.job for item in context.scene.bitpuppet.jobs if item.is_open]
        under_way = current().link.jobs
        for job in jobs:
            if job in under_way:
                cancel(job)
                continue
            for _, item in find_entries(job):  # nobody would ever answer
                if item.is_open:
                    item.state = "cancelled"
        return {"FINISHED"}


class RollSeed(bpy.types.Operator):
    """Take a new random seed"""

    bl_idname = "bitpuppet.roll_seed"
    bl_label = "Random Seed"
    bl_options = UNDOABLE

    def execute(self, context):
        """Set it."""
        context.scene.bitpuppet.settings.seed = draw_seed()
        return {"FINISHED"}


class DismissNotice(bpy.types.Operator):
    """Hide this message"""

    bl_idname = "bitpuppet.dismiss_notice"
    bl_label = "Hide"
    bl_options = INNER

    def execute(self, context):
        """Clear it."""
        notify(context.scene, "")
        return {"FINISHED"}


class FixAlpha(Guarded, bpy.types.Operator):
    """Set Alpha to Straight for source and motion, so that their colours are exact"""

    bl_idname = "bitpuppet.fix_alpha"
    bl_label = "Set Alpha to Straight"
    bl_options = UNDOABLE

    def act(self, context):
        """Set it where it is not exact."""
        data = context.scene.bitpuppet
        for image in (data.source.image, data.motion.image):
            if image is not None and image.alpha_mode not in {"STRAIGHT", "CHANNEL_PACKED"}:
                image.alpha_mode = "STRAIGHT"


class GuessSize(Guarded, bpy.types.Operator):
    """Find the frame size by the empty lines between the frames"""

    bl_idname = "bitpuppet.guess_size"
    bl_label = "Find Frame Size"
    bl_options = UNDOABLE

    sheet: EnumProperty(items=SHEETS)

    def act(self, context):
        """Set it."""
        sheet = getattr(context.scene.bitpuppet, self.sheet)
        width, height = guess_size(read_pixels(sheet.image, "an image"))
        sheet.mode, sheet.width, sheet.height = "SIZE", width, height


class UseImage(Guarded, bpy.types.Operator):
    """Use the image that this Image Editor shows"""

    bl_idname = "bitpuppet.use_image"
    bl_label = "Use Shown Image"
    bl_options = UNDOABLE

    sheet: EnumProperty(items=SHEETS)

    @classmethod
    def poll(cls, context):
        """Whether there is one."""
        return getattr(context.space_data, "image", None) is not None

    def act(self, context):
        """Choose it."""
        image = context.space_data.image
        if image is None:
            raise ArtError("This Image Editor shows no image; open one")
        getattr(context.scene.bitpuppet, self.sheet).image = image


def _ask(cls, image, what):
    """Whether an image is chosen; the tooltip of the disabled button says what is missing."""
    if image is None:
        cls.poll_message_set(f"Choose {what} first")
    return image is not None


CLASSES = (Retarget, Extend, CloseLoop, Cancel, RollSeed, DismissNotice, FixAlpha, GuessSize, UseImage)
