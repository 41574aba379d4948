"""Checkpoints: everything that a run needs to go on as if it had not stopped, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from bitpuppet.errors import BitpuppetError


def write_safely(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` write a file atomically, and tell where it cannot.

    Raises:
        BitpuppetError: the disk is full, or the folder cannot be written.
    """
    try:
        write(path)
    except (OSError, SafetensorError) as error:
        path.with_name(f".{path.name}.partial").unlink(missing_ok=True)
        raise BitpuppetError(
            f"{path} cannot be written ({error}); what was there before is kept: make room and add --resume"
        ) from error


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` steps."""

    step: int
    model: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimizers: tuple[dict[str, Tensor], ...]
    """State of each optimizer, keys "<parameter number>/<name>"."""
    settings: dict[str, Any]
    """Preset and recipe of the run, as plain values."""
    lessons: dict[str, Tensor] = field(default_factory=dict)
    """Parameters of the objective that are no part of the model."""

    def write(self, path: Path) -> None:
        """Write atomically: the old checkpoint stays until the new one is complete."""
        tensors = {f"model/{name}": value for name, value in self.model.items()}
        tensors |= {f"ema/{name}": value for name, value in self.ema.items()}
        tensors |= {f"lessons/{name}": value for name, value in self.lessons.items()}
        for number, state in enumerate(self.optimizers):
            tensors |= {f"optimizer{number}/{name}": value for name, value in state.items()}
        tensors = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
        }
        header = {
            "step": str(self.step),
            "settings": json.dumps(self.settings),
            "optimizers": str(len(self.optimizers)),
        }
        partial = path.with_name(f".{path.name}.partial")
        save_file(tensors, partial, header)
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            BitpuppetError: the file is missing or damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            count, step, settings = int(header["optimizers"]), int(header["step"]), json.loads(header["settings"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BitpuppetError(
                f"{path}: not a readable checkpoint ({error}); start again without --resume"
            ) from error
        return cls(
            step,
            _below("model/", tensors),
            _below("ema/", tensors),
            tuple(_below(f"optimizer{number}/", tensors) for number in range(count)),
            settings,
            _below("lessons/", tensors),
        )


def collect_optimizer(optimizer: Optimizer) -> dict[str, Tensor]:
    """State of an optimizer as tensors alone."""
    return {
        f"{number}/{name}": torch.as_tensor(value)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    """Put back what `collect_optimizer` took; rates and the like stay those of `optimizer`."""
    nested: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        number, _, name = key.partition("/")
        nested.setdefault(int(number), {})[name] = value.clone()
    optimizer.load_state_dict({"state": nested, "param_groups": optimizer.state_dict()["param_groups"]})


class MovingAverage:
    """Exponential moving average of parameters; young averages forget faster."""

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in parameters.items()}

    def update(self, parameters: Mapping[str, Tensor], step: int) -> None:
        """Move towards `parameters`, the state after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), [parameters[name].detach() for name in self.values], 1 - decay)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def split_parameters(named: Sequence[tuple[str, Tensor]]) -> tuple[list[str], list[str]]:
    """Names of the parameters for Muon (matrices inside blocks) and for AdamW (all others that learn)."""
    matrices = [
        name
        for name, value in named
        if value.requires_grad and value.ndim == 2 and ("block" in name) and "relative" not in name
    ]
    return matrices, [name for name, value in named if value.requires_grad and name not in set(matrices)]
