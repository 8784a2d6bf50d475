import socket
import struct

import pytest
import trio
import trio.testing

from triochat.sockets import is_socket, receiver


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
