"""`bitpuppet doctor`: what is installed, and whether it works."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from bitpuppet import __version__
from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

LIBRARIES = ("torch", "transformers", "accelerate", "safetensors", "numpy", "pillow", "einops", "typer", "rich")


def doctor(preset: options.Preset = "sprite64", as_json: options.Json = False) -> None:
    """Print versions, device, weights and data, and try the model once. Exit status 1 when something is wrong."""
    found, problems = inspect_installation(preset)
    if as_json:
        print(json.dumps(found | {"problems": problems}))
    else:
        for name, value in found.items():
            print(f"{name:14} {value}")
        for problem in problems:
            print(f"problem: {problem}")
        if not problems:
            print("everything works")
    if problems:
        raise typer.Exit(1)


def inspect_installation(preset: str) -> tuple[dict[str, Any], list[str]]:
    """What is there, and what is wrong with it."""
    options.hush_libraries()
    problems: list[str] = []
    found: dict[str, Any] = {"bitpuppet": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            problems.append(f"{library} is not installed; install bitpuppet again")
    from bitpuppet.data.folder import find_data
    from bitpuppet.model.device import describe_device, pick_device, pick_dtype

    device = pick_device()
    found["device"] = f"{device.type} ({describe_device(device)}), {str(pick_dtype(device)).removeprefix('torch.')}"
    try:
        engine, seconds = options.load_engine(preset, None, None)
        parameters = sum(parameter.numel() for parameter in engine.model.parameters())
        found["weights"] = f"{preset}, {parameters / 1e6:.1f} million parameters, loaded in {seconds['loading']} s"
        _try_engine(engine)
    except BitpuppetError as error:
        problems.append(str(error))
    data = find_data()
    found["data"] = str(data) if data else "not found (only training and evaluation need it; set BITPUPPET_DATA)"
    return found, problems


def _try_engine(engine: Any) -> None:
    from bitpuppet.data.puppets import draw_clip, make_puppet
    from bitpuppet.sprites import place_clip

    puppet = make_puppet(1, plan="biped", size=32)
    frames, _ = place_clip(draw_clip(puppet, puppet.motions[0]), engine.preset.canvas)
    drawn = engine.retarget(frames, frames[:2], steps=1)
    if not (drawn.frames >= 0).all():
        raise BitpuppetError(f"the model draws no numbers on {engine.device.type}; try --device cpu")
