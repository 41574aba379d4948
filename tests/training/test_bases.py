"""Motion that is moved to another person's base."""

from __future__ import annotations

import torch

from bitpuppet.training.bases import draw_moves


def test_half_of_the_clips_move_to_the_base_of_their_neighbour() -> None:
    torch.manual_seed(0)
    bases = torch.randn(400, 6, requires_grad=True)
    moves = draw_moves(bases)
    assert not moves.requires_grad
    still = (moves == 0).all(dim=1)
    assert 140 < int(still.sum()) < 260
    torch.testing.assert_close((bases + moves)[~still], bases.roll(1, dims=0)[~still])
