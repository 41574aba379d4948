"""What all messages have in common."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

from bitpuppet_client.errors import ParameterError, ProtocolError
from bitpuppet_client.limits import MAX_JOBS_PER_MESSAGE, SLOWEST_BYTES_PER_SECOND
from bitpuppet_client.parts import Parts
from bitpuppet_client.schema import check_job, read_fields, write_object

NO_PARTS: Parts = MappingProxyType({})


@dataclass(frozen=True)
class Message:
    """A message without its envelope. The fields of each kind are the keys of the header's `body`."""

    type: ClassVar[str] = ""
    """The header's `type`."""
    has_parts: ClassVar[bool] = False
    """Whether arrays come with it, in a field named `parts`."""

    @classmethod
    def from_body(cls, body: object, parts: Parts) -> Self:
        """Make a message of the header's `body` and of the arrays.

        Raises:
            ProtocolError: a key or a type is wrong; ParameterError or LimitError: a value or an array is.
        """
        return cls(**cls.read_arguments(body), **cls.take_parts(parts))

    @classmethod
    def read_arguments(cls, body: object) -> dict[str, Any]:
        """The fields that the header holds."""
        return read_fields(cls, body, cls.type)

    @classmethod
    def take_parts(cls, parts: Parts) -> dict[str, Parts]:
        """The field that the header does not hold, where there is one."""
        if cls.has_parts:
            return {"parts": parts}
        if parts:
            raise ProtocolError(f"{cls.type} comes with {len(parts)} payload parts, it has none; leave them out")
        return {}

    def to_body(self) -> dict[str, Any]:
        """The header's `body`."""
        return write_object(self)


def estimate_seconds(parts: Parts) -> float:
    """How long sending arrays may take on the slowest network."""
    return sum(array.nbytes for array in parts.values()) / SLOWEST_BYTES_PER_SECOND


def check_jobs(jobs: tuple[str, ...]) -> None:
    """Raise ParameterError for too many job ids in one message, or for one that is none."""
    if len(jobs) > MAX_JOBS_PER_MESSAGE:
        raise ParameterError(f"{len(jobs)} jobs in one message, the limit is {MAX_JOBS_PER_MESSAGE}; send several")
    for job in jobs:
        check_job(job)
