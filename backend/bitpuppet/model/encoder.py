"""The encoder: content tokens of a clip and one motion vector per frame."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5Stack

from bitpuppet.model.preset import Preset


class Encoder(nn.Module):
    """A T5 stack over learnable queries followed by the tokens of frames.

    The paper gives T5 one token per frame and reads motion at the frames and content at K queries. Two changes, both
    for sprites:

    - A frame enters as its patches, not as one vector, so that content queries can see where things are; a motion
      query per frame reads the frame.
    - Motion is read from each frame on its own. A token then means the same pose in every clip, which is what lets an
      animator hold, drop and splice poses, and the cost of motion grows with the number of frames and no faster.

    Tokens that show nothing are left out by a mask: their absence says as much.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width = preset.width
        self.embed = nn.Linear(preset.token_width, width)
        self.places = nn.Parameter(torch.randn(preset.tokens, width) * 0.5)
        self.content_queries = nn.Parameter(torch.randn(preset.content_tokens, width))
        self.motion_query = nn.Parameter(torch.randn(1, width))
        self.stack = T5Stack(
            T5Config(
                vocab_size=1,
                d_model=width,
                d_kv=width // preset.heads,
                d_ff=4 * width,
                num_layers=preset.encoder_blocks,
                num_heads=preset.heads,
                dropout_rate=0.0,
                use_cache=False,
                is_encoder_decoder=False,
                eos_token_id=None,
            )
        )
        self.stack.embed_tokens.weight.requires_grad_(False)  # embeddings of words, which nothing here reads
        self.to_content = nn.Linear(width, width)
        self.to_motion = nn.Linear(width, preset.motion_width)
        self.groups = preset.groups

    def forward_content(self, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Content of clips.

        Args:
            tokens: patches of all content frames of a clip, (B, L, D).
            places: their places in the frame, int64 (B, L) in 0..N-1.
            mask: true where a token counts, bool (B, L).

        Returns:
            Content tokens (B, K, width).
        """
        queries = repeat(self.content_queries, "k w -> b k w", b=len(tokens))
        hidden = self._run(queries, tokens, places, mask)
        return self.to_content(hidden[:, : queries.shape[1]])  # type: ignore[no-any-return]

    def forward_motion(self, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Motion of single frames.

        Args:
            tokens: patches of a frame, (F, L, D); `places` and `mask` (F, L) as for content.

        Returns:
            Motion before quantization, (F, groups, group_width), each group about unit variance.
        """
        query = repeat(self.motion_query, "one w -> f one w", f=len(tokens))
        hidden = self._run(query, tokens, places, mask)
        motion = rearrange(self.to_motion(hidden[:, 0]), "f (g w) -> f g w", g=self.groups)
        return nn.functional.layer_norm(motion.float(), motion.shape[-1:])

    def _run(self, queries: Tensor, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        embedded = self.embed(tokens) + self.places[places]
        sequence = torch.cat([queries.to(embedded.dtype), embedded], dim=1)
        counts = torch.cat([mask.new_ones(queries.shape[:2]), mask], dim=1)
        hidden: Tensor = self.stack(inputs_embeds=sequence, attention_mask=counts.to(sequence.dtype)).last_hidden_state
        return hidden
