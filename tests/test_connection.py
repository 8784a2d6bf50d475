import pytest
import trio.testing

from triochat import RemoteProtocolError
from triochat.connection import Connection
from triochat.messages import Joined


@pytest.mark.parametrize(
    "line", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 ready\r\n", b"[1]\n", b"\xff\xff\n", b"{}\n"]
)
async def test_another_server_is_recognised(line: bytes) -> None:
    """What is not triochat is told apart by its first line, not shown to anybody."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(line)
    with pytest.raises(RemoteProtocolError) as caught:
        await Connection(ours).receive()
    assert caught.value.code == "not-triochat"


async def test_a_greeting_is_skipped() -> None:
    """A server that took our silence for a person's is understood, whatever its room allows."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(
        b"* triochat: what is your handle? (1-24 characters, no spaces)\n"
        b'{"type":"joined","handle":"x"}\n'
    )
    assert await Connection(ours).receive() == Joined("x")


async def test_a_greeting_is_skipped_before_the_first_answer_only() -> None:
    """Later such a line is no more triochat than any other that is no event."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(b'{"type":"joined","handle":"x"}\n* triochat: what is your handle?\n')
    connection = Connection(ours)
    assert await connection.receive() == Joined("x")
    with pytest.raises(RemoteProtocolError):
        await connection.receive()


async def test_events_of_a_later_version_are_left_out() -> None:
    """A type of event that is not known is skipped, a field that is not known is ignored."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(
        b'{"type":"waved","handle":"x"}\n{"type":"joined","handle":"x","age":3}\n'
    )
    assert await Connection(ours).receive() == Joined("x")
