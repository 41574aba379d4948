"""Readings: several looks from pure noise, each beside other references, and their mean.

A sampler that goes down from the first look gains nothing where that look is nearly right, and what it gets wrong stays
wrong. What some references hide or shade, the next ones show (docs/method.md has figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor

from bitpuppet.model.codec import EMPTY
from bitpuppet.model.denoiser import Denoiser, Lent, Memory
from bitpuppet.model.diffusion import StepCallback, precondition
from bitpuppet.model.pieces import FRAMES, consult_pieces
from bitpuppet.model.preset import Preset
from bitpuppet.model.reference import ROWS

TOGETHER = 64
"""Most frames of readings that are taken together; three readings of few frames take two thirds of the time then."""


class Window(NamedTuple):
    """A stretch of time that is drawn at once, and what temporal attention sees around it; frames of each clip."""

    first: int
    start: int
    stop: int
    last: int

    def see(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """All frames of the window, (B * T', ...) of (B, T, ...)."""
        return tuple(rearrange(part[:, self.first : self.last], "b t ... -> (b t) ...") for part in parts)

    def keep(self, drawn: Tensor, clips: int) -> Tensor:
        """Those that count, (B, T'', ...) of (B * T', ...)."""
        inside = slice(self.start - self.first, self.stop - self.first)
        return rearrange(drawn, "(b t) ... -> b t ...", b=clips)[:, inside]


def cut_windows(frames: int, at_once: int, overlap: int) -> list[Window]:
    """Windows that count `at_once` frames each, or fewer at the end, and see `overlap` more on both sides."""
    starts = range(0, frames, at_once)
    ends = [min(frames, start + at_once) for start in starts]
    return [
        Window(max(0, start - overlap), start, end, min(frames, end + overlap))
        for start, end in zip(starts, ends, strict=True)
    ]


def average_readings(
    denoiser: Denoiser,
    preset: Preset,
    memory: Memory,
    condition: Tensor,
    noise: Tensor,
    windows: Sequence[Window],
    steps: int,
    callback: StepCallback | None = None,
) -> Tensor:
    """Draw clean tokens as the mean of what the head says at sigma_max in each reading.

    A reading weighs less the farther its references are; where they run out, further steps change nothing. With a head
    of values, pixels are fetched from several references at once, and each reading passes over one more of the nearest.

    With a palette head the first reading is beside the two nearest, the next beside the next two. Later ones look at
    the tokens in which content shows anything; of the others, which are hardly ever more than empty, the first one has
    the say. After the last reading, pieces of the character's own frames are held against the mean (`pieces`). What a
    bank lends for the very pose stands beside their mean, with the weight that its trust is: however many steps there
    are, it counts the same.

    Args:
        denoiser: with references.
        preset: its preset.
        memory: of B clips.
        condition: quantized motion, (B, T, motion_width).
        noise: unit normal, (B * T, N, D).
        windows: of T frames. They are drawn one after the other, so no more than one window's chances are in memory.
        steps: readings, 1 or more.
        callback: called `steps` times, whenever so large a part of the work is done; what is not drawn yet is empty.

    Returns:
        (B * T, N, D).
    """
    clips = len(condition)
    c = precondition(preset, noise.new_full((len(noise),), preset.sigma_max))
    split = (rearrange(part, "(b t) ... -> b t ...", b=clips) for part in (c.scale * noise * preset.sigma_max, c.noise))
    parts = [*split, condition]
    drawn = torch.full_like(parts[0], EMPTY)
    for number, window in enumerate(windows):
        tokens, level, motion = window.see(*parts)
        seen = tokens, level, motion
        if preset.head == "palette":
            lent = denoiser.take_lent(motion, memory, window.first)
            looks = _take_looks(denoiser, preset, memory, seen, clips, steps)
        else:
            lent, looks = None, _take_values(denoiser, memory, seen, steps)
        for reading, clean in enumerate(looks):
            if reading + 1 < steps and callback is None:
                continue
            if preset.head == "palette":
                last = reading + 1 == steps
                clean = _choose_colours(denoiser, preset, memory, motion, clean, lent, last=last)
            drawn[:, window.start : window.stop] = window.keep(clean, clips).to(drawn.dtype)
            done = number * steps + reading + 1
            if callback is not None and done % len(windows) == 0:
                callback(done // len(windows), steps, rearrange(drawn.clone(), "b t ... -> (b t) ..."))
    return rearrange(drawn, "b t ... -> (b t) ...")


def _take_values(
    denoiser: Denoiser, memory: Memory, seen: tuple[Tensor, Tensor, Tensor], steps: int
) -> Iterator[Tensor]:
    """The same as `_take_looks` of a head of values: tokens (F, N, D)."""
    tokens, level, motion = seen
    total, said = torch.zeros_like(level), torch.zeros_like(tokens)
    for reading in range(steps):
        weight = denoiser.weigh_reading(motion, memory, reading)
        if bool(weight.any()):
            look = denoiser.read_out(denoiser(tokens, level, motion, memory, passed=reading), memory)
            said, total = said + weight[:, None, None] * look.float(), total + weight
        yield said / total[:, None, None]


def _take_looks(
    denoiser: Denoiser, preset: Preset, memory: Memory, seen: tuple[Tensor, Tensor, Tensor], clips: int, steps: int
) -> Iterator[Tensor]:
    """The mean of the first reading, of the first two, and so on, `steps` times: chances (F, tokens * pixels, P).

    Args:
        denoiser: as for `average_readings`, and so on.
        preset: its preset.
        memory: of the clips.
        seen: noisy tokens, noise levels and motion of F frames, clip after clip.
        clips: how many there are.
        steps: readings.
    """
    tokens, level, motion = seen
    count, frames = tokens.shape[1], len(motion) // clips
    places = denoiser.list_shown(memory, frames)
    first = mean = torch.softmax(denoiser(tokens, level, motion, memory).float(), dim=-1)
    yield mean
    weights = [denoiser.weigh_reading(motion, memory, reading * preset.nearest) for reading in range(steps)]
    chances, total, some = _take(mean, places, count), weights[0], _take(tokens, places, count)
    at_once = max(1, TOGETHER // len(motion))
    for start in range(1, steps, at_once):
        group = range(start, min(steps, start + at_once))
        counted = [reading for reading in group if bool(weights[reading].any())]
        times, said = len(counted), dict[int, Tensor]()
        if counted:
            passed = torch.tensor(counted, device=motion.device).repeat_interleave(clips) * preset.nearest
            asked = (repeat(part, ROWS, r=times) for part in (some, level, motion))
            where = None if places is None else repeat(places, ROWS, r=times)
            logits = denoiser(*asked, memory.multiply(times), where, passed=passed)
            said = dict(zip(counted, torch.softmax(logits.float(), dim=-1).chunk(times), strict=True))
        for reading in group:
            if reading in said:
                chances = chances + weights[reading][:, None, None] * said[reading]
                total = total + weights[reading]
                mean = _put(first, places, count, chances / total[:, None, None])
            yield mean


def _choose_colours(
    denoiser: Denoiser, preset: Preset, memory: Memory, motion: Tensor, mean: Tensor, lent: Lent | None, *, last: bool
) -> Tensor:
    """Clean tokens (F, N, D) for means of readings (F, tokens * pixels, P); after the `last`, pieces have a say."""
    if last and preset.pieces:
        mean = _consult(denoiser, preset, memory, motion, mean)
    if lent is not None:
        worth = repeat(lent.worth, "f -> f s 1", s=mean.shape[1])
        mean = mean.scatter_add(-1, lent.numbers[..., None], worth)
    return denoiser.read_out(mean.log(), memory)


def _take(tokens: Tensor, places: Tensor | None, count: int) -> Tensor:
    """Those of `count` tokens that are at `places` (F, L): (F, L * n, ...) of (F, count * n, ...)."""
    if places is None:
        return tokens
    split = rearrange(tokens, "f (l n) c -> f l n c", l=count)
    taken = split[torch.arange(len(split), device=split.device)[:, None], places]
    return rearrange(taken, "f l n c -> f (l n) c")


def _put(tokens: Tensor, places: Tensor | None, count: int, new: Tensor) -> Tensor:
    """`tokens` with `new` ones at `places`, the other way round."""
    if places is None:
        return new
    split = rearrange(tokens, "f (l n) c -> f l n c", l=count).clone()
    split[torch.arange(len(split), device=split.device)[:, None], places] = rearrange(
        new, "f (l n) c -> f l n c", l=places.shape[1]
    )
    return rearrange(split, "f l n c -> f (l n) c")


def _consult(denoiser: Denoiser, preset: Preset, memory: Memory, motion: Tensor, mean: Tensor) -> Tensor:
    """The mean of the readings, (F, tokens * pixels, P), with what pieces of the character's frames say."""
    candidates = denoiser.list_nearby(motion, memory, FRAMES)
    if candidates is None:
        return mean
    form = {"h": preset.canvas // preset.patch, "p": preset.patch, "q": preset.patch}
    picture = rearrange(mean, "f (h w p q) c -> f (h p) (w q) c", **form)
    return rearrange(
        consult_pieces(picture, candidates, preset.stem_scale, len(memory.bias)),
        "f (h p) (w q) c -> f (h w p q) c",
        **form,
    )
