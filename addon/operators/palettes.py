"""Palettes from files."""

from functools import partial
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..core.errors import ArtError
from ..core.palettes import IMAGE_SUFFIXES, TEXT_SUFFIXES, collect_colours, read_file
from ..images import read_pixels
from ..palettes import store_palette
from ..session import notify
from ..state import current
from .base import UNDOABLE, Guarded


class LoadPalette(Guarded, bpy.types.Operator):
    """Load the colors of a file: GIMP (.gpl), JASC or Microsoft (.pal), hex numbers (.hex), or an image (.png, .gif)"""

    bl_idname = "bitpuppet.load_palette"
    bl_label = "Load Palette"
    bl_options = UNDOABLE

    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(
        default=";".join(f"*{suffix}" for suffix in (*TEXT_SUFFIXES, *IMAGE_SUFFIXES)), options={"HIDDEN"}
    )

    def invoke(self, context, event):
        """Choose the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context):
        """Read it, a text off the main thread, and choose its palette."""
        path, scene_name = Path(bpy.path.abspath(self.filepath)), context.scene.name
        if path.suffix.lower() in IMAGE_SUFFIXES:
            _choose(context.scene, path.stem, _read_image(path))
            return

        def finish(colours, error):
            scene = bpy.data.scenes.get(scene_name)
            if scene is None:
                return
            if error is not None:
                notify(scene, str(error))
            else:
                _choose(scene, path.stem, colours)

        current().link.run(partial(read_file, path), finish)


def _read_image(path):
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise ArtError(f'"{path.name}" cannot be read; choose another file') from error
    try:
        return collect_colours(read_pixels(image), path.name)
    finally:
        bpy.data.images.remove(image)


def _choose(scene, name, colours):
    scene.bitpuppet.settings.palette = store_palette(name, colours)


CLASSES = (LoadPalette,)
