"""Temporal attention."""

from __future__ import annotations

import torch

from bitpuppet.model.temporal import REACH, TemporalBlock


def make_block() -> TemporalBlock:
    torch.manual_seed(0)
    block = TemporalBlock(16, 8, 2)
    torch.nn.init.normal_(block.out.weight)
    return block


def test_a_new_block_changes_nothing() -> None:
    tokens = torch.randn(6, 4, 16)
    torch.testing.assert_close(TemporalBlock(16, 8, 2)(tokens, 2), tokens)


def test_a_frame_sees_its_neighbours_within_reach_at_its_own_place_and_in_its_own_clip() -> None:
    block, tokens = make_block(), torch.randn(20, 4, 16)
    changed = tokens.clone()
    changed[4, 2] += torch.randn(16)
    differs = (block(tokens, 2) - block(changed, 2)).abs().amax(dim=-1) > 1e-5
    frames, places = differs.nonzero().T
    assert set(places.tolist()) == {2}
    assert set(frames.tolist()) == set(range(4 - REACH, 4 + REACH + 1))
    last = tokens.clone()
    last[9] += torch.randn(4, 16)  # the first clip's last frame
    assert torch.equal(block(tokens, 2)[10:], block(last, 2)[10:])


def test_order_matters() -> None:
    block, tokens = make_block(), torch.randn(4, 3, 16)
    torch.nn.init.normal_(block.distances)
    assert not torch.allclose(block(tokens, 1).flip(0), block(tokens.flip(0), 1))
