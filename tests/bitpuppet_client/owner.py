"""The program that a background client works for."""

from __future__ import annotations

from typing import TypeVar
from uuid import uuid4

import numpy as np

from bitpuppet_client import messages
from bitpuppet_client.background import BackgroundClient
from bitpuppet_client.endpoint import read_endpoint
from bitpuppet_client.events import (
    Event,
    Failed,
    Finished,
    Previewed,
    Stopped,
    Updated,
)

from .fakes import PATIENCE, FakeServer, make_retarget, perform, wait_for

E = TypeVar("E", bound=Event)


class Owner:
    """A background client with all events that were taken from it."""

    def __init__(self, server: FakeServer, patience: float = PATIENCE) -> None:
        self.events: list[Event] = []
        self.client = BackgroundClient(lambda: read_endpoint(server.path), patience=patience)

    def expect(self, kind: type[E], job: str | None = None, count: int = 1) -> E:
        """Take events until so many of a kind, and about a job if one is named, are there; the last one of them."""

        def find() -> list[E]:
            self.events += self.client.drain(1.0)
            assert kind is Stopped or not any(isinstance(event, Stopped) for event in self.events), self.events
            return [event for event in self.events if isinstance(event, kind) and job in (None, name_job(event))]

        wait_for(lambda: len(find()) >= count, f"{kind.__name__} in {self.events}")
        return find()[-1]

    def count(self, kind: type[Event]) -> int:
        """How many events of a kind came so far."""
        self.events += self.client.drain(1.0)
        return sum(isinstance(event, kind) for event in self.events)


def name_job(event: Event) -> str | None:
    """The job that an event is about."""
    match event:
        case Updated(status):
            return status.job
        case Previewed(preview):
            return preview.job
        case Finished(result):
            return result.job
        case Failed(job):
            return job
    return None


def check_result(event: Finished, seed: int) -> None:
    """Demand the frames of this very job."""
    params, parts = make_retarget(seed)
    wanted = perform(messages.Submit(str(uuid4()), params, parts)).parts["frames"]
    assert event.result.report["seed"] == seed
    assert np.array_equal(event.result.parts["frames"], wanted)
