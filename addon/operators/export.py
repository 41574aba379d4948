"""Results as files: the strip, a sheet with data for engines, single frames. Threads code and write them."""

import math
from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import results
from ..core.aseprite import Row, describe_sheet
from ..core.errors import ArtError
from ..core.files import check_folder, write_files
from ..core.pixels import join_sheet, join_strip
from ..core.png import encode_png
from ..core.texts import make_file_name
from ..session import notify
from ..state import current
from .base import PLAIN, Guarded, need_result, poll_result


class _Save(Guarded):
    """An operator that asks for a file, and writes one or more."""

    suffix = ".png"

    @classmethod
    def poll(cls, context):
        """Whether there is a result."""
        return poll_result(cls, context)

    def invoke(self, context, event):
        """Ask for the file."""
        if not self.filepath:
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / (make_file_name(need_result(context).name) + self.suffix))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def write(self, context, path, make):
        """Let `make` code the files in a thread, and write them."""
        check_folder(path)
        scene = context.scene.name

        def work():
            write_files(make())

        def finish(result, error):
            found = bpy.data.scenes.get(scene)
            if found is not None:
                notify(found, "" if error is None else str(error))

        current().link.run(work, finish)
        self.report({"INFO"}, f"Saving {path.name}")


class SaveStrip(_Save, bpy.types.Operator):
    """Save the result as one PNG, its frames side by side"""

    bl_idname = "bitpuppet.save_strip"
    bl_label = "Save Strip"
    bl_options = PLAIN

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.png", options={"HIDDEN"})

    def act(self, context):
        """Save it."""
        frames, path = results.read_frames(need_result(context)), _read_path(self.filepath, ".png")
        self.write(context, path, lambda: {path: encode_png(join_strip(frames))})


class SaveSheet(_Save, bpy.types.Operator):
    """Save a sheet as a PNG, and beside it the JSON data that Aseprite writes, which game engines read"""

    bl_idname = "bitpuppet.save_sheet"
    bl_label = "Save Sheet and Data"
    bl_options = PLAIN

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.png;*.json", options={"HIDDEN"})
    columns: IntProperty(
        name="Columns",
        description="Frames in a row of the sheet; 0 for as square as it goes",
        default=0,
        min=0,
        max=4096,
    )
    together: BoolProperty(
        name="All Results",
        description="Put all finished results of this frame size into one sheet, one tag for each",
        default=False,
    )

    def act(self, context):
        """Save both files."""
        image, path = need_result(context), _read_path(self.filepath, ".png")
        chosen = [image]
        if self.together:
            others = [item.image for item in context.scene.bitpuppet.jobs if results.is_result(item.image)]
            alike = [one for one in others if results.get_size(one) == results.get_size(image)]
            chosen = list(dict.fromkeys([*reversed(alike), image]))
        clips = [results.read_frames(one) for one in chosen]
        rows = [Row(one.name, len(clip), results.get_fps(one)) for one, clip in zip(chosen, clips, strict=True)]
        longest = max(map(len, clips))
        columns = min(self.columns or (longest if len(clips) > 1 else math.ceil(math.sqrt(longest))), longest)
        text = describe_sheet(path.name, results.get_size(image), rows, columns)

        def make():
            lines = [clip[start : start + columns] for clip in clips for start in range(0, len(clip), columns)]
            return {path: encode_png(join_sheet(lines)), path.with_suffix(".json"): text.encode()}

        self.write(context, path, make)


class SaveFrames(_Save, bpy.types.Operator):
    """Save each frame as a PNG of its own, numbered from 0000"""

    bl_idname = "bitpuppet.save_frames"
    bl_label = "Save Single Frames"
    bl_options = PLAIN

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.png", options={"HIDDEN"})

    def act(self, context):
        """Save them as NAME_0000.png and so on."""
        frames, path = results.read_frames(need_result(context)), _read_path(self.filepath, ".png")
        self.write(
            context,
            path,
            lambda: {
                path.with_name(f"{path.stem}_{number:04d}.png"): encode_png(frame)
                for number, frame in enumerate(frames)
            },
        )


def _read_path(text, suffix):
    """The file that the user named, absolute and with its suffix. Raises ArtError where there is none."""
    if not text:
        raise ArtError("There is no file name; choose one")
    path = Path(bpy.path.abspath(text))
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)


CLASSES = (SaveStrip, SaveSheet, SaveFrames)
