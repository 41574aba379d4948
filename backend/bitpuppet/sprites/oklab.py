"""OKLab, the colour space in which equal distances look equally far apart (Björn Ottosson, 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)


def _linearize(srgb: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """sRGB in 0..1 to linear light in 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


# 8-bit channels have 256 values: a table is ten times as fast as the power.
_LINEAR_OF_BYTE: NDArray[np.float32] = _linearize(np.arange(256) / 255).astype(np.float32)


def srgb_to_oklab(colours: NDArray[Any]) -> NDArray[np.float32]:
    """OKLab (..., 3) of sRGB colours (..., 3), uint8 or floats in 0..255 (clipped to that range).

    L is in 0..1, a and b in about -0.4..0.4.
    """
    if colours.dtype == np.uint8:
        linear = _LINEAR_OF_BYTE[colours]
    else:
        linear = _linearize(np.clip(colours.astype(np.float32), 0, 255) / 255).astype(np.float32)
    lms = np.cbrt(linear @ _RGB_TO_LMS.T.astype(np.float32))
    return np.asarray(lms @ _LMS_TO_LAB.T.astype(np.float32), dtype=np.float32)


def oklab_to_srgb(lab: NDArray[Any]) -> NDArray[np.uint8]:
    """sRGB uint8 (..., 3) of OKLab colours (..., 3); others are clipped. Undoes `srgb_to_oklab` exactly."""
    linear = (lab.astype(np.float64) @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(srgb * 255), dtype=np.uint8)
