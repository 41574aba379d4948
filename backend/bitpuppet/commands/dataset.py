"""`bitpuppet dataset ...`: look over sets of your own characters, and keep them by name."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bitpuppet.data.character_set import SetReading
    from bitpuppet.data.set_check import SetCheck

app = typer.Typer(help="Look over sets of your own characters, and keep them by name.", no_args_is_help=True)
_FILE_WIDTH = 120
"""Columns of the table where no terminal sets a limit."""
_MAX_LISTED = 40
"""Findings on the screen; the report and --json have all of them."""

SetPath = Annotated[
    Path,
    typer.Argument(
        metavar="SET",
        help="A folder with a sub-folder of sheets for each character, a set.toml that lists the sheets, or one sheet.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(help="The colour that means transparent, such as ff00ff, or corner for each sheet's first pixel."),
]
RawProgress = Annotated[
    bool, typer.Option("--raw-progress", hidden=True, help="Tell each step as a line on stderr, for programs.")
]
Watch = Callable[[int, int, str], None]


@app.callback()
def _group() -> None:
    """Look over sets of your own characters, and keep them by name."""


@app.command("check")
def check(
    path: SetPath,
    report: Annotated[
        Path | None, typer.Option(help="A file to write with every animation in it: .html (animated) or .png.")
    ] = None,
    frame: options.Frame = None,
    key: Key = None,
    as_json: options.Json = False,
) -> None:
    """Count a set's frames, sizes and colours, and say what would hinder training. Exit status 1 if it cannot train."""
    from bitpuppet.data.set_check import check_set
    from bitpuppet.data.set_report import check_report, write_report

    if report is not None:
        check_report(report)
    with options.progress_bar() as progress:
        reading = _survey(progress, path, frame, key)
        checked = check_set(reading)
        if report is not None:
            write_report(reading, checked, report, _watch(progress, "drawing the report"))
    if as_json:
        print(json.dumps(checked.to_json() | {"report": str(report) if report else None}))
    else:
        _print_check(checked)
        if report is not None:
            print(f"report: {options.make_printable(report)}")
    if not checked.usable:
        raise typer.Exit(1)


@app.command("add")
def add(
    path: SetPath,
    name: Annotated[str, typer.Option(help="What to call it from now on.")],
    frame: options.Frame = None,
    key: Key = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a set of that name.")] = False,
    as_json: options.Json = False,
    raw_progress: RawProgress = False,
) -> None:
    """Copy a set into your own folder of sets, where it stays as it is now, and say what would hinder training."""
    from bitpuppet.data.character_set import finish_reading
    from bitpuppet.data.set_check import check_set
    from bitpuppet.data.set_store import add_set, check_set_name

    with options.bad_usage():
        check_set_name(name)
    if raw_progress:
        # Programs stop programs by this signal; as Ctrl-C it leaves no half copy behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with options.progress_bar() as progress:
        reading = _survey(progress, path, frame, key, raw_progress)
        found = finish_reading(reading)
        place = add_set(found, name, replace=replace, watch=_watch(progress, "copying", raw_progress))
    hindrances = [one for one in check_set(reading).findings if one.level != "note"][:_MAX_LISTED]
    if as_json:
        told = [f"{one.where}: {one.text}" for one in hindrances]
        print(json.dumps({"name": name, "path": str(place), "characters": len(found.characters), "hindrances": told}))
        return
    print(options.make_printable(f"{name}: {len(found.characters)} characters in {place}"))
    for one in hindrances:
        print(options.make_printable(f"{one.level}: {one.where}: {one.text}"))


@app.command("list")
def list_all(as_json: options.Json = False) -> None:
    """List your sets."""
    from bitpuppet.data.set_store import list_sets

    found = list_sets()
    if as_json:
        print(json.dumps({"sets": [{"name": one.name, "path": str(one.path)} for one in found]}))
    elif not found:
        print("no sets yet; add one with bitpuppet dataset add FOLDER --name NAME")
    for one in () if as_json else found:
        print(options.make_printable(f"{one.name:20} {one.path}"))


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The set's name, as bitpuppet dataset list shows it.")],
) -> None:
    """Remove a set from your own folder of sets. The sheets it was copied from stay."""
    from bitpuppet.data.set_store import remove_set

    remove_set(name)
    print(f"{name}: removed")


def _survey(progress: Progress, path: Path, frame: str | None, key: str | None, raw: bool = False) -> SetReading:
    from bitpuppet.data.character_set import survey_character_set
    from bitpuppet.data.set_file import parse_key
    from bitpuppet.sprites.ranges import parse_frame

    with options.bad_usage():
        size = parse_frame(frame) if frame is not None else None
        try:
            colour = parse_key(key) if key is not None else None
        except BitpuppetError as error:
            raise BitpuppetError(f"--key {error}") from error
    return survey_character_set(path, size, colour, _watch(progress, "reading", raw))


def _watch(progress: Progress, what: str, raw: bool = False) -> Watch:
    task = progress.add_task(what, total=None, note="")

    def watch(done: int, total: int, name: str) -> None:
        if raw:
            print(f"Progress {done} of {total} {what}", file=sys.stderr, flush=True)
        progress.update(task, completed=done, total=total, note=options.make_printable(name)[:40])

    return watch


def _print_check(checked: SetCheck) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bitpuppet.data.set_report import count_up

    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("character", "animation"):
        table.add_column(title, overflow="fold")
    for title in ("frames", "distinct", "empty", "frame", "art", "colours", "seconds"):
        table.add_column(title, justify="right", no_wrap=True)
    for character in checked.characters:
        for number, one in enumerate(character.animations):
            table.add_row(
                Text(options.make_printable(character.name) if number == 0 else ""),
                Text(options.make_printable(one.name)),
                *(str(value) for value in (one.frames, one.distinct, one.empty)),
                "{}x{}".format(*one.size),
                "{}x{}".format(*one.art),
                str(one.colours),
                f"{one.milliseconds / 1000:g}",
            )
    console.print(table)
    console.print(options.make_printable(f"{checked.name}: {count_up(checked)}"), markup=False, highlight=False)
    for finding in checked.findings[:_MAX_LISTED]:
        line = options.make_printable(f"{finding.level}: {finding.where}: {finding.text}")
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(checked.findings) > _MAX_LISTED:
        print(f"{len(checked.findings) - _MAX_LISTED} more; --report FILE.html or --json show all")
    if not checked.findings:
        print("nothing is wrong with it")
