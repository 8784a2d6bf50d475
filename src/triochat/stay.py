"""What a member knows from its events: who it is, who is here, and which request is answered. Pure.

Every request has exactly one answer for its author (but for a client's `Quit`, which ends all), and
answers come in the order of the requests: an event answers the oldest one that has no answer yet,
or none at all.
"""

from collections import deque

from triochat import messages
from triochat.text import handle_key

MANY = 100_000
"""Names that are remembered; a room that has more is none."""


class Stay:
    """One's stay in a room, from asking to join on.

    Attributes:
        handle: one's own, as it is now; empty before the welcome.
        roster: who is here now.
        unencrypted: who of them can be overheard.
        last_id: the newest id that was seen.
        unanswered: what was asked and has no answer yet, in order.
        is_taken: the room has taken our handle: we are in, or in the queue.
    """

    def __init__(self) -> None:
        self.is_taken = False
        self.handle = ""
        self.roster: set[str] = set()
        self.unencrypted: set[str] = set()
        self.last_id = 0
        self.unanswered: deque[messages.Request] = deque()

    def ask(self, request: messages.Request) -> None:
        """Note a request that is sent."""
        self.unanswered.append(request)

    def hear(self, event: messages.Event) -> messages.Request | None:
        """Note an event; return one's own request that it answers, if it answers one."""
        answered = None
        if self.unanswered and is_answer(event, self.unanswered[0], self):
            answered = self.unanswered.popleft()
        if isinstance(answered, messages.Join):
            self.is_taken = self.is_taken or not isinstance(event, messages.Refused)
        self.last_id = max(self.last_id, getattr(event, "id", 0))
        self._follow(event)
        return answered

    def _follow(self, event: messages.Event) -> None:
        """Know who is here."""
        match event:
            case messages.Welcome(handle=handle, roster=roster, last=last):
                self.handle, self.roster = handle, set(roster)
                self.unencrypted = set(event.unencrypted)
                self.last_id = self.last_id or last
            case messages.Joined(handle=handle) if len(self.roster) < MANY:
                self.roster.add(handle)
                if event.unencrypted:
                    self.unencrypted.add(handle)
            case messages.Left(handle=handle):
                self.roster.discard(handle)
                self.unencrypted.discard(handle)
            case messages.Renamed(handle=old, new=new):
                if old in self.roster:
                    self.roster.discard(old)
                    self.roster.add(new)
                if old in self.unencrypted:
                    self.unencrypted.remove(old)
                    self.unencrypted.add(new)
                if old == self.handle:
                    self.handle = new
            case messages.Roster(handles=handles):
                self.roster, self.unencrypted = set(handles), set(event.unencrypted)


DECISIONS = (
    messages.Op,
    messages.Deop,
    messages.Ban,
    messages.Unban,
    messages.Mute,
    messages.Unmute,
    messages.Quiet,
    messages.Topic,
)
"""Requests of which everybody is told, in words, that they were obeyed."""


def is_answer(event: messages.Event, request: messages.Request, stay: Stay) -> bool:
    """Whether this event can be what a member who knows this is told for that request.

    Who has joined a full room is told so, which is the answer; other places in the queue, and the
    welcome, come unasked then, and to join once more can only be refused.
    """
    match request, event:
        case (
            (_, messages.Refused())
            | (messages.Who(), messages.Roster())
            | (messages.Ping(), messages.Pong())
            | (messages.Recall(), messages.Recalled())
            | (messages.Kick() | messages.Quit(), messages.Notice())
            | (messages.Bans() | messages.Stats(), messages.Notice())
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
        case _, messages.Moderated(by=by) if isinstance(request, DECISIONS):
            return by == stay.handle
        case messages.Forget(), messages.Removed(by=by):
            return by == stay.handle
        case messages.Kick(handle=kicked), messages.Left(handle=handle, reason=reason):
            return handle_key(handle) == handle_key(kicked) and reason.startswith("kicked")
    return False
