"""`bitpuppet bench ...`: figures of speed; never a pass or a fail."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bitpuppet.commands import options

app = typer.Typer(help="Measure speed.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure speed."""


@app.command("model")
def model(
    frames: Annotated[int, typer.Option(min=1, max=4096, help="Frames of a strip.")] = 8,
    steps: Annotated[int, typer.Option(min=1, max=100, help="Sampling steps.")] = 4,
    strips: Annotated[int, typer.Option(min=1, max=10_000, help="Strips in a row.")] = 24,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Time the denoiser, a strip and a row of strips, beside the matrix products of this machine."""
    engine, seconds = options.load_engine(preset, weights, device)
    from bitpuppet.evaluation.speed import measure_speed

    figures = measure_speed(engine, frames=frames, steps=steps, strips=strips) | seconds
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):28} {value}")


@app.command("serve")
def serve(
    frames: Annotated[int, typer.Option(min=1, max=512, help="Frames of each job.")] = 8,
    runs: Annotated[int, typer.Option(min=1, max=10_000, help="Jobs of one client, here and through the server.")] = 50,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients at once.")] = 8,
    strips: Annotated[int, typer.Option(min=1, max=100_000, help="Jobs of all clients together.")] = 96,
    jobs: Annotated[int, typer.Option(min=0, max=1_000_000, help="Jobs after which memory is measured.")] = 1000,
    steps: options.Steps = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Time the same jobs in this process and through a server of its own: overhead, throughput, memory, cancelling."""
    options.check_model(preset, weights, device)
    options.hush_libraries()
    from bitpuppet.server.figures import Plan, measure_service

    with options.progress_bar() as progress:
        task = progress.add_task("starting", total=None, note="")
        plan = Plan(frames=frames, runs=runs, clients=clients, strips=strips, jobs=jobs, steps=steps)
        figures = measure_service(preset, weights, device, plan, lambda what: progress.update(task, description=what))
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):34} {value}")
