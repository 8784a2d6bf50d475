"""The lobby: connections that have not joined, as many as may be.

They cost a file descriptor each, and anybody can open them. So there is a bound, and one more takes
the place of the oldest one of the address that has most: whoever comes from elsewhere gets in.
Members are not in the lobby any more, and never lose their place to a stranger.
"""

from collections.abc import Callable


class Lobby:
    """Who is here and has not joined.

    Args:
        size: how many may be.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._hosts: dict[str, dict[object, Callable[[], None]]] = {}

    def enter(self, stranger: object, host: str, turn_away: Callable[[], None]) -> None:
        """A stranger has come from this host.

        ``turn_away`` ends its connection, and is called once at most, when its place is needed.
        """
        self._hosts.setdefault(host, {})[stranger] = turn_away
        self._count += 1
        if self._count > self._size:
            host = max(self._hosts, key=lambda host: len(self._hosts[host]))
            oldest, turn_away = next(iter(self._hosts[host].items()))
            self.leave(oldest, host)
            turn_away()

    def leave(self, stranger: object, host: str) -> None:
        """It has joined, or is gone; nothing, if it was turned away."""
        strangers = self._hosts.get(host, {})
        if strangers.pop(stranger, None) is not None:
            self._count -= 1
            if not strangers:
                del self._hosts[host]
