"""What sprite64 is trained on: pairs for cross-driving from LPC, the Sprites training characters and puppets.

Every draw is a function of (seed, step) alone, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.benchmark import MOTIONS, Benchmark, split_characters
from bitpuppet.data.lpc import Wardrobe, row_cells
from bitpuppet.data.poses import leave_unnamed, name_benchmark, name_cells, name_puppet
from bitpuppet.data.puppets import Puppet, draw_clip, is_held_out, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import place_clip
from bitpuppet.sprites.palette import OPAQUE_ALPHA, pack_colours, unpack_colours

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class PairBatch:
    """Pairs for cross-driving. Where no colours are chosen, frames may be a codec's tokens, (B, N, tokens, D)."""

    content: Frames | NDArray[np.float16]
    """(B, N, H, W, 4): frames of the character in some animations."""
    shown: NDArray[np.bool_]
    """(B, N): which content frames count."""
    target: Frames | NDArray[np.float16]
    """(B, T, H, W, 4): frames of the same character in another animation."""
    motion: Frames | NDArray[np.float16]
    """(B, T, H, W, 4): the target itself, or another character in the same poses."""
    colours: Frames
    """(B, MOST_COLOURS, 3): RGB of the character in the animations that content comes from, most frequent first."""
    counts: NDArray[np.int64]
    """(B,): how many of the colours count, the rest is padding."""
    wanted: Frames
    """(B, T, H, W): the target's colour at each pixel, 0 for transparent, i + 1 for colour i, UNKNOWN for none."""
    numbers: Frames
    """(B, N, H, W): the same for the content."""
    lent: Frames | None = None
    """(B, R, H, W, 4): the character in the target's poses, as a bank draws it; None where there is none."""
    lenders: Frames | None = None
    """(B, R, H, W, 4): those whose frames they were."""
    lent_shown: NDArray[np.bool_] | None = None
    """(B, R): which of them count."""
    lent_numbers: Frames | None = None
    """(B, R, H, W): as `numbers`."""
    names: NDArray[np.int64] | None = None
    """(B, T + N, 2): which way the target and then the content frames face, and which moment they show (`poses`)."""


MOST_COLOURS = 55
"""Colours of a character in training. A few characters have more; their rare colours are unknown.

With the transparent one they are 56, a multiple of 8: the gradient of the softmax over 49 took seven times as long.
"""
UNKNOWN = 255
SHARE_KNOWN = 0.1
"""Pairs whose content frames may come from the target's own clip, so that the decoder learns when it may copy."""
SHARE_DRIVEN = 0.7
"""Pairs whose motion another character shows.

LPC, Sprites and puppets are factorials, so the right answer to a swap is known, and training can ask for swaps. Motion
of the character itself, as in the paper, leaves bits in it that suit that character alone: with it the tokens of
puppets told apart details of silhouettes, and not the direction.
"""


class Scene(NamedTuple):
    """Clips of one character, each of another motion, and who else performs the first of them."""

    clips: list[Frames]
    """Each (T, 64, 64, 4)."""
    driver: Frames
    """(T, 64, 64, 4): another character in the poses of the first clip."""
    lent: Frames | None = None
    """(K, T, 64, 64, 4): the first clip as a bank draws it without having seen it, from each of K other characters."""
    lenders: Frames | None = None
    """(K, T, 64, 64, 4): these characters in its poses."""
    names: list[NDArray[np.int64]] | None = None
    """What the frames of each clip show, (T, 2) each, see `poses`; None where nobody knows."""


class Source(Protocol):
    """Something that draws one character in several clips."""

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """A scene of `clips` clips, or of as many as the character has motions."""
        ...


class BenchmarkSource:
    """The 1,000 training characters of the Sprites benchmark."""

    def __init__(self, root: Path) -> None:
        self.benchmark = Benchmark(root)
        self.characters, _ = split_characters()

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`."""
        character, driver = (self.characters[int(i)] for i in rng.choice(len(self.characters), size=2, replace=False))
        motions = rng.permutation(len(MOTIONS))[:clips]
        drawn = [self.benchmark.clip(character, int(motion)) for motion in motions]
        names = [name_benchmark(int(motion)) for motion in motions]
        return Scene(drawn, self.benchmark.clip(driver, int(motions[0])), names=names)


class LpcSource:
    """Random LPC characters; `held_out` ones wear a garment that training never shows."""

    def __init__(self, root: Path, *, held_out: bool = False) -> None:
        self.wardrobe = Wardrobe(root)
        self.held_out = held_out

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`."""
        character = self.wardrobe.dress(rng, held_out=self.held_out)
        while len(character.rows) < 2:
            character = self.wardrobe.dress(rng, held_out=self.held_out)
        rows = rng.permutation(np.array(character.rows))[:clips]
        driver = self.wardrobe.dress(rng)
        while rows[0] not in driver.rows:
            driver = self.wardrobe.dress(rng)
        drawn = [self.wardrobe.clip(character, int(row)) for row in rows]
        names = [name_cells(row_cells(int(row))) for row in rows]
        return Scene(drawn, self.wardrobe.clip(driver, int(rows[0])), names=names)


class PuppetSource:
    """Puppets by seed. Training walks slowly through the seeds, so that most clips are already drawn."""

    WINDOW, STEPS_PER_PUPPET, TRIES = 256, 4, 40

    def __init__(self, canvas: int, *, held_out: bool = False, capacity: int = 6000) -> None:
        self.canvas = canvas
        self.held_out = held_out
        self._capacity = capacity
        self._clips: OrderedDict[tuple[int, int], Frames] = OrderedDict()

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`; the driver is the second of `pick_two`."""
        puppet, driver = self.pick_two(rng, step)
        motions = rng.permutation(len(puppet.motions))[:clips]
        drawn = [self.clip(puppet.seed, int(motion)) for motion in motions]
        names = [name_puppet(puppet.motions[int(motion)]) for motion in motions]
        return Scene(drawn, self.clip(driver.seed, int(motions[0])), names=names)

    def pick_two(self, rng: np.random.Generator, step: int) -> tuple[Puppet, Puppet]:
        """Two puppets of a step with one body plan; where there is no other one, the same twice."""
        puppet = self._pick_puppet(rng, step)
        others = (self._pick_puppet(rng, step) for _ in range(self.TRIES))
        return puppet, next((o for o in others if o.plan == puppet.plan and o.seed != puppet.seed), puppet)

    def _pick_puppet(self, rng: np.random.Generator, step: int) -> Puppet:
        while True:
            seed = step // self.STEPS_PER_PUPPET + int(rng.integers(self.WINDOW))
            puppet = make_puppet(seed)
            if is_held_out(seed) == self.held_out and puppet.size <= self.canvas:
                return puppet

    def clip(self, seed: int, motion: int) -> Frames:
        """The clip of a puppet's motion by its number, (8, canvas, canvas, 4)."""
        key = seed, motion
        if key not in self._clips:
            puppet = make_puppet(seed)
            self._clips[key], _ = place_clip(draw_clip(puppet, puppet.motions[motion]), self.canvas)
            if len(self._clips) > self._capacity:
                self._clips.popitem(last=False)
        return self._clips[key]


class EnlargedSource:
    """Another source's characters at a multiple of their size, for a canvas that is so much larger."""

    def __init__(self, source: Source, factor: int) -> None:
        self._source, self._factor = source, factor

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`."""
        scene = self._source.draw_scene(rng, step, clips)
        lent, lenders = (None if part is None else self._enlarge(part) for part in (scene.lent, scene.lenders))
        larger = [self._enlarge(clip) for clip in scene.clips]
        return Scene(larger, self._enlarge(scene.driver), lent, lenders, scene.names)

    def _enlarge(self, frames: Frames) -> Frames:
        return frames.repeat(self._factor, axis=-3).repeat(self._factor, axis=-2)


@dataclass(frozen=True)
class Share:
    """A source's part of the mixture."""

    source: Source
    weight: float
    recoloured: float
    """Chance that a character is recoloured."""


class Mixture:
    """Draws batches of pairs from several sources."""

    def __init__(
        self,
        shares: Sequence[Share],
        *,
        seed: int = 0,
        share_driven: float = SHARE_DRIVEN,
        most_clips: int = 4,
        least_shown: int = 1,
    ) -> None:
        """Mix sources.

        Args:
            shares: the sources.
            seed: of all draws.
            share_driven: chance that motion comes from another character in the same poses, 0..1.
            most_clips: animations that content comes from, at most, 1 or more.
            least_shown: content frames that count, at least, 1 or more; where there are fewer, all of them.

        Raises:
            BitpuppetError: there are no shares.
        """
        if not shares:
            raise BitpuppetError("training has no data; point --data or BITPUPPET_DATA at the data folder")
        self.shares = tuple(shares)
        self.seed = seed
        self.share_driven = share_driven
        self.most_clips, self.least_shown = most_clips, least_shown

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        """The batch of one step.

        Content comes from a few animations, the target from another one of the same character: frames drawn
        without replacement, or `in_order` a stretch of frames that follow one another, repeating a short animation.
        """
        rng = np.random.default_rng([self.seed, step])
        drawn = self.choose(rng, pairs)
        return _stack(
            [self._draw_pair(share, rng, step, content_frames, target_frames, in_order=in_order) for share in drawn]
        )

    def choose(self, rng: np.random.Generator, pairs: int) -> list[Share]:
        """Whose source each pair comes from, by weight."""
        weights = np.array([share.weight for share in self.shares])
        chosen = rng.choice(len(self.shares), size=pairs, p=weights / weights.sum())
        return [self.shares[int(index)] for index in chosen]

    def _draw_pair(
        self,
        share: Share,
        rng: np.random.Generator,
        step: int,
        content_frames: int,
        target_frames: int,
        *,
        in_order: bool,
    ) -> _Pair:
        scene = share.source.draw_scene(rng, step, 1 + int(rng.integers(1, self.most_clips + 1)))
        clip = scene.clips[0]
        titles = [leave_unnamed(len(one)) for one in scene.clips] if scene.names is None else scene.names
        known = slice(0 if rng.random() < SHARE_KNOWN else 1, None)
        pool, shelf = np.concatenate(scene.clips[known]), np.concatenate(titles[known])
        picked = rng.integers(len(pool), size=content_frames)
        if in_order:
            taken = (rng.integers(len(clip)) + np.arange(target_frames)) % len(clip)
        else:
            taken = rng.choice(len(clip), size=target_frames, replace=len(clip) < target_frames)
        content, target, lent = pool[picked], clip[taken], _flatten(scene.lent, clip, taken)
        palette = pick_colours(pool)
        wanted, numbers, lent_numbers = (number_colours(frames, palette) for frames in (target, content, lent))
        if rng.random() < share.recoloured:
            colours = draw_colour_map(rng)
            content, target, lent = (recolour(frames, *colours) for frames in (content, target, lent))
            opaque = np.concatenate([palette, np.full((len(palette), 1), 255, np.uint8)], axis=1)
            palette = recolour(opaque, *colours)[:, :3]
        motion = target
        if rng.random() < self.share_driven:
            motion = scene.driver[taken]
            if rng.random() < share.recoloured:
                motion = recolour(motion, *draw_colour_map(rng))
        least = min(self.least_shown, content_frames)
        return _Pair(
            content=content,
            shown=np.arange(content_frames) < rng.integers(least, content_frames + 1),
            target=target,
            motion=motion,
            wanted=wanted,
            numbers=numbers,
            names=np.concatenate([titles[0][taken], shelf[picked]]),
            palette=palette,
            lent=lent,
            lenders=_flatten(scene.lenders, clip, taken),
            lent_numbers=lent_numbers,
        )


class _Pair(NamedTuple):
    """One pair: the arrays of `PairBatch` without their first side, its colours and what is lent in any number."""

    content: Frames
    shown: NDArray[np.bool_]
    target: Frames
    motion: Frames
    wanted: Frames
    numbers: Frames
    names: NDArray[np.int64]
    palette: Frames
    lent: Frames
    lenders: Frames
    lent_numbers: Frames


_ALIKE = ("content", "shown", "target", "motion", "wanted", "numbers", "names")
"""Arrays of one shape in all pairs."""


def _stack(pairs: Sequence[_Pair]) -> PairBatch:
    counts = np.array([len(pair.palette) for pair in pairs], dtype=np.int64)
    lent = np.array([len(pair.lent) for pair in pairs])
    parts = {name: np.stack([getattr(pair, name) for pair in pairs]) for name in _ALIKE}
    if most := int(lent.max()):
        for name in ("lent", "lenders", "lent_numbers"):
            parts[name] = _pad([getattr(pair, name) for pair in pairs], most)
        parts["lent_shown"] = np.arange(most) < lent[:, None]
    return PairBatch(colours=_pad([pair.palette for pair in pairs], MOST_COLOURS), counts=counts, **parts)


def _flatten(clips: Frames | None, like: Frames, taken: NDArray[np.int64]) -> Frames:
    """Frames `taken` of clips (K, T, H, W, 4), clip after clip; none, where there are no clips."""
    return np.zeros_like(like[:0]) if clips is None else np.concatenate(list(clips[:, taken]))


def _pad(parts: Sequence[Frames], size: int) -> Frames:
    """Arrays of up to `size` entries each as one, zeros at their ends."""
    out = np.zeros((len(parts), size, *parts[0].shape[1:]), np.uint8)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out


def pick_colours(frames: Frames) -> Frames:
    """The most frequent opaque colours of frames (..., 4), at most MOST_COLOURS: uint8 (P, 3)."""
    opaque = frames[frames[..., 3] >= OPAQUE_ALPHA][:, :3]
    packed, counts = np.unique(pack_colours(opaque), return_counts=True)
    return unpack_colours(packed[np.argsort(-counts, kind="stable")][:MOST_COLOURS])


def make_mixture(
    data: Path | None, canvas: int, *, seed: int = 0, puppets_only: bool = False, enlarged: int = 1
) -> Mixture:
    """The mixture that `sprite64` is trained on, or puppets alone where there is no data folder.

    Where it is `enlarged`, all characters are drawn at so many times their size.
    """
    shares = [Share(PuppetSource(canvas // enlarged), 0.30, 0.3)]
    if data is not None and not puppets_only:
        shares.append(Share(BenchmarkSource(data / "sprites"), 0.30, 0.1))
        shares.append(Share(LpcSource(data / "lpc"), 0.40, 0.3))
    if enlarged > 1:
        shares = [replace(share, source=EnlargedSource(share.source, enlarged)) for share in shares]
    return Mixture(shares, seed=seed)


def number_colours(frames: Frames, colours: Frames) -> Frames:
    """The colour of each pixel of frames (..., 4) as `PairBatch.wanted` counts them, for colours (P, 3)."""
    packed = pack_colours(colours)
    order = np.argsort(packed)
    numbers = np.zeros(frames.shape[:-1], np.uint8)
    opaque = frames[..., 3] >= OPAQUE_ALPHA
    sought = pack_colours(frames[opaque][:, :3])
    places = order[np.searchsorted(packed, sought, sorter=order).clip(max=len(packed) - 1)]
    numbers[opaque] = np.where(packed[places] == sought, places + 1, UNKNOWN)
    return numbers
