"""Blender as a module, with the real zip installed; tools/test_extension.py sets it up and says where things are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ZIP, BACKEND = "BITPUPPET_ZIP", "BITPUPPET_BACKEND"
MODULE = "bl_ext.user_default.bitpuppet"
SECONDS = 600.0
"""More than anything here takes on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of this folder where there is no zip to install."""
    if os.environ.get(ZIP):
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason="needs the built zip: run tools/test_extension.py"))


@dataclass
class Extension:
    """The installed extension."""

    folder: Path

    def load(self, name: str) -> ModuleType:
        """One of its modules."""
        return import_module(f"{MODULE}.{name}")

    @property
    def state(self) -> Any:
        """The state of the enabled extension."""
        return self.load("state").current()

    def wait(self, check: Callable[[], Any], what: str) -> Any:
        """Turn the timer, which Blender does only in a window, until the answer is true; returns it."""
        tick = self.load("state").tick
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            tick()
            if answer := check():
                return answer
            time.sleep(0.01)
        raise AssertionError(f"{what}: not within {SECONDS:g} s; {self.state.status()}")


@pytest.fixture(scope="session")
def extension() -> Iterator[Extension]:
    """The zip, installed and enabled as a user does it; uninstalled at the end."""
    import bpy

    done = bpy.ops.extensions.package_install_files(
        filepath=os.environ[ZIP], repo="user_default", enable_on_install=True
    )
    assert done == {"FINISHED"}
    folder = Path(sys.modules[MODULE].__file__ or "").parent
    yield Extension(folder)
    if MODULE in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture(scope="session")
def backend() -> str:
    """Python of an environment that has bitpuppet."""
    python = os.environ.get(BACKEND)
    if not python:
        pytest.skip(f"needs a backend: {BACKEND} names the Python of its environment")
    return python


@pytest.fixture(scope="session")
def example(backend: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Two small clips, and what the command line draws from them: `content`, `motion` and `frames`."""
    folder = tmp_path_factory.mktemp("example")
    program = Path(__file__).with_name("draw_example.py")
    subprocess.run([backend, "-I", str(program), str(folder)], check=True, timeout=SECONDS)
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


@pytest.fixture
def connected(extension: Extension, backend: str) -> Extension:
    """The extension, set to a backend that is installed elsewhere."""
    choose_backend(extension)
    return extension


def choose_backend(extension: Extension) -> None:
    """Name the backend in the preferences, which Blender forgets when an extension is disabled."""
    preferences = extension.load("preferences").get_preferences()
    if preferences.program != os.environ[BACKEND] or preferences.mode != "PROGRAM":
        preferences.program = os.environ[BACKEND]
        preferences.device = "CPU"
        preferences.mode = "PROGRAM"


def read_pid() -> int | None:
    """The process of the backend that serves now."""
    path = Path(os.environ["BITPUPPET_RUNTIME"]) / "backend.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["pid"])
    except FileNotFoundError:
        return None


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not asked for its status does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int, seconds: float = 300.0) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.05)


def list_threads() -> list[str]:
    """Names of the threads that are ours."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bitpuppet")]
