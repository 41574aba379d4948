"""The objective: cross-driving with a rate target."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.data.mixture import UNKNOWN
from bitpuppet.model.bcd import BitrateControlledDiffusion, Picked, pick_tokens, take_tokens
from bitpuppet.model.codec import Codec
from bitpuppet.model.content import Content, Palette
from bitpuppet.model.denoiser import Memory
from bitpuppet.model.diffusion import (
    Predict,
    denoise,
    draw_edm_levels,
    draw_noise_levels,
    edm_weight,
    loss_weight,
    precondition,
)
from bitpuppet.model.frame_encoder import FrameEncoder
from bitpuppet.model.quantizer import FINAL_SHARPNESS, Quantized, hard_entropy_bits
from bitpuppet.model.reference import References, mirror
from bitpuppet.training.agreement import score_agreement
from bitpuppet.training.batch import Losses, TensorBatch
from bitpuppet.training.recipe import Recipe
from bitpuppet.training.retrieval import compare_facing, score_likeness, score_retrieval
from bitpuppet.training.variation import add_noise, shift_clips

RETRIEVAL = 0.05
"""Weight of finding the right references, beside the loss of a pixel."""


class CrossDriving(nn.Module):
    """Content from one segment of a character; motion from another segment, which is rebuilt, or from whoever shows it.

    A module, so that distributed training sees one forward pass.
    """

    def __init__(self, model: BitrateControlledDiffusion, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe

    def forward(self, batch: TensorBatch, sharpness: float, control: float = 1.0) -> Losses:
        """Losses of a batch.

        Args:
            batch: pairs.
            sharpness: alpha of the quantizer.
            control: factor of the rate loss, 0..1.
        """
        model, recipe = self.model, self.recipe
        batch = shift_clips(batch, model.preset.patch, recipe.most_shift)
        content, others = self._encode_content(batch, sharpness)
        memory = model.denoiser.remember(content)

        clips = len(batch.target)
        clean, driving = self._tokenize(batch.target), self._tokenize(batch.motion)
        motion = self._encode_motion(driving, clips)
        quantized = self._quantize(motion, sharpness, sample=True)
        if recipe.learns != "frames":  # statistics are part of tokens, and a prior and packed tokens rely on both
            model.quantizer.observe(quantized.indices)

        rebuilt = pick_blindly(model.codec, clean, min(recipe.denoiser_tokens, model.preset.tokens), clips)
        if recipe.edm:
            sigma = draw_edm_levels(model.preset, len(clean), clean.device)
        else:
            sigma = draw_noise_levels(model.preset, len(clean), recipe.share_at_max, clean.device)

        def predict(tokens: Tensor, level: Tensor) -> Tensor:
            return model.denoiser(  # type: ignore[no-any-return]
                tokens, level, quantized.motion, memory, rebuilt.places, temporal=recipe.temporal
            )

        start = self._guess_start(predict, memory, rebuilt.tokens)
        noisy = start + sigma[:, None, None] * torch.randn_like(start)

        c = precondition(model.preset, sigma)
        prediction = predict(c.scale * noisy, c.noise)
        if content.palette is None:
            error = c.skip * noisy + c.out * prediction.float() - rebuilt.tokens
            squared = error.square().mean(dim=(1, 2))
            if recipe.edm:
                diffusion = (edm_weight(model.preset, sigma) * squared).mean()
            else:
                diffusion = (loss_weight(model.preset, sigma) * soften(error, recipe.knee).mean(dim=(1, 2))).mean()
            wrong = squared.detach()
        else:
            wanted = rearrange(
                batch.wanted,
                "b t (h p) (w q) -> (b t) (h w) (p q)",
                p=model.preset.patch,
                q=model.preset.patch,
            )
            wanted = torch.gather(wanted, 1, repeat(rebuilt.places, "f l -> f l n", n=wanted.shape[-1]))
            score = score_colours(prediction, rearrange(wanted, "f l n -> f (l n)").long())
            diffusion, wrong = score.loss, score.wrong
        at_max = sigma >= model.preset.sigma_max
        total = diffusion + control * recipe.rate_scale * model.quantizer.rate_loss(quantized.bits)
        if content.references is not None and model.preset.codec == "patch":
            likeness = model.denoiser.compare(quantized.motion, content.references)
            if model.preset.head == "palette":
                found = score_retrieval(likeness, batch.wanted, content.references)
            else:
                found = score_likeness(likeness, clean, content.references, compare_facing(batch, content.references))
            total = total + RETRIEVAL * found
        if recipe.agreement and others is not None and recipe.learns == "all":
            own = rearrange(self._encode_motion(clean, clips), "(b t) g w -> b t (g w)", b=clips)
            poses = torch.cat([batch.target, batch.content], dim=1)
            total = total + recipe.agreement * score_agreement(
                rearrange(motion, "(b t) g w -> b t (g w)", b=clips), torch.cat([own, others], dim=1), poses
            )
        return Losses(
            total=total,
            diffusion=diffusion.detach(),
            at_max=(wrong * at_max).sum() / at_max.sum().clamp(min=1),
            soft_bits=quantized.bits.detach(),
            hard_bits=hard_entropy_bits(quantized.indices, model.preset.codewords),
        )

    @torch.no_grad()
    def _guess_start(self, predict: Predict, memory: Memory, clean: Tensor) -> Tensor:
        """What noise is added to: the clean tokens, or for a share of the frames the model's own first guess.

        A sampler with few steps jumps from pure noise to the model's guess plus a little noise, not to a clean frame
        plus a little noise. Without such examples, each further step made frames worse.
        """
        if not self.recipe.share_guessed:
            return clean
        model = self.model

        def read_out(tokens: Tensor, level: Tensor) -> Tensor:
            return model.denoiser.read_out(predict(tokens, level), memory)

        sigma = clean.new_full((len(clean),), model.preset.sigma_max)
        guess = denoise(model.preset, read_out, sigma[:, None, None] * torch.randn_like(clean), sigma)
        guessed = torch.rand(len(clean), device=clean.device) < self.recipe.share_guessed
        return torch.where(guessed[:, None, None], guess, clean)

    def _tokenize(self, frames: Tensor) -> Tensor:
        """The codec's tokens of frames (B, T, H, W, 4), or those that are tokens already, (B * T, N, D)."""
        flat = rearrange(frames, "b t ... -> (b t) ...")
        return flat.float() if flat.is_floating_point() else self.model.codec.encode(flat)

    def _encode_motion(self, clean: Tensor, clips: int) -> Tensor:
        clean = add_noise(clean, self.recipe.reading_noise)
        encoder, tokens = self.model.encoder, min(self.recipe.encoder_tokens, self.model.preset.tokens)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.recipe.learns != "frames"):
            if isinstance(encoder, FrameEncoder):
                return encoder.forward_motion(rearrange(clean, "(b t) n d -> b t n d", b=clips))
            picked = pick_tokens(self.model.codec, clean, encoder.count_read(tokens), shuffle=True)
            return encoder.forward_motion(*picked)

    def _quantize(self, motion: Tensor, sharpness: float, *, sample: bool = False) -> Quantized:
        """Quantize; tokens that no longer learn are the same as in use."""
        if self.recipe.learns == "frames":
            with torch.no_grad():
                return self.model.quantizer(motion, FINAL_SHARPNESS)  # type: ignore[no-any-return]
        return self.model.quantizer(motion, sharpness, sample=sample)  # type: ignore[no-any-return]

    def _encode_content(self, batch: TensorBatch, sharpness: float) -> tuple[Content, Tensor | None]:
        """Content, and the motion of the content frames before the quantizer, (B, N, motion_width), if it is read."""
        model, recipe = self.model, self.recipe
        clips = len(batch.content)
        tokens = self._tokenize(batch.content)
        if isinstance(model.encoder, FrameEncoder):
            return model.encoder.forward_content(rearrange(tokens, "(b n) l d -> b n l d", b=clips), batch.shown), None
        picked = pick_tokens(model.codec, tokens, min(recipe.encoder_tokens, model.preset.tokens), shuffle=True)
        references, read = None, None
        if model.preset.reference:
            # With gradient: codewords of poses that lend each other pixels move together, others apart.
            numbers = torch.where(batch.numbers == UNKNOWN, 0, batch.numbers)
            seen, shown = tokens, batch.shown
            if model.preset.mirrored:
                seen = model.codec.encode(rearrange(mirror(batch.content), "b n h w c -> (b n) h w c"))
                shown, numbers = torch.cat([shown, shown], dim=1), mirror(numbers)
            read = self._encode_motion(seen, clips)
            motion = self._quantize(read, sharpness).motion
            read = rearrange(read, "(b n) g w -> b n (g w)", b=clips)[:, : batch.content.shape[1]]
            frames, motion = (rearrange(part, "(b n) ... -> b n ...", b=clips) for part in (seen, motion))
            if model.preset.mirrored:
                motion = model.denoiser.know_mirrored(motion)
            references = References(frames, motion, shown, numbers)
        tokens, places, mask = (rearrange(part, "(b n) l ... -> b (n l) ...", b=clips) for part in picked)
        mask = mask & repeat(batch.shown, "b n -> b (n l)", l=picked.mask.shape[1])
        palette = None
        if model.preset.head == "palette":
            palette = Palette.from_rgb(batch.colours, batch.counts)
        detail = mask.shape[1] if model.preset.detail_frames else 0
        content = model.encoder.forward_content(tokens, places, mask, palette, detail=detail)
        return content._replace(references=references), read


class ColourScore(NamedTuple):
    """How well colours were chosen."""

    loss: Tensor
    """Cross entropy in nats, mean over the pixels whose colour is known; a scalar with gradient."""
    wrong: Tensor
    """Share of the foreground pixels of each frame whose colour got less than half of the probability, (F,)."""


def score_colours(logits: Tensor, wanted: Tensor) -> ColourScore:
    """Compare choices with the target.

    Args:
        logits: (F, S, P).
        wanted: int64 (F, S), as `PairBatch.wanted` counts colours.
    """
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=UNKNOWN)
    losses = losses.reshape(wanted.shape)
    known = wanted != UNKNOWN
    foreground = known & (wanted > 0)
    wrong = foreground & (losses.detach() > math.log(2))
    return ColourScore(losses.sum() / known.sum().clamp(min=1), wrong.sum(dim=1) / foreground.sum(dim=1).clamp(min=1))


def pick_blindly(codec: Codec, tokens: Tensor, count: int, clips: int) -> Picked:
    """Keep `count` tokens by chance, the same for all frames of a clip, more often those that many frames use.

    What is kept must not depend on the frame itself: a denoiser that only ever gets the tokens under the true
    silhouette reads the pose from their places instead of from the motion, and draws all arms at once when it gets
    all places.

    Args:
        codec: knows which tokens show anything.
        tokens: of it, (F, N, D), F = clips x frames per clip.
        count: 1..N.
        clips: how many clips the frames belong to.
    """
    if count == tokens.shape[1]:
        return take_tokens(codec, tokens, torch.arange(count, device=tokens.device).expand(len(tokens), -1))
    occupied = codec.occupied(tokens)
    chance = (occupied.float().mean(dim=0) + 0.1).log().expand(clips, -1)
    gumbel = -torch.log(-torch.log(torch.rand_like(chance).clamp(1e-9, 1 - 1e-7)))
    places = torch.topk(chance + gumbel, count, dim=1).indices
    return take_tokens(codec, tokens, repeat(places, "b l -> (b t) l", t=len(tokens) // clips))


def soften(error: Tensor, knee: float) -> Tensor:
    """Pseudo-Huber loss of each value: squared below the knee, absolute above it.

    EDM's squared error asks for the mean of what a pixel could be, and a mean is no colour of the palette; the
    absolute error asks for the median, which is one. A knee of 0.05 is about 6 of 255 levels.
    """
    return (error.square() + knee**2).sqrt() - knee
