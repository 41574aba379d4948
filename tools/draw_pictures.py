"""Draw the README's pictures with the shipped weights: `python tools/draw_pictures.py --data DIR [--weights FILE]`.

`swaps.png` is of the data folder's art, whose authors CREDITS.md names: the second swap of the benchmark (in the first
both have the same hair) and the first with a held-out garment. All others are of puppets that no training showed, which
the program draws.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.data.puppets import Motion, Puppet, draw_clip, is_held_out, make_puppet
from bitpuppet.evaluation.swaps import GarmentSwaps, SpriteSwaps
from bitpuppet.jobs.engine import Engine
from bitpuppet.jobs.pixels import lock_pixels
from bitpuppet.sprites import collect_palette, place_clip, snap_frames, write_contact_sheet, write_gif

IMAGES = Path(__file__).parent.parent / "docs" / "images"
LOOKS = (Motion("idle", "down"), Motion("walk", "left"), Motion("walk", "up"), Motion("idle", "right"))
CAST = (("biped", 48), ("child", 40), ("heavy", 56), ("robot", 48))


def pick_puppet(plan: str, size: int, start: int) -> Puppet:
    """The first held-out puppet from seed `start` on."""
    seed = next(seed for seed in range(start, start + 1000) if is_held_out(seed))
    return make_puppet(seed, plan=plan, size=size)


def place(puppet: Puppet, motion: Motion, canvas: int) -> NDArray[np.uint8]:
    """A clip of the puppet on the model's canvas, (8, canvas, canvas, 4)."""
    return place_clip(draw_clip(puppet, motion), canvas)[0]


def draw_swaps(engine: Engine, data: Path) -> list[tuple[str, NDArray[np.uint8]]]:
    """Early swaps of `bitpuppet eval sprites`, given, driver, drawn and true, as rows of a contact sheet."""
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    sprites, garments = SpriteSwaps(Benchmark(data / "sprites"), 296), GarmentSwaps(data / "lpc", 96)
    for swap in (sprites.draw(1), garments.draw(0)):
        drawn = engine.retarget(swap.content, swap.motion).frames
        product = lock_pixels(drawn, swap.content, collect_palette(swap.content))
        rows += [("given", swap.content), ("driver", swap.motion), ("drawn", product), ("true target", swap.target)]
    return rows


def main() -> None:
    """Write docs/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder of CREDITS.md")
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--start", type=int, default=20_000, help="first seed that is looked at")
    options = parser.parse_args()
    engine = Engine.load("sprite64", options.weights)
    canvas = engine.preset.canvas
    IMAGES.mkdir(parents=True, exist_ok=True)
    write_contact_sheet(draw_swaps(engine, options.data), IMAGES / "swaps.png", scale=2)
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    for number, (plan, size) in enumerate(CAST):
        hero = pick_puppet(plan, size, options.start + 50 * number)
        actor = pick_puppet(plan, size, options.start + 50 * number + 25)
        driving = (Motion("attack", "down"), Motion("walk", "right"), Motion("cast", "down"), Motion("run", "left"))[
            number
        ]
        content = np.concatenate([place(hero, look, canvas) for look in LOOKS])
        acting = place(actor, driving, canvas)
        drawn = snap_frames(engine.retarget(content, acting).frames, collect_palette(content))
        shown = content[[0, 10, 18, 24]]
        rows += [
            (f"{plan}: character", shown),
            (f"motion: {driving.animation}, {driving.direction}", acting),
            ("retargeted", drawn),
            ("true target", place(hero, driving, canvas)),
        ]
        write_gif(np.repeat(np.repeat(drawn, 3, axis=1), 3, axis=2), IMAGES / f"{plan}.gif", [110] * len(drawn))
    write_contact_sheet(rows[:8], IMAGES / "retargeting.png", scale=2)
    write_contact_sheet(rows, IMAGES / "retargeting-all.png", scale=2)
    print(f"wrote {IMAGES}")


if __name__ == "__main__":
    main()
