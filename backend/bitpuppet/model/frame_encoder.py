"""The encoder as the paper has it: one token per frame, motion at the outputs of the frames."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.content import Content
from bitpuppet.model.encoder import make_stack
from bitpuppet.model.preset import Preset


class FrameEncoder(nn.Module):
    """[c; m] = T5([q; z]): K learnable queries q, then one token for the latents z_t of each frame (paper).

    The outputs at the queries are the content, those at the frames are the motion. A frame's token is a linear map of
    all its latents. Unlike in `Encoder`, motion depends on the frames around it, so a motion token means its pose only
    within its clip: fine for video, not for poses that an animator holds, drops and splices.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, heads = preset.encoder_size
        self.embed = nn.Linear(preset.tokens * preset.token_width, width)
        self.content_queries = nn.Parameter(torch.randn(preset.content_tokens, width))
        self.stack = make_stack(width, heads, preset.encoder_blocks)
        self.to_content = nn.Linear(width, preset.width)
        self.to_motion = nn.Linear(width, preset.motion_width)
        self.groups = preset.groups

    def forward_content(self, frames: Tensor, shown: Tensor) -> Content:
        """Content of clips.

        Args:
            frames: the codec's tokens of all frames of a clip, (B, T, N, D).
            shown: which frames count, bool (B, T).

        Returns:
            K content tokens of the denoiser's width.
        """
        hidden = self._run(frames, shown)[:, : len(self.content_queries)]
        return Content(self.to_content(hidden), shown.new_ones(hidden.shape[:2]))

    def forward_motion(self, frames: Tensor) -> Tensor:
        """Motion of clips, all frames of which count.

        Args:
            frames: (B, T, N, D).

        Returns:
            Motion before quantization, clip after clip, (B * T, groups, group_width), each group about unit variance.
        """
        hidden = self._run(frames, torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device))
        motion = self.to_motion(hidden[:, len(self.content_queries) :])
        motion = rearrange(motion, "b t (g w) -> (b t) g w", g=self.groups)
        return nn.functional.layer_norm(motion.float(), motion.shape[-1:])

    def _run(self, frames: Tensor, shown: Tensor) -> Tensor:
        """Outputs at queries and frames, (B, K + T, width)."""
        embedded: Tensor = self.embed(rearrange(frames, "b t n d -> b t (n d)"))
        queries = repeat(self.content_queries, "k w -> b k w", b=len(frames)).to(embedded.dtype)
        mask = torch.cat([shown.new_ones(queries.shape[:2]), shown], dim=1).to(embedded.dtype)
        sequence = torch.cat([queries, embedded], dim=1)
        hidden: Tensor = self.stack(inputs_embeds=sequence, attention_mask=mask).last_hidden_state
        return hidden
