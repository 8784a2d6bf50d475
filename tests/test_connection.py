import pytest
import trio
import trio.testing

from doubles import Stub
from house import open_house
from triochat import RemoteProtocolError
from triochat.connection import LOST, PING, Connection
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Ping,
    Pong,
    Quit,
    Request,
    Say,
    Who,
)


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


async def test_a_good_bye_to_whom_is_taken_for_a_person_is_one() -> None:
    """A server that stops before it has heard anything says so in plain words."""
    server = Stub()
    await server.say(b"* triochat: what is your handle? (1-10 characters, no spaces)\n")
    await server.say(b"* Server closed the connection: shutting down\n")
    assert await Connection(server.theirs).receive() == Closing("shutting down")


@pytest.mark.parametrize("ending", [Closing("enough"), Quit()])
async def test_a_connection_ends_after_a_good_bye(ending: Closing | Quit) -> None:
    """The server's good-bye, or one's own, makes an end of the stream the end of the events."""
    server = Stub()
    connection = Connection(server.theirs)
    if isinstance(ending, Quit):
        await connection.send(ending)
    else:
        await server.tell(ending)
    await server.ours.aclose()
    assert [event async for event in connection] == ([] if ending == Quit() else [ending])


async def test_a_connection_that_just_ends_is_lost() -> None:
    """Without a good-bye nobody takes what was heard for all that there was to hear."""
    server = Stub()
    await server.tell(Joined("Ann"))
    await server.ours.send_eof()
    heard = []
    with pytest.raises(trio.BrokenResourceError):
        heard += [event async for event in Connection(server.theirs)]
    assert heard == []


@pytest.mark.parametrize("text", ["\ud800", "caf\udce9"])
async def test_half_a_character_is_an_error_before_anything_is_sent(text: str) -> None:
    """What cannot be UTF-8 is the caller's mistake; the next request is answered as ever."""
    async with open_house() as house:
        connection = Connection(await house.listener.connect())
        for request in (Say(text), Join(text)):
            with pytest.raises(ValueError, match="that is not UTF-8 text; nothing was sent"):
                await connection.send(request)
        assert not connection.stay.unanswered
        await connection.send(Ping())
        assert await connection.receive_answer() == (Pong(), Ping())


# ---- whether the server is there


async def listen(connection: Connection, heard: list[Event]) -> None:
    """Listen until the end."""
    heard += [event async for event in connection]


async def test_a_server_is_asked_for_a_sign_of_life() -> None:
    """After a while without an answer one is asked for; only the lag is made of it."""
    server = Stub()
    connection = Connection(server.theirs)
    async with trio.open_nursery() as nursery:
        heard: list[Event] = []
        nursery.start_soon(listen, connection, heard)
        for _ in range(3):
            start = trio.current_time()
            assert await server.asked() == [Ping()]
            assert trio.current_time() - start == pytest.approx(PING)
            await trio.sleep(2)
            await server.tell(Pong())
            assert connection.lag == pytest.approx(2)
        await server.tell(Closing("enough"))
        await server.ours.aclose()
    assert heard == [Closing("enough")]


async def test_who_asks_itself_is_answered() -> None:
    """Only what the connection has asked for by itself is kept from its owner."""
    server = Stub()
    connection = Connection(server.theirs)
    await connection.send(Ping())
    await server.tell(Pong())
    assert await connection.receive() == Pong()
    with trio.move_on_after(PING + 1):
        await connection.receive()
    await connection.send(Ping())
    await server.tell(Pong(), Pong())
    assert await connection.receive_answer() == (Pong(), Ping())
    assert not connection.stay.unanswered


@pytest.mark.parametrize(("request_", "due"), [(None, PING + LOST), (Who(), LOST)])
async def test_a_server_that_does_not_answer_is_lost(request_: Request | None, due: float) -> None:
    """Whatever it was asked, a server that says nothing at all in time is as good as gone."""
    connection = Connection(Stub().theirs)
    if request_:
        await connection.send(request_)
    with pytest.raises(trio.BrokenResourceError, match="no answer for 30 seconds"):
        await connection.receive()
    assert trio.current_time() == pytest.approx(due)


async def test_a_server_that_says_anything_is_there() -> None:
    """An answer may take its time while others are heard."""
    server = Stub()
    connection = Connection(server.theirs)
    await connection.send(Who())
    for _ in range(5):
        with trio.move_on_after(LOST - 1):
            await connection.receive()
        assert connection.waited == pytest.approx(LOST - 1)
        await server.tell(Joined("Ann"))
        assert await connection.receive() == Joined("Ann")
        assert connection.waited == 0


async def test_who_does_not_listen_is_not_lost() -> None:
    """Only time spent in listening counts, in however many pieces; what has come is heard first."""
    server = Stub()
    connection = Connection(server.theirs)
    await connection.send(Who())
    with trio.move_on_after(LOST - 1):
        await connection.receive()
    await trio.sleep(3600)
    assert connection.waited == pytest.approx(LOST - 1)
    await server.tell(Joined("Ann"))
    assert await connection.receive() == Joined("Ann")
    for _ in range(2 * round(LOST) - 1):
        with trio.move_on_after(0.5):
            await connection.receive()
    with pytest.raises(trio.BrokenResourceError):
        await connection.receive()
    assert trio.current_time() == pytest.approx(LOST - 1 + 3600 + LOST)


async def test_a_member_who_is_silent_for_an_hour_stays() -> None:
    """In a room, and in the queue before a full one, the signs of life go unnoticed."""
    async with open_house(max_clients=1) as house, trio.open_nursery() as nursery:
        clients = [Connection(await house.listener.connect()) for _ in range(2)]
        for handle, connection in zip("ab", clients, strict=True):
            await connection.send(Join(handle))
            await connection.receive()
            nursery.start_soon(listen, connection, [])
        await trio.sleep(3600)
        assert [len(connection.stay.unanswered) for connection in clients] == [0, 0]
        assert len(nursery.child_tasks) == 2
        assert house.room.roster == ("a",)
        nursery.cancel_scope.cancel()
