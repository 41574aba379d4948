"""The trainer: the process that does one training after the other, and stops between steps when it is told to.

A training keeps all that it needs in a folder of its own, so that it goes on after a pause, a stop or a kill. Beside
its checkpoints lies `record.json`: how long it has run, and its curve.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bitpuppet.errors import BitpuppetError
from bitpuppet.server.curve import Curve
from bitpuppet.server.engines import measure_device
from bitpuppet.server.lessons import Lesson, Plan, Taught, Teach
from bitpuppet.server.line import Hold, Line, Orders, begin
from bitpuppet.server.models import SUFFIX, ModelFolder, SetFolder
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.tasks import is_memory_error
from bitpuppet.server.trainings import PAUSED
from bitpuppet_client.jobs import TrainParams
from bitpuppet_client.messages import (
    Cancel,
    Error,
    JobStatus,
    MetricsReport,
    Preview,
    Result,
    Shutdown,
    Steer,
    Submit,
    Update,
    shorten,
)

_REPORT_SECONDS = 10.0
_CANCELLED, _FINISHED = "cancelled", "finished"
_NICE = 10
"""So that whoever sits at the machine does not feel it."""


class _Ended(Exception):
    """The training is not to go on; the argument says why, as the code of a message."""


class _Stopped(Exception):
    """The trainer is to leave; its training will be put back."""


class Trainer:
    """Does trainings until it is told to stop."""

    def __init__(self, orders: Orders, teach: Teach) -> None:
        """Connect to the broker."""
        self._orders, self._teach = orders, teach
        self._models, self._sets = ModelFolder(Path(orders.models)), SetFolder(Path(orders.sets))
        self._line = Line(orders)
        self._inbox: deque[Submit] = deque()
        self._wishes: dict[str, str] = {}
        """What is to become of a job: cancelled, paused or finished."""
        self._is_held = False
        self._is_stopping = False
        self._reported = 0.0

    def run(self) -> None:
        """Work."""
        try:
            self._report()
            while not self._is_stopping:
                if self._inbox:
                    self._train(self._inbox.popleft())
                else:
                    self._receive(wait=True)
        except _Stopped:
            pass
        finally:
            self._line.close()

    def _train(self, submit: Submit) -> None:
        params = submit.params
        assert isinstance(params, TrainParams)
        try:
            run = Run(Path(self._orders.trainings) / submit.job, params)
            done = run.find_result(Path(self._orders.models))
            if done is None:
                plan = self._plan(params, run)
                taught = self._teach(plan, self._make_watch(submit, run))
                done = run.deliver(taught, Path(self._orders.models))
            self._line.send(Result(submit.job, params.kind, done, {}))
        except _Ended as end:
            self._refuse(submit, str(end), str(end))
        except Refusal as error:
            self._refuse(submit, error.code, str(error))
        except BitpuppetError as error:
            print(error, file=sys.stderr)
            code = "store_full" if _is_disk_error(error.__cause__) else "failed"
            self._refuse(submit, code, self._hide_paths(str(error)))
        except (_Stopped, KeyboardInterrupt):
            raise
        except Exception as error:
            traceback.print_exc()  # the broker writes it to the log
            if is_memory_error(error):
                self._refuse(submit, "out_of_memory", "the memory is too small for this training; close other programs")
            elif _is_disk_error(error):
                self._refuse(submit, "store_full", "the disk of the server's store is full or read-only; make room")
            else:
                self._refuse(submit, "internal", "a bug in the backend; see its log, and report it")
        finally:
            self._wishes.pop(submit.job, None)

    def _plan(self, params: TrainParams, run: Run) -> Plan:
        base = self._models.find(params.base)
        return Plan(
            name=params.name,
            base=base.path,
            preset=base.info.preset,
            characters=self._sets.find(params.characters),
            folder=run.folder,
            steps=params.steps,
            minutes=params.minutes,
            seed=params.seed,
            device=self._orders.device,
        )

    def _make_watch(self, submit: Submit, run: Run) -> Callable[[Lesson], bool]:
        def watch(lesson: Lesson) -> bool:
            run.note(lesson)
            self._tell(submit, lesson)
            self._receive(wait=False)
            while self._is_held and submit.job not in self._wishes and not self._is_stopping:
                self._receive(wait=True)
            run.go_on()
            wish = self._wishes.get(submit.job)
            if self._is_stopping:
                run.save()
                raise _Stopped
            if wish in (_CANCELLED, PAUSED):
                run.save()
                raise _Ended(wish)
            return wish is None

        return watch

    def _tell(self, submit: Submit, lesson: Lesson) -> None:
        status = JobStatus(
            submit.job,
            submit.params.kind,
            "running",
            submit.priority,
            0.0,
            step=lesson.step,
            steps=max(lesson.steps, lesson.step),
            eta_seconds=lesson.eta_seconds,
            loss=lesson.loss,
            held_out=lesson.held_out,
        )
        self._line.send(Update(status), drop=lesson.held_out is None)
        if lesson.sample is not None:
            frames = {"frames": lesson.sample()}
            self._line.send(Preview(submit.job, lesson.step, max(status.steps, 1), frames), drop=True)
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        memory = psutil.Process().memory_info().rss
        self._line.send(MetricsReport({"memory_bytes": memory, "device_memory_bytes": measure_device()}))

    def _receive(self, *, wait: bool) -> None:
        """Take what the broker says; `wait` for at least one message."""
        for message in self._line.receive(wait=wait):
            if isinstance(message, Submit):
                self._inbox.append(message)
            elif isinstance(message, Cancel):
                self._wishes[message.job] = _CANCELLED
            elif isinstance(message, Steer):
                self._steer(message)
            elif isinstance(message, Hold):
                self._is_held = message.waits
            elif isinstance(message, Shutdown):
                self._is_stopping = True

    def _steer(self, message: Steer) -> None:
        if message.action == "resume":
            if self._wishes.get(message.job) == PAUSED:
                del self._wishes[message.job]
        elif self._wishes.get(message.job) != _CANCELLED:
            self._wishes[message.job] = PAUSED if message.action == "pause" else _FINISHED

    def _refuse(self, submit: Submit, code: str, message: str) -> None:
        self._line.send(Error(code, shorten(message), submit.job))

    def _hide_paths(self, text: str) -> str:
        """Clients learn no folders of the server: files of a set are named from there on."""
        for folder in (self._orders.sets, self._orders.models, self._orders.trainings):
            text = text.replace(f"{folder}{os.sep}", "").replace(folder, "the server's folder")
        return text


class Run:
    """What a training keeps in its folder beside what `teach` does: time, curve, and its end."""

    def __init__(self, folder: Path, params: TrainParams) -> None:
        """Begin, or go on with what lies there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._params = folder, params
        self._path = folder / "record.json"
        self._seconds, self._target = 0.0, ""
        self._curve = Curve()
        if self._path.is_file():
            with contextlib.suppress(ValueError, LookupError):  # a curve that is lost stops no training
                values = json.loads(self._path.read_text(encoding="utf-8"))
                self._seconds, self._target = values["seconds"], values["target"]
                self._curve = Curve.read(values["curve"])
        self._going: float | None = None
        self._saved = time.monotonic()

    def note(self, lesson: Lesson) -> None:
        """Count the time since the last step, and keep what it showed."""
        now = time.monotonic()
        self._seconds += now - self._going if self._going is not None else 0.0
        self._going = None
        self._curve.add(lesson.step, lesson.loss, lesson.held_out)
        if now - self._saved > _REPORT_SECONDS:
            self.save()

    def go_on(self) -> None:
        """Count time from now on."""
        self._going = time.monotonic()

    def save(self) -> None:
        """Write it."""
        values = {"seconds": round(self._seconds, 2), "target": self._target, "curve": self._curve.write()}
        partial = self._path.with_name(f".{self._path.name}.partial")
        partial.write_text(json.dumps(values), encoding="utf-8")
        os.replace(partial, self._path)
        self._saved = time.monotonic()

    def find_result(self, models: Path) -> dict[str, Any] | None:
        """The report, if the model was made already, and only the news of it was lost."""
        if self._target and (models / f"{self._target}{SUFFIX}").is_file():
            return self._describe({})
        return None

    def deliver(self, taught: Taught, models: Path) -> dict[str, Any]:
        """Put the model where it can be used; the report of it.

        Its name was free when the training began. If somebody has put another file there since, a number is added:
        nobody's night is to be lost for that.
        """
        models.mkdir(parents=True, exist_ok=True)
        names = [self._params.name, *(f"{self._params.name}-{number}" for number in range(2, 100))]
        self._target = next(name for name in names if not (models / f"{name}{SUFFIX}").exists())
        self.save()
        partial = models / f".{self._target}{SUFFIX}.partial"
        shutil.copyfile(taught.weights, partial)  # the folders may be on two disks
        os.replace(partial, models / f"{self._target}{SUFFIX}")
        return self._describe({name: value for name, value in taught.facts.items() if value is not None})

    def _describe(self, facts: dict[str, Any]) -> dict[str, Any]:
        used = {
            "model": self._target,
            "base": self._params.base,
            "characters": self._params.characters,
            "seed": self._params.seed,
            "steps": self._curve.last_step,
            "model_seconds": round(self._seconds, 1),
        }
        return facts | used | {f"curve_{name}": tuple(values) for name, values in self._curve.describe().items()}


def _is_disk_error(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def _step_back() -> None:
    """Take the processor only where others leave it."""
    psutil.Process().nice(_NICE if os.name == "posix" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    # Linux on desktops shares the time between sessions first, and this process is one of its own.
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "r+", encoding="ascii") as file:
        file.write(str(_NICE))


def main(teach: Teach) -> None:
    """Be the trainer; tests bring a training of their own."""
    orders = begin()
    _step_back()
    Trainer(orders, teach).run()


if __name__ == "__main__":
    from bitpuppet.server.teaching import teach

    main(teach)
