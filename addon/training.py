"""The training that the backend runs: how it goes, and what models and character sets there are.

A training belongs to the backend and not to the .blend: it goes on when another file is opened or Blender ends, and is
found again by asking the backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.errors import ClientError
from bitpuppet_client.events import Event, Failed, Finished, Previewed, Updated
from bitpuppet_client.jobs import TrainParams
from bitpuppet_client.message import Message
from bitpuppet_client.replies import LibraryPage, ModelCard, ModelChanged, ModelInfo, Statuses, Welcome
from bitpuppet_client.requests import DeleteModel, Library, ListJobs, RenameModel, Steer
from bitpuppet_client.status import JobStatus

from .core.cards import list_facts
from .core.curves import add_point
from .state import current

KIND = TrainParams.kind
_OPEN_STATES = ("queued", "running", "paused")


@dataclass
class Training:
    """What is known of it."""

    job: str = ""
    """The training that is shown; empty for none."""
    status: JobStatus | None = None
    curve: list[tuple[float, float]] = field(default_factory=list)
    """(step, loss)."""
    sample: NDArray[np.uint8] | None = None
    """The newest sample: one picture, (H, W, 4)."""
    sample_step: int = 0
    outcome: str = ""
    """How the last training, or the last question to the backend, ended: one sentence."""
    has_failed: bool = False
    models: list[ModelCard] = field(default_factory=list)
    sets: tuple[str, ...] = ()
    has_looked: bool = False
    """Whether `models` and `sets` were asked for."""
    met: Welcome | None = None
    """What the backend had said of itself before it told `models`: another one has others."""

    @property
    def is_open(self) -> bool:
        """Whether a training is under way."""
        return bool(self.job)


def get_training() -> Training:
    """That of the registered add-on."""
    extras = current().extras
    if "training" not in extras:
        extras["training"] = Training()
    found: Training = extras["training"]
    return found


def look() -> None:
    """Ask for models, sets and a training that is under way. Raises ClientError where there can be no backend."""
    training = get_training()
    training.outcome, training.has_failed, training.has_looked = "", False, True
    _ask_library(None, [])
    current().link.ask(ListJobs(states=_OPEN_STATES), _take_jobs)


def start(name: str, characters: str, base: str, minutes: int) -> str:
    """Begin a training; its id.

    Raises:
        ClientError: a name is none, or there can be no backend.
    """
    training, job = get_training(), str(uuid4())
    params = TrainParams(name, characters, base, minutes=minutes)
    current().link.submit(params, {}, _tell, job=job, previews=True)
    current().extras["training"] = Training(
        job, models=training.models, sets=training.sets, has_looked=training.has_looked, met=training.met
    )
    return job


def steer(action: str) -> None:
    """Pause, resume or finish the training. Raises ClientError where there can be no backend."""
    current().link.ask(Steer(get_training().job, action), _take_jobs)


def rename_model(name: str, to: str) -> None:
    """Give a model another name. Raises ClientError."""
    current().link.ask(RenameModel(name, to), _take_change)


def list_models() -> tuple[ModelInfo, ...]:
    """The backend's models, with those that it got since it was met, as far as it was asked."""
    training, link = get_training(), current().link
    if training.models and training.met is link.welcome:
        return tuple(card.model for card in training.models)
    return tuple(link.models)


def delete_model(name: str) -> None:
    """Remove a model for ever. Raises ClientError."""
    current().link.ask(DeleteModel(name), _take_change)


def describe_facts(card: ModelCard) -> list[tuple[str, str]]:
    """What a model's card says, as pairs of texts."""
    size, fingerprint = f"{card.bytes / 1e6:.1f} MB", card.model.fingerprint[:16]
    return [("Preset", card.model.preset), *list_facts(card.facts), ("Size", size), ("Fingerprint", fingerprint)]


def _ask_library(after: str | None, cards: list[ModelCard]) -> None:
    def take(reply: Message | None, error: str | None) -> None:
        training = get_training()
        if not isinstance(reply, LibraryPage):
            _note_failure(error)
            return
        cards.extend(reply.models)
        if reply.after is not None:
            _ask_library(reply.after, cards)
            return
        training.models, training.sets, training.met = cards, reply.sets, current().link.welcome

    current().link.ask(Library(after), take)


def _take_jobs(reply: Message | None, error: str | None) -> None:
    """Take up a training that the backend tells of."""
    training, link = get_training(), current().link
    if not isinstance(reply, Statuses):
        _note_failure(error)
        return
    for status in reply.statuses:
        if status.kind != KIND or status.is_final or training.job not in ("", status.job):
            continue
        training.job = status.job
        _take_status(status)
        if status.job not in link.jobs:
            link.attach(status.job, _tell, previews=True)


def _take_change(reply: Message | None, error: str | None) -> None:
    if not isinstance(reply, ModelChanged):
        _note_failure(error)
        return
    try:
        look()
    except ClientError as problem:
        _note_failure(str(problem))


def _tell(event: Event) -> None:
    """Take an event of the training. The link calls this, on the main thread."""
    training = get_training()
    if isinstance(event, Updated):
        _take_status(event.status)
    elif isinstance(event, Previewed):
        training.sample, training.sample_step = event.preview.parts["frames"][0], event.preview.step
    elif isinstance(event, Finished):
        training.outcome, training.has_failed = "The training is done; its model can be chosen as Preset", False
        current().link.acknowledge(event.result.job)
        _end()
    elif isinstance(event, Failed):
        training.has_failed = event.code != "cancelled"
        training.outcome = _begin_large(event.message) if training.has_failed else "The training was cancelled"
        _end()


def _take_status(status: JobStatus) -> None:
    training = get_training()
    if training.job != status.job or status.is_final:
        return  # after a final one comes Finished or Failed, which says it all
    training.status = status
    if status.loss is not None and status.step:
        add_point(training.curve, status.step, status.loss)


def _end() -> None:
    training = get_training()
    training.job = ""
    try:
        _ask_library(None, [])
    except ClientError:
        training.has_looked = False  # the panel offers to look again


def _note_failure(error: str | None) -> None:
    training = get_training()
    training.has_failed = True
    training.outcome = _begin_large(error or "the backend gave no answer")


def _begin_large(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
