"""The command line as a whole: help, usage errors, and the streams it writes to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bitpuppet as package
from bitpuppet.commands import options, tokens

from .runner import CODE, Bitpuppet, list_files, make_env, spawn

COMMANDS = ("retarget", "tokens", "extend", "arrange", "train", "train-prior", "eval", "demo", "doctor")


def test_bare_command_prints_the_help(bitpuppet: Bitpuppet) -> None:
    ran = bitpuppet()
    assert ran.status == 2
    assert "Usage: bitpuppet" in ran.out + ran.err
    assert "error" not in ran.err
    assert all(command in ran.out + ran.err for command in COMMANDS)


def test_version(bitpuppet: Bitpuppet) -> None:
    assert bitpuppet("--version").out == f"bitpuppet {package.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(bitpuppet: Bitpuppet, command: str) -> None:
    ran = bitpuppet(command, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert f"Usage: bitpuppet {command}" in ran.out


def test_contract_of_the_options(bitpuppet: Bitpuppet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = bitpuppet("retarget", "--help").out
    paths, choices = ("content", "motion", "out", "jobs"), ("frame", "content-rows", "motion-rows", "seed", "steps")
    assert all(f"--{name} " in text for name in (*paths, *choices, "preset", "json"))


def test_help_is_quick() -> None:
    # CPU seconds of the child, which do not grow with what else the machine does; the limit leaves room for slow ones.
    before = os.times()
    subprocess.run([sys.executable, "-c", "import sys"], check=True, capture_output=True)
    bare = os.times()
    with spawn("--help") as process:
        process.communicate(timeout=120)
    after = os.times()
    used = (after.children_user + after.children_system) - (bare.children_user + bare.children_system)
    start = (bare.children_user + bare.children_system) - (before.children_user + before.children_system)
    assert used - start < 2


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (OSError(5, "Input/output error", "disk.png"), 1, "error: disk.png: Input/output error; check the disk"),
        (MemoryError(), 1, "error: the memory is too small"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_what_is_not_the_programs_fault_has_no_traceback(
    bitpuppet: Bitpuppet,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    status: int,
    told: str,
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(tokens.options, "load_engine", fail)
    ran = bitpuppet("tokens", "motion.png")
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(told)
    assert ran.err.count("\n") == 1


def test_bug_is_not_hidden(bitpuppet: Bitpuppet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(tokens.options, "load_engine", fail)
    with pytest.raises(ZeroDivisionError):
        bitpuppet("tokens", "motion.png")


WITHOUT_MODEL = """
from types import SimpleNamespace
import numpy as np
from bitpuppet.commands import options
preset = SimpleNamespace(name="none", groups=1, codewords=1)
encode, count = lambda frames: np.zeros((len(frames), 1), dtype=np.int64), lambda tokens: 0.0
options.load_engine = lambda *_: (SimpleNamespace(preset=preset, encode_motion=encode, count_bits=count), {})
from bitpuppet.cli import main
main()
"""
"""`tokens` in a process of its own, quickly."""

TO_STDOUT = [
    (CODE, ("retarget", "--help")),
    (CODE, ("--version",)),
    (WITHOUT_MODEL, ("tokens", "motion.png", "--json")),
]


@pytest.mark.skipif(os.name != "posix", reason="about the pipes of POSIX")
@pytest.mark.parametrize(("code", "arguments"), TO_STDOUT, ids=["help", "version", "tokens"])
def test_reader_that_leaves_early(folder: Path, code: str, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with spawn(*arguments, code=code, stdout=writer) as process:
        os.close(writer)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(("code", "arguments"), TO_STDOUT, ids=["help", "version", "tokens"])
def test_output_to_a_full_disk(folder: Path, code: str, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full, spawn(*arguments, code=code, stdout=full) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.startswith(b"error: the output: ")
    assert err.count(b"\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="about names that are no text")
def test_names_that_the_terminal_cannot_show(folder: Path) -> None:
    name = b"\xff\xc3\xa9.png"
    env = make_env(PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    ran = subprocess.run(
        [sys.executable, "-c", CODE, "tokens", name], cwd=folder, env=env, capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == b"error: \\udcff\\xe9.png does not exist; check the name and the folder\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_results_go_to_stdout_while_the_bar_is_on_the_terminal(folder: Path, model: tuple[str, ...]) -> None:
    line = {"content": "content.png", "motion": "motion.png"}
    lost = line | {"content": "[red]:smile:.png", "out": "c.png"}
    lines = [line | {"out": "[red]a:smile:.png"}, line, line | {"out": "b.png"}, lost]
    (folder / "jobs.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    reader, writer = os.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(reader, 65536):
                shown.extend(piece)
        except OSError:  # Linux's way to say that nobody writes any more
            pass

    collector = threading.Thread(target=read)
    collector.start()
    env = make_env(TERM="xterm", COLUMNS="60")
    with spawn("retarget", "--jobs", "jobs.jsonl", "--json", *model, stderr=writer, cwd=folder, env=env) as process:
        os.close(writer)
        out, _ = process.communicate(timeout=300)
    collector.join(timeout=30)
    os.close(reader)
    assert process.returncode == 1
    assert [json.loads(text)["out"] for text in out.splitlines()] == ["[red]a:smile:.png", "b.png"]
    assert b"drawing" in shown
    assert b"error: jobs.jsonl, line 2: the key 'out' is missing; every job needs content, motion and out\r\n" in shown
    assert b"line 4: [red]:smile:.png does not exist; check the name and the folder\r\n" in shown
    assert b"jobs.jsonl: 2 of 4 jobs done in " in shown
    assert b"bits_per_frame" not in shown


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
def test_ctrl_c_in_a_process_of_its_own(folder: Path, model: tuple[str, ...]) -> None:
    before = list_files(folder)
    job = ("retarget", "--content", "content.png", "--motion", "motion.png", "--motion-frame", "1x1", "--steps", "100")
    marker = folder / "started"
    # A shell's background job hands on that SIGINT is ignored, and with it whoever runs these tests there.
    code = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import bitpuppet.jobs.retarget as jobs
prepare = jobs.prepare
jobs.prepare = lambda *job: (open({str(marker)!r}, "w").close(), prepare(*job))[1]
from bitpuppet.cli import main
main()
"""
    command = [sys.executable, "-c", code, *job, "--out", "out.png", *model]
    with subprocess.Popen(
        command, cwd=folder, env=make_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        for _ in range(600):
            if marker.exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, b"", b"stopped\n")
    marker.unlink()
    assert list_files(folder) == before


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_printable_text_is_one_line_and_keeps_what_can_be_shown(text: str) -> None:
    shown = options.make_printable(text)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text
