"""Folders of clips: what is found, how frames are fitted, and who comes when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.clips import ClipFolder, count_frames, fit_frames
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import write_apng, write_gif, write_strip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of frames, a GIF, an APNG and a strip of 8 frames each, one short clip, and what is no clip."""
    puppet = make_puppet(3, plan="biped", size=32)
    clips = [draw_clip(puppet, motion) for motion in puppet.motions[:5]]
    (tmp_path / "a").mkdir()
    for number, frame in enumerate(clips[0]):
        write_strip(frame[None], tmp_path / "a" / f"{number}.png")
    write_gif(clips[1], tmp_path / "b.gif", [100] * 8)
    write_apng(clips[2], tmp_path / "c.apng", [100] * 8)
    write_strip(clips[3], tmp_path / "d.png")
    write_strip(clips[4][:3], tmp_path / "short.png")
    (tmp_path / "notes.txt").write_text("no clip")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_clips_are_found_and_counted(folder: Path) -> None:
    clips = ClipFolder(folder, 32, 8)
    assert [path.name for path in clips.clips] == ["a", "b.gif", "c.apng", "d.png"]
    assert [path.name for path in clips.left_out] == ["short.png"]
    assert len(clips) == 4
    assert [count_frames(path) for path in clips.clips] == [8, 8, 8, 8]


def test_a_batch_is_two_halves_of_stretches(folder: Path) -> None:
    clips = ClipFolder(folder, 32, 6)
    batch = clips.draw(0, 4, 3, 3)
    assert batch.content.shape == batch.target.shape == (4, 3, 32, 32, 4)
    assert batch.shown.all() and batch.counts.tolist() == [0] * 4
    whole = [clips._read(path) for path in clips.clips]
    for content, target in zip(batch.content, batch.target, strict=True):
        stretch = np.concatenate([content, target])
        starts = [
            (clip, start)
            for clip, frames in enumerate(whole)
            for start in range(3)
            if np.array_equal(frames[start : start + 6], stretch)
        ]
        assert len(starts) == 1, "frames must follow one another within one clip"


def test_each_clip_comes_once_a_round_and_the_same_for_the_same_step(folder: Path) -> None:
    clips = ClipFolder(folder, 32, 8, seed=1)
    for turn in range(2):
        drawn = np.concatenate([clips.draw(2 * turn + step, 2, 4, 4).content for step in range(2)])
        assert len({frames.tobytes() for frames in drawn}) == 4
    again = ClipFolder(folder, 32, 8, seed=1, keep_bytes=1)
    assert np.array_equal(again.draw(5, 2, 4, 4).target, clips.draw(5, 2, 4, 4).target)
    other = ClipFolder(folder, 32, 8, seed=2)
    rounds = [np.concatenate([c.draw(step, 2, 4, 4).content for step in range(8)]) for c in (clips, other)]
    assert not np.array_equal(*rounds)


def test_memory_is_bounded(folder: Path) -> None:
    clips = ClipFolder(folder, 32, 8, keep_bytes=2 * 8 * 32 * 32 * 4)
    clips.draw(0, 4, 4, 4)
    assert len(clips._kept) == 2 and clips._kept.bytes == 2 * 8 * 32 * 32 * 4


def test_frames_are_cut_to_their_middle_and_scaled() -> None:
    wide = np.zeros((1, 2, 4, 4), np.uint8)
    wide[0, :, 1:3] = [[[10, 20, 30, 255], [40, 50, 60, 255]], [[1, 2, 3, 255], [4, 5, 6, 255]]]
    assert np.array_equal(fit_frames(wide, 2), wide[:, :, 1:3])
    assert np.array_equal(fit_frames(wide, 4), wide[:, :, 1:3].repeat(2, axis=1).repeat(2, axis=2))
    edge = np.zeros((1, 6, 6, 4), np.uint8)
    edge[:, :, :3] = (200, 100, 0, 255)
    edge[:, :, 3:, :3] = 255  # what is invisible must not bleed into what is resampled
    small = fit_frames(edge, 4)
    assert small.shape == (1, 4, 4, 4)
    assert (np.abs(small[small[..., 3] > 128][:, :3].astype(int) - (200, 100, 0)) <= 4).all()


def test_what_is_wrong_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="none of its 5 clips has 9 frames"):
        ClipFolder(folder, 32, 9)
    with pytest.raises(BitpuppetError, match="nowhere: cannot be listed"):
        ClipFolder(tmp_path / "nowhere", 32, 8)
    empty = tmp_path / ".hidden"
    with pytest.raises(BitpuppetError, match="no clips here"):
        ClipFolder(empty, 32, 8)
    (folder / "e.gif").write_bytes(b"GIF89a nonsense")
    with pytest.raises(BitpuppetError, match=r"e\.gif"):
        ClipFolder(folder, 32, 8)


def test_strips_with_empty_cells_count_what_shows(folder: Path) -> None:
    strip = np.zeros((8, 16, 16, 4), np.uint8)
    strip[:5, 4:8, 4:8] = 255
    write_strip(strip, folder / "z.png")
    assert count_frames(folder / "z.png") == 5


def test_frames_of_two_sizes_are_named_when_they_are_read(folder: Path) -> None:
    write_strip(np.full((1, 16, 16, 4), 255, np.uint8), folder / "a" / "9.png")
    clips = ClipFolder(folder, 32, 8)
    with pytest.raises(BitpuppetError, match=r"9\.png is 16x16"):
        clips.draw(0, 4, 4, 4)
