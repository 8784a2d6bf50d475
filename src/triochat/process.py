"""The process: its descriptors, its signals, its log and its limits."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TextIO

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What ends a server or a client politely."""


def open_standard_streams() -> None:
    """See that descriptors 0, 1 and 2 are open, or the next files would be taken for them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may: a connection is a file."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  there is none on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- signals


@asynccontextmanager
async def open_signals() -> AsyncIterator[AsyncIterator[int]]:
    """The signals that end us, but for those that whoever started us wants ignored (``nohup``)."""
    import trio  # noqa: PLC0415  --help is quick without

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*heard) as signals:
        yield aiter(signals)


async def wait_signal() -> int:
    """Wait for a signal to end; the next one does what it always does, at once."""
    async with open_signals() as signals:
        return int(await anext(signals))


# ---- the log


def set_up_log(level: str, file: str | None) -> None:
    """Log what is at least of this level, to a file or else to standard error.

    Raises:
        OSError: the file cannot be written.
    """
    handler = logging.FileHandler(file) if file else TerminalHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("trio.serve_listeners").addFilter(QuietFilter())


class TerminalHandler(logging.StreamHandler[TextIO]):
    """Standard error; where that is the terminal, above the line that is being typed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log this."""
        if os.isatty(2):
            self.stream = sys.stderr
        super().emit(record)


class QuietFilter(logging.Filter):
    """That the system lacks files is said once a minute, in one line; trio would say it each time.

    For the logger ``trio.serve_listeners``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = -60.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log this, without its traceback."""
        record.exc_info = None
        if record.created - self._said < 60:
            return False
        self._said = record.created
        return True
