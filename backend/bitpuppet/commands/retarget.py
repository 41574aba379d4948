"""`bitpuppet retarget`: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
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

MAX_JOBS = 100_000
MAX_JOBS_BYTES = 64 << 20


def retarget(
    content: Annotated[
        Path | None,
        typer.Option(help="The character: a PNG sheet or strip, GIF, APNG, Aseprite file, JSON or folder of frames."),
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
    seed: options.Seed = 0,
    steps: options.Steps = None,
    palette_lock: options.PaletteLock = True,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with what was used; with --jobs one a line.")
    ] = False,
) -> None:
    """Draw the character of --content in the poses of --motion: one horizontal RGBA strip, or another --format."""
    from bitpuppet.jobs.retarget import RetargetJob, parse_frame, parse_rows

    canvas = options.check_model(preset, weights, device)
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
        "--seed": seed or None,
        "--steps": steps,
        "--no-palette-lock": None if palette_lock else False,
    }
    if jobs is not None:
        if also := [option for option, value in named.items() if value is not None]:
            raise typer.BadParameter(f"--jobs goes without {', '.join(also)}; put this into the lines of the file")
        _run_file(jobs, preset, weights, device, as_json)
        return
    if content is None or motion is None or out is None:
        missing = [option for option in ("--content", "--motion", "--out") if named[option] is None]
        raise typer.BadParameter(f"{', '.join(missing)} missing; give --content, --motion and --out, or --jobs FILE")
    with options.bad_usage():
        job = RetargetJob(
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
        )
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

        report = _describe(perform(engine, job, prepared, watch), engine, seconds | {"reading": reading}, job)
    if as_json:
        print(json.dumps(report))
    else:
        print(_summarize(report))
        warn_of_cuts(report)


def _run_file(path: Path, preset: str, weights: Path | None, device: str | None, as_json: bool) -> None:
    from bitpuppet.jobs.retarget import run_retarget

    lines = _parse_lines(path)
    with options.progress_bar() as progress:
        jobs = _tell_unreadable(progress, path, lines)
        task = progress.add_task("loading the model", total=len(jobs), note="")
        engine, seconds = options.load_engine(preset, weights, device)
        progress.update(task, description="drawing")
        done, started = 0, perf_counter()
        try:
            for number, job in jobs:
                try:
                    report = _describe(run_retarget(engine, job, engine.preset.canvas), engine, seconds, job)
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
