"""The command line: `bitpuppet COMMAND`. Each command lives in a module of `commands` and imports late."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, cast

import typer

from bitpuppet import __version__
from bitpuppet.commands import (
    arrange,
    bench,
    dataset,
    demo,
    doctor,
    evaluate,
    extend,
    retarget,
    serve,
    tokens,
    train,
    train_prior,
)
from bitpuppet.commands.options import make_printable
from bitpuppet.errors import BitpuppetError

app = typer.Typer(
    name="bitpuppet",
    help="Make one sprite perform the motion of another, with its own palette and hard pixels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""All that is wrong with a command line. Found this way in click and in the copy of click that newer typers have."""


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
app.command("extend")(extend.extend)
app.command("arrange")(arrange.arrange)
app.command("train")(train.train)
app.command("train-prior")(train_prior.train_prior)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(dataset.app, name="dataset")
app.add_typer(evaluate.app, name="eval")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 the job failed, 2 bad usage, 130 stopped by Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    status = _run()
    if status:
        sys.exit(status)


def _run() -> int:
    """Run a command; whatever goes wrong for the user's reasons is one line on stderr. Returns the exit status."""
    try:
        status = app(prog_name="bitpuppet", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BitpuppetError as error:
        return _tell(str(error))
    except _UsageError as error:
        return _tell_usage(error)
    except BrokenPipeError:
        _leave_stdout()  # the reader, such as `head`, has seen enough
        return 1
    except OSError as error:
        _leave_stdout()
        place = "the output" if error.filename is None else error.filename
        return _tell(f"{place}: {error.strerror or error}; check the disk and the permissions")
    except MemoryError:
        return _tell("the memory is too small for this; use fewer or smaller frames")
    except KeyboardInterrupt:
        status = 130
    if status == 130:
        print("stopped", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _tell(message: str, status: int = 1) -> int:
    print(f"error: {make_printable(message)}", file=sys.stderr)
    return status


def _tell_usage(error: typer.BadParameter) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # the help itself
        return error.exit_code
    message = error.format_message().removeprefix("Invalid value: ").rstrip(".")
    command = error.ctx.command_path if error.ctx else "bitpuppet"
    return _tell(f"{message}; see {command} --help", error.exit_code)


def _leave_stdout() -> None:
    """Let what cannot be written go nowhere: Python's own last flush would fail again, and say so."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
