"""What the service costs: the same jobs in this process and through a real server, on this machine."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psutil

from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import find_preset
from bitpuppet.server.engines import Loaded, load
from bitpuppet.server.models import ModelFolder
from bitpuppet.server.settings import WEIGHTS, Settings
from bitpuppet.server.tasks import prepare_retarget, run_batch, run_task
from bitpuppet.sprites import place_clip
from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import FILE_NAME, FOLDER_VARIABLE, Endpoint
from bitpuppet_client.errors import ClientError
from bitpuppet_client.jobs import DEFAULT_MODEL, RetargetParams
from bitpuppet_client.launcher import ensure_backend
from bitpuppet_client.messages import Preview
from bitpuppet_client.parts import Parts

START_SECONDS = 600.0
_WAIT_SECONDS = 600.0
_ROUNDS = 4
"""Parts of the measurement of throughput."""
_EARLY_JOBS = 100
"""Jobs after which the memory is taken for what the server needs in the long run."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    frames: int = 8
    """Of content and motion of each job, 64x64 pixels."""
    runs: int = 50
    """Jobs of one client, each in both ways."""
    clients: int = 8
    strips: int = 96
    """Jobs of all clients together."""
    steps: int | None = None
    """Sampling steps; None for the model's own number."""
    jobs: int = 1000
    """Jobs after which the memory is measured again; 0 to leave that out."""
    cancels: int = 10
    """Jobs that are begun to measure previews and cancelling."""


@dataclass(frozen=True)
class Server:
    """A server that runs for the measurement alone."""

    endpoint: Endpoint
    process: psutil.Process

    def measure_memory(self) -> int:
        """Bytes of broker and workers together that no other process has."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_full_info().uss for one in family)


def measure_service(preset: str, weights: Path | None, device: str | None, plan: Plan, tell: Tell) -> dict[str, Any]:
    """Measure overhead, throughput, memory, the way to the first preview, and cancelling.

    Args:
        preset: what the model is.
        weights: its file; None for the one that ships.
        device: for both ways; None for the best.
        plan: how much.
        tell: called with what is being measured.

    Returns:
        Plain figures; seconds are medians.

    Raises:
        BitpuppetError: the model cannot be loaded, or the server does not start.
    """
    parts = make_parts(plan.frames, find_preset(preset).canvas)
    with TemporaryDirectory(prefix="bitpuppet-bench-", ignore_cleanup_errors=True) as folder:
        models = Path(folder) / "models"
        models.mkdir()
        source = weights or WEIGHTS / f"{preset}.safetensors"
        shutil.copyfile(source, models / f"{DEFAULT_MODEL}.safetensors")
        tell("loading the model, twice")
        with _run_server(Path(folder), models, device) as server:
            model = load(ModelFolder(models).find(DEFAULT_MODEL), device)
            figures: dict[str, Any] = {"device": model.device, "frames": plan.frames}
            figures["steps"] = plan.steps or model.engine.preset.steps
            with Client(server.endpoint, name="bench", timeout=_WAIT_SECONDS) as client:
                while client.check_health().state == "starting":
                    time.sleep(0.1)
                tell("overhead of one job")
                figures |= _measure_overhead(model, client, parts, plan)
                tell("previews and cancelling")
                figures |= _measure_previews(client, parts, plan.cancels)
            tell("throughput")
            figures |= _measure_throughput(model, server, parts, plan)
            if plan.jobs:
                tell("memory")
                figures |= _measure_memory(server, plan)
    return figures


def make_parts(frames: int, canvas: int) -> Parts:
    """A puppet's walk and another one's attack, on frames of the canvas's size."""
    hero, actor = make_puppet(7, plan="biped", size=48), make_puppet(8, plan="biped", size=48)
    content, _ = place_clip(draw_clip(hero, Motion("walk", "down"), frames), canvas)
    motion, _ = place_clip(draw_clip(actor, Motion("attack", "down"), frames), canvas)
    return {"content": content, "motion": motion}


@contextmanager
def _run_server(folder: Path, models: Path, device: str | None) -> Iterator[Server]:
    """A server with a store and an endpoint of its own."""
    runtime = folder / "run"
    command = [sys.executable, "-P", "-m", "bitpuppet", "serve", "--parent-pid", str(os.getpid())]
    command += ["--store", str(folder / "store"), "--models", str(models)]
    command += ["--device", device] if device else []
    log = folder / "server.txt"
    try:
        backend = ensure_backend(
            command,
            path=runtime / FILE_NAME,
            log=log,
            environ=os.environ | {FOLDER_VARIABLE: str(runtime)},
            timeout=START_SECONDS,
        )
    except ClientError as error:
        raise BitpuppetError(str(error)) from error
    process = psutil.Process(backend.endpoint.pid)
    try:
        yield Server(backend.endpoint, process)
    finally:
        process.terminate()
        if backend.process is not None:
            backend.process.wait(_WAIT_SECONDS)


def _measure_overhead(model: Loaded, client: Client, parts: Parts, plan: Plan) -> dict[str, Any]:
    """The same job in turn in this process and through the server, so that both see the same machine."""
    alone, served = [], []
    for number in range(plan.runs + 2):
        params = RetargetParams(seed=number, steps=plan.steps)
        started = time.perf_counter()
        done = run_task(model, params, parts, lambda *_: None)
        between = time.perf_counter()
        result = client.run(params, parts)
        ended = time.perf_counter()
        if not (done.parts["frames"] == result.parts["frames"]).all():
            raise BitpuppetError("the server drew another picture than this process; use the same device for both")
        if number >= 2:  # the first ones warm up
            alone.append(between - started)
            served.append(ended - between)
    overhead = median(served) - median(alone)
    return {
        "in_process_seconds": round(median(alone), 4),
        "served_seconds": round(median(served), 4),
        "overhead_seconds": round(overhead, 4),
        "overhead_percent": round(100 * overhead / median(alone), 1),
    }


def _measure_previews(client: Client, parts: Parts, count: int) -> dict[str, Any]:
    """From submit to the first preview, and from cancel to the end of the job."""
    previews, cancels = [], []
    for seed in range(count):
        job = str(uuid4())
        started = time.perf_counter()
        client.submit(RetargetParams(seed=seed, steps=100), parts, job=job, previews=True)
        with suppress(_Seen):
            client.wait(job, preview=_see)
        previews.append(time.perf_counter() - started)
        asked = time.perf_counter()
        client.cancel(job)
        client.wait(job)
        cancels.append(time.perf_counter() - asked)
        client.acknowledge(job)
    return {
        "submit_to_first_preview_seconds": round(median(previews), 4),
        "cancel_to_stop_seconds": round(median(cancels), 4),
        "cancel_to_stop_seconds_worst": round(max(cancels), 4),
    }


class _Seen(Exception):
    """A preview came."""


def _see(_: Preview) -> None:
    raise _Seen


def _measure_throughput(model: Loaded, server: Server, parts: Parts, plan: Plan) -> dict[str, Any]:
    """Jobs a second of this process, in batches where the device gains by them, and of several clients at once.

    Both in turn, a share of the jobs at a time, so that both see the same machine.
    """
    jobs = max(plan.strips // _ROUNDS, 1)
    seconds = [(_run_alone(model, parts, plan, jobs), _run_clients(server, parts, plan, jobs)) for _ in range(_ROUNDS)]
    alone, served = (_ROUNDS * jobs / sum(way) for way in zip(*seconds, strict=True))
    return {
        "clients": plan.clients,
        "in_process_jobs_a_second": round(alone, 2),
        "served_jobs_a_second": round(served, 2),
        "throughput_share": round(served / alone, 3),
    }


def _run_alone(model: Loaded, parts: Parts, plan: Plan, jobs: int) -> float:
    """Seconds for all jobs in this process, as fast as it can."""
    most = max(1, min(Settings.batch_jobs, model.batch_frames // plan.frames)) if model.together is not None else 1
    started = time.perf_counter()
    for first in range(0, jobs, most):
        params = [RetargetParams(seed=seed, steps=plan.steps) for seed in range(first, min(first + most, jobs))]
        if len(params) == 1:
            run_task(model, params[0], parts, lambda *_: None)
        else:
            run_batch(model, params, [prepare_retarget(model, one, parts) for one in params], lambda *_: None)
    return time.perf_counter() - started


def _measure_memory(server: Server, plan: Plan) -> dict[str, Any]:
    """What broker and worker hold after some jobs, and after many."""
    parts = make_parts(1, 64)
    early = min(_EARLY_JOBS, plan.jobs // 2)
    _run_clients(server, parts, plan, early)
    before = server.measure_memory()
    _run_clients(server, parts, plan, plan.jobs - early)
    after = server.measure_memory()
    return {
        f"memory_mb_after_{early}_jobs": round(before / 2**20, 1),
        f"memory_mb_after_{plan.jobs}_jobs": round(after / 2**20, 1),
        "memory_growth_percent": round(100 * (after - before) / before, 2),
    }


def _run_clients(server: Server, parts: Parts, plan: Plan, jobs: int) -> float:
    """Seconds that the clients take for so many jobs. Each has two on the way, so that the device never waits."""
    failed: list[BaseException] = []
    connected = threading.Barrier(plan.clients + 1)

    def work(number: int) -> None:
        try:
            with Client(server.endpoint, name="bench", timeout=_WAIT_SECONDS) as client:
                connected.wait(_WAIT_SECONDS)
                waiting: list[str] = []
                for seed in range(number, jobs, plan.clients):
                    waiting.append(client.submit(RetargetParams(seed=seed, steps=plan.steps), parts).job)
                    if len(waiting) > 1:
                        _collect(client, waiting.pop(0))
                for job in waiting:
                    _collect(client, job)
        except (ClientError, AssertionError, threading.BrokenBarrierError) as error:
            failed.append(error)
            connected.abort()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(plan.clients)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):  # one failed, which is told below
        connected.wait(_WAIT_SECONDS)
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise BitpuppetError(f"the server failed: {failed[0]}; see its log") from failed[0]
    return time.perf_counter() - started


def _collect(client: Client, job: str) -> None:
    client.wait(job)
    client.fetch(job)
    client.acknowledge(job)
