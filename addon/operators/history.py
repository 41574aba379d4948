"""What can be done with an entry of the history."""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .. import results
from ..core.errors import ArtError
from ..core.records import read_record
from ..session import cancel, find_entries, remove_entry
from ..starting import restore_record
from .base import INNER, UNDOABLE, Guarded, need_result
from .jobs import SHEETS


class Restore(Guarded, bpy.types.Operator):
    """Set source, motion, seed and all settings as they were for this entry"""

    bl_idname = "bitpuppet.restore"
    bl_label = "Restore Settings"
    bl_options = UNDOABLE

    job: StringProperty()

    def act(self, context):
        """Restore, and say which images are gone."""
        item = _find(context, self.job)
        missing = restore_record(context.scene, read_record(item.record))
        if missing:
            names = " and ".join(f'"{name}"' for name in missing)
            raise ArtError(f"The settings are back, but {names} is not in this file any more; open it again")


class CopySeed(Guarded, bpy.types.Operator):
    """Copy this entry's seed to the clipboard"""

    bl_idname = "bitpuppet.copy_seed"
    bl_label = "Copy Seed"
    bl_options = INNER

    job: StringProperty()

    def act(self, context):
        """Copy it."""
        seed = read_record(_find(context, self.job).record).seed
        context.window_manager.clipboard = seed
        self.report({"INFO"}, f"Seed {seed} copied")


class Show(Guarded, bpy.types.Operator):
    """Show this result in an Image Editor"""

    bl_idname = "bitpuppet.show"
    bl_label = "Show"
    bl_options = INNER

    job: StringProperty()

    def act(self, context):
        """Show it in this editor, or in another one of the window."""
        image = _find(context, self.job).image
        if image is None:
            raise ArtError("The result's image is not in this file any more; Restore its settings and run it again")
        if context.area is not None and context.area.type == "IMAGE_EDITOR":
            context.space_data.image = image
        elif not results.show_image(image):
            raise ArtError("No Image Editor is free for it; open one, or choose the image in one by its name")


class UseResult(Guarded, bpy.types.Operator):
    """Use this result as the next source or motion"""

    bl_idname = "bitpuppet.use_result"
    bl_label = "Use Result"
    bl_options = UNDOABLE

    sheet: EnumProperty(items=SHEETS)

    def act(self, context):
        """Choose it."""
        sheet = getattr(context.scene.bitpuppet, self.sheet)
        image = need_result(context)
        sheet.rows, sheet.first, sheet.count = "", 0, 0
        sheet.image = image


class Delete(Guarded, bpy.types.Operator):
    """Take this entry out of the history; a job that is not over is cancelled"""

    bl_idname = "bitpuppet.delete"
    bl_label = "Delete Entry"
    bl_options = UNDOABLE

    job: StringProperty()
    with_image: BoolProperty(name="Delete Image", description="Delete its image, too", default=False)

    def invoke(self, context, event):
        """With Shift, the image goes too."""
        self.with_image = event.shift
        return self.execute(context)

    @classmethod
    def description(cls, context, properties):
        """The tooltip."""
        return "Take this entry out of the history and cancel it if it is not over. Shift: delete its image, too"

    def act(self, context):
        """Delete it."""
        item = _find(context, self.job)
        if item.is_open:
            cancel(self.job)
        image = item.image
        remove_entry(self.job)
        if self.with_image and image is not None:
            bpy.data.images.remove(image)


class Clear(bpy.types.Operator):
    """Take all entries that are over out of the history; their images stay"""

    bl_idname = "bitpuppet.clear"
    bl_label = "Clear History"
    bl_options = UNDOABLE

    def execute(self, context):
        """Delete them."""
        for job in [item.job for item in context.scene.bitpuppet.jobs if not item.is_open]:
            remove_entry(job)
        return {"FINISHED"}


def _find(context, job):
    """The entry of a job in the scene, or the selected one where none is named."""
    if not job:
        item = context.scene.bitpuppet.selected
    else:
        item = next((item for scene, item in find_entries(job) if scene == context.scene), None)
    if item is None:
        raise ArtError("There is no such entry in the history; select one")
    return item


CLASSES = (Restore, CopySeed, Show, UseResult, Delete, Clear)
