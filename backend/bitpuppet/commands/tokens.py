"""`bitpuppet tokens`: the motion tokens of an animation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bitpuppet.commands import options


def tokens(
    motion: Annotated[
        Path,
        typer.Argument(
            help="A sheet, GIF, APNG, video, Aseprite file, JSON or folder; or packed tokens (.bptk) to look at."
        ),
    ],
    frame: options.Frame = None,
    motion_rows: Annotated[str | None, typer.Option(help="Rows to read, such as 0,2 or 0-3.")] = None,
    motion_tag: options.MotionTag = None,
    fps: options.Fps = None,
    span: options.Range = None,
    crop: options.Crop = None,
    size: options.Size = None,
    packed: Annotated[
        Path | None,
        typer.Option(
            help="Also write the tokens to this file, which ends in .bptk: a few bytes a frame, to be used as the "
            "--motion of retarget and extend with the same weights."
        ),
    ] = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Print the motion tokens of an animation, one line a frame, and what they cost in bits."""
    from bitpuppet.jobs.retarget import place_motion
    from bitpuppet.jobs.tokens import check_packed_path, is_packed, read_packed, write_packed
    from bitpuppet.model.packing import PackedTokens
    from bitpuppet.sprites.ranges import parse_frame, parse_rows
    from bitpuppet.sprites.video.settings import Videos

    with options.bad_usage():
        side = parse_frame(frame) if frame is not None else None
        rows = parse_rows(motion_rows, "--motion-rows") if motion_rows is not None else None
        video = Videos.parse(fps, span, crop, size).of_motion
    canvas = options.check_model(preset, weights, device)
    if packed is not None:
        check_packed_path(packed)
    # A bad file is told before the model is loaded.
    source = (
        read_packed(motion, rows or motion_tag)
        if is_packed(motion)
        else place_motion(motion, side, rows, canvas, motion_tag, video)
    )
    with options.progress_bar() as progress:
        progress.add_task("loading the model", total=None, note="")
        engine, _ = options.load_engine(preset, weights, device)
        indices = engine.coder.unpack(source) if isinstance(source, PackedTokens) else engine.encode_motion(source)
        bits = engine.count_bits(indices)
        written: dict[str, Any] = write_packed(engine.coder, indices, packed) if packed is not None else {}
    if as_json:
        used = {"preset": engine.preset.name, "groups": engine.preset.groups, "codewords": engine.preset.codewords}
        report = {"tokens": indices.tolist(), "frames": len(indices), "bits_per_frame": round(bits, 2)}
        print(json.dumps(report | used | written))
        return
    for number, line in enumerate(indices.tolist()):
        print(f"{number:4d}  {' '.join(f'{index:2d}' for index in line)}")
    print(f"{len(indices)} frames, {bits:.2f} bits per frame")
    if written:
        print(
            f"{options.make_printable(packed)}: {written['packed_bytes']} bytes, "
            f"{written['packed_bits_per_frame']:.2f} bits per frame without the header"
        )
