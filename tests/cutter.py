"""A proxy on the way to a server: it delays all, and cuts connections as a network may, by a seed.

No connection through it can be trusted: a line may arrive in part, its answer may never arrive, and
what was sent may arrive after who sent it has come back by another connection.
"""

import random
import socket
import struct
from collections import Counter
from contextlib import suppress

import trio

CUTS = ("reset", "half up", "half down", "late")
"""At once, and all that is on its way is lost; in the middle of a line, on its way to the server or
from it; at once for the client, but the server hears later what was sent, and that it is gone."""

PIECES = (1, 30, 1 << 16)
"""The most bytes that are carried at once; each as often as the others."""

DELAYS = (0.0, 0.0, 0.002, 0.02)
"""The most seconds for which they are."""

LATE = 0.8
"""The most seconds for which a server does not notice that its client is gone."""

_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Cutter:
    """The proxy.

    Args:
        port: of the server, on this machine.
        seed: what is cut, where and when, as far as this decides it.

    Attributes:
        made: how often a connection was cut, by the kind of it.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.made: Counter[str] = Counter()
        self.port = port
        self.chance = random.Random(f"{seed} cutter")  # noqa: S311  no secret
        self._ways: list[_Way] = []

    async def carry(self, client: trio.SocketStream) -> None:
        """Carry what this client and the server say, until one is gone, or it is cut."""
        try:
            server = await trio.open_tcp_stream("127.0.0.1", self.port)
        except OSError:
            await trio.aclose_forcefully(client)
            return
        way = _Way(self, client, server)
        self._ways.append(way)
        try:
            async with client, server:
                await way.carry()
        finally:
            self._ways.remove(way)

    def cut(self) -> None:
        """Cut a connection, if there is one, as soon as it is where it is to be cut."""
        if whole := [way for way in self._ways if not way.cut]:
            self.chance.choice(whole).cut = self.chance.choice(CUTS)

    def rest(self) -> None:
        """Cut nothing that is not cut yet."""
        for way in self._ways:
            way.cut = ""


class _Way:
    """One connection. It is cut with the next piece in a direction that this kind of cut has."""

    def __init__(
        self, cutter: Cutter, client: trio.SocketStream, server: trio.SocketStream
    ) -> None:
        self.cut = ""
        self._cutter = cutter
        self._chance = cutter.chance
        self._client = client
        self._server = server

    async def carry(self) -> None:
        async with trio.open_nursery() as nursery:
            down = ("reset", "half down")
            nursery.start_soon(self._pump, self._server, self._client, down, nursery)
            up = ("reset", "half up", "late")
            await self._pump(self._client, self._server, up, nursery)

    async def _pump(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        cuts: tuple[str, ...],
        nursery: trio.Nursery,
    ) -> None:
        with suppress(*_GONE):
            while data := bytes(await source.receive_some(self._chance.choice(PIECES))):
                await trio.sleep(self._chance.uniform(0, self._chance.choice(DELAYS)))
                if self.cut in cuts:
                    self._cutter.made[self.cut] += 1
                    await self._break(data, sink)
                    break
                await sink.send_all(data)
        nursery.cancel_scope.cancel()

    async def _break(self, data: bytes, sink: trio.SocketStream) -> None:
        """Cut; this is what was to be carried there next."""
        if self.cut.startswith("half"):
            await sink.send_all(data[: _within(data, self._chance)])
            return
        _reset(self._client)
        if self.cut == "reset":
            _reset(self._server)
            return
        with trio.CancelScope(shield=True):
            await trio.sleep(self._chance.uniform(0, LATE))
            await self._server.send_all(data)
            await self._server.send_eof()


def _within(data: bytes, chance: random.Random) -> int:
    """A place in this where no line ends; at its beginning, if there is no other."""
    places = [at for at in range(1, len(data)) if data[at - 1] != ord("\n")]
    return chance.choice(places) if places else 0


def _reset(stream: trio.SocketStream) -> None:
    """Vanish: the other side gets a reset, and not what is on its way."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
