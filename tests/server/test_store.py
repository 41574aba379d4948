"""The store alone: what it keeps, what it lets go, and what it says of a bad disk."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from bitpuppet.server import shelf
from bitpuppet.server.clock import Clock
from bitpuppet.server.files import RESULTS, JobFiles
from bitpuppet.server.ledger import Ledger
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import Settings
from bitpuppet.server.store import FILE_NAME, Store, StoreError
from bitpuppet_client.messages import ServerLimits, Submit
from bitpuppet_client.schema import check_report

from .backend import make_parts, retarget


class HandClock(Clock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now, self.shown = 100.0, 1.7e9

    def steady(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.shown


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def open_ledger(folder: Path, clock: Clock, **values: object) -> Ledger:
    folder.mkdir(exist_ok=True)
    settings = Settings(endpoint=folder / "backend.json", store=folder, models=folder, **values)  # type: ignore[arg-type]
    return Ledger(settings, clock)


@pytest.fixture
def ledger(tmp_path: Path, clock: HandClock) -> Ledger:
    return open_ledger(tmp_path, clock)


def submit(ledger: Ledger, seed: int = 0, priority: int = 5) -> str:
    job, known = ledger.submit(Submit(str(uuid4()), retarget(seed), make_parts(), priority))
    assert not known
    return job.id


def run(ledger: Ledger, job: str, seed: int = 0) -> None:
    """Do a job."""
    record = ledger.live[job]
    assert ledger.begin([record])
    parts = ledger.load(record, previews=False).parts
    assert parts["motion"].shape == (2, 64, 64, 4)
    ledger.finish(job, {"seed": seed, "seam": (0.5, seed)}, {"frames": np.full((2, 64, 64, 4), seed, np.uint8)})


def list_files(ledger: Ledger) -> list[str]:
    return sorted(path.name for path in ledger.settings.store.rglob("*.safetensors*"))


def fill_disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def lock_database(ledger: Ledger, locked: bool = True) -> None:
    ledger.store._connection.execute(f"PRAGMA query_only = {'ON' if locked else 'OFF'}")


def test_result_outlives_the_ledger(ledger: Ledger, clock: HandClock) -> None:
    job = submit(ledger, 7)
    run(ledger, job, 7)
    again = open_ledger(ledger.settings.store, clock)
    record, report, parts = again.fetch(job)
    assert (record.state, report) == ("done", {"seed": 7, "seam": (0.5, 7), "queue_seconds": 0.0})
    check_report("report", report)
    assert (parts["frames"] == 7).all()
    assert again.shelf.bytes == ledger.shelf.bytes > 0


def test_input_goes_with_the_end_of_the_job(ledger: Ledger) -> None:
    job = submit(ledger)
    assert list_files(ledger) == [f"{job}.safetensors"]
    size = ledger.shelf.bytes
    ledger.cancel(job)
    assert list_files(ledger) == []
    assert size > 0 and ledger.shelf.bytes == 0


def test_input_is_in_memory_for_the_first_run_and_on_disk_for_all(ledger: Ledger) -> None:
    job = ledger.live[submit(ledger)]
    (path,) = ledger.settings.store.rglob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert (ledger.load(job, previews=False).parts["motion"] == make_parts()["motion"]).all()
    with pytest.raises(StoreError, match="damaged"):
        ledger.load(job, previews=False)
    path.write_bytes(whole)
    assert (ledger.load(job, previews=False).parts["motion"] == make_parts()["motion"]).all()


def test_memory_for_inputs_has_an_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(array.nbytes for array in make_parts().values())
    monkeypatch.setattr(shelf, "_MEMORY_BYTES", 2 * size)
    jobs = [ledger.live[submit(ledger, seed)] for seed in range(3)]
    ledger.cancel(jobs[1].id)
    jobs.append(ledger.live[submit(ledger, 3)])
    for path in ledger.settings.store.rglob("*.safetensors"):
        path.unlink()
    for job, is_in_memory in ((jobs[0], True), (jobs[2], False), (jobs[3], True)):
        with nullcontext() if is_in_memory else pytest.raises(StoreError, match="cannot be read"):
            ledger.load(job, previews=False)


def test_jobs_that_ran_are_run_once_more(ledger: Ledger, clock: HandClock) -> None:
    first, second, waiting = (submit(ledger, seed) for seed in range(3))
    assert ledger.begin([ledger.live[first], ledger.live[second]])
    ledger.cancel(second)
    again = open_ledger(ledger.settings.store, clock)
    assert [(job.id, job.attempts) for job in again.list_queued()] == [(first, 1), (waiting, 0)]
    assert again.get(second).state == "cancelled"
    assert again.begin([again.live[first]])
    last = open_ledger(ledger.settings.store, clock)
    assert last.get(first).state == "failed" and last.get(first).error_code == "crashed"


def test_stop_in_good_order_is_no_attempt(ledger: Ledger, clock: HandClock) -> None:
    job = submit(ledger)
    for _ in range(5):
        assert ledger.begin([ledger.live[job]])
        ledger.put_back([job])
        ledger.close()
        ledger = open_ledger(ledger.settings.store, clock)
        assert ledger.live[job].attempts == 0


def test_what_a_kill_left_between_two_steps_is_cleared(ledger: Ledger, clock: HandClock) -> None:
    job, stranger = submit(ledger), str(uuid4())
    for room in ("inputs", "results"):
        (ledger.settings.store / room / f"{stranger}.safetensors").write_bytes(b"left")
        (ledger.settings.store / room / f".{stranger}.safetensors.partial").write_bytes(b"left")
    (ledger.settings.store / "results" / f"{job}.safetensors").write_bytes(b"written, but not noted")
    again = open_ledger(ledger.settings.store, clock)
    assert list_files(again) == [f"{job}.safetensors"]
    run(again, job)
    assert again.fetch(job)[0].state == "done"


def test_job_whose_frames_are_gone_fails(ledger: Ledger, clock: HandClock) -> None:
    job = submit(ledger)
    (ledger.settings.store / "inputs" / f"{job}.safetensors").unlink()
    again = open_ledger(ledger.settings.store, clock)
    assert again.get(job).state == "failed"
    assert "submit it again" in str(again.get(job).error_message)


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_result_whose_file_is_gone_or_damaged(ledger: Ledger, harm) -> None:
    job = submit(ledger)
    run(ledger, job)
    harm(ledger.settings.store / "results" / f"{job}.safetensors")
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            ledger.fetch(job)
        assert caught.value.code == "no_result"
        assert str(ledger.settings.store) not in str(caught.value)
    assert not ledger.get(job).has_result


def test_acknowledged_results_stay_for_a_time(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, keep_seconds=100.0)
    old, young, unclaimed = (submit(ledger, seed) for seed in range(3))
    for job in (old, young, unclaimed):
        run(ledger, job)
    ledger.acknowledge(old)
    clock.now += 90
    ledger.acknowledge(young)
    ledger.acknowledge(young)
    clock.now += 20
    ledger.sweep()
    assert list(ledger.find([old, young, unclaimed])) == [young, unclaimed]
    assert ledger.shelf.bytes == sum(path.stat().st_size for path in (tmp_path / "results").iterdir())


def test_acknowledged_results_stay_up_to_a_size(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, keep_bytes=80_000)  # two results of 33 kB
    jobs = [submit(ledger, seed) for seed in range(4)]
    for job in jobs:
        run(ledger, job)
        ledger.acknowledge(job)
        clock.now += 1
    ledger.sweep()
    assert list(ledger.find(jobs)) == jobs[2:]


def test_sweep_takes_a_few_at_a_time(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, keep_seconds=1.0)
    for seed in range(300):
        job = submit(ledger, seed)
        ledger.cancel(job)
        ledger.acknowledge(job)
    clock.now += 2
    assert ledger.sweep() == 256
    assert ledger.sweep() == 44
    assert ledger.sweep() == 0


def test_unclaimed_results_stay_for_long_but_not_for_ever(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, unclaimed_seconds=1000.0)
    job, failed = submit(ledger), submit(ledger)
    run(ledger, job)
    ledger.fail(failed, "failed", "no art")
    clock.now += 990
    ledger.sweep()
    assert set(ledger.find([job, failed])) == {job, failed}
    clock.now += 20
    ledger.sweep()
    assert ledger.find([job, failed]) == {}


def test_wall_clock_that_jumps_expires_nothing(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock)
    job = submit(ledger)
    run(ledger, job)
    ledger.acknowledge(job)
    for year in (10, -40, 100):
        clock.shown += year * 3.15e7
        ledger.sweep()
        assert ledger.fetch(job)[0].has_result
        waiting = submit(ledger)
        assert ledger.describe(ledger.live[waiting]).created == clock.shown
        ledger.cancel(waiting)


def test_time_without_a_server_does_not_count(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, keep_seconds=100.0)
    job = submit(ledger)
    run(ledger, job)
    ledger.acknowledge(job)
    ledger.sweep()
    clock.now = 5e8  # another boot of the machine
    again = open_ledger(tmp_path, clock, keep_seconds=100.0)
    again.sweep()
    assert again.fetch(job)[0].has_result
    clock.now += 200
    again.sweep()
    assert again.find([job]) == {}


def test_full_store_makes_room_of_what_is_acknowledged_and_then_refuses(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, store_bytes=200_000, keep_bytes=1 << 30)
    done = [submit(ledger, seed) for seed in range(2)]
    for job in done:
        run(ledger, job)
        ledger.acknowledge(job)
    unclaimed = submit(ledger)
    run(ledger, unclaimed)
    kept = [submit(ledger)]  # each needs 49 kB and will make 33 kB
    assert list(ledger.find(done)) == done
    kept.append(submit(ledger))
    assert list(ledger.find(done)) == done[1:]
    with pytest.raises(Refusal, match="fetch and acknowledge") as caught:
        submit(ledger)
    assert caught.value.code == "store_full"
    assert set(ledger.find([unclaimed, *kept])) == {unclaimed, *kept}


def test_disk_that_is_nearly_full_takes_nothing_more(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, reserve_bytes=1 << 60)
    with pytest.raises(Refusal, match="nearly full") as caught:
        submit(ledger)
    assert caught.value.code == "store_full"
    assert list_files(ledger) == []


def test_full_disk_refuses_jobs_and_leaves_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    done = submit(ledger)
    run(ledger, done)
    with monkeypatch.context() as patch:
        fill_disk(ledger, patch)
        with pytest.raises(Refusal, match="No space left") as caught:
            submit(ledger)
        assert caught.value.code == "store_full"
        assert str(ledger.settings.store) not in str(caught.value)
        assert list_files(ledger) == [f"{done}.safetensors"]
        assert ledger.live == {}
        assert ledger.fetch(done)[1]["seed"] == 0
    ledger.flush()
    submit(ledger)


def test_result_that_the_disk_refuses_is_not_lost(
    ledger: Ledger, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(ledger)
    with monkeypatch.context() as patch:
        assert ledger.begin([ledger.live[job]])
        fill_disk(ledger, patch)
        ledger.finish(job, {}, {"frames": np.full((2, 64, 64, 4), 3, np.uint8)})
        assert ledger.is_stuck and ledger.problem
        assert ledger.describe(ledger.get(job)).has_result
        assert (ledger.fetch(job)[2]["frames"] == 3).all()
        with pytest.raises(Refusal) as caught:
            submit(ledger)
        assert caught.value.code == "store_full"
        ledger.flush()
        assert ledger.is_stuck
        # On disk it is not done: after a kill it would be run again.
        assert [(record.id, record.state) for record in ledger.store.list_unfinished()] == [(job, "running")]
    ledger.flush()
    assert not ledger.is_stuck and ledger.problem is None
    again = open_ledger(ledger.settings.store, clock)
    assert (again.fetch(job)[2]["frames"] == 3).all()
    assert list_files(again) == [f"{job}.safetensors"]


def test_read_only_database(ledger: Ledger) -> None:
    done, waiting = submit(ledger), submit(ledger)
    run(ledger, done)
    lock_database(ledger)
    with pytest.raises(Refusal, match="read-only") as caught:
        submit(ledger)
    assert caught.value.code == "store_full"
    assert not ledger.begin([ledger.live[waiting]])
    assert (ledger.live[waiting].state, ledger.live[waiting].attempts) == ("queued", 0)
    assert ledger.is_stuck
    assert ledger.fetch(done)[0].state == "done"
    ledger.cancel(waiting)
    assert ledger.get(waiting).state == "cancelled"
    ledger.acknowledge(done)
    lock_database(ledger, locked=False)
    ledger.flush()
    assert not ledger.is_stuck
    assert [job.state for job in ledger.store.list_page((), 10, None)] == ["cancelled", "done"]
    assert ledger.store.find([done])[done].acknowledged is not None


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"cannot be written.*--store"):
        JobFiles(tmp_path / "file", 0)


def test_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="damaged; stop the server, move this file away"):
        Store(tmp_path)


def test_database_of_a_newer_version(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer bitpuppet made it.*update bitpuppet"):
        Store(tmp_path)


def test_ids_never_become_paths(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, 0)
    for name in ("../../x", "/etc/passwd", "", str(uuid4()).upper()):
        with pytest.raises(Exception, match="job id"):
            files.read(RESULTS, name)


def test_pages_go_from_new_to_old(ledger: Ledger) -> None:
    jobs = [submit(ledger, seed) for seed in range(5)]
    ledger.cancel(jobs[1])
    page = ledger.list_page((), 2, None)
    assert [job.id for job in page] == [jobs[4], jobs[3]]
    assert [job.id for job in ledger.list_page((), 9, page[-1].sequence)] == [jobs[2], jobs[1], jobs[0]]
    assert [job.id for job in ledger.list_page(("cancelled",), 9, None)] == [jobs[1]]


def test_queue_limit(tmp_path: Path, clock: HandClock) -> None:
    ledger = open_ledger(tmp_path, clock, limits=ServerLimits(queued_jobs=2))
    jobs = [submit(ledger), submit(ledger)]
    with pytest.raises(Refusal, match="2 jobs wait already") as caught:
        submit(ledger)
    assert (caught.value.code, caught.value.retry_after) == ("busy", 5.0)
    assert ledger.begin([ledger.live[jobs[0]]])
    submit(ledger)
