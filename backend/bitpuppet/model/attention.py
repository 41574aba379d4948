"""Attention, by the fastest kernel for the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention, scaled by 1 / sqrt(width of a head).

    On a CPU, in training and in bfloat16, the written-out form is about four times faster than
    `scaled_dot_product_attention` (forward and backward 17 ms against 69 ms for 128 x 4 heads x 64 tokens).

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, E).

    Returns:
        (..., L, E).
    """
    if query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value)
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return torch.softmax(logits, dim=-1, dtype=torch.float32).to(value.dtype) @ value
