"""`bitpuppet serve` and what else of the command line knows the server, as programs of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

import bitpuppet
from bitpuppet.jobs.retarget import RetargetJob, run_retarget
from bitpuppet.sprites import Clip, read_clip, write_clip, write_strip
from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import FOLDER_VARIABLE, Endpoint
from bitpuppet_client.jobs import ExtendParams, RetargetParams, TokensParams, TrainParams
from bitpuppet_client.launcher import default_command, ensure_backend
from bitpuppet_client.messages import Preview

from . import fake_worker
from .backend import SECONDS, Backend, get_status, make_art, make_parts, retarget, wait_for

SLOW_SECONDS = 300.0
"""Torch takes its time on a busy machine."""
PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has nothing yet."""
    source = str(Path(bitpuppet.__file__).parents[1])
    own = {FOLDER_VARIABLE: "run", "BITPUPPET_STORE": "store", "BITPUPPET_MODELS": "models", "BITPUPPET_SETS": "sets"}
    return os.environ | {"PYTHONPATH": source} | {name: str(tmp_path / folder) for name, folder in own.items()}


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bitpuppet", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=SLOW_SECONDS, check=False)


@contextmanager
def serve(environ: dict[str, str], *arguments: str) -> Iterator[Endpoint]:
    """A server of the command line, started as the add-on does."""
    path = Path(environ[FOLDER_VARIABLE]) / "backend.json"
    command = [*default_command(), *arguments]
    backend = ensure_backend(command, path=path, log=path.parent.with_name("log.txt"), environ=environ)
    try:
        yield backend.endpoint
    finally:
        assert backend.process is not None
        family = [*psutil.Process(backend.process.pid).children(), psutil.Process(backend.process.pid)]
        backend.process.terminate()
        try:
            assert backend.process.wait(SECONDS) == 0
        finally:
            for one in family:
                if one.is_running():
                    one.kill()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--bind", "0.0.0.0"], "--bind 0.0.0.0 lets other machines connect; leave it out, or add --allow-remote"),
        (["--bind", "nowhere"], "must be an address of this machine"),
        (["--device", "toaster"], "there is no such device"),
        (["--allow-client", "short"], "public key of 40 characters"),
        (["--parent-pid", "0"], "parent-pid"),
    ],
)
def test_bad_usage(environ: dict[str, str], tmp_path: Path, arguments: list[str], match: str) -> None:
    ran = run(environ, "serve", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert match in ran.stderr and ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_folder_of_models_that_is_none(environ: dict[str, str]) -> None:
    ran = run(environ, "serve", "--models", "nowhere")
    assert ran.returncode == 1
    assert "--models nowhere is no folder" in ran.stderr


def test_start_find_and_stop(environ: dict[str, str]) -> None:
    with serve(environ) as endpoint:
        second = run(environ, "serve")
        assert (second.returncode, second.stdout) == (0, "")
        assert f"runs already (process {endpoint.pid}); nothing was started" in second.stderr
        with Client(endpoint) as client:
            assert [model.name for model in client.welcome.models] == ["render64", "sprite64"]
    assert not Path(environ[FOLDER_VARIABLE], "backend.json").exists()


def test_doctor_tells_of_the_server(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from bitpuppet.commands.doctor import _inspect_server

    monkeypatch.setenv(FOLDER_VARIABLE, str(backend.endpoint_path.parent))
    found: dict[str, object] = {}
    problems: list[str] = []
    _inspect_server(found, problems)
    assert (found, problems) == ({"server": "not running"}, [])
    backend.start()
    with backend.connect() as client:
        client.run(retarget(), make_parts())
        wait_for(lambda: client.check_health().state == "ready", "the end of the job")
    _inspect_server(found, problems)
    told = str(found["server"])
    assert re.match(r"ready, process \d+: 0 jobs wait, 0 run, 1 done, 0 failed; [\d.]+ frames a second", told)
    assert problems == []


def test_client_of_the_protocols_page(shared: Backend, tmp_path: Path) -> None:
    """It uses nothing of ours, as one in another language would."""
    (code,) = re.findall(r"<!-- client -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (tmp_path / "client.py").write_text(code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "client.py"), str(shared.endpoint_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert told["health"] in ("ready", "busy")
    assert told["parts"] == [{"name": "frames", "dtype": "uint8", "shape": [4, 16, 16, 4]}]


def save_files(folder: Path, content: NDArray[np.uint8], motion: NDArray[np.uint8]) -> RetargetJob:
    """Two strips, and the job that they are for."""
    for name, frames in (("content", content), ("motion", motion)):
        write_strip(frames, folder / f"{name}.png")
    sizes = [(frames.shape[2], frames.shape[1]) for frames in (content, motion)]
    job = RetargetJob(folder / "content.png", folder / "motion.png", folder / "alone.png", seed=5)
    return replace(job, content_frame=sizes[0], motion_frame=sizes[1])


def describe_files(job: RetargetJob) -> list[str]:
    """The same as arguments of the command line."""
    assert job.content_frame is not None and job.motion_frame is not None
    sizes = ["{}x{}".format(*job.content_frame), "{}x{}".format(*job.motion_frame)]
    files = ["--content", str(job.content), "--motion", str(job.motion)]
    return ["retarget", *files, "--content-frame", sizes[0], "--motion-frame", sizes[1]]


def find_server(backend: Backend) -> dict[str, str]:
    """The environment of a program that is to find this server."""
    source = str(Path(bitpuppet.__file__).parents[1])
    return os.environ | {"PYTHONPATH": source, FOLDER_VARIABLE: str(backend.endpoint_path.parent)}


def test_retarget_by_a_server(shared: Backend, tmp_path: Path) -> None:
    content, motion = make_art(1, 48), make_art(3, 32)
    job = save_files(tmp_path, content, motion)
    with shared.connect() as client:
        frames = client.run(RetargetParams(seed=5), {"content": content, "motion": motion}).parts["frames"]
    ran = run(find_server(shared), *describe_files(job), "--out", str(job.out), "--seed", "5", "--server", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert (report["frames"], report["frame"], report["motion_frame"]) == (3, "48x48", "32x32")
    assert (report["seed"], report["steps"], report["device"], report["model"]) == (5, 4, "cpu", "sprite64")
    assert set(report["seconds"]) == {"reading", "model", "server", "saving"}
    np.testing.assert_array_equal(read_clip(job.out, (48, 48)).frames, frames)


def test_file_of_jobs_by_a_server(shared: Backend, tmp_path: Path) -> None:
    job = save_files(tmp_path, make_art(1, 48), make_art(3, 32))
    line = {"content": str(job.content), "motion": str(job.motion), "content-frame": "48x48", "motion-frame": "32x32"}
    lines = [line | {"out": str(tmp_path / f"{seed}.png"), "seed": seed} for seed in (1, fake_worker.FAILS, 2)]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    ran = run(find_server(shared), "retarget", "--jobs", str(tmp_path / "jobs.jsonl"), "--server")
    assert ran.returncode == 1
    assert "line 2: the server could not do it: the art is no art; draw better art" in ran.stderr
    assert "2 of 3 jobs done" in ran.stdout
    assert sorted(path.name for path in tmp_path.glob("?.png")) == ["1.png", "2.png"]


def test_options_of_pixels_and_videos_come_through(shared: Backend, tmp_path: Path) -> None:
    """The same file of jobs with and without a server: the same bytes."""
    job = save_files(tmp_path, make_art(1, 48), make_art(3, 32))
    (tmp_path / "three.hex").write_text("ff0000\n00ff00\n0000ff\n", encoding="utf-8")
    files = {"content": str(job.content), "motion": str(job.motion), "content-frame": "48x48", "motion-frame": "32x32"}
    options: list[dict[str, object]] = [{}, {"palette": 2}, {"palette": str(tmp_path / "three.hex")}]
    options += [{"palette-lock": False}]
    movie = tmp_path / "motion.gif"
    write_clip(Clip(make_art(6, 32), (100,) * 6), movie)
    options += [{"motion": str(movie), "motion-frame": None, "range": "0.1-0.5", "fps": 5, "crop": "16x16+0+0"}]
    lines = [files | {"out": str(tmp_path / f"{number}.png"), "seed": 5} | one for number, one in enumerate(options)]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    ran = run(find_server(shared), "retarget", "--jobs", str(tmp_path / "jobs.jsonl"), "--server")
    assert ran.returncode == 0, ran.stderr
    written = [(tmp_path / f"{number}.png").read_bytes() for number in range(len(lines))]
    assert len(set(written)) == len(written)  # `test_tasks` has the other options
    engine = fake_worker.FakeEngine()
    for line, served in zip(lines, written, strict=True):
        alone = RetargetJob.from_json(json.dumps(line | {"out": str(job.out)}))
        run_retarget(engine, alone, engine.preset.canvas)  # type: ignore[arg-type]
        assert job.out.read_bytes() == served, line


def test_server_option_says_what_is_wrong(shared: Backend, environ: dict[str, str], tmp_path: Path) -> None:
    job = save_files(tmp_path, make_art(1, 48), make_art(3, 32))
    command = [*describe_files(job), "--out", str(job.out), "--server"]
    for surroundings, arguments, status, match in (
        (environ, [], 1, "no backend is running"),
        (environ, ["--device", "cpu"], 2, "--server goes without --weights and --device"),
        (find_server(shared), ["--preset", "nobody"], 1, "there are: render64, sprite64"),
    ):
        ran = run(surroundings, *command, *arguments)
        assert (ran.returncode, ran.stdout) == (status, "")
        assert match in ran.stderr and ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1
    assert not job.out.exists()


def save_random_model(path: Path) -> None:
    """Weights of the preset `tiny` that have learnt nothing, and yet draw something."""
    import torch

    from bitpuppet.model.bcd import BitrateControlledDiffusion
    from bitpuppet.model.preset import PRESETS
    from bitpuppet.model.weights import save_weights

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    state = BitrateControlledDiffusion(PRESETS["tiny"]).state_dict()
    for tensor in state.values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.5)  # what starts at zero draws nothing
    save_weights(path, state, PRESETS["tiny"], {})


@pytest.mark.slow
def test_service_draws_what_this_process_draws(environ: dict[str, str], tmp_path: Path) -> None:
    """One definition of a job: real weights, a real worker, the same bytes."""
    from bitpuppet.data.puppets import draw_clip, make_puppet
    from bitpuppet.model.preset import PRESETS
    from bitpuppet.server.engines import load
    from bitpuppet.server.models import ModelFolder
    from bitpuppet.server.tasks import run_task

    save_random_model(tmp_path / "models" / "mine.safetensors")
    hero, actor = make_puppet(3, size=48), make_puppet(8, size=32)
    parts = {"content": draw_clip(hero, hero.motions[0], 3), "motion": draw_clip(actor, actor.motions[1], 4)}
    model = load(ModelFolder(tmp_path / "models").find("mine"), "cpu")
    params = RetargetParams(model="mine", seed=5)
    alone = run_task(model, params, parts, lambda *_: None)
    with serve(environ, "--device", "cpu") as endpoint, Client(endpoint, timeout=SLOW_SECONDS) as client:
        previews = []
        result = client.run(params, parts, preview=previews.append)
        np.testing.assert_array_equal(result.parts["frames"], alone.parts["frames"])
        assert result.report["fingerprint"] == model.fingerprint
        assert len(previews) == PRESETS["tiny"].steps
        assert previews[-1].parts["frames"].shape == (4, 48, 48, 4)
        job = save_files(tmp_path, parts["content"], parts["motion"])
        run_retarget(model.engine, job, 64)
        ran = run(environ, *describe_files(job), "--out", str(tmp_path / "served.png"), "--seed", "5", "--server",
                  "--preset", "mine")  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / "served.png").read_bytes() == job.out.read_bytes()
        tokens = client.run(TokensParams(model="mine"), {"motion": parts["motion"]}).parts["tokens"]
        np.testing.assert_array_equal(
            tokens, run_task(model, TokensParams(model="mine"), parts, lambda *_: None).parts["tokens"]
        )


@pytest.mark.slow
def test_extension_by_the_shipped_weights_comes_through(environ: dict[str, str]) -> None:
    from bitpuppet.data.puppets import draw_clip, make_puppet

    hero = make_puppet(3, size=48)
    motion = draw_clip(hero, hero.motions[1], 4)
    with serve(environ, "--device", "cpu") as endpoint, Client(endpoint, timeout=SLOW_SECONDS) as client:
        result = client.run(ExtendParams(count=2, loop=True, steps=1), {"motion": motion})
    assert result.parts["frames"].shape == (6, *motion.shape[1:])
    np.testing.assert_array_equal(result.parts["frames"][:4], motion)
    assert isinstance(result.report["seam"], tuple)


@pytest.mark.slow
def test_cancel_of_a_real_sampling_stops_within_a_step(environ: dict[str, str]) -> None:
    with serve(environ, "--device", "cpu") as endpoint, Client(endpoint, timeout=SLOW_SECONDS) as client:
        job = client.submit(RetargetParams(steps=100), make_parts(8)).job
        wait_for(lambda: (s := get_status(client, job)).step > 0 or s.is_final, "the first step", SLOW_SECONDS)
        status = get_status(client, job)
        assert status.state == "running", status
        step_seconds = (time.time() - (status.started or 0.0)) / status.step
        asked = time.monotonic()
        client.cancel(job)
        assert client.wait(job, SLOW_SECONDS).state == "cancelled"
        assert time.monotonic() - asked < 3 * step_seconds + 1.0


@pytest.mark.slow
def test_training_leaves_a_model_that_draws(environ: dict[str, str], tmp_path: Path) -> None:
    """The real fine-tuning, with a pause in the middle."""
    from bitpuppet.data.puppets import draw_clip, make_puppet

    save_random_model(tmp_path / "models" / "base.safetensors")
    for seed in (3, 8):
        puppet = make_puppet(seed, size=32)
        folder = tmp_path / "sets" / "puppets" / f"puppet-{seed}"
        folder.mkdir(parents=True)
        for number, motion in enumerate(puppet.motions[:3]):
            frames = draw_clip(puppet, motion, 3)
            strip = np.concatenate(list(frames), axis=1)
            Image.fromarray(strip).save(folder / f"motion-{number}_{frames.shape[2]}x{frames.shape[1]}.png")
    own = {"BITPUPPET_SETS": str(tmp_path / "sets"), "BITPUPPET_DATA": str(tmp_path / "no data")}
    with serve(environ | own, "--device", "cpu") as endpoint, Client(endpoint, timeout=SLOW_SECONDS) as client:
        job = client.submit(TrainParams("mine", "puppets", base="base", steps=40), {}, previews=True).job
        wait_for(lambda: (s := get_status(client, job)).step > 0 or s.is_final, "the first step", SLOW_SECONDS)
        client.steer(job, "pause")
        wait_for(lambda: get_status(client, job).state != "running", "the pause", SLOW_SECONDS)
        paused = get_status(client, job)
        assert (paused.state, paused.error) == ("paused", None)
        client.steer(job, "resume")
        wait_for(lambda: (s := get_status(client, job)).held_out is not None or s.is_final, "a look", SLOW_SECONDS)
        client.steer(job, "finish")
        samples: list[Preview] = []
        status = client.wait(job, SLOW_SECONDS, preview=samples.append)
        assert (status.state, status.error) == ("done", None) and paused.step < status.step < 40
        report = client.fetch(job).report
        assert report["ended"] == "stopped" and 0 <= float(report["held_out"]) <= 1  # type: ignore[arg-type]
        assert all(sample.parts["frames"].shape[3] == 4 for sample in samples)
        (card,) = (card for card in client.list_models() if card.model.name == "mine")
        assert card.own and card.facts["set_name"] == "puppets" and card.facts["base"] == "tiny"
        puppet = make_puppet(3, size=32)
        parts = {"content": draw_clip(puppet, puppet.motions[0], 3), "motion": draw_clip(puppet, puppet.motions[1], 2)}
        assert client.run(RetargetParams(model="mine"), parts).report["fingerprint"] == card.model.fingerprint


@pytest.mark.slow
def test_bench_prints_its_figures(environ: dict[str, str], tmp_path: Path) -> None:
    ran = run(
        environ, "bench", "serve", "--device", "cpu", "--frames", "2", "--runs", "2", "--strips", "8", "--clients", "2",
        "--jobs", "20", "--json",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert {
        "overhead_seconds", "overhead_percent", "throughput_share", "memory_growth_percent",
        "submit_to_first_preview_seconds", "cancel_to_stop_seconds",
    } <= figures.keys()  # fmt: skip
    assert list(tmp_path.iterdir()) == []
