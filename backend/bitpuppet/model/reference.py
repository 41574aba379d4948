"""References: the content frames whose motion is nearest to the motion that is asked for.

What K vectors say about a garment that training never showed is not enough to draw it. The nearest frames of the same
character are often most of the answer: they enter the denoiser beside the noisy frame ("concatenated to the noisy
input", as the paper does with content), and the palette head can point at their pixels. Which frames are nearest
follows from quantized motion alone, so nothing passes that the bitrate does not count.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.content import HIDDEN
from bitpuppet.model.metric import Metric
from bitpuppet.model.pieces import Candidates

BLOCKS = 2
"""Blocks of a token, along each side, that point each for itself."""
SHIFT = 2
"""Pixels to each side by which a block may point beside its own place, as block motion in a video codec."""
SHIFTS = (2 * SHIFT + 1) ** 2
LEAST_RELATIVE = 8
"""Frames of a driver from which on one of them is taken for a known one, see `References.take_over`."""
ROWS = "b ... -> (r b) ..."
"""All clips `r` times, one row of them after the other."""
LEAD = 40.0
"""Of frames that the first character of a bank lends: they are drawn for the very pose. Codewords of a group are 13 to
18 apart, so a content frame of another pose comes before them only where it shares most of its codewords."""


class Nearest(NamedTuple):
    """Which frames were taken, for F frames that are asked for."""

    frames: Tensor
    """Numbers of content frames, nearest first, int64 (F, count) or fewer where there are fewer."""
    weights: Tensor
    """Of the same shape; they add up to 1."""
    sameness: Tensor
    """1 where the nearest one has the very codewords that are asked for, down to 0, (F,)."""


class References(NamedTuple):
    """The content frames of B characters, to choose references from."""

    tokens: Tensor
    """Clean tokens, (B, N, tokens, D)."""
    motion: Tensor
    """Quantized motion, (B, N, motion_width); of what a mirror shows, what `Denoiser.know_mirrored` makes of it."""
    mask: Tensor
    """Which frames count, bool (B, N)."""
    numbers: Tensor | None
    """The palette entry of each pixel, uint8 (B, N, H, W); None without a palette."""
    lead: Tensor | None = None
    """How much nearer than its motion says a frame counts, in squared distance, (B, N); None for nothing."""
    trust: float = 0.0
    """Weight of a frame with a lead as a reading of its own, see `readings`."""
    turns: Tensor | None = None
    """Which of the frames that are asked for a frame with a lead was taken for, from 1 on, int64 (B, N); 0 for none of
    them more than others. Frames of one animation may have the same motion; their order tells them apart."""

    def join(self, more: References) -> References:
        """These frames and more ones of the same characters."""
        numbers = None if self.numbers is None or more.numbers is None else torch.cat([self.numbers, more.numbers], 1)
        own, other = (*self[:3], self.leads()), (*more[:3], more.leads())
        tokens, motion, mask, lead = (torch.cat([a, b.to(a.dtype)], 1) for a, b in zip(own, other, strict=True))
        turns = torch.cat([self.list_turns(), more.list_turns()], 1)
        return References(tokens, motion, mask, numbers, lead, max(self.trust, more.trust), turns)

    def multiply(self, times: int) -> References:
        """All characters so many times, one row of them after the other."""
        tokens, motion, mask = (repeat(part, ROWS, r=times) for part in self[:3])
        numbers, lead, turns = (
            None if part is None else repeat(part, ROWS, r=times) for part in (self.numbers, self.lead, self.turns)
        )
        return References(tokens, motion, mask, numbers, lead, self.trust, turns)

    def leads(self) -> Tensor:
        """Leads, where none are given too."""
        return torch.zeros_like(self.motion[..., 0]) if self.lead is None else self.lead

    def list_turns(self) -> Tensor:
        """Turns, where none are given too."""
        return torch.zeros_like(self.mask, dtype=torch.long) if self.turns is None else self.turns

    def measure(self, motion: Tensor, metric: Metric) -> Tensor:
        """How far each frame is from quantized motion (F, motion_width) of B clips: (F, N); far, if it does not count.

        Args:
            motion: codewords side by side.
            metric: what makes codewords comparable.
        """
        wanted = rearrange(motion.float(), "(b t) w -> b t w", b=len(self.motion))
        distances = metric.measure(wanted, self.motion.float())
        if self.lead is not None:
            distances = distances - self.lead[:, None]
        found: Tensor = rearrange(distances - self.mask.logical_not()[:, None] * HIDDEN, "b t n -> (b t) n")
        return found

    def take_over(self, motion: Tensor) -> Tensor:
        """Motion of a driver, (B, T, motion_width), moved so that its frame that is most like one of these is that one.

        What all of a driver's tokens say of themselves drops out, and what moves stays; somebody who drives themselves
        stays where they are. It takes no more bits. Fewer than LEAST_RELATIVE frames would be taken for what is known,
        and stay as they are.

        Returns:
            Of the same shape.
        """
        if motion.shape[1] < LEAST_RELATIVE:
            return motion
        apart = torch.cdist(motion.float(), self.motion.float()) + self.mask.logical_not()[:, None] * -HIDDEN
        nearest = apart.flatten(1).argmin(dim=1)
        clips = torch.arange(len(motion), device=motion.device)
        driver, own = nearest // apart.shape[2], nearest % apart.shape[2]
        return motion + (self.motion[clips, own] - motion[clips, driver]).to(motion.dtype)[:, None]

    def find_nearest(
        self, motion: Tensor, closeness: Tensor, metric: Metric, count: int, passed: int | Tensor = 0
    ) -> Nearest:
        """The frames of each clip that are nearest, as `measure` does.

        Args:
            motion: codewords side by side.
            closeness: how fast the weight of a frame falls with the squared distance, a scalar.
            metric: see `measure`.
            count: how many are taken, 1 or more. More than one, so that the choice has a gradient: motion moves
                towards the better one.
            passed: how many of the nearest are passed over, 0..N-1; or how many for each clip, int64 (B,), where frames
                after the last one have no weight.
        """
        distances = self.measure(motion, metric)
        # Stable, so that frames equally near have one order, however many are passed over or padded.
        values, indices = distances.sort(dim=1, stable=True)
        if isinstance(passed, int):
            frames, apart = (part[:, passed : passed + count] for part in (indices, values))
        else:
            taken = passed.repeat_interleave(len(motion) // len(passed))[:, None] + torch.arange(count).to(passed)
            beyond = taken >= values.shape[1]
            frames, apart = (part.gather(1, taken.masked_fill(beyond, 0)) for part in (indices, values))
            apart = apart.masked_fill(beyond, -2 * HIDDEN)
        weights = torch.softmax(-closeness * apart, dim=1)
        return Nearest(frames, weights, torch.exp(-closeness.detach() * apart[:, 0].clamp(min=0)))

    def mix_tokens(self, nearest: Nearest, places: Tensor | None, given: Tensor | None = None) -> Tensor:
        """The mean of the nearest frames' tokens, (F, L, D), at `places` (F, L) or at all places.

        `given`: what stands for the frames' tokens at these places, (F, frames, L, D), where motion has moved them.
        """
        if given is not None:
            tokens = given
        elif places is None:
            tokens = self.take_tokens(nearest)
        else:
            tokens = self.tokens[self._clips(nearest)[:, :, None], nearest.frames[:, :, None], places[:, None]]
        return (tokens * nearest.weights[:, :, None, None]).sum(dim=1)

    def take_numbers(self, nearest: Nearest, places: Tensor | None, patch: int) -> Tensor:
        """Palette entries that each pixel may point at.

        Returns:
            int64 (F, L * pixels, frames * SHIFTS); beyond the canvas all is transparent.
        """
        if self.numbers is None:
            raise ValueError("pointing at pixels needs a palette")
        margins = nn.functional.pad(self.numbers[self._clips(nearest), nearest.frames], (SHIFT, SHIFT, SHIFT, SHIFT))
        sought = find_shifted(margins.shape[2], margins.shape[3], patch).to(margins.device)
        # One table for all frames side by side, looked up in the order in which it is needed, and long before it grows
        # by SHIFTS: to copy views, or another type, takes longer than to look up.
        pixels = rearrange(margins, "f r h w -> f (r h w)").long()
        frames, area = margins.shape[1], margins.shape[2] * margins.shape[3]
        table = (
            rearrange(sought, "l n s -> l n 1 s")
            + rearrange(torch.arange(frames, device=sought.device), "r -> r 1") * area
        )
        if places is not None and (torch.is_grad_enabled() or bool((places != places[0]).any())):
            sought = rearrange(table[places], "f l n r s -> f (l n r s)")
        else:  # one row for all frames, which is seven times as fast
            row = table if places is None else table[places[0]]
            sought = repeat(row, "l n r s -> f (l n r s)", f=len(pixels))
        found = torch.gather(pixels, 1, sought)
        return rearrange(found, "f (n s) -> f n s", s=frames * SHIFTS)

    def take_tokens(self, nearest: Nearest) -> Tensor:
        """Clean tokens of the frames that were taken, (F, frames, tokens, D)."""
        return self.tokens[self._clips(nearest), nearest.frames]

    def take_candidates(self, nearest: Nearest) -> Candidates | None:
        """The frames that were taken, for `pieces`; None without a palette."""
        if self.numbers is None:
            return None
        clips = self._clips(nearest)
        return Candidates(self.numbers[clips, nearest.frames], self.mask[clips, nearest.frames])

    def take_motion(self, nearest: Nearest) -> Tensor:
        """Quantized motion of the frames that were taken, (F, frames, motion_width)."""
        return self.motion[self._clips(nearest), nearest.frames]

    def _clips(self, nearest: Nearest) -> Tensor:
        """Which clip each frame belongs to, (F, 1)."""
        frames = len(nearest.frames) // len(self.tokens)
        return torch.arange(len(self.tokens), device=self.tokens.device).repeat_interleave(frames)[:, None]


def find_shifted(height: int, width: int, patch: int) -> Tensor:
    """Where the pixels of each token stand in a frame with margins of SHIFT, for each shift.

    Args:
        height: of the frame with its margins, in pixels; without them it divides by `patch`.
        width: the same.
        patch: side of a token's patch.

    Returns:
        Pixels counted row by row, int64 (tokens, pixels of a token, SHIFTS).
    """
    pixels = torch.arange(height * width).view(height, width)
    inside = pixels[: height - 2 * SHIFT, : width - 2 * SHIFT]
    first = rearrange(inside, "(h p) (w q) -> (h w) (p q) 1", p=patch, q=patch)
    return first + pixels[: 2 * SHIFT + 1, : 2 * SHIFT + 1].flatten()


def mirror(frames: Tensor) -> Tensor:
    """Frames (B, N, H, W, ...), and along N after them what a mirror shows of them: (B, 2 N, H, W, ...).

    Most characters look to the left as they do to the right, and content may show one side only.
    """
    return torch.cat([frames, frames.flip(3)], dim=1)


class Pointer(nn.Module):
    """For each pixel how strongly, and for each block from which shifts, the references' colours are asked for.

    It starts by asking for the pixels at the same place.
    """

    def __init__(self, width: int, patch: int, nearest: int) -> None:
        super().__init__()
        self.patch, self.pixels, self.nearest = patch, patch**2, nearest
        self.ask = nn.Linear(width, self.pixels + BLOCKS**2 * nearest * SHIFTS)
        nn.init.zeros_(self.ask.weight)
        nn.init.zeros_(self.ask.bias)
        with torch.no_grad():
            self.ask.bias[: self.pixels] = 2.0
            self.ask.bias[self.pixels + SHIFTS // 2 :: SHIFTS] = 4.0

    def forward(self, hidden: Tensor, logits: Tensor, nearest: Nearest, numbers: Tensor) -> Tensor:
        """Add the votes for the references' colours to logits.

        Args:
            hidden: (F, L, width).
            logits: (F, L * pixels, P).
            nearest: from `References.find_nearest`.
            numbers: from `References.take_numbers`.
        """
        frames = nearest.frames.shape[1]
        asked = self.ask(hidden).float()
        shifts = rearrange(asked[..., self.pixels :], "f l (b r s) -> f l b r s", b=BLOCKS**2, r=self.nearest)[
            ..., :frames, :
        ]
        chances = torch.softmax(shifts, dim=-1) * nearest.weights[:, None, None, :, None]
        chances = rearrange(chances, "f l (y x) r s -> f l y 1 x 1 (r s)", y=BLOCKS)
        strength = rearrange(
            asked[..., : self.pixels],
            "f l (y p x q) -> f l y p x q 1",
            y=BLOCKS,
            x=BLOCKS,
            p=self.patch // BLOCKS,
            q=self.patch // BLOCKS,
        )
        # Contiguous first: a product of two views has their order, and is copied value by value afterwards.
        votes = rearrange(strength.contiguous() * chances.contiguous(), "f l y p x q s -> f (l y p x q) s")
        return logits.float().scatter_add_(-1, numbers, votes)
