"""The one exception that users see."""

from __future__ import annotations


class BitpuppetError(Exception):
    """A mistake in the input or the setting that the user can put right.

    The message is one line that names the file or the setting, the limit that was crossed and the remedy. The command
    line prints it without a traceback and exits with 1; every other exception is a bug.
    """
