"""The demo: two puppets that the program draws, one retargeted onto the other."""

from __future__ import annotations

import os
from pathlib import Path

from bitpuppet.data.puppets import Motion, Puppet, draw_clip, is_held_out, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import RetargetEngine, RetargetJob, StepWatch, run_retarget
from bitpuppet.sprites import Clip, Grid, cut_grid, write_contact_sheet, write_gif, write_sheet, write_strip
from bitpuppet.sprites.images import read_picture

CANVAS = 64
CONTENT_MOTIONS = (("idle", "down"), ("walk", "left"), ("walk", "up"), ("idle", "right"))
DRIVING = Motion("attack", "down")


def run_demo(
    engine: RetargetEngine,
    folder: Path,
    *,
    seed: int = 0,
    steps: int | None = None,
    watch: StepWatch | None = None,
    canvas: int = CANVAS,
) -> dict[Path, str]:
    """Write the demo's files into `folder`, which is made when missing.

    Args:
        canvas: side of the engine's canvas in pixels.

    Returns:
        The files and what they show.

    Raises:
        BitpuppetError: the folder cannot be made or written; see also `run_retarget`.
    """
    check_demo_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BitpuppetError(f"--out {folder} cannot be made ({error.strerror}); name another folder") from error
    hero, actor = pick_puppets(seed)
    sheet, driving, result = folder / "character.png", folder / "motion.png", folder / "retargeted.png"
    clips = [draw_clip(hero, Motion(*motion)) for motion in CONTENT_MOTIONS]
    write_sheet([Clip(clip) for clip in clips], sheet)
    acting = draw_clip(actor, DRIVING)
    write_strip(acting, driving)
    job = RetargetJob(
        sheet,
        driving,
        result,
        content_frame=(hero.size, hero.size),
        motion_frame=(actor.size, actor.size),
        seed=seed,
        steps=steps,
    )
    run_retarget(engine, job, canvas, watch)
    # Not `read_clip`, which leaves out empty cells: a model in training may draw one.
    drawn = cut_grid(read_picture(result).frames[0], Grid(hero.size, hero.size, len(acting), 1))
    write_gif(drawn, folder / "retargeted.gif")
    write_contact_sheet(
        [
            ("the character, as the model saw it", clips[0]),
            ("the driving motion", acting),
            ("retargeted", drawn),
            ("true target (the model never saw it)", draw_clip(hero, DRIVING)),
        ],
        folder / "contact-sheet.png",
        scale=3,
    )
    return {
        result: "the retargeted strip",
        folder / "retargeted.gif": "the same, moving",
        folder / "contact-sheet.png": "character, motion, result and true target",
        sheet: "the character's sheet",
        driving: "the driving motion",
    }


def check_demo_folder(folder: Path) -> None:
    """Raise BitpuppetError when the demo could not write into `folder`: better before the model is loaded."""
    try:
        wrong = folder.exists() and not folder.is_dir()
        locked = folder.is_dir() and not os.access(folder, os.W_OK)
    except OSError as error:
        raise BitpuppetError(f"--out {folder} cannot be used ({error.strerror}); name another folder") from error
    if wrong:
        raise BitpuppetError(f"--out {folder} is a file; name a folder")
    if locked:
        raise BitpuppetError(f"--out {folder} may not be changed; give yourself the permission or name another folder")


def pick_puppets(seed: int) -> tuple[Puppet, Puppet]:
    """Two bipeds that no training ever shows: a character and an actor."""
    found: list[Puppet] = []
    candidate = seed * 1000
    while len(found) < 2:
        if is_held_out(candidate):
            found.append(make_puppet(candidate, plan="biped", size=48))
        candidate += 1
    return found[0], found[1]
