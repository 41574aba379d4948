"""A video file as source or motion."""

import bpy
from bpy.props import EnumProperty

from .. import films
from .base import INNER, PLAIN, Guarded, poll_backend
from .jobs import SHEETS


class ReadFilm(Guarded, bpy.types.Operator):
    """Let the backend read a video file or an image sequence, and use its frames"""

    bl_idname = "bitpuppet.read_film"
    bl_label = "Read Film"
    bl_options = PLAIN

    topic = films.TOPIC
    sheet: EnumProperty(items=SHEETS, default="motion")

    @classmethod
    def poll(cls, context):
        """Whether none is being read, and the backend is not being installed."""
        if films.find_reading() is not None:
            cls.poll_message_set("A film is being read; wait until it is there, or cancel it")
            return False
        return poll_backend(cls)

    def act(self, context):
        """Begin; the panel shows how far it is."""
        films.begin(context.scene, self.sheet)


class CancelFilm(bpy.types.Operator):
    """Stop reading this film"""

    bl_idname = "bitpuppet.cancel_film"
    bl_label = "Cancel"
    bl_options = INNER

    def execute(self, context):
        """Ask the backend; the panel says so once it has answered."""
        films.cancel()
        return {"FINISHED"}


CLASSES = (ReadFilm, CancelFilm)
