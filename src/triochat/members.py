"""The members: who is here under which handle, and who waits in the queue for a full room. Pure."""

from bisect import bisect_left, insort

from triochat.messages import Refused, Roster
from triochat.order import HOUSE, Peer
from triochat.text import HANDLE_LENGTH, accept_handle, handle_key, normalise_handle


class Members(dict[Peer, str]):
    """The handles of those who are in a room. One that somebody has, or waits with, is no other's.

    Args:
        server: the operator's handle, which nobody else may take.
        max_clients: members at once, operators not counted; the next ones wait.
        handle_length: the most characters in a handle; at most `text.HANDLE_LIMIT`.

    Attributes:
        queue: who waits, with the handle that each will have, in the order of their turns.
        clients: how many members are not operators.
    """

    def __init__(self, server: str, max_clients: int, handle_length: int = HANDLE_LENGTH) -> None:
        super().__init__()
        self.server = server
        self.handle_length = handle_length
        self.queue: dict[Peer, str] = {}
        self.clients = 0
        self._max_clients = max_clients
        self._taken: dict[str, Peer] = {}
        self._sorted: list[str] = []
        self._who: Roster | None = None

    @property
    def who(self) -> Roster:
        """The answer to who is here: the same object until that changes, however many ask."""
        if self._who is None:
            self._who = Roster(tuple(self._sorted))
        return self._who

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles of all members, sorted without regard to case."""
        return self.who.handles

    @property
    def is_full(self) -> bool:
        """Whether the next client has to wait."""
        return self.clients >= self._max_clients

    def handle_of(self, peer: Peer) -> str | None:
        """The handle of a member, or the one that a peer in the queue will have."""
        return self.get(peer) or self.queue.get(peer)

    def find(self, handle: str) -> Peer:
        """The peer who has this handle, or waits with it; the house, if nobody does."""
        return self._taken.get(handle_key(handle), HOUSE)

    def check(self, peer: Peer, wanted: str) -> str | Refused:
        """A handle as it will be kept, if this peer may have it; else why not."""
        is_own = peer.is_console and normalise_handle(wanted) == self.server
        handle = self.server if is_own else accept_handle(wanted, self.handle_length)
        if isinstance(handle, Refused):
            return handle
        if self.find(handle) not in (peer, HOUSE):
            return Refused("handle-taken", f'handle "{handle}" is taken; try another')
        if handle_key(handle) == handle_key(self.server) and not is_own:
            return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')
        return handle

    def wait(self, peer: Peer, handle: str) -> None:
        """Put a peer at the end of the queue."""
        self._taken[handle_key(handle)] = peer
        self.queue[peer] = handle

    def enter(self, peer: Peer, handle: str) -> None:
        """Make a peer a member; it is in no queue."""
        self.clients += not peer.is_console
        self._note(peer, handle)

    def rename(self, peer: Peer, handle: str) -> None:
        """Give a member another handle."""
        self._forget(self[peer])
        self._note(peer, handle)

    def remove(self, peer: Peer) -> str:
        """Take a peer out of the room, or out of the queue; return its handle."""
        if handle := self.queue.pop(peer, ""):
            del self._taken[handle_key(handle)]
        else:
            self.clients -= not peer.is_console
            handle = self.pop(peer)
            self._forget(handle)
        return handle

    def _note(self, peer: Peer, handle: str) -> None:
        self[peer] = handle
        self._taken[handle_key(handle)] = peer
        insort(self._sorted, handle, key=handle_key)
        self._who = None

    def _forget(self, handle: str) -> None:
        key = handle_key(handle)
        del self._taken[key], self._sorted[bisect_left(self._sorted, key, key=handle_key)]
        self._who = None
