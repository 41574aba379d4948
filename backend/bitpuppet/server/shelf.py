"""What jobs put on the disk: how much may lie there, how long, and where it waits when the disk refuses it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from bitpuppet.server.files import INPUTS, RESULTS, JobFiles
from bitpuppet.server.record import Job
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import Settings
from bitpuppet.server.store import Store, StoreError
from bitpuppet_client.parts import Array, Parts

_MEMORY_BYTES = 32 << 20
"""Inputs that are kept in memory, too: what runs soon need not be read again."""


class Shelf:
    """Inputs and results of jobs, within the limits of the settings.

    A result that the disk refuses is held in memory, where it can be fetched, and written as soon as there is room.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        """Open the folders of files beside the database. Raises StoreError."""
        self._settings, self._store = settings, store
        self._files = JobFiles(settings.store, settings.reserve_bytes)
        self._held: dict[str, Parts] = {}
        self._inputs: dict[str, Parts] = {}
        """Those of the inputs that are in memory, too; who was submitted first runs first, so new ones find no room."""
        self._inputs_bytes = 0
        self.bytes = store.count_bytes()
        """Of all files."""

    @property
    def is_waiting(self) -> bool:
        """Whether results wait in memory for room on the disk."""
        return bool(self._held)

    def make_room(self, needed: int, job: str) -> None:
        """Let acknowledged results go until `needed` bytes fit. Raises Refusal when they do not."""
        if self._has_room(needed) or self._evict(lambda: self._has_room(needed)):
            return
        most = self._settings.store_bytes
        if self.bytes + needed > most:
            raise Refusal(
                "store_full",
                f"the server's store holds {self.bytes >> 20} of {most >> 20} MiB; fetch and acknowledge results, "
                "or start the server with a larger --store-bytes",
                job=job,
            )
        raise Refusal("store_full", "the disk of the server's store is nearly full; make room on it", job=job)

    def put_input(self, job: Job, parts: Parts) -> None:
        """Write what a job needs. Raises StoreError."""
        job.input_bytes = self._files.write(INPUTS, job.id, parts)
        self.bytes += job.input_bytes
        size = sum(array.nbytes for array in parts.values())
        if self._inputs_bytes + size <= _MEMORY_BYTES:
            self._inputs[job.id] = parts
            self._inputs_bytes += size

    def read_input(self, job: Job) -> Mapping[str, Array]:
        """What a job needs, which leaves the memory then. Raises StoreError."""
        parts = self._forget_input(job.id)
        if parts is not None:
            return parts
        return self._files.read(INPUTS, job.id) if job.input_bytes else {}

    def has_input(self, job: Job) -> bool:
        """Whether what a job needs is still there."""
        return not job.input_bytes or self._files.holds(INPUTS, job.id)

    def drop_input(self, job: str, size: int, *, delete: bool = True) -> None:
        """No longer count what a job needed, `size` bytes, and delete it, and what a training kept to go on."""
        self.bytes -= size
        self._forget_input(job)
        if delete:
            self._files.delete(INPUTS, job)
            self._files.delete_run(job)

    def put_result(self, job: Job, parts: Parts) -> StoreError | None:
        """Keep a result; what is wrong with the disk, if the result had to stay in memory."""
        job.has_result = True
        try:
            self._write_result(job, parts)
        except StoreError as error:
            self._held[job.id] = {name: array.copy() for name, array in parts.items()}
            return error
        return None

    def read_result(self, job: Job) -> Mapping[str, Array]:
        """A result's arrays. Raises StoreError."""
        if job.id in self._held:
            return self._held[job.id]
        return self._files.read(RESULTS, job.id) if job.result_bytes else {}

    def release(self, job: Job) -> None:
        """Let an acknowledged result go that was held in memory."""
        if self._held.pop(job.id, None) is not None:
            job.has_result = False

    def drop_result(self, job: Job) -> None:
        """Remove a result."""
        self._files.delete(RESULTS, job.id)
        self._held.pop(job.id, None)
        self.bytes -= job.result_bytes
        job.result_bytes, job.has_result = 0, False

    def write_held(self, find: Callable[[str], Job]) -> Iterator[Job]:
        """Try again what the disk refused: the jobs whose result lies there now. Raises StoreError."""
        for name in list(self._held):
            job = find(name)
            self._write_result(job, self._held[name])
            del self._held[name]
            yield job

    def probe(self) -> None:
        """Raise StoreError unless files can be written."""
        self._files.probe()

    def sweep(self, age: float) -> int:
        """Let some results go that were acknowledged or kept for long enough. Raises StoreError.

        Args:
            age: now, by the store's clock.

        Returns:
            How many went; there may be more.
        """
        gone = 0
        kept = self._store.count_acknowledged_bytes()
        for job in self._store.list_acknowledged():
            is_young = (job.acknowledged or 0.0) + self._settings.keep_seconds > age
            if is_young and kept <= self._settings.keep_bytes:
                break
            kept -= job.result_bytes
            self._forget(job)
            gone += 1
        for job in self._store.list_ended_before(age - self._settings.unclaimed_seconds):
            self._forget(job)
            gone += 1
        return gone

    def tidy(self, live: Mapping[str, Job]) -> None:
        """Remove files that belong to no job, such as a kill leaves between two steps. Raises StoreError."""
        self._files.sweep(INPUTS, live.keys())
        self._files.sweep_runs(live.keys())
        self._files.sweep(RESULTS, self._store.list_results())

    def _forget_input(self, job: str) -> Parts | None:
        """Take an input out of the memory."""
        parts = self._inputs.pop(job, None)
        if parts is not None:
            self._inputs_bytes -= sum(array.nbytes for array in parts.values())
        return parts

    def _write_result(self, job: Job, parts: Parts) -> None:
        try:
            job.result_bytes = self._files.write(RESULTS, job.id, parts)
        except StoreError:
            self._evict(lambda: False)
            job.result_bytes = self._files.write(RESULTS, job.id, parts)
        self.bytes += job.result_bytes

    def _has_room(self, needed: int) -> bool:
        if self.bytes + needed > self._settings.store_bytes:
            return False
        return self._files.count_free_bytes() - needed >= self._settings.reserve_bytes

    def _evict(self, is_enough: Callable[[], bool]) -> bool:
        """Let acknowledged results go, oldest first, until it is enough; whether it was."""
        with contextlib.suppress(StoreError):
            while some := self._store.list_acknowledged():
                for job in some:
                    self._forget(job)
                    if is_enough():
                        return True
        return False

    def _forget(self, job: Job) -> None:
        self.drop_result(job)
        self._store.delete([job.id])
