"""A Blender window on a virtual screen, played by mouse and keys: what the tools that try the add-on share."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1600, 900
AGENT = """
import json, os, pathlib
import bpy
FOLDER = pathlib.Path(os.environ["BITPUPPET_TRIAL"])
NAME = "bl_ext.user_default.bitpuppet"
def load(name):
    return __import__(NAME + "." + name, fromlist=["it"])
def describe():
    manager = bpy.context.window_manager
    found = {
        "enabled": NAME in bpy.context.preferences.addons,
        "objects": len(bpy.data.objects),
        "playing": manager.windows[0].screen.is_animation_playing,
        "sidebar": max(
            (region.width for area in manager.windows[0].screen.areas if area.type == "VIEW_3D"
             for region in area.regions if region.type == "UI"), default=0
        ),
    }
    if found["enabled"] and hasattr(bpy.context.scene, "bitpuppet"):
        setup = load("state").current().setup
        training = load("training").get_training()
        data = bpy.context.scene.bitpuppet
        found |= {
            "installing": setup.installer is not None,
            "setup": f"{setup.step} {setup.outcome}",
            "setup_failed": bool(setup.has_failed),
            "rows": data.motion.rows,
            "images": [getattr(one.image, "name", "") for one in (data.source, data.motion)],
            "preset": data.settings.model,
            "train": [data.train.characters, data.train.model, data.train.minutes],
            "training": training.is_open,
            "outcome": training.outcome,
            "train_failed": bool(training.has_failed),
            "models": [card.model.name for card in training.models],
            "sample": training.sample_step,
            "jobs": len(data.jobs),
        }
        if training.status is not None:
            found |= {name: getattr(training.status, name) for name in ("state", "step", "steps", "held_out", "loss")}
            found["eta"] = training.status.eta_seconds
        if len(data.jobs):
            job = data.jobs[0]
            found |= {"job": job.state, "job_step": job.step, "job_message": job.message}
            found["drawn"] = job.image is not None
    return found
def turn():
    half = FOLDER / "half"
    half.write_text(json.dumps(describe()))
    half.rename(FOLDER / "state")
    for name in ("close", "quit"):
        if (FOLDER / name).exists():
            (FOLDER / name).unlink()
            if name == "quit":
                bpy.ops.wm.quit_blender()
            else:
                with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
                    bpy.ops.wm.window_close()
    return 0.1
bpy.app.timers.register(turn, first_interval=0.5, persistent=True)
"""
"""Runs inside Blender: tells what a click did, and does nothing but close a window, and Blender at the end."""
ENDS = ("done", "failed", "cancelled")
SECONDS, OPEN_SECONDS = 30.0, 120.0


class TrialError(Exception):
    """A step had no effect; one line."""


class Trial:
    """One Blender on a virtual screen, its mouse and keys, and the clock."""

    def __init__(self, folder: Path, out: Path, display: str) -> None:
        """Name the folder for talking with Blender, the one for screenshots, and the screen."""
        self.out = out
        self._folder = folder
        self._environ = os.environ | {"DISPLAY": display}
        self._begun = time.monotonic()
        self.log: list[tuple[float, str]] = []
        self.marks: dict[str, float] = {}

    def begin(self) -> None:
        """Start the clock."""
        self._begun = time.monotonic()
        self.log.clear()

    def say(self, text: str) -> None:
        """Note what was done just now."""
        self.log.append((round(time.monotonic() - self._begun, 1), text))
        print(*self.log[-1], flush=True)

    def shoot(self, name: str) -> None:
        """Take a screenshot."""
        command = ["import", "-window", "root", str(self.out / f"{name}.png")]
        subprocess.run(command, env=self._environ, check=True)

    def mark(self, name: str) -> None:
        """End a step of the table."""
        before = sum(self.marks.values())
        self.marks[name] = round(time.monotonic() - self._begun - before, 1)
        self.say(f"== {name}")
        self.shoot(name.replace(" ", "-"))

    def look_up(self, key: str) -> Any:
        """What the agent in Blender says about something; None where it is not there yet."""
        try:
            return json.loads((self._folder / "state").read_text(encoding="utf-8")).get(key)
        except FileNotFoundError:
            return None

    def call(self, name: str) -> None:
        """Let the agent do one of the two things that it can do."""
        (self._folder / name).touch()
        self.wait(lambda: not (self._folder / name).exists(), f"an answer to {name}")

    def wait(self, look: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not look():
            if time.monotonic() > end:
                self.shoot("failed")
                raise TrialError(f"after {seconds:g} s there is still not {what}; look at failed.png")
            time.sleep(0.1)

    def wait_changing(self, keys: Sequence[str], is_over: Callable[[], bool], seconds: float) -> None:
        """Wait, and note each change of what the agent says."""
        last = ""

        def look() -> bool:
            nonlocal last
            value = ", ".join(str(self.look_up(key)) for key in keys)
            if value != last:
                self.say(value)
            last = value
            return is_over()

        self.wait(look, f"an end of {keys[0]}", seconds)

    def play(self, *words: object) -> str:
        """Let xdotool do something."""
        command = ["xdotool", *map(str, words)]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False).stdout

    def move(self, x: int, y: int) -> None:
        """Move the mouse, in steps: Blender takes a button that the mouse came to, not one that it jumped on."""
        for step in (9, 2, 0):
            self.play("mousemove", x - step, y)
            time.sleep(0.15)
        time.sleep(0.2)

    def click(
        self,
        x: int,
        y: int,
        what: str,
        after: float = 1.0,
        effect: Callable[[], bool] | None = None,
        key: str | None = None,
    ) -> None:
        """Click, look for the effect, and then look at the result as long as a person would; `key` is held down."""
        self.move(x, y)
        if key is not None:
            self.play("keydown", key)
        self.play("mousedown", 1)
        time.sleep(0.1)
        self.play("mouseup", 1)
        if key is not None:
            time.sleep(0.5)  # a Blender that is late would not see it
            self.play("keyup", key)
        if effect is not None:
            self.wait(effect, f"an effect of {what}", 10.0)
        time.sleep(after)
        self.say(f"clicked {what}")

    def click_twice(self, x: int, y: int, what: str, after: float = 1.0) -> None:
        """Double-click."""
        self.move(x, y)
        self.play("click", "--repeat", 2, "--delay", 60, 1)
        time.sleep(after)
        self.say(f"double-clicked {what}")

    def write(self, x: int, y: int, text: str, what: str) -> None:
        """Type into a field, in place of what stands there."""
        self.click_twice(x, y, what, after=0.8)
        self.play("key", "ctrl+a")
        self.play("type", "--delay", 90, text)
        time.sleep(0.3)
        self.press("Return", f"Return after {text}")

    def drag(self, begin: tuple[int, int], end: tuple[int, int], what: str) -> None:
        """Drag, slowly enough for Blender to follow."""
        self.move(*begin)
        time.sleep(0.5)
        self.play("mousedown", 1)
        time.sleep(0.3)
        for part in range(1, 9):
            time.sleep(0.1)
            self.play("mousemove", *(a + (b - a) * part // 8 for a, b in zip(begin, end, strict=True)))
        time.sleep(0.2)
        self.play("mouseup", 1)
        time.sleep(1.0)
        self.say(f"dragged {what}")

    def press(self, key: str, what: str, after: float = 1.0) -> None:
        """Press a key where the mouse is."""
        self.play("key", key)
        time.sleep(after)
        self.say(f"pressed {what}")

    def list_windows(self) -> list[int]:
        """Blender's windows, the newest last."""
        return sorted(int(word) for word in self.play("search", "--onlyvisible", "--name", ".").split())

    def open_window(self, x: int, y: int, what: str, place: tuple[int, int]) -> None:
        """Click what opens a window, and put that where a window manager would: onto the screen."""
        count = len(self.list_windows())
        self.click(x, y, what, 0.5, lambda: len(self.list_windows()) > count)
        self.play("windowmove", "--sync", self.list_windows()[-1], *place)
        time.sleep(1.0)

    def choose_file(self, row: int, what: str, button: str, folder: str = "") -> None:
        """Choose a file in Blender's file browser, which closes then; of a folder that is the first in the list."""
        if folder:
            self.click_twice(350, 236, folder)
        count = len(self.list_windows())
        self.click(350, 236 + 20 * row, what)
        self.click(1052, 762, button, 1.5, lambda: len(self.list_windows()) < count)


@contextmanager
def open_blender(options: argparse.Namespace, home: Path, arguments: Sequence[str]) -> Iterator[Trial]:
    """Open Blender on a virtual screen.

    Args:
        options: `blender`, `display` and `out` of the command line.
        home: what Blender takes for the user's folder; its own files and the agent's lie in hidden folders there.
        arguments: for Blender.
    """
    program = shutil.which(options.blender)
    if program is None:
        raise TrialError(f"{options.blender} is no program; name Blender's, such as ./blender")
    talk, user = home / ".trial", home / ".config" / "blender"
    for folder in (talk, user):
        folder.mkdir(parents=True, exist_ok=True)
    (talk / "state").unlink(missing_ok=True)
    (talk / "agent.py").write_text(AGENT, encoding="utf-8")
    own = {"HOME": str(home), "BLENDER_USER_RESOURCES": str(user), "BITPUPPET_TRIAL": str(talk)}
    own |= {"DISPLAY": options.display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    screen = subprocess.Popen(["Xvfb", options.display, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "+extension", "GLX"])
    time.sleep(1.0)
    command = [program, *arguments, "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
    blender = subprocess.Popen([*command, "--python", str(talk / "agent.py")], env=os.environ | own)
    trial = Trial(talk, options.out, options.display)
    try:
        trial.wait(lambda: bool(trial.list_windows()), "a window of Blender", OPEN_SECONDS)
        trial.wait(lambda: trial.look_up("objects") is not None, "an answer of Blender", OPEN_SECONDS)
        yield trial
        trial.call("quit")
        blender.wait(SECONDS)
    finally:
        blender.kill()
        screen.kill()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that these tools share."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots and of times.json")
    parser.add_argument("--display", default=":88", help="number of the virtual screen (default: :88)")


def report(trial: Trial) -> None:
    """Write and print the table."""
    found = {"seconds": trial.marks, "log": trial.log}
    (trial.out / "times.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    for name, seconds in (*trial.marks.items(), ("all", sum(trial.marks.values()))):
        print(f"{seconds:7.1f}  {name}")
