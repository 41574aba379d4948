"""Agreement: motion tokens of two characters in one pose are the same, those of two poses differ."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.data.poses import is_drawn_over
from bitpuppet.model.bcd import BitrateControlledDiffusion, pick_tokens
from bitpuppet.model.content import HIDDEN
from bitpuppet.model.frame_encoder import FrameEncoder
from bitpuppet.model.quantizer import hard_entropy_bits
from bitpuppet.training.batch import Losses, TensorBatch
from bitpuppet.training.naming import PoseNaming
from bitpuppet.training.recipe import Recipe

AGREEMENT_SCALE = 0.1
"""One group that differs, about 16 in squared distance, is then worth a factor of 5."""
UNQUANTIZED = 0.5
"""Weight of the agreement before the quantizer, beside that of the codewords."""
NAMED = 0.5
"""Weight of the poses' names, beside it, too."""
SAME = 0.05
"""Weight of the same codewords for two characters who are drawn over the same poses, beside it, too."""


class MotionAgreement(nn.Module):
    """The encoder's motion and the quantizer alone, without a denoiser.

    A frame of each of two characters has to find its pose among the other's frames by codewords alone, within the
    rate, and codewords have to name the pose where the data know its name. A step is ten times cheaper than one of
    cross-driving, and what tokens have to tell is asked for directly; cross-driving with these tokens follows.
    """

    def __init__(self, model: BitrateControlledDiffusion, recipe: Recipe) -> None:
        super().__init__()
        if isinstance(model.encoder, FrameEncoder):
            raise TypeError("motion alone is learnt by encoders that read frames one by one")
        self.model = model
        self.naming = PoseNaming(model.preset.motion_width)
        self._encoder = model.encoder
        self.recipe = recipe

    def forward(self, batch: TensorBatch, sharpness: float, control: float = 1.0) -> Losses:
        """Losses of a batch, as `CrossDriving`; what stands for the diffusion loss is codewords' agreement, in nats."""
        model = self.model
        frames = rearrange(torch.cat([batch.motion, batch.target, batch.content], dim=1), "b t h w c -> (b t) h w c")
        picked = pick_tokens(model.codec, model.codec.encode(frames), model.preset.tokens)
        read = self._encoder.forward_motion(*picked)
        quantized = model.quantizer(read, sharpness, sample=True)
        model.quantizer.observe(quantized.indices)
        before, after = read.flatten(1), quantized.motion
        codewords, unquantized = score_both(after, batch), score_both(before, batch)
        total = codewords + UNQUANTIZED * unquantized + control * model.quantizer.rate_loss(quantized.bits)
        total = total + NAMED * self.naming(before, after, batch)
        total = total + SAME * score_sameness(model.quantizer.assign(read, sharpness), batch)
        return Losses(
            total=total,
            diffusion=codewords.detach(),
            at_max=unquantized.detach(),
            soft_bits=quantized.bits.detach(),
            hard_bits=hard_entropy_bits(quantized.indices, model.preset.codewords),
        )


def score_both(motion: Tensor, batch: TensorBatch) -> Tensor:
    """Agreement from the driver to the character and back, see `score_scenes`; the mean of both."""
    scenes = rearrange(motion, "(b t) w -> b t w", b=len(batch.motion))
    driving = scenes[:, : batch.motion.shape[1]]
    back = score_agreement(scenes[:, driving.shape[1] : 2 * driving.shape[1]], driving, batch.motion)
    return (score_scenes(motion, batch) + back) / 2


def score_sameness(assignments: Tensor, batch: TensorBatch) -> Tensor:
    """How far two characters in one pose are from the same codewords, where they are drawn over the same poses.

    Agreement is content with the nearest codewords; what still differs then is who it is, and that is what a probe
    finds. Bodies of puppets differ, and so do poses of theirs that have one name.

    Args:
        assignments: soft ones of each scene's driving, target and content frames, (B * (2 T + N), groups, codewords).
        batch: with the names of its frames.

    Returns:
        Cross entropy of each side with the other, in nats for a group; 0 where nobody is drawn so.
    """
    if batch.names is None:
        return assignments.new_zeros(())
    frames = batch.motion.shape[1]
    scenes = rearrange(assignments, "(b t) g k -> b t g k", b=len(batch.motion))
    one, other = scenes[:, :frames], scenes[:, frames : 2 * frames]
    apart = _cross(one, other) + _cross(other, one)
    counted = is_drawn_over(batch.names[:, :frames])
    mean: Tensor = (apart * counted).sum() / (2 * counted.sum().clamp(min=1))
    return mean


def _cross(truth: Tensor, guess: Tensor) -> Tensor:
    """Cross entropy, the mean of all groups, (B, T)."""
    return -(truth.detach() * guess.clamp(min=1e-6).log()).sum(dim=-1).mean(dim=-1)


def score_scenes(motion: Tensor, batch: TensorBatch) -> Tensor:
    """Agreement in the scenes of a batch, see `score_agreement`.

    Args:
        motion: of each scene's driving, target and content frames in this order, (B * (2 T + N), W).
        batch: the frames.
    """
    scenes = rearrange(motion, "(b t) w -> b t w", b=len(batch.motion))
    driving = batch.motion.shape[1]
    poses = torch.cat([batch.target, batch.content], dim=1)
    return score_agreement(scenes[:, :driving], scenes[:, driving:], poses)


def score_agreement(motion: Tensor, candidates: Tensor, poses: Tensor) -> Tensor:
    """Whether the driver's frames find their poses among the character's own frames, by motion alone.

    Cross entropy over the candidates with -AGREEMENT_SCALE times the squared distance as logits (InfoNCE). Motion of
    two characters in one pose agrees, and motion of two poses of one character differs.

    Args:
        motion: of the driver's frames, (B, T, W).
        candidates: motion of the character's frames, (B, C, W); the first T are in the driver's poses.
        poses: the character's frames themselves, uint8 (B, C, H, W, 4). Candidates that look like the right one are
            no wrong answers.

    Returns:
        A scalar with gradient, in nats.
    """
    frames = motion.shape[1]
    distances = (motion.float()[:, :, None] - candidates.float()[:, None]).square().sum(dim=-1)
    pixels = rearrange(poses, "b c h w d -> b c (h w d)")
    same = (pixels[:, :frames, None] == pixels[:, None]).all(dim=-1)
    right = torch.eye(frames, candidates.shape[1], dtype=torch.bool, device=motion.device)
    logits = (-AGREEMENT_SCALE * distances).masked_fill(same & ~right, HIDDEN)
    return -torch.log_softmax(logits, dim=-1).diagonal(dim1=1, dim2=2).mean()
