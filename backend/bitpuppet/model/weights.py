"""Weights files: bfloat16 safetensors whose header says which preset they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import Codec
from bitpuppet.model.preset import Preset, find_preset

SHIPPED = Path(__file__).parent.parent / "weights"
"""Folder of the weights that come with the package, one file per preset."""


def save_weights(path: Path, state: Mapping[str, Tensor], preset: Preset, made_by: Mapping[str, str]) -> None:
    """Write weights as bfloat16, to a temporary name first.

    Args:
        state: a state dict of `BitrateControlledDiffusion`.
        made_by: what the header tells about the training (strings).
    """
    tensors = {name: value.detach().to("cpu", torch.bfloat16).contiguous() for name, value in state.items()}
    header = {"preset": json.dumps(preset.to_metadata()), **made_by}
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, partial, header)
    partial.chmod(0o644)  # safetensors writes for the owner alone; weights are made to be shared
    os.replace(partial, path)


def load_model(
    preset_name: str, path: Path | None = None, device: torch.device | None = None, codec: Codec | None = None
) -> BitrateControlledDiffusion:
    """Build a preset's model and load its weights.

    Args:
        path: a weights file; None for the one that ships with the package.
        device: where the model is to run; None for the CPU.
        codec: for presets whose codec is no part of the package; None for the others.

    Raises:
        BitpuppetError: the preset is unknown or lacks its codec, or the file is missing, damaged or of another preset.
    """
    preset = find_preset(preset_name)
    source = path or SHIPPED / f"{preset.name}.safetensors"
    if not source.is_file():
        remedy = "name a weights file with --weights" if path is None else "correct the path"
        raise BitpuppetError(f"{source}: there are no weights for preset {preset.name} here; {remedy}")
    stored, state = read_weights(source)
    if stored.name != preset.name:
        raise BitpuppetError(f"{source}: weights of preset {stored.name}, not of {preset.name}; name another file")
    model = BitrateControlledDiffusion(stored, codec)
    misfits = find_misfits(model.state_dict(), state)
    if misfits:
        raise BitpuppetError(
            f"{source}: {len(misfits)} tensors do not fit preset {preset.name}, the first is {misfits[0]}; "
            "install bitpuppet or copy the file again"
        )
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval().requires_grad_(False).to(device or torch.device("cpu"))


def read_weights(path: Path) -> tuple[Preset, dict[str, Tensor]]:
    """The preset that a weights file is of, and its tensors as they are stored.

    Raises:
        BitpuppetError: the file is missing, damaged, or of a version that is not known.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        settings = json.loads(metadata["preset"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BitpuppetError(
            f"{path}: not a readable weights file of bitpuppet ({error}); install bitpuppet or copy it again"
        ) from error
    try:
        return Preset.from_metadata(settings), state
    except (BitpuppetError, TypeError) as error:
        raise BitpuppetError(f"{path}: not a readable weights file of this version ({error})") from error


def find_misfits(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are missing, unknown or of another shape."""
    odd = set(wanted) ^ set(found)
    odd |= {name for name in set(wanted) & set(found) if wanted[name].shape != found[name].shape}
    return sorted(odd)
