"""Which part of a character shows where, and how much of it is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.benchmark import MOTIONS, Benchmark, split_characters
from bitpuppet.data.layers import CELL, COLUMNS, ROWS, LayerStore
from bitpuppet.evaluation.parts import PARTS, PartCounts, find_edges, map_parts
from bitpuppet.evaluation.swaps import GarmentSwaps, SpriteSwaps
from bitpuppet.sprites import write_sheet
from bitpuppet.sprites.clip import Clip


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    """Two sheets with art in cell 1: a square of 4 pixels, and over it a column of 3 whose last pixel is a shadow."""
    for name in ("low", "high"):
        cells = np.zeros((ROWS * COLUMNS, CELL, CELL, 4), np.uint8)
        if name == "low":
            cells[1, 10:12, 10:12] = (200, 0, 0, 255)
        else:
            cells[1, 9:11, 10] = (0, 200, 0, 255)
            cells[1, 11, 10] = (0, 0, 0, 100)
        write_sheet([Clip(row) for row in cells.reshape(ROWS, COLUMNS, CELL, CELL, 4)], tmp_path / f"{name}.png")
    return LayerStore(tmp_path)


def test_the_topmost_opaque_layer_shows(store: LayerStore) -> None:
    tops = store.find_tops(["low.png", "high.png"], [0, 1])
    assert tops.shape == (2, 64, 64)
    assert (tops[0] == -1).all()
    assert tops[1, 9:12, 10].tolist() == [1, 1, 0], "a shadow lets the layer below show"
    assert tops[1, 10:12, 11].tolist() == [0, 0]
    assert int((tops >= 0).sum()) == 5
    drawn = store.compose(["low.png", "high.png"], [0, 1])
    assert np.array_equal(drawn[..., 3] >= 128, tops >= 0)


def test_layers_become_parts() -> None:
    tops = np.array([[[0, 1, 2, 3, -1]]])
    parts = map_parts(tops, ["body", "topwear", "hair", "weapon"])
    assert [PARTS[number] for number in parts[0, 0, :4]] == ["skin", "clothes", "hair", "weapon"]
    assert parts[0, 0, 4] == -1


def test_edges_are_where_a_neighbour_is_missing() -> None:
    mask = np.zeros((1, 5, 5), np.bool_)
    mask[0, :4, 1:] = True  # touches the frame above and on the right
    edges = find_edges(mask)
    assert not edges[0, 1:3, 2:4].any()
    assert int(edges.sum()) == 16 - 4


def test_right_pixels_are_counted_part_by_part() -> None:
    target = np.zeros((1, 4, 4, 4), np.uint8)
    target[0, :3, :3] = (9, 9, 9, 255)
    parts = np.full((1, 4, 4), -1, np.int8)
    parts[0, :3, :3] = PARTS.index("hair")
    parts[0, 0, 0] = PARTS.index("skin")
    output = target.astype(np.float32)
    output[0, 1, 1] = (9, 9, 9, 0)  # the middle of the hair is missing
    output[0, 0, 0] = (9, 9, 9.4, 255)
    output[0, 3, 3] = (1, 2, 3, 255)  # paint beside the figure belongs to no part
    counts = PartCounts()
    counts.add(output, target, parts)
    figures = counts.to_figures()
    assert figures == {"skin": 1.0, "hair": 7 / 8, "hair edges": 1.0}
    counts.add(target, target, parts)
    assert counts.to_figures()["hair"] == 15 / 16


@pytest.mark.parametrize("number", [0, 1])
def test_swaps_know_the_parts_of_their_targets(data_folder: Path, number: int) -> None:
    sprites = SpriteSwaps(Benchmark(data_folder / "sprites"), 2).draw(number)
    garments = GarmentSwaps(data_folder / "lpc", 2).draw(number)
    for swap in (sprites, garments):
        assert swap.parts is not None and swap.parts.shape == swap.target.shape[:3]
        assert np.array_equal(swap.parts >= 0, swap.target[..., 3] >= 128)
        counts = PartCounts()
        counts.add(swap.target, np.where(swap.target[..., 3:] >= 128, swap.target, 0), swap.parts)
        assert {"skin", "clothes"} <= set(counts.to_figures())
    assert PARTS.index("hair") in sprites.parts  # type: ignore[operator]


def test_hair_of_another_character_covers_its_own_pixels(data_folder: Path) -> None:
    """Pixels that change with the hair alone are those that the map says show hair in one of the two."""
    benchmark = Benchmark(data_folder / "sprites")
    training, _ = split_characters()
    one = training[0]
    other = next(c for c in training if c.attributes[:3] == one.attributes[:3] and c.attributes[3] != one.attributes[3])
    motion = next(number for number, name in enumerate(MOTIONS) if name == ("walk", "front"))
    changed = (benchmark.clip(one, motion) != benchmark.clip(other, motion)).any(axis=-1)
    hair = [benchmark.find_tops(c, motion) == 3 for c in (one, other)]
    assert changed.any() and not (changed & ~hair[0] & ~hair[1]).any()
