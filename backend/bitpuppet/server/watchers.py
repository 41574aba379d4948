"""Which connection wants to hear of which job. A watch is a lease: who does not renew it is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bitpuppet_client.limits import WATCH_LEASE_SECONDS

MOST_WATCHERS = 64
"""Connections that watch one job."""


@dataclass
class _Lease:
    until: float
    previews: bool


class Watchers:
    """Leases by job and connection. Times are the steady clock's."""

    def __init__(self) -> None:
        """Nobody watches."""
        self._leases: dict[str, dict[bytes, _Lease]] = {}

    def add(self, peer: bytes, jobs: Iterable[str], now: float, *, previews: bool) -> list[str]:
        """Let a connection watch jobs, or go on watching them.

        Returns:
            The jobs of which it gets previews now and did not before.
        """
        new = []
        for job in jobs:
            leases = self._leases.setdefault(job, {})
            old = leases.get(peer)
            if old is not None or len(leases) < MOST_WATCHERS:
                leases[peer] = _Lease(now + WATCH_LEASE_SECONDS, previews)
                if previews and (old is None or not old.previews or old.until < now):
                    new.append(job)
        return new

    def find(self, job: str, now: float, *, previews: bool = False) -> Iterator[bytes]:
        """The connections that watch a job, or those of them that want previews."""
        for peer, lease in list(self._leases.get(job, {}).items()):
            if lease.until >= now and (lease.previews or not previews):
                yield peer

    def drop(self, job: str) -> None:
        """Forget who watches a job, which has ended."""
        self._leases.pop(job, None)

    def sweep(self, now: float) -> None:
        """Forget leases that have run out."""
        for job, leases in list(self._leases.items()):
            for peer in [peer for peer, lease in leases.items() if lease.until < now]:
                del leases[peer]
            if not leases:
                del self._leases[job]
