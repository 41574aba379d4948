"""A request that is not done, and why."""

from __future__ import annotations

from bitpuppet.errors import BitpuppetError
from bitpuppet_client.messages import Error, shorten


class Refusal(BitpuppetError):
    """What becomes an `error` reply: a code of the protocol, and one line that names the limit and the remedy."""

    def __init__(self, code: str, message: str, *, job: str | None = None, retry_after: float | None = None) -> None:
        """Keep the fields of the reply: see `messages.Error`."""
        super().__init__(message)
        self.code = code
        self.job = job
        self.retry_after = retry_after

    def to_error(self) -> Error:
        """The reply."""
        return Error(self.code, shorten(str(self)), self.job, self.retry_after)
