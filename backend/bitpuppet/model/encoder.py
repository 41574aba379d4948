"""The encoder: content tokens of a clip and one motion vector per frame."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5Stack

from bitpuppet.model.content import Content, Palette
from bitpuppet.model.palette_head import ColourEmbedding
from bitpuppet.model.preset import Preset
from bitpuppet.model.stem import Stem

LEARNING, DRAWING = "eager", "sdpa"
"""How T5 attends while it learns and afterwards. On a CPU in bfloat16 `scaled_dot_product_attention` with a bias that
learns took a seventh of a step of training; where nothing learns, T5 takes nine tenths of the time with it."""


def make_stack(width: int, heads: int, blocks: int) -> T5Stack:
    """T5's encoder blocks, with relative positions, for sequences of vectors."""
    stack = T5Stack(
        T5Config(
            vocab_size=1,
            d_model=width,
            d_kv=width // heads,
            d_ff=4 * width,
            num_layers=blocks,
            num_heads=heads,
            dropout_rate=0.0,
            use_cache=False,
            is_encoder_decoder=False,
            eos_token_id=None,
        )
    )
    stack.set_attn_implementation(LEARNING)
    stack.embed_tokens.weight.requires_grad_(False)  # embeddings of words, which nothing here reads
    return stack


class Encoder(nn.Module):
    """A T5 stack over learnable queries followed by the tokens of frames.

    The paper gives T5 one token per frame and reads motion at the frames and content at K queries. Two changes, both
    for sprites:

    - A frame enters as its patches, not as one vector, so that content queries can see where things are; a motion
      query per frame reads the frame.
    - Motion is read from each frame on its own. A token then means the same pose in every clip, which is what lets an
      animator hold, drop and splice poses, and the cost of motion grows with the number of frames and no faster.

    Tokens that show nothing are left out by a mask: their absence says as much.

    Where the preset has a stem, convolutions read the motion and T5 reads the content alone.

    Content of a sprite is more than K vectors hold for a garment that training never showed. Where the preset says so,
    the outputs at the content frames' own tokens and at the colours of the palette are content too.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, heads = preset.encoder_size
        self.embed = nn.Linear(preset.token_width, width)
        self.places = nn.Parameter(torch.randn(preset.tokens, width) * 0.5)
        self.content_queries = nn.Parameter(torch.randn(preset.content_tokens, width))
        self.stem: Stem | None = None
        if preset.stem_width:
            side, inputs = preset.canvas // preset.cell, preset.token_width // preset.patch**2
            outputs, scale = preset.motion_width, preset.stem_scale
            self.stem = Stem(preset.stem_width, outputs, side, preset.patch, inputs, scale, preset.stem_hidden)
        else:
            self.motion_query = nn.Parameter(torch.randn(1, width))
            self.to_motion = nn.Linear(width, preset.motion_width)
        self.stack = make_stack(width, heads, preset.encoder_blocks)
        self.to_content = nn.Linear(width, preset.width)
        self.groups = preset.groups
        self.colours = ColourEmbedding(width) if preset.head == "palette" else None

    def forward_content(
        self, tokens: Tensor, places: Tensor, mask: Tensor, palette: Palette | None = None, *, detail: int = 0
    ) -> Content:
        """Content of clips.

        Args:
            tokens: patches of all content frames of a clip, (B, L, D).
            places: their places in the frame, int64 (B, L) in 0..N-1.
            mask: true where a token counts, bool (B, L).
            palette: the characters' colours, where the preset's head chooses among them.
            detail: how many of the L tokens, from the first on, stay part of the content.
        """
        queries = repeat(self.content_queries, "k w -> b k w", b=len(tokens))
        sequence = [queries, self._embed(tokens, places)]
        counts = [mask.new_ones(queries.shape[:2]), mask]
        if self.colours is not None and palette is not None:
            sequence.append(self.colours(palette.colours))
            counts.append(palette.mask)
        hidden = self._run(sequence, counts).split([part.shape[1] for part in sequence], dim=1)
        kept = [hidden[0], hidden[1][:, :detail], *hidden[2:]]
        known = [counts[0], mask[:, :detail], *counts[2:]]
        return Content(self.to_content(torch.cat(kept, dim=1)), torch.cat(known, dim=1), palette)

    def forward_motion(self, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Motion of single frames.

        Args:
            tokens: patches of a frame, (F, L, D); `places` and `mask` (F, L) as for content.

        Returns:
            Motion before quantization, (F, groups, group_width), each group about unit variance.
        """
        if self.stem is not None:
            found = self.stem(tokens, places, mask)
        else:
            query = repeat(self.motion_query, "one w -> f one w", f=len(tokens))
            hidden = self._run([query, self._embed(tokens, places)], [mask.new_ones(query.shape[:2]), mask])
            found = self.to_motion(hidden[:, 0])
        return self.group(found)

    def group(self, found: Tensor) -> Tensor:
        """Motion (F, motion_width) as the quantizer takes it, (F, groups, group_width), each group of unit variance."""
        motion = rearrange(found, "f (g w) -> f g w", g=self.groups)
        return nn.functional.layer_norm(motion.float(), motion.shape[-1:])

    def count_read(self, tokens: int) -> int:
        """How many tokens of a frame motion is read from, where T5 reads `tokens`: convolutions see whole frames."""
        return tokens if self.stem is None else len(self.places)

    def _embed(self, tokens: Tensor, places: Tensor) -> Tensor:
        embedded: Tensor = self.embed(tokens)
        return embedded + self.places[places]

    def _run(self, parts: list[Tensor], counts: list[Tensor]) -> Tensor:
        """The stack over parts of a sequence, (B, L, width) each with bool (B, L) saying which tokens count."""
        sequence = torch.cat([part.to(parts[-1].dtype) for part in parts], dim=1)
        mask = torch.cat(counts, dim=1).to(sequence.dtype)
        hidden: Tensor = self.stack(inputs_embeds=sequence, attention_mask=mask).last_hidden_state
        return hidden
