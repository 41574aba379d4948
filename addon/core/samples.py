"""Samples of a training, laid out for a panel: its pictures are squares, and samples are tall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
GROUP = 3
"""Rows that belong together: the driver, what was drawn, and the true one."""


def fold_sample(picture: Picture) -> Picture:
    """Lay the rows of a contact sheet in columns beside each other, so that a square shows them as large as it can.

    Args:
        picture: (H, W, 4): labelled rows under one another on one colour, with more room between rows than in them.

    Returns:
        The same pixels on that colour; the picture itself where one column is best.
    """
    cuts = _find_cuts(picture)
    group = GROUP if (len(cuts) - 1) % GROUP == 0 else 1
    blocks = [picture[top:bottom] for top, bottom in zip(cuts[:-group:group], cuts[group::group], strict=True)]
    layouts = [_share(blocks, count) for count in range(1, len(blocks) + 1)]
    columns = min(layouts, key=lambda columns: max(len(columns) * picture.shape[1], _measure(columns)))
    if len(columns) == 1:
        return picture
    width = picture.shape[1]
    folded = np.empty((_measure(columns), len(columns) * width, 4), dtype=np.uint8)
    folded[:] = picture[0, 0]
    for number, column in enumerate(columns):
        joined = np.concatenate(column)
        folded[: len(joined), number * width : (number + 1) * width] = joined
    return folded


def _find_cuts(picture: Picture) -> list[int]:
    """Where rows begin, and where the last one ends."""
    blank = (picture == picture[0, 0]).all(axis=(1, 2))
    edges = np.flatnonzero(np.diff(blank.astype(np.int8)))
    # Between two edges it is blank or not by turns; what is before the first and behind the last one is a margin.
    gaps = [(int(a) + 1, int(b) + 1) for a, b in zip(edges[1::2], edges[2::2], strict=False)]
    sizes = [bottom - top for top, bottom in gaps]
    wide = [(top + bottom) // 2 for top, bottom in gaps if 2 * (bottom - top) > min(sizes) + max(sizes)]
    return [0, *wide, len(picture)]


def _share(blocks: list[Picture], count: int) -> list[list[Picture]]:
    """The blocks in that many columns, from above, or in fewer."""
    each = -(-len(blocks) // count)
    return [blocks[begin : begin + each] for begin in range(0, len(blocks), each)]


def _measure(columns: list[list[Picture]]) -> int:
    """The height of the tallest column."""
    return max(sum(len(block) for block in column) for column in columns)
