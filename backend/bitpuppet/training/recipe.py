"""Recipes: every number of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bitpuppet.model.quantizer import FINAL_SHARPNESS


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. The defaults are those of the shipped `sprite64`."""

    steps: int = 3400
    """Length of the run, in optimizer steps."""
    pairs: int = 32
    """Characters in a step, on each device."""
    content_frames: int = 4
    """Most content frames of a pair; one to this many are shown."""
    target_frames: int = 6
    """Frames of a pair that are rebuilt."""
    encoder_tokens: int = 28
    """Tokens of a frame that the encoder looks at, those that show something first."""
    denoiser_tokens: int = 44
    """Tokens of a frame that are rebuilt, chosen without regard to what the frame shows."""
    share_at_max: float = 0.8
    """Share of noise levels at sigma_max."""
    share_guessed: float = 0.0
    """Share of frames whose noise is added to the model's own first guess instead of to the clean frame."""
    muon_rate: float = 2e-3
    """Learning rate of the matrices inside the blocks (Muon, scaled as AdamW's)."""
    adam_rate: float = 1e-3
    """Learning rate of all other parameters (AdamW)."""
    warmup: int = 100
    """Steps of linear warm-up."""
    cooldown: float = 0.33
    """Share of the run, at its end, in which the learning rate falls to zero."""
    weight_decay: float = 0.01
    """Of both optimizers."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.997
    """Decay of the moving average of the weights, which is what ships."""
    sharpness: tuple[float, float] = (0.8, FINAL_SHARPNESS)
    """alpha of the quantizer before and at the end of the cool-down.

    Above 2 nearly every assignment is certain, and no gradient is left to part two poses that share a codeword.
    """
    seed: int = 0
    """Of weights, data and noise."""

    def to_metadata(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    def rate_at(self, step: int) -> float:
        """Factor of the learning rates at `step`: warm-up, plateau, linear cool-down to zero."""
        falling = max(1.0, self.cooldown * self.steps)
        return max(0.0, min(1.0, (step + 1) / self.warmup, (self.steps - step) / falling))

    def sharpness_at(self, step: int) -> float:
        """alpha at `step`: the first value, and from there to the second during the cool-down."""
        low, high = self.sharpness
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return low + (high - low) * (1 - min(1.0, left))
