import math
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from triochat.lobby import TURNED_AWAY, Lobby


class Guests:
    """A lobby, who is in it, and who was turned away."""

    def __init__(self, size: int, connections: float = math.inf) -> None:
        self.away: list[int] = []
        self._lobby = Lobby(size, connections)
        self._count = 0

    def enter(self, *hosts: str) -> None:
        """Strangers come from these hosts; their numbers count up."""
        for host in hosts:
            self._count += 1
            number = self._count
            self._lobby.enter(number, host, partial(self.away.append, number))

    def speak(self, number: int) -> None:
        """This one says a line."""
        self._lobby.note(number)

    def join(self, number: int) -> None:
        """This one has joined."""
        self._lobby.let_in(number)

    def leave(self, number: int) -> None:
        """This one is gone."""
        self._lobby.leave(number)


def test_the_oldest_of_the_address_that_has_most_goes() -> None:
    """Whoever has many connections makes room for others, the oldest first; nobody else does."""
    guests = Guests(4)
    guests.enter("a", "b", "b", "c")
    guests.enter("d", "b", "e")
    assert guests.away == [2, 3, 1]


def test_who_has_joined_is_never_turned_away() -> None:
    """Who leaves the lobby frees its place, once."""
    guests = Guests(2)
    guests.enter("a", "a")
    guests.leave(1)
    guests.leave(1)
    guests.enter("a")
    assert guests.away == []
    guests.enter("a")
    assert guests.away == [2]
    guests.leave(2)
    guests.enter("b")
    assert guests.away == [2, 3]


def test_who_has_said_something_stays_longest() -> None:
    """Of hosts with equally many whoever has said nothing goes first, the oldest before others."""
    guests = Guests(3)
    guests.enter("a", "b", "c")
    guests.speak(1)
    guests.enter("d", "e", "f")
    assert guests.away == [2, 3, 4]


def test_who_has_said_something_keeps_nobody_out() -> None:
    """Where half of them have, the oldest goes: who comes next gets in, and has time to speak."""
    guests = Guests(3)
    for number, host in enumerate("abcdefg", 1):
        guests.enter(host)
        guests.speak(number)
    assert guests.away == [1, 2, 3, 4]


def test_a_line_is_no_excuse_for_many() -> None:
    """A host that has most makes room, whatever it has said."""
    guests = Guests(2)
    guests.enter("a", "b")
    guests.speak(1)
    guests.enter("a")
    assert guests.away == [1]


def test_members_leave_less_room_for_strangers() -> None:
    """Where all connections are taken by members the next one is told so, until one has left."""
    guests = Guests(10, TURNED_AWAY + 3)
    guests.enter("a", "b", "c")
    guests.join(1)
    guests.join(2)
    guests.join(3)
    guests.enter("d")
    assert guests.away == [4]
    guests.leave(2)
    guests.enter("e")
    assert guests.away == [4]


@given(st.lists(st.sampled_from("aaaab"), max_size=40), st.integers(1, 5))
def test_there_are_never_more_than_may_be(hosts: list[str], size: int) -> None:
    """However many come, all but as many as may be are turned away, each once."""
    guests = Guests(size)
    guests.enter(*hosts)
    assert len(guests.away) == max(0, len(hosts) - size) == len(set(guests.away))
