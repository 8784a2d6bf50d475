"""The room: what is asked, in order, becomes what is told to whom, in order.

Pure and synchronous: no I/O, no clock, no tasks, and deterministic: the same peers that ask for the
same at the same times are told the same, wherever that is. No input makes it raise: what the rules
forbid is answered by a `Refused`.

A *peer* is a stranger, then perhaps in the queue (the room was full), then a member. What is told
to all is for whoever *follows*; the room says from where on a peer does, and from where on no more.
When it says that a peer's connection *ends*, it does not hear that peer any more.

What can be missed gets an ``id`` here, one after the other.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from triochat.away import restore
from triochat.deeds import DEEDS
from triochat.grammar import Local, introduce, parse
from triochat.messages import (
    Action,
    Answer,
    Join,
    Notice,
    Quit,
    Refused,
    Request,
    Said,
    Say,
    Typed,
    Who,
)
from triochat.order import AnyRequest, Aside, Asked, Gone, Peer
from triochat.rules import RULES, has_password
from triochat.seats import Seat
from triochat.state import State
from triochat.telling import Telling, Told
from triochat.text import accept_handle, accept_text


class Room(State):
    """One room: its state, and what becomes of it. Its arguments are those of `State`."""

    def restore(self, seats: Iterable[Seat], now: float) -> None:
        """Go on with seats that were kept by a room before this one, at this time."""
        restore(self, seats, now)

    def apply(self, asked: Asked) -> list[Telling]:
        """What it leads to, in order, that a peer asks for something."""
        peer, self.telling = asked.peer, []
        self.set_time(asked.now)
        for request in asked.requests:
            if self.ended and peer in self.ended and type(request) is not Gone:
                continue
            meant = self.read(peer, request.line) if type(request) is Typed else request
            if type(meant) is Say or type(meant) is Action:
                self._say(peer, meant)
            elif meant is not None:
                self._obey(peer, meant)
        return self.telling

    def read(self, peer: Peer, line: str) -> AnyRequest | None:
        """What a line means now: a stranger's second one is a message, if the first was taken.

        None: it is nothing that the room is asked.
        """
        if peer in self.members or peer in self.members.queue:
            meant = parse(line)
        elif handle := self.introduced.get(peer):
            meant = self._read_password(peer, handle, line)
        else:
            meant = introduce(line)
            if isinstance(meant, Join) and self.needs_password(peer):
                meant = self._ask_password(peer, meant.handle)
        if isinstance(meant, Join):
            meant = replace(meant, history=None)
        return None if isinstance(meant, Local) else meant  # which is a terminal's own affair

    def _ask_password(self, peer: Peer, handle: str) -> Answer:
        """Whatever handle this is: strangers are not to learn who is here."""
        accepted = accept_handle(handle, self.members.handle_length)
        if isinstance(accepted, Refused):
            return accepted
        self.introduced[peer] = handle
        return Notice("this room has a password; what is it?")

    def _read_password(self, peer: Peer, handle: str, line: str) -> Request | Answer:
        r"""A password is taken as it stands; ``\quit`` leaves, unless it is the password."""
        if not line:
            return self._ask_password(peer, handle)
        join = Join(handle, line)
        asked = introduce(line)
        return asked if isinstance(asked, Quit) and has_password(self, peer, join) else join

    def check(self, peer: Peer, request: AnyRequest) -> Refused | None:
        """What stands against this now, by the rules."""
        for rule in RULES.get(type(request), ()):
            if refused := rule(self, peer, request):
                return refused
        return None

    def _obey(self, peer: Peer, request: AnyRequest | Aside) -> None:
        has_id = not isinstance(request, Aside | Who)  # which may be asked again
        if isinstance(request, Aside):
            request = request.request
        if refused := self.check(peer, request):
            if not has_id:
                self.tell(refused, peer)
            else:
                self.refuse(peer, refused)
            return
        DEEDS[type(request)](self, peer, request)

    def _say(self, peer: Peer, say: Say | Action) -> None:
        """Let a peer say this. Nothing runs as often; messages in a row are told as one."""
        kind = type(say)
        for rule in RULES[kind]:
            if refused := rule(self, peer, say):
                self.refuse(peer, refused)
                return
        text = accept_text(say.text)
        if isinstance(text, Refused):
            self.refuse(peer, text)
            return
        self.last_speaker = peer
        self.last_id += 1
        said = Said(self.last_id, self.at, self.members[peer], text, kind is Action)
        last = self.telling[-1] if self.telling else None
        if type(last) is Told and last.author is peer and last.to is None:
            last.events.append(said)
        else:
            self.telling.append(Told([said], None, peer))
