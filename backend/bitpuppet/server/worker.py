"""A worker: the process that holds models on one device and does one job, or one batch of jobs, after the other.

It has one connection, to the broker that started it (see `line`), and touches no file but the models.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bitpuppet.data.folder import find_codec
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import Prepared
from bitpuppet.server.engines import EngineLoader, Loaded, load, measure_device
from bitpuppet.server.line import Line, Orders, begin
from bitpuppet.server.models import ModelFile, ModelFolder
from bitpuppet.server.reading import run_reading
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.tasks import Done, MakePreview, is_memory_error, prepare_retarget, run_batch, run_task
from bitpuppet_client.jobs import DEFAULT_MODEL, ReadParams, RetargetParams
from bitpuppet_client.messages import (
    Cancel,
    Error,
    JobStatus,
    MetricsReport,
    Preview,
    Result,
    Shutdown,
    Submit,
    Update,
    Watch,
    shorten,
)

MODELS_IN_MEMORY = 2
_REPORT_SECONDS = 2.0
_STEP_SECONDS = 0.2
"""Steps are told no more often, unless somebody looks at previews: each costs all processes time."""


class _Cancelled(Exception):
    """The job is not wanted any more."""


class _Stopped(Exception):
    """The worker is to end; its jobs will be put back."""


class Worker:
    """Does jobs until it is told to stop."""

    def __init__(self, orders: Orders, load: EngineLoader) -> None:
        """Connect to the broker."""
        self._orders, self._load = orders, load
        self._models = ModelFolder(Path(orders.models))
        self._models_in_memory: OrderedDict[str, Loaded] = OrderedDict()
        self._line = Line(orders)
        self._inbox: deque[Submit] = deque()
        self._cancelled: set[str] = set()
        self._closed: set[str] = set()
        """Jobs of the batch that have their answer."""
        self._watched: set[str] = set()
        self._is_stopping = False
        self._reported = 0.0
        self._told = 0.0
        """When a step was told last."""
        self._process = psutil.Process()

    def run(self) -> None:
        """Work."""
        try:
            self._load_first()
            self._report()
            while not self._is_stopping:
                if not self._inbox:
                    self._receive(wait=True)
                elif (submit := self._inbox.popleft()).job in self._cancelled:
                    self._refuse(submit, "cancelled", "cancelled before it began")
                elif (model := self._find_batcher(submit)) and len(batch := self._take_batch(submit)) > 1:
                    self._work_together(model, batch)
                else:
                    self._work(submit)
        except _Stopped:
            pass
        finally:
            self._line.close()

    def _load_first(self) -> None:
        """Have the usual model ready before the first job asks for it, where there is one."""
        try:
            self._find_model(DEFAULT_MODEL)
        except Refusal:
            pass  # a folder without it is fine: jobs will name another one
        except BitpuppetError as error:
            self._line.send(Error("failed", shorten(str(error))))

    def _work(self, submit: Submit) -> None:
        started = time.perf_counter()
        watch = self._make_watch(submit)
        try:
            if isinstance(submit.params, ReadParams):
                self._tell_step(submit, 0, 0)
                done = run_reading(submit.params, submit.parts, watch)
                report = dict(done.report) | {"seconds": round(time.perf_counter() - started, 4)}
                self._line.send(Result(submit.job, submit.params.kind, report, done.parts))
                return
            model = self._find_model(_name_model(submit))
            self._tell_step(submit, 0, getattr(submit.params, "steps", None) or model.engine.preset.steps)
            done = run_task(model, submit.params, submit.parts, watch)
            self._deliver(submit, done, model, time.perf_counter() - started)
        except _Cancelled:
            self._refuse(submit, "cancelled", "cancelled")
        except Refusal as error:
            self._refuse(submit, error.code, str(error))
        except BitpuppetError as error:
            self._refuse(submit, "failed", str(error))
        except (_Stopped, KeyboardInterrupt):
            raise
        except Exception as error:
            if is_memory_error(error):
                self._refuse(submit, "out_of_memory", "the device's memory is too small; send fewer frames at once")
            else:
                traceback.print_exc()  # the broker writes it to the log
                self._refuse(submit, "internal", "a bug in the backend; see its log, and report it")
        finally:
            self._close(submit)

    def _find_batcher(self, first: Submit) -> Loaded | None:
        """The model, where it gains by drawing several jobs at once and there are some."""
        if not self._inbox or not isinstance(first.params, RetargetParams):
            return None
        try:
            model = self._find_model(first.params.model)
        except BitpuppetError:
            return None  # the job will be told on its own
        return model if model.together is not None else None

    def _take_batch(self, first: Submit) -> list[Submit]:
        """A job, and those that wait with it and can be drawn at once with it."""
        shape = _describe(first)
        batch = [submit for submit in self._inbox if _describe(submit) == shape]
        self._inbox = deque(submit for submit in self._inbox if _describe(submit) != shape)
        return [first, *batch]

    def _work_together(self, model: Loaded, batch: list[Submit]) -> None:
        """Do jobs at once. Where that fails, each is done alone: only the one that is to blame shall fail."""
        started = time.perf_counter()
        able: list[tuple[Submit, RetargetParams, Prepared]] = []
        for submit in batch:
            assert isinstance(submit.params, RetargetParams)
            try:
                able.append((submit, submit.params, prepare_retarget(model, submit.params, submit.parts)))
            except (BitpuppetError, MemoryError):
                self._work(submit)  # which will tell why
        if not able:
            return
        submits = [submit for submit, _, _ in able]
        watch = self._make_batch_watch(submits)
        for submit, params, _ in able:
            self._tell_step(submit, 0, params.steps or model.engine.preset.steps)
        try:
            all_done = run_batch(model, [one for _, one, _ in able], [one for _, _, one in able], watch)
        except _Cancelled:
            return
        except (BitpuppetError, MemoryError, RuntimeError) as error:
            print(f"a batch of {len(able)} jobs failed ({error}); each is done alone", file=sys.stderr)
            for submit in submits:
                if submit.job not in self._closed:
                    self._work(submit)
            return
        for submit, done in zip(submits, all_done, strict=True):
            if submit.job not in self._closed:
                self._deliver(submit, done, model, time.perf_counter() - started)
                self._close(submit)

    def _make_batch_watch(self, submits: list[Submit]) -> Callable[[int, int, Sequence[MakePreview]], None]:
        self._closed = set()

        def watch(step: int, steps: int, previews: Sequence[MakePreview]) -> None:
            self._receive(wait=False)
            if self._is_stopping:
                raise _Stopped
            is_due = self._is_due(step, steps)
            for submit, preview in zip(submits, previews, strict=True):
                if submit.job in self._closed:
                    continue
                if submit.job in self._cancelled:
                    self._refuse(submit, "cancelled", "cancelled")
                    self._close(submit)
                    self._closed.add(submit.job)
                elif is_due or self._is_shown(submit):
                    self._tell_step(submit, step, steps, preview)
            if len(self._closed) == len(submits):
                raise _Cancelled

        return watch

    def _deliver(self, submit: Submit, done: Done, model: Loaded, seconds: float) -> None:
        used: dict[str, Any] = {
            "model": _name_model(submit),
            "fingerprint": model.fingerprint,
            "device": model.device,
            "model_seconds": round(seconds, 4),
        }
        self._line.send(Result(submit.job, submit.params.kind, dict(done.report) | used, done.parts))

    def _close(self, submit: Submit) -> None:
        """Forget a job that has its answer."""
        self._cancelled.discard(submit.job)
        self._watched.discard(submit.job)
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self._report()

    def _make_watch(self, submit: Submit) -> Callable[[int, int, MakePreview | None], None]:
        def watch(step: int, steps: int, preview: MakePreview | None) -> None:
            self._receive(wait=False)
            if self._is_stopping:
                raise _Stopped
            if submit.job in self._cancelled:
                raise _Cancelled
            if self._is_due(step, steps) or self._is_shown(submit):
                self._tell_step(submit, step, steps, preview)

        return watch

    def _tell_step(self, submit: Submit, step: int, steps: int, preview: MakePreview | None = None) -> None:
        """Only job, step and steps are the worker's to tell; the broker knows the rest."""
        self._told = time.monotonic()
        status = JobStatus(submit.job, submit.params.kind, "running", submit.priority, 0.0, step=step, steps=steps)
        self._line.send(Update(status), drop=step > 0)
        if preview is not None and self._is_shown(submit):
            self._line.send(Preview(submit.job, step, steps, {"frames": preview()}), drop=True)

    def _is_due(self, step: int, steps: int) -> bool:
        """Whether a step is to be told: the last one, and now and then one before."""
        return 0 < steps == step or time.monotonic() - self._told >= _STEP_SECONDS

    def _is_shown(self, submit: Submit) -> bool:
        """Whether somebody looks at a job's previews."""
        return submit.previews or submit.job in self._watched

    def _refuse(self, submit: Submit, code: str, message: str) -> None:
        self._line.send(Error(code, shorten(message), submit.job))

    def _find_model(self, name: str) -> Loaded:
        """A model in memory. Raises BitpuppetError when there is none of this name, or it cannot be loaded."""
        file = self._models.find(name)
        key = file.info.fingerprint
        if key not in self._models_in_memory:
            while len(self._models_in_memory) >= MODELS_IN_MEMORY:
                self._models_in_memory.popitem(last=False)
            try:
                self._models_in_memory[key] = self._load(file, self._orders.device)
            except BitpuppetError as error:
                print(error, file=sys.stderr)
                raise BitpuppetError(_hide_paths(str(error), file)) from error
        self._models_in_memory.move_to_end(key)
        return self._models_in_memory[key]

    def _report(self) -> None:
        """Tell what the broker's metrics show of this worker."""
        self._reported = time.monotonic()
        loaded = self._models_in_memory.values()
        values: dict[str, Any] = {
            "device": next((model.device for model in loaded), self._orders.device or "none yet"),
            "batch_frames": max((model.batch_frames for model in loaded), default=0),
            "memory_bytes": self._process.memory_info().rss,
            "device_memory_bytes": measure_device(),
            "models": len(loaded),
        }
        self._line.send(MetricsReport(values))

    def _receive(self, *, wait: bool) -> None:
        """Take what the broker says; `wait` for at least one message."""
        for message in self._line.receive(wait=wait):
            if isinstance(message, Submit):
                self._inbox.append(message)
            elif isinstance(message, Cancel):
                self._cancelled.add(message.job)
            elif isinstance(message, Watch):
                self._watched.update(message.jobs)
            elif isinstance(message, Shutdown):
                self._is_stopping = True


def _hide_paths(message: str, file: ModelFile) -> str:
    """What clients are told of a model that cannot be loaded: they learn no paths, only names."""
    codec = find_codec()
    hidden = message.replace(str(file.path), file.info.name)
    return hidden if codec is None else hidden.replace(str(codec), codec.name)


def _name_model(submit: Submit) -> str:
    return str(getattr(submit.params, "model", DEFAULT_MODEL))


def _describe(submit: Submit) -> tuple[object, ...]:
    """What jobs have in common that are drawn at once: the same steps, and as many frames of content and motion.

    A model may choose between equally good content frames by their number, so that too must not depend on others.
    """
    if not isinstance(submit.params, RetargetParams):
        return (submit.job,)
    return submit.params.model, submit.params.steps, len(submit.parts["content"]), len(submit.parts["motion"])


def main(load: EngineLoader = load) -> None:
    """Be a worker; tests bring an engine of their own."""
    Worker(begin(), load).run()


if __name__ == "__main__":
    main()
