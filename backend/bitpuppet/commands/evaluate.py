"""`bitpuppet eval ...`: measure the model against true targets."""

from __future__ import annotations

import typer

app = typer.Typer(help="Measure the model against true targets.", no_args_is_help=True)
