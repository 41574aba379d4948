"""The jobs on disk: SQLite in WAL mode, so that a killed server leaves no half-written state.

`synchronous = NORMAL`: a killed process loses nothing; a power cut may lose the last moments before it, never more.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path

from bitpuppet.errors import BitpuppetError
from bitpuppet.server.record import STORED, Job
from bitpuppet_client.messages import FINAL_STATES

FORMAT = 1
"""`user_version` of the database; a server refuses one that is newer than itself."""
FILE_NAME = "jobs.sqlite3"
_SOME = 256
"""Jobs that are looked at in one go, so that nobody waits for long."""
_LEASE_SECONDS = 60.0
"""How much of the store's clock is written ahead, so that it need not be written every second."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    params TEXT NOT NULL,
    digest TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created REAL NOT NULL,
    input_bytes INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    state TEXT NOT NULL,
    started REAL,
    finished REAL,
    ended REAL,
    acknowledged REAL,
    step INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    cancelling INTEGER NOT NULL,
    report TEXT,
    result_bytes INTEGER NOT NULL,
    has_result INTEGER NOT NULL,
    error_code TEXT,
    error_message TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, sequence);
CREATE INDEX IF NOT EXISTS jobs_by_acknowledgement ON jobs (acknowledged, result_bytes);
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (ended);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
"""
_WRITTEN = tuple(name for name in STORED if name != "sequence")
_CHANGED = tuple(name for name in _WRITTEN if name != "id")
_INSERT = f"INSERT INTO jobs ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))})"
_UPDATE = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in _CHANGED)} WHERE id = ?"
_list_new, _list_changed = attrgetter(*_WRITTEN), attrgetter(*_CHANGED, "id")
_SELECT = f"SELECT {', '.join(STORED)} FROM jobs"
_FINAL = ", ".join(f"'{state}'" for state in FINAL_STATES)


class StoreError(BitpuppetError):
    """The store cannot be read or written: the disk is full, read-only or broken."""

    def __init__(self, message: str, told: str) -> None:
        """Keep two texts.

        Args:
            message: for the log and the person at this machine; it names the file.
            told: for clients, who learn no paths.
        """
        super().__init__(message)
        self.told = told


def explain(path: Path, reason: str, remedy: str) -> StoreError:
    """The error that names a path to the person at this machine, and none to clients."""
    return StoreError(f"{path}: {reason}; {remedy}", f"the server's store: {reason}; {remedy}")


class Store:
    """The table of jobs. One thread uses it."""

    def __init__(self, folder: Path) -> None:
        """Open the database in a folder, or make it.

        Raises:
            StoreError: it cannot be written, is damaged, or a newer version made it.
        """
        self.path = folder / FILE_NAME
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=5.0)
        except sqlite3.Error as error:
            raise self._explain(error) from error
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise self._explain(error) from error
        except StoreError:
            self.close()
            raise

    def _open(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA secure_delete = OFF")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise explain(
                self.path,
                f"a newer bitpuppet made it (format {version}, this one knows {FORMAT})",
                "update bitpuppet, or name another folder with --store",
            )
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Close the database; what was written is there."""
        self._connection.close()

    def insert(self, job: Job) -> None:
        """Write a new job and give it its `sequence`. Raises StoreError."""
        try:
            job.sequence = self._connection.execute(_INSERT, _list_new(job)).lastrowid or 0
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def update(self, job: Job) -> None:
        """Write what changed of a job. Raises StoreError."""
        try:
            self._connection.execute(_UPDATE, _list_changed(job))
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def delete(self, jobs: Iterable[str]) -> None:
        """Forget jobs. Raises StoreError."""
        try:
            self._connection.executemany("DELETE FROM jobs WHERE id = ?", [(job,) for job in jobs])
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def find(self, jobs: Sequence[str]) -> dict[str, Job]:
        """The jobs of these ids that there are. Raises StoreError."""
        marks = ", ".join("?" * len(jobs))
        return {job.id: job for job in self._read(f"{_SELECT} WHERE id IN ({marks})", jobs)}

    def list_unfinished(self) -> list[Job]:
        """All jobs that are not final, in order of submission. Raises StoreError."""
        return self._read(f"{_SELECT} WHERE state NOT IN ({_FINAL}) ORDER BY sequence")

    def list_page(self, states: Sequence[str], limit: int, before: int | None) -> list[Job]:
        """Jobs, newest first. Raises StoreError.

        Args:
            states: only jobs in one of these; empty for all.
            limit: at most so many.
            before: only jobs with a smaller `sequence`; None for all.
        """
        chosen = f"state IN ({', '.join('?' * len(states))})" if states else "1"
        rest = [*states, 2**62 if before is None else before, limit]
        return self._read(f"{_SELECT} WHERE {chosen} AND sequence < ? ORDER BY sequence DESC LIMIT ?", rest)

    def list_acknowledged(self) -> list[Job]:
        """Some jobs whose result was acknowledged, oldest acknowledgement first. Raises StoreError."""
        return self._read(f"{_SELECT} WHERE acknowledged IS NOT NULL ORDER BY acknowledged LIMIT {_SOME}")

    def list_ended_before(self, moment: float) -> list[Job]:
        """Some jobs that ended before a moment of the store's clock. Raises StoreError."""
        return self._read(f"{_SELECT} WHERE ended < ? LIMIT {_SOME}", [moment])

    def count_acknowledged_bytes(self) -> int:
        """Bytes of all acknowledged results. Raises StoreError."""
        return self._count("SELECT SUM(result_bytes) FROM jobs WHERE acknowledged IS NOT NULL")

    def list_results(self) -> set[str]:
        """Ids of all jobs that have a result. Raises StoreError."""
        try:
            return {row[0] for row in self._connection.execute("SELECT id FROM jobs WHERE has_result").fetchall()}
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def count_bytes(self) -> int:
        """Bytes of all input and result files. Raises StoreError."""
        return self._count("SELECT SUM(input_bytes + result_bytes) FROM jobs")

    def read_fact(self, name: str) -> float:
        """A number that outlives the server; 0 at first. Raises StoreError."""
        try:
            row = self._connection.execute("SELECT value FROM facts WHERE name = ?", [name]).fetchone()
        except sqlite3.Error as error:
            raise self._explain(error) from error
        return float(row[0]) if row else 0.0

    def write_fact(self, name: str, value: float) -> None:
        """Keep a number. Raises StoreError."""
        try:
            self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _count(self, query: str) -> int:
        try:
            return int(self._connection.execute(query).fetchone()[0] or 0)
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _read(self, query: str, values: Sequence[object] = ()) -> list[Job]:
        try:
            rows = self._connection.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._explain(error) from error
        jobs = [Job(**dict(zip(STORED, row, strict=True))) for row in rows]
        for job in jobs:
            job.cancelling, job.has_result = bool(job.cancelling), bool(job.has_result)
        return jobs

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        reason, remedy = f"it cannot be used: {error}", "check the disk and the permissions"
        if code == sqlite3.SQLITE_FULL:
            reason, remedy = "the disk is full", "make room on it"
        elif code == sqlite3.SQLITE_READONLY:
            reason = "it is read-only"
        elif code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            reason, remedy = "it is damaged", "stop the server, move this file away, and start with an empty store"
        return explain(self.path, reason, remedy)


class StoreClock:
    """Seconds that a store was in use: what retention is counted by.

    It neither jumps with the machine's clock nor runs while no server does, so nothing expires by surprise.
    """

    def __init__(self, store: Store, now: float) -> None:
        """Go on where the last server stopped; `now` is the steady clock's, as in all methods. Raises StoreError."""
        self._store = store
        self._offset = store.read_fact("seconds") - now
        self._written = 0.0
        self.keep(now)

    def read(self, now: float) -> float:
        """Seconds of use."""
        return now + self._offset

    def keep(self, now: float) -> None:
        """Write the clock from time to time; after a kill it is at most a minute behind or ahead."""
        if self.read(now) >= self._written:
            with contextlib.suppress(StoreError):  # a clock that stands still keeps results for longer, and no worse
                self._store.write_fact("seconds", self.read(now))
                self._written = self.read(now) + _LEASE_SECONDS
