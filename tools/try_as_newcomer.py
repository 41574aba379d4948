"""Goes the README's way from the zip to a character on a plane in a real Blender window, by mouse and keys, with times.

    python tools/try_as_newcomer.py BLENDER ZIP SOURCE MOTION --packages FOLDER --out FOLDER

BLENDER is the program, ZIP a built extension, SOURCE and MOTION are sheets of which MOTION has several rows. The
backend is installed from --packages, a folder of wheels: the way is timed, not the internet. --out takes a screenshot
of each step and `times.json`. Nothing of the user's own Blender is read or written.

Needs Linux with Xvfb, xdotool and ImageMagick's `import`. Buttons are found by where Blender 4.3 draws them in a window
of 1600 x 900: look at the screenshots when a step has no effect. There is no window manager, so this program moves new
windows onto the screen and closes the preferences; all else is clicked or typed. Pauses are those of somebody who knows
Blender and looks at each step.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1600, 900
AGENT = """
import json, os, pathlib
import bpy
FOLDER = pathlib.Path(os.environ["BITPUPPET_TRIAL"])
NAME = "bl_ext.user_default.bitpuppet"
def describe():
    manager = bpy.context.window_manager
    found = {
        "enabled": NAME in bpy.context.preferences.addons,
        "objects": len(bpy.data.objects),
        "playing": manager.windows[0].screen.is_animation_playing,
    }
    if found["enabled"] and hasattr(bpy.context.scene, "bitpuppet"):
        setup = __import__(NAME + ".state", fromlist=["current"]).current().setup
        data = bpy.context.scene.bitpuppet
        found |= {
            "installing": setup.installer is not None,
            "setup": f"{setup.step} {setup.outcome}",
            "setup_failed": bool(setup.has_failed),
            "rows": data.motion.rows,
        }
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
"""Runs inside Blender: tells what a click did, and does nothing but close the preferences, and Blender at the end."""
ENDS = ("done", "failed", "cancelled")
SECONDS = 30.0
INSTALL_SECONDS, JOB_SECONDS = 1200.0, 300.0


class TrialError(Exception):
    """A step had no effect; one line."""


class Trial:
    """One Blender on a virtual screen, its mouse and keys, and the clock."""

    def __init__(self, folder: Path, out: Path, display: str) -> None:
        """Name the folder for talking with Blender, the one for screenshots, and the screen."""
        self._folder, self._out = folder, out
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
        command = ["import", "-window", "root", str(self._out / f"{name}.png")]
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

    def click(self, x: int, y: int, what: str, after: float = 1.0, effect: Callable[[], bool] | None = None) -> None:
        """Click, look for the effect, and then look at the result as long as a person would."""
        self.move(x, y)
        self.play("mousedown", 1)
        time.sleep(0.1)
        self.play("mouseup", 1)
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
        """Type into a field."""
        self.click_twice(x, y, what, after=0.8)
        self.play("type", "--delay", 90, text)
        time.sleep(0.3)
        self.press("Return", f"Return after {text}")

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

    def choose_file(self, row: int, what: str, button: str) -> None:
        """Choose a file of the home folder in Blender's file browser, which closes then."""
        count = len(self.list_windows())
        self.click(350, 236 + 20 * row, what)
        self.click(1052, 762, button, 1.5, lambda: len(self.list_windows()) < count)


def go(trial: Trial, packages: Path) -> None:
    """The README's way."""
    page, browser = (20, 200), (20, 158)
    trial.click(82, 14, "Edit", 1.2)
    trial.open_window(135, 282, "Preferences", page)
    trial.click(77, 364, "Get Extensions", 1.5)
    trial.click(688, 219, "the arrow at the top right", 1.2)
    trial.open_window(580, 341, "Install from Disk", browser)
    trial.choose_file(0, "the zip", "Install from Disk")
    trial.wait(lambda: bool(trial.look_up("enabled")), "the add-on")
    time.sleep(1.0)
    trial.mark("install the zip")

    trial.move(967, 681)
    trial.press("n", "N over the 3D View")
    trial.click(1308, 258, "the tab Bitpuppet", 2.0)
    trial.click(1165, 186, "Set Up", 2.5)
    trial.shoot("set-up")
    trial.write(527, 687, str(packages), "Local Packages")
    trial.click(455, 507, "Install Backend", 1.5, lambda: bool(trial.look_up("installing")))
    trial.mark("begin the installation")

    trial.open_window(1190, 192, "Open of Source Character", browser)
    trial.choose_file(0, "the character", "Open Image")
    trial.open_window(1190, 335, "Open of Driving Motion", browser)
    trial.choose_file(1, "the motion", "Open Image")
    trial.write(1214, 388, "1", "Use Rows of Driving Motion")
    if trial.look_up("rows") != "1":
        raise TrialError("the row was not taken; look at the screenshots")
    trial.mark("choose the sheets")

    trial.wait_changing(["setup"], lambda: not trial.look_up("installing"), INSTALL_SECONDS)
    if trial.look_up("setup_failed"):
        raise TrialError(str(trial.look_up("setup")))
    trial.mark("wait for the installation")

    trial.call("close")
    time.sleep(1.0)
    trial.say("closed the preferences by a call")
    trial.click(1174, 445, "Retarget", 0.5, lambda: trial.look_up("job") is not None)
    trial.wait_changing(["job", "job_step", "job_message"], lambda: trial.look_up("job") in ENDS, JOB_SECONDS)
    if not trial.look_up("drawn"):
        raise TrialError(str(trial.look_up("job_message")))
    time.sleep(1.5)
    trial.mark("draw")

    trial.move(770, 660)
    trial.press("x", "X over the 3D View")
    trial.press("Return", "Return: Delete")
    trial.move(1230, 550)
    for _ in range(6):
        trial.play("click", 5)
        time.sleep(0.2)
    trial.say("scrolled the tab")
    time.sleep(1.0)
    trial.click(1112, 568, "Plane", 1.5, lambda: trial.look_up("objects") == 3)
    trial.move(660, 616)
    for key, what in (("KP_1", "Numpad 1"), ("KP_Decimal", "Numpad ."), ("space", "Space")):
        trial.press(key, what)
    trial.wait(lambda: bool(trial.look_up("playing")), "playback")
    time.sleep(2.0)
    trial.mark("put it on a plane")


def run_blender(options: argparse.Namespace, scratch: Path) -> Trial:
    """Open Blender on a virtual screen and go the way."""
    home, talk = scratch / "home", scratch / "talk"
    for folder in (home, talk, scratch / "user"):
        folder.mkdir()
    for path, name in ((options.zip, options.zip.name), (options.source, "hero.png"), (options.motion, "moves.png")):
        shutil.copy(path, home / name)
    (scratch / "agent.py").write_text(AGENT, encoding="utf-8")
    own = {"HOME": str(home), "BLENDER_USER_RESOURCES": str(scratch / "user"), "BITPUPPET_TRIAL": str(talk)}
    own |= {"DISPLAY": options.display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    program = shutil.which(options.blender)
    if program is None:
        raise TrialError(f"{options.blender} is no program; name Blender's, such as ./blender")
    screen = subprocess.Popen(["Xvfb", options.display, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "+extension", "GLX"])
    time.sleep(1.0)
    command = [program, "--factory-startup", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
    blender = subprocess.Popen([*command, "--python", str(scratch / "agent.py")], env=os.environ | own)
    trial = Trial(talk, options.out, options.display)
    try:
        trial.wait(lambda: bool(trial.list_windows()), "a window of Blender", 60.0)
        trial.wait(lambda: trial.look_up("objects") is not None, "an answer of Blender")
        trial.click(799, 656, "Continue of the splash screen", 2.0)
        trial.click(550, 826, "an empty place", 2.0)  # the splash screen takes the first click after it
        trial.begin()
        go(trial, options.packages.resolve())
        trial.call("quit")
        blender.wait(SECONDS)
    finally:
        blender.kill()
        screen.kill()
    return trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("blender", help="Blender's program")
    for name in ("zip", "source", "motion"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--packages", type=Path, required=True, help="folder of wheels for the backend")
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots and of times.json")
    parser.add_argument("--display", default=":88", help="number of the virtual screen (default: :88)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bitpuppet-trial-", ignore_cleanup_errors=True) as scratch:
        try:
            trial = run_blender(options, Path(scratch))
        except TrialError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    report = {"seconds": trial.marks, "log": trial.log}
    (options.out / "times.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    for name, seconds in (*trial.marks.items(), ("all", sum(trial.marks.values()))):
        print(f"{seconds:7.1f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
