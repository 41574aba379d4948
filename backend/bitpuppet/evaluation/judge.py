"""The judge: a small classifier that says which motion and which attributes a strip shows.

It is trained once, on training characters alone, and looks at outputs of a model that it never met. So that it judges
what a viewer would see, and does not trip over faint noise, it learns from strips that are slightly spoilt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from einops import rearrange, reduce
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitpuppet.data.benchmark import ATTRIBUTES, FRAMES, MOTIONS, Benchmark, BenchmarkCharacter, split_characters

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADS: Mapping[str, int] = {"motion": len(MOTIONS), **dict.fromkeys(ATTRIBUTES, 6)}
"""What the benchmark's judge answers, and among how many classes. The first head reads the frames in their order."""
SIDE = 64
"""Side of the frames, in pixels."""
STEPS, BATCH = 300, 48
CONFIDENCE = 4.0
"""Factor of a trained judge's logits. No answer changes, but a short training leaves it right and not sure: without the
factor true strips themselves get an inception score of 8.91 of 9. Reports say what true strips get."""

Watch = Callable[[str, int, int], None]
"""Called with (what is being done, how much is done, of how much). To cancel, raise: nothing half done is kept."""


class StripSource(Protocol):
    """Strips to learn from."""

    def draw_strips(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Straight-alpha RGBA (count, 8, 64, 64, 4), and the classes (count, heads)."""
        ...


class TrainingStrips:
    """Strips of the benchmark's 1,000 training characters."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        self.characters, _ = split_characters()

    def draw_strips(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """See `StripSource`."""
        strips, classes = [], []
        for _ in range(count):
            character = self.characters[int(rng.integers(len(self.characters)))]
            motion = int(rng.integers(len(MOTIONS)))
            strips.append(self.benchmark.clip(character, motion))
            classes.append(name_classes(character, motion))
        return np.stack(strips), np.array(classes, dtype=np.int64)


def name_classes(character: BenchmarkCharacter, motion: int) -> tuple[int, ...]:
    """The right answers for a benchmark strip, in the order of `HEADS`."""
    return motion, *character.attributes


class JudgeNetwork(nn.Module):
    """A small convolutional network for each frame; the first head sees all frames in order, the others their mean."""

    WIDTH = 96
    SHARPNESS = 4.0
    """Factor of the logits, with which the small weights of a short training say enough."""

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(4, 32, 4, stride=4),
            nn.GroupNorm(4, 32),
            nn.GELU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.GroupNorm(4, 64),
            nn.GELU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.GroupNorm(4, 64),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(64 * (SIDE // 16) ** 2, self.WIDTH),
            nn.LayerNorm(self.WIDTH),
            nn.GELU(),
        )
        first, *others = heads.values()
        self.order = nn.Linear(FRAMES * self.WIDTH, first)
        self.mean = nn.ModuleList(nn.Linear(self.WIDTH, classes) for classes in others)

    def forward(self, strips: Tensor) -> list[Tensor]:
        """Premultiplied RGBA in 0..1, (B, 8, 4, 64, 64), to one (B, classes) of logits for each head."""
        features = rearrange(self.look(rearrange(strips, "b t c h w -> (b t) c h w")), "(b t) d -> b t d", t=FRAMES)
        mean = reduce(features, "b t d -> b d", "mean")
        logits = [self.order(rearrange(features, "b t d -> b (t d)")), *(head(mean) for head in self.mean)]
        return [self.SHARPNESS * head for head in logits]


@dataclass(frozen=True)
class Judge:
    """A trained judge."""

    network: JudgeNetwork
    heads: Mapping[str, int]
    accuracy: Mapping[str, float]
    """Its own, on true strips of characters that it did not learn from, see `measure_judge`; empty before that."""

    @torch.inference_mode()
    def classify(self, strips: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        """Probabilities for each head.

        Args:
            strips: straight-alpha RGBA, uint8 (N, 8, 64, 64, 4).

        Returns:
            Per head (N, classes).

        Raises:
            ValueError: strips of another shape.
        """
        if strips.ndim != 5 or strips.shape[1:] != (FRAMES, SIDE, SIDE, 4):
            raise ValueError(f"the judge sees strips of {FRAMES} frames of {SIDE}x{SIDE}, not {strips.shape[1:]}")
        parts = [self.network(premultiply(strips[start : start + BATCH])) for start in range(0, len(strips), BATCH)]
        return {
            head: torch.cat([torch.softmax(CONFIDENCE * part[index].double(), dim=-1) for part in parts]).numpy()
            for index, head in enumerate(self.heads)
        }


def premultiply(strips: NDArray[np.uint8]) -> Tensor:
    """Straight-alpha uint8 (B, T, H, W, 4) to premultiplied float32 in 0..1, (B, T, 4, H, W)."""
    frames = rearrange(torch.from_numpy(np.ascontiguousarray(strips)), "b t h w c -> b t c h w").float() / 255
    frames[:, :, :3] *= frames[:, :, 3:]
    return frames


def train_judge(
    source: StripSource,
    heads: Mapping[str, int] = HEADS,
    *,
    steps: int = STEPS,
    batch: int = BATCH,
    seed: int = 0,
    watch: Watch | None = None,
) -> Judge:
    """Train a judge; the same seed gives the same judge on the same machine.

    Args:
        source: what to learn from.
        heads: name and number of classes of each answer.
        steps: optimization steps, 1 or more.
        batch: strips of one step.
        seed: decides the first weights, the strips and how they are spoilt.
        watch: called after each step.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    with _private_chance(seed):
        network = JudgeNetwork(heads)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps + 1, pct_start=0.1)
    for step in range(steps):
        strips, classes = source.draw_strips(rng, batch)
        shown = premultiply(strips)
        shown[::2] = spoil(shown[::2], generator)  # the others stay as they are: true strips should leave no doubt
        answers = network(shown)
        right = torch.from_numpy(classes)
        losses = [functional.cross_entropy(logits, right[:, index]) for index, logits in enumerate(answers)]
        optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        optimizer.step()
        schedule.step()
        if watch is not None:
            watch("training the judge", step + 1, steps)
    return Judge(network.eval().requires_grad_(False), dict(heads), {})


def spoil(strips: Tensor, generator: torch.Generator) -> Tensor:
    """Strips as an imperfect model might make them: a pixel off, blurred, noisy, half transparent, frames missing.

    Args:
        strips: premultiplied, (B, T, 4, H, W) in 0..1.
        generator: the only source of chance.

    Returns:
        The same shape. About half of the strips have each of the faults, slightly.
    """

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    batch, frames, *_ = strips.shape
    across, down = (int(value) - 1 for value in torch.randint(3, (2,), generator=generator))
    strips = torch.roll(strips, (down, across), dims=(-2, -1))
    blurred = functional.avg_pool2d(rearrange(strips, "b t c h w -> (b t) c h w"), 3, stride=1, padding=1)
    share = (draw(batch, 1, 1, 1, 1) * 2 - 1).clamp(min=0)
    strips = torch.lerp(strips, rearrange(blurred, "(b t) c h w -> b t c h w", t=frames), share)
    strips = strips * (1 - 0.8 * (draw(batch, 1, 1, 1, 1) - 0.5).clamp(min=0))
    noise = torch.randn(strips.shape, generator=generator)
    strips = strips + noise * 0.2 * (draw(batch, 1, 1, 1, 1) - 0.5).clamp(min=0)
    lost = draw(batch, frames, 1, 1, 1) < 0.4 * (draw(batch, 1, 1, 1, 1) - 0.5).clamp(min=0)
    return strips * ~lost


def measure_judge(
    judge: Judge, benchmark: Benchmark, characters: list[BenchmarkCharacter], watch: Watch | None = None
) -> dict[str, float]:
    """The judge's accuracy on true strips, 0..1, over all motions of the given characters.

    Returns:
        Per head, and "joint" for the strips on which all heads are right.
    """
    right = []
    for done, character in enumerate(characters, start=1):
        strips = np.stack([benchmark.clip(character, motion) for motion in range(len(MOTIONS))])
        wanted = np.array([name_classes(character, motion) for motion in range(len(MOTIONS))])
        answers = judge.classify(strips)
        right.append(np.stack([answers[head].argmax(axis=1) for head in judge.heads], axis=1) == wanted)
        if watch is not None:
            watch("testing the judge", done, len(characters))
    joined = np.concatenate(right)
    accuracy = {head: float(joined[:, index].mean()) for index, head in enumerate(judge.heads)}
    return {"joint": float(joined.all(axis=1).mean()), **accuracy}


@contextmanager
def _private_chance(seed: int) -> Iterator[None]:
    """Layers draw their first weights from torch's global generator: lend it a seed and give it back untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
