"""`bitpuppet retarget --jobs`: every line for itself, one model load, JSON lines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bitpuppet.commands import options
from bitpuppet.commands import retarget as command
from bitpuppet.jobs import retarget as job_module

from .runner import Bitpuppet, Refused, list_files


def make_line(out: str, **keys: object) -> str:
    return json.dumps({"content": "content.png", "motion": "motion.png", "out": out} | keys)


BAD_LINES = {
    "not json": "not JSON (Expecting value, column 1); write one object a line",
    "[1]": "not a JSON object; write one object a line",
    '{"content": "content.png", "motion": "motion.png"}': "the key 'out' is missing",
    make_line("bad.png", colour=1): "unknown key 'colour'; the keys are content, motion, out, frame, content-frame",
    make_line("bad.png", seed="3"): "seed is '3', it must be a whole number; correct it",
    make_line("bad.png", seed=True): "seed is True, it must be a whole number",
    make_line("bad.png", seed=1.5): "seed is 1.5, it must be a whole number",
    make_line("bad.png", seed=-1): "--seed is -1, it must be from 0",
    make_line("bad.png", steps=101): "--steps is 101, it must be from 1 to 100",
    make_line("bad.png", palette_lock="no"): "palette-lock is 'no', it must be true or false",
    make_line("bad.png", frame=[32, 32]): 'frame is [32, 32], it must be a size such as "64x64"',
    make_line("bad.png", frame="0x9"): "frame is '0x9', it must be WIDTHxHEIGHT",
    make_line("bad.png", motion_rows=2): 'motion-rows is 2, it must be rows such as "0,2" or [0, 2]',
    make_line("bad.png", motion_rows="x"): "motion-rows is 'x', rows are numbers",
    make_line("bad.png", motion_rows=[0] * 5000): "motion-rows names 5000 rows, the limit is 4096",
    make_line(""): "out is '', it must be a path in quotes",
    make_line("a\0b.png"): "it must be a path in quotes",
    make_line("\ud800.png"): "cannot be written (no valid name); choose another name",
    "[" * 100_000: "not JSON that can be read",
    '{"seed": ' + "9" * 5000 + "}": "not JSON that can be read",
    make_line("bad1.png", motion="missing.png"): "missing.png does not exist; check the name",
    make_line("bad2.png", motion="\ud800.png"): "cannot be opened",
    make_line("bad3.png", motion="empty.png", motion_frame="32x32"): "empty.png: every cell is transparent",
    make_line("bad4.png", motion_rows=[-1]): "there is no row -1",
    make_line("nowhere/bad.png"): "the folder nowhere does not exist; create it first",
    make_line("content.png"): "--out would overwrite its own input",
    make_line("good.png"): "good.png is what line 1 writes already; choose another name",
}


def test_bad_lines_fail_with_their_numbers_and_the_others_run(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]
) -> None:
    lines = [make_line("good.png"), *BAD_LINES, "", make_line("last.png", seed=2)]
    (folder / "jobs.jsonl").write_text("\n".join(lines))
    before = list_files(folder)
    ran = bitpuppet("retarget", "--jobs", "jobs.jsonl", "--json", *model)
    assert ran.status == 1
    assert [json.loads(line)["line"] for line in ran.out.splitlines()] == [1, len(lines)]
    assert list_files(folder).keys() - before.keys() == {"good.png", "last.png"}
    *errors, note = ran.err.splitlines()
    assert note.startswith(f"jobs.jsonl: 2 of {len(lines) - 1} jobs done in ")
    told = dict(error.removeprefix("error: jobs.jsonl, line ").split(": ", 1) for error in errors)
    assert len(told) == len(errors) == len(BAD_LINES)
    for number, match in enumerate(BAD_LINES.values(), 2):
        assert match in told[str(number)]
        assert len(told[str(number)]) < 300


def test_same_bytes_as_the_single_command(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    keys = {"content-rows": "0,2", "motion_frame": "32x32", "seed": 4, "steps": 2, "palette-lock": False}
    lines = [make_line("a.png"), make_line("b.png", **keys), make_line("c.png", motion_rows=[0, 0])]
    (folder / "jobs.jsonl").write_text("\n".join(lines))
    ran = bitpuppet("retarget", "--jobs", "jobs.jsonl", *model)
    assert ran.status == 0, ran.err
    assert all(line.startswith("note: line ") for line in ran.err.splitlines()), "pixels that are cut off are no error"
    assert ran.out.startswith("a.png: 8 frames of 48x48, seed 0")
    assert "jobs.jsonl: 3 of 3 jobs done" in ran.out.splitlines()[-1]
    options_of = {
        "a.png": (),
        "b.png": ("--content-rows", "0,2", "--motion-frame", "32x32", "--seed", 4, "--steps", 2, "--no-palette-lock"),
        "c.png": ("--motion-rows", "0,0"),
    }
    for name, chosen in options_of.items():
        single = ("retarget", "--content", "content.png", "--motion", "motion.png", "--out", "single.png", *chosen)
        assert bitpuppet(*single, *model).status == 0
        assert (folder / "single.png").read_bytes() == (folder / name).read_bytes(), name


def test_reports_are_json_lines_with_the_keys_of_the_single_report(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]
) -> None:
    (folder / "jobs.jsonl").write_text(make_line("a.png", seed=None, steps=None) + "\n" + make_line("b.png") + "\n")
    ran = bitpuppet("retarget", "--jobs", "jobs.jsonl", "--json", *model)
    assert ran.status == 0
    reports = [json.loads(line) for line in ran.out.splitlines()]
    single = bitpuppet(
        "retarget", "--content", "content.png", "--motion", "motion.png", "--out", "c.png", "--json", *model
    )
    assert [report.keys() - {"line"} for report in reports] == [json.loads(single.out).keys()] * 2
    assert [(report["line"], report["out"], report["seed"]) for report in reports] == [(1, "a.png", 0), (2, "b.png", 0)]


def test_model_is_loaded_once(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = options.load_engine
    monkeypatch.setattr(options, "load_engine", lambda *chosen: loads.append(chosen) or load(*chosen))
    (folder / "jobs.jsonl").write_text("\n".join(make_line(f"{number}.png") for number in range(3)))
    assert bitpuppet("retarget", "--jobs", "jobs.jsonl", *model).status == 0
    assert len(loads) == 1


def test_file_of_a_windows_editor(bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...]) -> None:
    shutil.move(folder / "motion.png", folder / "übung\u2028.png")
    line = json.dumps({"content": "content.png", "motion": "übung\u2028.png", "out": "a.png"}, ensure_ascii=False)
    (folder / "jobs.jsonl").write_bytes(b"\xef\xbb\xbf" + line.encode() + b"\r\n\r\n")
    ran = bitpuppet("retarget", "--jobs", "jobs.jsonl", *model)
    assert ran.status == 0, ran.err
    assert (folder / "a.png").exists()


def test_ctrl_c_keeps_what_is_done(
    bitpuppet: Bitpuppet, folder: Path, model: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = job_module.run_retarget

    def stop_at_b(engine: object, job: job_module.RetargetJob, canvas: int) -> object:
        if job.out.name == "b.png":
            raise KeyboardInterrupt
        return run(engine, job, canvas)  # type: ignore[arg-type]

    monkeypatch.setattr(job_module, "run_retarget", stop_at_b)
    (folder / "jobs.jsonl").write_text("\n".join(make_line(f"{name}.png") for name in "abc"))
    ran = bitpuppet("retarget", "--jobs", "jobs.jsonl", "--json", *model)
    assert ran.status == 130
    assert [json.loads(line)["out"] for line in ran.out.splitlines()] == ["a.png"]
    assert ran.err.startswith("jobs.jsonl: 1 of 3 jobs done in ")
    assert ran.err.endswith("stopped\n")
    assert not (folder / "b.png").exists()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (None, "jobs.jsonl: cannot be read as text (No such file or directory); name a file of JSON lines"),
        (b"\xff\xfe{\0}\0", "jobs.jsonl: cannot be read as text (it is not UTF-8)"),
        (b"\n \n", "jobs.jsonl: there are no jobs in it; write one JSON object a line"),
        (b"x", "jobs.jsonl, line 1: not JSON"),
        (b"{}\n" * 11, "jobs.jsonl: 11 jobs, the limit is 10; split the file"),
        (b" " * 1025, "jobs.jsonl: the limit for a file of jobs is 0 MiB; split the file"),
    ],
)
def test_bad_file_of_jobs(
    refused: Refused,
    folder: Path,
    model: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes | None,
    match: str,
) -> None:
    monkeypatch.setattr(command, "MAX_JOBS", 10)
    monkeypatch.setattr(command, "MAX_JOBS_BYTES", 1024)
    if data is not None:
        (folder / "jobs.jsonl").write_bytes(data)
    assert match in refused("retarget", "--jobs", "jobs.jsonl", *model)


def test_folder_as_a_file_of_jobs(refused: Refused, model: tuple[str, ...]) -> None:
    assert "cannot be read as text" in refused("retarget", "--jobs", ".", *model)
