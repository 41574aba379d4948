"""The grid that is drawn over source and motion in the Image Editor: cells, rows in use, and their numbers."""

from __future__ import annotations

import blf
import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from .core.errors import ArtError
from .core.sheets import Grid, find_grid, parse_rows
from .state import current

USED = (0.30, 0.75, 1.0, 0.9)
UNUSED = (0.6, 0.6, 0.6, 0.35)
WRONG = (1.0, 0.3, 0.2, 0.9)
MAX_LINES = 2000
"""A grid that is finer than this shows its outline alone."""
_TEXT_PIXELS = 11


def register() -> None:
    """Draw from now on; background Blender has nothing to draw on."""
    if not bpy.app.background:
        handle = bpy.types.SpaceImageEditor.draw_handler_add(draw_overlay, (), "WINDOW", "POST_PIXEL")
        current().extras["overlay"] = handle


def unregister() -> None:
    """Draw no more."""
    handle = current().extras.pop("overlay", None)
    if handle is not None:
        bpy.types.SpaceImageEditor.draw_handler_remove(handle, "WINDOW")


def draw_overlay() -> None:
    """Draw the grid, if this Image Editor shows source or motion."""
    context = bpy.context
    space, data = context.space_data, context.scene.bitpuppet
    if not data.overlay or space is None or space.image is None or not getattr(space.overlay, "show_overlays", True):
        return
    for sheet in (data.source, data.motion):
        if sheet.image == space.image:
            width, height = space.image.size
            if width and height:
                _draw_sheet(context.region, sheet, width, height)
            return


def _draw_sheet(region: bpy.types.Region, sheet: bpy.types.PropertyGroup, width: int, height: int) -> None:
    settings = sheet.to_settings()
    try:
        grid = find_grid("", width, height, settings)
        used = set(parse_rows(settings.rows, grid.rows))
    except ArtError:
        _draw_lines(region, list_outline(), WRONG, 2.0)
        return
    if grid.columns + grid.rows > MAX_LINES:
        _draw_lines(region, list_outline(), USED, 1.0)
        return
    for chosen, color in ((False, UNUSED), (True, USED)):
        rows = [row for row in range(grid.rows) if (row in used) == chosen]
        _draw_lines(region, list_lines(grid, rows), color, 1.0)
    _draw_numbers(region, grid, used)


def list_outline() -> list[tuple[float, float]]:
    """Ends of the lines around the whole image, 0 to 1 from the lower left."""
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return [point for number in range(4) for point in (corners[number], corners[(number + 1) % 4])]


def list_lines(grid: Grid, rows: list[int]) -> list[tuple[float, float]]:
    """Ends of the lines around the cells of some rows, 0 to 1 from the lower left, two for each line."""
    points: list[tuple[float, float]] = []
    for row in rows:
        top, bottom = 1 - row / grid.rows, 1 - (row + 1) / grid.rows
        points += [(0.0, top), (1.0, top), (0.0, bottom), (1.0, bottom)]
        for column in range(grid.columns + 1):
            points += [(column / grid.columns, top), (column / grid.columns, bottom)]
    return points


def _draw_lines(
    region: bpy.types.Region, points: list[tuple[float, float]], color: tuple[float, ...], width: float
) -> None:
    if not points:
        return
    view = region.view2d
    places = [(*view.view_to_region(x, y, clip=False), 0) for x, y in points]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.line_width_set(width)
    shader.bind()
    shader.uniform_float("color", color)
    batch_for_shader(shader, "LINES", {"pos": places}).draw(shader)
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")


def _draw_numbers(region: bpy.types.Region, grid: Grid, used: set[int]) -> None:
    """The rows' numbers, left of the image, where they have room."""
    view = region.view2d
    _, zero = view.view_to_region(0, 0, clip=False)
    _, one = view.view_to_region(0, 1 / grid.rows, clip=False)
    if one - zero < _TEXT_PIXELS:
        return
    blf.size(0, _TEXT_PIXELS)
    for row in range(grid.rows):
        x, y = view.view_to_region(0, 1 - (row + 0.5) / grid.rows, clip=False)
        text = str(row)
        blf.color(0, *(USED if row in used else UNUSED))
        blf.position(0, x - blf.dimensions(0, text)[0] - 6, y - _TEXT_PIXELS / 3, 0)
        blf.draw(0, text)
