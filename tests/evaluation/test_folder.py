"""Finding the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitpuppet.data.folder import find_data, require_data
from bitpuppet.errors import BitpuppetError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without data beside it, which is the current folder."""
    monkeypatch.delenv("BITPUPPET_DATA", raising=False)
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_variable_names_the_folder(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "else" / "sprites").mkdir(parents=True)
    monkeypatch.setenv("BITPUPPET_DATA", str(tmp_path / "else"))
    assert find_data() == tmp_path / "else"


def test_folder_beside_the_checkout_is_found_from_below(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.parent / "shared" / "data" / "lpc").mkdir(parents=True)
    (checkout / "tests" / "deep").mkdir(parents=True)
    assert find_data() == checkout.parent / "shared" / "data"
    monkeypatch.chdir(checkout / "tests" / "deep")
    assert find_data() == checkout.parent / "shared" / "data"


def test_wrong_variable_is_not_passed_over(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.parent / "shared" / "data" / "lpc").mkdir(parents=True)
    monkeypatch.setenv("BITPUPPET_DATA", str(checkout))
    assert find_data() is None
    with pytest.raises(BitpuppetError, match=r"BITPUPPET_DATA is .*project"):
        require_data("eval sprites")


def test_missing_data_is_one_line_with_the_remedy(checkout: Path) -> None:
    assert find_data() is None
    with pytest.raises(BitpuppetError, match="set BITPUPPET_DATA") as caught:
        require_data("eval sprites", "sprites")
    assert "\n" not in str(caught.value)


def test_missing_part_is_named(checkout: Path) -> None:
    data = checkout.parent / "shared" / "data"
    (data / "lpc").mkdir(parents=True)
    assert require_data("train", "lpc") == data
    with pytest.raises(BitpuppetError, match="sprites"):
        require_data("eval sprites", "sprites", "lpc")
