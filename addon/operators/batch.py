"""Many at once: each motion of a list on each character of another."""

from dataclasses import replace

import bpy
from bpy.props import EnumProperty

from bitpuppet_client.errors import ClientError

from .. import results
from ..core.errors import ArtError
from ..core.sheets import list_clips
from ..starting import Reader, start_job
from .base import PLAIN, UNDOABLE, Guarded, poll_backend, tell_error
from .jobs import SHEETS

MAX_JOBS = 256
"""Of one batch: more would hide the rest of the history, and the backend takes a thousand."""


class BatchAdd(Guarded, bpy.types.Operator):
    """Add the image above, with its sheet settings, to this list"""

    bl_idname = "bitpuppet.batch_add"
    bl_label = "Add"
    bl_options = UNDOABLE

    sheet: EnumProperty(items=SHEETS)

    def act(self, context):
        """Copy the panel's sheet."""
        data = context.scene.bitpuppet
        sheet = getattr(data, self.sheet)
        if sheet.image is None:
            raise ArtError(f"There is no {self.sheet} image; choose one above, then add it")
        getattr(data, f"batch_{self.sheet}s").add().take(sheet.image, sheet.to_settings())
        setattr(data, f"active_{self.sheet}", len(getattr(data, f"batch_{self.sheet}s")) - 1)


class BatchRemove(bpy.types.Operator):
    """Take the selected image off this list"""

    bl_idname = "bitpuppet.batch_remove"
    bl_label = "Remove"
    bl_options = UNDOABLE

    sheet: EnumProperty(items=SHEETS)

    def execute(self, context):
        """Remove it."""
        data = context.scene.bitpuppet
        sheets, place = getattr(data, f"batch_{self.sheet}s"), getattr(data, f"active_{self.sheet}")
        if 0 <= place < len(sheets):
            sheets.remove(place)
            setattr(data, f"active_{self.sheet}", max(0, min(place, len(sheets) - 1)))
        return {"FINISHED"}


class BatchRun(bpy.types.Operator):
    """Retarget each motion of the list to each character of the list"""

    bl_idname = "bitpuppet.batch_run"
    bl_label = "Retarget All"
    bl_options = PLAIN

    @classmethod
    def poll(cls, context):
        """Whether both lists have something, and the backend is not being installed."""
        data = context.scene.bitpuppet
        if data.batch_sources and data.batch_motions:
            return poll_backend(cls)
        cls.poll_message_set("Add at least one character and one motion")
        return False

    def execute(self, context):
        """Start them all; those that cannot be started are told, the others go on."""
        scene, reader = context.scene, Reader()
        try:
            pairs = list_pairs(scene, reader)
        except ArtError as error:
            tell_error(self, scene, error)
            return {"CANCELLED"}
        settings, started, failure = scene.bitpuppet.settings, 0, None
        reuse = settings.reuse
        settings.reuse = False  # all of them would go into one image
        try:
            for source, motion in pairs:
                try:
                    start_job(scene, "retarget", source, motion, reader)
                    started += 1
                except (ArtError, ClientError) as error:
                    failure = failure or error
        finally:
            settings.reuse = reuse
        if failure is not None:
            tell_error(self, scene, ArtError(f"{started} of {len(pairs)} jobs started. {failure}"))
            return {"FINISHED"} if started else {"CANCELLED"}
        self.report({"INFO"}, f"{started} jobs started")
        return {"FINISHED"}


def list_pairs(scene, reader):
    """What the batch retargets: ((image, cut), (image, cut)) for each character and motion.

    Raises:
        ArtError: an image cannot be read, or there are too many.
    """
    data = scene.bitpuppet
    motions = []
    for sheet in data.batch_motions:
        cut = sheet.to_settings()
        if not data.batch_rows or (sheet.image is not None and sheet.image.get(results.WRAPPED)):
            motions.append((sheet.image, cut))
            continue
        pixels = reader.read(sheet.image, "a driving motion")
        for row, _ in list_clips(f'"{sheet.image.name}"', pixels, cut):
            motions.append((sheet.image, replace(cut, rows=str(row), first=0, count=0)))
    pairs = [((one.image, one.to_settings()), motion) for one in data.batch_sources for motion in motions]
    if len(pairs) > MAX_JOBS:
        raise ArtError(f"This batch has {len(pairs)} jobs, at most {MAX_JOBS}; take some images off the lists")
    return pairs


CLASSES = (BatchAdd, BatchRemove, BatchRun)
