"""`bitpuppet eval ablation`: the paper's ablations, by small models trained under one budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError


def ablation(
    rows: Annotated[
        str | None, typer.Option(help="Rows to make, such as bits-2,no-cross-driving. Default: all of them.")
    ] = None,
    out: Annotated[Path, typer.Option(help="JSON file of the table; rows that are in it are kept.")] = Path(
        "ablation.json"
    ),
    data: Annotated[Path | None, typer.Option(help="The data folder. Default: BITPUPPET_DATA.")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps of each row.")] = None,
    pairs: Annotated[int, typer.Option(help="Swaps of test characters that are measured.")] = 148,
    clips: Annotated[int, typer.Option(help="Clips of each training character that probes learn from, 1 to 9.")] = 2,
    seed: options.Seed = 0,
    threads: Annotated[int | None, typer.Option(help="CPU threads. Default: one for each core.")] = None,
    puppets_only: Annotated[bool, typer.Option(help="Train and measure on puppets; needs no data folder.")] = False,
    rendered: Annotated[
        Path | None, typer.Option(help="Train and measure on this folder of tools/render_characters.py instead.")
    ] = None,
    cpu: Annotated[bool, typer.Option(help="Stay on the CPU.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train small models that differ in one thing each, and print what that does to motion, looks and leakage.

    Ctrl-C stops; the same command goes on. Finished rows are not trained again.
    """
    options.hush_libraries()
    if threads is not None and threads < 1:
        raise BitpuppetError(f"--threads is {threads}, it must be 1 or more; change it")
    import torch

    from bitpuppet.data.folder import require_data
    from bitpuppet.evaluation.ablation import RECIPE, ROWS, ROWS_RENDERED, Settings, run_ablation

    settings = Settings(
        RECIPE.steps if steps is None else steps, seed, pairs, clips, puppets_only, rendered is not None
    )
    folder = rendered
    if not puppets_only and rendered is None:
        folder = data or require_data("eval ablation", "sprites")
        if not (folder / "sprites").is_dir():
            raise BitpuppetError(f"--data {folder}: there is no sprites/ in it; name a complete data folder")
    usual = tuple(ROWS) if rendered is None else ROWS_RENDERED
    wanted = usual if rows is None else tuple(name.strip() for name in rows.split(",") if name.strip())
    if threads is not None:
        torch.set_num_threads(threads)
    with options.progress_bar() as progress:
        task = progress.add_task("ablation", total=None, note="")

        def watch(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=f"{done} of {total}")

        table = run_ablation(out, rows=wanted, settings=settings, data=folder, cpu=cpu, watch=watch)
    if as_json:
        print(json.dumps(table.to_json(), allow_nan=False))
        return
    from rich.console import Console

    Console().print(table.to_table())
    print(out)
