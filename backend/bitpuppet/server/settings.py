"""What can be set about a server, in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import platformdirs

from bitpuppet.data.folder import find_sets
from bitpuppet.errors import BitpuppetError
from bitpuppet_client.endpoint import default_path
from bitpuppet_client.messages import ServerLimits

WEIGHTS = Path(__file__).parent.parent / "weights"
"""Folder of the weights that come with the package."""
LOOPBACK = "127.0.0.1"


def find_store() -> Path:
    """The folder of jobs and results: $BITPUPPET_STORE, or the user's folder for the data of programs."""
    named = os.environ.get("BITPUPPET_STORE")
    return Path(named) if named else platformdirs.user_data_path("bitpuppet", appauthor=False) / "jobs"


def find_models() -> Path:
    """The folder of the user's own models: $BITPUPPET_MODELS, or the user's folder for the data of programs."""
    named = os.environ.get("BITPUPPET_MODELS")
    return Path(named) if named else platformdirs.user_data_path("bitpuppet", appauthor=False) / "models"


@dataclass(frozen=True)
class Settings:
    """All settings of a server. Sizes are in bytes, times in seconds."""

    endpoint: Path = field(default_factory=default_path)
    """The file that tells clients of this user where the server is; its folder holds the lock."""
    store: Path = field(default_factory=find_store)
    models: Path = field(default_factory=find_models)
    sets: Path = field(default_factory=find_sets)
    """The character sets that trainings can name: folders, or `.toml` files."""
    codec: str | None = None
    """The image autoencoder of models that draw by one, a folder or a hub's name; None for $BITPUPPET_CODEC."""
    devices: tuple[str | None, ...] = (None,)
    """One worker for each; None for the best device that is there."""
    bind: str = LOOPBACK
    """Address of the network interface."""
    allow_remote: bool = False
    """Whether `bind` may be an address that other machines can reach."""
    ipc: bool = False
    """Sockets in the folder of `endpoint` in place of TCP ports."""
    clients: tuple[str, ...] = ()
    """Public keys (Z85) that are let in besides the one of the endpoint file."""

    auto: bool = False
    """Started by a program: stop after `idle_seconds` without a client and a job."""
    idle_seconds: float = 600.0
    orphan_seconds: float = 15.0
    """How long a server whose starter is gone waits for another client before it stops."""
    parent: int | None = None
    """Process that started the server; when it ends, so does the server, unless others use it."""
    parent_pipe: bool = False
    """The same for whoever holds the other end of standard input."""
    grace_seconds: float = 10.0
    """How long jobs that run may go on when the server is told to stop; then they are put back."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    requests_per_second: float = 1000.0
    """Of one connection, in the long run."""
    burst: int = 2000
    """Requests of one connection at once."""
    peers: int = 1024
    """Connections whose rate is remembered."""

    keep_seconds: float = 3600.0
    """How long an acknowledged result stays."""
    keep_bytes: int = 256 << 20
    """All acknowledged results together."""
    unclaimed_seconds: float = 30 * 86400.0
    """How long a result stays that nobody acknowledged."""
    store_bytes: int = 8 << 30
    """All of the store's files; more is refused, not deleted."""
    reserve_bytes: int = 64 << 20
    """Free space of the disk that is left alone."""

    start_seconds: float = 900.0
    """How long a worker may take from its start to its readiness: libraries and weights from a slow disk."""
    stall_seconds: float = 600.0
    """How long a job may give no sign of life before its worker is ended."""
    training_stall_seconds: float = 3600.0
    """The same for a training, which may measure itself for long between two steps."""
    leave_seconds: float = 30.0
    """How long a training may take to save itself when the server stops."""
    cancel_seconds: float = 30.0
    """How long a cancelled job may go on before its worker is ended."""
    batch_jobs: int = 16
    """Most jobs that are drawn together, where the device gains by it."""
    restart_seconds: float = 1.0
    """Pause before a worker that died is started again; it doubles with each death in a row."""
    log_bytes: int = 2 << 20
    """Size from which a log is put aside; three old ones are kept."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError for a setting that cannot be, or that would let others in unasked."""
        if not self.devices:
            raise BitpuppetError("no device is named; name one with --device, or leave the option out")
        try:
            address = ip_address(self.bind)
        except ValueError as error:
            raise BitpuppetError(
                f"--bind is {self.bind!r}, it must be an address of this machine such as {LOOPBACK}; write numbers"
            ) from error
        if not address.is_loopback and not self.allow_remote:
            raise BitpuppetError(
                f"--bind {self.bind} lets other machines connect; leave it out, or add --allow-remote if you mean it"
            )
        if self.ipc and os.name == "nt":
            raise BitpuppetError("--ipc needs sockets in files, which Windows has not; leave it out")
        for key in self.clients:
            if len(key) != 40 or not key.isascii() or not key.isprintable() or " " in key:
                raise BitpuppetError("--allow-client takes a public key of 40 characters (Z85); copy all of it")
        for name in ("idle_seconds", "keep_seconds", "unclaimed_seconds", "keep_bytes", "store_bytes", "grace_seconds"):
            if getattr(self, name) < 0:
                raise BitpuppetError(f"--{name.replace('_', '-')} is below 0; give 0 or more")

    @property
    def runtime(self) -> Path:
        """The folder of the endpoint file, the lock and the logs of this user's server."""
        return self.endpoint.parent

    @property
    def lock(self) -> Path:
        """The file that is locked as long as the server runs."""
        return self.endpoint.with_suffix(".lock")

    @property
    def trainings(self) -> Path:
        """Where trainings keep their checkpoints, one folder a job."""
        return self.store / "trainings"

    @property
    def log(self) -> Path:
        """The log."""
        return self.store / "logs" / "serve.log"
