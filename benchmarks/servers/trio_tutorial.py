"""The usual chat on trio: a memory channel and a sender task per client, `send_all` per message.

Usage: trio_tutorial.py PORT
"""

import math
import sys
from functools import partial

import trio

clients: set[trio.MemorySendChannel[bytes]] = set()


async def send(stream: trio.SocketStream, messages: trio.MemoryReceiveChannel[bytes]) -> None:
    """Send one client what it is told."""
    async for message in messages:
        await stream.send_all(message)


async def receive(stream: trio.SocketStream) -> None:
    """Tell everybody each line."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            for client in clients:
                client.send_nowait(line + b"\n")


async def chat(stream: trio.SocketStream) -> None:
    """One client."""
    send_channel, receive_channel = trio.open_memory_channel[bytes](math.inf)
    clients.add(send_channel)
    send_channel.send_nowait(b"* welcome\n")
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, stream, receive_channel)
            await receive(stream)
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass
    finally:
        clients.discard(send_channel)


async def main(port: int) -> None:
    """Serve until cancelled."""
    await trio.serve_tcp(chat, port, host="127.0.0.1", backlog=4096)


if __name__ == "__main__":
    trio.run(partial(main, int(sys.argv[1])))
