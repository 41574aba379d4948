"""What can go wrong between a client and the backend. Every message is one line that says what to do."""

from __future__ import annotations


class ClientError(Exception):
    """Any failure that the user can put right; the message names the limit or the setting, and the remedy."""


class ProtocolError(ClientError):
    """A message that this version does not understand, or will not."""

    def __init__(self, message: str, code: str = "malformed", request: int = 0) -> None:
        """Keep what an error reply needs.

        Args:
            message: one line.
            code: one of `messages.ERROR_CODES`.
            request: number of the refused request; 0 where it could not be read.
        """
        super().__init__(message)
        self.code = code
        self.request = request


class VersionError(ProtocolError):
    """The other side speaks another version of the protocol."""

    def __init__(self, message: str, theirs: int, request: int = 0) -> None:
        """Keep the other side's version besides what every `ProtocolError` has."""
        super().__init__(message, "version", request)
        self.theirs = theirs


class LimitError(ProtocolError):
    """More pixels, frames, parts or bytes than a message may hold."""

    def __init__(self, message: str, request: int = 0) -> None:
        """A `ProtocolError` with the code `too_large`."""
        super().__init__(message, "too_large", request)


class ParameterError(ProtocolError):
    """A message of good form with a value out of its range, or with frames that do not fit its kind of job."""

    def __init__(self, message: str, request: int = 0) -> None:
        """A `ProtocolError` with the code `bad_parameter`."""
        super().__init__(message, "bad_parameter", request)


class EndpointError(ClientError):
    """An endpoint file that cannot be used: damaged, of another user, or readable by others."""


class NotRunningError(ClientError):
    """No backend is running, or none could be started."""


class TimedOutError(ClientError):
    """The backend did not answer in time."""


class StoppedError(ClientError):
    """The client was closed, or its thread has ended."""


class RefusedError(ClientError):
    """The backend answered with an error."""

    def __init__(self, code: str, message: str, job: str | None = None, retry_after: float | None = None) -> None:
        """Keep the fields of the error reply: see `messages.Error`."""
        super().__init__(message)
        self.code = code
        self.job = job
        self.retry_after = retry_after


class JobFailedError(RefusedError):
    """A job ended without a result: it failed or was cancelled (code `cancelled`)."""
