"""The frame that a puppet is drawn into, and strokes between joints."""

from __future__ import annotations

from bitpuppet.data.puppets.canvas import Canvas, drop_orphans, nearest, outline, snap
from bitpuppet.data.puppets.palettes import BASE
from bitpuppet.data.puppets.skeleton import Joint


def ground_row(size: int) -> int:
    """Row just below the feet of a standing body; the rest is for the outline and for feet that step forward."""
    return size - 2 - max(1, (size + 12) // 24)


class Stage:
    """The frame that parts are drawn into: a canvas with the ground point at (0, 0) and a margin around the frame."""

    def __init__(self, size: int) -> None:
        self.size, self.margin = size, size // 4
        self.ground = ground_row(size)
        self.half = size // 2
        self.canvas = self.layer()

    def layer(self) -> Canvas:
        """An empty canvas of the stage's geometry."""
        side = self.size + 2 * self.margin
        return Canvas(side, side, (self.margin + self.half, self.margin + self.ground))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom that parts should keep to: the frame without its two outer rings."""
        return 2.0 - self.half, 2.0 - self.ground, self.size - self.half - 2.0, self.size - self.ground - 2.0

    def finish(self, style: str, effects: Canvas | None = None) -> Canvas:
        """Outline the figure and lay the effects, which have none, over it; the result is the frame without margin."""
        m = self.margin
        frame = Canvas(self.size, self.size, (self.half, self.ground))
        frame.index = self.canvas.index[m:-m, m:-m].copy()
        drop_orphans(frame.index)
        frame.index[[0, -1]] = 0
        frame.index[:, [0, -1]] = 0
        outline(frame.index, style)
        if effects is not None:
            part = effects.index[m:-m, m:-m]
            inner = part.copy()
            inner[[0, -1]] = 0
            inner[:, [0, -1]] = 0
            frame.index[inner > 0] = inner[inner > 0]
        return frame


def draw_bar(
    layer: Canvas, start: Joint, end: Joint, widths: tuple[float, float], material: int, tone: int = BASE
) -> None:
    """A stroke between two joints, of one width in pixels at each; it is at least a pixel wide."""
    first, last = max(nearest(widths[0]), 1), max(nearest(widths[1]), 1)
    places = (snap(start.x, first), snap(start.y, first)), (snap(end.x, last), snap(end.y, last))
    layer.limb(*places, (first, last), material, tone)


def draw_ball(layer: Canvas, joint: Joint, diameter: float, material: int, tone: int = BASE) -> None:
    """A ball about a joint, of a diameter in pixels; see `draw_bar`."""
    draw_bar(layer, joint, joint, (diameter, diameter), material, tone)
