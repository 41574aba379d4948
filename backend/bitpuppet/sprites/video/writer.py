"""Clips to videos: mp4, webm with alpha, mov with alpha; written bit by bit, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import Clip, check_frames
from bitpuppet.sprites.scale import enlarge_frames
from bitpuppet.sprites.video.sampling import MAX_HARD_COLOURS, count_durations
from bitpuppet.sprites.writer import check_path, hide_path

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_PLAYER_SIDE = 256
"""Pixels to which small pixel art is enlarged for mp4, by a whole factor: an mp4 has one colour for 2x2 pixels."""
_BACKGROUND = 255
"""Level of the grey that shows through in mp4, which has no alpha."""
_NICE_RATES = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))
_MS = Fraction(1, 1000)


@dataclass(frozen=True)
class _Codec:
    name: str
    muxer: str
    pixels: str
    """FFmpeg's pixel format where there is alpha, and where there is none."""
    opaque: str
    options: dict[str, str]


# Frames that are stored in another order (bf) would leave the length of the last one open.
_CODECS = {
    "mp4": _Codec("libx264", "mp4", "yuv420p", "yuv420p", {"crf": "16", "preset": "medium", "bf": "0"}),
    "webm": _Codec("libvpx-vp9", "webm", "yuva420p", "yuv420p", {"crf": "16", "cpu-used": "4", "auto-alt-ref": "0"}),
    "mov": _Codec("prores_ks", "mov", "yuva444p10le", "yuv444p10le", {"profile": "4", "alpha_bits": "16"}),
}
VIDEO_FORMATS: dict[str, tuple[str, ...]] = {"mp4": (".mp4", ".m4v"), "webm": (".webm",), "mov": (".mov",)}
"""What can be written here, and how the names end."""


class VideoWriter:
    """Writes frames one by one; use it in a `with` block. The file appears at the end of the block, if nothing failed.

    mp4 (H.264) is for showing: it has no alpha, which becomes white, and odd sides get one more row or column. webm
    (VP9) keeps soft alpha, with one colour for 2x2 pixels. mov (ProRes 4444) keeps soft alpha and nearly all colour.
    """

    def __init__(self, path: str | Path, form: str, rate: Fraction, *, alpha: bool = True, exact: bool = False) -> None:
        """Check the path; nothing is written yet.

        Args:
            path: the file, which ends as VIDEO_FORMATS says.
            form: one of VIDEO_FORMATS.
            rate: frames a second; where frames have durations of their own, about how many.
            alpha: whether frames may be transparent; opaque webm files play in more players.
            exact: keep hard edges in webm: all is as it was but for colours, of which 2x2 pixels share one.

        Raises:
            BitpuppetError: it could not be written there.
        """
        check_path(path, VIDEO_FORMATS[form])
        self.path = Path(path)
        self._codec = _CODECS[form]
        self._options = dict(self._codec.options)
        if exact and form == "webm":
            del self._options["crf"]  # VP9 takes one of the two
            self._options["lossless"] = "1"
        self._rate = rate
        self._alpha = alpha and self._codec.pixels != self._codec.opaque
        self._hidden = hide_path(self.path)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._varying = False
        self._time = 0
        self._lengths: dict[int, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open a file of another name."""
        import av

        self._stack.callback(self._hidden.unlink, missing_ok=True)
        with self._told_failure():
            # "file:" so that no name is taken for a protocol.
            options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if self._codec.muxer != "webm" else {})
            container = av.open(f"file:{self._hidden}", "w", format=self._codec.muxer, container_options=options)
            self._container = self._stack.enter_context(container)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file and give it its name, or drop it when something went wrong."""
        with self._stack:
            if kind is None and self._container is not None and self._stream is not None:
                with self._told_failure():
                    self._mux(None)
                    self._container.close()
                    os.replace(self._hidden, self.path)

    def write(self, frame: NDArray[np.uint8], duration_ms: int | None = None) -> None:
        """Add a frame RGBA (H, W, 4), all of one size; its duration in milliseconds, or 1 / rate for all of them."""
        from av.video.frame import VideoFrame

        if self._stream is None:
            self._varying = duration_ms is not None
            self._stream = self._add_stream(frame)
        if not self._alpha:
            frame = _flatten(frame, even=self._codec.muxer == "mp4")
        base, length = (_MS, duration_ms or 1) if self._varying else (1 / self._rate, 1)
        with self._told_failure():
            picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgba")
            picture = picture.reformat(format=self._codec.pixels if self._alpha else self._codec.opaque)
            picture.pts, picture.time_base, picture.duration = self._time, base, length
            self._lengths[self._time] = length
            self._time += length
            self._mux(picture)

    def _add_stream(self, frame: NDArray[np.uint8]) -> VideoStream:
        from av.video.stream import VideoStream

        assert self._container is not None
        with self._told_failure():
            stream = self._container.add_stream(self._codec.name, rate=self._rate, options=self._options)
            assert isinstance(stream, VideoStream)
            height, width, _ = frame.shape
            if self._codec.muxer == "mp4":
                height, width = height + height % 2, width + width % 2
            stream.height, stream.width = height, width
            stream.pix_fmt = self._codec.pixels if self._alpha else self._codec.opaque
            if self._codec.muxer == "webm":
                stream.bit_rate = 0  # the quality decides
            stream.codec_context.time_base = _MS if self._varying else 1 / self._rate
        return stream

    def _mux(self, picture: VideoFrame | None) -> None:
        """Encode a picture, or what is left where there is none, and write what comes out."""
        assert self._container is not None and self._stream is not None
        for packet in self._stream.encode(picture):
            # Encoders drop durations, and nothing else says how long the last picture is shown.
            if packet.pts is not None and (length := self._lengths.pop(packet.pts, None)):
                packet.duration = length
            self._container.mux(packet)

    @contextmanager
    def _told_failure(self) -> Iterator[None]:
        import av

        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            reason = error.strerror or type(error).__name__
            raise BitpuppetError(
                f"{self.path} cannot be written ({reason}); free space, choose another folder or another format"
            ) from error


def write_video(clip: Clip, path: str | Path, form: str) -> None:
    """Write a clip with its durations as mp4, webm or mov; see `VideoWriter`.

    Durations that are a constant rate but for their rounding become one. Pixel art below 256 pixels is enlarged in
    mp4 by a whole factor. Raises BitpuppetError when it cannot be written; then the file is as it was before.
    """
    check_frames(clip.frames)
    rate, constant = find_rate(clip.durations_ms)
    frames = clip.frames
    hard = _is_pixel_art(frames)
    factor = _PLAYER_SIDE // max(clip.width, clip.height) if form == "mp4" and hard else 1
    alpha = bool((frames[..., 3] < 255).any())
    with VideoWriter(path, form, rate, alpha=alpha, exact=hard) as writer:
        for frame, duration in zip(frames, clip.durations_ms, strict=True):
            shown = enlarge_frames(frame[None], factor)[0] if factor > 1 else frame
            writer.write(shown, None if constant else duration)


def find_rate(durations_ms: Sequence[int]) -> tuple[Fraction, bool]:
    """Frames a second that such durations in milliseconds mean, and whether they are constant but for rounding."""
    average = Fraction(1000 * len(durations_ms), sum(durations_ms))
    usual = (Fraction(round(average) or 1), *_NICE_RATES)
    ideals = {rate: count_durations(rate, 0, len(durations_ms)) for rate in (*usual, average)}
    for rate in usual:
        if ideals[rate] == tuple(durations_ms):
            return rate, True
    for rate in (*usual, average):
        close = all(abs(one - other) <= 1 for one, other in zip(durations_ms, ideals[rate], strict=True))
        if close and abs(sum(durations_ms) - sum(ideals[rate])) <= 1:
            return rate, True
    return average.limit_denominator(100_000), False


def _is_pixel_art(frames: NDArray[np.uint8]) -> bool:
    return len(np.unique(np.ascontiguousarray(frames).view(np.uint32))) <= MAX_HARD_COLOURS


def _flatten(frame: NDArray[np.uint8], *, even: bool) -> NDArray[np.uint8]:
    """A frame on the background, opaque; its sides made even where the codec asks for that."""
    height, width, _ = frame.shape
    size = (width + width % 2, height + height % 2) if even else (width, height)
    ground = Image.new("RGBA", size, (_BACKGROUND,) * 3 + (255,))
    ground.alpha_composite(Image.fromarray(np.ascontiguousarray(frame)))
    return np.asarray(ground)
