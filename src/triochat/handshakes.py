"""Handshakes: how many of TLS begin in a second, and whose is the next.

To shake hands costs the server a hundred times what a line costs it, before it knows anything of
whoever asks for it, and anybody can ask as often as they like. So they wait for each other; those
who wait are not read from, and there are no more of them than may be strangers.
"""

from weakref import WeakValueDictionary

import trio

from triochat.ratelimit import TokenBucket

BURST = 10.0
"""Handshakes that may begin at once: 6 ms of work."""

RATE = 300.0
"""Handshakes a second after that: a fifth of a core."""


class Handshakes:
    """Those who want to begin one."""

    def __init__(self) -> None:
        self._tokens = TokenBucket(BURST, RATE)
        self._next = trio.Lock()
        self._hosts: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()

    async def wait_turn(self, host: str) -> None:
        """Wait until one may begin for this host: hosts in turn, and of each who came first."""
        own = self._hosts.setdefault(host, trio.Lock())
        async with own, self._next:
            await trio.sleep(self._tokens.spend(1, trio.current_time()))
