"""The operator's console, and the relay that stands in for it where there is no terminal.

The console is a client of its own server: an ordinary session at one end of a socket pair, a chat
at the other; but this session may do what the operator may. The relay is only an outbox, whose
lines go to standard output, each with its time.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache

import trio

from triochat.chat import Chat
from triochat.connection import Connection
from triochat.dialects.base import Dialect
from triochat.dialects.plain import PlainSpeaker
from triochat.hub import Hub
from triochat.link import Link
from triochat.messages import Event
from triochat.session import Session
from triochat.stay import Stay
from triochat.terminal import Terminal
from triochat.terminals.pipe import Output
from triochat.ways import Role, Why
from triochat.words import line_of

RETRY = 1.0
"""Seconds between two tries to connect to our own server when the system lacks files."""


@lru_cache(maxsize=2)
def _local(second: str) -> str:
    """A second, as it stands on the wire but for the ``Z``, in the time of this machine."""
    return datetime.fromisoformat(f"{second}Z").astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _encode(events: list[Event]) -> bytes:
    lines: list[str] = []
    last, time = "", _local(datetime.now(UTC).isoformat()[:19])
    for event in events:
        at = getattr(event, "at", "")
        if at is not last and at:  # those of one moment have one and the same
            last, time = at, _local(at[:19])
        lines.append(f"{time} {line_of(event)}\n")
    return "".join(lines).encode()


class Transcriber(PlainSpeaker):
    """Nobody speaks here; what all are told is told with its time, to the second."""

    __slots__ = ()

    dialect = Dialect("transcript", echoes=False, encode=_encode)


async def run_console(hub: Hub, terminal: Terminal) -> None:
    """Chat as the operator, until the operator's input ends or the room closes."""
    why, stay = Why.LOST, Stay()
    room = hub.room
    while why in (Why.LOST, Why.RESTARTING) and not hub.is_closed:  # put out, or cut off
        stay.handle = ""  # nobody keeps its place; but what it has seen it is not shown again
        async with _open_session(hub, stay) as connection:
            server = room.members.server
            chat = Chat(terminal, connection, server, where=room.place, role=Role.OPERATOR)
            why = await chat.run()


async def run_relay(hub: Hub, screen: trio.abc.SendStream) -> None:
    """Show what is said and who comes and goes, in lines with their times, until the room closes.

    A screen that takes nothing misses what is said meanwhile; nobody waits for it.
    """
    while not hub.is_closed:
        link = Link(hub.backlog, screen, Transcriber())
        if isinstance(screen, Output):
            link.outbox.write_through(Output.write_nowait, screen)
        peer = hub.connect(link)
        hub.fan_out.follow(peer)
        try:
            with link.outbox.scope:
                await link.outbox.send_to(screen)
        finally:
            link.outbox.abandon()
            hub.disconnect(peer, "quit")


@asynccontextmanager
async def _open_session(hub: Hub, stay: Stay) -> AsyncIterator[Connection]:
    """A connection to the hub's room, from inside the server; its session ends with the block."""
    ours, theirs = [
        trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in await _socketpair()
    ]
    session = Session(theirs, hub, "the console", is_console=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        async with Connection(ours, stay) as connection:
            yield connection


async def _socketpair() -> tuple[socket.socket, socket.socket]:
    """A pair of sockets, as soon as the system has two to spare."""
    while True:
        try:
            return socket.socketpair()
        except OSError:
            await trio.sleep(RETRY)
