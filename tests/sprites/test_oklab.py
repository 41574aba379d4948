"""Tests of sprites.oklab."""

from __future__ import annotations

import numpy as np
import pytest

from bitpuppet.sprites import oklab_to_srgb, srgb_to_oklab


def test_published_values() -> None:
    # Ottosson's reference values for sRGB white and red.
    lab = srgb_to_oklab(np.array([[255, 255, 255], [255, 0, 0]], dtype=np.uint8))
    assert lab[0] == pytest.approx([1, 0, 0], abs=1e-4)
    assert lab[1] == pytest.approx([0.62796, 0.22486, 0.12585], abs=1e-4)
    assert lab.dtype == np.float32


def test_every_corner_of_the_cube_comes_back() -> None:
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    assert np.array_equal(oklab_to_srgb(srgb_to_oklab(colours)), colours)


def test_floats_are_the_same_scale_as_bytes_and_clipped() -> None:
    colours = np.array([[1, 128, 254]], dtype=np.uint8)
    assert srgb_to_oklab(colours.astype(np.float32)) == pytest.approx(srgb_to_oklab(colours), abs=1e-6)
    assert np.array_equal(srgb_to_oklab(np.array([[-5.0, 0, 300]])), srgb_to_oklab(np.array([[0.0, 0, 255]])))
