"""Goes the guide's way from a set of sheets to a trained model's result in a real Blender window, by mouse and keys.

    python tools/try_training.py BLENDER HOME SET SOURCE MOTION --name MODEL --out FOLDER

BLENDER is the program. HOME is a folder that takes the place of the user's own, in which the extension and its backend
are installed, as `try_as_newcomer.py --home HOME` leaves it. SET is a folder of sheets, SOURCE a strip of a character
that is not in it, MOTION a strip of an animation of one that is. They are copied to HOME/art. --out takes a screenshot
of each step, of each new sample of the training, and `times.json`.

docs/own-characters.md has the result. What `try_as_newcomer.py` says of positions and pauses holds here, too. Called
and not clicked: the splash screen is switched off, and new windows are moved onto the screen.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from window import ENDS, Trial, TrialError, add_options, open_blender, report

JOB_SECONDS, PREPARE_SECONDS, PAUSE_SECONDS = 300.0, 900.0, 300.0
FIRST_STEPS = 5
"""After so many, the job that is done beside the training is begun."""
REST_SECONDS = 20.0
SPLASH = "import bpy; bpy.context.preferences.view.show_splash = False"
BROWSER = (20, 158)
HEADER, MIDDLE, LEFT, FIELD = 900, 1086, 982, 1162
"""Where a panel's title, the middle of it, its left button and its fields are, from the left."""
EMPTY = (640, 720)
"""A place of the 3D View with nothing in it."""
CLOSED = {"Source Character": 97, "Driving Motion": 125, "Draw": 153}
"""Where the titles of panels are, from above, while all above them are closed."""
PAUSE_Y, SET_Y, CARD_Y = 347, 324, 544


def show_only(trial: Trial, y: int, name: str) -> None:
    """Open one panel and close the others, as Ctrl and a click on its title do."""
    trial.click(HEADER, y, f"{name} with Ctrl", 0.5, key="ctrl")
    settle(trial)


def settle(trial: Trial) -> None:
    """Let the panels come to rest: Blender slides them, and draws anew when the mouse leaves."""
    trial.move(*EMPTY)
    time.sleep(1.0)


def begin_training(trial: Trial, options: argparse.Namespace) -> None:
    """Add the set, and start."""
    trial.move(967, 681)
    trial.press("n", "N over the 3D View")
    trial.click(1308, 258, "the tab Bitpuppet", 2.0)
    width = trial.look_up("sidebar")
    trial.drag((1038, 250), (860, 250), "the sidebar's edge")
    trial.wait(lambda: trial.look_up("sidebar") > width + 100, "a wide sidebar")
    show_only(trial, 769, "Train")
    trial.mark("find the panel")

    trial.open_window(MIDDLE, SET_Y, "Add Set from Folder", BROWSER)
    trial.click_twice(350, 236, "art")
    trial.click_twice(350, 236, options.set.name)
    trial.shoot("the-folder")
    count = len(trial.list_windows())
    trial.click(1051, 762, "Add Set", 0.5, lambda: len(trial.list_windows()) < count)
    trial.wait(lambda: bool(trial.look_up("outcome")), "an end of the adding", JOB_SECONDS)
    trial.say(trial.look_up("outcome"))
    settle(trial)
    trial.mark("add the set")

    trial.write(FIELD, 431, options.name, "New Name")
    trial.write(FIELD, 454, str(options.minutes), "Minutes")
    if trial.look_up("train") != [options.set.name, options.name, options.minutes]:
        raise TrialError(f"the settings are {trial.look_up('train')}; look at the screenshots")
    settle(trial)
    trial.shoot("the-settings")
    trial.click(MIDDLE, 479, "Train", 0.5, lambda: bool(trial.look_up("training")))
    trial.mark("start the training")


def draw(trial: Trial, y: int) -> None:
    """Press Retarget, and wait for the result."""
    jobs = trial.look_up("jobs") or 0
    trial.click(MIDDLE, y, "Retarget", 0.3, lambda: (trial.look_up("jobs") or 0) > jobs)
    trial.wait_changing(["job", "job_step", "job_message"], lambda: trial.look_up("job") in ENDS, JOB_SECONDS)
    if not trial.look_up("drawn"):
        raise TrialError(str(trial.look_up("job_message")))


def draw_beside(trial: Trial, options: argparse.Namespace) -> None:
    """Choose the strips while it prepares, and draw with the base while it trains."""
    for name in ("Draw", "Driving Motion", "Source Character"):
        trial.click(HEADER, CLOSED[name], name)
    settle(trial)
    names = sorted((options.source.name, options.motion.name))
    for y, path in ((128, options.source), (245, options.motion)):
        trial.open_window(1099, y, "Open", BROWSER)
        trial.choose_file(1 + names.index(path.name), path.name, "Open Image", folder="art")  # after the set's folder
        settle(trial)
    if trial.look_up("images") != [options.source.name, options.motion.name]:
        raise TrialError(f"the images are {trial.look_up('images')}; look at the screenshots")
    trial.mark("choose the strips")

    keys = ["step", "steps"]
    trial.wait_changing(keys, lambda: (trial.look_up("step") or 0) >= FIRST_STEPS, PREPARE_SECONDS)
    trial.mark("wait for the first steps")
    draw(trial, 418)
    settle(trial)
    trial.mark("draw while it trains")
    show_only(trial, 583, "Result")
    trial.mark("look at the result of the base")


def pause(trial: Trial) -> None:
    """Pause, rest, and go on."""
    trial.click(LEFT, PAUSE_Y, "Pause", 0.5)
    trial.wait(lambda: trial.look_up("state") == "paused", "the pause", PAUSE_SECONDS)
    settle(trial)
    trial.mark("pause")
    time.sleep(REST_SECONDS)
    step = trial.look_up("step")
    trial.click(LEFT, PAUSE_Y, "Resume", 0.5)
    trial.wait(lambda: trial.look_up("state") == "running" and trial.look_up("step") > step, "a step", PAUSE_SECONDS)
    settle(trial)
    trial.mark("rest and resume")


def watch_training(trial: Trial, seconds: float) -> None:
    """Pause and resume after the first sample, and then wait for the end, with a screenshot of each sample."""
    show_only(trial, 546, "Train")
    trial.wait(lambda: bool(trial.look_up("sample")) or not trial.look_up("training"), "a sample", seconds)
    settle(trial)
    trial.mark("watch it until the first sample")
    if trial.look_up("training") and trial.look_up("step") < trial.look_up("steps"):  # a short one has it at the end
        pause(trial)
    sample = trial.look_up("sample")

    def look() -> bool:
        nonlocal sample
        if trial.look_up("training") and trial.look_up("sample") != sample:
            sample = trial.look_up("sample")
            time.sleep(1.0)
            trial.say(", ".join(f"{key} {trial.look_up(key)}" for key in ("step", "steps", "held_out", "loss", "eta")))
            trial.shoot(f"sample-{trial.look_up('step'):05}")
        return not trial.look_up("training")

    trial.wait(look, "an end of the training", seconds)
    if trial.look_up("train_failed"):
        raise TrialError(trial.look_up("outcome"))
    trial.say(trial.look_up("outcome"))
    settle(trial)
    trial.mark("train to the end")


def use_model(trial: Trial, name: str) -> None:
    """Look at the model's card, choose the model, draw with it, and put the result on a plane."""
    trial.click(HEADER + 20, 513, "Models")
    settle(trial)
    trial.shoot("models")
    trial.click(1231, CARD_Y, "the model's card")
    time.sleep(1.0)
    trial.mark("look at the card")
    settle(trial)

    show_only(trial, CLOSED["Draw"], "Draw")
    trial.click(921, 247, "Settings")
    settle(trial)
    trial.click(1154, 279, "Preset", 1.5)
    trial.shoot("preset")
    trial.click(1066, 310, "the first in the list", 1.0, lambda: trial.look_up("preset") == name)
    settle(trial)
    trial.mark("choose the model")
    draw(trial, 189)
    settle(trial)
    trial.mark("draw")

    show_only(trial, 481, "Result")
    trial.open_window(948, 405, "Strip", BROWSER)
    count = len(trial.list_windows())
    trial.click(1051, 762, "Save Strip", 0.5, lambda: len(trial.list_windows()) < count)
    settle(trial)
    trial.mark("save the strip")

    trial.press("x", "X over the 3D View")
    trial.press("Return", "Return: Delete")
    objects = trial.look_up("objects")
    trial.click(LEFT, 386, "Plane", 1.5, lambda: trial.look_up("objects") > objects)
    trial.move(*EMPTY)
    for key, what in (("KP_1", "Numpad 1"), ("KP_Decimal", "Numpad .")):
        trial.press(key, what)
    for _ in range(2):
        trial.play("click", 5)
        time.sleep(0.3)
    trial.press("space", "Space")
    trial.wait(lambda: bool(trial.look_up("playing")), "playback")
    time.sleep(3.0)
    trial.mark("put it on a plane")


def run(options: argparse.Namespace) -> None:
    """Copy the art, open Blender, and go the way."""
    art = options.home / "art"
    shutil.rmtree(art, ignore_errors=True)
    shutil.copytree(options.set, art / options.set.name)
    for path in (options.source, options.motion):
        shutil.copy(path, art)
    with open_blender(options, options.home.resolve(), ["--python-expr", SPLASH]) as trial:
        trial.click(550, 826, "an empty place", 2.0)
        trial.begin()
        begin_training(trial, options)
        draw_beside(trial, options)
        watch_training(trial, 180.0 * options.minutes + PREPARE_SECONDS)
        use_model(trial, options.name)
    report(trial)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("blender", help="Blender's program")
    for name in ("home", "set", "source", "motion"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--name", required=True, help="of the model that is to be")
    parser.add_argument("--minutes", type=int, default=20, help="of the training (default: 20)")
    add_options(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        run(options)
    except TrialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
