"""Windows of time that readings are drawn in; what readings draw is in `test_bcd`."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.model.readings import cut_windows


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 12), st.integers(1, 3))
def test_windows_count_each_frame_once_and_see_its_neighbours(
    frames: int, at_once: int, overlap: int, clips: int
) -> None:
    windows = cut_windows(frames, at_once, overlap)
    numbers = torch.arange(clips * frames).reshape(clips, frames, 1)
    kept = []
    for window in windows:
        (seen,) = window.see(numbers)
        assert len(seen) <= clips * (at_once + 2 * overlap)
        part = window.keep(seen, clips)
        assert 1 <= part.shape[1] <= at_once
        for frame in part[0, :, 0].tolist():
            around = range(max(0, frame - overlap), min(frames, frame + overlap + 1))
            assert set(around) <= set(seen[:, 0].tolist())
        kept.append(part)
    assert torch.equal(torch.cat(kept, dim=1), numbers)
