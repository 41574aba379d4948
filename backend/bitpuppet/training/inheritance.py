"""Inheritance: a model begins with what another preset's weights have in common with it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion

LEAST_SHARE = 0.5
"""Of the model's values; where less is inherited, the other weights are of another kind of model."""
_NUMBERED = re.compile(r"(.*?(?:blocks|block)\.)(\d+)(\..*)")
_IN_TURN = {"denoiser.blocks.": 2}
"""Blocks that differ by turns, and how many kinds there are: every other one sees the content frames' own tokens."""
_WHOLE = ("denoiser.telling.", "denoiser.warp.")
"""Parts that begin by saying nothing, and are inherited whole or not at all: the last layer of one that is else new
says noise from the first step on, and is driven to nothing before the others have learnt (telling: 50 steps)."""


def inherit(model: BitrateControlledDiffusion, state: Mapping[str, Tensor], source: str = "these weights") -> float:
    """Take over tensors of the same name and shape; of a deeper stack of blocks some, evenly spread.

    What tells differences and what fetches pixels are taken over if all of them fit.

    Networks with fewer blocks, begun with some of a larger one's, learn faster than from chance ("DistilBERT", Sanh et
    al. 2019, https://arxiv.org/abs/1910.01108, section 3).

    Args:
        model: all else stays as it is.
        state: of another preset's model.
        source: what an error calls them.

    Returns:
        The share of the model's values that are inherited now, 0..1.

    Raises:
        BitpuppetError: that would be less than `LEAST_SHARE`; nothing is changed.
    """
    wanted = model.state_dict()
    taken = {}
    for name, value in wanted.items():
        found = state.get(_find_ancestor(name, wanted, state))
        if found is not None and found.shape == value.shape:
            taken[name] = found.to(value.dtype)
    for part in _WHOLE:
        names = {name for name in wanted if name.startswith(part)}
        if not names <= taken.keys():
            taken = {name: value for name, value in taken.items() if name not in names}
    share: float = sum(value.numel() for value in taken.values()) / sum(value.numel() for value in wanted.values())
    if share < LEAST_SHARE:
        raise BitpuppetError(
            f"{share:.0%} of preset {model.preset.name} fits {source}, {LEAST_SHARE:.0%} must; start from others"
        )
    with torch.no_grad():
        for name, value in taken.items():
            wanted[name].copy_(value)
    return share


def spread_blocks(fewer: int, more: int, turns: int = 1) -> list[int]:
    """Which of `more` blocks so many fewer ones begin with: evenly spread, first to last, or the first alone.

    Blocks of which so many `turns` make a round are taken round by round, as long as both counts are whole rounds.
    """
    if fewer % turns or more % turns:
        turns = 1
    rounds = np.linspace(0, more // turns - 1, fewer // turns).round().astype(int)
    return [int(first) * turns + turn for first in rounds for turn in range(turns)]


def _find_ancestor(name: str, wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """The other model's name of what the tensor `name` begins with."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return name
    stack, number, rest = match[1], int(match[2]), match[3]
    fewer, more = _count_blocks(stack, wanted), _count_blocks(stack, state)
    if not 0 < fewer < more:
        return name
    return f"{stack}{spread_blocks(fewer, more, _IN_TURN.get(stack, 1))[number]}{rest}"


def _count_blocks(stack: str, state: Mapping[str, Tensor]) -> int:
    numbers = {name[len(stack) :].split(".")[0] for name in state if name.startswith(stack)}
    return len(numbers)
