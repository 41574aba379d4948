"""Recipes: every number of a training run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bitpuppet.model.preset import Preset
from bitpuppet.model.quantizer import FINAL_SHARPNESS

PAPER_BATCH = 32
"""Clips of a step, over all devices (paper)."""
PAPER_EPOCHS = (30, 15)
"""Rounds through all clips without temporal layers, then with them (paper)."""
CONTROL_START = 1e-5
"""Share of its weight with which a rate loss sets in that comes later.

Its gradient is then some hundredths of the other's. With 1e-2 a model fell from 105 to 41 bits in six steps, and
did not find its motion again.
"""


@dataclass(frozen=True)
class Recipe:
    """How a preset is trained. The defaults are those of the shipped `sprite64`."""

    steps: int = 4000
    """Length of the run, in optimizer steps."""
    pairs: int = 32
    """Characters in a step, on each device."""
    content_frames: int = 6
    """Most content frames of a pair; one to this many are shown."""
    target_frames: int = 6
    """Frames of a pair that are rebuilt."""
    encoder_tokens: int = 28
    """Tokens of a frame that the encoder looks at, those that show something first."""
    denoiser_tokens: int = 44
    """Tokens of a frame that are rebuilt, chosen without regard to what the frame shows."""
    temporal: bool = False
    """The second stage (paper): targets are stretches of an animation, and temporal attention learns."""
    edm: bool = False
    """EDM's own noise levels, loss weight and squared error (paper), instead of those that sprites need."""
    learns: Literal["all", "motion", "frames"] = "all"
    """What learns: everything together (paper); motion tokens alone, by agreement; or all but the motion tokens."""
    share_at_max: float = 0.95
    """Share of noise levels at sigma_max, where readings start."""
    share_guessed: float = 0.0
    """Share of frames whose noise is added to the model's own first guess instead of to the clean frame."""
    knee: float = 0.05
    """Error of a value from which on its loss grows no longer with the square, in the codec's units (`soften`)."""
    most_shift: int = 0
    """Cells of latents to each side by which a clip is shifted at most, all its frames alike."""
    reading_noise: float = 0.0
    """Standard deviation of what is added to tokens before motion is read from them, in the codec's units."""
    muon_rate: float = 2e-3
    """Learning rate of the matrices inside the blocks (Muon, scaled as AdamW's)."""
    adam_rate: float = 1e-3
    """Learning rate of all other parameters (AdamW)."""
    rate_scale: float = 0.2
    """Factor of the rate loss. The paper's weight is for a loss near 1 on latents."""
    control: tuple[float, float] = (0.0, 0.0)
    """Shares of the run at which the rate loss sets in, at CONTROL_START of its weight, and at which it has it all.

    Where the quantizer holds much more than the target, the whole rate loss is hundreds of times as large as the other,
    and codewords are given up before they mean anything. Where it holds little more, (0, 0) serves.
    """
    agreement: float = 0.1
    """Weight of `objective.score_agreement`: tokens of two characters in one pose agree. 0 is the paper's method."""
    warmup: int = 100
    """Steps of linear warm-up."""
    cooldown: float = 0.5
    """Share of the run, at its end, in which the learning rate falls to zero."""
    weight_decay: float = 0.01
    """Of both optimizers."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.997
    """Decay of the moving average of the weights, which is what ships."""
    sharpness: tuple[float, float] = (1.1, FINAL_SHARPNESS)
    """alpha of the quantizer before and at the end of the cool-down.

    Above 2 nearly every assignment is certain, and no gradient is left to part two poses that share a codeword.
    """
    seed: int = 0
    """Of weights, data and noise."""

    def to_metadata(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    def scale_rates(self, factor: float) -> Recipe:
        """The same recipe with `factor` times its learning rates."""
        return replace(self, muon_rate=factor * self.muon_rate, adam_rate=factor * self.adam_rate)

    def rate_at(self, step: int) -> float:
        """Factor of the learning rates at `step`: warm-up, plateau, linear cool-down to zero."""
        falling = max(1.0, self.cooldown * self.steps)
        return max(0.0, min(1.0, (step + 1) / self.warmup, (self.steps - step) / falling))

    def control_at(self, step: int) -> float:
        """Factor of the rate loss at `step`: 0, then growing by the same share each step, then 1."""
        begin, end = (share * self.steps for share in self.control)
        if step < begin:
            return 0.0
        return 1.0 if step >= end else float(CONTROL_START ** ((end - step) / (end - begin)))

    def sharpness_at(self, step: int) -> float:
        """alpha at `step`: the first value, and from there to the second during the cool-down."""
        low, high = self.sharpness
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return low + (high - low) * (1 - min(1.0, left))


def make_paper_recipe(preset: Preset, clips: int, devices: int = 1, *, temporal: bool = False) -> Recipe:
    """How the paper trains: batches of 32 clips, half of each clip for content and half for motion.

    The paper's batch, epochs and rate weight; optimizers, learning rates and alpha are ours, since the paper's are not
    known to us.

    Args:
        preset: reads frames; its `clip_frames` is the length of a clip.
        clips: how many clips there are, 1 or more.
        devices: processes that share a batch, 1 or more; with more than 32 each still takes one clip.
        temporal: the second stage, 15 epochs with temporal layers, instead of the first, 30 epochs without.
    """
    pairs = max(1, PAPER_BATCH // devices)
    steps = math.ceil(PAPER_EPOCHS[temporal] * clips / (pairs * devices))
    half = preset.clip_frames // 2
    return Recipe(
        steps=steps,
        pairs=pairs,
        content_frames=half,
        target_frames=half,
        denoiser_tokens=preset.tokens,
        temporal=temporal,
        edm=True,
        muon_rate=1e-3,
        adam_rate=2e-4,
        rate_scale=1.0,
        agreement=0.0,
        warmup=max(1, min(1000, steps // 10)),
        cooldown=0.33,
        ema=0.9999,
    )


def make_tokens_recipe() -> Recipe:
    """How the motion tokens of `sprite64` and `render64` are learnt alone, from duets."""
    return Recipe(steps=3200, pairs=8, target_frames=32, learns="motion", warmup=50, cooldown=0.7, ema=0.998)


def make_rendered_recipe(*, temporal: bool = False) -> Recipe:
    """How `render64` is trained: as sprites are, with more content frames to fetch pixels from.

    Edges and shades are soft, so that the mean of what a pixel could be is one of its values more often than in pixel
    art, and errors count by their squares for longer. Readings look from pure noise alone, so nothing else is learnt.
    """
    return Recipe(content_frames=8, share_at_max=1.0, knee=0.2, temporal=temporal)


def make_heads_recipe(
    preset: Preset, *, temporal: bool = False, learns: Literal["all", "motion", "frames"] = "all"
) -> Recipe:
    """How `heads` is trained: by its halves, as in the paper, in small batches that two CPU cores take in seconds.

    A low noise level shows the pose by itself, as in sprites; but there is more to learn at it than in them, since
    nothing in a face is exact. Agreement needs somebody else in the same pose, whom videos do not have. The rate loss
    comes late, when motion is found. Motion alone learns from differences of frames, in steps that cost less. Clips
    are few and would be learnt by heart, so they are shifted, and motion is read through noise.
    """
    if learns == "motion":
        return Recipe(
            steps=1500,
            pairs=24,
            content_frames=preset.detail_frames,
            target_frames=6,
            learns=learns,
            adam_rate=3e-3,
            most_shift=2,
            reading_noise=0.3,
            control=(0.35, 0.75),
            warmup=50,
            cooldown=0.33,
            ema=0.98,
        )
    return Recipe(
        steps=3000 if temporal else 9000,
        pairs=8,
        content_frames=preset.detail_frames,
        target_frames=6,
        learns=learns,
        encoder_tokens=preset.tokens,
        denoiser_tokens=preset.tokens,
        temporal=temporal,
        share_at_max=0.7,
        most_shift=1,
        reading_noise=0.3,
        control=(0.0, 0.0) if temporal else (0.35, 0.75),
        agreement=0.0,
        warmup=50,
        cooldown=0.33,
        ema=0.995,
    )
