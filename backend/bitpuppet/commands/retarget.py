"""`bitpuppet retarget`: the character of one file performs the motion of another."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from bitpuppet.jobs.engine import Engine
    from bitpuppet.jobs.retarget import RetargetJob

MAX_JOBS = 100_000


def retarget(
    content: Annotated[Path | None, typer.Option(help="The character: a sheet, strip, GIF, APNG or folder.")] = None,
    motion: Annotated[Path | None, typer.Option(help="The driving animation, likewise.")] = None,
    out: Annotated[Path | None, typer.Option(help="The PNG strip to write.")] = None,
    frame: options.Frame = None,
    content_frame: Annotated[str | None, typer.Option(help="Overrides --frame for the content.")] = None,
    motion_frame: Annotated[str | None, typer.Option(help="Overrides --frame for the motion.")] = None,
    content_rows: Annotated[str | None, typer.Option(help="Rows of the content to look at, such as 0,2 or 0-3.")] = None,
    motion_rows: Annotated[str | None, typer.Option(help="Rows of the motion to perform, in this order.")] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    palette_lock: Annotated[
        bool, typer.Option(help="Use the character's own colours and hard alpha, and nothing else.")
    ] = True,
    jobs: Annotated[
        Path | None, typer.Option(help="A file of jobs, one JSON object a line, keys as the options; one model load.")
    ] = None,
    preset: options.Preset = "sprite64",
    weights: options.Weights = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Draw the character of --content in the poses of --motion, as one horizontal RGBA strip."""
    from bitpuppet.jobs.retarget import RetargetJob, parse_frame, parse_rows
    from bitpuppet.model.preset import find_preset

    find_preset(preset)
    if jobs is not None:
        if content or motion or out:
            raise typer.BadParameter("--jobs goes without --content, --motion and --out; put them into the file")
        _run_file(jobs, preset, weights, device, as_json)
        return
    if content is None or motion is None or out is None:
        raise typer.BadParameter("--content, --motion and --out are needed, or --jobs FILE")
    job = RetargetJob(
        content,
        motion,
        out,
        frame=parse_frame(frame) if frame else None,
        content_frame=parse_frame(content_frame) if content_frame else None,
        motion_frame=parse_frame(motion_frame) if motion_frame else None,
        content_rows=parse_rows(content_rows) if content_rows is not None else None,
        motion_rows=parse_rows(motion_rows) if motion_rows is not None else None,
        seed=seed,
        steps=steps,
        palette_lock=palette_lock,
    )
    _run_one(job, preset, weights, device, as_json)


def _run_one(job: RetargetJob, preset: str, weights: Path | None, device: str | None, as_json: bool) -> None:
    from bitpuppet.jobs.retarget import perform, prepare
    from bitpuppet.model.preset import find_preset

    started = perf_counter()
    prepared = prepare(job, find_preset(preset).canvas)  # bad files are told before the model is loaded
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
        print(f"{report['out']}: {report['frames']} frames of {report['frame']}, seed {report['seed']}")
        warn_of_cuts(report)


def _run_file(path: Path, preset: str, weights: Path | None, device: str | None, as_json: bool) -> None:
    from bitpuppet.jobs.retarget import RetargetJob, run_retarget

    lines = list(_read_lines(path))
    engine, seconds = options.load_engine(preset, weights, device)
    started, failed = perf_counter(), 0
    with options.progress_bar() as progress:
        task = progress.add_task("drawing", total=len(lines), note="")
        for number, line in lines:
            try:
                job = RetargetJob.from_json(line)
                report = _describe(run_retarget(engine, job, engine.preset.canvas), engine, seconds, job)
            except BitpuppetError as error:
                failed += 1
                progress.console.print(f"error: {path}, line {number}: {error}", markup=False, soft_wrap=True)
            else:
                if as_json:
                    print(json.dumps({"line": number} | report), flush=True)
            progress.advance(task)
    took = perf_counter() - started
    done = len(lines) - failed
    note = f"{path}: {done} of {len(lines)} jobs done in {took:.1f} s ({took / max(len(lines), 1):.3f} s each)"
    print(note, file=sys.stderr if as_json else sys.stdout)
    if failed:
        raise typer.Exit(1)


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BitpuppetError(f"{path}: cannot be read as text ({error}); name a file of JSON lines") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise BitpuppetError(f"{path}: there are no jobs in it; write one JSON object a line")
    if len(lines) > MAX_JOBS:
        raise BitpuppetError(f"{path}: {len(lines)} jobs, the limit is {MAX_JOBS}; split the file")
    yield from lines


def _describe(
    report: dict[str, Any], engine: Engine, seconds: dict[str, float], job: RetargetJob
) -> dict[str, Any]:
    steps = job.steps if job.steps is not None else engine.preset.steps
    used = {"preset": engine.preset.name, "steps": steps, "device": engine.device.type}
    return report | used | {"seconds": seconds | report["seconds"]}


def warn_of_cuts(report: dict[str, Any]) -> None:
    """Say on stderr that the motion reaches beyond the character's frame."""
    if report["cut_pixels"]:
        print(
            f"note: {report['cut_pixels']} pixels lie outside the {report['frame']} frame and were cut off; "
            "give the content more room around it",
            file=sys.stderr,
        )
