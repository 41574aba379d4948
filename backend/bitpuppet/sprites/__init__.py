"""Sheets, grids, palettes, exact pixels and videos: numpy, Pillow and PyAV. All other rooms may use this one."""

from __future__ import annotations

from bitpuppet.sprites.anchor import (
    Anchor,
    ContentBox,
    count_cut_pixels,
    find_baseline,
    find_content_box,
    place_clip,
    place_like,
    restore_clip,
)
from bitpuppet.sprites.animation import encode_apng, encode_gif
from bitpuppet.sprites.clip import DEFAULT_DURATION_MS, MAX_FRAMES, MAX_PIXELS, Clip, EmptyArtError, clear_hidden
from bitpuppet.sprites.contact import draw_contact_sheet
from bitpuppet.sprites.exact import Exact, ExactSettings, make_exact
from bitpuppet.sprites.export import FORMATS, check_output, find_format, list_outputs, write_clip
from bitpuppet.sprites.grid import MIN_CONFIDENCE, Grid, GridGuess, cut_grid, find_grid
from bitpuppet.sprites.oklab import oklab_to_srgb, srgb_to_oklab
from bitpuppet.sprites.palette import collect_palette, snap_frames
from bitpuppet.sprites.palette_files import read_palette
from bitpuppet.sprites.reader import read_clip
from bitpuppet.sprites.scale import enlarge_frames, find_pixel_scale, reduce_frames
from bitpuppet.sprites.tags import Slice, SliceKey, Tag
from bitpuppet.sprites.video.container import VideoInfo
from bitpuppet.sprites.video.reader import probe_video, read_video, read_windows
from bitpuppet.sprites.video.settings import (
    VIDEO_OPTIONS,
    VIDEO_SUFFIXES,
    WHOLE_VIDEOS,
    Crop,
    Videos,
    VideoSettings,
    is_video,
)
from bitpuppet.sprites.video.writer import VideoWriter, write_video
from bitpuppet.sprites.writer import (
    check_strip_path,
    write_apng,
    write_contact_sheet,
    write_frames,
    write_gif,
    write_sheet,
    write_strip,
)

__all__ = [
    "DEFAULT_DURATION_MS",
    "FORMATS",
    "MAX_FRAMES",
    "MAX_PIXELS",
    "MIN_CONFIDENCE",
    "VIDEO_OPTIONS",
    "VIDEO_SUFFIXES",
    "WHOLE_VIDEOS",
    "Anchor",
    "Clip",
    "ContentBox",
    "Crop",
    "EmptyArtError",
    "Exact",
    "ExactSettings",
    "Grid",
    "GridGuess",
    "Slice",
    "SliceKey",
    "Tag",
    "VideoInfo",
    "VideoSettings",
    "VideoWriter",
    "Videos",
    "check_output",
    "check_strip_path",
    "clear_hidden",
    "collect_palette",
    "count_cut_pixels",
    "cut_grid",
    "draw_contact_sheet",
    "encode_apng",
    "encode_gif",
    "enlarge_frames",
    "find_baseline",
    "find_content_box",
    "find_format",
    "find_grid",
    "find_pixel_scale",
    "is_video",
    "list_outputs",
    "make_exact",
    "oklab_to_srgb",
    "place_clip",
    "place_like",
    "probe_video",
    "read_clip",
    "read_palette",
    "read_video",
    "read_windows",
    "reduce_frames",
    "restore_clip",
    "snap_frames",
    "srgb_to_oklab",
    "write_apng",
    "write_clip",
    "write_contact_sheet",
    "write_frames",
    "write_gif",
    "write_sheet",
    "write_strip",
    "write_video",
]
