"""The members: who is here under which handle, and who waits in the queue for a full room. Pure."""

from bisect import bisect_left, insort
from itertools import chain, count

from msgspec.structs import replace

from triochat.lookalikes import skeleton
from triochat.messages import Refused, Roster
from triochat.order import HOUSE, Peer
from triochat.servers import Servers, incarnation_of
from triochat.text import (
    HANDLE_LENGTH,
    accept_handle,
    handle_key,
    normalise_handle,
    skeletons,
)

_DIGITS = "".join({*"0123456789", *skeleton("0123456789")})  # and what looks like them


class Members(dict[Peer, str]):
    """The handles of those who are in a room. One that somebody has, or waits with, is no other's.

    Neither is one that looks like it.

    Args:
        server: the console's handle, which nobody else may take. Where several servers share the
            room the next console has a 2 after it, and so on; these are nobody else's either.
        max_clients: members at once, the console not counted; the next ones wait.
        handle_length: the most characters in a handle; at most `text.HANDLE_LIMIT`.

    Attributes:
        queue: who waits, with the handle that each will have, in the order of their turns.
        held: who has left, and may come back, with the handle that is held for it.
        max_clients: how many members there may be, the console not counted.
        clients: how many there are, without it.
        exposed: peers that can be overheard. Nobody becomes one who is here already.
        operators: members that were made operators: see `appoint`.
        servers: those that share the room; none where it is on one alone.
    """

    def __init__(self, server: str, max_clients: int, handle_length: int = HANDLE_LENGTH) -> None:
        super().__init__()
        self.server = server
        self.handle_length = handle_length
        self.queue: dict[Peer, str] = {}
        self.held: dict[Peer, str] = {}
        self.clients = 0
        self.exposed: set[Peer] = set()
        self.operators: set[Peer] = set()
        self.servers = Servers()
        self.max_clients = max_clients
        self._taken: dict[str, Peer] = {}
        self._looks: tuple[dict[str, Peer], ...] = {}, {}, {}
        self._reserved = [*map(_bare, skeletons(server))]
        self._sorted: list[str] = []
        self._at: list[str] = []  # incarnations of servers, in the same order
        self._unencrypted: list[str] = []
        self._consoles: set[Peer] = set()
        self._who: Roster | None = None
        self._where: tuple[Roster, dict[str, str], Roster] | None = None

    @property
    def who(self) -> Roster:
        """The answer to who is here: the same object until that changes, however many ask."""
        if self._who is None:
            consoles = sorted((self[one] for one in self._consoles), key=handle_key)
            operators = [*consoles, *(self[one] for one in self.operators if one in self)]
            self._who = Roster(
                tuple(self._sorted),
                tuple(self._unencrypted),
                tuple(sorted(operators, key=handle_key)),
                server=next(iter(consoles), ""),
            )
        return self._who

    @property
    def where(self) -> Roster:
        """The same, with the server at which each is, where several share the room."""
        who, names = self.who, {key: server.name for key, server in self.servers.items()}
        if not names:
            return who
        if self._where is None or self._where[0] is not who or self._where[1] != names:
            servers = tuple([names.get(incarnation, "") for incarnation in self._at])
            self._where = who, names, replace(who, servers=servers)
        return self._where[2]

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles of all members, sorted without regard to case."""
        return self.who.handles

    @property
    def is_full(self) -> bool:
        """Whether the next client has to wait."""
        return self.clients >= self.max_clients

    def handle_of(self, peer: Peer) -> str | None:
        """The handle of a member, or the one that a peer will have that waits, or comes back."""
        return self.get(peer) or self.queue.get(peer) or self.held.get(peer)

    def find(self, handle: str) -> Peer:
        """The peer who has this handle, now or when it gets in; the house, if nobody does."""
        return self._taken.get(handle_key(handle), HOUSE)

    def check(self, peer: Peer, wanted: str) -> str | Refused:
        """A handle as it will be kept, if this peer may have it; else why not."""
        is_own = peer.is_console and normalise_handle(wanted) == self.server
        handle = self._next_own() if is_own else accept_handle(wanted, self.handle_length)
        if isinstance(handle, Refused):
            return handle
        if self.find(handle) not in (peer, HOUSE):
            return Refused("handle-taken", f'handle "{handle}" is taken; try another')
        return handle if is_own else self._check_looks(peer, handle) or handle

    def _next_own(self) -> str:
        """The handle of the next console."""
        numbers = chain([""], map(str, count(2))) if self.servers else [""]
        handles = (f"{self.server}{number}" for number in numbers)
        return next((one for one in handles if self.find(one) == HOUSE), self.server)

    def _check_looks(self, peer: Peer, handle: str) -> Refused | None:
        """Whether readers could take this handle for the server's, or for another's."""
        both = skeletons(handle)
        if any(map(self._is_own, map(_bare, both), self._reserved)):
            is_same = handle_key(handle) == handle_key(self.server)
            like = "" if is_same else f'looks like "{self.server}", which '
            return Refused("handle-reserved", f'handle "{handle}" {like}is reserved; try another')
        for looks, look in zip(self._looks, both, strict=True):
            other = looks.get(look, peer)
            if other != peer:
                where = "is here" if other in self else "waits"
                where = "may come back" if other in self.held else where
                like = f'looks like "{self.handle_of(other)}", who {where}'
                return Refused("handle-confusable", f'handle "{handle}" {like}; try another')
        return None

    def _is_own(self, look: str, reserved: str) -> bool:
        """Whether this looks like a console's handle."""
        number = look.removeprefix(reserved)
        return look == reserved or (
            bool(self.servers) and look.startswith(reserved) and not number.strip(_DIGITS)
        )

    def wait(self, peer: Peer, handle: str) -> None:
        """Put a peer at the end of the queue."""
        self._take(peer, handle)
        self.queue[peer] = handle

    def hold(self, peer: Peer, handle: str) -> None:
        """Let nobody else have the handle of who has left."""
        self._take(peer, handle)
        self.held[peer] = handle

    def move(self, former: Peer, peer: Peer) -> None:
        """Make a peer the member that another one was, which is as exposed as it is."""
        self[peer] = handle = self.pop(former)
        self._take(peer, handle)
        self._at[self._place_of(handle)] = incarnation_of(peer)
        self._where = None
        self.clients += former.is_console - peer.is_console
        self._note_console(former, is_here=False)
        self._note_console(peer)
        if former in self.operators:
            self.appoint(former, is_operator=False)
            self.appoint(peer)

    def appoint(self, peer: Peer, *, is_operator: bool = True) -> None:
        """Make a peer an operator, or let it be one no more."""
        (self.operators.add if is_operator else self.operators.discard)(peer)
        self._who = None

    def enter(self, peer: Peer, handle: str) -> None:
        """Make a peer a member; it is in no queue."""
        self.clients += not peer.is_console
        self._note(peer, handle)

    def rename(self, peer: Peer, handle: str) -> None:
        """Give a member another handle."""
        self._forget(peer)
        self._note(peer, handle)

    def remove(self, peer: Peer) -> str:
        """Take a peer out of the room, the queue, or those that are held; return its handle."""
        if handle := self.queue.pop(peer, "") or self.held.pop(peer, ""):
            self._free(handle)
        else:
            self.clients -= not peer.is_console
            handle = self._forget(peer)
            del self[peer]
        return handle

    def _note(self, peer: Peer, handle: str) -> None:
        self[peer] = handle
        self._take(peer, handle)
        self._note_console(peer)
        for names in self._lists_of(peer):
            insort(names, handle, key=handle_key)
        self._at.insert(self._place_of(handle), incarnation_of(peer))
        self._who = None

    def _forget(self, peer: Peer) -> str:
        handle = self[peer]
        self._free(handle)
        self._note_console(peer, is_here=False)
        del self._at[self._place_of(handle)]
        key = handle_key(handle)
        for names in self._lists_of(peer):
            del names[bisect_left(names, key, key=handle_key)]
        self._who = None
        return handle

    def _place_of(self, handle: str) -> int:
        """Where it stands in the roster."""
        return bisect_left(self._sorted, handle_key(handle), key=handle_key)

    def _note_console(self, peer: Peer, *, is_here: bool = True) -> None:
        if peer.is_console:
            (self._consoles.add if is_here else self._consoles.discard)(peer)
            self._who = None

    def _lists_of(self, peer: Peer) -> list[list[str]]:
        return [self._sorted, self._unencrypted] if peer in self.exposed else [self._sorted]

    def _take(self, peer: Peer, handle: str) -> None:
        self._taken[handle_key(handle)] = peer
        for looks, look in zip(self._looks, skeletons(handle), strict=True):
            looks[look] = peer

    def _free(self, handle: str) -> None:
        del self._taken[handle_key(handle)]
        for looks, look in zip(self._looks, skeletons(handle), strict=True):
            del looks[look]


def _bare(look: str) -> str:
    """What is compared with the server's handle: a ``_`` more or less makes no other there."""
    return skeleton(look.replace("_", "")) if "_" in look else look
