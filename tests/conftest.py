"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the data folder, so that `-m data` chooses them."""
    for item in items:
        if "data_folder" in getattr(item, "fixturenames", ()):
            item.add_marker("data")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of training data; a test that asks for it is skipped where there is none."""
    from bitpuppet.data.folder import VARIABLE, find_data  # late: the tests inside Blender have no bitpuppet

    folder = find_data()
    if folder is None:
        pytest.skip(f"no training data in {VARIABLE} or in ../shared/data beside the checkout")
    return folder
