"""The hub: who is connected to a room, from opening to closing."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from itertools import count
from secrets import token_hex

import trio

from triochat import __version__, vitals
from triochat.dialects.base import Setting
from triochat.feed import Feed
from triochat.figures import Figures, words_of
from triochat.handshakes import Handshakes
from triochat.history import History
from triochat.journal import Journal
from triochat.link import Link
from triochat.lobby import Lobby
from triochat.messages import Closing, Refused, Speech, Typed
from triochat.order import HOUSE, Alert, Gone, Order, Peer, Warned, arrival
from triochat.ratelimit import RETURNS, Buckets, Comings, Guesses, Limits
from triochat.room import Room
from triochat.spares import Spares
from triochat.telling import Ends, Telling, Told, Vacated
from triochat.tls import Tls
from triochat.words import UNREAD, unsent

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds after which it is said again what the server lacks."""


CROWDED = "nobody new gets in ({}); to have more: ulimit -n, or LimitNOFILE= of a service"
"""What operators are told where the system gives the server too few files."""


class Hub(Feed):
    """A feed, and those who are connected to it. Its arguments are those of `Feed`, limits, TLS.

    Attributes:
        limits: what anybody may have.
        buckets: how much each member may say.
        guesses: what strangers have tried where there is a password.
        journal: what is logged of them.
        lobby: those who have not joined.
        comings: how often anybody comes in.
        returns: how often anybody comes back of whom it was not known that it was away.
        handshakes: who waits to begin one.
        tls: how links are encrypted; None where that cannot be.
        setting: what speakers may have to know; may be replaced before anybody is connected.
        spares: whose silent connections are kept for later.
        stuck_since: since when other servers cannot be reached, on trio's clock; None while not so.
        incarnation: what the ids of its peers begin with, so that nobody has them elsewhere.
    """

    def __init__(
        self,
        room: Room,
        history: History | None = None,
        *,
        order: Order = arrival,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(room, history, order=order, clock=clock)
        self.tls = tls
        self.limits = limits or Limits()
        self.buckets = Buckets(self.limits)
        self.guesses = Guesses()
        self.journal = Journal()
        self.lobby = Lobby(self.limits.strangers, self.limits.connections)
        self.comings = Comings()
        self.returns = Comings(*RETURNS)
        self.handshakes = Handshakes()
        self.spares = Spares()
        self.stuck_since: float | None = None
        self.incarnation = token_hex(4)
        self._ids = count(1)
        self.setting = Setting(room.name, room.members.handle_length, has_tls=tls is not None)
        self._lacked: dict[str, float] = {}
        self.fan_out.report = lambda: words_of(self.figures())

    @cached_property
    def remote(self) -> Setting:
        """The setting of who comes from another machine."""
        return replace(self.setting, is_remote=True)

    def connect(
        self, link: Link, address: str = "", host: str = "", *, is_console: bool = False
    ) -> Peer:
        """A connection was opened; from now on it may be told something. Returns who that is."""
        peer = Peer(f"{self.incarnation}-{next(self._ids)}", address, host, is_console)
        self.fan_out.links[peer] = link
        if self.is_closed:
            link.close("shutting down")
        return peer

    def figures(self) -> Figures:
        """How the server does now."""
        counts, state = self.counts, self.room
        here = Counter(state.doors[peer] for peer in state.members if peer in state.doors)
        line_rate, delivery_rate = counts.rates
        lost = 0.0 if self.stuck_since is None else trio.current_time() - self.stuck_since
        return Figures(
            version=__version__,
            uptime=counts.uptime,
            members=here,
            exposed=sum(peer in state.members for peer in state.exposed),
            away=len(state.seats.away),
            queue=len(state.members.queue),
            strangers=len(self.lobby),
            lines=counts.lines,
            deliveries=counts.deliveries,
            line_rate=line_rate,
            delivery_rate=delivery_rate,
            lag=counts.lag,
            refusals=counts.refusals,
            evictions=counts.evictions,
            failures=counts.failures,
            memory=vitals.memory(),
            files=vitals.files(),
            here=sum(peer in state.members for peer in self.fan_out.links),
            servers=len(state.servers),
            lost=lost,
        )

    def alert(self, text: str) -> None:
        """Tell the operators this."""
        self.ask(HOUSE, (Alert(text),))
        self.flush()

    def warn(self, peer: Peer, text: str) -> None:
        """Tell a member what it has not asked for."""
        self.ask(peer, (Warned(text),))
        self.flush()

    def lack(self, what: str) -> None:
        """Log what stands against serving everybody, and tell the operators: once a minute."""
        now = trio.current_time()
        if now - self._lacked.get(what, -math.inf) >= AGAIN:
            self._lacked[what] = now
            log.warning(what)
            self.alert(what)

    def disconnect(self, peer: Peer, reason: str) -> None:
        """A connection is gone: nothing more can be told to it. The room hears of it at once."""
        self.fan_out.unfollow(peer)
        del self.fan_out.links[peer]
        self.ask(peer, (Gone(reason),))
        self.flush()

    def close(self, reason: str, *, retry: bool = False) -> None:
        """Say so to everybody, and end every connection politely; nobody is heard any more.

        With ``retry`` they may come back: there will be a server again, and their seats are kept.
        Once closed it stays so.
        """
        if not self.is_closed:
            seats = [] if retry else [Vacated(key) for key in self.room.seats]
            self.finish([*self._farewell(reason, retry=retry), *seats])

    def name_unheard(self) -> None:
        """Tell those who will not say it again by themselves what perhaps nobody hears."""
        self.tell(self._unheard())

    def let_go(self, reason: str) -> None:
        """End every connection that there is now politely; who was here may come back.

        What has no place yet will have none.
        """
        self.tell(self._farewell(reason, retry=True))
        self.abandon_unplaced()

    def _farewell(self, reason: str, *, retry: bool) -> list[Telling]:
        peers = tuple(self.fan_out.links)
        ends = [Ends(peer, reason) for peer in peers]
        return [*self._unheard(), Told([Closing(reason, retry)], peers), *ends]

    def _unheard(self) -> list[Telling]:
        """What names to members what has no place yet, unless their clients say it again."""
        lost: list[Telling] = []
        for peer, link in self.fan_out.links.items():
            if link.speaker.has_seat or peer in self.lobby:  # a stranger types passwords
                continue
            if self.is_unplaced(peer):  # so what it has said since then was not read
                asked = [one for one in self.unplaced(peer) if isinstance(one, Typed | Speech)]
                lines = [one.line if isinstance(one, Typed) else one for one in asked]
                named = unsent(lines, "perhaps not sent")
                lost.append(Told([*named, Refused("not-sent", UNREAD)], (peer,)))
        return lost
