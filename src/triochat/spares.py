"""Spare connections: a browser opens more than it needs, and says nothing there for a while. Pure.

A greeting there would be taken for the answer to what it asks for later, and so break a page. So
whoever has spoken like that lately is greeted later: by then a browser has closed what it does not
need. Times are in seconds, of any clock.
"""

from triochat.stranger import GREETING_DELAY

LATER = 15.0
"""Seconds of silence after which somebody is greeted from whose host such a peer has come."""

KEPT = 600.0
"""Seconds for which that is remembered of a host."""

HOSTS = 1000
"""Hosts of which it is remembered; then the one is forgotten of which it is longest ago."""


class Spares:
    """From which hosts peers have come that keep spare connections."""

    def __init__(self) -> None:
        self._hosts: dict[str, float] = {}

    def note(self, host: str, now: float) -> None:
        """Such a peer has come from this host."""
        self._hosts.pop(host, None)
        self._hosts[host] = now
        if len(self._hosts) > HOSTS:
            del self._hosts[next(iter(self._hosts))]

    def delay(self, host: str, now: float) -> float:
        """After how many seconds of silence somebody is greeted that has come from this host."""
        noted = self._hosts.get(host)
        return LATER if noted is not None and now - noted < KEPT else GREETING_DELAY
