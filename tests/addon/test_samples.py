"""Samples of a training in columns."""

from __future__ import annotations

import numpy as np
import pytest
from bitpuppet_addon.core.samples import fold_sample

from bitpuppet.sprites.contact import draw_contact_sheet


def draw_sample(animations: int, frames: int, kinds: tuple[str, ...] = ("driver", "drawn", "true")) -> np.ndarray:
    """A sample as the backend draws it; rows differ in colour."""
    rows = []
    for number in range(animations):
        for kind in kinds:
            clip = np.full((frames, 16, 16, 4), 255, dtype=np.uint8)
            clip[..., 0] = 10 * len(rows)
            rows.append((f"hero {number}, walk: {kind}", clip))
    sheet = draw_contact_sheet(rows)
    return np.concatenate([sheet, np.full_like(sheet[..., :1], 255)], axis=-1)


@pytest.mark.parametrize(("animations", "columns"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_animations_lie_beside_each_other(animations: int, columns: int) -> None:
    sample = draw_sample(animations, 4)
    folded = fold_sample(sample)
    assert folded.shape[1] == columns * sample.shape[1]
    assert max(folded.shape) <= max(sample.shape)
    colours = {tuple(colour) for colour in sample.reshape(-1, 4)}
    assert {tuple(colour) for colour in folded.reshape(-1, 4)} == colours
    if columns == 2:
        first = folded[:, : sample.shape[1]]
        assert np.array_equal(first[: len(first) - 20], sample[: len(first) - 20]), "three rows stay together"
        assert not np.array_equal(folded[20:60, sample.shape[1] :], first[20:60])


def test_wide_plain_and_odd_pictures_stay_whole() -> None:
    wide = draw_sample(1, 8)
    assert fold_sample(wide) is wide
    plain = np.zeros((90, 20, 4), dtype=np.uint8)
    assert fold_sample(plain) is plain
    single = draw_sample(5, 1, ("drawn",))
    assert fold_sample(single).shape[0] <= single.shape[0]
