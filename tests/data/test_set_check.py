"""Tests of what is found in a character set, and of its report."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.character_set import survey_character_set
from bitpuppet.data.set_check import SetCheck, check_set
from bitpuppet.data.set_report import write_report
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import enlarge_frames, read_clip, write_apng
from bitpuppet.sprites.images import read_picture

from .sheets import draw, save_set, save_strip


def check(path: Path) -> SetCheck:
    return check_set(survey_character_set(path))


def find(checked: SetCheck, level: str, where: str, text: str) -> bool:
    return any(
        one.level == level and one.where == where and re.search(text, one.text) is not None for one in checked.findings
    )


def test_a_good_set_has_no_findings(tmp_path: Path) -> None:
    checked = check(save_set(tmp_path / "set"))
    assert checked.findings == ()
    assert checked.usable
    assert [one.name for one in checked.characters] == ["frog", "pig"]
    idle, run = checked.characters[0].animations
    assert (idle.frames, idle.size, idle.art, idle.distinct, idle.colours) == (3, (16, 16), (9, 8), 3, 2)
    assert (run.name, run.sheet, run.milliseconds, run.soft, run.empty) == ("run", "run_16x16.png", 400, 0.0, 0)
    assert json.loads(json.dumps(checked.to_json()))["usable"] is True


def test_what_cross_driving_lacks_is_told(tmp_path: Path) -> None:
    save_strip(draw(4), tmp_path / "a" / "run_16x16.png")
    save_strip(draw(4, 1), tmp_path / "b" / "walk_16x16.png")
    checked = check(tmp_path)
    assert not checked.usable
    assert find(checked, "error", tmp_path.name, "no character has two animations")
    assert find(checked, "warning", tmp_path.name, "animation of the same name")
    assert find(checked, "warning", "a", "has one animation only, 'run'")


def test_one_character_is_told(tmp_path: Path) -> None:
    save_set(tmp_path)
    checked = check_set(survey_character_set(tmp_path / "frog"))
    assert checked.usable
    assert find(checked, "warning", "frog", "one character only")


def test_a_sheet_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    save_set(tmp_path)
    (tmp_path / "pig" / "jump.png").write_bytes(b"nothing")
    checked = check(tmp_path)
    assert not checked.usable
    assert find(checked, "error", "pig", "jump.png is not a PNG")


def test_odd_frames_are_told(tmp_path: Path) -> None:
    save_set(tmp_path)
    painted = draw(4, 7)
    painted[painted[..., 3] == 0] = (1, 2, 3, 255)
    save_strip(painted, tmp_path / "pig" / "fly_16x16.png")
    gap = draw(4, 8)
    gap[2] = 0
    save_strip(gap, tmp_path / "pig" / "gap_16x16.png")
    save_strip(draw(1, 9), tmp_path / "pig" / "pose_16x16.png")
    save_strip(draw(8, 10), tmp_path / "pig" / "twice_16x16.png")
    save_strip(draw(3, 0), tmp_path / "pig" / "copy_16x16.png")
    save_strip(draw(3, 11, 80, 72), tmp_path / "pig" / "large_80x72.png")
    save_strip(draw(3, 14, 147, 200), tmp_path / "frog" / "huge_147x200.png")
    soft = draw(3, 12)
    soft[..., 3] //= 2
    save_strip(soft, tmp_path / "pig" / "soft_16x16.png")
    write_apng(draw(2, 13), tmp_path / "pig" / "slow.png", (100, 60_000))
    checked = check(tmp_path)
    assert checked.usable
    assert find(checked, "warning", "pig/fly", 'key = "010203"')
    assert find(checked, "warning", "pig/gap", "1 empty cell lies")
    assert find(checked, "note", "pig", "no motion: pose$")
    assert find(checked, "note", "pig", "twice or more: twice$")
    assert find(checked, "note", "frog/idle", "same frames as pig/copy")
    assert find(checked, "note", "pig", "up to 73x36 pixels in large, so .* a canvas of 128x128")
    assert find(checked, "warning", "frog", "up to 140x10[0-9] pixels in huge, the largest canvas holds 128x128")
    assert find(checked, "note", "pig/soft", "100% of its pixels are half-transparent")
    assert find(checked, "note", "pig/slow", "stays for 60 s")
    assert find(checked, "note", "pig", "2 sizes .16x16, 80x72.")
    assert find(checked, "note", "frog", "2 sizes .16x16, 147x200.")
    assert len(checked.findings) == 12


def test_too_many_colours_and_mixed_scales_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 4), dtype=np.uint8)
    noise[..., 3] = 255
    noise[:, 0] = noise[:, :, 0] = 0
    save_strip(noise, tmp_path / "a" / "run_16x16.png")
    save_strip(enlarge_frames(noise, 3), tmp_path / "a" / "jump_48x48.png")
    checked = check(tmp_path)
    assert find(checked, "warning", "a", "has 675 colours")
    assert find(checked, "note", "a", "enlarged 1, 3 times")
    assert checked.characters[0].colours == 675


def test_the_page_holds_all_it_shows(tmp_path: Path) -> None:
    save_set(tmp_path / "<b>set")
    save_strip(draw(1, 9), tmp_path / "<b>set" / "pig" / "pose_16x16.png")
    reading = survey_character_set(tmp_path / "<b>set")
    page = tmp_path / "report.html"
    seen: list[tuple[int, int, str]] = []
    write_report(reading, check_set(reading), page, lambda *step: seen.append(step))
    text = page.read_text(encoding="utf-8")
    assert "<b>set" not in text
    assert "&lt;b&gt;set" in text
    assert "no motion: pose" in text
    assert not re.search(r"https?:|<script|src=\"(?!data:)", text)
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", text)
    assert len(pictures) == 5
    (tmp_path / "first.png").write_bytes(b64decode(pictures[0]))
    assert np.array_equal(read_clip(tmp_path / "first.png").frames, draw(3, 0))
    assert seen == [(0, 2, "frog"), (1, 2, "pig")]


def test_the_picture_and_its_limits(tmp_path: Path) -> None:
    reading = survey_character_set(save_set(tmp_path / "set"))
    write_report(reading, check_set(reading), tmp_path / "report.png")
    picture = read_picture(tmp_path / "report.png").frames[0]
    colour = draw(1)[0, -2, 8]
    assert (picture == colour).all(axis=-1).sum() > 4 * 3 * 50  # the frog in three frames, at twice its size
    with pytest.raises(BitpuppetError, match=r"does not end in \.html or \.png"):
        write_report(reading, check_set(reading), tmp_path / "report.pdf")
    with pytest.raises(BitpuppetError, match="does not exist"):
        write_report(reading, check_set(reading), tmp_path / "no" / "report.html")


def test_a_report_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    reading = survey_character_set(save_set(tmp_path / "set"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(reading, check_set(reading), tmp_path / "report.html", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
