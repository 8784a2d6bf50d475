"""The way to a server: connections are opened here, and why one cannot be is put into words."""

import logging
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

import trio

from triochat.circle import Circle
from triochat.connection import PATIENCE
from triochat.exceptions import TriochatError, UnreachableError
from triochat.fingerprints import parse_fingerprint
from triochat.folders import state_folder
from triochat.known_hosts import KnownHosts
from triochat.passwords import OVERHEARD
from triochat.program import Client, join
from triochat.sealed import Tell, meet
from triochat.trust import is_plain, server_at

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_client(  # noqa: PLR0913  all but the first three are asked for by name
    host: str,
    port: int,
    handle: str,
    *,
    also: Iterable[tuple[str, int]] = (),
    password: str = "",
    fingerprint: str | None = None,
    insecure: bool = False,
    history: int | None = 0,
    patience: float = PATIENCE,
) -> AsyncIterator[Client]:
    """Connect and join; leave at the end of the block, after all that was sent is delivered.

    When the connection is lost the client comes back; nothing is lost or doubled (see `Client`).

    What is on this machine is spoken to as it is, all else encrypted. A server that is met for the
    first time, for which no authority vouches, is remembered, and logged as a warning.

    Args:
        host: where the server is.
        port: where the server is.
        handle: to join with.
        also: hosts and ports of other servers of the same room, to go to when one is not there, is
            lost, or stops: then `Closing` with ``retry`` is not handed out.
        password: of the room; empty if it has none. It is logged as a warning when it is sent to
            another machine unencrypted.
        fingerprint: of the server's certificate; then it must be this one, also on this machine.
        insecure: do not encrypt.
        history: how many messages to be told that were said before, at most; None: as many as
            people are. They have ids of at most ``welcome.last``.
        patience: seconds in which to come back, each time.

    Raises:
        UnreachableError: nobody listens there, there is no such place, or it does not encrypt.
        UntrustedError: what answers has another key than it had, or than it should have.
        RefusedError: the room does not let us in under this handle, or by this password
            (``password-needed``, ``password-wrong``), and says why.
        ClosedError: the server closed the connection first; a `RefusedError` too.
        trio.BrokenResourceError: the connection was lost first; at the end of the block, it was
            lost for good before what had been said was confirmed.
        RemoteProtocolError: what answers is not a triochat server.
        ValueError: that is no fingerprint, or there is one and no encryption.
    """
    addresses = [(host, port), *also]
    if password and insecure and not are_here(addresses):
        log.warning(OVERHEARD)
    circle = circle_of(addresses, fingerprint=fingerprint, insecure=insecure)
    stream = await circle()
    async with join(
        stream, handle, password=password, history=history, connect=circle, patience=patience
    ) as client:
        yield client


def circle_of(
    addresses: Iterable[tuple[str, int]],
    *,
    fingerprint: str | None = None,
    insecure: bool = False,
    tell: Tell = log.warning,
) -> Circle:
    """The way to the servers of a room; to each of them as `connect` goes."""
    how = partial(connect, fingerprint=fingerprint, insecure=insecure, tell=tell)
    return Circle({f"{host} port {port}": partial(how, host, port) for host, port in addresses})


def are_here(addresses: Iterable[tuple[str, int]]) -> bool:
    """Whether all these are on this machine."""
    return all(server_at(host, port).is_here for host, port in addresses)


async def connect(
    host: str,
    port: int,
    *,
    fingerprint: str | None = None,
    insecure: bool = False,
    tell: Tell = log.warning,
) -> trio.abc.Stream:
    """Open a connection to a server. Raises what `open_client` does, as far as it is reached.

    ``tell`` is told what the person is to know of whom is trusted.
    """
    given = "" if fingerprint is None else parse_fingerprint(fingerprint)
    if given and insecure:
        raise ValueError("there is no fingerprint to compare without encryption")
    server, known = server_at(host, port), known_hosts()
    pin = "" if given or insecure else known.find(server)
    open_stream = partial(_open, host, port)
    if is_plain(server, pin, given, insecure=insecure):
        return await open_stream()
    return await meet(open_stream, server, pin=pin, given=given, known=known, tell=tell)


def known_hosts() -> KnownHosts:
    """Those that whoever runs this has met."""
    return KnownHosts(state_folder() / "known_hosts")


async def _open(host: str, port: int) -> trio.abc.Stream:
    try:
        return await trio.open_tcp_stream(host, port)
    except UnicodeError:
        raise UnreachableError("that is no name of a host") from None
    except OSError as error:
        raise UnreachableError(reason_of(error)) from error


def reason_of(error: BaseException) -> str:
    """Why the system failed us, in a few words; trio wraps one error for each address."""
    if isinstance(error, BaseExceptionGroup):
        return reason_of(error.exceptions[0])
    if isinstance(error, TriochatError):  # its words are ours
        return str(error)
    if error.__cause__ is not None:
        return reason_of(error.__cause__)
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()
