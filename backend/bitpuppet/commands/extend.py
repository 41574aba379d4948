"""`bitpuppet extend`: an animation goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from bitpuppet.commands import options


def extend(
    motion: Annotated[
        Path,
        typer.Option(
            help="The animation to continue: a PNG sheet or strip, GIF, APNG, Aseprite file, JSON or folder of frames. "
            "Its frames come first in the result, untouched. Or packed motion tokens (.bptk), which --content then "
            "performs."
        ),
    ],
    frames: Annotated[int, typer.Option(help="How many new frames, 1 or more.")],
    out: Annotated[Path, typer.Option(help="The file to write, such as a PNG strip: given frames, then new ones.")],
    content: Annotated[
        Path | None,
        typer.Option(
            help="More views of the character, such as its whole sheet, from which the new frames are drawn. "
            "Default: the given frames."
        ),
    ] = None,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop",
            help="Make the end lead into the start. Several continuations that aim at the first frame are drawn, and "
            "the first is kept whose seam (from the last frame to the first) is no larger than the largest step "
            "inside. "
            "Where none has such a seam, the given motion's own cycle is repeated, as with --cycle.",
        ),
    ] = False,
    cycle: Annotated[
        bool,
        typer.Option(
            "--cycle",
            help="No chance: repeat the cycle that the given frames go through, or all of them. With --loop it passes "
            "a little faster or slower where whole cycles do not fit into --frames.",
        ),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Above 0: how far the motion may stray from the likeliest; 1 is as in training. Default: 0.8."
        ),
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Above 0, at most 1: the share of likely poses to draw from. Default: 0.95.")
    ] = None,
    variations: Annotated[
        int,
        typer.Option(
            help="Write so many different continuations, 1 to 16, as OUT-1.png, OUT-2.png and so on, the smallest seam "
            "first."
        ),
    ] = 1,
    redraw: Annotated[
        bool,
        typer.Option(
            "--redraw",
            help="Draw every new frame, also those in a pose of a given frame, which otherwise are that frame again.",
        ),
    ] = False,
    frame: options.Frame = None,
    content_frame: options.ContentFrame = None,
    motion_frame: options.MotionFrame = None,
    content_rows: options.ContentRows = None,
    motion_rows: options.MotionRows = None,
    content_tag: options.ContentTag = None,
    motion_tag: options.MotionTag = None,
    layout: options.Format = None,
    fps: options.Fps = None,
    span: options.Range = None,
    crop: options.Crop = None,
    size: options.Size = None,
    content_video: options.ContentVideo = None,
    motion_video: options.MotionVideo = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    palette_lock: options.PaletteLock = None,
    palette: options.Palette = "source",
    hard_alpha: options.HardAlpha = True,
    outline: options.Outline = False,
    orphans: options.Orphans = True,
    patterns: options.Patterns = False,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    prior: options.Prior = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Continue an animation by new frames: the given frames, untouched, followed by what might come next."""
    from bitpuppet.jobs.continuation import DEFAULT_TEMPERATURE, DEFAULT_TOP_P, ExtendSettings
    from bitpuppet.jobs.extend import ExtendJob, perform, read_job
    from bitpuppet.jobs.pixels import PixelOptions
    from bitpuppet.model.preset import find_preset
    from bitpuppet.sprites.ranges import parse_frame, parse_rows
    from bitpuppet.sprites.video.settings import Videos

    with options.bad_usage():
        wanted = PixelOptions(palette, hard_alpha, outline, orphans, patterns)
    pixels = wanted.resolve()  # a palette that cannot be read is the fault of a file, not of the command line
    with options.bad_usage():
        sizes = find_preset(preset)
        crop, size = options.cut_to_canvas(sizes.canvas if sizes.codec == "latent" else None, crop, size)
        settings = ExtendSettings(
            frames,
            loop=loop,
            cycle=cycle,
            redraw=redraw,
            temperature=DEFAULT_TEMPERATURE if temperature is None else temperature,
            top_p=DEFAULT_TOP_P if top_p is None else top_p,
            variations=variations,
            seed=seed,
            steps=steps,
            palette_lock=options.choose_lock(palette_lock, preset),
            pixels=pixels,
        )
        job = ExtendJob(
            motion,
            out,
            settings,
            content,
            frame=parse_frame(frame) if frame is not None else None,
            content_frame=parse_frame(content_frame, "--content-frame") if content_frame is not None else None,
            motion_frame=parse_frame(motion_frame, "--motion-frame") if motion_frame is not None else None,
            content_rows=parse_rows(content_rows, "--content-rows") if content_rows is not None else None,
            motion_rows=parse_rows(motion_rows, "--motion-rows") if motion_rows is not None else None,
            content_tag=content_tag,
            motion_tag=motion_tag,
            format=layout,
            videos=Videos.parse(fps, span, crop, size, content_video, motion_video),
        )
    canvas = options.check_model(preset, weights, device)
    options.check_weights("--prior", prior)
    started = perf_counter()
    read = read_job(job, canvas)  # bad files are told before the model is loaded
    reading = round(perf_counter() - started, 4)
    with options.progress_bar() as progress:
        task = progress.add_task("loading the model", total=None, note="")
        engine, seconds = options.load_engine(preset, weights, device)
        continuer = None if cycle else engine.load_prior(prior)

        def watch(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=f"{done} of {total}")

        report = perform(engine, continuer, job, read, canvas, watch)
    used = {
        "preset": engine.preset.name,
        "steps": engine.preset.steps if steps is None else steps,
        "device": engine.device.type,
    }
    report = report | used | {"seconds": seconds | {"reading": reading} | report["seconds"]}
    if as_json:
        print(json.dumps(report))
    else:
        _print_report(report, settings.variations)


def _print_report(report: dict[str, Any], wanted: int) -> None:
    for one in report.get("variations", [report]):
        closed = "closed" if one["loop_closed"] else "open"
        print(
            options.make_printable(
                f"{one['out']}: {report['given_frames']} given frames of {report['frame']} and {report['new_frames']} "
                f"new ones, seam {one['seam']:.2f} ({closed}; largest step inside {one['largest_inside']:.2f})"
            )
        )
    found = len(report.get("variations", [report]))
    if found < wanted:
        print(f"note: only {found} of {wanted} continuations differ; raise --temperature", file=sys.stderr)
    if report["loop"] and not report["loop_closed"]:
        print(
            "note: the end does not lead into the start as smoothly as the frames inside follow one another; "
            "try another number of --frames or another --seed",
            file=sys.stderr,
        )
    if cut := report["cut_pixels"]:
        print(
            f"note: {cut} pixels lie outside the {report['frame']} frame and were cut off; "
            "give the art more room around it",
            file=sys.stderr,
        )
