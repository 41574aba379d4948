"""A folder of clips, for presets that read clips: each clip is cross-driven with itself, as in the paper."""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.data.mixture import PairBatch
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import read_clip
from bitpuppet.sprites.images import read_size

Frames = NDArray[np.uint8]
Stretch = NDArray[Any]
"""Frames, uint8 (T, H, W, 4), or a codec's tokens of them, float16 (T, N, D)."""
ReadFrames = Callable[[], Frames]
FILES = (".png", ".apng", ".gif")
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error)


class Convert(Protocol):
    """Makes of a clip's frames what batches hold; the latents of a codec are kept on disk this way."""

    def __call__(self, source: Path, settings: str, read: ReadFrames) -> Stretch:
        """Convert what `read` returns, which depends on the file or folder `source` and on `settings` alone."""
        ...


def keep_frames(source: Path, settings: str, read: ReadFrames) -> Stretch:
    """The frames as they are."""
    return read()


class Kept:
    """The clips that were used last, in memory."""

    def __init__(self, most_bytes: int = 2 << 30) -> None:
        self.bytes = 0
        self._most = most_bytes
        self._clips: OrderedDict[Hashable, Stretch] = OrderedDict()

    def find(self, key: Hashable, read: Callable[[], Stretch]) -> Stretch:
        """The clip that is kept under `key`, or what `read` returns."""
        if key in self._clips:
            self._clips.move_to_end(key)
            return self._clips[key]
        clip = self._clips[key] = read()
        self.bytes += clip.nbytes
        while self.bytes > self._most and len(self._clips) > 1:
            self.bytes -= self._clips.popitem(last=False)[1].nbytes
        return clip

    def __len__(self) -> int:
        """How many there are."""
        return len(self._clips)


def pack_batch(
    content: Stretch, target: Stretch, *, motion: Stretch | None = None, shown: NDArray[np.bool_] | None = None
) -> PairBatch:
    """A batch of clips, (B, N, ...) and twice (B, T, ...), whose pixels are not chosen among colours.

    Without `motion` the target drives itself, without `shown` all content frames count.
    """
    pairs, frames = content.shape[:2]
    return PairBatch(
        content=content,
        shown=np.ones((pairs, frames), dtype=np.bool_) if shown is None else shown,
        target=target,
        motion=target if motion is None else motion,
        colours=np.zeros((pairs, 0, 3), dtype=np.uint8),
        counts=np.zeros(pairs, dtype=np.int64),
        wanted=np.zeros((pairs, target.shape[1], 0, 0), dtype=np.uint8),
        numbers=np.zeros((pairs, frames, 0, 0), dtype=np.uint8),
    )


class ClipFolder:
    """Batches of pairs from clips: content is the first half of a stretch of frames, the target its second half.

    Each entry of the folder is one clip: a folder of PNG frames, a GIF or APNG, or a PNG strip of square frames. Frames
    are cut to their middle square and scaled to the canvas. Every clip comes once in each round, in an order that
    depends on the seed and the round alone, so a run that is resumed sees what it would have seen.
    """

    def __init__(
        self,
        folder: Path,
        canvas: int,
        frames: int,
        *,
        seed: int = 0,
        keep_bytes: int = 2 << 30,
        convert: Convert = keep_frames,
    ) -> None:
        """List the clips of a folder.

        Args:
            folder: holds the clips.
            canvas: side of the frames that are drawn, in pixels.
            frames: frames of a stretch, halved; shorter clips are left out.
            seed: of the order and of where stretches begin.
            keep_bytes: clips that are kept in memory.
            convert: makes of their frames what batches hold.

        Raises:
            BitpuppetError: there is no such folder, a clip cannot be read, or none is long enough.
        """
        self.canvas, self.seed = canvas, seed
        self.clips: list[Path] = []
        self.left_out: list[Path] = []
        """Clips that are too short."""
        for path in _list_clips(folder):
            (self.clips if count_frames(path) >= frames else self.left_out).append(path)
        if not self.clips:
            short = f"none of its {len(self.left_out)} clips has {frames} frames or more; add longer ones"
            empty = "no clips here; put folders of PNG frames, GIFs or strips of square frames into it"
            raise BitpuppetError(f"--data {folder}: {short if self.left_out else empty}")
        self._convert, self._kept = convert, Kept(keep_bytes)

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.clips)

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = True
    ) -> PairBatch:
        """The batch of one step.

        Frames always follow one another, whatever `in_order` says: the paper reads clips in both stages. The colours
        `wanted` and `numbers` of the batch are empty, since latents have no palette.
        """
        stretches = [self._draw_stretch(step * pairs + i, content_frames + target_frames) for i in range(pairs)]
        joined = np.stack(stretches)
        return pack_batch(joined[:, :content_frames], joined[:, content_frames:])

    def _draw_stretch(self, number: int, frames: int) -> Stretch:
        turn, place = divmod(number, len(self.clips))
        order = np.random.default_rng([self.seed, 0, turn]).permutation(len(self.clips))
        clip = self._read(self.clips[order[place]])
        if len(clip) < frames:
            raise BitpuppetError(f"{self.clips[order[place]]} has {len(clip)} frames, {frames} are needed; remove it")
        start = int(np.random.default_rng([self.seed, 1, number]).integers(len(clip) - frames + 1))
        return clip[start : start + frames]

    def _read(self, path: Path) -> Stretch:
        def read() -> Frames:
            return fit_frames(read_clip(path, _find_frame(path)).frames, self.canvas)

        return self._kept.find(path, lambda: self._convert(path, f"clip {self.canvas}", read))


def count_frames(path: Path) -> int:
    """How many frames a clip has, from file names and headers; only strips are decoded, since empty cells do not count.

    Raises:
        BitpuppetError: the file cannot be read.
    """
    if path.is_dir():
        return sum(file.suffix.lower() in FILES and not file.name.startswith(".") for file in path.iterdir())
    read_size(path)  # says what is wrong with a file that is no image
    try:
        with Image.open(path, formats=("PNG", "GIF")) as image:
            frames = int(getattr(image, "n_frames", 1))
    except _UNREADABLE as error:
        raise BitpuppetError(f"{path} is damaged or cut short ({error}); export it again or remove it") from error
    if frames > 1 or path.suffix.lower() == ".gif":
        return frames
    return len(read_clip(path, _find_frame(path)))


def fit_frames(frames: Frames, side: int) -> Frames:
    """The middle square of frames (T, H, W, 4), scaled to (T, side, side, 4).

    Enlarging by a whole number keeps pixels sharp; all else is resampled, with colours weighted by alpha.
    """
    height, width = frames.shape[1:3]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    frames = frames[:, top : top + square, left : left + square]
    if square == side:
        return np.ascontiguousarray(frames)
    if side % square == 0:
        return frames.repeat(side // square, axis=1).repeat(side // square, axis=2)
    return np.stack([_resample(frame, side) for frame in frames])


def _resample(frame: Frames, side: int) -> Frames:
    image = Image.fromarray(np.ascontiguousarray(frame)).convert("RGBa")
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS).convert("RGBA"))


def _list_clips(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise BitpuppetError(f"--data {folder}: cannot be listed ({error.strerror}); name a folder of clips") from error
    return [e for e in entries if not e.name.startswith(".") and (e.is_dir() or e.suffix.lower() in FILES)]


def _find_frame(path: Path) -> tuple[int, int] | None:
    """Width and height of the frames of a strip of squares; None where the file itself tells them."""
    if path.is_dir() or path.suffix.lower() != ".png":
        return None
    width, height = read_size(path)
    return (height, height) if width % height == 0 else None
