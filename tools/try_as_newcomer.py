"""Goes the README's way from the zip to a character on a plane in a real Blender window, by mouse and keys, with times.

    python tools/try_as_newcomer.py BLENDER ZIP SOURCE MOTION --packages FOLDER --out FOLDER

BLENDER is the program, ZIP a built extension, SOURCE and MOTION are sheets of which MOTION has several rows. The
backend is installed from --packages, a folder of wheels: the way is timed, not the internet. --out takes a screenshot
of each step and `times.json`. Nothing of the user's own Blender is read or written; --home keeps what this one writes,
for `try_training.py`.

Needs Linux with Xvfb, xdotool and ImageMagick's `import`. Buttons are found by where Blender 4.3 draws them in a window
of 1600 x 900: look at the screenshots when a step has no effect. There is no window manager, so this program moves new
windows onto the screen and closes the preferences; all else is clicked or typed. Pauses are those of somebody who knows
Blender and looks at each step.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from window import ENDS, Trial, TrialError, add_options, open_blender, report

INSTALL_SECONDS, JOB_SECONDS = 1200.0, 300.0


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
    trial.write(527, 710, str(packages), "Local Packages")
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
    trial.click(1174, 471, "Retarget", 0.5, lambda: trial.look_up("job") is not None)
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
    trial.click(1112, 594, "Plane", 1.5, lambda: trial.look_up("objects") == 3)
    trial.move(660, 616)
    for key, what in (("KP_1", "Numpad 1"), ("KP_Decimal", "Numpad ."), ("space", "Space")):
        trial.press(key, what)
    trial.wait(lambda: bool(trial.look_up("playing")), "playback")
    time.sleep(2.0)
    trial.mark("put it on a plane")


def run(options: argparse.Namespace, home: Path) -> None:
    """Open Blender in a new home, and go the way."""
    for path, name in ((options.zip, options.zip.name), (options.source, "hero.png"), (options.motion, "moves.png")):
        shutil.copy(path, home / name)
    with open_blender(options, home, ["--factory-startup"]) as trial:
        trial.click(799, 656, "Continue of the splash screen", 2.0)
        trial.click(550, 826, "an empty place", 2.0)  # the splash screen takes the first click after it
        trial.begin()
        go(trial, options.packages.resolve())
    report(trial)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("blender", help="Blender's program")
    for name in ("zip", "source", "motion"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--packages", type=Path, required=True, help="folder of wheels for the backend")
    parser.add_argument("--home", type=Path, help="empty folder for Blender's files, which are kept then")
    add_options(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bitpuppet-trial-", ignore_cleanup_errors=True) as scratch:
        home = options.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        try:
            run(options, home.resolve())
        except TrialError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
