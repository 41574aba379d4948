"""`bitpuppet demo`: the main job on pictures that the program draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bitpuppet.commands import options


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results; made when missing.")] = Path("bitpuppet-demo"),
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
) -> None:
    """Draw two puppets, let one perform the other's motion, and write strip, GIF and a contact sheet."""
    from bitpuppet.jobs.demo import check_demo_folder, run_demo
    from bitpuppet.jobs.retarget import check_numbers

    with options.bad_usage():
        check_numbers(seed, steps)
    canvas = options.check_model(preset, weights, device)
    check_demo_folder(out)
    with options.progress_bar() as progress:
        task = progress.add_task("loading the model", total=None, note="")
        engine, _ = options.load_engine(preset, weights, device)
        progress.update(task, description="drawing")

        def watch(step: int, total: int, _: Any) -> None:
            progress.update(task, completed=step, total=total, note=f"step {step} of {total}")

        written = run_demo(engine, out, seed=seed, steps=steps, watch=watch, canvas=canvas)
    print("A puppet performed another puppet's motion. Look at:")
    for path, what in written.items():
        print(f"  {options.make_printable(path)}  {what}")
