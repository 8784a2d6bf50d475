"""A chat on the `websockets` library and its `broadcast`: one frame for each message and client.

Usage: websockets_broadcast.py PORT [CERTIFICATE KEY]
"""

import asyncio
import ssl
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve

clients: set[ServerConnection] = set()


async def chat(client: ServerConnection) -> None:
    """Let a client in, and tell everybody what it says."""
    clients.add(client)
    try:
        await client.send("* welcome\n")
        async for message in client:
            broadcast(clients, message)
    finally:
        clients.discard(client)


async def main(port: int, *files: str) -> None:
    """Serve until cancelled; over TLS, if a certificate and its key are given."""
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    quiet = {"compression": None, "ping_interval": None}  # as triochat: nothing is compressed
    async with serve(chat, "127.0.0.1", port, backlog=4096, ssl=tls, **quiet) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
