import logging
import shutil
from pathlib import Path

import pytest

from triochat.logs import LogFile


def record(text: str, *values: object) -> logging.LogRecord:
    """Something to be logged."""
    return logging.LogRecord("triochat", logging.INFO, "", 0, text, values, None)


def test_a_log_follows_its_file(tmp_path: Path) -> None:
    """What is logged after the file was moved stands in a new one of the old name."""
    path = tmp_path / "log"
    handler = LogFile(str(path))
    handler.emit(record("one"))
    path.rename(tmp_path / "log.1")
    handler.emit(record("two"))
    handler.close()
    assert ((tmp_path / "log.1").read_text(), path.read_text()) == ("one\n", "two\n")


def test_a_log_that_cannot_be_written_is_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the file's folder is gone one line says so; it is logged again as soon as it can be."""
    path = tmp_path / "logs" / "log"
    path.parent.mkdir()
    handler = LogFile(str(path))
    shutil.rmtree(path.parent)
    handler.emit(record("one"))
    handler.emit(record("two"))
    problem = f"cannot log to {path}: no such file or directory; what follows may be lost"
    assert capfd.readouterr().err == f"triochat: {problem}\n"
    path.parent.mkdir()
    handler.emit(record("three"))
    handler.close()
    assert path.read_text() == "three\n"


def test_a_bug_in_what_is_logged_is_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be formatted is no matter of the file, and is not hidden."""
    handler = LogFile(str(tmp_path / "log"))
    handler.emit(record("%d", "one"))
    handler.close()
    assert "TypeError" in capfd.readouterr().err
