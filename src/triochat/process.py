"""The process: its standard streams, its limits, and the secrets that it was given."""

import os
import shlex
import stat
import sys
from contextlib import suppress
from pathlib import Path

from triochat.passwords import PASSWORD_LENGTH

URL_LENGTH = 1000
"""The most characters in the URL of a Redis."""

PASSWORD = "TRIOCHAT_PASSWORD"  # noqa: S105
"""The variable that may hold the password."""

REDIS = "TRIOCHAT_REDIS"
"""The variable that may hold the URL of a Redis, in which there may be a password."""


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


def fail(problem: str) -> int:
    """Say in one line what went wrong; the exit code for it."""
    say(2, f"triochat: {problem}")
    return 1


def say(fd: int, text: str) -> None:
    """Say this on standard output (1) or error (2), at once; nobody need be able to read it."""
    with suppress(OSError):
        os.write(fd, f"{text}\n".encode(errors="backslashreplace"))


def deliver(text: str) -> int:
    """Print this, for which the command was run; the exit code: 1, and why, if it cannot be."""
    try:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what stays in the buffer until the end
        if not isinstance(error, BrokenPipeError):  # else nobody wanted to read more
            return fail(f"cannot write to standard output: {str(error.strerror).lower()}")
    return 0


def allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may: a connection is a file.

    Returns:
        The limit; where none can be known, a very large number.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  there is none on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return limit if limit != resource.RLIM_INFINITY else sys.maxsize
    return sys.maxsize


def take_password(file: str | None) -> str:
    """The password in the first line of this file, or else of `PASSWORD`; empty if there is none.

    Whatever else this process starts does not inherit the variable.

    Raises:
        ValueError: there is no password where one should be; says why.
    """
    return _take_secret(PASSWORD, file, "password", PASSWORD_LENGTH)


def take_redis(url: str | None, file: str | None) -> str | None:
    """This URL of a Redis, or the one in this file, or in `REDIS`; None if there is none.

    It is a secret like a password: see `take_password`.
    """
    found = _take_secret(REDIS, file, "Redis URL", URL_LENGTH)
    return (found or None) if url is None else url


def _take_secret(variable: str, file: str | None, what: str, most: int) -> str:
    data = os.fsencode(os.environ.pop(variable, ""))
    if file is not None:
        try:
            data = _read_secret(file, what, 4 * most + 2)
        except OSError as error:
            reason = str(error.strerror).lower()
            raise ValueError(f"cannot read the {what} file {file}: {reason}") from None
    elif not data:
        return ""
    where = variable if file is None else f"the {what} file {file}"
    line = data.partition(b"\n")[0].removesuffix(b"\r")
    try:
        secret = line.decode() if len(line) <= 4 * most else " " * (most + 1)
    except UnicodeDecodeError:
        raise ValueError(f"{where} is not UTF-8 text") from None
    if not secret:
        raise ValueError(f"{where} has no {what}: its first line is empty")
    if len(secret) > most:
        problem = f"a {what} has at most {most} characters"
        raise ValueError(f"the first line of {where} is too long; {problem}")
    return secret


def _read_secret(file: str, what: str, size: int) -> bytes:
    """The first line of this file, as far as it may be a secret."""
    with Path(file).open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            hint = f"chmod 600 {shlex.quote(file)}"
            say(2, f"triochat: others may read the {what} file {file}; {hint}")
        return opened.readline(size)
