"""The lists: history with thumbnails, and the sheets of a batch."""

import bpy

from ..core.texts import describe_briefly
from ..icons import find_thumb

STATE_ICONS = {
    "waiting": "SORTTIME",
    "queued": "SORTTIME",
    "running": "PLAY",
    "storing": "PACKAGE",
    "failed": "ERROR",
    "cancelled": "CANCEL",
}


class BITPUPPET_UL_jobs(bpy.types.UIList):
    """Queue and history, newest first."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0):
        """One entry."""
        row = layout.row(align=True)
        thumb = find_thumb(item.job, item.image) if item.state == "done" else 0
        if item.state in ("queued", "running"):
            row.label(text="", icon=STATE_ICONS[item.state])
            text = describe_briefly(item.state, item.step, item.steps, item.position, item.eta)
            row.progress(factor=item.step / item.steps if item.steps else 0.0, text=text)
            row.operator("bitpuppet.cancel", text="", icon="X", emboss=False).job = item.job
            return
        if thumb:
            row.label(text=item.title, icon_value=thumb)
        else:
            row.label(text=item.title, icon=STATE_ICONS.get(item.state, "IMAGE_DATA"))

    def filter_items(self, context, data, property):
        """Blender's own filter looks for `name`, which these entries do not have."""
        items = getattr(data, property)
        words = self.filter_name.lower()
        return [self.bitflag_filter_item if words in item.title.lower() else 0 for item in items], []


class BITPUPPET_UL_sheets(bpy.types.UIList):
    """Characters or motions of a batch."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0):
        """One image."""
        if item.image is None:
            layout.label(text="The image is gone", icon="ERROR")
            return
        rows = f" (rows {item.rows})" if item.rows else ""
        layout.label(text=item.image.name + rows, icon="IMAGE_DATA")  # its own picture would be made here


CLASSES = (BITPUPPET_UL_jobs, BITPUPPET_UL_sheets)
