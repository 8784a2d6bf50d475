"""The usual chat on asyncio streams: for each message, write to each client and drain it.

Usage: asyncio_streams.py PORT
"""

import asyncio
import sys
from contextlib import suppress

clients: set[asyncio.StreamWriter] = set()


async def broadcast(message: bytes) -> None:
    """Tell everybody, one after the other."""
    for client in list(clients):
        with suppress(ConnectionError):
            client.write(message)
            await client.drain()


async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client."""
    clients.add(writer)
    writer.write(b"* welcome\n")
    try:
        async for line in reader:
            await broadcast(line)
    except ConnectionError:
        pass
    finally:
        clients.discard(writer)
        writer.close()


async def main(port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.start_server(chat, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
