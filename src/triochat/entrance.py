"""The entrance: how a stranger comes into the room, or does not.

It may stand there for a while (`stranger`), if there is place (`lobby`). Where there is a password
the strangers of a host are heard one after the other; and who has come in again and again under
one handle has to wait. Nothing here waits: the session does, and says what it hears.
"""

import math
from collections.abc import Callable, Iterable
from secrets import token_urlsafe

import trio
from msgspec.structs import replace

from triochat.allowance import handle_asked
from triochat.hub import CROWDED, Hub
from triochat.link import Link
from triochat.messages import Answer, Join, Typed
from triochat.order import HOUSE, AnyRequest, Expired, Peer, Vacate
from triochat.ratelimit import Comings
from triochat.seats import key_of
from triochat.stranger import LATE, TRIES, Stranger
from triochat.telling import Telling, Told
from triochat.text import handle_key

BRIEF = 0.1
"""Seconds in which a stranger that is turned away may be told so."""


class Entrance:
    """A stranger's way in.

    Args:
        hub: the room.
        peer: who it is.
        link: its connection.
        ask: lets it ask the room for something, and tells at once what that leads to.
    """

    def __init__(
        self, hub: Hub, peer: Peer, link: Link, ask: Callable[[AnyRequest], object]
    ) -> None:
        self._hub = hub
        self._peer = peer
        self._link = link
        self._ask = ask
        may_guess = hub.room.password is not None
        self._stranger = Stranger(trio.current_time(), may_guess=may_guess)
        self._returns = False  # nobody has heard that it was away
        self._is_over = False  # it was told to go

    def open(self) -> None:
        """It stands there now, and perhaps another one has to go for that; or it has itself."""
        self._hub.lobby.enter(self._peer, self._peer.host, self._turn_away)

    @property
    def due(self) -> float:
        """When to `act`, if nothing is heard before."""
        deadline, _ = self._stranger.deadline
        return math.inf if self._is_over else min(self._stranger.greeting, deadline)

    def act(self) -> None:
        """It is due: greet it, which has said nothing; or tell it to go, if its time is over.

        Whether it is a spare connection is asked only now: a browser opens one with its first.
        """
        stranger, now = self._stranger, trio.current_time()
        deadline, seconds = stranger.deadline
        if now >= deadline:
            self._expire(LATE.format(seconds))
            return
        stranger.delay = self._hub.spares.delay(self._peer.host, now)
        if now >= stranger.greeting:
            stranger.greet()
            self._link.greet()

    def hear(self, *, is_person: bool) -> None:
        """It has sent something; whether it may be a person, as far as that tells."""
        hurry = self._link.speaker.patience
        self._stranger.hear(trio.current_time(), is_person=is_person, hurry=hurry)

    def speak(self) -> None:
        """What it has sent was not sealed, or is opened; nothing of it was obeyed yet."""
        self._stranger.speak()
        if self._link.speaker.has_spares:
            self._hub.spares.note(self._peer.host, trio.current_time())

    def wait(self, seconds: float) -> None:
        """It was not heard for so long."""
        self._stranger.wait(seconds)

    def guess(self, request: AnyRequest, count: int = 1) -> float:
        """How many seconds it has to wait before this is heard, which may be a guess.

        Where there is a password all of its host wait, in the order in which they ask. With
        ``count=-1`` it does not wait any more, and they need not wait for that.
        """
        hub = self._hub
        if hub.room.password is None or not isinstance(request, Typed | Join):
            return 0.0
        return hub.guesses.spend(self._peer.host, trio.current_time(), count)

    def rest(self, request: AnyRequest) -> float:
        """How many seconds until it may come in under this handle, if no other does before."""
        handle = handle_asked(request)
        if handle is None:
            return 0.0
        seat = self._hub.room.seats.get(key_of(getattr(request, "token", "")))
        self._returns = seat is not None and not seat.is_held
        return self._comings.wait(self._peer.host, self._known_as(handle), trio.current_time())

    @property
    def _comings(self) -> Comings:
        return self._hub.returns if self._returns else self._hub.comings

    def _known_as(self, handle: str) -> str:
        """By what it is known how often it has come; all who return from a host are one."""
        return "" if self._returns else handle_key(handle)

    def is_ahead(self, request: AnyRequest) -> bool:
        """Whether it knows of more than has happened here."""
        after = request.after if isinstance(request, Join) else None
        return after is not None and after > self._hub.room.last_id

    def prepare(self, request: AnyRequest) -> AnyRequest:
        """What it asks for, as the room is to hear it: who can come back by a token has one.

        Where not all is kept any more that it has missed it has to begin anew; so it has where it
        knows another stay than this, of which it has not heard that it began. (Who has seen nothing
        yet knows no other.)
        """
        if not isinstance(request, Join) or not self._link.speaker.has_seat:
            return request
        hub, key = self._hub, key_of(request.token)
        seat = hub.room.seats.get(key)
        if request.after is not None and request.token and seat:
            after = request.after or seat.began
            is_of_stay = seat.began <= after <= hub.room.last_id
            if not (is_of_stay and hub.history.reaches(key, after)):
                hub.ask(HOUSE, (Vacate(key),))
        return request if request.token else replace(request, token=token_urlsafe(16))

    def look(self, told: Iterable[Telling], since: float) -> str | None:
        """Its handle, if the room has taken that; else it may be asked again, or has to go.

        Args:
            told: what it has asked for led to.
            since: when it asked; until now it was not heard.
        """
        hub, now = self._hub, trio.current_time()
        self.wait(now - since)
        if handle := hub.room.members.handle_of(self._peer):
            hub.lobby.let_in(self._peer)
            self._comings.note(self._peer.host, self._known_as(handle), now)
            return handle
        answers = [one.events[0] for one in told if type(one) is Told]
        if any(isinstance(answer, Answer) for answer in answers):
            self._stranger.fail(now)
            hub.lobby.note(self._peer)
            if self._stranger.tries >= TRIES:
                self._expire(f"{TRIES} lines, and none that lets you in")
            elif any(getattr(one, "code", "") in self._link.speaker.final for one in answers):
                self._expire("not let in")
        return None

    def _turn_away(self) -> None:
        """Others need its place now."""
        if self._hub.lobby.is_closed:
            self._hub.lack(CROWDED.format("members have all connections that fit"))
            self._expire("there is no place for more people; try again later")
        else:
            self._expire("too many others are waiting to join")
        self._link.outbox.linger(BRIEF)

    def _expire(self, reason: str) -> None:
        self._is_over = True
        self._ask(Expired(reason))
