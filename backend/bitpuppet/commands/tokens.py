"""`bitpuppet tokens`: the motion tokens of an animation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options


def tokens(
    motion: Annotated[Path, typer.Argument(help="A sheet, strip, GIF, APNG or folder.")],
    frame: options.Frame = None,
    motion_rows: Annotated[str | None, typer.Option(help="Rows to read, such as 0,2 or 0-3.")] = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Print the motion tokens of an animation, one line a frame, and what they cost in bits."""
    from bitpuppet.jobs.retarget import parse_frame, parse_rows, place_motion

    with options.bad_usage():
        size = parse_frame(frame) if frame is not None else None
        rows = parse_rows(motion_rows, "--motion-rows") if motion_rows is not None else None
    canvas = options.check_model(preset, weights, device)
    frames = place_motion(motion, size, rows, canvas)  # a bad file is told before the model is loaded
    with options.progress_bar() as progress:
        progress.add_task("loading the model", total=None, note="")
        engine, _ = options.load_engine(preset, weights, device)
        indices = engine.encode_motion(frames)
        bits = engine.count_bits(indices)
    if as_json:
        used = {"preset": engine.preset.name, "groups": engine.preset.groups, "codewords": engine.preset.codewords}
        print(json.dumps({"tokens": indices.tolist(), "frames": len(indices), "bits_per_frame": round(bits, 2)} | used))
        return
    for number, line in enumerate(indices.tolist()):
        print(f"{number:4d}  {' '.join(f'{index:2d}' for index in line)}")
    print(f"{len(indices)} frames, {bits:.2f} bits per frame")
