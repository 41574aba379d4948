"""True flow from surfaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bitpuppet.model.reference import Nearest
from bitpuppet.model.warp import Flow
from bitpuppet.training import true_flow
from bitpuppet.training.true_flow import NEAR, pack_surfaces, score_flow

SIDE, PATCH = 16, 8


def make_surface(right: int = 0, down: int = 0) -> torch.Tensor:
    """A block of six by six points that stands at (4, 4), or elsewhere: uint8 (16, 16, 4)."""
    out = torch.zeros(SIDE, SIDE, 4, dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    block = torch.stack([100 + 8 * x, 50 + 8 * y, 60 + 0 * x, 255 + 0 * x], dim=-1).byte()
    out[4 + down : 10 + down, 4 + right : 10 + right] = block
    return out


def make_flow(*offsets: tuple[float, float], shares: tuple[float, ...] | None = None) -> Flow:
    """The same flow everywhere in a frame, for each reference."""
    count = len(offsets)
    wanted = torch.tensor(offsets).view(1, count, 1, 1, 2).expand(1, count, 4, 64, 2)
    share = torch.tensor(shares or [1 / count] * count).log().view(1, count, 1, 1).expand(1, count, 4, 64)
    return Flow(wanted.clone().requires_grad_(), share.clone().requires_grad_())


def take(*frames: int) -> Nearest:
    return Nearest(torch.tensor([frames]), torch.full((1, len(frames)), 1 / len(frames)), torch.ones(1))


PLACES = torch.arange(4)[None]


def score(flow: Flow, *content: torch.Tensor, taken: tuple[int, ...], mirrored: bool = False) -> true_flow.FlowScore:
    shown = pack_surfaces(torch.stack(content)[None], mirrored=mirrored)
    return score_flow(flow, take(*taken), PLACES, make_surface()[None], shown, PATCH)


def read(value: torch.Tensor) -> float:
    return float(value.detach())


def test_true_flow_is_right_and_other_flow_is_wrong_by_pixels() -> None:
    content = make_surface(5, 2), make_surface(-3, 0)
    right = score(make_flow((5.0, 2.0), (-3.0, 0.0)), *content, taken=(0, 1))
    assert read(right.offsets) == pytest.approx(0.0, abs=1e-5)
    still = score(make_flow((0.0, 0.0), (-3.0, 0.0)), *content, taken=(0, 1))
    wanted = (np.sqrt(29) - NEAR) / 2  # one of two references is wrong by (5, 2)
    assert read(still.offsets) == pytest.approx(wanted, abs=1e-4)
    swapped = score(make_flow((5.0, 2.0), (-3.0, 0.0)), *content, taken=(1, 0))
    assert read(swapped.offsets) == pytest.approx(np.sqrt(64 + 4) - NEAR, abs=1e-4)
    close = score(make_flow((4.0, 4.0), (-3.0, 2.0)), *content, taken=(0, 1))
    assert read(close.offsets) == 0.0  # pixels themselves tell the rest


def test_wrong_flow_counts_by_what_is_fetched() -> None:
    content = make_surface(5, 2), make_surface(-3, 0)
    flow = make_flow((0.0, 0.0), (-3.0, 0.0), shares=(0.2, 0.8))
    assert read(score(flow, *content, taken=(0, 1)).offsets) == pytest.approx(0.2 * (np.sqrt(29) - NEAR), abs=1e-4)
    score(flow, *content, taken=(0, 1)).offsets.backward()
    assert flow.shares.grad is None or not flow.shares.grad.any()  # no reason to fetch it elsewhere


def test_gradients_point_to_the_right_place() -> None:
    flow = make_flow((0.0, 0.0))
    score(flow, make_surface(5, 2), taken=(0,)).offsets.backward()
    assert flow.offsets.grad is not None
    moved = flow.offsets.grad.sum(dim=(0, 1, 2, 3))
    assert moved[0] < 0  # downhill is to the right and down
    assert moved[1] < 0
    asked = flow.offsets.grad[0, 0].abs().sum(dim=-1) > 0
    assert int(asked.sum()) == 36  # the block, and nothing where nobody knows


def test_shares_should_be_with_who_shows_the_point() -> None:
    empty = torch.zeros(SIDE, SIDE, 4, dtype=torch.uint8)
    offsets = ((0.0, 0.0), (0.0, 0.0))
    good = score(make_flow(*offsets, shares=(0.9, 0.1)), make_surface(), empty, taken=(0, 1))
    assert read(good.shares) == pytest.approx(-np.log(0.9), abs=1e-5)
    both = score(make_flow(*offsets, shares=(0.9, 0.1)), make_surface(), make_surface(), taken=(0, 1))
    assert read(both.shares) == pytest.approx(0.0, abs=1e-5)


def test_a_mirror_shows_the_other_hand() -> None:
    # What stands right of the middle of the body, seen in a mirror, is what stands left of it.
    own = make_surface()
    flipped = own.flip(1)
    flipped[..., 0] = torch.where(flipped[..., 3] > 0, 255 - flipped[..., 0], 0)
    right = score(make_flow((0.0, 0.0)), flipped, taken=(1,), mirrored=True)
    assert read(right.offsets) == pytest.approx(0.0, abs=1e-5)
    assert read(right.shares) == pytest.approx(0.0, abs=1e-5)
    unmirrored = score(make_flow((0.0, 0.0)), flipped, taken=(0,), mirrored=True)
    assert read(unmirrored.offsets) == 0.0  # other points: it shows none of them


def test_what_nobody_knows_costs_nothing() -> None:
    unknown = torch.zeros(1, SIDE, SIDE, 4, dtype=torch.uint8)
    flow = make_flow((9.0, 9.0))
    shown = pack_surfaces(unknown[None], mirrored=True)
    for target in (unknown, make_surface()[None]):
        found = score_flow(flow, take(0), PLACES, target, shown, PATCH)
        assert read(found.offsets) == read(found.shares) == 0.0
    (found.offsets + found.shares).backward()
    assert flow.offsets.grad is not None
    assert not flow.offsets.grad.any()


def test_codes_near_the_top_are_told_apart_in_bfloat16_too() -> None:
    content = make_surface(5, 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = score(make_flow((5.0, 2.0)), content, taken=(0,))
    assert read(found.offsets) == pytest.approx(0.0, abs=1e-5)


def test_a_few_pixels_of_each_frame_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(true_flow, "PIXELS", 10)
    flow = make_flow((0.0, 0.0))
    score(flow, make_surface(5, 2), taken=(0,)).offsets.backward()
    assert flow.offsets.grad is not None
    assert int((flow.offsets.grad.abs().sum(dim=-1) > 0).sum()) == 10  # known ones first
