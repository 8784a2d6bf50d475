"""What a server is asked waits for its place, and who shares the room with it is known."""

from triochat.entries import Batch, decode
from triochat.gathering import Gathering
from triochat.messages import Bans, Join, Ping, Say
from triochat.order import HOUSE, Aside, Asked, Peer, ServerCame
from triochat.room import Room
from triochat.servers import GONE, Servers

OWN = "aaaaaaaa"
ANN = Peer(f"{OWN}-1")


def test_an_answer_waits_behind_what_was_asked_before() -> None:
    """What changes nothing needs no place of its own, but keeps the one that it has."""
    room = Room()
    gathering = Gathering(room, OWN)
    ping = Asked(ANN, [Aside(Ping())], 1.0)

    def write_and_read() -> list[Asked]:
        data = gathering.next_batch()
        assert data
        batch = decode(data)
        assert isinstance(batch, Batch)
        read = gathering.read(batch, 1.0)
        for asked in read:
            room.apply(asked)
        return read

    gathering.take(Asked(HOUSE, [ServerCame("one", OWN)], 0.0))
    gathering.take(Asked(ANN, [Join("Ann")], 0.0))
    write_and_read()
    assert gathering.take(Asked(ANN, [Ping()], 0.0)) == (ping,)
    assert not gathering.take(Asked(ANN, [Say("hello")], 0.0))
    assert not gathering.take(Asked(ANN, [Ping()], 0.0))
    assert write_and_read() == [Asked(ANN, [Say("hello")], 1.0), ping]
    assert gathering.take(Asked(ANN, [Ping()], 0.0)) == (ping,)
    assert not gathering.take(Asked(ANN, [Bans()], 0.0)), "to be refused is an event of the room"


def test_each_batch_is_applied_once_and_in_order() -> None:
    """One that is written twice, too early, or before its server has said who it is, is nothing."""
    servers = Servers()
    assert not servers.take(OWN, 2)
    assert servers.take(OWN, 1)
    servers.come(OWN, "one", 0.0)
    assert [servers.take(OWN, number) for number in (1, 3, 2, 2, 3)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_who_is_gone_does_not_come_again() -> None:
    """Not even where what it has written first arrives only then."""
    servers = Servers()
    servers.come(OWN, "one", 0.0)
    servers.go(OWN)
    servers.go("bbbbbbbb")  # which was never here
    assert not servers.take(OWN, 1)
    assert [*servers.gone] == [OWN]
    for number in range(GONE):
        servers.come(f"{number:08x}", "two", 0.0)
        servers.go(f"{number:08x}")
    assert len(servers.gone) == GONE
