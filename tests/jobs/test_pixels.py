"""Tests of the choice of steps to exact pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.pixels import OWN_PIXELS, PixelOptions, count_colours, lock_pixels
from bitpuppet.jobs.retarget import RetargetJob
from bitpuppet.sprites import collect_palette, snap_frames

LINE = {"content": "a.png", "motion": "b.png", "out": "c.png"}


def draw_content() -> NDArray[np.uint8]:
    """Three equal frames (3, 24, 24, 4) in six colours."""
    rng = np.random.default_rng(5)
    frame = np.zeros((24, 24, 4), dtype=np.uint8)
    frame[4:20, 6:18, :3] = rng.integers(0, 256, (6, 3))[rng.integers(0, 6, (16, 12))]
    frame[4:20, 6:18, 3] = 255
    return np.stack([frame] * 3)


def test_the_lock_is_the_palette_stage_and_its_steps() -> None:
    content = draw_content()
    palette = collect_palette(content)
    drawn = content[:1].astype(np.float32) + np.random.default_rng(0).uniform(-5, 5, (1, 24, 24, 4))
    assert np.array_equal(lock_pixels(drawn, content, palette), content[:1])
    wrong = content[:1].copy()
    wrong[0, 10, 10] = content[0, 11, 11] if (content[0, 11, 11] != content[0, 10, 10]).any() else content[0, 9, 9]
    assert (wrong != content[:1]).any()
    mended = lock_pixels(wrong, content, palette, PixelOptions(patterns=True).resolve())
    assert np.array_equal(mended, content[:1])
    without = PixelOptions(orphans=False).resolve()
    assert np.array_equal(lock_pixels(wrong, content, palette, without), snap_frames(wrong, palette))


def test_alpha_is_hard_unless_it_is_to_stay() -> None:
    content = draw_content()
    content[:, 20, 8:16] = (0, 0, 0, 90)
    palette = collect_palette(content)
    hard = lock_pixels(content, content, palette)
    assert set(np.unique(hard[..., 3])) == {0, 255}
    soft = lock_pixels(content, content, palette, PixelOptions(hard_alpha=False).resolve())
    assert (soft[:, 20, 8:16, 3] == 90).all()


def test_palettes_are_numbers_files_or_the_source(tmp_path: Path) -> None:
    content = draw_content()
    palette = collect_palette(content)
    assert count_colours(palette, OWN_PIXELS.resolve()) == 6
    two = PixelOptions("2").resolve()
    assert len(collect_palette(lock_pixels(content, content, palette, two))) == count_colours(palette, two) == 2
    (tmp_path / "grey.hex").write_text("000000\n808080\nffffff\n")
    grey = PixelOptions(str(tmp_path / "grey.hex")).resolve()
    assert count_colours(palette, grey) == 3
    shown = collect_palette(lock_pixels(content, content, palette, grey))
    assert (shown[:, 0] == shown[:, 1]).all()
    for text in ("0", "257", "99999999"):
        with pytest.raises(BitpuppetError, match="1 to 256 colours"):
            PixelOptions(text)
    for name in ("missing.gpl", "Source", "grey.txt"):
        with pytest.raises(BitpuppetError, match=r"does not exist|no palette by its name"):
            PixelOptions(str(tmp_path / name)).resolve()


def test_a_line_of_jobs_names_the_steps() -> None:
    assert RetargetJob.from_json(json.dumps(LINE)).pixels == OWN_PIXELS
    line = LINE | {"palette": 16, "hard-alpha": False, "outline": True, "orphans": False, "patterns": True}
    assert RetargetJob.from_json(json.dumps(line)).pixels == PixelOptions("16", False, True, False, True)
    for key, value in (("outline", "yes"), ("patterns", 1), ("palette", True), ("palette", [1])):
        with pytest.raises(BitpuppetError, match=f"{key} is .*, it must be"):
            RetargetJob.from_json(json.dumps(LINE | {key: value}))
    with pytest.raises(BitpuppetError, match="1 to 256 colours"):
        RetargetJob.from_json(json.dumps(LINE | {"palette": 0}))
