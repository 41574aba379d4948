"""Stand-ins: an engine that knows the answers, a judge that recognises true strips, rendered characters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.benchmark import MOTIONS, Benchmark, split_characters
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.data.rendered import open_rendered
from bitpuppet.evaluation.judge import HEADS, Judge, JudgeNetwork
from bitpuppet.evaluation.rendered import read_strip
from bitpuppet.evaluation.swaps import Swap, SwapSet
from bitpuppet.jobs.engine import Retargeted
from bitpuppet.model.preset import Preset
from bitpuppet.sprites import Clip
from bitpuppet.sprites.writer import write_sheet

Frames = NDArray[np.uint8]
_ACTIONS, _DIRECTIONS = ("walk", "nod"), ("front", "right")
Answer = Callable[[Swap], NDArray[np.floating] | Frames]


@dataclass
class StubEngine:
    """Answers each swap of the sets it knows with what `answer` makes of it; the tokens are the frames' numbers."""

    sets: list[SwapSet]
    answer: Answer
    preset: Preset = field(default_factory=Preset)
    calls: list[tuple[int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        swaps = [swaps.draw(number) for swaps in self.sets for number in range(len(swaps))]
        self._known = {(swap.content.tobytes(), swap.motion.tobytes()): swap for swap in swaps}

    def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
        self.calls.append((seed, steps))
        swap = self._known[content.tobytes(), motion.tobytes()]
        tokens = np.arange(len(motion), dtype=np.int64)[:, None]
        return Retargeted(self.answer(swap).astype(np.float32), tokens, 3.5)


class OracleJudge(Judge):
    """Knows the true strips of the given characters: the motion by the silhouettes, the attributes by all pixels."""

    def __init__(self, benchmark: Benchmark, numbers: set[int]) -> None:
        super().__init__(JudgeNetwork(HEADS), HEADS, {"joint": 1.0, **dict.fromkeys(HEADS, 1.0)})
        motions: dict[bytes, int] = {}
        looks: dict[bytes, tuple[int, ...]] = {}
        for character in (c for c in split_characters()[1] if c.number in numbers):
            for motion in range(len(MOTIONS)):
                strip = harden(benchmark.clip(character, motion))
                motions[strip[..., 3].tobytes()] = motion
                looks[strip.tobytes()] = character.attributes
        object.__setattr__(self, "_motions", motions)
        object.__setattr__(self, "_looks", looks)

    def classify(self, strips: Frames) -> dict[str, NDArray[np.float64]]:
        answers: dict[str, list[NDArray[np.float64]]] = {head: [] for head in HEADS}
        for strip in map(harden, strips):
            look = self._looks.get(strip.tobytes(), (None,) * 4)  # type: ignore[attr-defined]
            motion = self._motions.get(strip[..., 3].tobytes())  # type: ignore[attr-defined]
            for head, answer in zip(HEADS, (motion, *look), strict=True):
                # Who does not know finds all classes equally likely.
                unsure = np.full(HEADS[head], 1 / HEADS[head])
                answers[head].append(unsure if answer is None else np.eye(HEADS[head])[answer])
        return {head: np.stack(rows) for head, rows in answers.items()}


class SilhouetteJudge(Judge):
    """Knows the motions of `rendered_root` by their silhouettes, and takes all others for the first."""

    def __init__(self, rendered_root: Path) -> None:
        super().__init__(JudgeNetwork({"motion": 4}), {"motion": 4}, {"motion": 1.0})
        folder = open_rendered(rendered_root)
        known = {read_strip(folder, "0000", motion)[..., 3].tobytes(): motion for motion in range(4)}
        object.__setattr__(self, "_known", known)

    def classify(self, strips: Frames) -> dict[str, NDArray[np.float64]]:
        known: dict[bytes, int] = getattr(self, "_known")  # noqa: B009 (a frozen class has no such field)
        return {"motion": np.stack([np.eye(4)[known.get(strip[..., 3].tobytes(), 0)] for strip in strips])}


def harden(frames: Frames) -> Frames:
    """Pixel art: alpha 0 or 255, no colour under alpha 0."""
    opaque = frames[..., 3] >= 128
    hard = np.where(opaque[..., None], frames, 0).astype(np.uint8)
    hard[..., 3] = np.where(opaque, 255, 0)
    return hard


@pytest.fixture
def make_engine() -> Callable[..., StubEngine]:
    return StubEngine


@pytest.fixture
def make_oracle() -> Callable[..., OracleJudge]:
    return OracleJudge


class PuppetStrips:
    """Strips to learn from: motion of four, body plan of two."""

    HEADS = {"motion": 4, "plan": 2}  # noqa: RUF012 (never changed)
    PLANS = ("biped", "quadruped")

    def __init__(self, seeds: range) -> None:
        chosen = [(animation, direction) for animation in ("walk", "jump") for direction in ("left", "down")]
        motions = [m for m in make_puppet(0).motions if (m.animation, m.direction) in chosen]
        assert len(motions) == 4, "the puppets have lost a motion that this test needs"
        strips, classes = [], []
        for seed in seeds:
            for plan, name in enumerate(self.PLANS):
                puppet = make_puppet(seed, name, 64)
                for motion, named in enumerate(motions):
                    strips.append(draw_clip(puppet, named))
                    classes.append((motion, plan))
        self.strips, self.classes = np.stack(strips), np.array(classes, dtype=np.int64)

    def draw_strips(self, rng: np.random.Generator, count: int) -> tuple[Frames, NDArray[np.int64]]:
        chosen = rng.integers(len(self.strips), size=count)
        return self.strips[chosen], self.classes[chosen]


@pytest.fixture(scope="session")
def puppet_strips() -> Callable[[range], PuppetStrips]:
    return PuppetStrips


@pytest.fixture(scope="session")
def rendered_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty characters of a grey each; each motion is a block at a place of its own, with a soft edge."""
    root = tmp_path_factory.mktemp("rendered")
    (root / "rendered.json").write_text(json.dumps({"size": 32, "actions": _ACTIONS, "directions": _DIRECTIONS}))
    for number in range(30):
        home = root / f"{number:04d}"
        home.mkdir()
        for a, action in enumerate(_ACTIONS):
            rows = []
            for d in range(2):
                frames = np.zeros((4, 32, 32, 4), dtype=np.uint8)
                frames[:, 2:] = (8 * number + 10, 40, 90, 0)
                for t, frame in enumerate(frames):
                    frame[4 + 12 * a : 14 + 12 * a, 2 + 14 * d + t : 14 + 14 * d + t, 3] = 255
                    frame[30, 4:28, 3] = 128
                frames[frames[..., 3] == 0] = 0
                rows.append(Clip(frames))
            write_sheet(rows, home / f"{action}.png")
        (home / "character.json").write_text("{}")
    return root
