"""Draws two clips and lets the command line retarget one onto the other: `PYTHON draw_example.py FOLDER`.

For a Python that has bitpuppet, and not for Blender's: the test reads the arrays.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from bitpuppet import cli
from bitpuppet.data.puppets import draw_clip, make_puppet

SIZE = 48


def draw(seed: int, motion: int, frames: int) -> np.ndarray:
    """A puppet's clip, uint8 (frames, SIZE, SIZE, 4)."""
    puppet = make_puppet(seed, plan="biped", size=SIZE)
    return np.asarray(draw_clip(puppet, puppet.motions[motion], frames))


def save_strip(path: Path, frames: np.ndarray) -> None:
    """Frames side by side, as the command line reads them."""
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def read_strip(path: Path) -> np.ndarray:
    """The frames of a strip."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA"))
    return np.stack(np.split(pixels, pixels.shape[1] // SIZE, axis=1))


def main() -> None:
    """Draw, save, retarget by the real command line, and save that too."""
    folder = Path(sys.argv[1])
    for name, frames in (("content", draw(1, 0, 4)), ("motion", draw(2, 1, 6))):
        save_strip(folder / f"{name}.png", frames)
        np.save(folder / f"{name}.npy", frames)
    sys.argv = ["bitpuppet", "retarget", "--frame", f"{SIZE}x{SIZE}", "--seed", "7", "--device", "cpu"]
    for name in ("content", "motion", "out"):
        target = "frames" if name == "out" else name
        sys.argv += [f"--{name}", str(folder / f"{target}.png")]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
    np.save(folder / "frames.npy", read_strip(folder / "frames.png"))


if __name__ == "__main__":
    main()
