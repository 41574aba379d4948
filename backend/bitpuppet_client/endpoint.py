"""The endpoint file: where the running backend listens, and the keys that open it.

Whoever can read it can use the backend, so it belongs to one user: mode 0600 in a folder of mode 0700. On Windows the
user's own profile folder takes the place of the modes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bitpuppet_client.errors import EndpointError, ProtocolError, VersionError
from bitpuppet_client.limits import MAX_ENDPOINT_FILE_BYTES, MAX_REQUEST, PROTOCOL
from bitpuppet_client.schema import check_job, check_text, check_whole, parse_header, read_object, write_object
from bitpuppet_client.wire import check_version

FOLDER_VARIABLE = "BITPUPPET_RUNTIME"
"""Environment variable that names another folder for the endpoint file."""
FILE_NAME = "backend.json"

_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):[1-9][0-9]{0,4}|ipc://[^\0]{1,107}")
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85, RFC 32 of ZeroMQ
_OTHERS = 0o077
_WRITE_BY_OTHERS = 0o022
_POSIX = os.name == "posix"


@dataclass(frozen=True, repr=False)
class Endpoint:
    """A running backend."""

    version: str
    """Of the backend."""
    instance: str
    """UUID of this start of it, as in `Welcome`."""
    pid: int
    """Its process, on its own machine."""
    control: str
    """Address of the control channel, such as `tcp://127.0.0.1:49152` or `ipc:///run/user/1000/...`."""
    jobs: str
    """Address of the jobs channel."""
    server_public: str
    """The server's CurveZMQ key in Z85: the client speaks to nobody who does not own its secret half."""
    client_public: str
    """The key that the server lets in, with its secret half."""
    client_secret: str
    protocol: int = PROTOCOL

    def __post_init__(self) -> None:
        """Raise ProtocolError or ParameterError for values that no backend has."""
        check_version(self.protocol, "the backend", "this client")
        check_text("version", self.version)
        check_job(self.instance)
        check_whole("pid", self.pid, 1, MAX_REQUEST)
        for address in (self.control, self.jobs):
            if not _ADDRESS.fullmatch(address):
                raise ProtocolError("an address is neither tcp://HOST:PORT nor ipc://PATH; start the backend again")
        for key in (self.server_public, self.client_public, self.client_secret):
            if not _KEY.fullmatch(key):
                raise ProtocolError("a key is no Z85 text of 40 characters; start the backend again")

    def __repr__(self) -> str:
        """Without keys: this may end up in logs."""
        return f"Endpoint(pid={self.pid}, control={self.control!r}, jobs={self.jobs!r})"


def default_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The user's own folder for what lives as long as the session.

    Args:
        environ: environment variables.
        platform: as `sys.platform`.
    """
    if named := environ.get(FOLDER_VARIABLE):
        return Path(named)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "bitpuppet" / "run"
    if platform == "darwin":  # TMPDIR differs between the terminal and programs started from the Finder
        return Path.home() / "Library" / "Caches" / "bitpuppet" / "run"
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "bitpuppet"
    user = os.getuid()
    runtime_folder = Path(f"/run/user/{user}")
    if runtime_folder.is_dir() and os.access(runtime_folder, os.W_OK):
        return runtime_folder / "bitpuppet"
    return Path(tempfile.gettempdir()) / f"bitpuppet-{user}"


def default_path() -> Path:
    """Where the backend of this user writes its endpoint file."""
    return default_folder() / FILE_NAME


def read_endpoint(path: Path | None = None) -> Endpoint:
    """Read an endpoint file, which must be of this user and for nobody else.

    Args:
        path: None for this user's own.

    Raises:
        FileNotFoundError: there is none, so no backend runs.
        EndpointError: it is damaged, too long, of another user, or others can read it.
        VersionError: the backend speaks another version of the protocol.
    """
    path = path or default_path()
    data = _read_private(path)
    try:
        values = parse_header(data, "the endpoint")
        check_version(values.get("protocol"), "the backend", "this client")
        return read_object(Endpoint, values, "the endpoint")
    except VersionError:
        raise
    except ProtocolError as error:
        raise EndpointError(f"{path}: {error}; stop the backend, delete the file and start it again") from error


def write_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Write an endpoint file that only this user can read, in one step: readers see the old or the new one.

    Raises:
        EndpointError: the folder belongs to or can be changed by somebody else, or the file cannot be written.
    """
    text = json.dumps(write_object(endpoint), indent=1) + "\n"
    try:
        make_folder(path.parent)
        # Its own random name, made with mode 0600 and O_EXCL: nobody else holds this file open.
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise
    except OSError as error:
        raise EndpointError(
            f"{path} cannot be written ({error.strerror}); name another folder in {FOLDER_VARIABLE}"
        ) from error


def remove_endpoint(path: Path, instance: str) -> bool:
    """Delete the endpoint file of one start of the backend, and of no other; whether it was there."""
    try:
        if read_endpoint(path).instance != instance:
            return False
        path.unlink()
    except (OSError, EndpointError, VersionError):
        return False
    return True


def make_folder(folder: Path) -> None:
    """Make the runtime folder for this user alone, or check that it is so.

    Raises:
        EndpointError: it belongs to or can be changed by somebody else.
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise EndpointError when somebody else could put another endpoint file into a folder."""
    if not _POSIX:
        return
    facts = folder.stat()
    if facts.st_uid != os.getuid():
        raise EndpointError(f"{folder} belongs to another user; name a folder of your own in {FOLDER_VARIABLE}")
    if facts.st_mode & _WRITE_BY_OTHERS:
        raise EndpointError(f"{folder} can be changed by other users; run: chmod 700 '{folder}'")


def _read_private(path: Path) -> bytes:
    try:
        # Not through a link, and without waiting for the other end of a pipe.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EndpointError(f"{path} cannot be read ({error.strerror}); stop the backend and start it again") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise EndpointError(f"{path} is no file; delete it and start the backend again")
        if _POSIX and facts.st_uid != os.getuid():
            raise EndpointError(f"{path} belongs to another user; name a file of your own")
        if _POSIX and facts.st_mode & _OTHERS:
            raise EndpointError(
                f"{path} holds keys that other users can use; run: chmod 600 '{path}', then start the backend again, "
                "which makes new keys"
            )
        check_folder(path.parent)
        data = os.read(handle, MAX_ENDPOINT_FILE_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > MAX_ENDPOINT_FILE_BYTES:
        raise EndpointError(
            f"{path} has more than {MAX_ENDPOINT_FILE_BYTES} bytes, so it is no endpoint file; name another"
        )
    return data
