"""Where a room is, as it stands on the command line: ``HOST PORT``, ``HOST:PORT`` or ``PORT``."""

import re
from argparse import ArgumentTypeError
from collections.abc import Sequence

HOME = "127.0.0.1"
"""The host, where none is named."""

_WITH_PORT = re.compile(r"(?:\[(?P<bare>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d+)", re.ASCII)
"""``HOST:PORT``. An IPv6 address needs brackets there: it has colons of its own."""

_PORT = re.compile(r"0*\d{1,5}", re.ASCII)


def split_address(words: Sequence[str]) -> tuple[str, int, list[str]]:
    """The host, the port, and the words that follow.

    A first word that is a port, or ends in ``:`` and a number, is the whole address; any other is a
    host, and the next one its port. Raises `ArgumentTypeError` with a sentence for a person.
    """
    if not words:
        raise ArgumentTypeError("where is the room? PORT, HOST:PORT or HOST PORT is needed")
    first, *rest = words
    if whole := address_of(first):
        return *whole, rest
    host = first.removeprefix("[").removesuffix("]")
    if not rest and first.isdecimal():
        raise ArgumentTypeError(f'"{first}" is not a port; a port is a number, 1 to 65535')
    if not rest:
        hint = f" (with an IPv6 address: [{host}]:PORT)" if ":" in host else f" or {host}:PORT"
        raise ArgumentTypeError(f'"{first}" is a host; its port is needed too: {first} PORT{hint}')
    return host, port_of(rest[0]), rest[1:]


def address_of(word: str) -> tuple[str, int] | None:
    """The host and the port, where one word is the whole address; None where it is not.

    Raises `ArgumentTypeError` where the port is none.
    """
    if _PORT.fullmatch(word) and 0 < int(word) <= 65535:
        return HOME, int(word)
    if found := _WITH_PORT.fullmatch(word):
        return found["bare"] or found["host"] or HOME, port_of(found["port"])
    return None


def port_of(text: str) -> int:
    """The port where somebody listens. Raises `ArgumentTypeError`, as does `any_port_of`."""
    if port := any_port_of(text):
        return port
    raise ArgumentTypeError("nobody can listen on port 0; a port is 1 to 65535")


def any_port_of(text: str) -> int:
    """The port on which to listen; 0 for any that is free."""
    if not (_PORT.fullmatch(text) and int(text) <= 65535):
        raise ArgumentTypeError(f'"{text}" is not a port; a port is a number, 0 to 65535')
    return int(text)
