"""The log: what of it is written, and where."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import TextIO

from triochat.process import fail


def set_up_log(level: str, file: str | None, form: str = "text") -> None:
    """Log what is at least of this level, to a file or else to standard error.

    A line is text, or, where the form is ``json``, an object.

    Raises `OSError` if the file cannot be opened.
    """
    handler = LogFile(file) if file else TerminalHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler])


class JsonFormatter(logging.Formatter):
    """JSON Lines: time, level, message, and what else is known (see `journal.fields`)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object on one line, in ASCII."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": f"{time[:-6]}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class LogFile(WatchedFileHandler):
    """A file, which may be moved away; what cannot be written to it is lost, and told once."""

    _has_told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Log this."""
        try:
            super().emit(record)
        except OSError:  # it was moved, and there can be no new one
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Say why this, and perhaps what follows, is not in the log. Called within ``except``."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a bug in what was logged
            super().handleError(record)
        elif not self._has_told:
            self._has_told = True
            problem = f"cannot log to {self.baseFilename}: {str(error.strerror).lower()}"
            fail(f"{problem}; what follows may be lost")


class TerminalHandler(logging.StreamHandler[TextIO]):
    """Standard error; where that is the terminal, above the line that is being typed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log this."""
        if os.isatty(2):
            self.stream = sys.stderr
        super().emit(record)
