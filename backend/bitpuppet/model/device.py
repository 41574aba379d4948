"""The one place that knows about devices."""

from __future__ import annotations

import torch
from torch import nn

from bitpuppet.errors import BitpuppetError


def pick_device(name: str | None = None) -> torch.device:
    """The device called `name`, or the best that is there: CUDA, then Apple's GPU, then the CPU.

    Raises:
        BitpuppetError: the named device is unknown or absent.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BitpuppetError(f"--device {name}: cannot be used here ({reason}); use cpu, cuda or mps") from error
    return device


def pick_dtype(device: torch.device) -> torch.dtype:
    """The fastest number format that the model is exact enough in.

    bfloat16 multiplies three to five times faster where the CPU has instructions for it, and much slower where not.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
    return torch.float32


def autocast(device: torch.device, dtype: torch.dtype | None = None) -> torch.autocast:
    """A context in which products are computed in `dtype` or `pick_dtype(device)`; float32 changes nothing."""
    dtype = dtype or pick_dtype(device)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def store_products(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep the factors of a model's products in the number format in which `autocast` computes them.

    What ships is in bfloat16, so nothing is lost; without it every product of every step converts its factor anew.
    For models that do not learn, and compute under `autocast` alone.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)


def describe_device(device: torch.device) -> str:
    """A line for people: the device's name, and threads or memory."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.1f} GB"
    if device.type == "cpu":
        return f"{torch.cpu.get_capabilities().get('cpu_name', 'CPU')}, {torch.get_num_threads()} threads"
    return "Apple GPU"


def frames_at_once(device: torch.device) -> int:
    """How many frames one sampling batch holds: all memory that is needed grows with it."""
    return 1024 if device.type == "cuda" else 128
