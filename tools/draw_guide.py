"""Draw the pictures of docs/own-characters.md on preparing sheets: `python tools/draw_guide.py [--keep FOLDER]`.

The sheets are puppets that the program draws, so there are no rights to clear. One of the sets has faults on purpose.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.data.character_set import survey_character_set
from bitpuppet.data.puppets import Motion, Puppet, draw_clip, make_puppet
from bitpuppet.data.set_check import check_set
from bitpuppet.data.set_report import write_report

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CAST = {"guard": make_puppet(21, plan="biped", size=32), "knight": make_puppet(40, plan="heavy", size=32)}
MOTIONS = {"walk_down": Motion("walk", "down"), "walk_left": Motion("walk", "left"), "attack": Motion("attack", "down")}
BACKGROUND = (255, 0, 255, 255)


def save(frames: NDArray[np.uint8], path: Path) -> None:
    """Write frames (T, H, W, 4) as a strip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def save_character(puppet: Puppet, folder: Path) -> None:
    """Write one strip for each animation."""
    for name, motion in MOTIONS.items():
        save(draw_clip(puppet, motion, 6), folder / f"{name}_32x32.png")


def save_faults(puppet: Puppet, folder: Path) -> None:
    """Write strips with a painted background, with a gap, and with a single pose."""
    painted = draw_clip(puppet, MOTIONS["walk_down"], 6)
    painted[painted[..., 3] == 0] = BACKGROUND
    save(painted, folder / "walk_down_32x32.png")
    gap = draw_clip(puppet, MOTIONS["walk_left"], 6)
    gap[2] = 0
    save(gap, folder / "walk_left_32x32.png")
    save(draw_clip(puppet, MOTIONS["attack"], 6)[:1], folder / "attack_32x32.png")


def main() -> None:
    """Write docs/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=None, help="a folder for the sheets; by default they are removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place)
        for name, puppet in CAST.items():
            save_character(puppet, folder / "good" / name)
            save_character(puppet, folder / "faulty" / name)
        save_faults(make_puppet(8, plan="robot", size=32), folder / "faulty" / "robot")
        for kind in ("good", "faulty"):
            reading = survey_character_set(folder / kind)
            write_report(reading, check_set(reading), IMAGES / f"own-characters-{kind}.png")


if __name__ == "__main__":
    main()
