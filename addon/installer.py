"""Installs the backend into an environment of its own, with Blender's own Python. No `bpy`: it works in a thread.

An installation is a folder: `env/` (a virtual environment), `installed.json` (a record, written last, so that a broken
installation has none), `install.log` and `lock`. An installation that was broken off is taken up where pip's cache and
the environment left it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .installation import ENVIRONMENT, RECORD, Record, find_python, read_record, write_record
from .process import Runner, StoppedError
from .server import clean_environ

OLDEST_PYTHON = (3, 11)
TORCH = "torch>=2.13"
TORCH_INDEX = "https://download.pytorch.org/whl/"
CUDA_INDEX = TORCH_INDEX + "cu130"
CPU_INDEX = TORCH_INDEX + "cpu"
DEVICES = ("auto", "cpu", "cuda", "mps")
DISK_BYTES = {"cpu": 3 << 30, "mps": 3 << 30, "cuda": 12 << 30}
"""Free space that an installation takes, with what is unpacked on the way."""
_LOG, _LOCK = "install.log", "lock"
_RAW_PROGRESS = (24, 1)
"""The first pip that tells its progress in numbers."""
_NETWORK = (
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "ProxyError",
    "Connection refused",
    "ConnectionResetError",
    "Network is unreachable",
    "IncompleteRead",
)


class InstallError(Exception):
    """An installation did not succeed; one sentence with the remedy."""


class CancelledError(InstallError):
    """The user stopped it."""


@dataclass(frozen=True)
class Plan:
    """What is to be installed where."""

    folder: Path
    """Of the installation; made if need be."""
    wheel: Path
    """The backend."""
    device: str = "auto"
    """One of DEVICES."""
    packages: Path | None = None
    """Folder of wheels to install from, without any network; None for the internet."""
    index_url: str = ""
    """Another package index in place of PyPI and PyTorch's own; empty for those."""
    latent: bool = False
    """Whether models that draw by an image autoencoder are to run, too, which needs another package."""
    python: Path = Path(sys.executable)
    """Interpreter that makes the environment."""


@dataclass(frozen=True)
class Note:
    """What the thread tells on its way."""

    step: str = ""
    """What it does now; empty for as before."""
    fraction: float = 0.0
    """0 to 1 of the whole."""
    line: str = ""
    """A line of the log."""


def detect_device() -> str:
    """The best device that this machine has, as far as can be told without torch: `cpu`, `cuda` or `mps`."""
    if sys.platform == "darwin":
        return "mps" if os.uname().machine == "arm64" else "cpu"
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists():
        return "cuda"
    return "cpu"


class Installer:
    """Does one thing with one installation. Its methods take minutes, in a thread; `cancel` ends them from another."""

    def __init__(self, plan: Plan, tell: Callable[[Note], None] = lambda note: None) -> None:
        """Prepare.

        Args:
            plan: what to install.
            tell: called in the working thread with steps and lines of the log.
        """
        self._plan, self._tell_owner = plan, tell
        self._runner = Runner()
        self._environ = clean_environ() | {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._log: IO[str] | None = None
        self._tail: list[str] = []
        self._step, self._from, self._to = "", 0.0, 0.0
        self._folder = plan.folder
        self._env = plan.folder / ENVIRONMENT

    def cancel(self) -> None:
        """Stop it as soon as possible; returns at once."""
        self._runner.stop()

    def install(self, *, fresh: bool = False) -> Record:
        """Install, or finish an installation that was broken off.

        Args:
            fresh: throw away the environment that is there (a repair).

        Raises:
            CancelledError: it was cancelled. What was loaded stays for the next try.
            InstallError: it failed; the message says why and what to do.
        """
        with self._work():
            device = detect_device() if self._plan.device == "auto" else self._plan.device
            self._begin("Looking at the machine", 0.0, 0.01)
            self._check(device)
            (self._folder / RECORD).unlink(missing_ok=True)
            self._begin("Making the environment", 0.01, 0.05)
            pip = self._make_environment(fresh)
            self._begin(f"Installing torch for {device}", 0.05, 0.70)
            self._install_torch(pip, device)
            self._begin("Installing the backend", 0.70, 0.90)
            # Not taken for granted although it may be there: a wheel of the same version can differ while we develop.
            self._pip(pip, [], f"{self._plan.wheel}[latent]" if self._plan.latent else str(self._plan.wheel))
            self._pip(pip, ["--force-reinstall", "--no-deps"], str(self._plan.wheel))
            self._begin("Trying the backend", 0.90, 1.0)
            version = self._try_backend()
            record = Record(version, self._plan.wheel.name, self._plan.wheel.stat().st_size, device)
            write_record(self._folder, record)
            self._say(f"Installed bitpuppet {version}")
            return record

    def verify(self) -> str:
        """Try what is installed; its version. Raises InstallError when something is wrong with it."""
        with self._work():
            if read_record(self._folder) is None:
                raise InstallError("The backend is not installed, or not completely; install it")
            self._begin("Trying the backend", 0.0, 1.0)
            return self._try_backend()

    def uninstall(self) -> None:
        """Remove the environment, the record and the logs, and nothing else of the folder."""
        with self._work():
            self._begin("Removing", 0.0, 1.0)
            (self._folder / RECORD).unlink(missing_ok=True)
            if self._env.exists():
                doomed = self._folder / f"removed-{time.time_ns()}"
                self._env.replace(doomed)  # at once: a stopped removal leaves no half environment
            for folder in self._folder.glob("removed-*"):
                self._raise_if_cancelled()
                shutil.rmtree(folder)
        for name in (_LOG, "serve.log", _LOCK):
            (self._folder / name).unlink(missing_ok=True)

    def _check(self, device: str) -> None:
        """Refuse what cannot succeed, before anything is loaded."""
        plan = self._plan
        if not plan.wheel.is_file():
            raise InstallError(f"{plan.wheel} is missing; install the extension again")
        if plan.packages is not None and not plan.packages.is_dir():
            raise InstallError(f"{plan.packages} is no folder; name the folder of your packages, or none")
        free = shutil.disk_usage(self._folder).free
        needed = DISK_BYTES[device] if plan.packages is None else 0
        if free < needed:
            raise InstallError(
                f"{self._folder} has {free / 1e9:.1f} GB free, the backend for {device} takes {needed / 1e9:.0f}; "
                "make room"
            )

    def _make_environment(self, fresh: bool) -> tuple[int, ...]:
        """Make `env/`, or keep the one that is there; the version of its pip."""
        if not fresh and self._env.exists():
            with contextlib.suppress(InstallError):
                return self._ask_pip()
            self._say("The environment that is there does not work; making a new one")
        lines: list[str] = []
        code = "import sys, ensurepip, venv; print(sys.version_info[0], sys.version_info[1])"
        if self._run([str(self._plan.python), "-I", "-c", code], lines.append):
            raise InstallError(
                f"{self._plan.python} has no venv or ensurepip; on Debian and Ubuntu install python3-venv, elsewhere "
                "use Blender from blender.org"
            )
        version = tuple(int(number) for number in lines[-1].split()) if lines else ()
        if version < OLDEST_PYTHON:
            raise InstallError(
                f"{self._plan.python} is Python {lines[-1:]}, the backend needs 3.11; use a newer Blender"
            )
        if self._run([str(self._plan.python), "-I", "-m", "venv", "--clear", str(self._env)]):
            raise InstallError(f"{self._env} cannot be made: {self._last_line()}; look at its folder's permissions")
        return self._ask_pip()

    def _ask_pip(self) -> tuple[int, ...]:
        lines: list[str] = []
        command = [str(find_python(self._env)), "-I", "-m", "pip", "--version"]
        if self._run(command, lines.append) or not lines:
            raise InstallError(f"{self._env} has no working pip; choose Repair")
        numbers = lines[-1].split()[1].split(".")[:2]
        return tuple(int(number) for number in numbers if number.isdigit())

    def _choose_torch(self, device: str) -> list[str]:
        """Where torch for a device comes from: PyPI has the CUDA build for Linux and the CPU build for Windows."""
        if self._plan.packages is not None or self._plan.index_url or sys.platform == "darwin":
            return []
        if device == "cpu" and sys.platform == "linux":
            return ["--index-url", CPU_INDEX]
        if device == "cuda" and sys.platform == "win32":
            return ["--index-url", CUDA_INDEX]
        return []

    def _install_torch(self, pip: tuple[int, ...], device: str) -> None:
        options = self._choose_torch(device)
        try:
            self._pip(pip, options, TORCH)
        except InstallError:
            if device != "cpu" or not options:
                raise
            self._say("PyTorch's own index gives no torch; taking the larger build of PyPI, which runs on any CPU too")
            self._pip(pip, [], TORCH)

    def _pip(self, pip: tuple[int, ...], options: list[str], *requirements: str) -> None:
        plan = self._plan
        command = [str(find_python(self._env)), "-I", "-m", "pip"]
        if plan.packages is not None:  # isolated: no index or folder from the user's own settings
            command += ["--isolated", "install", "--no-index", "--find-links", str(plan.packages)]
        else:
            command += ["install", *(["--index-url", plan.index_url] if plan.index_url else [])]
        bar = "raw" if pip >= _RAW_PROGRESS else "off"
        constraints = plan.wheel.with_name("constraints.txt")
        command += ["--only-binary", ":all:", "--progress-bar", bar, *options]
        command += ["-c", str(constraints)] if constraints.is_file() else []
        if self._run([*command, *requirements], self._take_pip_line):
            raise InstallError(self._explain_pip())

    def _take_pip_line(self, line: str) -> None:
        words = line.split()
        if len(words) == 4 and words[0] == "Progress" and words[2] == "of" and words[3] != "0":
            with contextlib.suppress(ValueError):
                self._move(int(words[1]) / int(words[3]))
            return
        if line.startswith("Installing collected packages"):  # the last that pip tells for a minute or more
            self._step = self._step.replace("Installing", "Unpacking")
            self._from += 0.5 * (self._to - self._from)
        self._say(line)

    def _explain_pip(self) -> str:
        text = "\n".join(self._tail)
        if "No space left" in text or "not enough space" in text:
            return "The disk is full; make room and try again"
        if self._plan.packages is None and any(sign in text for sign in _NETWORK):
            return "The download failed: no connection to the package index; look at the network and try again"
        errors = [line for line in self._tail if line.startswith("ERROR:") and "ResolutionImpossible" not in line]
        reason = (errors[-1] if errors else self._last_line()).removeprefix("ERROR:").strip()
        return f"pip failed: {reason[:200]}; try again, or look at {self._folder / _LOG}"

    def _try_backend(self) -> str:
        """Let the backend draw once with what is installed; its version."""
        lines: list[str] = []
        status = self._run([str(find_python(self._env)), "-I", "-m", "bitpuppet", "doctor", "--json"], lines.append)
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    if problems := found.get("problems"):
                        raise InstallError(f"The backend does not work: {str(problems[0])[:200]}; choose Repair")
                    return str(found.get("bitpuppet", "?"))
        raise InstallError(
            f"The backend does not start (status {status}): {self._last_line()[:200]}; choose Repair, or look at "
            f"{self._folder / _LOG}"
        )

    def _run(self, command: list[str], take_line: Callable[[str], None] | None = None) -> int:
        self._say(f"> {' '.join(command)}", is_output=False)
        own = take_line if take_line == self._take_pip_line else self._say

        def take(line: str) -> None:
            own(line)
            if take_line is not None and take_line != own:
                take_line(line)

        self._tail.clear()
        try:
            return self._runner.run(command, self._environ, take)
        except OSError as error:
            raise InstallError(f"{command[0]} cannot be run ({error.strerror}); choose Repair") from error

    @contextmanager
    def _work(self) -> Iterator[None]:
        """Hold the folder and its log; whatever stops the work becomes an InstallError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _hold(self._folder / _LOCK), (self._folder / _LOG).open("a", encoding="utf-8") as self._log:
                self._raise_if_cancelled()
                yield
        except StoppedError as error:
            raise CancelledError("Cancelled; what was loaded so far is kept for the next try") from error
        except OSError as error:
            place = error.filename or self._folder
            raise InstallError(
                f"{place}: {error.strerror or error}; close what uses it, or make it writable"
            ) from error
        finally:
            self._log = None

    def _raise_if_cancelled(self) -> None:
        if self._runner.is_stopped:
            raise StoppedError

    def _begin(self, step: str, start: float, end: float) -> None:
        self._raise_if_cancelled()
        self._step, self._from, self._to = step, start, end
        self._say(f"== {step}", is_output=False)

    def _move(self, fraction: float) -> None:
        self._tell_owner(Note(self._step, self._from + fraction * (self._to - self._from)))

    def _say(self, line: str, is_output: bool = True) -> None:
        if not line:
            return
        if is_output:
            self._tail = [*self._tail[-200:], line]
        if self._log is not None:
            print(line, file=self._log, flush=True)
        self._tell_owner(Note(self._step, self._from, line))

    def _last_line(self) -> str:
        return self._tail[-1] if self._tail else "it printed nothing"


@contextmanager
def _hold(path: Path) -> Iterator[None]:
    """Be the only one at work in a folder; the lock ends with the process.

    Raises:
        InstallError: another Blender is at work there.
    """
    with path.open("a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InstallError("Another Blender is installing or removing the backend; wait for it") from error
        yield
