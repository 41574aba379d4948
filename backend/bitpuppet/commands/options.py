"""Options that several commands share, and their progress bar."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from bitpuppet.jobs.engine import Engine

Frame = Annotated[
    str | None, typer.Option(help="Width and height of a frame, such as 64x64. Found by itself where it can be.")
]
Preset = Annotated[str, typer.Option(help="The model to use.")]
Weights = Annotated[Path | None, typer.Option(help="A weights file. Default: the weights that come with bitpuppet.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the best that is there.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same picture on the same device.")]
Steps = Annotated[int | None, typer.Option(help="Sampling steps, 1 to 100. Default: the preset's.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with what was used.")]


def load_engine(preset: str, weights: Path | None, device: str | None) -> tuple[Engine, dict[str, float]]:
    """Import the model's libraries and load an engine; also the seconds of both, for reports."""
    started = perf_counter()
    hush_libraries()
    from bitpuppet.jobs.engine import Engine

    imported = perf_counter()
    engine = Engine.load(preset, weights, device)
    return engine, {"imports": round(imported - started, 3), "loading": round(perf_counter() - imported, 3)}


def hush_libraries() -> None:
    """Keep the advice of libraries to their own developers off the user's terminal, and their eyes off the network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress display on stderr that leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
