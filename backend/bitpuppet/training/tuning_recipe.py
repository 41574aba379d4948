"""The numbers of a fine-tuning run, what it tells while it goes on, and what it leaves."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from bitpuppet.errors import BitpuppetError
from bitpuppet.training.recipe import Recipe

MAX_MINUTES = 60 * 24 * 7


@dataclass(frozen=True)
class TuningRecipe:
    """How base weights are trained on a character set."""

    minutes: float = 30.0
    """Length of the run. How many steps that is, is measured before the start."""
    steps: int | None = None
    """Length of the run in steps, instead."""
    pairs: int = 12
    """Scenes of the set in a step."""
    content_frames: int = 6
    """Most content frames of a scene; one to this many are shown."""
    target_frames: int = 4
    """Frames of a scene that are rebuilt."""
    base_every: int = 5
    """Each so many steps, one is of base data, so that nothing is forgotten; 0 for none."""
    base_pairs: int = 4
    """Pairs of such a step."""
    rank: int = 0
    """Rank of the changes to matrices; 0 trains them whole."""
    motion: bool = True
    """Whether the motion reader learns the set's poses, see `motion_lessons`; codebooks never do."""
    share_reading: float = 0.5
    """Share of the steps, the first ones, in which the reader alone learns; they are three or more times as fast."""
    own: float = 0.2
    """Share of what was learnt in the weights that are used and saved, beside the base's; what reads motion has all."""
    rate: float = 6e-4
    """Learning rate (AdamW)."""
    recoloured: float = 0.8
    """Chance that a character of the set is recoloured."""
    warmup: int = 20
    """Steps of linear warm-up."""
    cooldown: float = 0.5
    """Share of the run, at its end, in which the learning rate falls to zero."""
    ema: float = 0.98
    """Decay of the moving average of the weights, which is what is measured and saved."""
    looks: int = 12
    """How often the held-out animations are measured and samples are drawn in a run."""
    patience: int = 5
    """Looks without a better figure after which the run ends."""
    seed: int = 0
    """Of data and noise."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError when a number is out of range."""
        for name, least in (("pairs", 1), ("content_frames", 1), ("target_frames", 1), ("base_every", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise BitpuppetError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}, it must be {least} or more; change it"
                )
        if not 0 < self.minutes <= MAX_MINUTES:
            raise BitpuppetError(
                f"--minutes is {self.minutes:g}, it must be above 0 and at most {MAX_MINUTES} (a week); change it"
            )
        if self.steps is not None and self.steps < 1:
            raise BitpuppetError(f"--steps is {self.steps}, it must be 1 or more; change it")

    def to_metadata(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, values: Mapping[str, Any]) -> TuningRecipe:
        """Read what `to_metadata` wrote, of this version.

        Raises:
            BitpuppetError: there are other values in it.
        """
        if set(values) != {field.name for field in fields(cls)}:
            raise BitpuppetError("the run was begun by another version; begin it anew in another folder")
        return cls(**values)

    def for_set(self, steps: int, encoder_tokens: int, denoiser_tokens: int) -> Recipe:
        """The recipe of steps on the set, for a run of `steps` steps."""
        return Recipe(
            steps=steps,
            pairs=self.pairs,
            content_frames=self.content_frames,
            target_frames=self.target_frames,
            encoder_tokens=encoder_tokens,
            denoiser_tokens=denoiser_tokens,
            temporal=True,
            share_at_max=0.8,
            adam_rate=self.rate,
            rate_scale=0.0,
            agreement=Recipe.agreement if self.motion else 0.0,
            warmup=min(self.warmup, max(1, steps // 4)),
            cooldown=self.cooldown,
            ema=self.ema,
            seed=self.seed,
        )

    def for_base(self, steps: int) -> Recipe:
        """The recipe of steps on base data."""
        recipe = self.for_set(steps, Recipe.encoder_tokens, Recipe.denoiser_tokens)
        return replace(
            recipe, pairs=self.base_pairs, content_frames=Recipe.content_frames, target_frames=4, agreement=0.0
        )


@dataclass(frozen=True)
class Estimate:
    """What a run will take, by a few measured steps."""

    steps: int
    seconds: float
    """Of the whole run."""
    seconds_per_step: float
    memory_bytes: int | None
    """Most memory of this process during the measured steps; None where the system does not tell (Windows)."""
    checkpoint_bytes: int
    """Of disk: a checkpoint is written beside the old one."""

    def __str__(self) -> str:
        memory = "" if self.memory_bytes is None else f"{self.memory_bytes / 2**30:.1f} GB of memory, "
        return (
            f"{self.steps} steps, about {max(1, round(self.seconds / 60))} min ({self.seconds_per_step:.2f} s a step), "
            f"{memory}{2 * self.checkpoint_bytes / 2**30:.1f} GB of disk"
        )


def measure_memory(device: torch.device) -> int | None:
    """Most memory that this process has used so far on a GPU, or at all, in bytes; None where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass(frozen=True)
class TuningProgress:
    """What a run tells after a step; plain values throughout."""

    step: int
    steps: int
    stage: str
    """reading: the motion reader learns the set's poses; drawing: everything learns."""
    seconds: float
    """Since the start of the run, without pauses."""
    seconds_left: float
    loss: float | None
    """Of the set in this stage, smoothed; None before its first step."""
    base_loss: float | None
    """Of base data, smoothed."""
    held_out: float | None = None
    """After a look: share of the held-out animations' pixels that are exactly right, 0..1."""
    best: float | None = None
    """The highest of them so far."""
    samples: Path | None = None
    """After a look: a picture of held-out animations beside their true frames."""

    def to_line(self) -> str:
        """The progress as a line of `metrics.jsonl`, without its end."""
        told = {name: value for name, value in vars(self).items() if value is not None}
        plain = {
            name: value.name if isinstance(value, Path) else value if isinstance(value, str) else round(value, 5)
            for name, value in told.items()
        }
        return json.dumps(plain)


@dataclass(frozen=True)
class Tuned:
    """What a run left."""

    model: Path
    """The model file, as `--weights` takes it."""
    steps: int
    seconds: float
    ended: str
    """done, stopped, or early: no better figure for a while."""
    held_out_before: float | None
    """Exact share of the held-out animations with the base weights; None in sets that cannot hold any out."""
    held_out: float | None
    """The same with the model."""
    tokens_kept: float | None = None
    """Share of the motion tokens of base data, group by group, that are as the base's; None without base data."""
