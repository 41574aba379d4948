"""Options that several commands share, their checks, and how commands talk while they work."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bitpuppet.jobs.engine import Engine

Frame = Annotated[
    str | None,
    typer.Option(help="Width and height of one frame in pixels, such as 64x64. Found by itself where it can be."),
]
ContentFrame = Annotated[
    str | None, typer.Option(help="The same for the content alone, where its frames are of another size.")
]
MotionFrame = Annotated[str | None, typer.Option(help="The same for the motion alone.")]
ContentRows = Annotated[
    str | None, typer.Option(help="Rows of the content's sheet to look at, such as 0,2 or 0-3. Default: all.")
]
MotionRows = Annotated[
    str | None, typer.Option(help="Rows of the motion's sheet to perform, in this order. Default: all.")
]
PaletteLock = Annotated[
    bool | None,
    typer.Option(
        "--palette-lock/--no-palette-lock",
        help="Use the character's own colours and hard alpha, and nothing else. Default: yes, but not for presets that "
        "draw soft edges and shades (heads, render64).",
    ),
]
Palette = Annotated[
    str,
    typer.Option(
        help="With the palette lock, the colours to use: source (the character's own), a number of these such as 16, "
        "or a palette file (.gpl, .pal, .hex, .png)."
    ),
]
HardAlpha = Annotated[bool, typer.Option(help="With the palette lock: pixels are there or not, none shines through.")]
Outline = Annotated[
    bool, typer.Option(help="With the palette lock: mend a closed outline where colours of the inside broke it.")
]
Orphans = Annotated[bool, typer.Option(help="With the palette lock: mend single pixels that the character never has.")]
Patterns = Annotated[
    bool, typer.Option(help="With the palette lock: mend pixels that the character never has between their neighbours.")
]
Preset = Annotated[str, typer.Option(help="The model to use.")]
Weights = Annotated[Path | None, typer.Option(help="A weights file. Default: the weights that come with bitpuppet.")]
Prior = Annotated[
    Path | None, typer.Option(help="Weights of the motion prior. Default: those that come with bitpuppet.")
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the best that is there.")]
ContentTag = Annotated[
    str | None,
    typer.Option(help="Of a content that names its animations (.aseprite, .json): the tag to look at. Default: all."),
]
MotionTag = Annotated[
    str | None,
    typer.Option(help="Of a motion that names its animations (.aseprite, .json): the tag to take. Default: all."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="strip, sheet (a row for each tag or row), frames (a folder), gif, apng, aseprite, json (Aseprite's, with "
        "the sheet beside it), json-hash, mp4, webm or mov. Default: by the ending of --out; .png is a strip.",
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        help="Of videos, GIF, APNG and folders of frames: so many frames a second, such as 12. Default: their own."
    ),
]
Range = Annotated[
    str | None,
    typer.Option("--range", help="Of the same: the part to take, in seconds, such as 1.5-4, 1:30-1:40 or 10-."),
]
Crop = Annotated[
    str | None,
    typer.Option(help="Of the same: the box to take, such as centre, 256x256 (in the middle) or 256x256+40+0."),
]
Size = Annotated[
    str | None, typer.Option(help="Of the same: scale frames to this size, such as 64x64, or 64 for the longer side.")
]
ContentVideo = Annotated[
    str | None,
    typer.Option(
        help="The same for the content alone, such as range=0-2,crop=200x200+40+0; or whole to change nothing."
    ),
]
MotionVideo = Annotated[str | None, typer.Option(help="The same for the motion alone.")]
Seed = Annotated[
    int, typer.Option(help="A whole number from 0. The same seed gives the same picture on the same device.")
]
Steps = Annotated[int | None, typer.Option(help="Sampling steps, 1 to 100. Default: the preset's.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with what was used.")]

_DEVICES = re.compile(r"(cpu|cuda|mps)(:\d{1,3})?")


@contextmanager
def bad_usage() -> Iterator[None]:
    """Tell what is wrong with the value of an option, as against a file, by exit status 2."""
    try:
        yield
    except BitpuppetError as error:
        raise typer.BadParameter(str(error)) from error


def check_model(preset: str, weights: Path | None, device: str | None) -> int:
    """Refuse a preset, a weights file or a device that cannot be, before seconds go into imports.

    Returns:
        The side of the preset's canvas in pixels.

    Raises:
        typer.BadParameter: there is no such preset or kind of device.
        BitpuppetError: the weights file does not exist.
    """
    from bitpuppet.model.preset import find_preset

    with bad_usage():
        canvas = find_preset(preset).canvas
        check_device(device)
    check_weights("--weights", weights)
    return canvas


def cut_to_canvas(side: int | None, crop: str | None, size: str | None) -> tuple[str | None, str | None]:
    """--crop and --size: as asked, else the middle square at `side` pixels, where the whole picture counts.

    `side` is None where frames are placed by their art instead.
    """
    return (crop, size) if side is None else (crop or "centre", size or f"{side}x{side}")


def choose_lock(asked: bool | None, preset: str) -> bool:
    """Whether results are held to the character's palette: as asked, else where the preset draws pixel art."""
    from bitpuppet.model.preset import find_preset

    return find_preset(preset).head == "palette" if asked is None else asked


def check_weights(option: str, path: Path | None) -> None:
    """Raise BitpuppetError unless the weights file that an option names, if it does, is a file."""
    if path is None:
        return
    try:
        found, folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise BitpuppetError(f"{option} {path} cannot be opened ({error.strerror}); correct the path") from error
    if folder:
        raise BitpuppetError(f"{option} {path} is a folder; name the .safetensors file in it")
    if not found:
        raise BitpuppetError(f"{option} {path} does not exist; check the name and the folder")


def check_device(device: str | None) -> None:
    """Raise BitpuppetError when there is no such kind of device."""
    if device is not None and not _DEVICES.fullmatch(device):
        raise BitpuppetError(f"--device is {device!r}, there is no such device; use cpu, cuda or mps")


def load_engine(preset: str, weights: Path | None, device: str | None) -> tuple[Engine, dict[str, float]]:
    """Import the model's libraries and load an engine; also the seconds of both, for reports. Errors: `check_model`."""
    check_model(preset, weights, device)
    started = perf_counter()
    hush_libraries()
    from bitpuppet.jobs.engine import Engine

    imported = perf_counter()
    try:
        engine = Engine.load(preset, weights, device)
    except (MemoryError, RuntimeError, TypeError) as error:  # a header with sizes that no model or no memory has
        reason = str(error).partition("\n")[0] or "the memory is too small"
        raise BitpuppetError(
            f"{weights or preset}: the model cannot be loaded ({reason}); name other --weights or another --device"
        ) from error
    return engine, {"imports": round(imported - started, 3), "loading": round(perf_counter() - imported, 3)}


def hush_libraries() -> None:
    """Keep the advice of libraries to their own developers off the user's terminal, and their eyes off the network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress display on stderr that leaves nothing behind; nothing at all where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    console = Console(stderr=True)
    # rich would send all that is printed meanwhile to the console of the bar: results would land on stderr.
    progress = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with progress:
        yield progress


@contextmanager
def show_measuring() -> Iterator[Callable[[str, int, int], None]]:
    """A progress display for measurements; call what it gives with the stage, what is done of it, and all of it."""
    with progress_bar() as progress:
        task = progress.add_task("measuring", total=None, note="")

        def watch(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=f"{done} of {total}")

        yield watch


def print_above(progress: Progress, line: str, *, error: bool = False) -> None:
    """Print a result on stdout, or an error on stderr, without tearing a progress bar that is on the same terminal."""
    if progress.console.is_terminal and (error or sys.stdout.isatty()):
        progress.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr if error else sys.stdout, flush=True)


def make_printable(text: object) -> str:
    """One line in which nothing acts on the terminal: line ends and control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))
