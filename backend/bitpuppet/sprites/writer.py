"""Clips to files, whole or not at all: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.animation import encode_apng, encode_gif
from bitpuppet.sprites.clip import Clip, check_frames
from bitpuppet.sprites.contact import draw_contact_sheet

_FRAME_NAME = "frame-{:04d}.png"


def write_strip(frames: NDArray[np.uint8], path: str | Path) -> None:
    """Write frames (T, H, W, 4) side by side as one PNG row; every byte of RGBA is kept, also RGB under alpha 0.

    This and all other writers raise BitpuppetError when the folder does not exist, the path is a folder, the suffix
    is not the format's, or the disk refuses; then the file is as it was before.
    """
    check_frames(frames)
    target = _check_target(path, (".png",))
    _replace(target, encode_png(rearrange(frames, "t h w c -> h (t w) c")))


def write_sheet(clips: Sequence[Clip], path: str | Path) -> None:
    """Write clips as a PNG sheet, one row each; short rows end in transparent cells. Frames must be of one size."""
    sizes = {(clip.width, clip.height) for clip in clips}
    if len(sizes) != 1:
        named = ", ".join(f"{width}x{height}" for width, height in sorted(sizes)) or "no clips"
        raise BitpuppetError(f"{path}: a sheet needs frames of one size, not {named}; write one file for each size")
    target = _check_target(path, (".png",))
    ((width, height),) = sizes
    sheet = np.zeros((len(clips), max(map(len, clips)), height, width, 4), dtype=np.uint8)
    for row, clip in zip(sheet, clips, strict=True):
        row[: len(clip)] = clip.frames
    _replace(target, encode_png(rearrange(sheet, "r t h w c -> (r h) (t w) c")))


def write_gif(frames: NDArray[np.uint8], path: str | Path, durations_ms: Sequence[int] = ()) -> None:
    """Write frames (T, H, W, 4) as a looping GIF; durations are rounded to 10 ms, and 100 ms each when not given.

    GIF knows no half-transparent pixels: alpha from 128 up is opaque. Up to 255 colours are exact, more are reduced.
    """
    target = _check_target(path, (".gif",))
    _replace(target, encode_gif(frames, durations_ms))


def write_apng(frames: NDArray[np.uint8], path: str | Path, durations_ms: Sequence[int] = ()) -> None:
    """Write frames (T, H, W, 4) as a looping APNG; every byte and every duration (ms, at most 65535) is kept."""
    target = _check_target(path, (".png", ".apng"))
    _replace(target, encode_apng(frames, durations_ms))


def write_frames(frames: NDArray[np.uint8], folder: str | Path) -> None:
    """Write frames (T, H, W, 4) as frame-0000.png, frame-0001.png, ... in a folder, which is made when missing.

    Frames of the same name are replaced. Raises BitpuppetError when other frames are in the folder, since these
    would be read as part of the clip.
    """
    check_frames(frames)
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise BitpuppetError(f"{target} is a file; name a folder for the frames")
    _check_folder(target.parent)
    images = {_FRAME_NAME.format(index): encode_png(frame) for index, frame in enumerate(frames)}
    if target.is_dir():
        strange = sorted(file.name for file in target.glob("*.png") if file.name not in images)
        if strange:
            raise BitpuppetError(f"{target} holds other frames ({strange[0]}); empty it or name a new folder")
        for name, data in images.items():
            _replace(target / name, data)
        return
    hidden = hide_path(target)

    def make_folder() -> None:
        hidden.mkdir()
        for name, data in images.items():
            (hidden / name).write_bytes(data)
        hidden.rename(target)

    _run(target, make_folder, lambda: shutil.rmtree(hidden, ignore_errors=True))


def write_contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], path: str | Path, scale: int = 4) -> None:
    """Write labelled clips under one another as a PNG to look at. `scale` is a whole number from 1 up.

    `rows`: pairs of a label and frames (T, H, W, 4); lengths and sizes may differ.
    """
    target = _check_target(path, (".png",))
    _replace(target, encode_png(draw_contact_sheet(rows, scale)))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of RGBA pixels (H, W, 4), every byte kept."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG")
    return buffer.getvalue()


def check_strip_path(path: str | Path) -> None:
    """Raise BitpuppetError when `write_strip` could not write to `path`: better before the work than after it."""
    _check_target(path, (".png",))


def write_bytes(data: bytes, path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Write a file of another kind in the same way; its name ends in one of `suffixes`, such as (".json",)."""
    _replace(_check_target(path, suffixes), data)


def check_path(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Raise BitpuppetError when `write_bytes` could not write to `path`."""
    _check_target(path, suffixes)


def _check_target(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise BitpuppetError(f"{target} is a folder; name a file that ends in {suffixes[0]}")
    if target.suffix.lower() not in suffixes:
        raise BitpuppetError(f"{target} does not end in {' or '.join(suffixes)}; change the suffix")
    _check_folder(target.parent)
    return target


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BitpuppetError(f"the folder {folder} does not exist; create it first")


def hide_path(target: Path) -> Path:
    """A name beside `target` that nobody uses. Beside it, because a rename is atomic only within a file system."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")


def _replace(target: Path, data: bytes) -> None:
    hidden = hide_path(target)

    def write() -> None:
        with hidden.open("xb") as file:
            file.write(data)
        os.replace(hidden, target)

    _run(target, write, lambda: hidden.unlink(missing_ok=True))


def _run(target: Path, write: Callable[[], None], clean: Callable[[], None]) -> None:
    """Write; when that fails in any way (also by Ctrl-C), leave nothing half written behind."""
    try:
        write()
    except OSError as error:
        clean()
        reason = error.strerror or type(error).__name__
        raise BitpuppetError(f"{target} cannot be written ({reason}); free space or choose another folder") from error
    except BaseException:
        clean()
        raise
