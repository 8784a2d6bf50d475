"""The lobby: connections that have not joined, as many as may be.

They cost a file descriptor each, and anybody can open them. So there is a bound, and one more takes
the place of another: of the host that has most, so that whoever comes from elsewhere gets in; of
several such hosts, and of its own, the oldest. Those who have said a line may stay longer than
those who have not, as long as they are less than half: or they could keep all others out.
Members are not in the lobby any more, and never lose their place to a stranger; where they need
most of the connections that there may be, there is less room for strangers.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

TURNED_AWAY = 8
"""Connections that may still be told why they end, while all others are taken."""


@dataclass(slots=True)
class _Guest:
    host: str
    turn_away: Callable[[], None]
    has_spoken: bool = False


class Lobby:
    """Who is here and has not joined.

    Args:
        size: how many may be.
        connections: how many there may be in all.
    """

    def __init__(self, size: int, connections: float) -> None:
        self._size = size
        self._places = connections - TURNED_AWAY
        self._inside: set[object] = set()
        self._guests: dict[object, _Guest] = {}  # the oldest first
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, peer: object) -> bool:
        return peer in self._guests

    @property
    def is_closed(self) -> bool:
        """Whether members have all the connections that there may be."""
        return len(self._inside) >= self._places

    def enter(self, stranger: object, host: str, turn_away: Callable[[], None]) -> None:
        """A stranger has come from this host.

        ``turn_away`` ends its connection, and is called once at most, when its place is needed.
        """
        self._guests[stranger] = _Guest(host, turn_away)
        self._hosts[host] += 1
        while len(self._guests) > max(0, min(self._size, self._places - len(self._inside))):
            first = self._first_to_go()
            turn_away = self._guests[first].turn_away
            self.leave(first)
            turn_away()

    def note(self, stranger: object) -> None:
        """It has said a line, and is not just a connection."""
        if guest := self._guests.get(stranger):
            guest.has_spoken = True

    def let_in(self, stranger: object) -> None:
        """It has joined; until it leaves it takes one of the connections."""
        self.leave(stranger)
        self._inside.add(stranger)

    def leave(self, stranger: object) -> None:
        """It is gone."""
        self._inside.discard(stranger)
        if guest := self._guests.pop(stranger, None):
            self._hosts[guest.host] -= 1
            if not self._hosts[guest.host]:
                del self._hosts[guest.host]

    def _first_to_go(self) -> object:
        most = max(self._hosts.values())
        guests = [one for one, guest in self._guests.items() if self._hosts[guest.host] == most]
        silent = [one for one in guests if not self._guests[one].has_spoken]
        return silent[0] if len(silent) * 2 > len(guests) else guests[0]
