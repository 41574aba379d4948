"""Print how fast the model runs here: `python tools/measure_speed.py [--weights FILE] [--frames 8] [--steps 4]`.

Absolute times depend on the machine and on what else runs on it; the share of the matrix speed, measured in the same
run, depends on them much less.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.jobs.engine import Engine
from bitpuppet.sprites import collect_palette, place_clip, snap_frames


def time_call(call: Any, repeats: int) -> float:
    """Median seconds of `call`, after two calls that do not count."""
    seconds = []
    for number in range(repeats + 2):
        started = perf_counter()
        call()
        if number >= 2:
            seconds.append(perf_counter() - started)
    return median(seconds)


def measure_matmul(engine: Engine) -> float:
    """Matrix products in FLOP/s, in the engine's number format, at the size of the denoiser's widest layer."""
    width = engine.preset.width
    left = torch.randn(64 * 128, width, device=engine.device, dtype=engine.dtype)
    right = torch.randn(width, 4 * width, device=engine.device, dtype=engine.dtype)
    return 2 * left.shape[0] * width * 4 * width / time_call(lambda: (left @ right).sum().item(), 20)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--strips", type=int, default=24)
    options = parser.parse_args()
    engine = Engine.load("sprite64", options.weights)
    puppet = make_puppet(7, plan="biped", size=48)
    content, _ = place_clip(draw_clip(puppet, Motion("walk", "down")), engine.preset.canvas)
    motion, _ = place_clip(draw_clip(puppet, Motion("attack", "down"), frames=options.frames), engine.preset.canvas)

    def retarget() -> np.ndarray[Any, Any]:
        return engine.retarget(content, motion, steps=options.steps).frames

    with torch.inference_mode(), torch.autocast(engine.device.type, engine.dtype):
        memory = engine.model.denoiser.remember(engine.model.encode_content(torch.from_numpy(content)))
        tokens = torch.randn(len(motion), engine.preset.tokens, engine.preset.token_width)
        level = torch.zeros(len(motion))
        condition = torch.randn(len(motion), engine.preset.motion_width)

        def denoise() -> None:
            engine.model.denoiser(tokens, level, condition, memory)

        with FlopCounterMode(display=False) as counter:
            denoise()
        flops = counter.get_total_flops()
        seconds = time_call(denoise, 20)
    peak = measure_matmul(engine)
    palette = collect_palette(content)
    frames = retarget()
    print(f"device            {engine.device.type}, {engine.dtype}, {torch.get_num_threads()} threads")
    print(f"matrix products   {peak / 1e9:.0f} GFLOP/s")
    print(f"denoiser          {flops / 1e9:.2f} GFLOP in {seconds * 1e3:.1f} ms for {len(motion)} frames, one step")
    print(f"                  {flops / seconds / 1e9:.0f} GFLOP/s, {flops / seconds / peak:.0%} of the matrix products")
    print(f"model             {time_call(retarget, 10):.3f} s a strip of {len(motion)} frames, {options.steps} steps")
    print(f"palette           {time_call(lambda: snap_frames(frames, palette), 10) * 1e3:.1f} ms a strip")
    started = perf_counter()
    for _ in range(options.strips):
        snap_frames(retarget(), palette)
    print(f"in a row          {(perf_counter() - started) / options.strips:.3f} s a strip over {options.strips} strips")


if __name__ == "__main__":
    main()
