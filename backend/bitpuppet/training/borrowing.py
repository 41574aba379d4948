"""Cross-driving with a bank: what others of the set show of the target's poses is among the references.

Each character is drawn with a bank of all the others, so that how far a borrowed frame can be trusted is learnt as it
will be when a new character comes.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.data.mixture import UNKNOWN
from bitpuppet.model.content import Content
from bitpuppet.model.reference import LEAD, References
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.objective import CrossDriving


class BorrowingDriving(CrossDriving):
    """Cross-driving in which batches may bring lent frames."""

    def _encode_content(self, batch: TensorBatch, sharpness: float) -> tuple[Content, Tensor | None]:
        content, read = super()._encode_content(batch, sharpness)
        if content.references is None or batch.lent is None:
            return content, read
        if batch.lenders is None or batch.lent_numbers is None or batch.lent_shown is None:
            raise ValueError("lent frames come with their lenders")
        clips = len(batch.lent)
        lent, lenders = (
            self.model.codec.encode(rearrange(part, "b r h w c -> (b r) h w c")) for part in (batch.lent, batch.lenders)
        )
        with torch.no_grad():
            motion = self._quantize(self._encode_motion(lenders, clips), sharpness).motion
        frames, motion = (rearrange(part, "(b r) ... -> b r ...", b=clips) for part in (lent, motion))
        numbers = torch.where(batch.lent_numbers == UNKNOWN, 0, batch.lent_numbers)
        lead = (torch.arange(frames.shape[1], device=frames.device) < batch.target.shape[1]) * LEAD
        more = References(frames, motion, batch.lent_shown, numbers, lead.expand(clips, -1))
        return content._replace(references=content.references.join(more)), read
