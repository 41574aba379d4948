"""Training the motion prior on motion tokens of whole animations."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitpuppet.data.animations import (
    Animation,
    draw_benchmark,
    draw_heads,
    draw_lpc,
    draw_puppets,
    draw_rendered,
    play,
)
from bitpuppet.data.heads import list_heads, split_heads
from bitpuppet.data.rendered import open_rendered
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import autocast
from bitpuppet.model.prior import MotionPrior, PriorSizes
from bitpuppet.model.prior_weights import save_prior

Watch = Callable[[str, int, int | None, str], None]
"""(what is being done, how much is done, of how much if that is known, a note); what it raises ends the training."""


@dataclass(frozen=True)
class PriorRecipe:
    """How a motion prior is trained. The defaults are those of the shipped one."""

    steps: int = 1500
    """Optimizer steps."""
    batch: int = 32
    """Sequences in a step."""
    rate: float = 2e-3
    """Highest learning rate (AdamW)."""
    warmup: int = 50
    """Steps of linear warm-up; from there the rate falls to zero along a cosine."""
    weight_decay: float = 0.05
    clip: float = 1.0
    """Largest norm of the gradient."""
    benchmark_characters: int = 120
    """Training characters of the Sprites benchmark, with nine motions each."""
    lpc_characters: int = 60
    """LPC characters, with all their rows."""
    puppets: int = 120
    puppet_motions: int = 10
    """Motions of each puppet."""
    weights: tuple[float, float, float] = (0.35, 0.25, 0.4)
    """Shares of benchmark, LPC and puppets in a batch."""
    slow: float = 0.15
    """Share of sequences in which each frame is held for two ticks."""
    aimed: float = 0.5
    """Share of sequences that are told a goal."""
    retimed: float = 0.6
    """Share of those whose way to the goal is longer or shorter than the animation has it."""
    strange: float = 0.5
    """Share of sequences whose motion tokens are changed, so that they can be told from what was just seen alone."""
    seed: int = 0
    """Of characters, weights and sequences."""

    def to_metadata(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    def scale(self, factor: float) -> PriorRecipe:
        """The recipe with `factor` times as many characters, at least one of each kind."""
        numbers = (self.benchmark_characters, self.lpc_characters, self.puppets)
        benchmark, lpc, puppets = (max(1, round(number * factor)) for number in numbers)
        return replace(self, benchmark_characters=benchmark, lpc_characters=lpc, puppets=puppets)

    def rate_at(self, step: int) -> float:
        """Learning rate at `step`."""
        falling = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / max(1, self.steps)))
        return self.rate * min(1.0, (step + 1) / self.warmup) * falling


class TokenClip(NamedTuple):
    """An animation as motion tokens."""

    tokens: NDArray[np.int64]
    """(T, groups)"""
    again: int | None
    """The frame that follows the last one; None where nobody knows."""


class MotionEncoder(Protocol):
    """What turns frames into motion tokens; `Engine` does."""

    @property
    def model(self) -> BitrateControlledDiffusion:
        """The model whose motion tokens they are."""
        ...

    def encode_motion(self, motion: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Motion tokens (T, groups) of frames (T, canvas, canvas, 4)."""
        ...


class Sequences(NamedTuple):
    """A batch to learn from."""

    tokens: NDArray[np.int64]
    """(B, T + 1, groups)"""
    goal: NDArray[np.int64]
    """(B, groups)"""
    left: NDArray[np.int64]
    """Frames until the goal, (B, T); 0 where there is none."""
    counted: NDArray[np.bool_]
    """Which of the frames after the first one are to be predicted, (B, T)."""


class Shown(NamedTuple):
    """What a prior learns from."""

    sources: Sequence[tuple[float, Iterator[Animation]]]
    """Animations, with the share of a batch that each source has."""
    made_of: str
    """What the header of the weights says of them."""


def run_train_prior(
    engine: MotionEncoder, shown: Shown, recipe: PriorRecipe, out: Path, watch: Watch | None = None
) -> float:
    """Collect motion tokens, train a prior on them and write it, whole or not at all.

    Args:
        engine: encodes.
        shown: animations.
        recipe: every number of the training.
        out: ends in .safetensors.
        watch: for progress and cancelling.

    Returns:
        Bits per frame that the prior spends on continuing clips that it learned from.

    Raises:
        BitpuppetError: the data folder lacks a file, or the weights cannot be written.
    """
    preset = engine.model.preset
    sources, shares, count = [], [], 0
    for share, animations in shown.sources:

        def tell(done: int, before: int = count) -> None:
            if watch is not None:
                watch("collecting motion tokens", before + done, None, f"{before + done} animations")

        sources.append(encode_animations(engine, animations, tell))
        shares.append(share)
        count += len(sources[-1])
    prior = train_prior(sources, shares, PriorSizes(preset.groups, preset.codewords), recipe, watch)
    made_by = {"recipe": json.dumps(recipe.to_metadata()), "data": shown.made_of}
    save_prior(out, prior, engine.model, made_by)
    return measure_bits(prior, [clip for source in sources for clip in source[:: max(1, len(source) // 100)]])


def show_sprites(data: Path | None, canvas: int, recipe: PriorRecipe) -> Shown:
    """Sprites, LPC and puppets; puppets alone where there is no data folder."""
    chances = np.random.default_rng([recipe.seed, 1]).spawn(3)
    shares = recipe.weights
    puppets = draw_puppets(chances[0], recipe.puppets, recipe.puppet_motions, canvas)
    if data is None:
        return Shown([(1.0, puppets)], "puppets")
    sources = [
        (shares[0], draw_benchmark(data / "sprites", chances[1], recipe.benchmark_characters, canvas)),
        (shares[1], draw_lpc(data / "lpc", chances[2], recipe.lpc_characters, canvas)),
        (shares[2], puppets),
    ]
    return Shown(sources, "Sprites, LPC, puppets")


def show_rendered(data: Path, canvas: int) -> Shown:
    """The rendered characters of a folder that are for training.

    Raises:
        BitpuppetError: as `open_rendered`.
    """
    return Shown([(1.0, draw_rendered(open_rendered(data), canvas))], "rendered characters")


def show_heads(data: Path, canvas: int) -> Shown:
    """The clips of a folder of talking heads that are for training.

    Raises:
        BitpuppetError: as `list_heads`.
    """
    return Shown([(1.0, draw_heads(split_heads(list_heads(data)).training, canvas))], "talking heads")


def encode_animations(
    encoder: MotionEncoder,
    animations: Iterable[Animation],
    watch: Callable[[int], None] | None = None,
    batch: int = 128,
) -> list[TokenClip]:
    """Motion tokens of animations, encoded `batch` frames at a time or a little more; `watch` is told how many."""
    clips: list[TokenClip] = []
    waiting: list[Animation] = []

    def encode() -> None:
        if waiting:
            tokens = encoder.encode_motion(np.concatenate([animation.frames for animation in waiting]))
            ends = np.cumsum([len(animation.frames) for animation in waiting])[:-1]
            parts = np.split(tokens, ends)
            clips.extend(TokenClip(part, one.again) for part, one in zip(parts, waiting, strict=True))
            waiting.clear()

    for animation in animations:
        waiting.append(animation)
        if sum(len(other.frames) for other in waiting) >= batch:
            encode()
            if watch is not None:
                watch(len(clips))
    encode()
    return clips


def draw_sequences(
    sources: Sequence[Sequence[TokenClip]],
    shares: Sequence[float],
    rng: np.random.Generator,
    sizes: PriorSizes,
    recipe: PriorRecipe,
) -> Sequences:
    """One batch: animations played as a game would, some slowly, some with a goal that they reach in time."""
    odds = np.array(shares) / sum(shares)
    drawn = []
    for source in rng.choice(len(sources), size=recipe.batch, p=odds):
        clip = sources[source][int(rng.integers(len(sources[source])))]
        drawn.append(_draw_sequence(clip, rng, sizes, recipe))
    return Sequences(*(np.stack(part) for part in zip(*drawn, strict=True)))


def _draw_sequence(clip: TokenClip, rng: np.random.Generator, sizes: PriorSizes, recipe: PriorRecipe) -> Sequences:
    """One row of a batch."""
    length, span, count = sizes.window + 1, min(sizes.window, sizes.reach), len(clip.tokens)
    left, aim, ticks = np.zeros(length - 1, dtype=np.int64), 0, np.arange(length)
    if rng.random() < recipe.aimed:
        aim = int(rng.integers(2, span + 1))
        left[:aim] = np.arange(aim, 0, -1)
        if rng.random() < recipe.retimed:
            ticks = bend_ticks(length, int(rng.integers(aim)), aim, count, rng)
    if rng.random() < recipe.slow:
        ticks = ticks // 2
    tokens, counted = clip.tokens, np.ones(length - 1, dtype=np.bool_)
    if clip.again is None:
        start = int(rng.integers(max(1, count - int(ticks[-1]))))
        counted &= start + ticks[1:] < count  # how it goes on is not known
    else:
        start = int(rng.integers(count)) if rng.random() < 0.5 else 0
    frames = play(count, clip.again, int(ticks[-1]) + 1, start)[ticks]
    if rng.random() < recipe.strange:
        tokens = change_tokens(tokens, sizes.codewords, rng)
        _, first = np.unique(frames, return_index=True)
        counted[first[first > 0] - 1] = False
    return Sequences(tokens[frames], tokens[frames[aim]], left, counted)


def change_tokens(tokens: NDArray[np.int64], codewords: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Motion tokens (T, groups) as of somebody else: codewords swapped throughout, or some of them drawn by chance.

    Tokens of a pose differ a little from character to character, and a prior that knows the training characters by
    heart does not continue others. Of changed animations nothing can be known but what has been seen of them: they
    teach it to look.
    """
    if rng.random() < 0.5:
        tables = np.stack([rng.permutation(codewords) for _ in range(tokens.shape[1])])
        return np.asarray(tables[np.arange(tokens.shape[1]), tokens], dtype=np.int64)
    other = rng.integers(codewords, size=tokens.shape)
    return np.where(rng.random(tokens.shape) < 0.5 * rng.random(), other, tokens)


def bend_ticks(length: int, begin: int, aim: int, period: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Ticks 0..length-1 that pass faster or slower between frames `begin` and `aim`, evenly.

    As many ticks more or fewer as may be needed to end at any frame of an animation of `period` frames.
    """
    room = min((period + 1) // 2, aim - begin)
    shift = int(rng.integers(-room, room + 1))
    way = np.arange(aim - begin + 1)
    bent = begin + way * (aim - begin + shift) // (aim - begin)
    return np.concatenate([np.arange(begin), bent, bent[-1] + 1 + np.arange(length - 1 - aim)]).astype(np.int64)


def train_prior(
    sources: Sequence[Sequence[TokenClip]],
    shares: Sequence[float],
    sizes: PriorSizes,
    recipe: PriorRecipe,
    watch: Watch | None = None,
) -> MotionPrior:
    """Train; the same recipe gives the same prior on the same machine.

    Raises:
        BitpuppetError: there is nothing to learn from.
    """
    if not sources or not all(sources):
        raise BitpuppetError("the motion prior has no animations to learn from; point --data at the data folder")
    rng = np.random.default_rng([recipe.seed, 2])
    with torch.random.fork_rng(devices=[]):  # dropout and first weights draw from torch's global generator
        torch.manual_seed(recipe.seed)
        prior = MotionPrior(sizes).train()
        optimizer = torch.optim.AdamW(
            prior.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
        )
        smooth = math.nan
        for step in range(recipe.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(step)
            batch = draw_sequences(sources, shares, rng, sizes, recipe)
            with autocast(torch.device("cpu")):
                spent = prior.count_bits(*as_tensors(batch))
            counted = torch.from_numpy(batch.counted)
            bits = (spent * counted).sum() / counted.sum().clamp(min=1)
            optimizer.zero_grad(set_to_none=True)
            bits.backward()
            torch.nn.utils.clip_grad_norm_(prior.parameters(), recipe.clip)
            optimizer.step()
            now = float(bits.detach())
            smooth = now if math.isnan(smooth) else 0.95 * smooth + 0.05 * now
            if watch is not None:
                watch("training the prior", step + 1, recipe.steps, f"{smooth:.2f} bits per frame")
    return prior.eval().requires_grad_(False)


def as_tensors(batch: Sequences) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, goal and left of a batch as tensors."""
    return torch.from_numpy(batch.tokens), torch.from_numpy(batch.goal), torch.from_numpy(batch.left)


@torch.inference_mode()
def measure_bits(prior: MotionPrior, clips: Sequence[TokenClip]) -> float:
    """Bits per frame that the prior spends on the second and third playing of each clip (the first one is given).

    Of a clip of which nobody knows how it goes on: on its second half.
    """
    bits, frames = 0.0, 0
    for clip in clips:
        count, most = len(clip.tokens), prior.sizes.window + 1
        if clip.again is None:
            tokens = clip.tokens[:most]
            count = (len(tokens) + 1) // 2
        else:
            tokens = clip.tokens[play(count, clip.again, min(3 * count, most))]
        length = len(tokens)
        if length < 2:
            continue
        left = np.zeros((1, length - 1), dtype=np.int64)
        row = Sequences(tokens[None], tokens[None, 0], left, left == 0)
        spent = prior.count_bits(*as_tensors(row))[0, count - 1 :]
        bits, frames = bits + float(spent.sum()), frames + spent.numel()
    return bits / max(frames, 1)
