"""Where the backend is and how it is started: a description that Blender's main thread writes and other threads follow.

No `bpy` here: the client's thread asks a `Finder`, and threads must not touch Blender.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bitpuppet_client.client import Client
from bitpuppet_client.discovery import find_backend
from bitpuppet_client.endpoint import Endpoint, default_path, read_endpoint
from bitpuppet_client.errors import ClientError, NotRunningError, VersionError
from bitpuppet_client.launcher import default_command, ensure_backend

LOG_TAIL_BYTES = 16 << 10
IDLE_SECONDS = 30.0
"""How long a backend that we started waits for other programs when we have let it go."""
_FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""Variables that would lead another interpreter to Blender's own libraries."""


@dataclass(frozen=True)
class Source:
    """How to get to a backend. Frozen: what changes in the preferences counts from the next connection on."""

    command: tuple[str, ...] = ()
    """Program and arguments that start it; empty where it is only looked for."""
    endpoint: Path | None = None
    """Its endpoint file; None for the one of this user's own backend."""
    log: Path | None = None
    """Takes what the command prints."""
    problem: str = ""
    """Why there can be none, in one sentence; empty where all is well."""
    problem_state: str = "not installed"
    """The state that the problem means: `not installed` or `wrong version`."""


class Finder:
    """Finds the backend, or starts it, in the client's thread; tells the main thread how far it is."""

    def __init__(self, source: Source, before: Finder | None = None) -> None:
        """Remember where to look; nothing is looked for yet.

        Args:
            source: where.
            before: the finder of the last connection, whose backend may still run.
        """
        self.source = source
        self.is_starting = False
        self.is_wrong_version = False
        self.is_cancelled = False
        self._process: subprocess.Popen[bytes] | None = before._process if before is not None else None
        self._failure: ClientError | None = None
        """Why the last start failed: a backend that cannot start is not started again and again."""

    def __call__(self) -> Endpoint | None:
        """The running backend, started if need be.

        Raises:
            ClientError: there is none, in one sentence.
        """
        self.is_wrong_version = False
        try:
            return self._find()
        except VersionError:
            self.is_wrong_version = True
            raise

    def forget_failure(self) -> None:
        """Let a backend that could not be started be tried again."""
        self._failure = None

    @property
    def has_started_it(self) -> bool:
        """Whether the backend's process is ours and still runs."""
        return self._process is not None and self._process.poll() is None

    def _find(self) -> Endpoint | None:
        if not self.source.command:
            path = self.source.endpoint or default_path()
            try:
                return read_endpoint(path)
            except FileNotFoundError as error:
                raise NotRunningError(f"there is no endpoint file {path}; start the backend that writes it") from error
            except OSError as error:
                raise NotRunningError(
                    f"{path} cannot be read ({error.strerror}); name another endpoint file"
                ) from error
        found = find_backend(self.source.endpoint)
        if found is not None:
            return found
        if self._failure is not None:
            raise self._failure
        return self._start()

    def _start(self) -> Endpoint:
        self.is_starting = True
        try:
            backend = ensure_backend(
                self.source.command,
                path=self.source.endpoint,
                log=self.source.log,
                environ=clean_environ(),
                is_cancelled=lambda: self.is_cancelled,
            )
        except VersionError:
            raise
        except ClientError as error:
            self._failure = error
            raise
        finally:
            self.is_starting = False
        if backend.process is not None:
            if self._process is not None:
                self._process.poll()  # or its end would never be noted
            self._process = backend.process
        return backend.endpoint


def make_command(
    python: Path, *, device: str | None = None, codec: Path | None = None, idle_seconds: float = IDLE_SECONDS
) -> tuple[str, ...]:
    """The command that starts a backend which ends by itself.

    Args:
        python: interpreter of the environment that has bitpuppet.
        device: `cpu`, `cuda`, `mps`; None for the best that is there.
        codec: folder of the image autoencoder of models that need one; None for none, or what the environment names.
        idle_seconds: how long it stays when no program is connected and no job runs.
    """
    options = ("--idle-seconds", f"{idle_seconds:g}", "--verbose")
    chosen = (("--device", device) if device else ()) + (("--codec", str(codec)) if codec else ())
    return (*default_command(python), *options, *chosen)


def find_python(program: Path) -> Path:
    """The interpreter that belongs to what the user named: an environment's folder, its Python, or its `bitpuppet`.

    Raises:
        FileNotFoundError: there is none; the message is one sentence.
    """
    if program.is_file() and program.name.lower().startswith("python"):
        return program
    folder = program.parent if program.is_file() else program
    for name in ("bin/python3", "bin/python", "Scripts/python.exe", "python3", "python", "python.exe"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{program} has no Python; name the folder of the environment that has bitpuppet")


def clean_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for another Python than Blender's."""
    kept = {name: value for name, value in environ.items() if name not in _FOREIGN}
    return kept | {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


def stop_backend(source: Source, *, finish: bool) -> str:
    """Ask a running backend to end; waits for its answer, so not for the main thread.

    Args:
        source: which backend.
        finish: whether its jobs are done first; otherwise they wait in its store for the next start.

    Returns:
        One sentence about what happened.

    Raises:
        ClientError: it does not answer.
    """
    endpoint = find_backend(source.endpoint)
    if endpoint is None:
        return "No backend was running"
    with Client(endpoint, name="blender") as client:
        client.shut_down(finish=finish)
    return "The backend is stopping"


def read_tail(path: Path | None, lines: int = 40) -> list[str]:
    """The last lines of a log; empty where there is none."""
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
