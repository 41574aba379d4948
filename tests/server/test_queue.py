"""Order, batches, watchers and models."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bitpuppet.model.preset import PRESETS
from bitpuppet.server.models import ModelFolder, SetFolder
from bitpuppet.server.queue import find_positions, order_jobs, pick_batch
from bitpuppet.server.record import Job
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.watchers import MOST_WATCHERS, Watchers
from bitpuppet_client.limits import WATCH_LEASE_SECONDS

from .backend import write_model


def make_job(name: str, sequence: int = 0, **values: object) -> Job:
    facts = {
        "kind": "retarget",
        "model": "sprite64",
        "params": json.dumps({"steps": 4}),
        "digest": "",
        "priority": 5,
        "created": 0.0,
        "input_bytes": 0,
        "frames": 8,
    }
    return Job(id=name, sequence=sequence, **(facts | values))  # type: ignore[arg-type]


def test_order_is_priority_then_submission() -> None:
    jobs = [
        make_job("c", 3),
        make_job("a", 1),
        make_job("first", 9, priority=9),
        make_job("b", 2),
        make_job("last", 0, priority=0),
        make_job("done", 4, state="done"),
    ]
    jobs.append(make_job("training", 1, kind="train"))
    ordered = [job for job in order_jobs(jobs) if not job.is_training]
    assert find_positions(order_jobs(jobs))["training"] == 0
    assert [job.id for job in ordered] == ["first", "a", "b", "c", "last"]
    assert find_positions(ordered)["b"] == 2


def test_batch_takes_what_fits_with_the_first() -> None:
    jobs = [
        make_job("first", 1),
        make_job("other steps", 2, params=json.dumps({"steps": 8})),
        make_job("other model", 3, model="mine"),
        make_job("other kind", 4, kind="tokens"),
        make_job("suspect", 5, attempts=1),
        make_job("too long", 6, frames=100),
        make_job("second", 7),
        make_job("third", 8),
    ]
    assert [job.id for job in pick_batch(jobs, 16, 24)] == ["first", "second", "third"]
    assert [job.id for job in pick_batch(jobs, 2, 24)] == ["first", "second"]
    assert [job.id for job in pick_batch(jobs, 16, 16)] == ["first", "second"]
    assert [job.id for job in pick_batch(jobs, 1, 24)] == ["first"]
    assert pick_batch([], 16, 24) == []


@pytest.mark.parametrize("first", [make_job("a", attempts=1), make_job("a", kind="tokens"), make_job("a", frames=99)])
def test_some_jobs_run_alone(first: Job) -> None:
    assert pick_batch([first, make_job("b", kind=first.kind)], 16, 24) == [first]


def test_watch_ends_with_its_lease() -> None:
    watchers = Watchers()
    watchers.add(b"a", ["job"], 0.0, previews=True)
    watchers.add(b"b", ["job", "other"], 1.0, previews=False)
    assert list(watchers.find("job", 2.0)) == [b"a", b"b"]
    assert list(watchers.find("job", 2.0, previews=True)) == [b"a"]
    assert list(watchers.find("job", WATCH_LEASE_SECONDS + 0.5)) == [b"b"]
    watchers.sweep(WATCH_LEASE_SECONDS + 2)
    assert watchers._leases == {}
    watchers.add(b"a", ["job"], 0.0, previews=True)
    watchers.drop("job")
    assert list(watchers.find("job", 0.0)) == []


def test_watchers_of_a_job_are_limited() -> None:
    watchers = Watchers()
    for number in range(MOST_WATCHERS + 9):
        watchers.add(str(number).encode(), ["job"], 0.0, previews=False)
    assert len(list(watchers.find("job", 0.0))) == MOST_WATCHERS


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    write_model(tmp_path / "shipped", "sprite64", "sprite64")
    write_model(tmp_path / "own", "mine")
    return ModelFolder(tmp_path / "own", tmp_path / "shipped")


def test_models_are_found_by_name(folder: ModelFolder) -> None:
    assert [(info.name, info.preset) for info in folder.list()] == [("mine", "tiny"), ("sprite64", "sprite64")]
    assert folder.find("mine").info.canvas == 64
    with pytest.raises(Refusal, match="there are: mine, sprite64") as caught:
        folder.find("other")
    assert caught.value.code == "unknown_model"


def test_cards_tell_what_the_header_says_and_stay_short(folder: ModelFolder, tmp_path: Path) -> None:
    card = {"base": "sprite64", "characters": ["a", "b"], "steps": 9, "set_name": "x" * 500, "odd": {"deep": 1}}
    card |= {"figures": {"before": float("nan"), "best": 0.5}}
    card |= {f"more{number}": number for number in range(99)}
    metadata = {"preset": json.dumps(PRESETS["tiny"].to_metadata()), "card": json.dumps(card), "a key": "no name"}
    save_file({"nothing": np.zeros(1, dtype=np.float32)}, tmp_path / "own" / "tuned.safetensors", metadata)
    cards, after = folder.describe("mine")
    assert [(one.model.name, one.own) for one in cards] == [("sprite64", False), ("tuned", True)] and after is None
    facts = cards[1].facts
    assert (facts["base"], facts["before"], facts["best"], facts["characters"]) == ("sprite64", None, 0.5, "a, b")
    assert "preset" not in facts and "card" not in facts and "odd" not in facts


def test_damaged_card_is_none(folder: ModelFolder, tmp_path: Path) -> None:
    metadata = {"preset": json.dumps(PRESETS["tiny"].to_metadata()), "card": "{"}
    save_file({"nothing": np.zeros(1, dtype=np.float32)}, tmp_path / "own" / "tuned.safetensors", metadata)
    assert dict(folder.describe("sprite64")[0][0].facts) == {}


def test_shipped_models_stay_as_they_are(folder: ModelFolder, tmp_path: Path) -> None:
    for change in (lambda: folder.delete("sprite64"), lambda: folder.rename("sprite64", "mine2")):
        with pytest.raises(Refusal, match="only your own models"):
            change()
    assert (tmp_path / "shipped" / "sprite64.safetensors").is_file()


def test_sets_are_folders_and_files_of_the_folder_alone(tmp_path: Path) -> None:
    for name in ("sets/knights", "elsewhere", "sets/with space"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sets" / "monsters.toml").write_text("")
    (tmp_path / "sets" / "notes.txt").write_text("")
    (tmp_path / "sets" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "sets" / "link.toml").symlink_to(tmp_path / "sets" / "monsters.toml")
    sets = SetFolder(tmp_path / "sets")
    assert sets.list() == ["knights", "monsters"]
    assert sets.find("monsters").name == "monsters.toml"
    for name in ("link", "notes", "../elsewhere", "..", ""):
        with pytest.raises(Refusal, match="there are: knights, monsters") as caught:
            sets.find(name)
        assert caught.value.code == "unknown_set"
    assert SetFolder(tmp_path / "nowhere").list() == []


def test_own_model_comes_before_the_shipped_one(folder: ModelFolder, tmp_path: Path) -> None:
    shipped = folder.find("sprite64").info
    write_model(tmp_path / "own", "sprite64", "tiny")
    own = folder.find("sprite64").info
    assert (shipped.preset, own.preset) == ("sprite64", "tiny")
    assert shipped.fingerprint != own.fingerprint


def test_changed_file_has_another_fingerprint(folder: ModelFolder, tmp_path: Path) -> None:
    before = folder.find("mine").info
    assert folder.find("mine").info == before
    os.utime(write_model(tmp_path / "own", "mine", "sprite64"), ns=(1, 1))
    assert folder.find("mine").info.fingerprint != before.fingerprint


@pytest.mark.parametrize("name", ["../shipped/sprite64", "/etc/passwd", "..", "", "mine.safetensors", "a/b"])
def test_no_name_leads_out_of_the_folder(folder: ModelFolder, name: str) -> None:
    with pytest.raises(Refusal):
        folder.find(name)


def test_links_and_strange_files_are_no_models(folder: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "own" / "link.safetensors").symlink_to(tmp_path / "shipped" / "sprite64.safetensors")
    (tmp_path / "own" / "noise.safetensors").write_bytes(b"noise")
    (tmp_path / "own" / "with space.safetensors").write_bytes(b"noise")
    (tmp_path / "own" / "folder.safetensors").mkdir()
    assert [info.name for info in folder.list()] == ["mine", "sprite64"]
    for name in ("link", "noise", "folder"):
        with pytest.raises(Refusal):
            folder.find(name)
