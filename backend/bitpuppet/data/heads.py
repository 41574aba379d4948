"""Videos of talking heads: which clips there are, who is in them, and pairs from the two halves of a clip."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.clips import Convert, Kept, Stretch, keep_frames, pack_batch
from bitpuppet.data.looks import change_look, draw_look
from bitpuppet.data.mixture import PairBatch
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import VIDEO_SUFFIXES, Crop, VideoSettings, probe_video, read_video

Frames = NDArray[np.uint8]
Watch = Callable[[str, int, int], None]
INDEX = "index.csv"
SUFFIXES = (*VIDEO_SUFFIXES, ".gif")
MOST_FPS = 25
ROOM = 1.9
"""Sides of the face that the side of a frame has."""
UNKNOWN_PEOPLE = ("p107", "p128")
"""People of the project's own data of whom training sees no clip."""
HELD_OUT_EVERY = 10
"""Of somebody in ten clips or more, one clip in so many is for tests; of somebody in fewer, the last one."""
TRAINED_SHARE = 2 / 3
"""Of somebody in one clip alone, training sees this share from its beginning; the rest is for tests."""
LEAST_FRAMES = 8
SHARE_RECOLOURED = 0.5
"""Pairs whose motion is read from recoloured frames, so that it does not say what colour anything has."""
SHARE_OTHER_CLIP = 0.5
"""Pairs whose content is from another clip of the person, where frames are learnt: so it will be when it is used.

Inside of a clip the camera and the shirt are the same, and a frame that is given tells where the head is.
"""

LOOKS = 4
"""Other looks of people in few clips, where motion is learnt."""
SHARE_OTHER_LOOK = 0.5
"""Pairs of these people that are in one of them."""


@dataclass(frozen=True)
class HeadClip:
    """A clip of one person, or a stretch of it.

    `face`: centre, width and height of the face in shares of the picture, on the average; None for the middle square.
    `part`: the stretch, in shares of its frames.
    """

    path: Path
    person: str
    face: tuple[float, float, float, float] | None = None
    part: tuple[float, float] = (0.0, 1.0)

    def read(self, canvas: int) -> Frames:
        """Frames (T, canvas, canvas, 4) at their own rate, at most 25 a second, cut to a square around the face.

        Raises:
            BitpuppetError: as `read_video`.
        """
        info = probe_video(self.path)
        crop = Crop() if self.face is None else find_box(self.face, info.width, info.height)
        settings = VideoSettings(crop=crop, size=(canvas, canvas), sampling="area")
        if info.rate > MOST_FPS:
            settings = replace(settings, fps=Fraction(MOST_FPS))
        return read_video(self.path, settings).frames

    def cut(self, frames: Stretch) -> Stretch:
        """The clip's part of all its frames, or of what they were converted to."""
        first, last = (round(share * len(frames)) for share in self.part)
        return frames[first:last]


def find_box(face: tuple[float, float, float, float], width: int, height: int) -> Crop:
    """The square around a face in a picture of this size, moved inwards where it would reach beyond it."""
    across, down, wide, high = face
    side = max(16, min(width, height, round(ROOM * max(wide * width, high * height))))
    left = min(max(0, round(across * width - side / 2)), max(0, width - side))
    top = min(max(0, round(down * height - side / 2)), max(0, height - side))
    return Crop((min(side, width), min(side, height)), (left, top))


@dataclass(frozen=True)
class HeadSplit:
    """Clips for training, and for tests of people that training knows and does not know."""

    training: tuple[HeadClip, ...]
    known: tuple[HeadClip, ...]
    unknown: tuple[HeadClip, ...]


def list_heads(root: Path) -> tuple[HeadClip, ...]:
    """The clips of a folder.

    With an `index.csv` they are its lines: file, identity, and face_cx, face_cy, face_w, face_h in shares of the
    picture (all four or none). Without, each video is a clip; those in one folder inside are of one person, all others
    each of a person of their own, and the middle square is taken.

    Raises:
        BitpuppetError: there is no such folder, nothing in it, or the index cannot be read.
    """
    index = root / INDEX
    try:
        if index.is_file():
            with index.open(encoding="utf-8", newline="") as file:
                clips = tuple(_read_line(root, line) for line in csv.DictReader(file))
        else:
            files = sorted(file for file in (*root.iterdir(), *root.glob("*/*")) if file.suffix.lower() in SUFFIXES)
            clips = tuple(HeadClip(file, file.stem if file.parent == root else file.parent.name) for file in files)
    except (OSError, UnicodeError, csv.Error) as error:
        raise BitpuppetError(f"--data {root}: cannot be read ({error}); name a folder of videos") from error
    except (KeyError, ValueError) as error:
        raise BitpuppetError(
            f"{index} has a line that cannot be read ({error}); it needs file and identity, and may have face_cx, "
            "face_cy, face_w and face_h from 0 to 1"
        ) from error
    if not clips:
        raise BitpuppetError(f"--data {root}: no videos here; put mp4, webm, mov or gif files into it")
    return clips


def split_heads(clips: tuple[HeadClip, ...], unknown: tuple[str, ...] = UNKNOWN_PEOPLE) -> HeadSplit:
    """Split by people, and those that training knows by clip.

    Of known people in several clips every tenth (of few the last one) is for tests; of those in a single clip the last
    third.
    """
    training: list[HeadClip] = []
    known: list[HeadClip] = []
    for person in dict.fromkeys(clip.person for clip in clips if clip.person not in unknown):
        own = [clip for clip in clips if clip.person == person]
        if len(own) == 1:
            training.append(replace(own[0], part=(0.0, TRAINED_SHARE)))
            known.append(replace(own[0], part=(TRAINED_SHARE, 1.0)))
            continue
        every = min(HELD_OUT_EVERY, len(own))
        held_out = range(every - 1, len(own), every)
        known += [own[n] for n in held_out]
        training += [clip for n, clip in enumerate(own) if n not in held_out]
    return HeadSplit(tuple(training), tuple(known), tuple(clip for clip in clips if clip.person in unknown))


class HeadSource:
    """Batches of pairs: content from one half of a clip; motion from the other half, which must come out (paper).

    A share of the content may be from another clip of the same person instead, as large a part of it. People in few
    clips may be seen in other looks, content, target and motion alike, as if they were more people.

    Everybody is drawn equally often whatever the number of clips, within a factor: by the square root of it. Every draw
    is a function of the seed and the step, so a run that is resumed sees what it would have seen.
    """

    def __init__(
        self,
        clips: tuple[HeadClip, ...],
        canvas: int,
        *,
        seed: int = 0,
        convert: Convert = keep_frames,
        share_other: float = 0.0,
        looks: int = 0,
    ) -> None:
        """Draw from clips.

        Args:
            clips: whose.
            canvas: its side in pixels.
            seed: of all draws.
            convert: makes of their frames what batches hold.
            share_other: pairs, 0..1, whose content is from another clip of the person, if there is one.
            looks: other looks of those in fewer than HELD_OUT_EVERY clips.

        Raises:
            BitpuppetError: there are no clips.
        """
        if not clips:
            raise BitpuppetError("training has no clips; add videos to --data")
        self.clips, self.canvas, self.seed = clips, canvas, seed
        self._convert, self._kept = convert, Kept()
        self._share_other, self._looks = share_other, looks
        self._people = {clip.person: [n for n, c in enumerate(clips) if c.person == clip.person] for clip in clips}
        weights = np.sqrt([len(own) for own in self._people.values()])
        self._chances = weights / weights.sum()

    def prepare(self, watch: Watch) -> None:
        """Read and convert all clips once, so that no step waits for it.

        Raises:
            BitpuppetError: a clip cannot be read, or is too short.
        """
        for number, clip in enumerate(self.clips):
            if len(self._read(number, 0)) < LEAST_FRAMES:
                raise BitpuppetError(f"{clip.path} has too few frames, {LEAST_FRAMES} are needed; remove it")
            for look in range(1, 2 + self._count_looks(clip.person)):
                self._read(number, look)
            watch("reading clips", number + 1, len(self.clips))

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        """The batch of one step; targets are frames at random, or `in_order` such as follow one another."""
        rng = np.random.default_rng([self.seed, step])
        contents, targets, drives, shown = [], [], [], []
        people = list(self._people.values())
        for _ in range(pairs):
            own = people[int(rng.choice(len(people), p=self._chances))]
            number = int(rng.choice(own))
            looks = self._count_looks(self.clips[number].person)
            look = 2 + int(rng.integers(looks)) if looks and rng.random() < SHARE_OTHER_LOOK else 0
            frames = self._read(number, look)
            first = int(rng.integers(2))
            taken = _draw_frames(rng, _halve(frames)[1 - first], target_frames, in_order)
            others = [other for other in own if other != number]
            if others and self._share_other and rng.random() < self._share_other:
                given = self._read(int(rng.choice(others)), look)
            else:
                given = frames
            contents.append(given[_draw_frames(rng, _halve(given)[first], content_frames, False)])
            shown.append(np.arange(content_frames) < rng.integers(1, content_frames + 1))
            targets.append(frames[taken])
            drives.append(self._read(number, look or int(rng.random() < SHARE_RECOLOURED))[taken])
        return pack_batch(np.stack(contents), np.stack(targets), motion=np.stack(drives), shown=np.stack(shown))

    def _count_looks(self, person: str) -> int:
        return self._looks if len(self._people[person]) < HELD_OUT_EVERY else 0

    def _read(self, number: int, look: int) -> Stretch:
        """A clip as it is (0), in other colours (1), or in one of the person's other looks; the same each time."""
        clip = self.clips[number]
        other = draw_look(np.random.default_rng([zlib.crc32(clip.person.encode()), look])) if look > 1 else None

        def read() -> Frames:
            frames = clip.read(self.canvas)
            if other is not None:
                return change_look(frames, other)
            if not look:
                return frames
            return recolour(frames, *draw_colour_map(np.random.default_rng(zlib.crc32(clip.path.name.encode()))))

        changes = f"{other.mirrored} {other.degrees:.3f} {other.zoom:.3f} " if other is not None else ""
        settings = f"head {self.canvas} {clip.face} {ROOM} {changes}{look}"
        return self._kept.find((number, look), lambda: clip.cut(self._convert(clip.path, settings, read)))


def _halve(frames: Stretch) -> list[NDArray[np.int64]]:
    """The numbers of its frames, in two parts."""
    return np.array_split(np.arange(len(frames)), 2)


def _draw_frames(rng: np.random.Generator, pool: NDArray[np.int64], count: int, in_order: bool) -> NDArray[np.int64]:
    """Numbers of frames; a stretch that is longer than the pool goes to and fro."""
    if not in_order:
        return rng.choice(pool, size=count, replace=len(pool) < count)
    there_and_back = np.concatenate([pool, pool[-2:0:-1]])
    start = int(rng.integers(max(1, len(pool) - count + 1)))
    return there_and_back[(start + np.arange(count)) % len(there_and_back)]


def _read_line(root: Path, line: dict[str, str]) -> HeadClip:
    face = [float(line[key]) for key in ("face_cx", "face_cy", "face_w", "face_h") if line.get(key)]
    if face and (len(face) != 4 or not all(0 <= value <= 1 for value in face)):
        raise ValueError(f"the face box of {line['file']}")
    box = (face[0], face[1], face[2], face[3]) if face else None
    return HeadClip(root / line["file"], line["identity"], box)
