"""Pieces: what the palette head says pixel by pixel is held against whole pieces of the character's own frames.

The head says for each pixel how likely each colour is, and every pixel chooses for itself. Where it is unsure between
two shades, pixels of one fold or of one outline choose differently, and what comes out is in no frame of the character.
In a piece of one of its frames pixels belong together. So for each window of the canvas the piece is sought that has
most pixels right by expectation, which is the sum of the chances of its colours, and each pixel gets votes for the
colours of the pieces that cover it. Windows get smaller from pass to pass: the first decides which pose a frame is
like, the next move its parts. Where nothing fits there are no votes, and the head stays alone. What the frame before
and the frame after vote for counts as well, for colours that the head expects in both.

As in image quilting (Efros and Freeman 2001, https://doi.org/10.1145/383259.383296) and in motion compensation, but by
chances instead of differences of colours. It takes nothing but content and what the head has said, so no bits.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn

PASSES = (32, 16, 8)
"""Sides of the windows of each pass, in pixels of a canvas of 64; they overlap by half."""
REACH = 2
"""Pixels to each side by which a piece may lie beside the window."""
FRAMES = 16
"""Content frames, of what a mirror shows too, in which pieces of a frame are sought: those with the nearest motion."""
KEPT = (FRAMES, 8, 4)
"""How many of them each pass looks at: those that most windows of the pass before chose."""
DOUBT, TRUST = 0.6, 0.9
"""A piece has no votes where its pixels have this share of the chances of the best colours, and all of them from the
other share on."""
COARSE = 3.0
"""Weight of a vote in the passes before the last one, in the logarithm of a chance."""
FINE = 0.5
"""Weight of a vote in the last pass, as a chance. Surer pixels are not outvoted."""
AGREEMENT = 2.0
"""Weight of the votes of the frame before and the frame after, for colours of which both frames' chances are 1, where
a pixel has none of its own; less the more of these it has.

Pieces of neighbouring frames come from different frames of the character, and what should stay would flicker.
"""
NEIGHBOURS = len(PASSES)
"""Frames to each side that a frame depends on: in each pass its neighbours vote."""
_NEARER = 1e-3
"""By so much of a window's pixels less a piece counts for each pixel that it lies beside the window."""
_EMPTY = 0.03
"""Windows in which a smaller share of the pixels shows anything are left alone."""
_SPARSE = 16
"""Windows of this side and larger ones are compared at one pixel in four."""
_AT_ONCE = 1 << 23
"""Chances that are looked at together, 32 MiB of float32: 40 frames of 64x64 pixels with 50 colours."""


class Candidates(NamedTuple):
    """Frames to take pieces from, for F frames; those with the nearest motion first."""

    numbers: Tensor
    """Palette entries of their pixels, (F, N, H, W)."""
    mask: Tensor
    """Which of them count, bool (F, N)."""


class _Surrounded(NamedTuple):
    """Candidates as they are looked up: side by side for each pixel, with transparent margins of REACH."""

    numbers: Tensor
    """int64 (F, H + 2 REACH, W + 2 REACH, N)."""
    mask: Tensor
    """As of `Candidates`."""


class Pieces(NamedTuple):
    """The best piece for each window of F frames, windows row by row."""

    numbers: Tensor
    """Palette entries of its pixels, int64 (F, rows, columns, side, side)."""
    fit: Tensor
    """Chances of its colours as a share of those of the best colours, (F, rows, columns), where either shows something;
    0 where hardly anything does."""
    chosen: Tensor
    """Which candidate it is of, int64 (F, rows, columns)."""


def consult_pieces(chances: Tensor, candidates: Candidates, scale: int = 1, clips: int = 1) -> Tensor:
    """Chances with the votes of pieces, and with those of the frames before and after where they agree.

    Args:
        chances: of each palette entry, the first of which is transparent, (F, H, W, P); they add up to 1.
        candidates: more than FRAMES are not looked at.
        scale: pixels to one of a canvas of 64, along each side; windows are so many times larger.
        clips: F / clips frames each, side by side and in time order. A frame sees NEIGHBOURS to each side.

    Returns:
        (F, H, W, P): chances and votes together; they add up to more than 1 where there are votes.
    """
    frames, told = len(chances) // clips, []
    at_once = max(1, _AT_ONCE // chances[0].numel())
    for clip in range(clips):
        for start in range(0, frames, at_once):
            stop = min(frames, start + at_once)
            first, last = max(0, start - NEIGHBOURS), min(frames, stop + NEIGHBOURS)
            seen = slice(clip * frames + first, clip * frames + last)
            offered = Candidates(candidates.numbers[seen, :FRAMES], candidates.mask[seen, :FRAMES])
            told.append(_consult(chances[seen], offered, scale)[start - first : stop - first])
    return torch.cat(told)


def _consult(said: Tensor, offered: Candidates, scale: int) -> Tensor:
    """`consult_pieces` for the frames of one clip that are looked at together."""
    sides = [scale * side for side in PASSES if scale * side <= min(said.shape[1:3])]
    around, found, fused = _surround(offered), None, said.clone()
    shown = _find_shown(said, offered)  # elsewhere votes are for what is sure already
    own = said[:, shown[0], shown[1]]
    both = AGREEMENT * (own[1:] * own[:-1]).sqrt()
    for side, kept in zip(sides, KEPT, strict=False):
        if found is not None:
            around = _keep_chosen(around, found, kept)
        rows, columns = (_widen(stretch, side, size) for stretch, size in zip(shown, said.shape[1:3], strict=True))
        inside = _Surrounded(around.numbers[:, _surround_stretch(rows), _surround_stretch(columns)], around.mask)
        found = _find_pieces(fused[:, rows, columns], inside, side)
        given = _count_votes(found, said[:, rows, columns])
        given = given[:, _cut(shown[0], rows), _cut(shown[1], columns)]
        missing = (1 - given.sum(dim=-1, keepdim=True)).clamp(min=0)
        votes = given.clone()
        votes[1:] += missing[1:] * both * given[:-1]
        votes[:-1] += missing[:-1] * both * given[1:]
        if side != sides[-1]:
            told = own * torch.exp(COARSE * votes)
            told = told / told.sum(dim=-1, keepdim=True)
        else:
            told = own + FINE * votes
        fused[:, shown[0], shown[1]] = told
    return fused


def _find_shown(said: Tensor, offered: Candidates) -> tuple[slice, slice]:
    """The rows and columns in which the head or a candidate, moved by up to REACH, shows anything."""
    pieces = offered.numbers.amax(dim=(0, 1)).float()
    near = nn.functional.max_pool2d(pieces[None], 2 * REACH + 1, 1, REACH)[0] > 0
    seen = near | (said[..., 0] < said[..., 1:].amax(dim=-1)).any(dim=0)
    found = []
    for axis in (1, 0):
        places = seen.any(dim=axis).nonzero()[:, 0].tolist()
        found.append(slice(places[0], places[-1] + 1) if places else slice(0, 1))
    return found[0], found[1]


def _widen(stretch: slice, side: int, size: int) -> slice:
    """What all windows cover that show anything, in whole windows of the canvas; at least one of them."""
    half = side // 2
    start = max(0, (stretch.start // half - 1) * half)
    stop = min(size, (-(-stretch.stop // half) + 1) * half)
    return slice(min(start, size // half * half - side), max(stop, start + side))


def _cut(stretch: slice, part: slice) -> slice:
    """A stretch of the canvas, counted from where a part of it begins."""
    return slice(stretch.start - part.start, stretch.stop - part.start)


def _surround_stretch(stretch: slice) -> slice:
    """A stretch of the canvas in frames with margins."""
    return slice(stretch.start, stretch.stop + 2 * REACH)


def _keep_chosen(around: _Surrounded, found: Pieces, kept: int) -> _Surrounded:
    """At most `kept` candidates: those that most pieces are of, nearer ones where as many are."""
    count = around.mask.shape[1]
    windows = nn.functional.one_hot(rearrange(found.chosen, "f r c -> f (r c)"), count)
    fitting = rearrange(found.fit, "f r c -> f (r c) 1") > 0
    chosen = reduce(windows * fitting, "f w n -> f n", "sum")
    best = torch.sort(chosen, dim=1, descending=True, stable=True).indices[:, :kept].sort(dim=1).values
    numbers = torch.take_along_dim(around.numbers, rearrange(best, "f k -> f 1 1 k"), dim=-1)
    return _Surrounded(numbers, around.mask.gather(1, best))


def find_pieces(chances: Tensor, candidates: Candidates, side: int) -> Pieces:
    """For each window the piece that has most pixels right by expectation.

    Args:
        chances: (F, H, W, P).
        candidates: for F frames.
        side: of a window, even, at most H and W.
    """
    return _find_pieces(chances, _surround(candidates), side)


def _surround(candidates: Candidates) -> _Surrounded:
    around = nn.functional.pad(candidates.numbers, (REACH, REACH, REACH, REACH))
    return _Surrounded(rearrange(around, "f n h w -> f h w n").contiguous().long(), candidates.mask)


def _find_pieces(chances: Tensor, around: _Surrounded, side: int) -> Pieces:
    device = chances.device
    chosen, moved = _seek(chances, around, side)
    inside = torch.arange(side, device=device)
    y, x = (torch.arange(count, device=device) * (side // 2) for count in chosen.shape[1:])
    rows, columns = rearrange(y, "r -> r 1 1 1") + inside[:, None], rearrange(x, "c -> 1 c 1 1") + inside
    moves = torch.tensor(_list_moves(), device=device)[moved]
    down, along = (rearrange(part, "f r c -> f r c 1 1") for part in moves.unbind(-1))
    frame = rearrange(torch.arange(len(chances), device=device), "f -> f 1 1 1 1")
    numbers = around.numbers[frame, rows + down, columns + along, rearrange(chosen, "f r c -> f r c 1 1")]

    surest, first = chances.max(dim=-1)
    visible = (numbers > 0) | (first[:, rows, columns] > 0)
    counted = rearrange(around.mask.any(dim=1), "f -> f 1 1 1 1")
    got = reduce(chances[frame, rows, columns, numbers] * visible * counted, "f r c p q -> f r c", "sum")
    most = reduce(surest[:, rows, columns] * visible, "f r c p q -> f r c", "sum")
    seen = reduce(visible.float(), "f r c p q -> f r c", "mean") > _EMPTY
    return Pieces(numbers, got / most.clamp(min=1e-6) * seen, chosen)


def _seek(chances: Tensor, around: _Surrounded, side: int) -> tuple[Tensor, Tensor]:
    """For each window which candidate the best piece is of, and the number of its move: int64 (F, rows, columns).

    Large windows are compared at one pixel in four, in every second row and column; what a piece has right is counted
    whole once it is found.
    """
    step = 2 if side >= _SPARSE else 1
    height, width = chances.shape[1:3]
    looked = chances[:, ::step, ::step].contiguous()
    window = side // step
    told = []
    for y, x in _list_moves():
        asked = around.numbers[:, y : y + height : step, x : x + width : step]
        found = rearrange(torch.gather(looked, -1, asked), "f h w n -> f n h w")
        aside = abs(y - REACH) + abs(x - REACH)
        told.append(nn.functional.avg_pool2d(found, window, window // 2) - _NEARER * aside)
    # Together: of many small tensors, each operation takes as long as of a large one.
    right = torch.stack(told, dim=1).masked_fill(~around.mask[:, None, :, None, None], -1)
    best = rearrange(right, "f m n r c -> f (m n) r c").max(dim=1).indices
    moved, chosen = best // around.mask.shape[1], best % around.mask.shape[1]
    return chosen, moved


def _count_votes(pieces: Pieces, chances: Tensor) -> Tensor:
    """Votes for each palette entry, (F, H, W, P); those of the four pieces that cover a pixel add up to at most 1."""
    weight = ((pieces.fit - DOUBT) / (TRUST - DOUBT)).clamp(0, 1) / 4
    votes = torch.zeros_like(chances)
    side = pieces.numbers.shape[-1]
    for row in (0, 1):
        for column in (0, 1):  # every second window: they stand side by side and cover each pixel once
            numbers = rearrange(pieces.numbers[:, row::2, column::2], "f r c p q -> f (r p) (c q) 1")
            worth = repeat(weight[:, row::2, column::2], "f r c -> f (r p) (c q) 1", p=side, q=side)
            top, left = row * side // 2, column * side // 2
            part = votes[:, top : top + numbers.shape[1], left : left + numbers.shape[2]]
            part.scatter_add_(-1, numbers, worth.to(votes.dtype))
    return votes


def _list_moves() -> list[tuple[int, int]]:
    """Where a piece may begin in frames with margins of REACH, row and column."""
    return [(y, x) for y in range(2 * REACH + 1) for x in range(2 * REACH + 1)]
