import socket
import struct

import pytest
import trio
import trio.testing

from triochat.backlog import Backlog
from triochat.outbox import Outbox
from triochat.server import VANISHED, peer_of, watch
from triochat.sockets import is_reset, is_socket, receiver


def pair() -> tuple[trio.SocketStream, socket.socket]:
    """A connection over the loopback: our end, and the bare socket of the peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    return trio.SocketStream(trio.socket.from_stdlib_socket(ours)), theirs


async def test_a_plain_socket_is_read_as_its_stream_would_be() -> None:
    """The bytes come in order, at most as many as asked for, and none at the end."""
    stream, theirs = pair()
    receive = receiver(stream)
    theirs.sendall(b"hello")
    theirs.close()
    assert [await receive(3), await receive(3), await receive(3)] == [b"hel", b"lo", b""]
    await stream.aclose()


async def test_reading_waits_for_the_peer() -> None:
    """Nothing comes before the peer has sent something."""
    stream, theirs = pair()
    heard: list[bytes | bytearray] = []

    async def read() -> None:
        heard.append(await receiver(stream)(10))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        theirs.sendall(b"now")
    assert heard == [b"now"]
    theirs.close()
    await stream.aclose()


async def test_a_reset_is_the_error_of_a_stream() -> None:
    """A peer that resets the connection is a broken resource, as with any other stream."""
    stream, theirs = pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with pytest.raises(trio.BrokenResourceError, match="reset"):
        await receiver(stream)(10)
    await stream.aclose()


async def test_other_streams_read_for_themselves() -> None:
    """What is no plain socket is read by its own method."""
    ours, theirs = trio.testing.memory_stream_pair()
    assert not is_socket(ours)
    await theirs.send_all(b"hello")
    assert await receiver(ours)(10) == b"hello"


class Whole(trio.abc.SendStream):
    """A stream that can only end as a whole, and tells the other end before it does."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send it."""
        self.heard.append(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """It never does."""

    async def aclose(self) -> None:
        """Say good-bye."""
        self.heard.append(b"close_notify")


async def test_each_stream_ends_as_it_can() -> None:
    """Where one direction cannot end alone, the stream is closed after all was sent."""
    stream = Whole()
    outbox = Outbox(Backlog())
    outbox.put(b"bye")
    outbox.close("quit")
    with outbox.scope:
        await outbox.send_to(stream)
    assert stream.heard == [b"bye", b"close_notify"]
    assert not outbox.scope.cancel_called


async def test_the_system_looks_for_who_has_vanished() -> None:
    """Whoever vanishes is missed after two minutes, also with something on its way."""
    ours, theirs = pair()
    with theirs:
        watch(ours)
        silent = VANISHED["TCP_KEEPIDLE"] + VANISHED["TCP_KEEPINTVL"] * VANISHED["TCP_KEEPCNT"]
        assert silent == 120
        for option, value in VANISHED.items():
            if hasattr(socket, option):
                assert ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == value
        await ours.aclose()


async def test_a_network_of_ipv6_is_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has an address of IPv6 has 2**64 of them, and is one host all the same."""
    ours, theirs = pair()
    with theirs:
        port = theirs.getsockname()[1]
        assert peer_of(ours) == ("127.0.0.1/32", f"127.0.0.1 port {port}")
        await ours.aclose()
        assert peer_of(ours) == ("", "a peer")
    for name in ("2001:db8::1", "2001:db8::2:ffff", "2001:db8::2%eth0"):
        monkeypatch.setattr(ours, "socket", Named(name))
        assert peer_of(ours) == ("2001:db8::/64", f"{name} port 9")


class Named:
    """A socket as far as its peer's name goes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def getpeername(self) -> tuple[str, int, int, int]:
        """It has this name."""
        return self._name, 9, 0, 0


async def test_a_reset_is_seen_without_reading() -> None:
    """That a peer has vanished is known while what it said before waits unread."""
    ours, theirs = pair()
    theirs.sendall(b"hello")
    assert not is_reset(ours)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    await trio.lowlevel.wait_readable(ours.socket)
    assert is_reset(ours)
    await ours.aclose()
    memory, _ = trio.testing.memory_stream_pair()
    assert not is_reset(memory)
