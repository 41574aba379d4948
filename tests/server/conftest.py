"""A server of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .backend import Backend, write_model


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A folder with one model for a server that is not started yet."""
    write_model(tmp_path / "models", "sprite64")
    one = Backend(tmp_path)
    yield one
    one.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running server, for tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("shared")
    write_model(folder / "models", "sprite64")
    one = Backend(folder, {"requests_per_second": 1e6, "burst": 1_000_000})  # each broken message is to be looked at
    one.start()
    yield one
    one.end()
