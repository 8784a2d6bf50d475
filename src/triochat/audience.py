"""Audiences: the peers that are to have an event.

Nearly everything is told to everyone. Who that is changes with each who comes or goes, and events
of before and after may be told together: an `Everyone` stays what it was, costs next to nothing to
make from the one before, and can say in what it differs from that.
"""

from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import Generic, TypeAlias, TypeGuard, TypeVar

P = TypeVar("P", bound=Hashable)


class _Kin(Generic[P]):
    """What akin audiences share: who came and who went, in order, and who is gone."""

    __slots__ = ("came", "gone", "went")

    def __init__(self, came: list[P]) -> None:
        self.came = came
        self.went: list[P] = []
        self.gone: set[P] = set()


class Everyone(Generic[P]):
    """Those who hear everything public at some moment, in the order in which they came.

    A moment later there is another one, *akin* to this: they share two lists, of who came and of
    who went, each up to a point. So a thousand who come or go do not make a thousand copies, and it
    can be seen in what two of them differ.

    Args:
        peers: who is here.
        kin: instead, what it shares with another; only for this class.
    """

    __slots__ = ("_came_count", "_kin", "_went_count")

    def __init__(self, peers: Iterable[P] = (), kin: _Kin[P] | None = None) -> None:
        self._kin = kin or _Kin(list(peers))
        self._came_count = len(self._kin.came)
        self._went_count = len(self._kin.went)

    def __len__(self) -> int:
        return self._came_count - self._went_count

    def __iter__(self) -> Iterator[P]:
        came = islice(self._kin.came, self._came_count)
        if not self._went_count:
            return came
        went = set(self._kin.went[: self._went_count])
        return (peer for peer in came if peer not in went)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | Everyone) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_settled(self) -> bool:
        """Whether nobody of those akin has gone."""
        return not self._kin.went

    def including(self, peer: P) -> "Everyone[P]":
        """Everyone after this peer came. Only the newest of those akin can be asked."""
        if peer in self._kin.gone:
            return Everyone([*self, peer])
        self._kin.came.append(peer)
        return Everyone(kin=self._kin)

    def excluding(self, peer: P) -> "Everyone[P]":
        """Everyone after this peer went. Only the newest of those akin can be asked."""
        self._kin.went.append(peer)
        self._kin.gone.add(peer)
        return Everyone(kin=self._kin)

    def settled(self) -> "Everyone[P]":
        """The same peers, holding on to nobody who went. If anybody did, akin to no others."""
        return self if self.is_settled else Everyone(self)

    def union(self, other: "Everyone[P]") -> "Everyone[P]":
        """Those who are in this one, or in another that is akin to it."""
        both = Everyone(kin=self._kin)
        both._came_count = max(self._came_count, other._came_count)
        both._went_count = min(self._went_count, other._went_count)
        return both

    def is_akin(self, other: object) -> "TypeGuard[Everyone[P]]":
        """Whether the other one is everyone at another moment, with nobody having come again."""
        return isinstance(other, Everyone) and self._kin is other._kin

    def gained_since(self, other: "Everyone[P]") -> list[P]:
        """Who came after the other one, which is akin and no later; some may have gone again."""
        return self._kin.came[other._came_count : self._came_count]

    def lost_since(self, other: "Everyone[P]") -> list[P]:
        """Who went after the other one, which is akin and no later; some may have come after it."""
        return self._kin.went[other._went_count : self._went_count]


Audience: TypeAlias = tuple[P, ...] | Everyone[P]
"""Who is to have an event: these peers, each once, in this order."""
