"""The codec loses nothing that shows."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet.model.codec import FAINT, PatchCodec, clear_haze


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


def test_haze_is_cleared_and_what_nearly_covers_covers() -> None:
    """Alphas at both ends, within them, and halfway, all with a premultiplied colour that stays where it can."""
    alpha = torch.tensor([0.0, FAINT / 2, 0.5, 0.3, 1 - FAINT / 2, 1.0, 1.2, -0.1])
    pixels = torch.cat([torch.full((8, 3), 0.2), alpha[:, None]], dim=1)
    cleared = (clear_haze((pixels * 2 - 1).reshape(1, 2, 16)).reshape(8, 4) + 1) / 2
    torch.testing.assert_close(cleared[:, :3], pixels[:, :3])
    expected = torch.tensor([0.0, 0.0, 0.5, (0.3 - FAINT) / (1 - 2 * FAINT), 1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(cleared[:, 3], expected)
