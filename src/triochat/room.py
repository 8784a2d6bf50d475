"""The room: what is asked, in order, becomes what is told to whom, in order.

Pure and synchronous: no I/O, no clock, no tasks, and deterministic: the same peers that ask for the
same at the same times are told the same, wherever that is. No input makes it raise: what the rules
forbid is answered by a `Refused`.

A *peer* is a stranger, then perhaps in the queue (the room was full), then a member. What is told
to all is for whoever *follows*; the room says from where on a peer does, and from where on no more.
When it says that a peer's connection *ends*, it does not hear that peer any more.

What can be missed gets an ``id`` here, one after the other.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import cast

from triochat.deeds import DEEDS
from triochat.grammar import Bell, introduce, parse
from triochat.messages import Event, Refused, Said, Say, Who
from triochat.order import AnyRequest, Asked, Gone, Peer, Typed
from triochat.rules import RULES
from triochat.state import State
from triochat.telling import Telling, Told
from triochat.text import accept_text


class Room(State):
    """One room: its state, and what becomes of it. Its arguments are those of `State`."""

    def apply(self, asked: Asked) -> list[Telling]:
        """What it leads to, in order, that a peer asks for something."""
        peer, telling = asked.peer, list[Telling]()
        self.telling = telling
        self.set_time(asked.now)
        for kind, requests in groupby(self._understand(peer, asked.requests), type):
            if kind is Say:
                self._say(peer, cast(Iterator[Say], requests))
            else:
                for request in requests:
                    self._obey(peer, request)
        return telling

    def _understand(self, peer: Peer, requests: Sequence[AnyRequest]) -> Iterator[AnyRequest]:
        """Each request as it is meant when its turn comes, after what those before it did.

        So a stranger's second line is a message, if the first was a handle; and nobody is heard
        after it has quit.
        """
        for request in requests:
            if peer in self.ended and type(request) is not Gone:
                continue
            if type(request) is not Typed:
                yield request
                continue
            read = introduce if self.members.handle_of(peer) is None else parse
            meant = read(request.line)
            if meant is not None and not isinstance(meant, Bell):  # a terminal's own affair
                yield meant

    def _obey(self, peer: Peer, request: AnyRequest) -> None:
        for rule in RULES.get(type(request), ()):
            if refused := rule(self, peer, request):
                if isinstance(request, Who):  # which may be asked again
                    self.tell(refused, peer)
                else:
                    self.refuse(peer, refused)
                return
        DEEDS[type(request)](self, peer, request)

    def _say(self, peer: Peer, says: Iterable[Say]) -> None:
        """Let a peer say all this. Nothing runs as often; what nothing comes between is one run."""
        said: list[Event] = []
        accepted: str | Refused | None
        for say in says:
            for rule in RULES[Say]:
                if accepted := rule(self, peer, say):
                    break
            else:
                accepted = accept_text(say.text)
            if isinstance(accepted, str):
                self.last_speaker = peer
                said.append(Said(self.next_id(), self.at, self.members[peer], accepted))
            else:
                if said:
                    self.telling.append(Told(said, None, peer))
                    said = []
                self.refuse(peer, accepted)
        if said:
            self.telling.append(Told(said, None, peer))
