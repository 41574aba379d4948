"""The jobs of this Blender session: starts them, and puts what the backend tells into the file.

No reference to Blender's data lives longer than a call: undo and opening a file free it. Jobs are known by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import bpy
import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.errors import ClientError
from bitpuppet_client.events import Event, Failed, Finished, Previewed, Updated

from . import results
from .asks import Strip, finish_strips, make_palette, make_params
from .core.errors import ArtError
from .core.records import JobRecord, read_record
from .core.texts import LABELS, name_result
from .state import current
from .training import get_training

OWN = "film_jobs"
"""Where jobs are noted that are no entries of a file."""
CODEC_WORDS = "Autoencoder in Blender's preferences"
"""What the backend says where a model lacks its image autoencoder."""
MAX_JOBS = 200
"""Entries of the history; beyond that the oldest that are over are let go, their images stay."""
_REMEDIES = {
    "crashed": "bitpuppet.show_log",
    "internal": "bitpuppet.show_log",
    "version": "bitpuppet.open_preferences",
    "unsupported": "bitpuppet.open_preferences",
    "unknown_model": "bitpuppet.open_preferences",
}


@dataclass
class Session:
    """What is known of the jobs beside what the file knows."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each job's scene and entry, in case that undo takes the entry away."""
    previews: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """The newest preview (T, H, W, 4) of each running job."""
    storing: set[str] = field(default_factory=set)
    """Jobs whose result is here and not yet in the file."""


def get_session() -> Session:
    """The session of the registered add-on."""
    extras = current().extras
    if "session" not in extras:
        extras["session"] = Session()
    found: Session = extras["session"]
    return found


def start(scene: bpy.types.Scene, record: JobRecord, parts: Mapping[str, NDArray[Any]]) -> str:
    """Send a job to the backend, and add it to the scene's history.

    Returns:
        The job's id.

    Raises:
        ArtError, ClientError: it cannot be sent; the file is as it was.
    """
    job = str(uuid4())
    current().link.submit(make_params(record), {**parts, **make_palette(record)}, tell, job=job, previews=True)
    add_entry(scene, job, record)
    return job


def add_entry(scene: bpy.types.Scene, job: str, record: JobRecord, state: str = "waiting") -> Any:
    """Add a job to the scene's history, newest first, and select it."""
    jobs = scene.bitpuppet.jobs
    item = jobs.add()
    item.job, item.kind, item.state, item.record = job, record.kind, state, record.to_text()
    item.title = name_result(record.kind, record.source.image or record.motion.image, record.motion.image)
    item.created = datetime.now().strftime("%Y-%m-%d %H:%M")
    jobs.move(len(jobs) - 1, 0)
    scene.bitpuppet.active_job = 0
    _trim(scene)
    get_session().kept[job] = _copy_entry(scene, jobs[0])
    return jobs[0]


def remove_entry(job: str) -> None:
    """Take a job out of the history of every scene; what it made stays."""
    for scene in bpy.data.scenes:
        jobs = scene.bitpuppet.jobs
        for place in reversed(range(len(jobs))):
            if jobs[place].job == job:
                jobs.remove(place)
                if scene.bitpuppet.active_job >= max(1, len(jobs)) or scene.bitpuppet.active_job > place:
                    scene.bitpuppet.active_job = max(0, scene.bitpuppet.active_job - 1)
    get_session().kept.pop(job, None)
    get_session().previews.pop(job, None)


def find_entries(job: str) -> list[tuple[bpy.types.Scene, Any]]:
    """Each entry of a job, with its scene: a copied scene has a copy of it."""
    return [(scene, item) for scene in bpy.data.scenes for item in scene.bitpuppet.jobs if item.job == job]


def tell(event: Event) -> None:
    """Put an event of a job into the file. The link calls this, on the main thread."""
    if isinstance(event, Updated):
        status = event.status
        if not status.is_final:
            # After this one comes Finished or Failed, which says it all.
            values = {"step": status.step, "steps": status.steps, "state": status.state}
            values["position"] = -1 if status.position is None else status.position
            values["eta"] = -1.0 if status.eta_seconds is None else status.eta_seconds
            _set(status.job, values)
    elif isinstance(event, Previewed):
        get_session().previews[event.preview.job] = event.preview.parts["frames"]
    elif isinstance(event, Finished):
        _take_result(event.result.job, event.result.parts, event.result.report)
    elif isinstance(event, Failed):
        _fail(event.job, event.code, event.message)


def notify(scene: bpy.types.Scene, message: str, remedy: str = "", topic: str = "") -> None:
    """Show a sentence at the top of the tab, with the button of an operator that helps.

    Args:
        scene: keeps it.
        message: the sentence; empty for none.
        remedy: `bl_idname` of the operator; empty for none.
        topic: the panel that shows it as well, such as "film", since the top may be out of sight; empty for none.
    """
    data = scene.bitpuppet
    data.notice, data.remedy, data.topic = message, remedy, topic


def take_up_file() -> None:
    """After a file was opened: let go of the old file's jobs, and ask the backend for those of the new one."""
    link = current().link
    for job in link.jobs:
        # A training is the backend's, whatever file is open, and a film's frames are thrown away when they come.
        if job != get_training().job and job not in current().extras.get(OWN, ()):
            link.forget(job)
    current().extras.pop("session", None)
    for job in {item.job for scene in bpy.data.scenes for item in scene.bitpuppet.jobs if item.is_open}:
        _set(job, {"state": "waiting", "position": -1, "eta": -1.0})
        try:
            link.attach(job, tell, previews=True)
        except ClientError as error:
            _set(job, {"message": str(error)})


def reconcile() -> None:
    """After undo or redo: an entry that waits for a job which is over says so."""
    session, link = get_session(), current().link
    under_way = {*link.jobs, *session.storing}
    for scene in bpy.data.scenes:
        for item in scene.bitpuppet.jobs:
            if item.is_open and item.job not in under_way:
                item.state, item.message = "cancelled", "Undone; Redo brings the result back, Restore and run it again"


def cancel(job: str) -> None:
    """Stop a job; its entry says so once the backend has answered."""
    current().link.cancel(job)


def _take_result(job: str, parts: Mapping[str, NDArray[Any]], report: Mapping[str, Any]) -> None:
    entries = _find_or_bring_back(job)
    if not entries:
        return  # of another file: the backend keeps it until that is opened
    session = get_session()
    try:
        record = read_record(entries[0][1].record)
        if record.kind == "tokens":
            _take_tokens(entries[0][0], job, record, parts["tokens"])
            return
        strip = None
        if record.kind == "decode":
            strip = results.read_frames(bpy.data.images.get(record.strip))
    except (ArtError, ClientError) as error:
        _fail(job, "failed", str(error), getattr(error, "remedy", ""))
        return
    _set(job, {"state": "storing"})
    session.storing.add(job)
    # Coding a PNG takes longer than a tick may.
    store = partial(_store, job, record, dict(report), parts.get("tokens"))
    current().link.run(partial(finish_strips, record, parts, report, strip), store)


def _store(
    job: str,
    record: JobRecord,
    report: dict[str, Any],
    mixed: NDArray[np.uint16] | None,
    strips: list[Strip] | None,
    error: BaseException | None,
) -> None:
    session = get_session()
    if job not in session.storing:
        return  # another file was opened in between
    session.storing.discard(job)
    entries = _find_or_bring_back(job)
    if error is not None or strips is None:
        _fail(job, "failed", str(error), getattr(error, "remedy", ""))
        return
    if not entries:
        return
    scene, item = entries[0]
    images = [
        results.store_result(
            item.title if number == 1 else f"{item.title} {number}", strip, job, record, report, number
        )
        for number, strip in enumerate(strips, 1)
    ]
    for _, each in entries:
        each.image, each.state, each.message = images[0], "done", ""
        each.title = images[0].name
    if record.kind == "decode":
        from .decoding import keep_plan_tokens  # late: see above

        keep_plan_tokens(images[0], record, mixed)
    settings = scene.bitpuppet.settings
    if settings.reuse and settings.output is None:
        settings.output = images[0]
    if settings.show:
        results.show_image(images[0])
    session.previews.pop(job, None)
    session.kept.pop(job, None)
    current().link.acknowledge(job)
    _push_undo(f"{LABELS[record.kind]} Result")


def _take_tokens(scene: bpy.types.Scene, job: str, record: JobRecord, tokens: NDArray[np.uint16]) -> None:
    image = bpy.data.images.get(record.strip)
    if image is None:
        raise ArtError(f'The strip "{record.strip}" is gone, so its motion has nowhere to go; undo its deletion')
    results.keep_tokens(image, tokens)
    remove_entry(job)  # it was a step on the way, and has no picture
    current().link.acknowledge(job)
    if record.poses:  # it was read in order to be drawn
        from .decoding import start_decode  # late: it starts jobs by this module

        try:
            start_decode(scene, replace(record, kind="decode"))
        except (ArtError, ClientError) as error:
            notify(scene, str(error), getattr(error, "remedy", ""))


def _fail(job: str, code: str, message: str, remedy: str = "") -> None:
    entries = _find_or_bring_back(job)
    state = "cancelled" if code == "cancelled" else "failed"
    if code == "unknown_job":
        message = "The backend does not know this job any more; Restore its settings and run it again"
    if CODEC_WORDS in message:
        remedy = "bitpuppet.open_preferences"
    for scene, item in entries:
        item.state, item.message = state, "" if state == "cancelled" else message
        if state == "failed":
            notify(scene, message, remedy or _REMEDIES.get(code, ""))
    session = get_session()
    session.previews.pop(job, None)
    session.kept.pop(job, None)


def _set(job: str, values: Mapping[str, Any]) -> None:
    for _, item in _find_or_bring_back(job):
        for name, value in values.items():
            if getattr(item, name) != value:
                setattr(item, name, value)


def _find_or_bring_back(job: str) -> list[tuple[bpy.types.Scene, Any]]:
    """The entries of a job; where undo took its only one away, it is made again, since the job goes on."""
    entries = find_entries(job)
    kept = get_session().kept.get(job)
    if entries or kept is None:
        return entries
    scene = bpy.data.scenes.get(kept["scene"]) or bpy.data.scenes[0]
    item = add_entry(scene, job, read_record(kept["record"]))
    item.title, item.created = kept["title"], kept["created"]
    return [(scene, item)]


def _copy_entry(scene: bpy.types.Scene, item: Any) -> dict[str, Any]:
    return {"scene": scene.name, "record": item.record, "title": item.title, "created": item.created}


def _trim(scene: bpy.types.Scene) -> None:
    jobs = scene.bitpuppet.jobs
    for place in reversed(range(len(jobs))):
        if len(jobs) <= MAX_JOBS:
            return
        if not jobs[place].is_open:
            jobs.remove(place)


def _push_undo(message: str) -> None:
    """Let undo step over a result instead of tearing it apart; only a window has an undo stack."""
    windows = bpy.context.window_manager.windows if bpy.context.window_manager else ()
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=message)
