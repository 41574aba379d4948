"""Pieces: chances that waver are settled by what the character's own frames show."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bitpuppet.model import pieces
from bitpuppet.model.pieces import DOUBT, FINE, FRAMES, NEIGHBOURS, REACH, Candidates, consult_pieces, find_pieces

COLOURS = 6


def draw_frames(count: int, side: int = 64, *, seed: int = 0) -> Tensor:
    """Frames of noise inside of a transparent margin, (count, side, side)."""
    numbers = torch.randint(1, COLOURS, (count, side, side), generator=torch.Generator().manual_seed(seed))
    numbers[:, : side // 8] = numbers[:, -side // 8 :] = 0
    numbers[:, :, : side // 8] = numbers[:, :, -side // 8 :] = 0
    return numbers


def offer(frames: Tensor, count: int = 1) -> Candidates:
    """Frames (N, H, W) as candidates for each of `count` frames."""
    return Candidates(frames.expand(count, *frames.shape), torch.ones(count, len(frames), dtype=torch.bool))


def waver(frames: Tensor, wrong: float, *, seed: int = 1, surest: float = 0.5) -> Tensor:
    """Chances of these frames' colours, and for a share of the opaque pixels another one that is a little likelier."""
    random = torch.Generator().manual_seed(seed)
    said = torch.full((*frames.shape, COLOURS), (1 - surest) / (COLOURS - 1))
    said.scatter_(-1, frames[..., None], surest)
    other = (frames + torch.randint(1, COLOURS, frames.shape, generator=random)) % COLOURS
    mistaken = (torch.rand(frames.shape, generator=random) < wrong) & (frames > 0)
    said = said.scatter_add(-1, other[..., None], (mistaken * surest * 1.1)[..., None])
    return said / said.sum(dim=-1, keepdim=True)


def test_a_frame_that_content_shows_is_drawn_as_it_is() -> None:
    content = draw_frames(5)
    said = waver(content[3:4], 0.2)
    assert (said.argmax(dim=-1) == content[3]).float().mean() < 0.9
    settled = consult_pieces(said, offer(content)).argmax(dim=-1)[0]
    assert torch.equal(settled[8:-8, 8:-8], content[3, 8:-8, 8:-8])


@pytest.mark.parametrize("right", [0, FRAMES - 1])
def test_later_passes_look_at_what_earlier_ones_chose(right: int) -> None:
    content = draw_frames(FRAMES)
    settled = consult_pieces(waver(content[right][None], 0.2), offer(content)).argmax(dim=-1)[0]
    assert torch.equal(settled[8:-8, 8:-8], content[right, 8:-8, 8:-8])


@pytest.mark.parametrize(("top", "left"), [(0, 0), (13, 22), (40, 41)])
def test_a_small_figure_anywhere_is_drawn_as_on_a_canvas_of_its_own(top: int, left: int) -> None:
    """Work is done where something shows; windows stand where they would stand otherwise."""
    figure = draw_frames(3, 23)
    content = torch.zeros(3, 64, 64, dtype=torch.long)
    content[:, top : top + 23, left : left + 23] = figure
    said = waver(content[1:2], 0.3)
    assert not torch.equal(said.argmax(dim=-1)[0], content[1])
    told = consult_pieces(said, offer(content))
    assert torch.equal(told.argmax(dim=-1)[0], content[1])
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[max(0, top - 3) : top + 26, max(0, left - 3) : left + 26] = False
    assert torch.equal(told[0][outside], said[0][outside])


@pytest.mark.parametrize("moved", [-REACH, 0, REACH])
def test_pieces_are_found_beside_their_place(moved: int) -> None:
    content = draw_frames(2)
    target = content[1].roll(moved, dims=1)
    settled = consult_pieces(waver(target[None], 0.2), offer(content)).argmax(dim=-1)[0]
    assert torch.equal(settled[8:-8, 12:-12], target[8:-8, 12:-12])


def test_parts_may_come_from_different_frames() -> None:
    content = draw_frames(2)
    target = torch.cat([content[0, :32], content[1, 32:]])
    said = waver(target[None], 0.2)
    before = (said.argmax(dim=-1)[0] == target).float().mean()
    settled = consult_pieces(said, offer(content)).argmax(dim=-1)[0]
    assert (settled == target).float().mean() > 0.98 > before
    assert torch.equal(settled[8:24, 8:-8], target[8:24, 8:-8]) and torch.equal(
        settled[40:56, 8:-8], target[40:56, 8:-8]
    )


def test_what_no_frame_shows_is_left_to_the_head() -> None:
    said = waver(draw_frames(1, seed=5), 0.2)
    content = draw_frames(3, seed=6)
    told = consult_pieces(said, offer(content))
    assert torch.equal(told, said)
    assert find_pieces(said, offer(content), 32).fit.max() < DOUBT


def test_sure_pixels_are_not_outvoted() -> None:
    content = draw_frames(1)
    target = content.clone()
    target[0, 30, 30] = content[0, 30, 30] % (COLOURS - 1) + 1
    told = consult_pieces(waver(target, 0.0, surest=0.5 + FINE / 2 + 0.05), offer(content))
    assert torch.equal(told.argmax(dim=-1), target)
    assert told.sum(dim=-1).max() <= 1 + FINE + 1e-5


def test_frames_depend_on_their_neighbours_alone_and_not_on_candidates_past_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = draw_frames(FRAMES + 2)
    said = waver(torch.cat([content[2:10], content[4:16]]), 0.4)
    together = consult_pieces(said, offer(content, 20), clips=2)
    first, last = 15 - NEIGHBOURS, 16 + NEIGHBOURS
    alone = consult_pieces(said[first:last], offer(content[:FRAMES], last - first))
    assert torch.equal(together[15], alone[NEIGHBOURS])
    monkeypatch.setattr(pieces, "_AT_ONCE", 1)
    assert torch.equal(together, consult_pieces(said, offer(content, 20), clips=2))


def test_what_two_frames_expect_alike_does_not_flicker() -> None:
    """One frame has a piece that fits, the frame after it nearly has one; another clip has no say."""
    target, other = draw_frames(1, seed=2), draw_frames(1, seed=4)
    sure, unsure = waver(target, 0.2), waver(target, 0.55, seed=7)
    shown = Candidates(torch.stack([target, other]), torch.ones(2, 1, dtype=torch.bool))
    said = torch.cat([sure, unsure])
    apart, together = (consult_pieces(said, shown, clips=clips).argmax(dim=-1) for clips in (2, 1))
    assert torch.equal(apart[1], unsure.argmax(dim=-1)[0])
    wrong = [(drawn[1] != target[0])[8:-8, 8:-8].float().mean() for drawn in (apart, together)]
    assert wrong[0] > 0.5 and wrong[1] < 0.1 * wrong[0]


def test_candidates_that_do_not_count_are_as_if_they_were_not_there() -> None:
    content, said = draw_frames(4), waver(draw_frames(1, seed=3), 0.3)
    few = Candidates(content[None].expand(1, 4, 64, 64), torch.tensor([[True, False, True, False]]))
    assert torch.equal(consult_pieces(said, few), consult_pieces(said, offer(content[::2])))
    none = few._replace(mask=torch.zeros(1, 4, dtype=torch.bool))
    assert torch.equal(consult_pieces(waver(content[:1], 0.2), none), waver(content[:1], 0.2))


def test_an_empty_canvas_stays_empty_and_a_small_one_is_no_error() -> None:
    empty = torch.zeros(1, 16, 16, COLOURS)
    empty[..., 0] = 1
    assert torch.equal(consult_pieces(empty, offer(torch.zeros(2, 16, 16, dtype=torch.uint8))), empty)
    tiny = waver(draw_frames(1, 4), 0.0)
    assert torch.equal(consult_pieces(tiny, offer(draw_frames(1, 4))), tiny)
