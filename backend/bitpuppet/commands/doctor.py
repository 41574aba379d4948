"""`bitpuppet doctor`: what is installed, and whether it works."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from bitpuppet import __version__
from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

LIBRARIES = (
    "torch",
    "transformers",
    "accelerate",
    "safetensors",
    "numpy",
    "pillow",
    "einops",
    "av",
    "pyzmq",
    "typer",
    "rich",
)


def doctor(
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with what was found.")] = False,
) -> None:
    """Print versions, device, weights and data, and try the model once. Exit status 1 when something is wrong."""
    with options.progress_bar() as progress:
        progress.add_task("looking", total=None, note="")
        found, problems = inspect_installation(preset, weights, device)
    if as_json:
        print(json.dumps(found | {"problems": problems}))
    else:
        for name, value in found.items():
            print(f"{name:14} {options.make_printable(value)}")
        for problem in problems:
            print(f"problem: {options.make_printable(problem)}")
        if not problems:
            print("everything works")
    if problems:
        raise typer.Exit(1)


def inspect_installation(
    preset: str, weights: Path | None = None, device: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """What is there, and what is wrong with it."""
    options.hush_libraries()
    problems: list[str] = []
    found: dict[str, Any] = {"bitpuppet": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            problems.append(f"{library} is not installed; install bitpuppet again")
    try:
        _inspect_model(found, preset, weights, device)
    except BitpuppetError as error:
        problems.append(str(error))
    except (ImportError, OSError) as error:  # OSError: a library's own files do not load on this system
        problems.append(f"a library does not load ({error}); install bitpuppet again in a new environment")
    _inspect_server(found, problems)
    from bitpuppet.data.folder import find_data

    data = find_data()
    found["data"] = str(data) if data else "not found (only training and evaluation need it; set BITPUPPET_DATA)"
    return found, problems


def _inspect_model(found: dict[str, Any], preset: str, weights: Path | None, device: str | None) -> None:
    """Note the device and the weights, and draw once."""
    options.check_model(preset, weights, device)
    from bitpuppet.model.device import describe_device, pick_device, pick_dtype

    chosen = pick_device(device)
    found["device"] = f"{chosen.type} ({describe_device(chosen)}), {str(pick_dtype(chosen)).removeprefix('torch.')}"
    engine, seconds = options.load_engine(preset, weights, device)
    parameters = sum(parameter.numel() for parameter in engine.model.parameters())
    found["weights"] = f"{preset}, {parameters / 1e6:.1f} million parameters, loaded in {seconds['loading']} s"
    _try_engine(engine)


def _inspect_server(found: dict[str, Any], problems: list[str]) -> None:
    """Ask this user's server, if one runs, how it is."""
    from bitpuppet_client.client import Client
    from bitpuppet_client.discovery import find_backend
    from bitpuppet_client.errors import ClientError

    try:
        endpoint = find_backend()
        if endpoint is None:
            found["server"] = "not running"
            return
        with Client(endpoint, name="doctor") as client:
            health, values = client.check_health(), client.read_metrics().values
    except ClientError as error:
        found["server"] = "cannot be asked"
        problems.append(f"the server: {error}")
        return
    found["server"] = (
        f"{health.state}, process {endpoint.pid}: {values['queued']} jobs wait, {values['running']} run, "
        f"{values['done']} done, {values['failed']} failed; {values['frames_per_second']} frames a second; "
        f"{_add_up(values['memory_bytes'], values['worker_memory_bytes'])} MB of memory, "
        f"{_add_up(values['device_memory_bytes'])} MB of the device"
    )
    problems += [f"the server: {problem}" for problem in health.problems]


def _add_up(*values: object) -> int:
    """Megabytes of figures that are numbers, or lists of numbers and of nothing."""
    numbers = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    return round(sum(item for item in numbers if isinstance(item, int)) / 1e6)


def _try_engine(engine: Any) -> None:
    from bitpuppet.data.puppets import draw_clip, make_puppet
    from bitpuppet.sprites import place_clip

    puppet = make_puppet(1, plan="biped", size=32)
    frames, _ = place_clip(draw_clip(puppet, puppet.motions[0]), engine.preset.canvas)
    drawn = engine.retarget(frames, frames[:2], steps=1)
    if not (drawn.frames >= 0).all():
        raise BitpuppetError(f"the model draws no numbers on {engine.device.type}; try --device cpu or other --weights")
