"""The operator's console, and the relay that stands in for it where there is no terminal.

The console is a client of its own server: an ordinary session at one end of a socket pair, a chat
at the other; but this session may do what the operator may. The relay is only an outbox, whose
lines go to standard output.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from triochat.chat import Chat, Terminal, Why
from triochat.connection import Connection
from triochat.hub import Hub
from triochat.outbox import Outbox
from triochat.pipe import Output
from triochat.session import Session

RETRY = 1.0
"""Seconds between two tries to connect to our own server when the system lacks files."""


async def run_console(hub: Hub, terminal: Terminal) -> None:
    """Chat as the operator, until the operator's input ends or the room closes."""
    why = Why.LOST
    while why is Why.LOST and not hub.closed:  # it comes back when it was put out
        async with _open_session(hub, "the console") as (connection, outbox):
            hub.room.appoint(outbox)
            chat = Chat(terminal, connection, hub.room.server, where=hub.room.place, operator=True)
            why = (await chat.run()).why


async def run_relay(hub: Hub, screen: trio.abc.SendStream) -> None:
    """Show what is said and who comes and goes, in plain lines, until the room closes.

    A screen that takes nothing misses what is said meanwhile; nobody waits for it.
    """
    while not hub.closed:
        outbox = Outbox(hub.backlog)
        if isinstance(screen, Output):
            outbox.write_through(Output.write_nowait, screen)
        hub.attach(outbox)
        hub.room.watch(outbox)
        try:
            with outbox.scope:
                await outbox.send_to(screen)
        finally:
            hub.detach(outbox, "quit")


@asynccontextmanager
async def _open_session(hub: Hub, name: str) -> AsyncIterator[tuple[Connection, Outbox]]:
    """A connection to the hub's room, from inside the server; its session ends with the block."""
    ours, theirs = [
        trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in await _socketpair()
    ]
    session = Session(theirs, hub, name, ours=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        async with Connection(ours) as connection:
            yield connection, session.outbox


async def _socketpair() -> tuple[socket.socket, socket.socket]:
    """A pair of sockets, as soon as the system has two to spare."""
    while True:
        try:
            return socket.socketpair()
        except OSError:
            await trio.sleep(RETRY)
