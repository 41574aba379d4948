"""The objective: cross-driving with a rate target."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.data.mixture import PairBatch
from bitpuppet.model.bcd import BitrateControlledDiffusion, Picked, pick_tokens, take_tokens
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.diffusion import Predict, denoise, draw_noise_levels, loss_weight
from bitpuppet.model.quantizer import hard_entropy_bits
from bitpuppet.training.recipe import Recipe


class Losses(NamedTuple):
    """One step's losses and measures, scalars."""

    total: Tensor
    diffusion: Tensor
    at_max: Tensor
    """Squared error at sigma_max, where only content and motion help."""
    soft_bits: Tensor
    hard_bits: float


class CrossDriving(nn.Module):
    """Content from one segment of a character, motion from another, which is rebuilt.

    A module, so that distributed training sees one forward pass.
    """

    def __init__(self, model: BitrateControlledDiffusion, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe

    def forward(self, content: Tensor, shown: Tensor, target: Tensor, sharpness: float) -> Losses:
        """Losses of a batch: content uint8 (B, N, H, W, 4), shown bool (B, N), target uint8 (B, T, H, W, 4)."""
        model, recipe = self.model, self.recipe
        memory = model.denoiser.remember(self._encode_content(content, shown))

        clean = model.codec.encode(rearrange(target, "b t h w c -> (b t) h w c"))
        seen = pick_tokens(clean, min(recipe.encoder_tokens, model.preset.tokens), shuffle=True)
        quantized = model.quantizer(model.encoder.forward_motion(*seen), sharpness, sample=True)

        model.quantizer.observe(quantized.indices)

        rebuilt = pick_blindly(clean, min(recipe.denoiser_tokens, model.preset.tokens))
        sigma = draw_noise_levels(model.preset, len(clean), recipe.share_at_max, clean.device)

        def predict(tokens: Tensor, level: Tensor) -> Tensor:
            return model.denoiser(tokens, level, quantized.motion, memory, rebuilt.places)  # type: ignore[no-any-return]

        start = self._guess_start(predict, rebuilt.tokens)
        noisy = start + sigma[:, None, None] * torch.randn_like(start)

        error = denoise(model.preset, predict, noisy, sigma) - rebuilt.tokens
        diffusion = (loss_weight(model.preset, sigma) * soften(error).mean(dim=(1, 2))).mean()
        squared = error.detach().square().mean(dim=(1, 2))
        at_max = sigma >= model.preset.sigma_max
        return Losses(
            total=diffusion + RATE_SCALE * model.quantizer.rate_loss(quantized.bits),
            diffusion=diffusion.detach(),
            at_max=(squared * at_max).sum() / at_max.sum().clamp(min=1),
            soft_bits=quantized.bits.detach(),
            hard_bits=hard_entropy_bits(quantized.indices, model.preset.codewords),
        )

    @torch.no_grad()
    def _guess_start(self, predict: Predict, clean: Tensor) -> Tensor:
        """What noise is added to: the clean tokens, or for a share of the frames the model's own first guess.

        A sampler with few steps jumps from pure noise to the model's guess plus a little noise, not to a clean frame
        plus a little noise. Without such examples, each further step made frames worse.
        """
        if not self.recipe.share_guessed:
            return clean
        sigma = clean.new_full((len(clean),), self.model.preset.sigma_max)
        guess = denoise(self.model.preset, predict, sigma[:, None, None] * torch.randn_like(clean), sigma)
        guessed = torch.rand(len(clean), device=clean.device) < self.recipe.share_guessed
        return torch.where(guessed[:, None, None], guess, clean)

    def _encode_content(self, content: Tensor, shown: Tensor) -> Tensor:
        clips = len(content)
        tokens = self.model.codec.encode(rearrange(content, "b n h w c -> (b n) h w c"))
        picked = pick_tokens(tokens, min(self.recipe.encoder_tokens, self.model.preset.tokens), shuffle=True)
        tokens, places, mask = (rearrange(part, "(b n) l ... -> b (n l) ...", b=clips) for part in picked)
        mask = mask & repeat(shown, "b n -> b (n l)", l=picked.mask.shape[1])
        return self.model.encoder.forward_content(tokens, places, mask)


RATE_SCALE = 0.1
"""The paper's weights hold for a latent loss near 1; ours, on pixels in -1..1, ends a hundred times lower."""


def pick_blindly(tokens: Tensor, count: int) -> Picked:
    """Keep `count` tokens of each frame by chance, more often those that many frames of the batch use.

    What is kept must not depend on the frame itself: a denoiser that only ever gets the tokens under the true
    silhouette reads the pose from their places instead of from the motion, and draws all arms at once when it gets
    all places.

    Args:
        tokens: (F, N, D) from `PatchCodec`.
        count: 1..N.
    """
    occupied = PatchCodec.occupied(tokens)
    chance = (occupied.float().mean(dim=0) + 0.1).log().expand(occupied.shape)
    gumbel = -torch.log(-torch.log(torch.rand_like(chance).clamp(1e-9, 1 - 1e-7)))
    places = torch.topk(chance + gumbel, count, dim=1).indices
    return take_tokens(tokens, places)


def soften(error: Tensor, knee: float = 0.05) -> Tensor:
    """Pseudo-Huber loss of each value: squared below the knee, absolute above it.

    EDM's squared error asks for the mean of what a pixel could be, and a mean is no colour of the palette; the
    absolute error asks for the median, which is one. The knee is about 6 of 255 levels.
    """
    return (error.square() + knee**2).sqrt() - knee


def as_tensors(batch: PairBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Content, shown and target of a batch as tensors on the device."""
    content, shown, target = (torch.from_numpy(part).to(device) for part in (batch.content, batch.shown, batch.target))
    return content, shown, target
