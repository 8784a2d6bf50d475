import pytest

from triochat import seats as module
from triochat.messages import Join
from triochat.order import AnyRequest, Asked, Exposed, Gone, Lapse, Peer
from triochat.room import Room
from triochat.seats import Seat, Seats


def went(key: str, host: str, *, number: int = 1) -> Seat:
    """The seat of somebody from this host who is away."""
    return Seat(key, Peer(f"{key}{number}", host=host), key, 1, away=float(number))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY", 3)


def loaded(seats: Seats) -> Seats:
    """The same as a room that begins with them has them: put in the order in which they went."""
    again = Seats()
    for key in seats.away:
        again.put(seats[key])
    return again


def test_the_first_of_the_host_that_has_most() -> None:
    """Where too many are away, who of the host with most of them went first is given up."""
    seats = Seats()
    for key, host in [("a", "x"), ("b", "y"), ("c", "y")]:
        seats.put(went(key, host))
        assert seats.superfluous() is None
    seats.put(went("d", "x"))
    seats.drop("a")
    seats.put(went("e", "z"))
    assert seats.superfluous() == seats["b"]


def test_who_is_given_up_depends_on_who_is_away_alone() -> None:
    """Between hosts of which as many are away who went first counts, not who was away before."""
    seats = Seats()
    seats.put(went("a", "x"))
    seats.put(went("b", "y"))
    seats.put(went("c", "y"))
    seats.put(went("d", "x"))
    seats.put(went("e", "x"))
    seats.drop("a")
    assert seats.superfluous() == loaded(seats).superfluous() == seats["b"]


def test_who_waits_in_the_queue_is_of_the_host_from_where_it_waits() -> None:
    """Whose seat is taken again from another host, and waits, is counted there, in its place."""
    seats = Seats()
    for key, host in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]:
        seats.put(went(key, host))
    seats.put(went("b", "y", number=2))
    assert [*seats.away] == ["a", "b", "c", "d"]
    assert seats.superfluous() == loaded(seats).superfluous() == seats["b"]


@pytest.mark.parametrize("was_console", [False, True])
@pytest.mark.parametrize("is_console", [False, True])
def test_a_console_takes_a_seat_again_as_anybody_does(was_console: bool, is_console: bool) -> None:
    """Whoever had the seat before: it is known who is a console, and so how many others are."""
    room, join = Room(), Join("Server" if was_console else "Ann", token="t" * 22)
    former = Peer("former", is_console=was_console)
    peer = Peer("peer", is_console=is_console)
    for one in (former, peer):
        room.apply(Asked(one, (join,), 1.0))
    room.apply(Asked(Peer("bob"), (Join("Bob"),), 2.0))
    assert [*room.members] == [peer, Peer("bob")]
    assert room.members.clients == 1 + (not is_console)
    assert room.members.who.operators == ((join.handle,) if is_console else ())
    room.apply(Asked(peer, (Gone("quit"),), 3.0))
    assert (room.members.clients, room.members.who.handles) == (1, ("Bob",))


def test_who_comes_back_through_the_queue_can_be_overheard() -> None:
    """It is marked so when it is let in, and for as long as it is there."""
    room, join = Room(max_clients=1), Join("Ann", token="t" * 22)
    ann, again, bob = Peer("ann"), Peer("again"), Peer("bob")
    asked: list[tuple[Peer, float, list[AnyRequest]]] = [
        (ann, 1, [Exposed(), join]),
        (ann, 2, [Gone("lost")]),
        (ann, 60, [Lapse()]),
        (bob, 61, [Join("Bob")]),
        (again, 62, [Exposed(), join]),
        (bob, 63, [Gone("quit")]),
    ]
    for peer, now, requests in asked:
        room.apply(Asked(peer, requests, now))
    assert room.exposed == {again}
    assert [*room.members.who.unencrypted] == ["Ann"]
    room.apply(Asked(again, [Gone("quit")], 64))
    assert not room.members.who.handles
    assert not room.members.who.unencrypted
