"""The process: its standard streams and its limits."""

import os
import sys
from contextlib import suppress


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
        sys.stdout.write(text)
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
