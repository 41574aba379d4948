"""The codec loses nothing that shows."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet.model.codec import PatchCodec


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), patch=st.sampled_from([4, 8, 16]))
def test_visible_pixels_come_back_exactly(seed: int, patch: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, size=(2, 32, 32, 4), dtype=np.uint8)
    codec = PatchCodec(patch)
    back = codec.decode(codec.encode(torch.from_numpy(frames))).round().to(torch.uint8).numpy()
    visible = frames[..., 3] > 0
    assert (back[..., 3] == frames[..., 3]).all()
    assert (back[visible] == frames[visible]).all()
    assert (back[~visible] == 0).all()


def test_tokens_are_patches_in_reading_order() -> None:
    frames = torch.zeros(1, 16, 16, 4, dtype=torch.uint8)
    frames[0, 9, 2] = 255  # second row of patches, first column
    occupied = PatchCodec.occupied(PatchCodec(8).encode(frames))
    assert occupied.tolist() == [[False, False, True, False]]
