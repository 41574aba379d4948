"""Fixtures of the client's tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .fakes import FakeServer
from .owner import Owner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for this user alone, as the runtime folder is."""
    private = tmp_path / "run"
    private.mkdir(mode=0o700)
    return private


@pytest.fixture
def server(folder: Path) -> Iterator[FakeServer]:
    """A fake server that listens."""
    fake = FakeServer(folder)
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def owner(server: FakeServer) -> Iterator[Owner]:
    owner = Owner(server)
    yield owner
    owner.client.close()
    assert not owner.client.is_alive
    assert not [thread for thread in threading.enumerate() if thread.name == "bitpuppet-client"]
