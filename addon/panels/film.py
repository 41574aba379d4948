"""What the panel of films shows."""

from .. import films
from ..core.films import describe_reading


def draw_film(layout, context):
    """The file, what is taken of it, and how far the reading is."""
    film, reading = context.scene.bitpuppet.film, films.find_reading()
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(film, "path")
    column = layout.column(align=True)
    column.prop(film, "start")
    column.prop(film, "end")
    layout.prop(film, "fps")
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
