"""Talking heads: which clips are for training and for tests, the box around a face, and the two halves of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.clips import ReadFrames
from bitpuppet.data.heads import HeadClip, HeadSource, find_box, list_heads, split_heads
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import write_gif

CLIPS = (
    *(HeadClip(Path(f"a{n}.mp4"), "anna") for n in range(20)),
    *(HeadClip(Path(f"b{n}.mp4"), "ben") for n in range(2)),
    HeadClip(Path("c.mp4"), "cleo"),
    HeadClip(Path("d.mp4"), "dan"),
)


class Numbered:
    """In the place of a codec: each frame is its number; recoloured ones are negative."""

    def __init__(self, frames: int = 40) -> None:
        self.frames, self.calls = frames, 0

    def __call__(self, source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        self.calls += 1
        sign = -1 if settings.endswith(" 1") else 1
        return np.arange(1, self.frames + 1, dtype=np.float16)[:, None, None] * sign


def test_training_never_sees_what_is_for_tests() -> None:
    split = split_heads(CLIPS, unknown=("dan",))
    assert [clip.person for clip in split.unknown] == ["dan"]
    assert {clip.path.name for clip in split.known} == {"a9.mp4", "a19.mp4", "b1.mp4", "c.mp4"}
    assert len(split.training) == 18 + 1 + 1
    stretches: dict[Path, list[NDArray[np.int_]]] = {}
    for clip in (*split.training, *split.known):
        stretches.setdefault(clip.path, []).append(clip.cut(np.arange(75, dtype=np.uint8)))
    assert all(len(np.unique(np.concatenate(parts))) == 75 for parts in stretches.values())
    assert sum(len(parts) for parts in stretches.values()) == 24  # Cleo's clip alone is cut, without a frame in both


def test_content_and_target_are_of_different_halves() -> None:
    source = HeadSource(CLIPS[20:22], 8, convert=Numbered())
    moved = set()
    for step in range(20):
        batch = source.draw(step, 2, 3, 6)
        content, target, motion = (part[..., 0, 0] for part in (batch.content, batch.target, batch.motion))
        assert ((content > 20).all(axis=1) != (target > 20).all(axis=1)).all()
        assert ((content <= 20).all(axis=1) != (target <= 20).all(axis=1)).all()
        assert np.array_equal(abs(motion), target)
        moved |= set(np.sign(motion[:, 0]).tolist())
        again = source.draw(step, 2, 3, 6)
        assert np.array_equal(again.target, batch.target) and np.array_equal(again.shown, batch.shown)
    assert moved == {1.0, -1.0}  # as they are, and recoloured


def test_content_may_be_from_another_clip_of_the_same_person() -> None:
    def mark(source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        return np.full((40, 1, 1), [clip.path for clip in CLIPS].index(source), dtype=np.float16)

    source = HeadSource((*CLIPS[:2], *CLIPS[20:23]), 8, convert=mark, share_other=0.5)
    batch = source.draw(0, 2000, 3, 1)
    content, target = batch.content[:, :, 0, 0], batch.target[:, 0, 0, 0]
    assert (content == content[:, :1]).all()  # one clip
    people = [CLIPS[int(number)].person for number in target]
    assert people == [CLIPS[int(number)].person for number in content[:, 0]]
    same = content[:, 0] == target
    assert same[target == 22].all()  # Cleo's only clip
    assert 0.45 < same[target != 22].mean() < 0.55


def test_people_in_few_clips_are_seen_in_other_looks() -> None:
    def mark(source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        look = int(settings.split()[-1])
        return np.full((40, 1, 1), look + 100 * source.name.startswith("a"), dtype=np.float16)

    source = HeadSource((*CLIPS[:12], *CLIPS[20:22]), 8, convert=mark, looks=3)
    batch = source.draw(0, 2000, 3, 1)
    content, target, motion = (part[:, 0, 0, 0] for part in (batch.content, batch.target, batch.motion))
    assert np.array_equal(content, target)
    many = target >= 100
    assert (target[many] == 100).all()  # Anna has clips enough
    assert set(target[~many]) == {0.0, 2.0, 3.0, 4.0}
    other = target[~many] > 0
    assert 0.45 < other.mean() < 0.55
    assert np.array_equal(motion[~many][other], target[~many][other])
    assert set(motion[~many][~other]) == {0.0, 1.0}  # recoloured for half of the others


def test_what_is_kept_of_a_look_is_of_that_person() -> None:
    asked: list[str] = []

    def note(source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        asked.append(settings)
        return np.zeros((40, 1, 1), dtype=np.float16)

    for person in ("ben", "bea"):
        HeadSource((HeadClip(Path("b0.mp4"), person),), 8, convert=note, looks=1).prepare(lambda *progress: None)
    ben, bea = asked[:3], asked[3:]
    assert ben[:2] == bea[:2] and ben[2] != bea[2]


def test_all_looks_are_read_beforehand() -> None:
    convert = Numbered()
    HeadSource((*CLIPS[:12], *CLIPS[20:22]), 8, convert=convert, looks=3).prepare(lambda *progress: None)
    assert convert.calls == 12 * 2 + 2 * 5


def test_stretches_follow_one_another() -> None:
    source = HeadSource(CLIPS[20:21], 8, convert=Numbered(16))
    for step in range(10):
        frames = source.draw(step, 1, 2, 12, in_order=True).target[0, :, 0, 0]
        assert (abs(np.diff(frames.astype(int))) == 1).all()  # to and fro, where the half is shorter


def test_people_are_drawn_evenly() -> None:
    def mark(source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        return np.full((40, 1, 1), source.name.startswith("c"), dtype=np.float16)

    batch = HeadSource((*CLIPS[:20], CLIPS[22]), 8, convert=mark).draw(0, 2000, 1, 1)
    assert 0.14 < batch.target.mean() < 0.23  # 1 / (1 + sqrt(20)), against 1 / 21 by clips


def test_clips_are_converted_once_and_short_ones_told() -> None:
    convert = Numbered()
    source = HeadSource(CLIPS[20:23], 8, convert=convert)
    told: list[tuple[str, int, int]] = []
    source.prepare(lambda *progress: told.append(progress))
    assert convert.calls == 6 and [done for _, done, _ in told] == [1, 2, 3]
    source.draw(0, 4, 2, 2)
    assert convert.calls == 6
    with pytest.raises(BitpuppetError, match=r"b0\.mp4 has too few frames"):
        HeadSource(CLIPS[20:23], 8, convert=Numbered(7)).prepare(lambda *progress: None)


def test_the_box_stays_in_the_picture() -> None:
    crop = find_box((0.5, 0.5, 0.2, 0.4), 200, 100)
    assert crop.size == (76, 76) and crop.place == (62, 12)
    crop = find_box((0.0, 1.0, 0.2, 0.4), 200, 100)
    assert crop.size == (76, 76) and crop.place == (0, 24)
    crop = find_box((0.5, 0.5, 1.0, 1.0), 200, 100)
    assert crop.size == (100, 100) and crop.place == (50, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people: one clip beside an index or alone, two in a folder."""
    frames = np.zeros((20, 40, 60, 4), dtype=np.uint8)
    frames[..., 3] = 255
    frames[:, :, 40:, 0] = np.arange(20, dtype=np.uint8)[:, None, None] * 12
    (tmp_path / "eve").mkdir()
    for name in ("solo.gif", "eve/1.gif", "eve/2.gif"):
        write_gif(frames, tmp_path / name, [40] * 20)
    return tmp_path


def test_folders_name_people_where_there_is_no_index(folder: Path) -> None:
    clips = list_heads(folder)
    assert sorted((clip.person, clip.path.name) for clip in clips) == [
        ("eve", "1.gif"),
        ("eve", "2.gif"),
        ("solo", "solo.gif"),
    ]
    frames = clips[0].read(16)
    assert frames.shape == (20, 16, 16, 4)  # the middle square: 40 pixels of which the last ten are coloured
    assert frames[-1, :, :11, 0].max() == 0 and frames[-1, :, 13:, 0].min() > 150


def test_an_index_names_people_and_boxes(folder: Path) -> None:
    (folder / "index.csv").write_text(
        "file,identity,face_cx,face_cy,face_w,face_h\nsolo.gif,p1,0.9,0.5,0.15,0.2\neve/1.gif,p2,,,,\n"
    )
    first, second = list_heads(folder)
    assert (first.person, second.person, second.face) == ("p1", "p2", None)
    assert first.read(16)[-1, :, :, 0].min() > 150  # the right edge, where all is coloured


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("file,identity\n", "no videos here"),
        ("file\nsolo.gif\n", "cannot be read .*'identity'"),
        ("file,identity,face_cx\nsolo.gif,p1,0.5\n", "face box of solo"),
        ("file,identity,face_cx,face_cy,face_w,face_h\nsolo.gif,p1,a,b,c,d\n", "cannot be read"),
    ],
)
def test_a_wrong_index_is_told(folder: Path, text: str, match: str) -> None:
    (folder / "index.csv").write_text(text)
    with pytest.raises(BitpuppetError, match=match):
        list_heads(folder)
    with pytest.raises(BitpuppetError, match="cannot be read"):
        list_heads(folder / "nowhere")
