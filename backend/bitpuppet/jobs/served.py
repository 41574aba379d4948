"""A retarget job by a running server: the same files in, the same file out, and the same bytes in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.output import give_timing
from bitpuppet.jobs.pixels import PixelOptions
from bitpuppet.jobs.retarget import RetargetJob, describe_result, read_files
from bitpuppet.model.packing import PackedTokens
from bitpuppet.sprites import write_clip
from bitpuppet_client.client import Client
from bitpuppet_client.errors import ClientError, JobFailedError, RefusedError
from bitpuppet_client.jobs import SOFT_PRESETS, PixelParams, RetargetParams
from bitpuppet_client.messages import JobStatus
from bitpuppet_client.parts import Parts

PATIENCE_SECONDS = 600.0
"""How long a job waits for room in the server's queue."""
ServedWatch = Callable[[JobStatus], None]
"""Called with each new status; whatever it raises cancels the job."""


@contextmanager
def connect_client() -> Iterator[Client]:
    """A connection to this user's server. Raises BitpuppetError when none runs, or it does not answer."""
    with _told():
        client = Client(name="bitpuppet-command")
    with client:
        yield client


def run_served(client: Client, job: RetargetJob, model: str, watch: ServedWatch | None = None) -> dict[str, Any]:
    """Let the server draw a job, and write its result.

    Args:
        client: a connection.
        job: what is wanted.
        model: its name on the server.
        watch: see `ServedWatch`.

    Returns:
        What `run_retarget` returns, and `model`, `steps` and `device` as the server tells them.

    Raises:
        BitpuppetError: a file cannot be used, or the server did not do it.
    """
    started = time.perf_counter()
    content, motion, timing = read_files(job)
    if isinstance(motion, PackedTokens):
        raise BitpuppetError(f"{job.motion}: a server takes frames, and these are packed tokens; leave out --server")
    pixels, palette = describe_pixels(job.pixels)
    reading = time.perf_counter() - started
    lock = job.palette_lock
    if lock is None:
        lock = not any(one.name == model and one.preset in SOFT_PRESETS for one in client.welcome.models)
    with _told():
        params = RetargetParams(model, job.seed, job.steps, lock, pixels)
        parts = {"content": content, "motion": motion, **palette}
        result = client.run(params, parts, progress=watch, patience=PATIENCE_SECONDS)
    frames, report = result.parts["frames"], dict(result.report)
    drawn = time.perf_counter()
    write_clip(give_timing(frames, timing, job.out.stem), job.out, job.format)
    seconds = {
        "reading": round(reading, 4),
        "model": report["model_seconds"],
        "server": round(drawn - started - reading, 4),
        "saving": round(time.perf_counter() - drawn, 4),
    }
    used = {name: report[name] for name in ("bits_per_frame", "palette_size", "pixel_scale", "cut_pixels")}
    described = describe_result(job, frames, len(content), (motion.shape[2], motion.shape[1]))
    told = {name: report[name] for name in ("model", "steps", "device")}
    return described | used | told | {"seconds": seconds}


def describe_pixels(options: PixelOptions) -> tuple[PixelParams, Parts]:
    """The options as a message has them, and its part `palette` where they name a file: messages hold no paths.

    Raises BitpuppetError when that file cannot be read.
    """
    steps = options.resolve()
    switches = options.hard_alpha, options.outline, options.orphans, options.patterns
    if steps.colours is None or isinstance(steps.colours, int):
        return PixelParams(steps.colours, *switches), {}
    return PixelParams(None, *switches), {"palette": steps.colours}


@contextmanager
def _told() -> Iterator[None]:
    """Tell what goes wrong with the server as other failures of a job."""
    try:
        yield
    except JobFailedError as error:
        raise BitpuppetError(f"the server could not do it: {error}") from error
    except RefusedError as error:
        raise BitpuppetError(f"the server refused it: {error}") from error
    except ClientError as error:
        raise BitpuppetError(str(error)) from error
