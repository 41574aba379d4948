"""`bitpuppet eval render`: rendered characters that training never showed, against their true targets."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import FRAMES
from bitpuppet.data.rendered import PLAN, RenderedFolder, open_rendered
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.comparison import Comparison, SoftCounts
from bitpuppet.evaluation.figures import count_token_bits
from bitpuppet.evaluation.judge import SIDE, Judge, Watch, train_judge
from bitpuppet.evaluation.judge_cache import find_judge, read_judge, write_judge
from bitpuppet.evaluation.rendered_bounds import MotionReader, OwnFrames, choose_given
from bitpuppet.evaluation.retargeting import Retargeter
from bitpuppet.evaluation.swaps import Swap, check_pairs
from bitpuppet.sprites import place_clip, write_contact_sheet

Frames = NDArray[np.uint8]
STEPS = 900
"""Of the judge's training: there are three times as many motions as in the benchmark."""
SHOWN = 6
"""Pairs on a contact sheet."""


def read_strip(folder: RenderedFolder, character: str, motion: int) -> Frames:
    """A character performing a motion as the judge and the model see it, (8, 64, 64, 4)."""
    frames = folder.read(character, motion)
    chosen = np.arange(FRAMES) * len(frames) // FRAMES
    return place_clip(frames[chosen], SIDE)[0]


def read_strips(folder: RenderedFolder, character: str) -> Frames:
    """A character performing every motion of the folder as `read_strip` shows them, (motions, 8, 64, 64, 4)."""
    return np.stack([read_strip(folder, character, motion) for motion in range(len(folder.motions))])


class RenderedStrips:
    """Strips of the characters that training may show, for the judge; see `judge.StripSource`."""

    def __init__(self, folder: RenderedFolder) -> None:
        self.folder = folder

    def draw_strips(self, rng: np.random.Generator, count: int) -> tuple[Frames, NDArray[np.int64]]:
        """See `StripSource`."""
        motions = rng.integers(len(self.folder.motions), size=count)
        names = rng.choice(self.folder.known, size=count)
        strips = [read_strip(self.folder, str(name), int(m)) for name, m in zip(names, motions, strict=True)]
        return np.stack(strips), motions[:, None].astype(np.int64)


class RenderedSwaps:
    """Swaps of two characters that training never showed; motions are balanced. See `swaps.SwapSet`."""

    def __init__(self, folder: RenderedFolder, pairs: int, *, seed: int = 0, content_frames: int = 8) -> None:
        check_pairs(pairs, seed)
        if len(folder.held_out) < 2:
            raise BitpuppetError(
                f"{folder.root} has {len(folder.held_out)} characters for tests, two are needed; render more"
            )
        self.folder, self.content_frames = folder, content_frames
        self._pairs, self._seed = pairs, seed
        count = len(folder.motions)
        self._motions = np.random.default_rng([seed, 4]).permutation(np.arange(pairs) % count)

    def __len__(self) -> int:
        return self._pairs

    def draw(self, number: int) -> Swap:
        """Swap 0..len-1; the same number gives the same swap."""
        rng, content, driver = self._begin(number)
        motion = int(self._motions[number])
        others = [m for m in range(len(self.folder.motions)) if m != motion]
        frames = [
            read_strip(self.folder, content, int(rng.choice(others)))[rng.integers(FRAMES)]
            for _ in range(self.content_frames)
        ]
        name = f"{content} as {driver}, {' '.join(self.folder.motions[motion])}"
        driving, target = (read_strip(self.folder, who, motion) for who in (driver, content))
        return Swap(name, np.stack(frames), driving, target, (motion,))

    def name_content(self, number: int) -> str:
        """The character that swap 0..len-1 is to show."""
        return self._begin(number)[1]

    def _begin(self, number: int) -> tuple[np.random.Generator, str, str]:
        rng = np.random.default_rng([self._seed, 5, number])
        content, driver = (str(name) for name in rng.choice(self.folder.held_out, size=2, replace=False))
        return rng, content, driver


def open_rendered_judge(folder: RenderedFolder, *, steps: int = STEPS, watch: Watch | None = None) -> Judge:
    """A judge of the folder's motions, read from the user's cache or trained and measured on true frames.

    Raises:
        BitpuppetError: it cannot be kept.
    """
    marks = f"{folder.root.resolve()} {len(folder.known)} {(folder.root / PLAN).read_bytes()!r} {steps}"
    path = find_judge().with_name(f"judge-{hashlib.sha256(marks.encode()).hexdigest()[:16]}.safetensors")
    heads = {"motion": len(folder.motions)}
    if (found := read_judge(path, heads)) is not None:
        return found
    judge = train_judge(RenderedStrips(folder), heads, steps=steps, watch=watch)
    right = []
    for name in folder.held_out:
        strips = read_strips(folder, name)
        right.append(judge.classify(strips)["motion"].argmax(axis=1) == np.arange(len(strips)))
    judge = replace(judge, accuracy={"motion": float(np.concatenate(right).mean())})
    write_judge(judge, path)
    return judge


def evaluate_rendered(
    engine: Retargeter,
    root: Path,
    *,
    pairs: int = 280,
    seed: int = 0,
    steps: int | None = None,
    content_frames: int = 8,
    judge: Judge | None = None,
    pictures: Path | None = None,
    watch: Watch | None = None,
) -> Comparison:
    """Retarget pairs of held-out characters and compare with what Blender rendered.

    Base lines: the first content frame, held still, and the driving clip itself. Bounds: the best content frames, and
    the character's own frames found by the driver's tokens (`rendered_bounds`). Nothing is done to what the model
    draws: there is no palette, and edges are soft. Without a `judge`, the folder's own is opened. Into the folder
    `pictures` goes a contact sheet of the first pairs.

    Raises:
        BitpuppetError: the folder or a setting cannot be used, or the model has another canvas.
    """
    if engine.preset.canvas != SIDE:
        raise BitpuppetError(
            f"preset {engine.preset.name} has a canvas of {engine.preset.canvas} pixels, this evaluation needs {SIDE}; "
            "choose another preset"
        )
    folder = open_rendered(root)
    swaps = RenderedSwaps(folder, pairs, seed=seed, content_frames=content_frames)
    judge = judge or open_rendered_judge(folder, watch=watch)
    own = (
        OwnFrames(engine, lambda name: np.concatenate(read_strips(folder, name)))
        if isinstance(engine, MotionReader)
        else None
    )
    counts: dict[str, SoftCounts] = defaultdict(SoftCounts)
    right: dict[str, list[bool]] = defaultdict(list)
    tokens, coded, seconds = [], [], []
    shown: list[tuple[str, Frames]] = []
    for number in range(len(swaps)):
        swap = swaps.draw(number)
        started = time.perf_counter()
        drawn = engine.retarget(swap.content, swap.motion, seed=seed + number, steps=steps)
        seconds.append(time.perf_counter() - started)
        picture = np.rint(np.clip(drawn.frames, 0, 255)).astype(np.uint8)
        assert swap.classes is not None
        looks = {
            "model": picture,
            "still frame": np.repeat(swap.content[:1], len(swap.target), axis=0),
            "driving clip": swap.motion,
            "best given frames": choose_given(swap),
        }
        if own is not None:
            looks["own frames by tokens"] = own.choose(swaps.name_content(number), drawn.tokens)
        for name, frames in looks.items():
            counts[name].add(frames, swap.target)
            right[name].append(int(judge.classify(frames[None])["motion"].argmax()) == swap.classes[0])
        if number < SHOWN:
            kinds = {"given": swap.content, "driver": swap.motion, "drawn": picture, "true": swap.target}
            shown += [(f"{swap.name}: {what}", frames) for what, frames in kinds.items()]
        tokens.append(drawn.tokens)
        coded.append(drawn.bits_per_frame)
        if watch is not None:
            watch("retargeting", number + 1, len(swaps))
    if pictures is not None:
        write_contact_sheet(shown, pictures / "render.png", scale=2)
    columns = {name: {"motion": float(np.mean(right[name])), **counts[name].to_figures()} for name in counts}
    columns["true frames"] = dict(judge.accuracy)
    settings: dict[str, str | int] = {
        "preset": engine.preset.name,
        "pairs": pairs,
        "steps": engine.preset.steps if steps is None else steps,
        "content_frames": content_frames,
        "characters": len(folder.held_out),
        "seed": seed,
    }
    rate = {
        "hard_bits": count_token_bits(np.concatenate(tokens)),
        "coded_bits": float(np.mean(coded)),
        "seconds_per_strip": float(np.median(seconds)),
    }
    return Comparison("rendered characters", settings, columns, rate)
