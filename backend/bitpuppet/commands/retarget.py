"""`bitpuppet retarget`: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bitpuppet.jobs.engine import Engine
    from bitpuppet.jobs.retarget import RetargetJob
    from bitpuppet_client.messages import JobStatus

    Draw = Callable[[RetargetJob], dict[str, Any]]

MAX_JOBS = 100_000
MAX_JOBS_BYTES = 64 << 20


def retarget(
    content: Annotated[
        Path | None,
        typer.Option(
            help="The character: a PNG sheet or strip, GIF, APNG, video, Aseprite file, JSON or folder of frames."
        ),
    ] = None,
    motion: Annotated[
        Path | None,
        typer.Option(
            help="The animation to perform, of any other character; files as for --content, or packed motion tokens."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write, such as a PNG strip: the frames of the motion, in the content's size."),
    ] = None,
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
    jobs: Annotated[
        Path | None,
        typer.Option(
            help="A file of jobs that share one model load: one JSON object a line, keys as the options above. "
            "Paths are taken from the current folder."
        ),
    ] = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    server: Annotated[
        bool,
        typer.Option(
            "--server", help="Let your running `bitpuppet serve` draw; --preset is then the name of one of its models."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with what was used; with --jobs one a line.")
    ] = False,
) -> None:
    """Draw the character of --content in the poses of --motion: one horizontal RGBA strip, or another --format."""
    from bitpuppet.jobs.pixels import PixelOptions
    from bitpuppet.jobs.retarget import RetargetJob
    from bitpuppet.model.preset import find_preset
    from bitpuppet.sprites.ranges import parse_frame, parse_rows
    from bitpuppet.sprites.video.settings import Videos

    if server and (weights is not None or device is not None):
        raise typer.BadParameter("--server goes without --weights and --device; these are the server's own")
    canvas = 0 if server else options.check_model(preset, weights, device)
    named = {
        "--content": content,
        "--motion": motion,
        "--out": out,
        "--frame": frame,
        "--content-frame": content_frame,
        "--motion-frame": motion_frame,
        "--content-rows": content_rows,
        "--motion-rows": motion_rows,
        "--content-tag": content_tag,
        "--motion-tag": motion_tag,
        "--format": layout,
        "--fps": fps,
        "--range": span,
        "--crop": crop,
        "--size": size,
        "--content-video": content_video,
        "--motion-video": motion_video,
        "--seed": seed or None,
        "--steps": steps,
        "--palette-lock": palette_lock or None,
        "--no-palette-lock": False if palette_lock is False else None,
        "--palette": None if palette == "source" else palette,
        "--no-hard-alpha": None if hard_alpha else False,
        "--outline": outline or None,
        "--no-orphans": None if orphans else False,
        "--patterns": patterns or None,
    }
    if jobs is not None:
        if also := [option for option, value in named.items() if value is not None]:
            raise typer.BadParameter(f"--jobs goes without {', '.join(also)}; put this into the lines of the file")
        _run_file(jobs, _draw_by_server(preset) if server else _draw_here(preset, weights, device), as_json)
        return
    if content is None or motion is None or out is None:
        missing = [option for option in ("--content", "--motion", "--out") if named[option] is None]
        raise typer.BadParameter(f"{', '.join(missing)} missing; give --content, --motion and --out, or --jobs FILE")

    def make(side: int | None) -> RetargetJob:
        cut = options.cut_to_canvas(side, crop, size)
        with options.bad_usage():
            return RetargetJob(
                content,
                motion,
                out,
                frame=parse_frame(frame) if frame is not None else None,
                content_frame=parse_frame(content_frame, "--content-frame") if content_frame is not None else None,
                motion_frame=parse_frame(motion_frame, "--motion-frame") if motion_frame is not None else None,
                content_rows=parse_rows(content_rows, "--content-rows") if content_rows is not None else None,
                motion_rows=parse_rows(motion_rows, "--motion-rows") if motion_rows is not None else None,
                seed=seed,
                steps=steps,
                palette_lock=palette_lock,
                content_tag=content_tag,
                motion_tag=motion_tag,
                format=layout,
                videos=Videos.parse(fps, span, *cut, content_video, motion_video),
                pixels=PixelOptions(palette, hard_alpha, outline, orphans, patterns),
            )

    job = make(canvas if not server and find_preset(preset).codec == "latent" else None)
    if server:
        _run_served(job, make, preset, as_json)
    else:
        _run_one(job, canvas, preset, weights, device, as_json)


def _run_one(
    job: RetargetJob, canvas: int, preset: str, weights: Path | None, device: str | None, as_json: bool
) -> None:
    from bitpuppet.jobs.retarget import perform, prepare

    started = perf_counter()
    prepared = prepare(job, canvas)  # bad files are told before the model is loaded
    reading = round(perf_counter() - started, 4)
    with options.progress_bar() as progress:
        task = progress.add_task("loading the model", total=None, note="")
        engine, seconds = options.load_engine(preset, weights, device)
        progress.update(task, description="drawing")

        def watch(step: int, total: int, _: Any) -> None:
            progress.update(task, completed=step, total=total, note=f"step {step} of {total}")

        job = _suit(job, engine)
        report = _describe(perform(engine, job, prepared, watch), engine, seconds | {"reading": reading}, job)
    _print_report(report, as_json)


def _run_served(job: RetargetJob, make: Callable[[int], RetargetJob], model: str, as_json: bool) -> None:
    from bitpuppet.jobs.served import connect_client, run_served
    from bitpuppet.model.preset import PRESETS

    with options.progress_bar() as progress, connect_client() as client:
        task = progress.add_task("waiting", total=None, note="")
        for info in client.welcome.models:
            if info.name == model and info.preset in PRESETS and PRESETS[info.preset].codec == "latent":
                job = make(info.canvas)

        def watch(status: JobStatus) -> None:
            note = f"{status.position} jobs ahead" if status.position else f"step {status.step} of {status.steps}"
            progress.update(
                task, description=status.state, completed=status.step, total=status.steps or None, note=note
            )

        report = run_served(client, job, model, watch)
    _print_report(report, as_json)


def _print_report(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
    else:
        print(_summarize(report))
        warn_of_cuts(report)


@contextmanager
def _draw_here(preset: str, weights: Path | None, device: str | None) -> Iterator[Draw]:
    from bitpuppet.jobs.retarget import run_retarget

    engine, seconds = options.load_engine(preset, weights, device)
    yield lambda job: _describe(run_retarget(engine, _suit(job, engine), engine.preset.canvas), engine, seconds, job)


def _suit(job: RetargetJob, engine: Engine) -> RetargetJob:
    """The job with the palette lock, unless the model draws soft edges and shades or the user has said so or so."""
    return replace(job, palette_lock=engine.preset.head == "palette") if job.palette_lock is None else job


@contextmanager
def _draw_by_server(model: str) -> Iterator[Draw]:
    from bitpuppet.jobs.served import connect_client, run_served

    with connect_client() as client:
        yield lambda job: run_served(client, job, model)


def _run_file(path: Path, drawing: AbstractContextManager[Draw], as_json: bool) -> None:
    lines = _parse_lines(path)
    with ExitStack() as stack, options.progress_bar() as progress:
        jobs = _tell_unreadable(progress, path, lines)
        task = progress.add_task("loading the model", total=len(jobs), note="")
        draw = stack.enter_context(drawing)
        progress.update(task, description="drawing")
        done, started = 0, perf_counter()
        try:
            for number, job in jobs:
                try:
                    report = draw(job)
                except BitpuppetError as error:
                    _tell_line(progress, path, number, error)
                else:
                    done += 1
                    text = json.dumps({"line": number} | report) if as_json else _summarize(report)
                    options.print_above(progress, text)
                    if not as_json and (cuts := _describe_cuts(report)):
                        options.print_above(progress, f"note: line {number}: {cuts}", error=True)
                progress.advance(task)
        finally:  # also when stopped: what is done stays done
            took = perf_counter() - started
            note = f"{path}: {done} of {len(lines)} jobs done in {took:.1f} s ({took / max(done, 1):.3f} s each)"
            options.print_above(progress, options.make_printable(note), error=as_json)
    if done < len(lines):
        raise typer.Exit(1)


def _tell_unreadable(
    progress: Progress, path: Path, lines: list[tuple[int, RetargetJob | BitpuppetError]]
) -> list[tuple[int, RetargetJob]]:
    """Tell the lines that are no job, before the model is loaded; the jobs of the others, if there are any."""
    jobs: list[tuple[int, RetargetJob]] = []
    for number, job in lines:
        if isinstance(job, BitpuppetError):
            _tell_line(progress, path, number, job)
        else:
            jobs.append((number, job))
    if not jobs:
        raise typer.Exit(1)
    return jobs


def _tell_line(progress: Progress, path: Path, number: int, error: BitpuppetError) -> None:
    line = options.make_printable(f"error: {path}, line {number}: {error}")
    options.print_above(progress, line, error=True)


def _parse_lines(path: Path) -> list[tuple[int, RetargetJob | BitpuppetError]]:
    """The jobs of a file with their line numbers; in place of a job, what is wrong with its line."""
    from bitpuppet.jobs.retarget import RetargetJob

    jobs: list[tuple[int, RetargetJob | BitpuppetError]] = []
    writers: dict[Path, int] = {}
    for number, line in _read_lines(path):
        try:
            job = RetargetJob.from_json(line)
            first = writers.setdefault(Path(os.path.abspath(job.out)), number)
            if first != number:
                raise BitpuppetError(f"{job.out} is what line {first} writes already; choose another name")
        except BitpuppetError as error:
            jobs.append((number, error))
        else:
            jobs.append((number, job))
    return jobs


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JOBS_BYTES + 1)
        if len(data) > MAX_JOBS_BYTES:
            raise BitpuppetError(f"{path}: the limit for a file of jobs is {MAX_JOBS_BYTES >> 20} MiB; split the file")
        text = data.decode("utf-8-sig")  # Windows editors write a byte order mark
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BitpuppetError(f"{path}: cannot be read as text ({reason}); name a file of JSON lines") from error
    # Not `splitlines`, which also breaks at characters that JSON strings may hold.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise BitpuppetError(f"{path}: there are no jobs in it; write one JSON object a line")
    if len(lines) > MAX_JOBS:
        raise BitpuppetError(f"{path}: {len(lines)} jobs, the limit is {MAX_JOBS}; split the file")
    yield from lines


def _describe(report: dict[str, Any], engine: Engine, seconds: dict[str, float], job: RetargetJob) -> dict[str, Any]:
    steps = job.steps if job.steps is not None else engine.preset.steps
    used = {"preset": engine.preset.name, "steps": steps, "device": engine.device.type}
    return report | used | {"seconds": seconds | report["seconds"]}


def _summarize(report: dict[str, Any]) -> str:
    """A line for people. It tells the sizes that were found, so that a wrong guess shows."""
    return options.make_printable(
        f"{report['out']}: {report['frames']} frames of {report['frame']}, seed {report['seed']} "
        f"(content: {report['content_frames']} frames, motion: "
        f"{'frames of ' + report['motion_frame'] if report['motion_frame'] else 'packed tokens'})"
    )


def _describe_cuts(report: dict[str, Any]) -> str:
    if not report["cut_pixels"]:
        return ""
    return (
        f"{report['cut_pixels']} pixels lie outside the {report['frame']} frame and were cut off; "
        "give the content more room around it"
    )


def warn_of_cuts(report: dict[str, Any]) -> None:
    """Say on stderr that the motion reaches beyond the character's frame."""
    if cuts := _describe_cuts(report):
        print(f"note: {cuts}", file=sys.stderr)
