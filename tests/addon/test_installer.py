"""The installer, with real environments and real pip, from a folder of small wheels of our own."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from bitpuppet_addon import installer as module
from bitpuppet_addon.installation import Record, find_wheel, is_current, read_record, write_record
from bitpuppet_addon.installer import (
    CancelledError,
    Installer,
    InstallError,
    Note,
    Plan,
    detect_device,
)
from bitpuppet_addon.process import Runner, StoppedError

from .wheels import BROKEN, SLOW, write_backend, write_torch


def make_plan(folder: Path) -> Plan:
    packages = folder / "packages"
    packages.mkdir(exist_ok=True)
    wheel = write_backend(folder / "backend_wheel")
    return Plan(folder / "installed", wheel, "cpu", packages)


@pytest.mark.slow
def test_whole_life_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One environment for all steps, since making one takes seconds."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # a machine's own constraints on torch change what pip says
    plan = make_plan(tmp_path)
    notes: list[Note] = []

    # The download fails: one sentence, no record, and the environment stays for the next try.
    with pytest.raises(InstallError, match=r"No matching distribution found for torch.*try again"):
        Installer(plan, notes.append).install()
    assert read_record(plan.folder) is None
    assert plan.packages is not None
    write_torch(plan.packages)

    # "Try again" is cancelled in the middle, and leaves no record either.
    write_backend(plan.wheel.parent, SLOW)
    again = Installer(plan, lambda note: again.cancel() if note.line == "waiting" else None)
    started = time.monotonic()
    with pytest.raises(CancelledError, match="kept for the next try"):
        again.install()
    assert time.monotonic() - started < 300
    assert read_record(plan.folder) is None

    # A backend that says what is wrong with it is not taken for installed.
    write_backend(plan.wheel.parent, BROKEN)
    with pytest.raises(InstallError, match="does not work: torch does not load; choose Repair"):
        Installer(plan).install()

    write_backend(plan.wheel.parent)
    notes.clear()
    record = Installer(plan, notes.append).install()
    assert record == read_record(plan.folder) == Record("9.9.9", plan.wheel.name, plan.wheel.stat().st_size, "cpu")
    assert not any("venv" in note.line for note in notes), "the environment of the first try was not used"
    assert [note.fraction for note in notes] == sorted(note.fraction for note in notes)
    assert is_current(record, plan.wheel)
    assert Installer(plan).verify() == "9.9.9"

    # What an image autoencoder needs is asked for where there is one.
    with pytest.raises(InstallError, match="No matching distribution found for diffusers"):
        Installer(replace(plan, latent=True)).install()
    Installer(plan).install()

    # A broken environment is found, and the next installation makes a new one.
    python = record.find_python(plan.folder)
    shutil.rmtree(python.parents[1] / "lib", ignore_errors=True)
    with pytest.raises(InstallError, match="Repair"):
        Installer(plan).verify()
    Installer(plan).install(fresh=True)
    assert Installer(plan).verify() == "9.9.9"

    own = plan.folder / "mine.txt"
    own.write_text("not the installer's")
    Installer(plan).uninstall()
    assert [path.name for path in plan.folder.iterdir()] == ["mine.txt"]
    Installer(plan).uninstall()  # twice does no harm


def test_what_cannot_succeed_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(tmp_path)
    with pytest.raises(InstallError, match="is missing; install the extension again"):
        Installer(Plan(plan.folder, tmp_path / "no.whl", "cpu")).install()
    with pytest.raises(InstallError, match="is no folder"):
        Installer(Plan(plan.folder, plan.wheel, "cpu", tmp_path / "nowhere")).install()
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1_000_000_000))
    with pytest.raises(InstallError, match=r"1\.0 GB free, the backend for cpu takes 3; make room"):
        Installer(Plan(plan.folder, plan.wheel, "cpu")).install()
    assert not (plan.folder / "env").exists()


def test_python_without_venv_is_told(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no ensurepip >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(InstallError, match="install python3-venv"):
        Installer(Plan(plan.folder, plan.wheel, "cpu", plan.packages, python=python)).install()
    python.unlink()
    with pytest.raises(InstallError, match="cannot be run"):
        Installer(Plan(plan.folder, plan.wheel, "cpu", plan.packages, python=python)).install()


def test_two_at_once_are_kept_apart(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    plan.folder.mkdir()
    with module._hold(plan.folder / "lock"), pytest.raises(InstallError, match="Another Blender"):
        Installer(plan).install()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InstallError, match="installed"):
            Installer(plan).install()
    finally:
        tmp_path.chmod(0o700)


def test_cancelled_before_it_began(tmp_path: Path) -> None:
    installer = Installer(make_plan(tmp_path))
    installer.cancel()
    with pytest.raises(CancelledError):
        installer.install()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": "1", "unknown": 2}'])
def test_damaged_record_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "installed.json").write_text(text)
    assert read_record(tmp_path) is None


def test_record_without_its_environment_counts_as_none(tmp_path: Path) -> None:
    write_record(tmp_path, Record("1", "w.whl", 1, "cpu"))
    assert read_record(tmp_path) is None
    python = Record("1", "w.whl", 1, "cpu").find_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    assert read_record(tmp_path) == Record("1", "w.whl", 1, "cpu")


def test_wheel_is_found_where_the_build_puts_it(tmp_path: Path) -> None:
    assert find_wheel(tmp_path) is None
    wheel = write_backend(tmp_path / "backend_wheel")
    assert find_wheel(tmp_path) == wheel


def test_device_is_one_that_can_be_installed() -> None:
    assert detect_device() in module.DISK_BYTES


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["OSError: [Errno 28] No space left on device"], "The disk is full"),
        (["WARNING: Retrying ... NewConnectionError(...)", "ERROR: No matching distribution"], "no connection"),
        (["ERROR: first", "ERROR: second", "ERROR: ResolutionImpossible: help", "hint"], "pip failed: second"),
        ([], "it printed nothing"),
    ],
)
def test_failures_of_pip_are_explained(tmp_path: Path, lines: list[str], sentence: str) -> None:
    installer = Installer(Plan(tmp_path, tmp_path))
    installer._tail = lines
    assert sentence in installer._explain_pip()


@pytest.mark.parametrize(("device", "tries"), [("cpu", 2), ("cuda", 1)])
def test_torch_comes_from_pypi_where_its_own_index_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, tries: int
) -> None:
    """Not for CUDA, for which another build would be the wrong one."""
    monkeypatch.setattr(Installer, "_choose_torch", lambda self, device: ["--index-url", "https://index.invalid"])
    installer, seen = Installer(Plan(tmp_path, tmp_path)), list[list[str]]()

    def fail(pip: tuple[int, ...], options: list[str], *requirements: str) -> None:
        seen.append(options)
        raise InstallError("no torch there")

    monkeypatch.setattr(installer, "_pip", fail)
    with pytest.raises(InstallError):
        installer._install_torch((24, 1), device)
    assert len(seen) == tries and (tries == 1 or seen[1] == [])


def test_pip_tells_its_progress(tmp_path: Path) -> None:
    notes: list[Note] = []
    installer = Installer(Plan(tmp_path, tmp_path), notes.append)
    installer._begin("Loading", 0.5, 1.0)
    for line in ("Progress 5 of 10", "Progress 1 of 0", "Progress many of 10", "Collecting torch"):
        installer._take_pip_line(line)
    assert Note("Loading", 0.75) in notes
    assert Note("Loading", 0.5, "Collecting torch") in notes


def test_unpacking_is_told_as_a_step_of_its_own(tmp_path: Path) -> None:
    """pip says nothing while it unpacks gigabytes."""
    notes: list[Note] = []
    installer = Installer(Plan(tmp_path, tmp_path), notes.append)
    installer._begin("Installing torch for cpu", 0.5, 0.7)
    installer._take_pip_line("Installing collected packages: torch")
    assert (notes[-1].step, round(notes[-1].fraction, 3)) == ("Unpacking torch for cpu", 0.6)


def test_program_and_its_children_are_stopped() -> None:
    runner, lines = Runner(), list[str]()
    child = "import time; print(1, flush=True); time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    def take(line: str) -> None:
        lines.append(line)
        runner.stop()

    with pytest.raises(StoppedError):
        runner.run([sys.executable, "-c", code], os.environ, take)
    assert lines == ["1"]
    with pytest.raises(StoppedError):
        runner.run([sys.executable, "-c", ""], os.environ, take)
