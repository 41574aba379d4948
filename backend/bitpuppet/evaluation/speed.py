"""How fast the model runs on this machine.

Absolute times depend on the machine and on what else runs on it; the share of the speed of matrix products, measured in
the same run, depends on them much less.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.jobs.engine import Engine
from bitpuppet.sprites import collect_palette, place_clip, snap_frames


def time_call(call: Callable[[], object], repeats: int) -> float:
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


def measure_speed(engine: Engine, *, frames: int = 8, steps: int = 4, strips: int = 24) -> dict[str, Any]:
    """Time the denoiser, a strip and a row of strips on a puppet.

    Args:
        engine: what is measured, on its device.
        frames: of the strip, 1 or more.
        steps: sampling steps.
        strips: how many in a row.

    Returns:
        Plain figures; seconds are medians.
    """
    canvas = engine.preset.canvas
    puppet = make_puppet(7, plan="biped", size=48)
    content, _ = place_clip(draw_clip(puppet, Motion("walk", "down")), canvas)
    motion, _ = place_clip(draw_clip(puppet, Motion("attack", "down"), frames=frames), canvas)
    palette = collect_palette(content)

    def retarget() -> NDArray[np.float32]:
        return engine.retarget(content, motion, steps=steps).frames

    flops, seconds = _time_denoiser(engine, content, frames)
    peak = measure_matmul(engine)
    drawn = retarget()
    figures = {
        "device": engine.device.type,
        "format": str(engine.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "matmul_gflops": round(peak / 1e9, 1),
        "denoiser_gflop_a_step": round(flops / 1e9, 5),
        "denoiser_seconds_a_step": round(seconds, 5),
        "denoiser_share_of_matmul": round(flops / seconds / peak, 3),
        "model_seconds_a_strip": round(time_call(retarget, 10), 4),
        "palette_seconds_a_strip": round(time_call(lambda: snap_frames(drawn, palette), 10), 4),
        "frames": frames,
        "steps": steps,
    }
    started = perf_counter()
    for _ in range(strips):
        snap_frames(retarget(), palette)
    return figures | {"seconds_a_strip_in_a_row": round((perf_counter() - started) / strips, 4)}


def _time_denoiser(engine: Engine, content: NDArray[np.uint8], frames: int) -> tuple[int, float]:
    """FLOP and seconds of one evaluation of the denoiser."""
    model, preset, device = engine.model, engine.preset, engine.device
    with torch.inference_mode(), engine.autocast():
        colours = torch.from_numpy(collect_palette(content)).to(device)
        memory = model.denoiser.remember(model.encode_content(torch.from_numpy(content).to(device), colours))
        tokens = torch.randn(frames, preset.tokens, preset.token_width, device=device)
        level, motion = torch.zeros(frames, device=device), torch.randn(frames, preset.motion_width, device=device)

        def denoise() -> None:
            model.denoiser(tokens, level, motion, memory)[0, 0, 0].item()

        with FlopCounterMode(display=False) as counter:
            denoise()
        return counter.get_total_flops(), time_call(denoise, 20)
