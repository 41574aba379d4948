"""Starting, killing and asking real servers in a folder of a test's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from safetensors.numpy import save_file

import bitpuppet
from bitpuppet.model.preset import PRESETS
from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import Endpoint, read_endpoint
from bitpuppet_client.jobs import RetargetParams
from bitpuppet_client.messages import JobStatus, Result
from bitpuppet_client.parts import Parts

SECONDS = 60.0
"""More than anything here takes on a busy machine."""
SERVER = Path(__file__).with_name("fake_server.py")


def wait_for(check: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Ask until the answer is true; returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := check():
            return answer
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds:g} s")


def write_model(folder: Path, name: str, preset: str = "tiny") -> Path:
    """A weights file with the right header and nothing in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    metadata = {"preset": json.dumps(PRESETS[preset].to_metadata())}
    save_file({"nothing": np.zeros(1, dtype=np.float32)}, path, metadata)
    return path


@dataclass
class Backend:
    """A server's folder, and the process that serves it at the moment."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def endpoint_path(self) -> Path:
        return self.folder / "run" / "backend.json"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> str:
        return (self.store / "logs" / "serve.log").read_text(encoding="utf-8")

    def spawn(self, **settings: Any) -> subprocess.Popen[str]:
        """Start a server and do not wait."""
        paths = {"endpoint": self.endpoint_path, "store": self.store, "models": self.folder / "models"}
        paths["sets"] = self.folder / "sets"
        own: dict[str, Any] = {"parent": os.getpid()}  # a test run that is killed leaves no servers behind
        values = own | {name: str(path) for name, path in paths.items()} | self.settings | settings
        source = str(Path(bitpuppet.__file__).parents[1])
        environ = os.environ | {"PYTHONPATH": source, "PYTHONUNBUFFERED": "1"} | self.environ
        return subprocess.Popen(
            [sys.executable, str(SERVER), json.dumps(values)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def start(self, *, ready: bool = True, **settings: Any) -> Endpoint:
        """Start a server and wait until it serves, and until its worker does."""
        before = self.read_instance()
        if self.process is not None:
            self._close()
        process = self.process = self.spawn(**settings)

        def is_up() -> Endpoint | None:
            if process.poll() is not None:
                raise AssertionError(f"the server ended: {process.communicate()}")
            return self.read_endpoint() if self.read_instance() not in (None, before) else None

        endpoint: Endpoint = wait_for(is_up, "the endpoint file")
        if ready:
            with self.connect() as client:
                wait_for(lambda: client.check_health().state in ("ready", "busy"), "a ready worker")
        return endpoint

    def read_endpoint(self) -> Endpoint:
        return read_endpoint(self.endpoint_path)

    def read_instance(self) -> str | None:
        try:
            return self.read_endpoint().instance
        except FileNotFoundError:
            return None

    def connect(self) -> Client:
        return Client(self.read_endpoint(), name="test", timeout=SECONDS)

    def find_worker(self) -> psutil.Process:
        """The process of the worker."""
        assert self.process is not None
        return wait_for(lambda: psutil.Process(self.process.pid).children(), "a worker")[0]

    def find_process(self, program: str) -> psutil.Process | None:
        """A child of the server that runs a certain program, if there is one."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):  # a zombie has no command line
                if program in " ".join(child.cmdline()):
                    return child
        return None

    def kill(self) -> None:
        """Kill the server as the system does, and wait until its worker is gone as well."""
        assert self.process is not None
        workers = psutil.Process(self.process.pid).children()
        self.process.kill()
        self.process.wait(SECONDS)
        self._close()
        _, alive = psutil.wait_procs(workers, SECONDS)
        assert not alive, "the worker outlived its broker"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the server to stop and wait for that; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(SECONDS)
        self._close()
        return status

    def end(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for child in children:
                if child.is_running():
                    child.kill()
        if self.process is not None:
            self.process.wait(SECONDS)
            self._close()

    def _close(self) -> None:
        assert self.process is not None
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()


def make_art(frames: int = 2, size: int = 64) -> np.ndarray:
    """Frames of noise, uint8 (T, size, size, 4): art at its own scale that fills its frame."""
    art = np.random.default_rng(frames).integers(0, 256, (frames, size, size, 4), dtype=np.uint8)
    art[..., 3] = 255
    return art


def make_parts(frames: int = 2, size: int = 64) -> Parts:
    return {"content": make_art(1, size), "motion": make_art(frames, size)}


def retarget(seed: int = 0, steps: int | None = None) -> RetargetParams:
    """A job of the fake engine, which shows its seed in its colours."""
    return RetargetParams(seed=seed, steps=steps, palette_lock=False)


def read_seed(result: Result) -> int:
    """The seed that a result of the fake engine shows."""
    frames = result.parts["frames"]
    assert (frames[..., :2] == frames[0, 0, 0, :2]).all()
    red, green = frames[0, 0, 0, :2]
    return int(red) + 256 * int(green)


def get_status(client: Client, job: str) -> JobStatus:
    (status,) = client.status(job)
    return status
