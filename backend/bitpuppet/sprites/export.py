"""One clip to a file, or to the few that a format has: strip, sheet, frames, GIF, APNG, Aseprite, its JSON, video."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import Clip
from bitpuppet.sprites.formats.aseprite_writer import encode_aseprite
from bitpuppet.sprites.formats.atlas_writer import draw_packed_sheet, encode_atlas
from bitpuppet.sprites.formats.files import ASEPRITE_SUFFIXES, ATLAS_SUFFIX
from bitpuppet.sprites.video.writer import VIDEO_FORMATS, write_video
from bitpuppet.sprites.writer import (
    check_path,
    encode_png,
    write_apng,
    write_bytes,
    write_frames,
    write_gif,
    write_sheet,
    write_strip,
)

FORMATS: dict[str, tuple[str, ...]] = {
    "strip": (".png",),
    "sheet": (".png",),
    "apng": (".png", ".apng"),
    "gif": (".gif",),
    "frames": (),
    "aseprite": ASEPRITE_SUFFIXES,
    "json": (ATLAS_SUFFIX,),
    "json-hash": (ATLAS_SUFFIX,),
    **VIDEO_FORMATS,
}
"""What can be written, and how the names of its files end; of several formats with one ending, the first is meant.
Frames go into a folder, whose name may be any: they are written only where that is asked for."""


def find_format(path: Path, wanted: str | None = None) -> str:
    """The format of an output: the one that is wanted, else the one that the name's ending says.

    Raises BitpuppetError when there is no such format, or the name does not end like that.
    """
    suffix = path.suffix.lower()
    if wanted is not None:
        if wanted not in FORMATS:
            raise BitpuppetError(f"there is no format {wanted!r}; use one of {', '.join(FORMATS)}")
        if FORMATS[wanted] and suffix not in FORMATS[wanted]:
            ends = " or ".join(FORMATS[wanted])
            raise BitpuppetError(f"{path} does not end in {ends}, as the format {wanted} does; change one of them")
        return wanted
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    *others, last = dict.fromkeys(end for suffixes in FORMATS.values() for end in suffixes)
    raise BitpuppetError(f"{path} does not end in {', '.join(others)} or {last}; change the suffix")


def list_outputs(path: Path, wanted: str | None = None) -> tuple[Path, ...]:
    """The files that `write_clip` would write, the one that was named first; errors as in `find_format`."""
    if find_format(path, wanted) in ("json", "json-hash"):
        return path, path.with_suffix(".png")
    return (path,)


def check_output(path: Path, wanted: str | None = None) -> None:
    """Raise BitpuppetError when `write_clip` could not write to `path`: better before the work than after it."""
    if wanted != "frames" and path.is_dir():
        raise BitpuppetError(f"{path} is a folder; name a file that ends in .png, or take the format frames")
    chosen = find_format(path, wanted)
    if chosen == "frames":
        if path.exists() and not path.is_dir():
            raise BitpuppetError(f"{path} is a file; name a folder for the frames")
        if not path.parent.is_dir():
            raise BitpuppetError(f"the folder {path.parent} does not exist; create it first")
        return
    for one in list_outputs(path, wanted):
        check_path(one, (one.suffix.lower(),))


def write_clip(clip: Clip, path: Path, wanted: str | None = None) -> tuple[Path, ...]:
    """Write a clip in the format that is wanted, or that the name's ending says; see FORMATS.

    A strip, a sheet and single frames have neither durations nor tags; a sheet has one row for each tag, or for each
    row that the clip came from. GIF, APNG and videos have durations, and play a tag's direction where one tag is the
    whole clip. The Aseprite formats have all of it; `json` writes the sheet beside it, as a PNG of the same name.

    Returns the files (or the folder) written, the one that was named first. Each is whole or as it was before. Raises
    BitpuppetError as `find_format`, or when a file cannot be written.
    """
    chosen = find_format(path, wanted)
    if chosen == "strip":
        write_strip(clip.frames, path)
    elif chosen == "sheet":
        write_sheet(_split_rows(clip), path)
    elif chosen == "frames":
        write_frames(clip.frames, path)
    elif chosen in ("gif", "apng"):
        played = _unroll(clip)
        (write_gif if chosen == "gif" else write_apng)(played.frames, path, played.durations_ms)
    elif chosen in VIDEO_FORMATS:
        write_video(_unroll(clip), path, chosen)
    elif chosen == "aseprite":
        write_bytes(encode_aseprite(clip), path, ASEPRITE_SUFFIXES)
    else:
        image = path.with_suffix(".png")
        # The image first: a JSON never names a sheet that is not there.
        write_bytes(encode_png(draw_packed_sheet(clip)), image, (".png",))
        write_bytes(encode_atlas(clip, image.name, as_hash=chosen == "json-hash"), path, (ATLAS_SUFFIX,))
    return list_outputs(path, wanted)


def _split_rows(clip: Clip) -> list[Clip]:
    """One clip for each row of a sheet: by tags where they divide the clip, else by the rows that it came from."""
    place = 0
    for tag in clip.tags:
        if tag.first != place:
            break
        place = tag.last + 1
    if clip.tags and place == len(clip):
        return [clip.cut(tag.first, tag.last) for tag in clip.tags]
    rows = []
    start = 0
    for _, group in groupby(clip.rows):
        count = len(list(group))
        rows.append(clip.cut(start, start + count - 1))
        start += count
    return rows


def _unroll(clip: Clip) -> Clip:
    """The clip as it plays: a GIF or a video knows no directions."""
    for tag in clip.tags:
        if tag.first == 0 and tag.last == len(clip) - 1 and tag.direction != "forward":
            order = tag.list_played()
            durations = tuple(clip.durations_ms[number] for number in order)
            return Clip(clip.frames[np.array(order)], durations, name=clip.name)
    return clip
