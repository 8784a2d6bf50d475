"""The members: who is here under which handle, and who waits in the queue for a full room. Pure."""

from bisect import bisect_left
from collections.abc import Iterator

from triochat.messages import Refused
from triochat.order import Peer
from triochat.text import accept_handle, handle_key, normalise_handle


class Members:
    """Who is in a room. A handle that is worn by somebody, or waited with, is nobody else's.

    Args:
        server: the operator's handle, which nobody else may take.
        max_clients: members at once, operators not counted; the next ones wait.

    Attributes:
        queue: who waits, with the handle that each will have, in the order of their turns.
        clients: how many members are not operators.
    """

    def __init__(self, server: str, max_clients: int) -> None:
        self.server = server
        self.max_clients = max_clients
        self.queue: dict[Peer, str] = {}
        self.clients = 0
        self._handles: dict[Peer, str] = {}
        self._taken: dict[str, Peer] = {}
        self._keys: list[str] = []  # sorted; beside them the handles that they stand for
        self._sorted: list[str] = []
        self._roster: tuple[str, ...] | None = ()

    def __len__(self) -> int:
        return len(self._handles)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._handles)

    def __contains__(self, peer: Peer | None) -> bool:
        return peer in self._handles

    def __getitem__(self, peer: Peer) -> str:
        return self._handles[peer]

    @property
    def roster(self) -> tuple[str, ...]:
        """The handles of all members, sorted without regard to case."""
        if self._roster is None:
            self._roster = tuple(self._sorted)
        return self._roster

    @property
    def is_full(self) -> bool:
        """Whether the next client has to wait."""
        return self.clients >= self.max_clients

    def handle_of(self, peer: Peer) -> str | None:
        """The handle of a member, or the one that a peer in the queue will have."""
        return self._handles.get(peer) or self.queue.get(peer)

    def find(self, handle: str) -> Peer | None:
        """The peer who has this handle, or waits with it."""
        return self._taken.get(handle_key(handle))

    def owner(self, handle: str) -> Peer:
        """The same, where there is one."""
        return self._taken[handle_key(handle)]

    def check(self, peer: Peer, wanted: str) -> str | Refused:
        """A handle as it will be kept, if this peer may have it; else why not."""
        is_own = peer.is_operator and normalise_handle(wanted) == self.server
        handle = self.server if is_own else accept_handle(wanted)
        if isinstance(handle, Refused):
            return handle
        key = handle_key(handle)
        if self._taken.get(key, peer) != peer:
            return Refused("handle-taken", f'handle "{handle}" is taken; try another')
        if key == handle_key(self.server) and not is_own:
            return Refused("handle-reserved", f'handle "{handle}" is reserved; try another')
        return handle

    def wait(self, peer: Peer, handle: str) -> None:
        """Put a peer at the end of the queue."""
        self._taken[handle_key(handle)] = peer
        self.queue[peer] = handle

    def enter(self, peer: Peer, handle: str) -> None:
        """Make a peer a member; it is in no queue."""
        self._handles[peer] = handle
        self.clients += not peer.is_operator
        self._note(peer, handle)

    def rename(self, peer: Peer, handle: str) -> None:
        """Give a member another handle."""
        self._forget(self._handles[peer])
        self._handles[peer] = handle
        self._note(peer, handle)

    def remove(self, peer: Peer) -> str:
        """Take a peer out of the room, or out of the queue; return its handle."""
        if peer in self.queue:
            handle = self.queue.pop(peer)
            del self._taken[handle_key(handle)]
        else:
            handle = self._handles.pop(peer)
            self.clients -= not peer.is_operator
            self._forget(handle)
        return handle

    def _note(self, peer: Peer, handle: str) -> None:
        key = handle_key(handle)
        place = bisect_left(self._keys, key)
        self._keys.insert(place, key)
        self._sorted.insert(place, handle)
        self._taken[key] = peer
        self._roster = None

    def _forget(self, handle: str) -> None:
        key = handle_key(handle)
        place = bisect_left(self._keys, key)
        del self._keys[place], self._sorted[place], self._taken[key]
        self._roster = None
