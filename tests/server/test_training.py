"""Trainings as jobs: they yield, pause, go on, survive kills, and leave a model that jobs can name."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bitpuppet_client.client import Client
from bitpuppet_client.errors import JobFailedError, RefusedError
from bitpuppet_client.jobs import RetargetParams, TrainParams
from bitpuppet_client.messages import JobStatus, Preview

from . import fake_trainer, fake_worker
from .backend import SECONDS, Backend, get_status, make_parts, retarget, wait_for, write_model

STEPS = 2000
"""More than are done while a test looks on."""


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A server with one character set, whose training steps take a hundredth of a second."""
    folder = tmp_path_factory.mktemp("campus")
    write_model(folder / "models", "sprite64")
    (folder / "sets" / "knights").mkdir(parents=True)
    one = Backend(folder, {"restart_seconds": 0.05})
    yield one
    one.end()


@pytest.fixture
def school(campus: Backend) -> Backend:
    """The same, running, without trainings and models of the test before."""
    if campus.process is None or campus.process.poll() is not None:
        campus.start()
    with campus.connect() as client:
        for status in client.list_jobs("queued", "running", "paused"):
            client.cancel(status.job)
            client.wait(status.job, SECONDS)
        for card in client.list_models():
            if card.own and card.model.name != "sprite64":
                client.delete_model(card.model.name)
    return campus


def train(name: str = "mine", steps: int = STEPS, seed: int = 0, characters: str = "knights") -> TrainParams:
    return TrainParams(name, characters, steps=steps, seed=seed)


def submit_running(client: Client, params: TrainParams, step: int = 1) -> str:
    """A training that has done some steps."""
    job = client.submit(params, {}).job
    wait_for(lambda: get_status(client, job).step >= step, f"step {step}")
    return job


def find_trainer(backend: Backend) -> psutil.Process | None:
    """The trainer's process, where there is one."""
    return backend.find_process("fake_trainer.py")


def kill_worker(backend: Backend) -> None:
    wait_for(lambda: backend.find_process("fake_worker.py"), "a worker").kill()


def read_count(backend: Backend, job: str) -> dict[str, Any]:
    """What the fake trainer has on disk."""
    values: dict[str, Any] = json.loads((find_run(backend, job) / "checkpoint.json").read_text())
    return values


def find_run(backend: Backend, job: str) -> Path:
    return backend.store / "trainings" / job


def test_training_leaves_a_model_that_jobs_can_name(school: Backend) -> None:
    statuses, samples = list[JobStatus](), list[Preview]()
    with school.connect() as client:
        result = client.run(train(steps=20), {}, progress=statuses.append, preview=samples.append)
        assert dict(result.parts) == {}
        report = dict(result.report)
        assert report["model"] == "mine" and report["base"] == "sprite64" and report["characters"] == "knights"
        assert (report["steps"], report["runs"], report["repeated"]) == (20, 1, 0)
        assert report["curve_steps"] == tuple(range(1, 21))
        assert report["curve_held_out_steps"] == (5, 10, 15, 20)
        assert report["curve_held_out"] == (0.05, 0.1, 0.15, 0.2)
        last = statuses[-1]
        assert (last.state, last.step, last.steps, last.loss, last.held_out) == ("done", 20, 20, 1 / 20, 0.2)
        assert any(status.eta_seconds == 20.0 - status.step for status in statuses if status.state == "running")
        assert samples and samples[-1].parts["frames"].shape == (1, 4, 6, 4)
        assert {sample.step % fake_trainer.LOOK_EVERY for sample in samples} == {0}
        assert client.run(RetargetParams(model="mine"), make_parts()).report["model"] == "mine"
        wait_for(lambda: find_trainer(school) is None, "the end of the trainer")
    assert list((school.store / "trainings").iterdir()) == []


def test_interactive_jobs_go_first_and_the_training_goes_on(school: Backend) -> None:
    with school.connect() as client:
        job = submit_running(client, train())
        for seed in range(3):
            client.run(retarget(seed), make_parts())
        hang = client.submit(retarget(fake_worker.HANGS), make_parts()).job
        wait_for(lambda: get_status(client, hang).state == "running", "the job that hangs")
        wait_for(lambda: stands_still(client, job), "a training that waits")
        assert get_status(client, job).state == "running"
        kill_worker(school)
        wait_for(lambda: get_status(client, hang).attempts == 2, "the second run")
        client.cancel(hang)
        kill_worker(school)
        client.wait(hang, SECONDS)
        before = get_status(client, job).step
        wait_for(lambda: get_status(client, job).step > before, "a training that goes on")
        assert client.cancel(job).job == job
        assert client.wait(job, SECONDS).state == "cancelled"


def stands_still(client: Client, job: str) -> bool:
    """Whether a training made no step for twenty times as long as one takes."""
    before = get_status(client, job).step
    time.sleep(0.2)
    return get_status(client, job).step == before


def test_pause_frees_the_device_and_resume_goes_on(school: Backend) -> None:
    with school.connect() as client:
        job = submit_running(client, train(), step=3)
        client.steer(job, "pause")
        wait_for(lambda: get_status(client, job).state == "paused", "the pause")
        paused = get_status(client, job)
        assert paused.step >= 3 and paused.attempts == 0 and paused.eta_seconds is None
        wait_for(lambda: find_trainer(school) is None, "the end of the trainer")
        assert client.read_metrics().values["paused"] == 1
        client.run(retarget(1), make_parts())
        wait_for(lambda: client.check_health().state == "ready", "a server that a pause does not keep busy")
        assert client.steer(job, "resume").state == "queued"
        wait_for(lambda: get_status(client, job).step > paused.step, "a step after the pause")
        client.steer(job, "finish")
        assert client.wait(job, SECONDS).state == "done"
        report = dict(client.fetch(job).report)
    assert (report["runs"], report["repeated"]) == (2, 0)
    assert report["steps"] < STEPS


def test_waiting_training_is_paused_and_cancelled_at_once(school: Backend) -> None:
    with school.connect() as client:
        first = submit_running(client, train())
        second, third = (client.submit(train(name), {}).job for name in ("other", "third"))
        assert [get_status(client, job).position for job in (first, second, third)] == [None, 0, 1]
        assert client.steer(second, "pause").state == "paused"
        assert client.steer(second, "resume").state == "queued"
        assert client.steer(third, "pause").state == "paused"
        assert client.cancel(third).state == "cancelled"
        client.cancel(first)
        assert client.wait(first, SECONDS).state == "cancelled"
        wait_for(lambda: get_status(client, second).state == "running", "the next training")
        assert not find_run(school, first).exists()
        assert client.steer(first, "resume").state == "cancelled"
        client.cancel(second)
        client.wait(second, SECONDS)


def test_training_killed_once_goes_on_and_killed_twice_fails(school: Backend) -> None:
    with school.connect() as client:
        job = submit_running(client, train(), step=5)
        trainer = find_trainer(school)
        assert trainer is not None
        trainer.kill()
        count = wait_for(lambda: (c := read_count(school, job))["runs"] == 2 and c, "the second run")
        assert count["done"] == list(range(1, count["step"] + 1))
        assert get_status(client, job).attempts == 2
        wait_for(lambda: (one := find_trainer(school)) and one.pid != trainer.pid and one, "another trainer").kill()
        status = client.wait(job, SECONDS)
        assert status.state == "failed" and status.error is not None and status.error.code == "crashed"
        assert not find_run(school, job).exists()
        assert client.run(train(steps=3), {}).report["model"] == "mine"


def test_training_that_kills_its_trainer_fails_and_hurts_no_other(school: Backend) -> None:
    with school.connect() as client:
        bad = client.submit(train("bad", seed=fake_trainer.DIES), {}).job
        good = client.submit(train("good", steps=5), {}).job
        assert client.wait(bad, SECONDS).state == "failed"
        assert client.wait(good, SECONDS).state == "done"
        assert client.run(retarget(3), make_parts()).report["model"] == "sprite64"


def test_broker_killed_in_mid_training(school: Backend) -> None:
    with school.connect() as client:
        job = submit_running(client, train(), step=5)
        paused = client.submit(train("later"), {}).job
        client.steer(paused, "pause")
    school.kill()
    step = read_count(school, job)["step"]
    school.start()
    with school.connect() as client:
        status = wait_for(lambda: (s := get_status(client, job)).step > step and s, "the second run")
        assert status.attempts == 2
        assert get_status(client, paused).state == "paused"
        client.steer(job, "finish")
        assert client.wait(job, SECONDS).state == "done"
        assert client.fetch(job).report["repeated"] in (0, 1)  # a step may end between its checkpoint and the kill


def test_stop_in_good_order_waits_for_no_training(school: Backend) -> None:
    with school.connect() as client:
        job = submit_running(client, train(), step=3)
        client.shut_down(finish=True)
    assert school.process is not None
    assert school.process.wait(SECONDS) == 0
    step = read_count(school, job)["step"]
    school.start()
    with school.connect() as client:
        status = wait_for(lambda: (s := get_status(client, job)).step > step and s, "the training's going on")
        assert status.attempts == 1
        client.steer(job, "finish")
        assert client.wait(job, SECONDS).state == "done"
        assert client.fetch(job).report["repeated"] == 0


def test_paused_training_keeps_no_server_alive(school: Backend) -> None:
    school.stop()
    school.start(auto=True, idle_seconds=3.0)
    with school.connect() as client:
        job = submit_running(client, train())
        client.steer(job, "pause")
        wait_for(lambda: get_status(client, job).state == "paused", "the pause")
    assert school.process is not None
    assert school.process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    ("seed", "code", "match"),
    [
        (fake_trainer.FAILS, "failed", "knights/walk.png: not a picture; save it again"),
        (fake_trainer.FULL, "store_full", "make room"),
    ],
)
def test_failed_training_says_why(school: Backend, seed: int, code: str, match: str) -> None:
    with school.connect() as client, pytest.raises(JobFailedError, match=match) as caught:
        client.run(train(seed=seed), {})
    assert caught.value.code == code
    assert str(school.folder) not in str(caught.value)


def test_what_no_training_can_be(school: Backend) -> None:
    cases = [
        (train(characters="nobody"), "unknown_set", "there are: knights"),
        (TrainParams("mine", "knights", base="nobody"), "unknown_model", "sprite64"),
        (train("sprite64"), "conflict", "choose another name"),
        (train("x-prior"), "bad_parameter", "motion priors"),
    ]
    (school.folder / "sets" / "link").symlink_to(school.folder)
    with school.connect() as client:
        for params, code, match in [*cases, (train(characters="link"), "unknown_set", "there are")]:
            with pytest.raises(RefusedError, match=match) as caught:
                client.submit(params, {})
            assert caught.value.code == code
        job = submit_running(client, train())
        with pytest.raises(RefusedError, match="makes a model mine already"):
            client.submit(train(seed=1), {})
        other = client.submit(retarget(1), make_parts()).job
        with pytest.raises(RefusedError, match="only trainings"):
            client.steer(other, "pause")
        client.cancel(job)
        client.wait(job, SECONDS)


def test_late_watcher_gets_the_newest_sample(school: Backend) -> None:
    with school.connect() as client, school.connect() as other:
        job = submit_running(client, train(), step=6)
        seen = list[Preview]()

        def see(preview: Preview) -> None:
            seen.append(preview)
            client.cancel(job)

        assert other.wait(job, SECONDS, preview=see).state == "cancelled"
        assert seen and seen[0].step >= 5


def test_models_have_cards_and_can_be_renamed_and_deleted(school: Backend) -> None:
    models = school.folder / "models"
    with school.connect() as client:
        client.run(train(steps=3), {})
        (models / "mine-prior.safetensors").write_bytes(b"a prior")
        cards = {card.model.name: card for card in client.list_models()}
        assert {"mine", "sprite64"} <= set(cards)
        assert cards["mine"].own and cards["mine"].bytes == (models / "mine.safetensors").stat().st_size
        assert client.list_sets() == ("knights",)
        client.rename_model("mine", "yours")
        assert sorted(path.name for path in models.iterdir()) == [
            "sprite64.safetensors",
            "yours-prior.safetensors",
            "yours.safetensors",
        ]
        for call in (
            lambda: client.rename_model("yours", "sprite64"),
            lambda: client.rename_model("nobody", "x"),
            lambda: client.delete_model("nobody"),
        ):
            with pytest.raises(RefusedError):
                call()
        job = submit_running(client, TrainParams("next", "knights", base="yours", steps=STEPS))
        with pytest.raises(RefusedError, match="need the model yours") as caught:
            client.delete_model("yours")
        assert caught.value.code == "busy"
        client.cancel(job)
        client.wait(job, SECONDS)
        job = submit_running(client, train("next"))
        with pytest.raises(RefusedError, match="makes a model next"):
            client.rename_model("yours", "next")
        client.delete_model("yours")
        assert [path.name for path in models.iterdir()] == ["sprite64.safetensors"]


def test_library_comes_in_pages(school: Backend) -> None:
    names = sorted(f"model-{number:02}" for number in range(20))
    for name in names:
        write_model(school.folder / "models", name)
    with school.connect() as client:
        found = [card.model.name for card in client.list_models()]
    assert [name for name in found if name in names] == names and len(found) == len(set(found))
