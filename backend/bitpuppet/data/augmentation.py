"""Colour augmentation: a map of colours, the same for every frame of a character, so that pixels stay pixels."""

from __future__ import annotations

import numpy as np
from einops import einsum
from numpy.typing import NDArray


def draw_colour_map(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A random 3 x 3 matrix and a gain per channel.

    The matrix is a rotation about the grey axis (hue) of permuted channels, at a random saturation; gains change
    brightness and tint a little. Both act on colours in 0..255.
    """
    permuted = np.eye(3, dtype=np.float32)[rng.permutation(3)]
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.7 else 0.0
    axis = np.full((3, 3), 1 / 3, np.float32)
    skew = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.sqrt(np.float32(3))
    hue = np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * axis + np.sin(angle) * skew
    saturation = rng.uniform(0.5, 1.3)
    mix = saturation * np.eye(3) + (1 - saturation) * axis
    matrix = (mix @ hue @ permuted).astype(np.float32)
    return matrix, rng.uniform(0.75, 1.15, size=3).astype(np.float32)


def recolour(frames: NDArray[np.uint8], matrix: NDArray[np.float32], gains: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map the colours of RGBA frames, uint8 (..., 4); alpha and what is invisible stay."""
    rgb = einsum(matrix, frames[..., :3].astype(np.float32), "o i, ... i -> ... o") * gains
    out = frames.copy()
    out[..., :3] = np.rint(rgb.clip(0, 255)) * (frames[..., 3:] > 0)
    return out
