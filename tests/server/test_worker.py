"""A worker and a trainer without a broker: what they do between two messages, to the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from bitpuppet.server.lessons import Lesson, Plan, Taught, Watch
from bitpuppet.server.line import Hold, Orders
from bitpuppet.server.trainer import Trainer
from bitpuppet.server.worker import Worker
from bitpuppet.sprites import Clip, write_clip
from bitpuppet_client.jobs import ReadParams, TrainParams
from bitpuppet_client.message import Message
from bitpuppet_client.messages import Cancel, Error, Preview, Result, Shutdown, Steer, Submit, Update

from .backend import make_parts, retarget, write_model
from .fake_worker import load

JOB = str(uuid4())


class Script:
    """In place of the line to the broker: each look gets what the script has for it, and then nothing but a stop."""

    def __init__(self, *looks: tuple[Message, ...]) -> None:
        self._looks = list(looks)
        self.sent: list[Message] = []
        self.waits: list[bool] = []

    def receive(self, *, wait: bool) -> Iterator[Message]:
        self.waits.append(wait)
        if self._looks:
            yield from self._looks.pop(0)
        elif wait:
            yield Shutdown(finish=False)

    def send(self, message: Message, *, drop: bool = False) -> None:
        self.sent.append(message)

    def close(self) -> None:
        pass

    def list_steps(self) -> list[int]:
        return [message.status.step for message in self.sent if isinstance(message, Update)]

    def find(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.sent if isinstance(message, kind)]


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    write_model(tmp_path / "models", "sprite64")
    (tmp_path / "sets" / "knights").mkdir(parents=True)
    folders = {name: str(tmp_path / name) for name in ("models", "sets", "trainings")}
    return Orders("tcp://127.0.0.1:1", "", "", "", device="cpu", **folders)


@pytest.fixture
def play(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Run a worker, or a trainer where there is something to teach, through a script."""

    def run(*looks: tuple[Message, ...], teach: Callable[[Plan, Watch], Taught] | None = None) -> Script:
        script = Script(*looks)
        for module in ("worker", "trainer"):
            monkeypatch.setattr(f"bitpuppet.server.{module}.Line", lambda _: script)
        (Worker(orders, load) if teach is None else Trainer(orders, teach)).run()
        return script

    return run


def draw(steps: int, *, previews: bool = False) -> Submit:
    return Submit(JOB, retarget(5, steps), make_parts(), previews=previews)


def test_every_step_is_told_and_shown(play: Callable[..., Script]) -> None:
    script = play((draw(5, previews=True),))
    assert script.list_steps() == [0, 1, 2, 3, 4, 5]
    assert [preview.step for preview in script.find(Preview)] == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]
    assert len(script.find(Result)) == 1


def test_quick_steps_are_not_all_told_unless_somebody_looks(play: Callable[..., Script]) -> None:
    told = play((draw(100),)).list_steps()
    assert (told[0], told[-1]) == (0, 100) and len(told) < 50


def test_nothing_is_shown_unasked(play: Callable[..., Script]) -> None:
    script = play((draw(5),))
    assert script.find(Preview) == [] and len(script.find(Result)) == 1


def test_no_picture_is_decoded_after_a_cancel(play: Callable[..., Script], tmp_path: Path) -> None:
    write_clip(Clip(np.full((9, 8, 8, 4), 255, np.uint8), (100,) * 9), tmp_path / "a.webm")
    submit = Submit(JOB, ReadParams("a.webm"), {"video": np.fromfile(tmp_path / "a.webm", np.uint8)})
    script = play((submit,), (), (), (Cancel(JOB),))
    assert [error.code for error in script.find(Error)] == ["cancelled"]  # type: ignore[attr-defined]
    assert len(script.waits) == 5, "it looked after each picture until then, and waited for work again"


@pytest.mark.parametrize("step", [1, 3, 5])
def test_no_step_is_made_after_a_cancel(play: Callable[..., Script], step: int) -> None:
    script = play((draw(5, previews=True),), *[()] * (step - 1), (Cancel(JOB),))
    assert script.list_steps() == list(range(step))  # the step after which the message came is not told any more
    (error,) = script.find(Error)
    assert isinstance(error, Error) and (error.code, error.job) == ("cancelled", JOB)
    assert script.find(Result) == []


def test_job_that_is_cancelled_before_it_begins(play: Callable[..., Script]) -> None:
    script = play((draw(5), Cancel(JOB)))
    assert script.list_steps() == [] and len(script.find(Error)) == 1


def test_stop_leaves_the_job_to_the_broker(play: Callable[..., Script]) -> None:
    script = play((draw(5, previews=True),), (), (Shutdown(finish=False),))
    assert script.list_steps() == [0, 1]
    assert script.find(Error) == script.find(Result) == []


def count(steps: int = 6) -> Callable[[Plan, Watch], Taught]:
    """A training that counts."""

    def teach(plan: Plan, watch: Watch) -> Taught:
        for step in range(1, steps + 1):
            if not watch(Lesson(step, steps, loss=1.0, sample=lambda: np.zeros((1, 2, 2, 4), np.uint8))):
                break
        return Taught(plan.base, {})

    return teach


SUBMIT = Submit(JOB, TrainParams("mine", "knights"), {})


def test_training_waits_while_it_is_held(play: Callable[..., Script], tmp_path: Path) -> None:
    script = play((SUBMIT,), (), (Hold(True),), (), (), (Hold(False),), teach=count())
    assert script.list_steps() == [1, 2, 3, 4, 5, 6]
    assert script.waits[:6] == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]  # from step 2 on it looks and waits
    assert script.waits[6:10] == [False] * 4
    assert len(script.find(Preview)) == 6 and len(script.find(Result)) == 1
    assert (tmp_path / "models" / "mine.safetensors").is_file()


@pytest.mark.parametrize(
    ("message", "code"), [(Cancel(JOB), "cancelled"), (Steer(JOB, "pause"), "paused"), (Shutdown(finish=False), None)]
)
@pytest.mark.parametrize("is_held", [False, True])
def test_training_ends_with_its_step(
    play: Callable[..., Script], tmp_path: Path, message: Message, code: str | None, is_held: bool
) -> None:
    looks = ((Hold(True),), (message,)) if is_held else ((), (message,))
    script = play((SUBMIT,), *looks, teach=count())
    assert script.list_steps() == ([1] if is_held else [1, 2])
    assert [error.code for error in script.find(Error)] == ([code] if code else [])  # type: ignore[attr-defined]
    assert script.find(Result) == []
    assert (tmp_path / "trainings" / JOB / "record.json").is_file()


def test_finished_training_leaves_its_model(play: Callable[..., Script], tmp_path: Path) -> None:
    script = play((SUBMIT,), (), (Steer(JOB, "finish"),), teach=count())
    assert script.list_steps() == [1, 2]
    assert (tmp_path / "models" / "mine.safetensors").is_file()


def test_pause_that_is_taken_back_is_none(play: Callable[..., Script]) -> None:
    script = play((SUBMIT,), (), (Steer(JOB, "pause"), Steer(JOB, "resume")), teach=count())
    assert script.list_steps() == [1, 2, 3, 4, 5, 6] and len(script.find(Result)) == 1


def test_lost_news_of_a_model_is_told_again_and_nothing_is_trained_twice(
    play: Callable[..., Script], tmp_path: Path
) -> None:
    play((SUBMIT,), teach=count())
    script = play((SUBMIT,), teach=count())  # as after a kill between the model and the news of it
    assert script.list_steps() == [] and len(script.find(Result)) == 1
    assert [path.name for path in (tmp_path / "models").iterdir() if "mine" in path.name] == ["mine.safetensors"]


def test_name_that_was_taken_meanwhile_costs_no_training(play: Callable[..., Script], tmp_path: Path) -> None:
    write_model(tmp_path / "models", "mine")
    (result,) = play((SUBMIT,), teach=count()).find(Result)
    assert isinstance(result, Result) and result.report["model"] == "mine-2"
    assert (tmp_path / "models" / "mine-2.safetensors").is_file()
