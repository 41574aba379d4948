"""Renders random characters in Blender (the module `bpy`): each in every action from every direction, as sheets.

    pip install bpy==5.0.1                                  # Python 3.11
    python tools/render_characters.py --out rendered --characters 100
    python tools/render_characters.py --out rendered --characters 100-199      # goes on; what is there is left out

Each character has a folder with one sheet an action, a row for each direction, and `character.json`. Since all of them
do the same at the same time, the sheet of one is the true target of retargeting any other onto it. Nothing is random
but the seed: the same command gives the same characters.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where this file is imported

from rendering.files import Plan, list_missing, open_folder, read_characters, write_character, write_sheet
from rendering.motion import ACTIONS, DIRECTIONS


class _Stop:
    """Whether Ctrl-C was pressed. Blender swallows exceptions of what it calls, so it is looked at between sheets."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Ask for the end; the second time, Python's own answer is given."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, render; the exit status: 0, 1 for what cannot be done, 2 for bad usage, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder; what it holds already is not rendered again")
    parser.add_argument("--characters", default="10", help="how many, or which: 100 or 100-199 (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="other numbers give other characters (default: 0)")
    parser.add_argument("--actions", default=",".join(ACTIONS), help="default: %(default)s")
    parser.add_argument(
        "--directions", default="front,right,left,back", help=f"some of {', '.join(DIRECTIONS)} (default: %(default)s)"
    )
    parser.add_argument("--frames", type=int, default=8, help="frames of each action, a cycle (default: 8)")
    parser.add_argument("--size", type=int, default=64, help="side of a frame in pixels (default: 64)")
    parser.add_argument("--engine", choices=("cycles", "workbench"), default="cycles", help="default: %(default)s")
    parser.add_argument("--samples", type=int, default=16, help="samples of Cycles (default: 16)")
    parser.add_argument("--blend", action="store_true", help="also save each character as character.blend")
    options = parser.parse_args(arguments)
    try:
        plan = Plan(
            read_characters(options.characters),
            options.seed,
            tuple(options.actions.split(",")),
            tuple(options.directions.split(",")),
            options.frames,
            options.size,
            options.engine,
            options.samples,
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        return render(options.out, plan, blend=options.blend)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def render(folder: Path, plan: Plan, *, blend: bool = False) -> int:
    """Render what is missing; see `main`."""
    open_folder(folder, plan)
    todo = list(list_missing(folder, plan))
    sheets = sum(len(actions) for _, actions in todo)
    print(f"{len(plan.characters) - len(todo)} of {len(plan.characters)} characters are there", file=sys.stderr)
    if not todo:
        return 0
    from rendering.scene import Stage  # loads Blender

    stop = _Stop()
    before = signal.signal(signal.SIGINT, stop.ask)
    started, done = time.monotonic(), 0
    poses = plan.poses
    try:
        with tempfile.TemporaryDirectory(prefix="bitpuppet-render-") as scratch:
            for look, actions in todo:
                stage = Stage(look, plan.size, plan.engine, plan.samples, Path(scratch))
                for action in actions:
                    rows = [stage.render(poses[action], direction) for direction in plan.directions]
                    if stop.asked:
                        break
                    write_sheet(folder / look.name / f"{action}.png", rows)
                    done += 1
                    _tell(look.name, action, done, sheets, time.monotonic() - started)
                if stop.asked:
                    break
                if blend:
                    stage.save(folder / look.name / "character.blend")
                write_character(folder, look, plan)
    finally:
        signal.signal(signal.SIGINT, before)
    frames = done * len(plan.directions) * plan.frames
    seconds = time.monotonic() - started
    print(f"\n{done} sheets, {frames} frames, {seconds / max(frames, 1):.3f} s a frame", file=sys.stderr)
    if stop.asked:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _tell(name: str, action: str, done: int, total: int, seconds: float) -> None:
    left = seconds / done * (total - done)
    end, start = ("", "\r") if sys.stderr.isatty() else ("\n", "")
    line = f"{start}{name} {action:5s}  {done} of {total} sheets, about {left / 60:.0f} min left"
    print(line, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # some versions of Blender hang when the interpreter ends
