"""Values: what may stand behind an option on the command line; else why not.

Each takes the word, and returns what it means; or raises `ArgumentTypeError`, which says what is
wrong with it.
"""

import math
import re
from argparse import ArgumentTypeError

from triochat.addresses import HOME, address_of, any_port_of
from triochat.durations import parse_duration

_LONGEST = 100  # characters in the name of a room
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DIGITS = 10  # nothing that is counted has as many


def count(text: str, *, what: str, least: int = 1, most: float = math.inf) -> int:
    """A whole number of these, from the least to the most."""
    is_number = text.isascii() and text.isdecimal() and len(text) < _DIGITS
    if not (is_number and least <= int(text) <= most):
        limit = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise ArgumentTypeError(f'"{text}" is not a number of {what}; it must be {limit}')
    return int(text)


def endpoint(text: str) -> tuple[str, int]:
    """A host, this machine if left out, and a port."""
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]") or HOME, any_port_of(port)


def address(text: str) -> tuple[str, int]:
    """Where a room is, in one word."""
    if found := address_of(text):
        return found
    how = "HOST:PORT, [IPv6]:PORT, or PORT on this machine"
    raise ArgumentTypeError(f'"{text}" is not the address of a room; write {how}')


def host(text: str) -> str:
    """The name of a machine, as names are compared."""
    name = text.lower().removesuffix(".")
    if not _HOST.fullmatch(name):
        raise ArgumentTypeError(f'"{text}" is no name of a machine; write it as chat.example.org')
    return name


def duration(text: str, *, unit: str = "s", least: float = math.ulp(0.0)) -> float:
    """Seconds: a number of this unit, or one with its own, as ``90s`` or ``2h``."""
    try:
        seconds = parse_duration(text, unit)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if seconds < least:
        raise ArgumentTypeError("a duration must be longer than nothing")
    return seconds


def file(text: str) -> str:
    """The name of a file; what a variable that is not set leaves would be none."""
    if not text:
        raise ArgumentTypeError("no file is named")
    return text


def words(text: str) -> str:
    """What can be looked for."""
    if not re.search(r"\w", text):
        raise ArgumentTypeError(f'there is no word in "{text}"')
    return text


def since(text: str) -> float:
    """The seconds since the epoch that are meant."""
    import time  # noqa: PLC0415  --help is quick without
    from datetime import datetime  # noqa: PLC0415

    try:
        if text[-1:].isalpha() and "T" not in text:
            return max(1.0, time.time() - parse_duration(text))
        return max(1.0, datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        how = "write how long ago (30m, 2h, 2d) or when (2026-01-02, 2026-01-02T21:07)"
        raise ArgumentTypeError(f'"{text}" is no time; {how}') from None


def fingerprint(text: str) -> str:
    """A server's, as it is compared."""
    from triochat.fingerprints import parse_fingerprint  # noqa: PLC0415  --help is quick without

    try:
        return parse_fingerprint(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def handle(text: str) -> str:
    """A handle that some room allows."""
    from triochat.messages import Refused  # noqa: PLC0415  --help is quick without
    from triochat.text import HANDLE_LIMIT, accept_handle  # noqa: PLC0415

    handle = accept_handle(text, HANDLE_LIMIT)  # how many a room allows, the room says
    if isinstance(handle, Refused):
        raise ArgumentTypeError(handle.text)
    return handle


def room(text: str) -> str:
    """The name of a room."""
    from triochat.messages import Refused  # noqa: PLC0415  --help is quick without
    from triochat.text import accept_text  # noqa: PLC0415

    name = accept_text(text)
    if isinstance(name, Refused) or len(name) > _LONGEST:
        raise ArgumentTypeError(f"the name of a room has 1 to {_LONGEST} characters")
    return name
