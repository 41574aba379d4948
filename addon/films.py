"""A video file, or numbered PNG files, read by the backend, and then source or motion. One film at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from uuid import uuid4

import bpy
import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.errors import ClientError
from bitpuppet_client.events import Failed, Finished, Updated
from bitpuppet_client.jobs import ReadParams
from bitpuppet_client.limits import MAX_PRIORITY
from bitpuppet_client.message import Message
from bitpuppet_client.requests import Health
from bitpuppet_client.schema import shorten

from .core import sequences
from .core.errors import ArtError
from .core.films import Cut, describe_cut, explain, read_bytes
from .core.pixels import wrap_frames
from .link import JobEvent
from .models import find_canvas
from .session import OWN, notify
from .state import current
from .takes import Take, store_take

WIDEST = 4096
"""Pixels across of the sheets that are made: a screen or two."""
TOPIC = "film"
"""Of what is told about films, which their panel shows."""


@dataclass
class Reading:
    """A film that is being read."""

    scene: str
    sheet: str
    name: str
    """Of its file."""
    cut: Cut
    model: str
    job: str = ""
    """The backend's id, once it was sent."""
    state: str = "sending"
    """As `describe_reading` has them."""
    step: int = 0
    steps: int = 0
    position: int = -1
    cancelled: bool = False


def find_reading() -> Reading | None:
    """The one that is under way."""
    found: Reading | None = current().extras.get("film")
    return found


def begin(scene: bpy.types.Scene, sheet: str) -> None:
    """Read the film of the panel, or the movie or image sequence that is chosen in place of a sheet.

    Args:
        scene: holds the settings.
        sheet: what its frames become, source or motion.

    Raises:
        ArtError, ClientError: it cannot be begun.
    """
    if find_reading() is not None:
        raise ArtError("A film is being read; wait until it is there, or cancel it")
    data = scene.bitpuppet
    path, cut = find_path(scene, sheet), data.film.to_cut()
    describe_cut(cut, 1)  # what is wrong with the settings alone is told at once
    reading = Reading(scene.name, sheet, path.name, cut, data.settings.model)
    rate = Fraction(scene.render.fps / scene.render.fps_base).limit_denominator(1001)
    is_sequence = path.suffix.lower() == sequences.SUFFIX
    load = partial(sequences.read_sequence, path, rate) if is_sequence else partial(read_bytes, path)
    # It connects, and starts the backend: only then its models are known, and with them the size of a frame.
    current().link.ask(Health(), partial(_load, reading, load))
    current().extras["film"] = reading


def find_path(scene: bpy.types.Scene, sheet: str) -> Path:
    """The film that would be read. Raises ArtError where none is chosen."""
    data = scene.bitpuppet
    image = getattr(data, sheet).image
    named = image.filepath if is_film(image) else data.film.path
    if not named:
        raise ArtError("No film is chosen; choose a video file, or the first of numbered PNG files, under Film")
    return Path(bpy.path.abspath(named))


def is_film(image: bpy.types.Image | None) -> bool:
    """Whether an image is a movie or an image sequence, whose frames can be read."""
    return image is not None and image.source in {"MOVIE", "SEQUENCE"}


def cancel() -> None:
    """Stop it; returns at once."""
    reading = find_reading()
    if reading is None:
        return
    reading.cancelled = True
    if reading.state == "sending":
        _end(reading, "")
    elif reading.state != "storing":
        current().link.cancel(reading.job)


def stop() -> None:
    """Let go of it, when another file is opened or the add-on is disabled."""
    cancel()
    current().extras.pop("film", None)


def _load(reading: Reading, load: Callable[[], NDArray[np.uint8]], reply: Message | None, error: str | None) -> None:
    if reading.cancelled:
        return
    if error is not None:
        _end(reading, error)
        return
    current().link.run(load, partial(_send, reading))


def _send(reading: Reading, video: NDArray[np.uint8] | None, error: Exception | None) -> None:
    if reading.cancelled:
        return
    if video is None:
        _end(reading, str(error))
        return
    try:
        canvas = find_canvas(reading.model) if reading.cut.sizing == "PRESET" else 0
        params = ReadParams(shorten(reading.name), **describe_cut(reading.cut, canvas))
        job, tell = str(uuid4()), partial(_tell, reading)
        current().link.submit(params, {"video": video}, tell, job=job, priority=MAX_PRIORITY, previews=False)
        reading.job, reading.state = job, "queued"
        _list_own().add(job)
    except (ArtError, ClientError) as problem:
        _end(reading, str(problem))


def _tell(reading: Reading, event: JobEvent) -> None:
    if isinstance(event, Updated) and not event.status.is_final:
        status = event.status
        reading.state = "running" if status.state == "running" else "queued"
        reading.step, reading.steps = status.step, status.steps
        reading.position = -1 if status.position is None else status.position
    elif isinstance(event, Failed):
        _list_own().discard(reading.job)
        _end(reading, "" if event.code == "cancelled" else explain(event.message))
    elif isinstance(event, Finished):
        _list_own().discard(reading.job)
        # The service need not keep what lies here: whatever happens now, the film can be read again.
        current().link.acknowledge(reading.job)
        if reading.cancelled:
            _end(reading, "")
            return
        reading.state = "storing"
        frames, fps = event.result.parts["frames"], event.result.report.get("fps")
        rows = wrap_frames(frames, WIDEST)
        rate = float(fps) if isinstance(fps, (int, float)) else 25.0
        take = Take(reading.scene, reading.sheet, reading.name, rows, rate, wrapped=len(rows) > 1)
        store_take(take, "read the film again", TOPIC, lambda: _end(reading, None))


def _list_own() -> set[str]:
    """Jobs of films that are not over, also of files that were closed: nobody but us acknowledges them."""
    own: set[str] = current().extras.setdefault(OWN, set())
    return own


def _end(reading: Reading, message: str | None) -> None:
    """It is over; a message of None leaves what is told as it is."""
    extras = current().extras
    if extras.get("film") is not reading:
        return  # another file was opened in between
    extras.pop("film")
    scene = bpy.data.scenes.get(reading.scene)
    if scene is not None and message is not None:
        notify(scene, message, topic=TOPIC)
