"""A session: one stay of one peer at the server, from the first byte of its link to the last.

A session is one task, with a child as soon as one is needed: the task hears what the peer asks for
and hands it to the feed; the child sends what could not be written at once. Whichever way it
ends, when `Session.run` returns the peer is out of the room, the room has been told why, and the
stream is closed.

=====================================  ==========================================================
the room ends it (the peer has quit,   what is queued for it is sent, its good-bye last; what the
or was told to close)                  peer still says is ignored
its input ends, or cannot be opened    the room hears that it left; what is queued for it is sent
the peer does not join in time, or is  it is told so, and as above
refused too often, or turned away
the peer falls behind                  cancelled at once
the peer vanishes                      cancelled at once; the room hears "connection lost"
a bug in this session                  logged; the room hears "server error", everybody else
                                       goes on
=====================================  ==========================================================
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from triochat.allowance import FAST, LINE, SIP, Allowance, size_of
from triochat.dialects.ndjson import NdjsonSpeaker
from triochat.entrance import Entrance
from triochat.grammar import parse
from triochat.hosts import is_local
from triochat.hub import Hub
from triochat.link import Link
from triochat.messages import Forget, Pong, Typed
from triochat.order import HOUSE, AnyRequest, Came, Gone, Lapse, Warned
from triochat.outbox import Way
from triochat.ratelimit import STRANGER, TokenBucket
from triochat.record import Record
from triochat.sockets import is_reset, receiver
from triochat.telling import Told

DRAIN = 1 << 18
"""Bytes that a peer may still send when its connection ends; nobody reads them."""

FEW = 10
"""Requests that are heard together while a reader is far behind."""

_A = TypeVar("_A")
_T = TypeVar("_T")


class Session:
    """One stay at the server.

    Args:
        stream: the connection; the session closes it.
        hub: the room.
        address: where the peer comes from, in words.
        host: with whom it shares what one host may have; empty if that is not known. Then it is
            not known either that a network is in between; but nor that none is.
        is_console: the peer is our own console: it speaks NDJSON, and need not join in time.

    Attributes:
        link: the connection over which the peer is here.
        peer: who it is to the room.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        hub: Hub,
        address: str = "a peer",
        *,
        host: str = "",
        is_console: bool = False,
    ) -> None:
        is_here = is_console or is_local(host)
        must_seal = not is_here and hub.tls is not None and hub.tls.is_required
        self.link = Link(
            hub.backlog,
            stream,
            NdjsonSpeaker() if is_console else None,
            hub.tls,
            must_seal=must_seal,
            setting=hub.remote if host and not is_here else hub.setting,
        )
        self.peer = hub.connect(self.link, address, host, is_console=is_console)
        self._stream = stream
        self._hub = hub
        self._receive = receiver(stream)
        self._tokens: TokenBucket | None = None  # a member's
        self._allowance = Allowance(TokenBucket(*STRANGER), is_stranger=True)
        self._record = Record(hub, self.peer)
        self._entrance: Entrance | None = None  # while it is a stranger
        if is_console:
            self._record.handle = hub.room.members.server
            self._let_in()
        else:
            self._entrance = Entrance(hub, self.peer, self.link, self._ask)
        self._reason = "connection lost"

    async def run(self) -> None:
        """Serve the peer until either side ends it. Raises nothing but cancellation."""
        outbox = self.link.outbox
        self._record.note("connected", level=logging.DEBUG)
        try:
            if self._entrance:
                self._entrance.open()
            await self._run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* Exception as bug:  # noqa: BLE001  one in one session must not end the server
            self._reason = "server error"
            self._record.note("bug", "a bug ended this session", level=logging.ERROR, error=bug)
        finally:
            reason = outbox.why or self._reason
            outbox.abandon()
            self._hub.lobby.leave(self.peer)
            self._hub.disconnect(self.peer, reason)
            self._record.note_end(reason, is_evicted=outbox.is_evicted)
            await trio.aclose_forcefully(self._stream)

    async def _run(self) -> None:
        outbox = self.link.outbox
        with outbox.scope:
            async with trio.open_nursery() as nursery:
                self.link.open(nursery)
                try:
                    await self._converse()
                finally:  # even when it fails: until it is disconnected something may be queued
                    self._hub.buckets.give_back(self.peer.host, self._tokens, trio.current_time())
                    if problem := self.link.problem:
                        self._record.note_failure(problem)
                    outbox.start_sender()
                left = DRAIN  # closing with bytes unread would reset the connection, and lose the
                while left > 0 and (data := await self._receive(SIP)):  # peer what is on its way
                    left -= len(data)

    async def _converse(self) -> None:
        """Hear the peer, until it or the room has ended that."""
        link, outbox = self.link, self.link.outbox
        while data := await (
            self._patiently(self._receive, self._allowance.chunk)
            if self._entrance
            else self._receive(self._allowance.chunk)
        ):
            if self._entrance and link.begin_to_seal(data):
                self._entrance.hear(is_person=False)
                wait = partial(self._hub.handshakes.wait_turn, self.peer.host)
                await self._patiently(wait, lambda: outbox.way is Way.OPEN)
            lines = 0
            for unsealed in link.unseal(data, self._allowance.chunk):
                for piece in self._allowance.pieces(unsealed):
                    requests = link.hear(piece)
                    lines += len(requests)
                    if self._entrance:
                        self._entrance.speak()
                    await self._hear(requests)
                    if outbox.way is not Way.OPEN or self._has_ended():
                        return
            if not lines or len(data) > LINE * lines:
                await self._pause(self._allowance.weigh(len(data), lines, trio.current_time()))
            if self._entrance:
                self._entrance.hear(is_person=link.is_person)
            if link.has_ended:
                break
        self._part()

    def _part(self) -> None:
        """It says no more; what it has not finished saying is not obeyed."""
        link, outbox = self.link, self.link.outbox
        if unfinished := link.end():
            self._record.note_told(self._hub.ask(self.peer, (unfinished,)))
        parting = "quit" if self.peer.is_console else link.speaker.parting
        if link.problem:
            parting = "connection lost"
        self._ask(Gone(outbox.why or parting))
        outbox.linger()

    async def _patiently(self, wait: Callable[[_A], Awaitable[_T]], argument: _A) -> _T:
        """Wait for this. A stranger meanwhile is greeted, if it has said nothing, or closed."""
        while entrance := self._entrance:
            with trio.move_on_at(entrance.due):
                return await wait(argument)
            entrance.act()
        return await wait(argument)

    async def _hear(self, requests: list[AnyRequest]) -> None:
        """Hand on what is asked: in turns with the others, and held to what this peer may ask."""
        hub, peer = self._hub, self.peer
        if hub.room.is_operator(peer):
            requests = [await self._find(request) for request in requests]
        while requests:
            if self._entrance:
                await self._wait_turn(self._entrance, requests[0])
                requests[0] = self._entrance.prepare(requests[0])
            now, members = trio.current_time(), len(hub.room.members)
            wanted = self._allowance.portion(requests, members, now)
            if hub.backlog:
                wanted = min(wanted, FEW)
            count = hub.claim(wanted) or await hub.wait_share(wanted)
            told = await hub.ask_in_place(peer, requests[:count])
            requests = requests[count:]
            self._record.note_told(told)
            if self._entrance and (handle := self._entrance.look(told, now)):
                self._entrance = None
                self._let_in()
                self._record.note_join(handle, self.link.speaker.dialect.name)
                await self.link.wait_past(told)
            now = trio.current_time()
            if any(type(one) is Told and type(one.events[0]) is not Pong for one in told):
                self.link.spoke = now
            delay = self._allowance.spend(count, told, now)
            if self._has_ended():
                return
            if delay:
                await self._pause(delay)
            if hub.backlog:
                await hub.backlog.wait_room(sum(map(size_of, told)))

    async def _find(self, request: AnyRequest) -> AnyRequest:
        """What an operator asks for; the messages that are to be removed by their ids."""
        meant = parse(request.line) if isinstance(request, Typed) else request
        if not isinstance(meant, Forget):
            return request
        history = self._hub.history
        ids = await (history.kept(meant.ids) if meant.ids else history.ids_by(meant.handle))
        return Forget((*ids,), "" if meant.ids else meant.handle)

    def _has_ended(self) -> bool:
        """Whether the room hears it no more; it may not have been told so yet."""
        ended = self._hub.room.ended
        return bool(ended) and self.peer in ended

    async def _wait_turn(self, entrance: Entrance, request: AnyRequest) -> None:
        """Have a stranger wait until it may ask for this."""
        if delay := entrance.guess(request):
            try:
                await self._sleep_until(trio.current_time() + delay)
            except trio.Cancelled:
                entrance.guess(request, -1)
                raise
        while delay := entrance.rest(request):  # another may have come in meanwhile
            await self._sleep_until(trio.current_time() + delay)
        if entrance.is_ahead(request):  # of us; then another server has told it what comes next
            since = trio.current_time()
            await self._hub.ask_in_place(HOUSE, (Lapse(),))
            entrance.wait(trio.current_time() - since)

    async def _pause(self, delay: float) -> None:
        """Have it wait that has said more than it may; a member is told when that begins."""
        if delay:
            now = trio.current_time()
            if self._allowance.begins_to_wait(now):
                self._ask(Warned(FAST.format(self._hub.limits.rate)))
            await self._sleep_until(now + delay)

    async def _sleep_until(self, due: float) -> None:
        """Wait until then; who has vanished by then has nothing more to ask."""
        await self._patiently(trio.sleep_until, due)
        if is_reset(self._stream):
            raise trio.BrokenResourceError

    def _ask(self, request: AnyRequest) -> None:
        self._record.note_told(self._hub.ask(self.peer, (request,)))
        self._hub.flush()

    def _let_in(self) -> None:
        """From now on it may ask what a member may."""
        self._ask(Came("console" if self.peer.is_console else self.link.speaker.dialect.name))
        self._record.level = logging.INFO
        self.link.spoke = trio.current_time()
        self._tokens = self._hub.buckets.take(self.peer.host)
        self._allowance = Allowance(self._tokens)
