"""The log: what happened, by job ids and counts; never pixels, keys or file names of clients."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from bitpuppet.errors import BitpuppetError
from bitpuppet_client.messages import shorten

NAME = "bitpuppet.server"
_KEPT = 3
_LINE_BYTES = 500


def start_log(path: Path, log_bytes: int, *, to_stderr: bool) -> logging.Handler:
    """Write what the server tells into a file that rotates.

    Args:
        path: the file; its folder is made.
        log_bytes: size from which it is put aside.
        to_stderr: write to the terminal, too.

    Returns:
        The handler, for `stop_log`.

    Raises:
        BitpuppetError: the file cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=log_bytes, backupCount=_KEPT, encoding="utf-8", delay=False)
    except OSError as error:
        raise BitpuppetError(
            f"{path}: the log cannot be written ({error.strerror}); name another folder with --store"
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_shorten_record)
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    if to_stderr:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(logging.Formatter("%(message)s"))
        terminal.addFilter(_shorten_record)
        logger.addHandler(terminal)
    logging.raiseExceptions = False  # a full disk must not fill stderr with the log's own troubles
    return handler


def stop_log() -> None:
    """Close the log."""
    logger = logging.getLogger(NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def follow(pipe: IO[bytes], tell: Callable[[str], None], ended: Callable[[], None]) -> threading.Thread:
    """Tell the lines of a process's stderr, in a thread, until its end."""

    def read() -> None:
        with pipe:
            while line := pipe.readline(1 << 16):
                if text := shorten(line.decode(errors="replace"), _LINE_BYTES):
                    tell(text)
        ended()

    thread = threading.Thread(target=read, name="stderr", daemon=True)
    thread.start()
    return thread


def _shorten_record(record: logging.LogRecord) -> bool:
    """One printable line a message: what comes from clients and libraries cannot forge lines or fill the disk."""
    record.msg, record.args = shorten(record.getMessage(), 4 * _LINE_BYTES), None
    return True
