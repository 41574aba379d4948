"""A video file that is open: what its header says, and its pictures as they are decoded, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_PIXELS, clear_hidden
from bitpuppet.sprites.images import open_file
from bitpuppet.sprites.video.sampling import Moment

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LOSSLESS = ("gif", "png", "apng", "qtrle", "rawvideo", "ffv1", "huffyuv", "utvideo", "magicyuv", "bmp", "zmbv")
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these drop the alpha, which is a second picture beside the first."""
_DEFAULT_RATE = Fraction(25)
_MAX_RATE = 1000
_SEEK_SECONDS = 2
"""A range that begins sooner is reached by decoding, which is exact in files without an index too."""


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says, which may be wrong; nothing is decoded for it.

    `width`, `height`: pixels of a picture before it is turned. `rate`: pictures a second, on the average. `seconds`:
    its length, None where the file does not say. `codec`: FFmpeg's name. `alpha`: whether it has transparency.
    """

    width: int
    height: int
    rate: Fraction
    seconds: Fraction | None
    codec: str
    alpha: bool

    @property
    def lossless(self) -> bool:
        """Whether hard pixels survive the codec."""
        return self.codec in _LOSSLESS


class Video:
    """An open video; made by `open_video`."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        """Read what the header says, and refuse what has too many pixels."""
        self.path = path
        self._container = container
        self._stream = stream
        self.info = self._describe()
        self._origin: Fraction | None = None
        if self.info.width * self.info.height > MAX_PIXELS:
            raise BitpuppetError(
                f"{path} is {self.info.width}x{self.info.height}, the limit is {MAX_PIXELS // 1_000_000} million pixels"
                " a frame; scale it down in a video editor"
            )

    def decode(self, start: Fraction = Fraction(0)) -> Iterator[Moment[VideoFrame]]:
        """The pictures from the one that is shown at `start` seconds on, and perhaps some before it.

        Raises BitpuppetError when the file is damaged there.
        """
        last = Fraction(-1)
        for frame in self._decode_frames(start):
            base = frame.time_base or self._stream.time_base
            usual = 1 / self.info.rate
            time = last + usual if frame.pts is None or base is None else frame.pts * base - self._find_origin(frame)
            length = frame.duration * base if frame.duration and base is not None else usual
            last = max(time, last, Fraction(0))
            yield Moment(last, length, frame)

    def draw(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A decoded picture as RGBA (H, W, 4) with straight alpha, 0 where that is 0, turned as it is to be shown."""
        if frame.width * frame.height > MAX_PIXELS:  # sizes may change in the middle of a file
            raise BitpuppetError(f"{self.path} holds a picture of {frame.width}x{frame.height}, which is too large")
        with self._told_damage():
            pixels = np.asarray(frame.to_ndarray(format="rgba"), dtype=np.uint8)
        return turn_picture(clear_hidden(pixels) if self.info.alpha else pixels, find_matrix(frame))

    def _describe(self) -> VideoInfo:
        stream, context = self._stream, self._stream.codec_context
        rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
        seconds = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = stream.duration * stream.time_base
        elif self._container.duration is not None:
            seconds = Fraction(self._container.duration, 1_000_000)
        form = context.format
        alpha = stream.metadata.get("alpha_mode") == "1" or (
            form is not None and any(c.is_alpha for c in form.components)
        )
        rate = Fraction(rate) if 0 < rate <= _MAX_RATE else _DEFAULT_RATE
        return VideoInfo(context.width, context.height, rate, seconds, context.name, alpha)

    def _find_origin(self, frame: VideoFrame) -> Fraction:
        if self._origin is None:
            start, base = self._stream.start_time, self._stream.time_base
            if start is None or base is None:
                start, base = frame.pts or 0, frame.time_base
            self._origin = start * (base or Fraction(0))
        return self._origin

    def _decode_frames(self, start: Fraction) -> Iterator[VideoFrame]:
        import av

        stream, base = self._stream, self._stream.time_base
        with self._told_damage():
            if start > _SEEK_SECONDS and base is not None:
                offset = (stream.start_time or 0) + int(start / base)
                self._container.seek(offset, stream=stream, backward=True)
            decoder: Any = None
            if stream.metadata.get("alpha_mode") == "1" and (name := _ALPHA_DECODERS.get(stream.codec_context.name)):
                decoder = av.CodecContext.create(name, "r")
            for packet in self._container.demux(stream):
                yield from packet.decode() if decoder is None else decoder.decode(packet)

    @contextmanager
    def _told_damage(self) -> Iterator[None]:
        import av

        try:
            yield
        except av.error.FFmpegError as error:
            raise BitpuppetError(
                f"{self.path} is damaged or cut short ({error.strerror}); convert it again, or name an unharmed part "
                "with --range"
            ) from error


@contextmanager
def open_video(path: str | Path, data: BinaryIO | None = None) -> Iterator[Video]:
    """Open a video file for as long as the block lasts.

    `data`: the file's bytes where they are not on this disk; `path` is then only what messages call it.

    Only what the first bytes show to be MP4, MOV, Matroska, WebM, AVI, MPEG or GIF is opened, and only that file:
    playlists and references to other files or to the network are not followed.

    Raises BitpuppetError when the file is missing, empty, broken, no such video, has sound alone, or has more than
    MAX_PIXELS a frame.
    """
    import av
    from av.container import InputContainer

    path = Path(path)
    with open_file(path) if data is None else nullcontext(data) as file:
        form = _find_container(file, path)
        try:
            container = av.open(file, format=form, metadata_errors="ignore")
        except (av.error.FFmpegError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, av.error.FFmpegError) else "no text in its header"
            raise BitpuppetError(
                f"{path} is damaged or cut short ({reason}); copy it again, or convert it to mp4"
            ) from error
        with container:
            assert isinstance(container, InputContainer)
            yield Video(path, container, _find_stream(path, container))


def find_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """How a picture is to be turned: a, b, c, d of x' = a x + c y, y' = b x + d y; 1, 0, 0, 1 where nothing says it."""
    entries: Iterable[Any] = frame.side_data  # its annotations say str
    for data in entries:
        if data.type.name == "DISPLAYMATRIX" and data.buffer_size >= 20:
            numbers = np.frombuffer(bytes(data), dtype=np.int32, count=5)
            return int(numbers[0]), int(numbers[1]), int(numbers[3]), int(numbers[4])
    return 1, 0, 0, 1


def turn_picture(pixels: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A picture (H, W, C) as it is shown: turned by the nearest quarter, or mirrored; see `find_matrix`."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels, a, d = np.swapaxes(pixels, 0, 1), c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _find_container(file: BinaryIO, path: Path) -> str:
    """FFmpeg's name of the container, by the file's first bytes: a name may lie, and guessing opens playlists too."""
    head = file.read(16)
    file.seek(0)
    if not head:
        raise BitpuppetError(f"{path} is an empty file; export it again")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return "avi"
    if head.startswith((b"\0\0\1\xba", b"\0\0\1\xb3")):
        return "mpeg" if head[3] == 0xBA else "mpegvideo"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    raise BitpuppetError(f"{path} is no video that can be read; convert it to mp4, webm, mov, mkv, avi, mpg or gif")


def _find_stream(path: Path, container: InputContainer) -> VideoStream:
    # The picture on a record's sleeve is a video stream too.
    streams = [stream for stream in container.streams.video if not _is_sleeve(stream)]
    if not streams:
        if container.streams.audio:
            raise BitpuppetError(f"{path} has sound but no picture; give a file with a video track")
        raise BitpuppetError(f"{path} has no video track; give a file with one")
    stream = streams[0]
    if stream.codec_context is None:
        raise BitpuppetError(f"{path} is in a format of pictures that is unknown here; convert it to mp4")
    if not stream.codec_context.width or not stream.codec_context.height:
        raise BitpuppetError(f"{path} does not say how large its picture is; convert it again")
    return stream


def _is_sleeve(stream: VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)
