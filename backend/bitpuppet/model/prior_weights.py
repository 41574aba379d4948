"""Weights files of motion priors: bfloat16 safetensors that say which preset and which codebooks they belong to."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.packing import fingerprint_quantizer
from bitpuppet.model.prior import MotionPrior, PriorSizes
from bitpuppet.model.weights import SHIPPED, find_misfits


def find_prior(preset: str) -> Path:
    """Where the prior of a preset is that ships with the package."""
    return SHIPPED / f"{preset}-prior.safetensors"


def save_prior(
    path: Path, prior: MotionPrior, model: BitrateControlledDiffusion, made_by: Mapping[str, str] | None = None
) -> None:
    """Write a prior as bfloat16, to a temporary name first.

    Args:
        path: ends in .safetensors.
        prior: on any device.
        model: whose motion tokens the prior was trained on.
        made_by: what the header tells about the training (strings).

    Raises:
        BitpuppetError: it cannot be written.
    """
    tensors = {
        name: value.detach().to("cpu", torch.bfloat16).contiguous() for name, value in prior.state_dict().items()
    }
    header = {
        "prior_of": model.preset.name,
        "codebooks": fingerprint_quantizer(model.quantizer).hex(),
        "sizes": json.dumps(prior.sizes.to_metadata()),
        **(made_by or {}),
    }
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        save_file(tensors, partial, header)
        partial.chmod(0o644)  # safetensors writes for the owner alone; weights are made to be shared
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise BitpuppetError(f"{path} cannot be written ({reason}); free space or choose another folder") from error
    finally:
        partial.unlink(missing_ok=True)


def load_prior(model: BitrateControlledDiffusion, path: Path | None = None) -> MotionPrior:
    """The motion prior of a model, on the CPU.

    Args:
        model: whose motion tokens are to be continued.
        path: a weights file; None for the one that ships with the package.

    Raises:
        BitpuppetError: the file is missing, damaged, or belongs to another preset or to other codebooks.
    """
    preset = model.preset
    source = path or find_prior(preset.name)
    remedy = f"train one with `bitpuppet train-prior {preset.name}`"
    if not source.is_file():
        also = "name one with --prior or " if path is None else "correct the path or "
        raise BitpuppetError(f"{source}: there is no motion prior for preset {preset.name} here; {also}{remedy}")
    try:
        with safe_open(source, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        owner, codebooks = header["prior_of"], header["codebooks"]
        sizes = PriorSizes.from_metadata(json.loads(header["sizes"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, BitpuppetError) as error:
        raise BitpuppetError(f"{source}: not a readable motion prior of bitpuppet ({error}); {remedy}") from error
    if owner != preset.name:
        raise BitpuppetError(f"{source}: a motion prior of preset {owner}, not of {preset.name}; name another file")
    wanted, found = (preset.groups, preset.codewords), (sizes.groups, sizes.codewords)
    if found != wanted:
        raise BitpuppetError(
            f"{source}: a motion prior of {found[0]} groups of {found[1]} codewords, the model has {wanted[0]} of "
            f"{wanted[1]}; {remedy}"
        )
    if codebooks != fingerprint_quantizer(model.quantizer).hex():
        raise BitpuppetError(f"{source}: a motion prior of other weights of preset {preset.name}; {remedy}")
    with torch.device("meta"):  # sizes that do not fit the file take no memory
        misfits = find_misfits(MotionPrior(sizes).state_dict(), state)
    if misfits:
        raise BitpuppetError(
            f"{source}: {len(misfits)} tensors do not fit, the first is {misfits[0]}; copy the file again or {remedy}"
        )
    with torch.random.fork_rng(devices=[]):
        prior = MotionPrior(sizes)
    prior.load_state_dict({name: value.float() for name, value in state.items()})
    return prior.eval().requires_grad_(False)
