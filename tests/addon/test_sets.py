"""Character sets from folders, by the real program and by small ones that are played."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.png import encode_png
from bitpuppet_addon.server import Source
from bitpuppet_addon.sets import Made, Order, SetMaker, find_program, suggest_name


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's sets: it is not there yet."""
    monkeypatch.setenv("BITPUPPET_SETS", str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Two characters with two animations each."""
    for seed, name in enumerate(("frog", "pig")):
        (tmp_path / "my art" / name).mkdir(parents=True)
        for motion in ("idle", "run"):
            strip = np.random.default_rng(seed).integers(0, 256, (16, 48, 4), dtype=np.uint8)
            strip[..., 3] = 0
            strip[4:12, 4:12, 3] = strip[4:12, 20:28, 3] = strip[4:12, 36:44, 3] = 255
            (tmp_path / "my art" / name / f"{motion}_16x16.png").write_bytes(encode_png(strip))
    return tmp_path / "my art"


def play(tmp_path: Path, code: str) -> Path:
    """A Python that does something else, whatever it is asked for."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(0o755)
    return script


def test_folder_becomes_a_set_with_its_progress(sets: Path, sheets: Path) -> None:
    told: list[tuple[str, float]] = []
    maker = SetMaker(Path(sys.executable), Order(sheets, "zoo"))
    assert maker.make(lambda step, share: told.append((step, share))) == Made(2)
    assert (sets / "zoo" / "set.toml").is_file()
    assert {step.split()[0] for step, _ in told} == {"Reading", "Copying"}
    assert ("Copying 1 of 2", 0.5) in told and all(0 <= share <= 1 for _, share in told)
    with pytest.raises(ArtError, match=r"^There is a set 'zoo' already; .* switch Replace on$"):
        SetMaker(Path(sys.executable), Order(sheets, "zoo")).make(lambda step, share: None)
    again = SetMaker(Path(sys.executable), Order(sheets, "zoo", replace=True))
    assert again.make(lambda step, share: None) == Made(2)


def test_what_hinders_training_is_told(sets: Path, sheets: Path) -> None:
    for sheet in (*sheets.glob("pig/*"), *sheets.glob("frog/run*")):
        sheet.unlink()
    made = SetMaker(Path(sys.executable), Order(sheets / "frog", "zoo")).make(lambda step, share: None)
    assert made.characters == 1 and "no character has two animations" in made.hindrances[0]


def test_folder_that_is_no_set_is_told_in_one_sentence(sets: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(ArtError) as caught:
            SetMaker(Path(sys.executable), Order(folder, "zoo", key_corner=True)).make(lambda step, share: None)
        assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert not sets.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="plays a program by its first line")
def test_what_a_broken_program_says_is_told(tmp_path: Path) -> None:
    for code, words in (
        ("print('No module named bitpuppet'); raise SystemExit(1)", "No module named"),
        ("", "nothing"),
    ):
        with pytest.raises(ArtError, match=words) as caught:
            SetMaker(play(tmp_path, code), Order(tmp_path, "zoo")).make(lambda step, share: None)
        assert caught.value.remedy == "bitpuppet.open_preferences"
    with pytest.raises(ArtError, match="cannot be run"):
        SetMaker(tmp_path / "none", Order(tmp_path, "zoo")).make(lambda step, share: None)


@pytest.mark.skipif(sys.platform == "win32", reason="plays a program by its first line")
def test_cancelled_set_ends_its_program(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = play(tmp_path, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(99)")
    maker = SetMaker(program, Order(tmp_path, "zoo"))
    failures: list[Exception] = []

    def make() -> None:
        try:
            maker.make(lambda step, share: None)
        except ArtError as error:
            failures.append(error)

    thread = Thread(target=make)
    thread.start()
    while not begun.exists():
        time.sleep(0.01)
    maker.cancel()
    thread.join(30)
    assert not thread.is_alive() and "cancelled" in str(failures[0])


def test_program_is_known_where_the_backend_is_ours(tmp_path: Path) -> None:
    assert find_program(Source(("/env/bin/python", "-m", "bitpuppet"))) == Path("/env/bin/python")
    with pytest.raises(ArtError, match="Use Running"):
        find_program(Source(endpoint=tmp_path))
    with pytest.raises(ArtError, match="not installed") as caught:
        find_program(Source(problem="It is not installed"))
    assert caught.value.remedy == "bitpuppet.open_preferences"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("/art/Knights v2/", "Knights-v2"), ("/art/_.x", "x"), ("/", "my-set"), ("/ä" + "b" * 99, "b" * 64)],
)
def test_sets_are_named_after_their_folder(folder: str, name: str) -> None:
    assert suggest_name(folder) == name
