from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from triochat.lobby import Lobby


class Guests:
    """A lobby, who is in it, and who was turned away."""

    def __init__(self, size: int) -> None:
        self.away: list[int] = []
        self._lobby = Lobby(size)
        self._count = 0

    def enter(self, *hosts: str) -> None:
        """Strangers come from these hosts; their numbers count up."""
        for host in hosts:
            self._count += 1
            number = self._count
            self._lobby.enter(number, host, partial(self.away.append, number))

    def leave(self, number: int, host: str) -> None:
        """This one has joined, or is gone."""
        self._lobby.leave(number, host)


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
    guests.leave(1, "a")
    guests.leave(1, "a")
    guests.enter("a")
    assert guests.away == []
    guests.enter("a")
    assert guests.away == [2]
    guests.leave(2, "a")
    guests.enter("b")
    assert guests.away == [2, 3]


@given(st.lists(st.sampled_from("aaaab"), max_size=40), st.integers(1, 5))
def test_there_are_never_more_than_may_be(hosts: list[str], size: int) -> None:
    """However many come, all but as many as may be are turned away, each once."""
    guests = Guests(size)
    guests.enter(*hosts)
    assert len(guests.away) == max(0, len(hosts) - size) == len(set(guests.away))
