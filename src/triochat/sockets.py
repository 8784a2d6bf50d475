"""Sockets, without the detours that trio's streams make for all kinds of them.

A trio stream tries to read before it waits, so that reading may need no waiting. In a chat there is
hardly ever anything to read at once: the try costs a system call, an exception and some layers of
coroutines for each message, a tenth of what a message in a quiet room costs altogether.
"""

import os
import select
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeGuard

import trio


def is_socket(stream: object) -> TypeGuard[trio.SocketStream]:
    """Whether bytes go through this stream as they are, and its file descriptor can be used."""
    return isinstance(stream, trio.SocketStream) and os.name == "posix"


def receiver(stream: trio.abc.ReceiveStream) -> Callable[[int], Awaitable[bytes | bytearray]]:
    """What to call instead of this stream's own `receive_some`, while the stream is open.

    It takes the most bytes to return, gives the next ones, none at the end, and raises
    `trio.BrokenResourceError` when the peer is gone.
    """
    if is_socket(stream):
        return partial(_receive_some, stream.socket.fileno())
    return stream.receive_some


def is_reset(stream: object) -> bool:
    """Whether the peer has vanished, as far as the system knows without being read from."""
    if not is_socket(stream):
        return False
    poll = select.poll()
    poll.register(stream.socket.fileno(), 0)  # errors and hang-ups are told unasked
    return bool(poll.poll(0))


def accept_more(listener: object, count: float) -> Iterator[trio.SocketStream]:
    """Connections that have come to this listener already, so many at most."""
    if not isinstance(listener, trio.SocketListener) or os.name != "posix":
        return
    door = listener.socket
    ours = socket.socket(door.family, door.type, door.proto, fileno=door.fileno())
    try:
        while count >= 1:
            came, _ = ours.accept()
            count -= 1
            yield trio.SocketStream(trio.socket.from_stdlib_socket(came))
    except OSError:  # there are none, or there is no file for them: who waits for one hears of it
        pass
    finally:
        ours.detach()


async def end(stream: trio.abc.SendStream) -> None:
    """Say that nothing more will be sent, as politely as this stream can.

    Where one direction cannot end alone all ends: TLS says so to the peer first.

    Raises:
        trio.BrokenResourceError: the peer is gone.
    """
    if isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    else:
        await stream.aclose()


async def _receive_some(fd: int, max_bytes: int) -> bytes:
    while True:
        await trio.lowlevel.wait_readable(fd)
        try:
            return os.read(fd, max_bytes)
        except BlockingIOError:  # a false alarm
            continue
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
