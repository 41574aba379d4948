"""One job of a batch; without torch, so that whoever gathers jobs need not load it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Strip:
    """Frames on the model's canvas, as for `Engine.retarget`."""

    content: NDArray[np.uint8]
    """(N, canvas, canvas, 4)"""
    motion: NDArray[np.uint8]
    """(T, canvas, canvas, 4)"""
    seed: int = 0
