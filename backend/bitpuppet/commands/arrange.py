"""`bitpuppet arrange`: an animation in another timing."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from bitpuppet.commands import options


class By(StrEnum):
    """What in-betweens are made by."""

    codewords = "codewords"
    prior = "prior"


def arrange(
    motion: Annotated[
        Path,
        typer.Option(help="The animation: a PNG sheet or strip, GIF, APNG, Aseprite file, JSON or folder of frames."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write, such as a PNG strip.")],
    order: Annotated[
        str | None,
        typer.Option(help="Frames to show, counted from 0, in this order, such as 0,0,1,2 or 0-3,2-0. Default: all."),
    ] = None,
    drop: Annotated[int, typer.Option(help="Keep one frame in so many: 2 plays twice as fast.")] = 1,
    ping_pong: Annotated[bool, typer.Option("--ping-pong", help="Forwards, then backwards, as a loop.")] = False,
    in_between: Annotated[int, typer.Option(help="Draw so many new frames between each two neighbours.")] = 0,
    hold: Annotated[int, typer.Option(help="Show each frame so many times: 2 plays at half the speed.")] = 1,
    then: Annotated[
        Path | None, typer.Option(help="Another animation that follows, as it is; files as for --motion.")
    ] = None,
    blend: Annotated[int, typer.Option(help="Draw so many new frames where --motion ends and --then begins.")] = 0,
    by: Annotated[
        By,
        typer.Option(
            help="What new frames are made by. codewords: poses halfway between the two, by the model's codebooks. "
            "prior: by the motion prior, which knows how characters move and aims at the second pose."
        ),
    ] = By.codewords,
    content: Annotated[
        Path | None,
        typer.Option(
            help="Who performs it. Default: the given frames stay as they are, byte for byte, and new ones are drawn."
        ),
    ] = None,
    lock: Annotated[
        str | None,
        typer.Option(
            help="Frames of the result, counted from 0, such as 0,3 or 2-5, that are not drawn but stay as they are in "
            "--lock-from, byte for byte."
        ),
    ] = None,
    lock_from: Annotated[
        Path | None,
        typer.Option(
            help="An earlier result, perhaps touched up by hand, with as many frames. Default: what is at --out now."
        ),
    ] = None,
    frame: options.Frame = None,
    content_frame: options.ContentFrame = None,
    motion_frame: options.MotionFrame = None,
    then_frame: Annotated[str | None, typer.Option(help="The same for --then alone. Default: the motion's.")] = None,
    content_rows: options.ContentRows = None,
    motion_rows: options.MotionRows = None,
    then_rows: Annotated[str | None, typer.Option(help="Rows of the sheet of --then, in this order.")] = None,
    content_tag: options.ContentTag = None,
    motion_tag: options.MotionTag = None,
    then_tag: Annotated[str | None, typer.Option(help="The tag to take of the file of --then.")] = None,
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
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    prior: options.Prior = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Change the timing of an animation: reorder, drop, hold, ping-pong, splice, and draw in-betweens.

    The steps are taken in the order --order, --drop, --ping-pong, --in-between, --hold; --then follows after that.
    """
    from bitpuppet.jobs.arrange import ArrangeJob, perform, read_score
    from bitpuppet.jobs.timing import Retime, parse_order
    from bitpuppet.sprites.ranges import parse_frame, parse_rows
    from bitpuppet.sprites.video.settings import Videos

    with options.bad_usage():
        job = ArrangeJob(
            motion,
            out,
            Retime(
                order=parse_order(order) if order is not None else None,
                drop=drop,
                ping_pong=ping_pong,
                between=in_between,
                hold=hold,
            ),
            then=then,
            blend=blend,
            by="prior" if by is By.prior else "codewords",
            content=content,
            lock=parse_order(lock, "--lock") if lock is not None else (),
            lock_from=lock_from,
            frame=parse_frame(frame) if frame is not None else None,
            content_frame=parse_frame(content_frame, "--content-frame") if content_frame is not None else None,
            motion_frame=parse_frame(motion_frame, "--motion-frame") if motion_frame is not None else None,
            then_frame=parse_frame(then_frame, "--then-frame") if then_frame is not None else None,
            content_rows=parse_rows(content_rows, "--content-rows") if content_rows is not None else None,
            motion_rows=parse_rows(motion_rows, "--motion-rows") if motion_rows is not None else None,
            then_rows=parse_rows(then_rows, "--then-rows") if then_rows is not None else None,
            seed=seed,
            steps=steps,
            palette_lock=options.choose_lock(palette_lock, preset),
            content_tag=content_tag,
            motion_tag=motion_tag,
            then_tag=then_tag,
            format=layout,
            videos=Videos.parse(fps, span, crop, size, content_video, motion_video),
        )
    canvas = options.check_model(preset, weights, device)
    options.check_weights("--prior", prior)
    started = perf_counter()
    score = read_score(job, canvas)  # bad files are told before the model is loaded
    seconds: dict[str, float] = {"reading": round(perf_counter() - started, 4)}
    used: dict[str, Any] = {}
    with options.progress_bar() as progress:
        task = progress.add_task("arranging", total=None, note="")

        def watch(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total, note=f"{done} of {total}")

        engine = continuer = None
        if score.needs_model:
            progress.update(task, description="loading the model")
            engine, loading = options.load_engine(preset, weights, device)
            continuer = engine.load_prior(prior) if by is By.prior else None
            seconds |= loading
            used = {
                "preset": engine.preset.name,
                "steps": engine.preset.steps if steps is None else steps,
                "device": engine.device.type,
            }
        report = perform(engine, continuer, job, score, canvas, watch)
    report = report | used | {"seconds": seconds | report["seconds"]}
    if as_json:
        print(json.dumps(report))
        return
    print(
        options.make_printable(
            f"{report['out']}: {report['frames']} frames of {report['frame']}, {report['kept_frames']} as they were, "
            f"{report['drawn_frames']} drawn"
        )
    )
    if cut := report["cut_pixels"]:
        note = f"{cut} pixels lie outside the {report['frame']} frame and were cut off; give the art more room"
        print(f"note: {note}", file=sys.stderr)
