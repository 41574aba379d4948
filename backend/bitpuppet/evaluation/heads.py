"""`bitpuppet eval heads`: held-out clips, driving their own person and others, measured on faces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bitpuppet.data.heads import HeadClip, HeadSplit, Watch, list_heads, split_heads
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.comparison import Comparison, SoftCounts
from bitpuppet.evaluation.faces import FaceMeter, Points, measure_identity, measure_motion, measure_pose
from bitpuppet.evaluation.figures import count_token_bits
from bitpuppet.jobs.engine import Engine, Retargeted
from bitpuppet.model.preset import Preset
from bitpuppet.sprites import write_contact_sheet

Frames = NDArray[np.uint8]
Kind = Literal["known", "unknown"]
CONTENT_FRAMES = 8
MOST_FRAMES = 75
"""Of a driving clip; three seconds at the usual rate."""
SHOWN = 8
"""Pairs on a contact sheet."""
EMBEDDED = 6
"""Frames of a clip in which a face is recognized."""


class HeadEngine(Protocol):
    """What is measured; `Engine` is one."""

    @property
    def preset(self) -> Preset:
        """The model's sizes."""
        ...

    def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
        """See `Engine.retarget`."""
        ...


@dataclass(frozen=True)
class HeadPair:
    """Content of one person and a clip that drives; `own` where it is the same person, and so the true target."""

    name: str
    content: Frames
    driving: Frames
    own: bool


def draw_pairs(split: HeadSplit, kind: Kind, canvas: int, *, clips: int, seed: int = 0) -> Iterator[HeadPair]:
    """Two pairs for each of so many clips that training did not see: it drives its own person, and another one.

    Content is from a training clip of the person; of somebody whom training does not know, from the first half of the
    clip, whose second half drives (paper). The other person is one of the same kind.
    """
    rng = np.random.default_rng([seed, 6])
    tests = split.known if kind == "known" else split.unknown
    chosen = [tests[int(n)] for n in rng.permutation(len(tests))[:clips]]
    for clip in chosen:
        drive = clip if kind == "known" else replace(clip, part=(0.5, 1.0))
        driving = drive.cut(drive.read(canvas))[:MOST_FRAMES]
        yield HeadPair(f"{clip.person} as themselves", _draw_content(split, clip, canvas, rng), driving, True)
        others = sorted({other.person for other in tests} - {clip.person})
        if others:
            person = str(rng.choice(others))
            other = next(test for test in tests if test.person == person)
            yield HeadPair(f"{person} as {clip.person}", _draw_content(split, other, canvas, rng), driving, False)


def _draw_content(split: HeadSplit, clip: HeadClip, canvas: int, rng: np.random.Generator) -> Frames:
    own = [known for known in split.training if known.person == clip.person]
    source = own[int(rng.integers(len(own)))] if own else replace(clip, part=(0.0, 0.5))
    frames = source.cut(source.read(canvas))
    chosen: Frames = frames[np.linspace(0, len(frames) - 1, CONTENT_FRAMES).round().astype(int)]
    return chosen


def evaluate_heads(
    engine: HeadEngine,
    root: Path,
    meter: FaceMeter,
    kind: Kind = "known",
    *,
    clips: int = 16,
    seed: int = 0,
    steps: int | None = None,
    pictures: Path | None = None,
    watch: Watch | None = None,
) -> Comparison:
    """Measure held-out clips of people whom training knows, or of those whom it does not.

    Base lines: the first content frame, held still, and the driving clip itself; where the codec is an autoencoder
    also the driving clip through it, which no model can look better than. Into the folder `pictures` goes a contact
    sheet of the first pairs.

    Raises:
        BitpuppetError: the folder cannot be used, has no such clips, or no face is found in any of them.
    """
    if clips < 1:
        raise BitpuppetError(f"--clips is {clips}, it must be 1 or more; change it")
    split = split_heads(list_heads(root))
    gathered: dict[str, list[dict[str, float]]] = {}
    tokens, coded, seconds = [], [], []
    shown: list[tuple[str, Frames]] = []
    expected = 2 * min(clips, len(split.known if kind == "known" else split.unknown))
    for number, pair in enumerate(draw_pairs(split, kind, engine.preset.canvas, clips=clips, seed=seed)):
        started = time.perf_counter()
        drawn = engine.retarget(pair.content, pair.driving, seed=seed + number, steps=steps)
        seconds.append((time.perf_counter() - started) / len(pair.driving))
        looks = {
            "model": np.rint(np.clip(drawn.frames, 0, 255)).astype(np.uint8),
            "still frame": np.repeat(pair.content[:1], len(pair.driving), axis=0),
            "driving clip": pair.driving,
        }
        if pair.own and isinstance(engine, Engine) and engine.preset.codec == "latent":
            looks["through the codec"] = _pass_codec(engine, pair.driving)
        for name, figures in _measure_pair(meter, pair, looks).items():
            gathered.setdefault(name, []).append(figures)
        if len(shown) < 3 * SHOWN:
            moments = np.linspace(0, len(pair.driving) - 1, CONTENT_FRAMES).round().astype(int)
            kinds = {"given": pair.content, "driver": pair.driving[moments], "drawn": looks["model"][moments]}
            shown += [(f"{pair.name}: {what}", frames) for what, frames in kinds.items()]
        tokens.append(drawn.tokens)
        coded.append(drawn.bits_per_frame)
        if watch is not None:
            watch(f"driving {kind} people", number + 1, expected)
    if not tokens:
        raise BitpuppetError(f"--data {root}: no clips of {kind} people for tests here; add some")
    if pictures is not None:
        write_contact_sheet(shown, pictures / f"heads-{kind}.png", scale=1)
    columns = {name: _average(figures) for name, figures in gathered.items()}
    settings: dict[str, str | int] = {
        "preset": engine.preset.name,
        "pairs": len(tokens),
        "steps": engine.preset.steps if steps is None else steps,
        "content_frames": CONTENT_FRAMES,
        "seed": seed,
    }
    bits = float(np.mean(coded))
    rate = {
        "hard_bits": count_token_bits(np.concatenate(tokens)),
        "coded_bits": bits,
        "kbit_per_second": engine.preset.count_kbits(bits),
        "seconds_per_frame": float(np.median(seconds)),
    }
    return Comparison(f"{kind} people", settings, columns, rate)


def _measure_pair(meter: FaceMeter, pair: HeadPair, looks: Mapping[str, Frames]) -> dict[str, dict[str, float]]:
    """Figures of each look: names with `self` where the person drives themselves, with `cross` where another does."""
    kind = "self" if pair.own else "cross"
    who = meter.embed(pair.content, meter.find_landmarks(pair.content))
    wanted = meter.find_landmarks(pair.driving)
    found = {}
    for name, frames in looks.items():
        points = wanted if frames is pair.driving else meter.find_landmarks(frames)
        sampled = np.linspace(0, len(frames) - 1, EMBEDDED).round().astype(int)
        figures = {
            f"{kind}_identity": measure_identity(who, meter.embed(frames[sampled], points[sampled])),
            f"{kind}_motion_error": measure_motion(points, wanted),
            f"{kind}_pose_error_degrees": measure_pose(points, wanted),
            f"{kind}_flicker": measure_flicker(frames),
            "faces_found": _count_found(points),
        }
        if pair.own:
            counts = SoftCounts()
            counts.add(frames, pair.driving)
            figures["self_psnr"] = counts.to_figures()["psnr"]
        found[name] = figures
    return found


def measure_flicker(frames: Frames) -> float:
    """Mean size of the second difference in time of RGB, in levels: what goes to and fro, not what moves on.

    0 for fewer than three frames (T, H, W, 4).
    """
    rgb = frames[..., :3].astype(np.float32)
    return float(np.abs(rgb[2:] - 2 * rgb[1:-1] + rgb[:-2]).mean()) if len(rgb) > 2 else 0.0


def _count_found(points: Points) -> float:
    return float(np.isfinite(points).all(axis=(1, 2)).mean())


def _average(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over the pairs that have it; a figure without a face in any pair is left out."""
    names = dict.fromkeys(name for one in figures for name in one)
    columns = {name: np.array([one[name] for one in figures if name in one]) for name in names}
    return {name: float(np.nanmean(column)) for name, column in columns.items() if np.isfinite(column).any()}


@torch.inference_mode()
def _pass_codec(engine: Engine, frames: Frames) -> Frames:
    codec = engine.model.codec
    decoded = codec.decode(codec.encode(torch.from_numpy(frames).to(engine.device)))
    return decoded.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
