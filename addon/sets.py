"""Character sets from folders of sheets, by the backend's own program. No `bpy`: it works in a thread.

Messages to a backend hold no paths, since it may be another user's or in another place. So a folder becomes a set only
where Blender knows the program: it runs it as the command line does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .core.errors import ArtError
from .process import Runner, StoppedError
from .server import Source, clean_environ

PREFERENCES = "bitpuppet.open_preferences"
UNKNOWN_PROGRAM = (
    "The way Use Running knows a backend by its keys and not where its program is; add the set there with "
    "bitpuppet dataset add, or choose Use Existing"
)
_PROGRESS = re.compile(r"Progress (\d{1,9}) of (\d{1,9}) (\w+)")
_ERROR = "error: "
_REPLACE = ("or give --replace", "or switch Replace on")
"""What the program says of its own option, and what that is here."""
Tell = Callable[[str, float], None]
"""(what is done now, 0 to 1 of that)."""


@dataclass(frozen=True)
class Order:
    """A set that is to be."""

    folder: Path
    """A sub-folder of sheets for each character, or a set.toml and what it names."""
    name: str
    replace: bool = False
    """Whether it takes the place of a set of that name."""
    key_corner: bool = False
    """Whether the colour of each sheet's first pixel means transparent."""


@dataclass(frozen=True)
class Made:
    """A set that was made."""

    characters: int
    hindrances: tuple[str, ...] = ()
    """What would keep it from training, or make it train badly; a sentence each."""


class SetMaker:
    """Makes one set. `make` takes its time, in a thread; `cancel` ends it from another."""

    def __init__(self, python: Path, order: Order) -> None:
        """Prepare; `python` is that of the backend's environment."""
        self.order = order
        self._python = python
        self._runner = Runner()

    def cancel(self) -> None:
        """Stop it as soon as possible; returns at once."""
        self._runner.stop()

    def make(self, tell: Tell) -> Made:
        """Make the set.

        Args:
            tell: called in the working thread.

        Raises:
            ArtError: the folder is no set, or the program failed or was stopped; one sentence.
        """
        lines: list[str] = []

        def take(line: str) -> None:
            step = _PROGRESS.fullmatch(line)
            if step is None:
                lines.append(line)
                return
            done, total = int(step[1]), int(step[2])
            tell(f"{step[3].capitalize()} {done} of {total}", done / total if total else 0.0)

        order = self.order
        command = [
            str(self._python),
            "-I",
            "-m",
            "bitpuppet",
            "dataset",
            "add",
            str(order.folder),
            "--name",
            order.name,
        ]
        command += ["--replace"] if order.replace else []
        command += ["--key", "corner"] if order.key_corner else []
        try:
            status = self._runner.run([*command, "--json", "--raw-progress"], clean_environ(), take)
        except StoppedError as error:
            raise ArtError("The set was not added: it was cancelled") from error
        except OSError as error:
            raise ArtError(f"{self._python} cannot be run ({error.strerror}); look at it", PREFERENCES) from error
        return _read_answer(lines, status)


def find_program(source: Source) -> Path:
    """The Python of the backend's environment.

    Raises:
        ArtError: there is none, or it is not known here.
    """
    if source.problem:
        raise ArtError(source.problem, PREFERENCES)
    if not source.command:
        raise ArtError(UNKNOWN_PROGRAM)
    return Path(source.command[0])


def suggest_name(folder: str) -> str:
    """A name that a set can have, of the name of its folder."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(folder).name).strip("-_")
    return name[:64] or "my-set"


def _read_answer(lines: list[str], status: int) -> Made:
    """What the program tells of the set. Raises ArtError where it tells of none."""
    for line in reversed(lines):
        if line.startswith(_ERROR):
            text = line.removeprefix(_ERROR).replace(*_REPLACE)
            raise ArtError(f"{text[:1].upper()}{text[1:]}")
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if status == 0 and isinstance(found, dict) and isinstance(found.get("characters"), int):
            told = found.get("hindrances")
            return Made(found["characters"], tuple(map(str, told)) if isinstance(told, list) else ())
    last = lines[-1][:200] if lines else "it printed nothing"
    raise ArtError(f"The backend's program made no set (status {status}): {last}; choose Verify", PREFERENCES)
