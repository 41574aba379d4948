"""From the panels' settings to a job: reads the pixels, cuts the frames, asks the backend."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .core.errors import ArtError
from .core.palettes import pack, unpack
from .core.records import JobRecord, SheetRecord
from .core.sheets import SheetSettings, cut_sheet
from .images import check_image, read_pixels
from .palettes import find_palette, read_palette
from .session import start

PIXELS = ("colours", "orphans", "patterns", "outline")
"""Settings of exact pixels beside palette lock and hard alpha."""
MAX_RANDOM_SEED = 10**9
"""Short enough to read aloud; the field takes longer ones."""


@dataclass
class Reader:
    """Reads images for several jobs, each image once."""

    pixels: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def read(self, image: bpy.types.Image | None, what: str) -> NDArray[np.uint8]:
        """All pixels (H, W, 4). Raises ArtError, see `images.check_image`."""
        image = check_image(image, what)
        if image.name_full not in self.pixels:
            self.pixels[image.name_full] = read_pixels(image, what)
        return self.pixels[image.name_full]

    def cut(self, image: bpy.types.Image | None, cut: SheetSettings, what: str) -> NDArray[np.uint8]:
        """The frames (N, H, W, 4) of a sheet. Raises ArtError."""
        pixels = self.read(image, what)
        assert image is not None
        return cut_sheet(f'"{image.name}"', pixels, cut)


def start_job(
    scene: bpy.types.Scene,
    kind: str,
    source: tuple[bpy.types.Image | None, SheetSettings] | None = None,
    motion: tuple[bpy.types.Image | None, SheetSettings] | None = None,
    reader: Reader | None = None,
) -> str:
    """Start a job with the scene's settings.

    Args:
        scene: holds settings and history.
        kind: retarget, extend or loop.
        source: image and cut; None for the panel's.
        motion: image and cut; None for the panel's.
        reader: shared by the jobs of a batch.

    Returns:
        The job's id.

    Raises:
        ArtError, ClientError: it cannot be started; the file is as it was.
    """
    data, reader = scene.bitpuppet, reader or Reader()
    source = source or (data.source.image, data.source.to_settings())
    motion = motion or (data.motion.image, data.motion.to_settings())
    record = make_record(scene, kind)
    parts = {"motion": reader.cut(*motion, "the driving motion")}
    record = replace(record, motion=_name_sheet(*motion))
    if kind == "retarget" or data.settings.as_source:
        parts["content"] = reader.cut(*source, "the source character")
        record = replace(record, source=_name_sheet(*source))
    return start(scene, record, parts)


def make_record(scene: bpy.types.Scene, kind: str) -> JobRecord:
    """The settings of the panel as a record, with a new seed where it is not locked; no images yet."""
    settings = scene.bitpuppet.settings
    if not settings.lock_seed:
        settings.seed = draw_seed()
    lock, alpha = settings.switches
    return JobRecord(
        kind=kind,
        model=settings.model,
        seed=settings.seed,
        steps=settings.steps,
        palette_lock=getattr(settings, lock),
        hard_alpha=getattr(settings, alpha),
        **{name: getattr(settings, name) for name in PIXELS},
        palette=pack(read_palette(settings.palette)) if settings.palette is not None else (),
        palette_name=settings.palette.name if settings.palette is not None else "",
        anchor=settings.anchor,
        count=settings.count,
        temperature=settings.temperature,
        top_p=settings.top_p,
        variations=settings.variations,
        fps=settings.fps,
        target=settings.output.name if settings.reuse and settings.output is not None else "",
    )


def restore_record(scene: bpy.types.Scene, record: JobRecord) -> list[str]:
    """Set the panel as it was for a job.

    Returns:
        Names of images that are not in the file any more.
    """
    data, missing = scene.bitpuppet, []
    for sheet, kept in ((data.source, record.source), (data.motion, record.motion)):
        if not kept.image:
            continue
        image = bpy.data.images.get(kept.image)
        if image is None:
            missing.append(kept.image)
        sheet.take(image, kept.cut)
    settings = data.settings
    for name in ("model", "seed", "steps", *PIXELS, "anchor", "fps"):
        setattr(settings, name, getattr(record, name))
    for name, value in zip(settings.switches, (record.palette_lock, record.hard_alpha), strict=True):
        setattr(settings, name, value)
    settings.palette = find_palette(record.palette_name, unpack(record.palette)) if record.palette else None
    if record.kind in ("extend", "loop"):
        for name in ("count", "temperature", "top_p", "variations"):
            setattr(settings, name, getattr(record, name))
        settings.as_source = bool(record.source.image)
    settings.lock_seed = True  # or the next job would not have this seed
    return missing


def draw_seed() -> str:
    """A new random seed."""
    return str(secrets.randbelow(MAX_RANDOM_SEED))


def read_cut(kept: SheetRecord) -> NDArray[np.uint8] | None:
    """The frames that a record names, or None where the image is gone or cannot be cut that way any more."""
    image = bpy.data.images.get(kept.image) if kept.image else None
    if image is None:
        return None
    try:
        return Reader().cut(image, kept.cut, "an image")
    except ArtError:
        return None


def _name_sheet(image: bpy.types.Image | None, cut: SheetSettings) -> SheetRecord:
    assert image is not None
    return SheetRecord(image.name, cut)
