"""A chat on asyncio's Protocol: `transport.write` for each message and client. On uvloop if asked.

Usage: asyncio_protocol.py PORT [uvloop | CERTIFICATE KEY]
"""

import asyncio
import ssl
import sys
from typing import cast

clients: set[asyncio.Transport] = set()


class Chat(asyncio.Protocol):
    """One client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in."""
        self.transport = cast("asyncio.Transport", transport)
        self.rest = b""
        clients.add(self.transport)
        self.transport.write(b"* welcome\n")

    def data_received(self, data: bytes) -> None:
        """Tell everybody each line."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            message = line + b"\n"
            for client in clients:
                client.write(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget it."""
        clients.discard(self.transport)


async def main(port: int, *files: str) -> None:
    """Serve until cancelled; over TLS, if a certificate and its key are given."""
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Chat, "127.0.0.1", port, backlog=4096, ssl=tls)
    await server.serve_forever()


if __name__ == "__main__":
    if "uvloop" in sys.argv:
        import uvloop

        uvloop.run(main(int(sys.argv[1])))
    else:
        asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
