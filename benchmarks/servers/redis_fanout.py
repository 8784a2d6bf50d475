"""The usual chat on several servers: Redis pub/sub, without ids, history, roster or limits.

Each line that somebody says is published as it will be told; each server subscribes, and tells its
own clients: writes at once what a socket takes, as asyncio's transports do, and the rest later.

Usage: redis_fanout.py PORT REDIS_PORT
"""

import os
import sys
from functools import partial

import coredis
import msgspec
import trio


class Request(msgspec.Struct):
    """What a client sends: who it is, or what it says."""

    type: str
    handle: str = ""
    text: str = ""


class Said(msgspec.Struct, tag_field="type", tag="said"):
    """What all are told."""

    handle: str
    text: str


decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.encode


class Client:
    """One of those who are told."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.file = stream.socket.fileno()
        self.waiting = bytearray()
        self.wake = trio.Event()

    def tell(self, line: bytes) -> None:
        """Tell it this, after all that it was told before."""
        if not self.waiting:
            try:
                line = line[os.write(self.file, line) :]
            except BlockingIOError:
                pass
            except OSError:
                return  # it is gone, and who reads from it will know
        if line:
            self.waiting += line
            self.wake.set()

    async def send(self) -> None:
        """Write what a full socket has not taken."""
        while True:
            await self.wake.wait()
            self.wake = trio.Event()
            while self.waiting:
                size = await self.stream.socket.send(self.waiting)
                del self.waiting[:size]


clients: set[Client] = set()


async def publish(redis: coredis.Redis[bytes], stream: trio.SocketStream) -> None:
    """Publish what one client says."""
    rest, handle = b"", ""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for request in map(decode, lines):
            if request.type == "join":
                handle = request.handle
            else:
                await redis.publish("room", encode(Said(handle, request.text)) + b"\n")


async def tell(redis: coredis.Redis[bytes]) -> None:
    """Tell the clients of this server what is published."""
    async with redis.pubsub(channels=["room"], ignore_subscribe_messages=True) as subscribed:
        async for message in subscribed:
            for client in clients:
                client.tell(message["data"])


async def chat(redis: coredis.Redis[bytes], stream: trio.SocketStream) -> None:
    """One client."""
    client = Client(stream)
    client.tell(b'{"type":"welcome"}\n')
    clients.add(client)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send)
            await publish(redis, stream)
            nursery.cancel_scope.cancel()
    except* (trio.BrokenResourceError, OSError):
        pass
    finally:
        clients.discard(client)


async def main(port: int, redis_port: int) -> None:
    """Serve until cancelled."""
    async with coredis.Redis(port=redis_port) as redis, trio.open_nursery() as nursery:
        nursery.start_soon(tell, redis)
        await trio.serve_tcp(partial(chat, redis), port, host="127.0.0.1", backlog=4096)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]))
