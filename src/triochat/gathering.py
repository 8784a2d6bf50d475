"""Gathering: what a server was asked that has no place yet in the order that servers share. Pure.

What comes while a batch is written is the next one. A batch that was given away is kept until it is
read again, since it may have to be written once more; what others need not know of it is only here.
"""

from collections import Counter, deque
from collections.abc import Sequence

from msgspec import Raw, Struct

from triochat.entries import Batch, encode_asked, encode_batch, prepare, taken
from triochat.order import Aside, Asked, Gone, Peer
from triochat.room import Room
from triochat.servers import incarnation_of


class _Kept(Struct, frozen=True):
    number: int
    asked: Sequence[Asked]
    data: bytes


class Gathering:
    """What waits for its place.

    Args:
        room: what it is asked of.
        incarnation: of this server.
    """

    def __init__(self, room: Room, incarnation: str) -> None:
        self._room = room
        self._incarnation = incarnation
        self._number = 0
        self._open: dict[int, tuple[Asked, Raw]] = {}
        self._taken = 0
        self._waiting: Counter[Peer] = Counter()
        self._given: deque[_Kept] = deque()

    def take(self, asked: Asked) -> Sequence[Asked]:
        """Have this wait; what is returned need not, or need not any more.

        What a peer asks waits behind what it has asked before. One that was here under a former
        incarnation is not heard: to the room it would be a stranger, who says its handle first.
        Raises `ValueError` if others could not read what is asked.
        """
        peer, now = asked.peer, self._room.now
        if incarnation_of(peer) not in ("", self._incarnation):
            return [Asked(peer, (), now)]
        if isinstance(asked.requests[-1], Gone) and not self._room.knows(peer):
            own = [place for place, (one, _) in self._open.items() if one.peer == peer]
            if len(own) == self._waiting[peer]:  # nobody has heard of it, and nobody need
                del self._waiting[peer]
                return [Asked(peer, (), now) for _ in (asked, *map(self._open.pop, own))]
        requests = prepare(self._room, asked)
        if peer not in self._waiting and all(isinstance(one, Aside) for one in requests):
            return (Asked(peer, requests, now),)
        written = encode_asked(peer, requests)
        self._taken += 1
        self._open[self._taken] = Asked(peer, requests, now), written
        self._waiting[peer] += 1
        return ()

    def next_batch(self) -> bytes | None:
        """What has gathered, to be written; None if nothing has."""
        if not self._open:
            return None
        waiting, self._open = self._open.values(), {}
        self._number += 1
        data = encode_batch(self._incarnation, self._number, [raw for _, raw in waiting if raw])
        self._given.append(_Kept(self._number, [one for one, _ in waiting], data))
        return self._given[-1].data

    def unread(self) -> list[bytes]:
        """Batches that were given away, and not read again, in order."""
        return [kept.data for kept in self._given]

    def read(self, batch: Batch, now: float) -> list[Asked]:
        """What is to be applied, now that this batch is read, of whichever server it is."""
        is_own = batch.incarnation == self._incarnation
        while is_own and self._given and self._given[0].number <= batch.number:
            kept = self._given.popleft()
            for one in kept.asked:
                self._waiting[one.peer] -= 1
                if not self._waiting[one.peer]:
                    del self._waiting[one.peer]
            if kept.number == batch.number:
                return [Asked(one.peer, one.requests, now) for one in kept.asked]
        return [taken(shared, now) for shared in batch.asked]
