"""The command line: `bitpuppet COMMAND`. Each command lives in a module of `commands` and imports late."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bitpuppet import __version__
from bitpuppet.commands import demo, doctor, evaluate, retarget, tokens, train
from bitpuppet.errors import BitpuppetError

app = typer.Typer(
    name="bitpuppet",
    help="Make one sprite perform the motion of another, with its own palette and hard pixels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"bitpuppet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Make one sprite perform the motion of another, with its own palette and hard pixels."""


app.command("retarget")(retarget.retarget)
app.command("tokens")(tokens.tokens)
app.command("train")(train.train)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(evaluate.app, name="eval")


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 the job failed, 2 bad usage, 130 stopped by Ctrl-C."""
    try:
        app()
    except BitpuppetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
