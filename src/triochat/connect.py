"""The way to a server: connections are opened here, and why one cannot be is put into words."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from triochat.exceptions import UnreachableError
from triochat.program import Client, join


@asynccontextmanager
async def open_client(host: str, port: int, handle: str) -> AsyncIterator[Client]:
    """Connect and join; leave at the end of the block, after all that was sent is delivered.

    Raises:
        UnreachableError: nobody listens there, or there is no such place.
        RefusedError: the room does not let us in under this handle, and says why.
        ClosedError: the server closed the connection first; a `RefusedError` too.
        trio.BrokenResourceError: the connection was lost first.
        RemoteProtocolError: what answers is not a triochat server.
    """
    async with join(await connect(host, port), handle) as client:
        yield client


async def connect(host: str, port: int) -> trio.SocketStream:
    """Open a connection to a server. Raises `UnreachableError` as `open_client` does."""
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
    if error.__cause__ is not None:
        return reason_of(error.__cause__)
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()
