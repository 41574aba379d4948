"""Windows of time that readings are drawn in, and what is lent beside them; what readings draw is in `test_bcd`."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bitpuppet.model.denoiser import Denoiser, Lent, Memory
from bitpuppet.model.diffusion import precondition
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.readings import average_readings, cut_windows


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


class _Nothing:
    """Stands for the memory of a denoiser that needs none."""

    def multiply(self, times: int) -> _Nothing:
        return self


class _Doubtful:
    """Stands for a denoiser that gives colour 0 a chance of 0.6 and colour 1 the rest, in every reading alike."""

    def __init__(self, trust: float) -> None:
        self._trust = trust

    def __call__(
        self,
        tokens: Tensor,
        level: Tensor,
        motion: Tensor,
        memory: Memory,
        places: Tensor | None = None,
        *,
        passed: int | Tensor = 0,
    ) -> Tensor:
        return self.say(tokens, places)

    def say(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        return torch.tensor([0.6, 0.4]).log().expand(*tokens.shape[:2], 2)

    def weigh_reading(self, motion: Tensor, memory: Memory, passed: int) -> Tensor:
        return torch.full((len(motion),), 0.5 if passed else 1.0)

    def list_shown(self, memory: Memory, frames: int) -> Tensor | None:
        return None

    def list_nearby(self, motion: Tensor, memory: Memory, count: int) -> None:
        return None

    def take_lent(self, motion: Tensor, memory: Memory, first: int) -> Lent:
        return Lent(torch.full((len(motion),), self._trust), torch.ones(len(motion), 5, dtype=torch.long))

    def read_out(self, prediction: Tensor, memory: Memory) -> Tensor:
        return prediction.argmax(dim=-1, keepdim=True).float()


@pytest.mark.parametrize("steps", [1, 2, 8])
@pytest.mark.parametrize(("trust", "chosen"), [(0.19, 0.0), (0.21, 1.0)])
def test_what_is_lent_counts_the_same_in_any_number_of_steps(steps: int, trust: float, chosen: float) -> None:
    drawn = average_readings(
        cast(Denoiser, _Doubtful(trust)),
        PRESETS["sprite64"],
        cast(Memory, _Nothing()),
        torch.zeros(1, 3, 8),
        torch.zeros(3, 5, 1),
        cut_windows(3, 2, 1),
        steps,
    )
    assert drawn.tolist() == torch.full((3, 5, 1), chosen).tolist()


class _Partial(_Doubtful):
    """Sees the tokens at places 1 and 3 alone after its first reading, and is sure of colour 1 there."""

    def say(self, tokens: Tensor, places: Tensor | None) -> Tensor:
        if places is None:
            return super().say(tokens, places)
        assert tokens.shape[:2] == places.shape and tokens[0, :, 0].tolist() == [1, 3]
        return torch.tensor([0.01, 0.99]).log().expand(*places.shape, 2)

    def list_shown(self, memory: Memory, frames: int) -> Tensor:
        return torch.tensor([[1, 3]]).expand(frames, 2)


def test_later_readings_change_what_content_shows_and_nothing_else() -> None:
    def draw(steps: int) -> list[float]:
        noise = torch.arange(5.0).view(1, 5, 1) / PRESETS["sprite64"].sigma_max
        denoiser, memory = cast(Denoiser, _Partial(0.0)), cast(Memory, _Nothing())
        scale = precondition(PRESETS["sprite64"], torch.tensor([PRESETS["sprite64"].sigma_max])).scale
        windows = cut_windows(1, 1, 0)
        preset = PRESETS["sprite64"]
        drawn = average_readings(denoiser, preset, memory, torch.zeros(1, 1, 8), noise / scale, windows, steps)
        return [float(value) for value in drawn.flatten()]

    assert draw(1) == [0, 0, 0, 0, 0]
    assert draw(4) == [0, 1, 0, 1, 0]


class _Sure:
    """Stands for a denoiser of values that says how many references it passed over, of which there are two."""

    def __call__(self, tokens: Tensor, level: Tensor, motion: Tensor, memory: Memory, *, passed: int = 0) -> Tensor:
        assert passed < 2
        return torch.full_like(tokens, passed)

    def weigh_reading(self, motion: Tensor, memory: Memory, passed: int) -> Tensor:
        return torch.full((len(motion),), 0.5**passed if passed < 2 else 0.0)

    def read_out(self, prediction: Tensor, memory: Memory) -> Tensor:
        return prediction


@pytest.mark.parametrize(("steps", "mean"), [(1, 0.0), (2, 1 / 3), (5, 1 / 3)])
def test_values_are_averaged_by_how_near_references_are(steps: int, mean: float) -> None:
    shown: list[tuple[int, int]] = []
    drawn = average_readings(
        cast(Denoiser, _Sure()),
        PRESETS["render64"],
        cast(Memory, _Nothing()),
        torch.zeros(2, 5, 8),
        torch.randn(10, 4, 3),
        cut_windows(5, 2, 1),
        steps,
        lambda step, of, clean: shown.append((step, of)),
    )
    torch.testing.assert_close(drawn, torch.full((10, 4, 3), mean))
    assert shown == [(step + 1, steps) for step in range(steps)]
