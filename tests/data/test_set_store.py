"""Tests of the user's folder of character sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet, read_character_set
from bitpuppet.data.folder import find_sets
from bitpuppet.data.set_store import add_set, check_set_name, find_set, list_sets, remove_set
from bitpuppet.errors import BitpuppetError

from .sheets import draw, save_set


def make_odd_set() -> CharacterSet:
    """Names and timings that files and TOML make trouble of."""
    names = ('a "b" \\ c', "ünïcode ☃", "../../x", "C:", "a.b", "\x7f".join("ab"), "'")
    characters = [
        Character(
            name,
            (
                CharacterAnimation("idle", draw(3, seed, 18, 14), (1, 20, 3_600_000)),
                CharacterAnimation("x = 1", draw(1, seed + 20, 18, 14), (100,)),
            ),
        )
        for seed, name in enumerate(names)
        if name.isprintable()
    ]
    return CharacterSet("odd", tuple(characters))


def list_all(found: CharacterSet) -> list[tuple[str, str, tuple[int, ...], bytes]]:
    return [
        (c.name, a.name, a.durations, repr(a.frames.shape).encode() + a.frames.tobytes())
        for c in found.characters
        for a in c.animations
    ]


def test_a_copy_reads_as_the_set_did(tmp_path: Path) -> None:
    odd = make_odd_set()
    path = add_set(odd, "odd", tmp_path / "sets")
    assert path == find_set("odd", tmp_path / "sets")
    copy = read_character_set(path)
    assert list_all(copy) == list_all(odd)
    assert copy.name == "odd"
    assert len(copy.characters) == 6


def test_sets_are_added_listed_replaced_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    found = read_character_set(save_set(tmp_path / "mine"))
    assert list_sets(folder) == []
    add_set(found, "b", folder)
    add_set(make_odd_set(), "a", folder)
    assert [one.name for one in list_sets(folder)] == ["a", "b"]
    with pytest.raises(BitpuppetError, match="a set 'a' already"):
        add_set(found, "a", folder)
    add_set(found, "a", folder, replace=True)
    assert list_all(read_character_set(find_set("a", folder))) == list_all(found)
    remove_set("b", folder)
    assert [path.name for path in folder.iterdir()] == ["a"]
    with pytest.raises(BitpuppetError, match=r"no set 'b' \(there is: a\)"):
        remove_set("b", folder)


def test_a_stopped_copy_leaves_what_was_there(tmp_path: Path) -> None:
    found = read_character_set(save_set(tmp_path / "mine"))
    add_set(found, "a", tmp_path / "sets")

    def stop(done: int, *_: object) -> None:
        if done == 1:
            raise KeyboardInterrupt

    for name in ("a", "b"):
        with pytest.raises(KeyboardInterrupt):
            add_set(make_odd_set(), name, tmp_path / "sets", replace=True, watch=stop)
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["a"]
    assert list_all(read_character_set(tmp_path / "sets" / "a")) == list_all(found)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", ".a", "a.", "a b", "ä", "x" * 65, "a.toml", "a\0"])
def test_names_that_are_no_folders_are_refused(tmp_path: Path, name: str) -> None:
    for act in (lambda: check_set_name(name), lambda: find_set(name, tmp_path), lambda: remove_set(name, tmp_path)):
        with pytest.raises(BitpuppetError, match="is no name for a set"):
            act()


def test_the_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITPUPPET_SETS", str(tmp_path))
    assert find_sets() == tmp_path
    monkeypatch.delenv("BITPUPPET_SETS")
    assert find_sets().name == "sets"


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(BitpuppetError, match="No space left on device"):
        add_set(make_odd_set(), "a", tmp_path / "sets")
    assert not np.any([path.name != "" for path in (tmp_path / "sets").iterdir()])
