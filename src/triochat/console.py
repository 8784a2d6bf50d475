"""The operator's console, and the relay that stands in for it where there is no terminal.

Both are clients of their own server: an ordinary session at one end of a socket pair, a chat at the
other. The operator's session may do what the operator may; the relay's only watches.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from triochat.chat import Chat, Terminal, Why
from triochat.connection import Connection
from triochat.hub import Hub
from triochat.outbox import Outbox
from triochat.session import Session


async def run_console(hub: Hub, terminal: Terminal) -> None:
    """Chat as the operator, until the operator's input ends or the room closes."""
    why = Why.LOST
    while why is Why.LOST and not hub.closed:  # it comes back when it was put out
        async with _open_session(hub, "the console") as (connection, outbox):
            hub.room.appoint(outbox)
            chat = Chat(terminal, connection, hub.room.server, where=hub.room.place, operator=True)
            why = (await chat.run()).why


async def run_relay(hub: Hub, screen: Terminal) -> None:
    """Show what is said and who comes and goes, until the room closes."""
    while not hub.closed:
        async with _open_session(hub, "the relay") as (connection, outbox):
            hub.room.watch(outbox)
            await Chat(screen, connection, operator=True).run()


@asynccontextmanager
async def _open_session(hub: Hub, name: str) -> AsyncIterator[tuple[Connection, Outbox]]:
    """A connection to the hub's room, from inside the server; its session ends with the block."""
    ours, theirs = (
        trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in socket.socketpair()
    )
    session = Session(theirs, hub, name, ours=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        async with Connection(ours) as connection:
            yield connection, session.outbox
