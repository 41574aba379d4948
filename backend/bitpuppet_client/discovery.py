"""Is a backend of this user running, and where?"""

from __future__ import annotations

import os
from pathlib import Path

from bitpuppet_client.client import Client
from bitpuppet_client.endpoint import Endpoint, read_endpoint
from bitpuppet_client.errors import NotRunningError, TimedOutError

GREETING_SECONDS = 2.0
"""A backend on this machine answers a hello at once, however busy its device is."""


def find_backend(path: Path | None = None, *, timeout: float = GREETING_SECONDS) -> Endpoint | None:
    """The running backend, or None: no endpoint file, or one that a backend left behind when it was killed.

    Args:
        path: an endpoint file; None for this user's own.
        timeout: seconds that it has to answer.

    Raises:
        EndpointError: the file is damaged or open to others.
        VersionError: it runs, but speaks another version of the protocol.
        RefusedError: it answers, but with an error.
    """
    try:
        endpoint = read_endpoint(path)
    except FileNotFoundError:
        return None
    if not may_run(endpoint):
        return None
    try:
        with Client(endpoint, name="bitpuppet-discovery", timeout=timeout):
            return endpoint
    except (NotRunningError, TimedOutError):
        return None


def may_run(endpoint: Endpoint) -> bool:
    """Whether a backend's process can be alive, without asking it: quicker than a timeout, and often right.

    Only a backend at a loopback or `ipc` address is on this machine, and only POSIX can ask without doing harm.
    """
    local = endpoint.control.startswith(("ipc://", "tcp://127.", "tcp://[::1]", "tcp://localhost:"))
    if not local or os.name != "posix":
        return True
    try:
        os.kill(endpoint.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user, who may have given us the file
        return True
    return True
