"""Leakage probes: what motion tokens know of who moves, and what content knows of the motion.

A probe is a small classifier that is trained on clips of the benchmark's training characters and tested on the 296 test
characters. What it reads from motion tokens about skin or hair is content that leaked; what it reads from content about
the motion leaked the other way. The two readings that should succeed are made as well: a probe that cannot read the
motion from motion tokens would prove nothing about attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitpuppet.data.benchmark import ATTRIBUTES, MOTIONS, Benchmark, BenchmarkCharacter, split_characters
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import collect_palette

if TYPE_CHECKING:
    from rich.table import Table

    from bitpuppet.jobs.engine import Engine

Frames = NDArray[np.uint8]
Features = NDArray[np.float32]
Watch = Callable[[str, int, int], None]
"""Called with (what is being done, how much is done, of how much); what it raises cancels."""

HIDDEN, EPOCHS, BATCH, RATE = 64, 40, 256, 3e-3
CLASSES = {**dict.fromkeys(ATTRIBUTES, 6), "motion": len(MOTIONS)}
VALIDATION = 10
"""One training character in so many is kept to choose between probes and to stop in time."""
AT_ONCE = 16


class Reader(Protocol):
    """A model's two encodings of clips; `EngineReader` is one."""

    def read_motion(self, clips: Frames) -> Features:
        """What clips (N, T, H, W, 4) become as motion: features (N, D)."""
        ...

    def read_content(self, clips: Frames) -> dict[str, Features]:
        """What they become as content, one or more views of it by name: features (N, D)."""
        ...


class EngineReader:
    """Motion tokens as one-hot vectors side by side; content at the K queries, and the mean over all its tokens."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def read_motion(self, clips: Frames) -> Features:
        """See `Reader`: D is frames x groups x codewords."""
        preset = self.engine.preset
        if preset.reading == "frames":
            tokens = np.concatenate([self.engine.encode_motion(clip) for clip in clips])
        else:  # motion of a frame depends on that frame alone, so clips can share a batch
            tokens = self.engine.encode_motion(rearrange(clips, "n t h w c -> (n t) h w c"))
        hot = np.eye(preset.codewords, dtype=np.float32)[tokens]
        return rearrange(hot, "(n t) g k -> n (t g k)", n=len(clips))

    @torch.inference_mode()
    def read_content(self, clips: Frames) -> dict[str, Features]:
        """See `Reader`."""
        engine = self.engine
        queries, means = [], []
        for clip in clips:
            colours = torch.from_numpy(collect_palette(clip)).to(engine.device)
            with engine.autocast():
                content = engine.model.encode_content(torch.from_numpy(clip).to(engine.device), colours)
            tokens = content.tokens[0].float().cpu()
            queries.append(tokens[: engine.preset.content_tokens].flatten().numpy())
            means.append(tokens[content.mask[0].cpu()].mean(dim=0).numpy())
        views = {"content queries": np.stack(queries)}
        if len(tokens) > engine.preset.content_tokens:
            views["all content, mean"] = np.stack(means)
        return views


@dataclass(frozen=True)
class Reading:
    """How well one thing could be read from another."""

    source: str
    """motion tokens, content queries, or all content."""
    target: str
    """An attribute, motion, or attributes: the mean of the four."""
    accuracy: float
    """On clips of test characters, 0..1."""
    chance: float
    """Accuracy of blind guessing: 1 / classes."""
    error: float
    """Standard error of the accuracy, over characters: clips of one character are not independent."""
    probe: str
    """The probe that was best on validation characters: linear, or hidden layer; both for the mean."""

    @property
    def advantage(self) -> float:
        """Accuracy minus chance."""
        return self.accuracy - self.chance


@dataclass(frozen=True)
class Leakage:
    """All readings of one model."""

    settings: dict[str, str | int]
    readings: tuple[Reading, ...]

    def find(self, source: str, target: str) -> Reading:
        """One reading; KeyError where it was not made."""
        for reading in self.readings:
            if (reading.source, reading.target) == (source, target):
                return reading
        raise KeyError((source, target))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rows = [asdict(reading) | {"advantage": reading.advantage} for reading in self.readings]
        return {"settings": self.settings, "readings": rows}

    def to_table(self) -> Table:
        """For people; in percent and percentage points."""
        from rich.table import Table

        table = Table(title="leakage probes, tested on test characters", title_justify="left")
        for heading in ("read from", "what"):
            table.add_column(heading)
        for heading in ("accuracy", "chance", "above chance", "probe"):
            table.add_column(heading, justify="right")
        for r in self.readings:
            above = f"{100 * r.advantage:+.1f} ± {100 * r.error:.1f}"
            table.add_row(r.source, r.target, f"{100 * r.accuracy:.1f} %", f"{100 * r.chance:.1f} %", above, r.probe)
        return table


def probe_leakage(
    reader: Reader,
    benchmark: Benchmark,
    *,
    clips: int = 2,
    test_clips: int = 3,
    seed: int = 0,
    settings: dict[str, str | int] | None = None,
    watch: Watch | None = None,
) -> Leakage:
    """Train and test all probes.

    Args:
        reader: the model.
        benchmark: draws the clips, of 8 frames each.
        clips: of each of the 1,000 training characters, 1..9, each in another motion.
        test_clips: of each of the 296 test characters.
        seed: which motions, and the probes' first weights.
        settings: what the result says about the model.
        watch: told how far it is.

    Raises:
        BitpuppetError: a number is out of range.
    """
    for name, value in (("--clips", clips), ("--test-clips", test_clips)):
        if not 1 <= value <= len(MOTIONS):
            raise BitpuppetError(f"{name} is {value}, it must be from 1 to {len(MOTIONS)}; change it")
    if seed < 0:
        raise BitpuppetError(f"--seed is {seed}, it must be 0 or more; change it")
    training, test = split_characters()
    known = _read_clips(reader, benchmark, training, clips, np.random.default_rng([seed, 0]), "training", watch)
    asked = _read_clips(reader, benchmark, test, test_clips, np.random.default_rng([seed, 1]), "test", watch)
    readings: list[Reading] = []
    answers: dict[str, dict[str, NDArray[np.float64]]] = {}
    tasks = [(source, target) for source in known.features for target in CLASSES]
    for number, (source, target) in enumerate(tasks):
        right, probe = run_probe(
            known.features[source],
            known.labels[target],
            known.characters,
            asked.features[source],
            asked.labels[target],
            CLASSES[target],
            seed,
        )
        readings.append(_summarize(source, target, right, asked.characters, 1 / CLASSES[target], probe))
        answers.setdefault(source, {})[target] = right
        if watch is not None:
            watch("training probes", number + 1, len(tasks))
    for source, by_target in answers.items():
        mean = np.mean([by_target[name] for name in ATTRIBUTES], axis=0)
        readings.append(_summarize(source, "attributes", mean, asked.characters, 1 / 6, "both"))
    used = {"clips": clips, "test_clips": test_clips, "seed": seed}
    return Leakage({**(settings or {}), **used}, tuple(readings))


def run_probe(
    features: Features,
    labels: NDArray[np.int64],
    characters: NDArray[np.int64],
    test_features: Features,
    test_labels: NDArray[np.int64],
    classes: int,
    seed: int,
) -> tuple[NDArray[np.float64], str]:
    """Train a linear probe and one with a hidden layer, and test the better one.

    Which one, and after which epoch, is decided by the loss on one training character in ten, which neither is trained
    on.

    Args:
        features: of training clips, (N, D).
        labels: their classes, (N,).
        characters: who they show, (N,).
        test_features: (M, D).
        test_labels: (M,).
        classes: how many there are.
        seed: of first weights and batches.

    Returns:
        Which test clips it is right on, 0 or 1 each (M,), and the probe's name.
    """
    mean = features.mean(axis=0)
    scale = float(np.sqrt(np.mean((features - mean) ** 2))) or 1.0
    x, x_test = (torch.from_numpy((part - mean) / scale) for part in (features, test_features))
    y, y_test = torch.from_numpy(labels), torch.from_numpy(test_labels)
    kept = torch.from_numpy(characters % VALIDATION == 0)
    best = (-math.inf, "", torch.zeros(0))
    for name in ("linear", "hidden layer"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            probe: nn.Module = nn.Linear(x.shape[1], classes)
            if name != "linear":
                probe = nn.Sequential(nn.Linear(x.shape[1], HIDDEN), nn.GELU(), nn.Linear(HIDDEN, classes))
        best = max(best, *_train(probe, name, x, y, kept, x_test, seed), key=lambda found: found[0])
    return (best[2] == y_test).double().numpy(), best[1]


def _train(
    probe: nn.Module, name: str, x: Tensor, y: Tensor, kept: Tensor, x_test: Tensor, seed: int
) -> list[tuple[float, str, Tensor]]:
    """After each epoch: minus the loss on the kept clips, the probe's name, its answers to the test clips."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=RATE, weight_decay=0.1)
    learned = (~kept).nonzero().flatten()
    found = []
    for _ in range(EPOCHS):
        for batch in learned[torch.randperm(len(learned), generator=generator)].split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(probe(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.inference_mode():
            loss = float(functional.cross_entropy(probe(x[kept]), y[kept]))
            found.append((-loss, name, probe(x_test).argmax(dim=1)))
    return found


@dataclass(frozen=True)
class _Clips:
    """Clips that were read."""

    features: dict[str, Features]
    labels: dict[str, NDArray[np.int64]]
    characters: NDArray[np.int64]


def _read_clips(
    reader: Reader,
    benchmark: Benchmark,
    characters: Sequence[BenchmarkCharacter],
    count: int,
    rng: np.random.Generator,
    kind: str,
    watch: Watch | None,
) -> _Clips:
    """`count` clips of each character, each in another motion."""
    drawn = [(c, int(m)) for c in characters for m in rng.permutation(len(MOTIONS))[:count]]
    parts: dict[str, list[Features]] = {}
    for start in range(0, len(drawn), AT_ONCE):
        clips = np.stack([benchmark.clip(*pair) for pair in drawn[start : start + AT_ONCE]])
        for name, values in ({"motion tokens": reader.read_motion(clips)} | reader.read_content(clips)).items():
            parts.setdefault(name, []).append(values)
        if watch is not None:
            watch(f"reading {kind} clips", min(start + AT_ONCE, len(drawn)), len(drawn))
    labels = {name: np.array([c.attributes[i] for c, _ in drawn]) for i, name in enumerate(ATTRIBUTES)}
    labels["motion"] = np.array([motion for _, motion in drawn])
    places = {character.number: place for place, character in enumerate(characters)}
    return _Clips(
        {name: np.concatenate(values) for name, values in parts.items()},
        labels,
        np.array([places[character.number] for character, _ in drawn]),
    )


def _summarize(
    source: str, target: str, right: NDArray[np.float64], characters: NDArray[np.int64], chance: float, probe: str
) -> Reading:
    """Accuracy, and its standard error with characters as clusters."""
    accuracy = float(right.mean())
    sums = np.bincount(characters, weights=right - accuracy)
    count = len(np.unique(characters))
    error = float(np.sqrt(np.square(sums).sum() * count / max(count - 1, 1)) / len(right))
    return Reading(source, target, accuracy, chance, error, probe)
