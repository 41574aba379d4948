"""The files of jobs: one safetensors file for what a job needs, one for its result, and a folder for a training.

Names are job ids, which are checked UUIDs: nothing that a client sends becomes a path.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bitpuppet.server.store import explain
from bitpuppet_client.parts import Parts
from bitpuppet_client.schema import check_job

INPUTS, RESULTS, RUNS = "inputs", "results", "trainings"
_PROBE_BYTES = 1 << 16
_SUFFIX = ".safetensors"


class JobFiles:
    """What jobs keep in three folders beside the database."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        """Make the folders.

        Args:
            folder: the store.
            reserve_bytes: free space of the disk that is left alone.

        Raises:
            StoreError: they cannot be made or written to.
        """
        self.folder = folder
        self._rooms = {name: folder / name for name in (INPUTS, RESULTS)}
        self.reserve_bytes = reserve_bytes
        try:
            for name in (INPUTS, RESULTS, RUNS):
                (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"it cannot be written ({error.strerror})"
            raise explain(folder, reason, "check the permissions, or name another folder with --store") from error
        self.probe(0)

    def probe(self, size: int = _PROBE_BYTES) -> None:
        """Raise StoreError unless a file of this size can be written."""
        path = self.folder / INPUTS / ".probe.partial"
        try:
            path.write_bytes(bytes(size))
            path.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            reason = f"it cannot be written ({error.strerror})"
            raise explain(self.folder, reason, "make room on the disk, or check the permissions") from error

    def count_free_bytes(self) -> int:
        """Room on the disk."""
        try:
            return shutil.disk_usage(self.folder).free
        except OSError:
            return 0

    def write(self, room: str, job: str, parts: Parts) -> int:
        """Write the arrays of a job, under a temporary name first; nothing at all for a job without arrays.

        Returns:
            The file's size in bytes.

        Raises:
            StoreError: the disk is full or the folder cannot be written; nothing is left behind.
        """
        if not parts:
            return 0
        path = self._find(room, job)
        partial = self._rooms[room] / f".{job}{_SUFFIX}.partial"
        data = save({name: np.ascontiguousarray(array) for name, array in parts.items()})
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            reason = f"it cannot be written ({error.strerror})"
            raise explain(self.folder, reason, "make room on the disk, or check the permissions") from error
        return len(data)

    def read(self, room: str, job: str) -> dict[str, np.ndarray]:
        """The arrays of a job.

        Raises:
            StoreError: the file is missing or damaged.
        """
        path, remedy = self._find(room, job), "submit the job again"
        try:
            return load(path.read_bytes())
        except OSError as error:
            raise explain(path, f"the job's file cannot be read ({error.strerror})", remedy) from error
        except (SafetensorError, ValueError, KeyError) as error:
            raise explain(path, "the job's file is damaged", remedy) from error

    def holds(self, room: str, job: str) -> bool:
        """Whether there is a file."""
        return self._find(room, job).is_file()

    def delete(self, room: str, job: str) -> None:
        """Remove a file, if it is there. What cannot be removed is left for `sweep`."""
        with contextlib.suppress(OSError):
            self._find(room, job).unlink(missing_ok=True)

    def sweep(self, room: str, known: Collection[str]) -> int:
        """Remove the files of jobs that are not known, such as a kill leaves between two steps; how many."""
        removed = 0
        for path in list((self.folder / room).iterdir()):
            if path.name.removesuffix(_SUFFIX) not in known:
                with contextlib.suppress(OSError):
                    path.unlink()
                    removed += 1
        return removed

    def find_run(self, job: str) -> Path:
        """The folder of a training's checkpoints, which need not be there."""
        check_job(job)
        return self.folder / RUNS / job

    def delete_run(self, job: str) -> None:
        """Remove a training's checkpoints, if there are any. What cannot be removed is left for `sweep_runs`."""
        run = self.find_run(job)
        if run.is_dir():  # only trainings have one
            shutil.rmtree(run, ignore_errors=True)

    def sweep_runs(self, known: Collection[str]) -> None:
        """Remove the checkpoints of jobs that are not known."""
        for path in list((self.folder / RUNS).iterdir()):
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)

    def _find(self, room: str, job: str) -> Path:
        check_job(job)
        return self._rooms[room] / f"{job}{_SUFFIX}"
