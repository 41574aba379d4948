"""Retargeting measured: swaps through an engine and the palette stage, against their true targets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.figures import PixelCounts, compare_pixels, count_token_bits, score_motions
from bitpuppet.evaluation.judge import SIDE, Judge, Watch
from bitpuppet.evaluation.judge_cache import open_judge
from bitpuppet.evaluation.parts import PartCounts
from bitpuppet.evaluation.report import PairError, Report
from bitpuppet.evaluation.swaps import GarmentSwaps, PuppetSwaps, SpriteSwaps, SwapSet
from bitpuppet.jobs.engine import Retargeted
from bitpuppet.jobs.pixels import lock_pixels
from bitpuppet.model.preset import Preset
from bitpuppet.sprites import collect_palette, snap_frames

Frames = NDArray[np.uint8]
HeldOut = Literal["garments", "puppets"]


class Retargeter(Protocol):
    """What is measured; `Engine` is one."""

    @property
    def preset(self) -> Preset:
        """The model's sizes."""
        ...

    def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
        """See `Engine.retarget`."""
        ...


@runtime_checkable
class SoftCounter(Protocol):
    """An engine that can also tell the soft entropy."""

    def count_soft_bits(self, clips: list[Frames]) -> float:
        """The quantizer's soft entropy over the frames of all clips, in bits per frame."""
        ...


def evaluate_sprites(
    engine: Retargeter,
    data: Path,
    *,
    pairs: int = 296,
    seed: int = 0,
    steps: int | None = None,
    content_frames: int = 8,
    judge: Judge | None = None,
    watch: Watch | None = None,
) -> Report:
    """Retarget random pairs of the 296 test characters, any motion to any character.

    Args:
        engine: its canvas is 64 pixels.
        data: the data folder, with `sprites/` in it.
        pairs: how many, 1 or more.
        seed: of pairs, content frames and noise.
        steps: sampling steps; None for the preset's.
        content_frames: how many frames of A, from motions other than the driven one, 1..64.
        judge: None for the one in the cache, which is trained when there is none.
        watch: called after each pair; what it raises ends the evaluation.

    Raises:
        BitpuppetError: a setting is out of range, or the data folder lacks a file.
    """
    _check_canvas(engine)
    benchmark = Benchmark(data / "sprites")
    swaps = SpriteSwaps(benchmark, pairs, seed=seed, content_frames=content_frames)
    judge = judge or open_judge(benchmark, watch=watch)
    settings = _name_settings(engine, pairs, steps, content_frames, seed)
    return measure_swaps(engine, swaps, "sprites", settings, steps=steps, seed=seed, judge=judge, watch=watch)


def evaluate_held_out(
    engine: Retargeter,
    data: Path | None,
    kind: HeldOut = "garments",
    *,
    pairs: int = 96,
    seed: int = 0,
    steps: int | None = None,
    content_frames: int = 8,
    watch: Watch | None = None,
) -> Report:
    """Retarget to characters with held-out garments or to held-out puppets; the judge knows neither.

    Args:
        engine: its canvas is 64 pixels for garments.
        data: the data folder, with `lpc/` in it; puppets need none.
        kind: which characters.
        pairs: as all others, see `evaluate_sprites`.
        seed: see there.
        steps: see there.
        content_frames: see there.
        watch: see there.

    Raises:
        BitpuppetError: a setting is out of range, or the data folder lacks a file.
    """
    swaps = make_held_out(engine, data, kind, pairs=pairs, seed=seed, content_frames=content_frames)
    settings = _name_settings(engine, pairs, steps, content_frames, seed)
    return measure_swaps(engine, swaps, kind, settings, steps=steps, seed=seed, watch=watch)


def make_held_out(
    engine: Retargeter, data: Path | None, kind: HeldOut, *, pairs: int, seed: int, content_frames: int
) -> SwapSet:
    """The swaps of `evaluate_held_out`."""
    if kind == "puppets":
        return PuppetSwaps(pairs, seed=seed, content_frames=content_frames, canvas=engine.preset.canvas)
    _check_canvas(engine)
    if data is None:
        raise BitpuppetError("held-out garments need the data folder; set BITPUPPET_DATA to it")
    return GarmentSwaps(data / "lpc", pairs, seed=seed, content_frames=content_frames)


def measure_swaps(
    engine: Retargeter,
    swaps: SwapSet,
    name: str,
    settings: Mapping[str, str | int],
    *,
    steps: int | None = None,
    seed: int = 0,
    judge: Judge | None = None,
    watch: Watch | None = None,
) -> Report:
    """Retarget all swaps of a set and compare each with its target.

    The product is what a user gets: the drawn frames after the steps to exact pixels, with the palette of the content
    frames and hard alpha. The time of a strip is that of the engine and of these steps.

    Args:
        engine: draws.
        swaps: the set.
        name: what the report calls it.
        settings: what the report says about it.
        steps: sampling steps; None for the preset's.
        seed: pair n is drawn with the noise of seed + n.
        judge: None where the set's swaps have no classes.
        watch: called after each pair.
    """
    counts = {"product": PixelCounts(), "raw": PixelCounts(), "ceiling": PixelCounts()}
    verdicts: dict[str, list[dict[str, NDArray[np.float64]]]] = {"product": [], "raw": [], "ceiling": []}
    classes: list[tuple[int, ...]] = []
    parts = PartCounts()
    tokens, seconds, coded, errors, motions = [], [], [], [], []
    for number in range(len(swaps)):
        swap = swaps.draw(number)
        started = time.perf_counter()
        drawn = engine.retarget(swap.content, swap.motion, seed=seed + number, steps=steps)
        palette = collect_palette(swap.content)
        product = lock_pixels(drawn.frames, swap.content, palette)
        seconds.append(time.perf_counter() - started)
        counted = compare_pixels(product, swap.target)
        counts["product"] += counted
        if swap.parts is not None:
            parts.add(product, swap.target, swap.parts)
        counts["raw"] += compare_pixels(drawn.frames, swap.target)
        best = snap_frames(swap.target, palette)
        counts["ceiling"] += compare_pixels(best, swap.target)
        if judge is not None and swap.classes is not None:
            raw = np.rint(np.clip(drawn.frames, 0, 255)).astype(np.uint8)
            verdicts["product"].append(judge.classify(product[None]))
            verdicts["raw"].append(judge.classify(raw[None]))
            verdicts["ceiling"].append(judge.classify(best[None]))
            classes.append(swap.classes)
        tokens.append(drawn.tokens)
        coded.append(drawn.bits_per_frame)
        motions.append(swap.motion)
        errors.append(PairError(number, swap.name, 1 - counted.to_figures()["union_exact"], product))
        if watch is not None:
            watch(f"retargeting {name}", number + 1, len(swaps))
    rate = {
        "hard_bits": count_token_bits(np.concatenate(tokens)),
        "coded_bits": float(np.mean(coded)),
        "seconds_per_strip": float(np.median(seconds)),
    }
    if isinstance(engine, SoftCounter):
        rate["soft_bits"] = engine.count_soft_bits(motions)
    figures = {part: {**_judge_figures(verdicts[part], classes), **counts[part].to_figures()} for part in counts}
    return Report(
        name,
        settings,
        figures["product"],
        figures["raw"],
        {**figures["ceiling"], **(judge.accuracy if judge is not None else {})},
        rate,
        tuple(sorted(errors, key=lambda pair: (pair.error, pair.number))),
        parts.to_figures(),
    )


def _judge_figures(verdicts: list[dict[str, NDArray[np.float64]]], classes: list[tuple[int, ...]]) -> dict[str, float]:
    """Accuracies per head, "joint" where all heads are right, and the C-DSVAE figures of the first head."""
    if not verdicts:
        return {}
    wanted = np.array(classes)
    heads = list(verdicts[0])
    probabilities = {head: np.concatenate([verdict[head] for verdict in verdicts]) for head in heads}
    right = np.stack([probabilities[head].argmax(axis=1) == wanted[:, n] for n, head in enumerate(heads)], axis=1)
    accuracies = {head: float(right[:, n].mean()) for n, head in enumerate(heads)}
    return {"joint": float(right.all(axis=1).mean()), **accuracies, **score_motions(probabilities[heads[0]])}


def _name_settings(
    engine: Retargeter, pairs: int, steps: int | None, content_frames: int, seed: int
) -> dict[str, str | int]:
    used = engine.preset.steps if steps is None else steps
    return {
        "preset": engine.preset.name,
        "pairs": pairs,
        "steps": used,
        "content_frames": content_frames,
        "seed": seed,
    }


def _check_canvas(engine: Retargeter) -> None:
    if engine.preset.canvas != SIDE:
        raise BitpuppetError(
            f"preset {engine.preset.name} has a canvas of {engine.preset.canvas} pixels, this evaluation needs {SIDE}; "
            "choose another preset"
        )
