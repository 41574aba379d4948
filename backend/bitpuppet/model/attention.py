"""Attention, by the fastest kernel for the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention, scaled by 1 / sqrt(width of a head).

    On a CPU, in training and in bfloat16, the written-out form is about four times faster than
    `scaled_dot_product_attention` (forward and backward 17 ms against 69 ms for 128 x 4 heads x 64 tokens). Without
    gradients it is six times slower (1.8 ms against 0.3 ms for 8 x 4 heads x 64 tokens and 256 keys).

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, E).
        bias: added to the logits, broadcast to (..., L, S); a very negative value hides a key.

    Returns:
        (..., L, E).
    """
    if query.device.type != "cpu" or not torch.is_grad_enabled():
        mask = None if bias is None else bias.to(query.dtype)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if bias is not None:
        logits = logits + bias
    return torch.softmax(logits, dim=-1, dtype=torch.float32).to(value.dtype) @ value
