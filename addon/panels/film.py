"""What the panel of films shows."""

from .. import films
from ..core.films import describe_reading
from .parts import draw_notice


def draw_film(layout, context):
    """The file, what is taken of it, how far the reading is, and why it failed."""
    draw_cut(layout, context.scene.bitpuppet.film)
    draw_reading(layout)
    # As well, not instead: the button of an opened movie is in another panel, and this one may be closed.
    if context.scene.bitpuppet.topic == films.TOPIC:
        draw_notice(layout, context)


def draw_cut(layout, film):
    """The file, and what is taken of it."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(film, "path")
    column = layout.column(align=True)
    column.prop(film, "start")
    column.prop(film, "end")
    if not film.end:
        _explain_zero(column, "to its end")
    column = layout.column(align=True)
    column.prop(film, "fps")
    if not film.fps:
        _explain_zero(column, "the film's own")
    layout.prop(film, "crop")
    if film.crop == "BOX":
        column = layout.column(align=True)
        for name in ("left", "top", "wide", "high"):
            column.prop(film, name)
    layout.prop(film, "sizing")
    if film.sizing == "SIZE":
        column = layout.column(align=True)
        column.prop(film, "width")
        column.prop(film, "height")


def draw_reading(layout):
    """The buttons, or how far the one that was pressed is."""
    reading = films.find_reading()
    if reading is not None:
        row = layout.row(align=True)
        row.progress(
            factor=min(1.0, reading.step / reading.steps) if reading.steps else 0.0,
            text=describe_reading(reading.state, reading.step, reading.steps, reading.position),
        )
        row.operator("bitpuppet.cancel_film", text="", icon="X")
        return
    row = layout.row(align=True)
    row.operator("bitpuppet.read_film", text="As Motion", icon="FILE_MOVIE").sheet = "motion"
    row.operator("bitpuppet.read_film", text="As Source", icon="FILE_MOVIE").sheet = "source"


def _explain_zero(column, text):
    """What a setting of 0 stands for, under its field."""
    split = column.split(factor=0.4)  # where Blender divides name and field
    split.active = False
    split.label(text="")
    split.label(text=text)
