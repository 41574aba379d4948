"""The folder of `--pictures`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.pictures import make_folder


def test_a_folder_is_made_once_and_none_is_none(tmp_path: Path) -> None:
    make_folder(tmp_path / "pictures")
    make_folder(tmp_path / "pictures")
    make_folder(None)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_file_or_a_missing_parent_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for wrong in (tmp_path / "file", tmp_path / "missing" / "pictures"):
        with pytest.raises(BitpuppetError, match=f"--pictures {wrong}"):
            make_folder(wrong)
    assert (tmp_path / "file").read_text() == "kept"
