"""Differences: what changes from one frame of a video to another one, its motion tells."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.bcd import BitrateControlledDiffusion, pick_tokens
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.quantizer import hard_entropy_bits
from bitpuppet.training.batch import Losses, TensorBatch
from bitpuppet.training.recipe import Recipe
from bitpuppet.training.variation import add_noise, shift_clips

DIRECTIONS = 2
"""Directions of the strongest changes that motion's are chosen among, for each of its values."""
SCALE = 0.3
"""Of the loss where nothing is told; with it the rate loss weighs as much as beside the loss of a pixel."""
UNQUANTIZED = 1.0
"""Weight of what is told from motion before the quantizer."""


class MotionDifferences(nn.Module):
    """The encoder's motion and the quantizer alone, on videos, where nobody else shows the same pose.

    A small network, the denoiser's own `Telling`, has to tell the difference of two frames of a clip from one of them
    and the codewords of both. Most of what a frame of a face shows is the same in the next one, and drops out. A
    denoiser that learns by cross-driving lives without motion (codewords fell from 31 to 12 bits in 27 steps); this
    asks for nothing else. Frames are few, and would be learnt by heart: each clip is shifted by whole cells, and noise
    is added to what motion is read from.
    """

    def __init__(self, model: BitrateControlledDiffusion, recipe: Recipe) -> None:
        super().__init__()
        if not isinstance(model.encoder, Encoder) or model.denoiser.telling is None:
            raise TypeError(
                "motion alone is learnt by encoders that read frames one by one, and by what tells differences"
            )
        self.model, self.recipe, self._encoder = model, recipe, model.encoder

    @torch.no_grad()
    def settle(self, batches: Iterable[TensorBatch]) -> None:
        """Begin with motion that changes inside of clips and is the same on the average of each clip.

        Convolutions that have learnt nothing see who somebody is and hardly what they do: all frames of a clip had the
        same codewords, and nothing to learn from. So the last linear map begins with directions in which features
        vary inside of clips (to unit variance) and least from clip to clip, and codebooks with what it then says.

        Args:
            batches: as for `forward`, some hundreds of clips in all.
        """
        stem = self._encoder.stem
        if stem is None:
            return
        parts = []
        for batch in batches:
            frames = torch.cat([batch.target, batch.content], dim=1)
            tokens = rearrange(frames.float(), "b t n d -> (b t) n d")
            picked = pick_tokens(self.model.codec, tokens, tokens.shape[1])
            seen = stem.pool(stem.see(stem.join(*picked)))
            parts.append(rearrange(seen, "(b t) d -> b t d", b=len(frames)).float())
        features = torch.cat(parts)
        means, mean = features.mean(dim=1), features.mean(dim=(0, 1))
        within = rearrange(features - means[:, None], "b t d -> (b t) d")
        outputs = stem.to_motion.out_features
        energies, directions = torch.linalg.eigh(within.T @ within / len(within))
        strong = energies[-DIRECTIONS * outputs :].clamp(min=1e-9)
        whitened = directions[:, -DIRECTIONS * outputs :] * strong.rsqrt()
        between = (means - mean) @ whitened
        steady = torch.linalg.eigh(between.T @ between).eigenvectors[:, :outputs]
        weight = (whitened @ steady).T
        stem.to_motion.weight.copy_(weight)
        stem.to_motion.bias.copy_(-(weight @ mean))
        self.model.quantizer.spread(self._encoder.group(stem.to_motion(rearrange(features, "b t d -> (b t) d"))))

    def forward(self, batch: TensorBatch, sharpness: float, control: float = 1.0) -> Losses:
        """Losses of a batch of latents, as `CrossDriving`.

        The diffusion loss is SCALE times the share of a clip's squares that is not told, on the average of clips: a
        mouth that speaks counts as much as a head that turns. The error at sigma_max is that share of all together.
        """
        model, count = self.model, batch.target.shape[1]
        telling = model.denoiser.telling
        assert telling is not None  # see __init__
        batch = shift_clips(batch, model.preset.patch, self.recipe.most_shift)
        content = batch.content[:, torch.arange(count, device=batch.content.device) % batch.content.shape[1]]
        indices, bits, told, free = [], [], [], []
        for frames in (content, batch.motion):
            tokens = rearrange(frames.float(), "b t n d -> (b t) n d")
            tokens = add_noise(tokens, self.recipe.reading_noise)
            read = self._encoder.forward_motion(*pick_tokens(model.codec, tokens, tokens.shape[1]))
            quantized = model.quantizer(read, sharpness, sample=True)
            indices.append(quantized.indices)
            bits.append(quantized.bits)
            told.append(quantized.motion)
            free.append(read.flatten(1))
        model.quantizer.observe(torch.cat(indices))
        wanted = rearrange((batch.target - content).float(), "b t n d -> (b t) n d")
        energy = rearrange(wanted, "(b t) n d -> b (t n d)", t=count).square().mean(dim=1).clamp(min=1e-6)
        share = repeat(SCALE / energy, "b -> (b t)", t=count)

        def weigh(error: Tensor) -> Tensor:
            return (error.square().mean(dim=(1, 2)) * share).mean()

        shown = rearrange(content.float(), "b t n d -> (b t) n d")
        error: Tensor = telling(shown, *told) - wanted
        loss, rate = weigh(error), torch.stack(bits).mean()
        return Losses(
            total=loss
            + UNQUANTIZED * weigh(telling(shown, *free) - wanted)
            + control * self.recipe.rate_scale * model.quantizer.rate_loss(rate),
            diffusion=loss.detach(),
            at_max=(error.square().mean() / wanted.square().mean().clamp(min=1e-6)).detach(),
            soft_bits=rate.detach(),
            hard_bits=hard_entropy_bits(torch.cat(indices), model.preset.codewords),
        )
