"""What a member knows from its events: who it is, who is here, and which request is answered. Pure.

Every request has exactly one answer for its author (but for a client's `Quit`, which ends all), and
answers come in the order of the requests: an event answers the oldest one that has no answer yet,
or none at all.

A stay outlives its connections. Who comes back with its token is told what it has missed, and so
also the answers to what it had asked; what has none by then the room never heard, and it is sent
again. Whatever is told by an id is told once.
"""

import secrets
from collections import deque
from itertools import chain

from triochat import messages
from triochat.grammar import Local, parse
from triochat.text import clean, handle_key, normalise_handle

MANY = 100_000
"""Names that are remembered; a room that has more is none."""

PROBE = messages.Ping()
"""Asked by the connection itself, and known by identity. Its answer is for nobody else."""


class Stay:
    """One's stay in a room, from asking to join on, over one connection after the other.

    Attributes:
        token: says to the room that it is we who come back. For nobody else to see.
        handle: one's own, as it is now; empty before the welcome.
        roster: who is here now.
        unencrypted: who of them can be overheard.
        last_id: the newest id that was seen; what we come back to begins after it.
        unanswered: what was sent over this connection and has no answer yet, in order.
        unsent: what is still to be sent, in order.
        lost: what was asked in a stay that did not go on, and was perhaps never heard.
        is_taken: the room has taken our handle: we are in, or in the queue.
        can_resume: our place is kept for us: we have been told a token.
        is_whole: there is nothing that we have missed and are still to be told.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(16)
        self.is_taken = self.can_resume = False
        self.is_whole = True
        self.handle = ""
        self.roster: set[str] = set()
        self.unencrypted: set[str] = set()
        self.last_id = 0
        self.unanswered: deque[messages.Request] = deque()
        self.unsent: deque[messages.Request] = deque()
        self.lost: list[messages.Request] = []
        self._welcome: messages.Welcome | None = None  # over this connection
        self._asked_as = ""
        self._at = ""  # the newest time that was seen
        self._before = ""  # the same when this stay began

    @property
    def unconfirmed(self) -> list[messages.Speech]:
        """What was said that nobody has confirmed or refused, in order."""
        asked = chain(self.unanswered, self.unsent)
        return [one for one in asked if isinstance(one, messages.Speech)]

    @property
    def is_resumed(self) -> bool:
        """Whether we have come back over this connection, and not begun anew."""
        return self._welcome is not None and self._welcome.resumed

    def join(self, handle: str, password: str = "", history: int | None = 0) -> messages.Join:
        """How to ask to be let in; back in, if our place is kept."""
        self._asked_as = handle
        after = self.last_id if self.can_resume else None
        return messages.Join(handle, password, history, self.token, after)

    def reconnect(self) -> None:
        """Forget the connection: of what was sent over it nothing more is answered there."""
        asked = chain(self.unanswered, self.unsent)
        ours = messages.Join, messages.Quit
        self.unsent = deque(one for one in asked if one is not PROBE and not isinstance(one, ours))
        self.unanswered.clear()
        self.is_taken, self.is_whole, self._welcome = False, not self.can_resume, None
        if self.is_whole:
            self.give_up()

    def give_up(self) -> None:
        """Send nothing of what was asked again: it is lost, perhaps."""
        self.lost = [*self.unanswered, *self.unsent]
        self.unanswered.clear()
        self.unsent.clear()

    def drop(self, request: messages.Request) -> None:
        """Send this no more, nor again: nobody waits for its answer when the connection is over."""
        self.unanswered = deque(one for one in self.unanswered if one is not request)
        self.unsent = deque(one for one in self.unsent if one is not request)

    def intend(self, request: messages.Request) -> None:
        """Note a request that is to be sent."""
        self.unsent.append(request)

    def ask(self, request: messages.Request) -> None:
        """Note a request that is sent. A blank line is none: nothing answers it."""
        if _meaning_of(request) is not None:
            self.unanswered.append(request)

    def is_past(self, event: messages.Event) -> bool:
        """Whether it happened before we came in, or back in."""
        return self._welcome is not None and 0 < _id_of(event) <= self._welcome.last

    def has_seen(self, event: messages.Event) -> bool:
        """Whether this was told before."""
        if self.is_resumed:
            return 0 < _id_of(event) <= self.last_id
        return self.is_past(event) and "" < getattr(event, "at", "") <= self._before

    def hear(self, event: messages.Event) -> messages.Request | None:
        """Note an event; return one's own request that it answers, if it answers one."""
        answered = None
        if self.is_past(event):
            answered = self._answered_before(event) if self.is_resumed else None
        elif self.unanswered and is_answer(event, self.unanswered[0], self):
            answered = self.unanswered.popleft()
        if isinstance(answered, messages.Join):
            self.is_taken = self.is_taken or not isinstance(event, messages.Refused)
        self.last_id = max(self.last_id, _id_of(event))
        self._at = max(self._at, getattr(event, "at", ""))
        if not self.is_past(event):
            self._follow(event)
        elif isinstance(event, messages.Renamed) and event.handle == self.handle:
            self.handle = event.new  # all else that is past has changed nothing since
        return answered

    def _answered_before(self, event: messages.Event) -> messages.Request | None:
        """What this answers of what was asked over a former connection.

        Of what is answered without an id the answer is lost with its connection. So a message is
        rather the one with this text than the oldest.
        """
        found: messages.Request | None = None
        for request in self.unsent:
            if _is_told_once(request) or not is_answer(event, request, self):
                continue
            found = found or request
            text = getattr(request, "text", None)
            if not isinstance(event, messages.Said | messages.Whispered) or (
                text is not None and clean(text) == event.text
            ):
                found = request
                break
        if found is not None:
            self.unsent.remove(found)
        return found

    def _come_in(self, welcome: messages.Welcome) -> None:
        """Be in: again, or anew."""
        self.roster, self.unencrypted = set(welcome.roster), set(welcome.unencrypted)
        self._welcome = welcome
        self.can_resume = bool(welcome.token)
        self.token = welcome.token or self.token
        if welcome.resumed:  # what was missed begins under the handle that we had
            self.is_whole = False
            self.handle = self.handle or normalise_handle(self._asked_as)
            return
        if not self.is_whole:
            self.give_up()
        self.is_whole, self.handle = True, welcome.handle
        self.last_id, self._before = welcome.last, self._at

    def _follow(self, event: messages.Event) -> None:
        """Know who is here."""
        match event:
            case messages.Welcome():
                self._come_in(event)
            case messages.Pong() if self._welcome and not self.is_whole:
                self.is_whole, self.handle = True, self._welcome.handle
            case messages.Joined(handle=handle) if len(self.roster) < MANY:
                self.roster.add(handle)
                if event.unencrypted:
                    self.unencrypted.add(handle)
            case messages.Left(handle=handle):
                self.roster.discard(handle)
                self.unencrypted.discard(handle)
            case messages.Renamed(handle=old, new=new):
                for names in (self.roster, self.unencrypted):
                    if old in names:
                        names.remove(old)
                        names.add(new)
                self.handle = new if old == self.handle else self.handle
            case messages.Roster(handles=handles):
                self.roster, self.unencrypted = set(handles), set(event.unencrypted)


DECISIONS = (
    messages.Op,
    messages.Deop,
    messages.Kick,
    messages.Ban,
    messages.Unban,
    messages.Mute,
    messages.Unmute,
    messages.Quiet,
    messages.Topic,
)
"""Requests of which it is told in words that they were obeyed; a kick of who is not here yet."""


def _id_of(event: messages.Event) -> int:
    return getattr(event, "id", 0)


def _meaning_of(
    request: messages.Request,
) -> messages.Request | messages.Answer | Local | None:
    """What it asks for as a member, also where it was typed; None if nothing."""
    return parse(request.line) if isinstance(request, messages.Typed) else request


def _is_told_once(request: messages.Request) -> bool:
    """Whether its answer has no id, but where it is refused: so it is not told again."""
    again = (
        messages.Who,
        messages.Ping,
        messages.Recall,
        messages.Bans,
        messages.Stats,
        messages.Servers,
    )
    meant = _meaning_of(request)
    return isinstance(meant, (*again, messages.Notice)) or meant == messages.Topic()


def is_answer(event: messages.Event, request: messages.Request, stay: Stay) -> bool:
    """Whether this event can be what a member who knows this is told for that request.

    Who has joined a full room is told so, which is the answer; other places in the queue, and the
    welcome, come unasked then, and to join once more can only be refused.
    """
    if isinstance(request, messages.Typed):
        meant = _meaning_of(request)
        if isinstance(meant, messages.Answer):
            return event == meant
        return isinstance(meant, messages.Message) and is_answer(event, meant, stay)
    match request, event:
        case (
            (_, messages.Refused())
            | (messages.Who(), messages.Roster())
            | (messages.Ping(), messages.Pong())
            | (messages.Recall(), messages.Recalled())
            | (
                messages.Bans() | messages.Stats() | messages.Servers() | messages.Quit(),
                messages.Notice(),
            )
        ):
            return True
        case messages.Topic(text=""), _:
            return isinstance(event, messages.Notice)
        case messages.Join(), messages.Welcome() | messages.Notice():
            return not stay.is_taken
        case (
            (messages.Say() | messages.Action(), messages.Said(handle=handle))
            | (messages.Whisper(), messages.Whispered(handle=handle))
            | (messages.Rename(), messages.Renamed(handle=handle))
        ):
            return handle == stay.handle
        case _, messages.Moderated(by=by) if isinstance(request, (*DECISIONS, messages.Quit)):
            return by == stay.handle
        case messages.Forget(), messages.Removed(by=by):
            return by == stay.handle
        case messages.Kick(handle=kicked), messages.Left(handle=handle, reason=reason):
            return handle_key(handle) == handle_key(kicked) and reason.startswith("kicked")
    return False
