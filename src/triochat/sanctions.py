"""Who is banned, who is muted, and what else operators decided that survives a restart. Pure.

A sanction of a name holds the handle and, perhaps, the host of whoever had it; one of an address
holds that network. It is gone when its time is over, by the time of the room.
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from msgspec import Struct, json
from msgspec.structs import replace

from triochat.durations import spell
from triochat.hosts import network_of
from triochat.messages import Refused
from triochat.text import accept_text, excerpt, skeletons

MOST = 500
"""Bans at once, and mutes: what all of them make of a list is still told to who asks, and what is
kept of them is written in one piece."""

MINUTE = 60.0
"""Its seconds."""

Network: TypeAlias = IPv4Network | IPv6Network

_LISTED = 60  # characters of a reason in a list
_FORMAT = 1


class Sanction(Struct, frozen=True):
    """A ban, or a mute.

    Attributes:
        name: a handle, or a network.
        host: whoever comes from this network is meant as well; empty if nobody is.
        until: when it is over, in seconds since the epoch; 0 if it has to be lifted.
        why: the reason, if one was said.
    """

    name: str
    host: str = ""
    until: float = 0.0
    why: str = ""

    def has_ended(self, now: float) -> bool:
        """Whether its time is over."""
        return 0 < self.until <= now

    def left(self, now: float) -> str:
        """How much longer it holds, in words, after a blank; empty if it has to be lifted."""
        return f" for another {spell(self.until - now)}" if self.until else ""

    def line(self, now: float) -> str:
        """It, in a list."""
        host = self.host.removesuffix("/32")
        whom = self.name.removesuffix("/32") if self.host in ("", self.name) else ""
        why = f": {excerpt(self.why, _LISTED)}" if self.why else ""
        return f"{whom or f'{self.name} and {host}'}{self.left(now)}{why}"


_Place: TypeAlias = tuple[int, int, int]  # of a network: version, the prefix itself, its length


@lru_cache(4096)
def _place_of(host: str) -> _Place:
    network = ip_network(host)
    unused = network.max_prefixlen - network.prefixlen
    return network.version, int(network.network_address) >> unused, network.prefixlen


class Sanctions(dict[str, Sanction]):
    """All bans, or all mutes: one for each person and each network (see `key_of`).

    Those that have ended are in it until the next one comes; no method returns them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[_Place, list[Sanction]] = {}
        self._lengths: list[int] = []  # of their prefixes, longest first: a few, however many

    def add(self, sanction: Sanction, now: float) -> None:
        """Let this hold, in place of what holds for the same name."""
        for key in [key for key, one in self.items() if one.has_ended(now)]:
            del self[key]
        self.pop(key_of(sanction.name), None)  # or it would keep its place
        self[key_of(sanction.name)] = sanction
        self._sort()

    def lift(self, name: str) -> Sanction | None:
        """End what holds for this handle, or this address; return it, if there was anything."""
        sanction = self.pop(key_of(name), None)
        self._sort()
        return sanction

    def has(self, name: str, now: float) -> bool:
        """Whether there is one for this handle, or this address."""
        one = self.get(key_of(name))
        return one is not None and not one.has_ended(now)

    def find(self, handle: str, host: str, now: float) -> Sanction | None:
        """What holds for who has this handle, or comes from this host; of several the narrowest."""
        named = self.get(person_of(handle))
        found = [named] if named else []
        if host:
            version, bits, length = _place_of(host)
            for shorter in self._lengths:
                if shorter <= length:
                    found += self._held.get((version, bits >> length - shorter, shorter), ())
        return next((one for one in found if not one.has_ended(now)), None)

    def current(self, now: float) -> list[Sanction]:
        """Those that hold, in the order in which they were added."""
        return [one for one in self.values() if not one.has_ended(now)]

    def _sort(self) -> None:
        """Find again which holds what host; operators do not change much in a second."""
        self._held = {}
        for one in self.values():
            if one.host:
                self._held.setdefault(_place_of(one.host), []).append(one)
        self._lengths = sorted({length for _, _, length in self._held}, reverse=True)


class Rulings:
    """What operators decided, and what is to survive a restart of it.

    Attributes:
        bans: who is not let in.
        mutes: who says nothing.
        is_quiet: only operators speak.
        topic: what the room is about; empty if nobody has said so.
        version: grows with each change.
    """

    def __init__(self) -> None:
        self.bans = Sanctions()
        self.mutes = Sanctions()
        self.is_quiet = False
        self.topic = ""
        self.version = 0

    def adopt(self, others: "Rulings") -> None:
        """Let these hold instead; that is a change."""
        self.bans, self.mutes = others.bans, others.mutes
        self.is_quiet, self.topic = others.is_quiet, others.topic
        self.version += 1


# ---- names and times


def key_of(name: str) -> str:
    """What two names of one sanction share: a person, or a network."""
    return as_network(name) or person_of(name)


def person_of(handle: str) -> str:
    """What handles share that are taken for one person's: a sanction of one holds them all."""
    return skeletons(handle)[1]


def as_network(name: str) -> str:
    """The network that this names; empty if it is no address."""
    try:
        return network_of(name)
    except ValueError:
        return ""


def is_within(inner: Network, outer: Network) -> bool:
    """Whether all of the one network is in the other."""
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


# ---- over a restart


class _Kept(Struct):
    """What stands in a file."""

    triochat: int
    quiet: bool
    topic: str
    bans: list[Sanction]
    mutes: list[Sanction]


def dump(rulings: Rulings, now: float) -> bytes:
    """What is to be kept of these: JSON, readable for people; `load` understands it."""
    kept = _Kept(
        _FORMAT,
        rulings.is_quiet,
        rulings.topic,
        rulings.bans.current(now),
        rulings.mutes.current(now),
    )
    return json.format(json.encode(kept), indent=1) + b"\n"


def load(text: bytes) -> Rulings:
    """What was kept. Raises `ValueError` if this is not what `dump` makes."""
    try:
        return _taken(json.decode(text, type=_Kept))
    except (ValueError, RecursionError):
        raise ValueError("this is not what was kept") from None


def _taken(kept: _Kept) -> Rulings:
    if kept.triochat != _FORMAT or max(len(kept.bans), len(kept.mutes)) > MOST:
        raise ValueError
    rulings = Rulings()
    rulings.is_quiet, rulings.topic = kept.quiet, _text(kept.topic)
    for table, sanctions in ((rulings.bans, kept.bans), (rulings.mutes, kept.mutes)):
        for one in sanctions:
            if one.until < 0 or not key_of(one.name):
                raise ValueError
            host = network_of(one.host) if one.host else ""
            table.add(replace(one, host=host, why=_text(one.why)), 0.0)
    return rulings


def _text(text: str) -> str:
    accepted = accept_text(text) if text else ""
    if isinstance(accepted, Refused):
        raise ValueError(accepted.text)
    return accepted


def lines(rulings: Rulings, now: float) -> Iterator[str]:
    """Who is banned, and who is muted, with the time that is left: a line each."""
    for word, table in (("banned", rulings.bans), ("muted", rulings.mutes)):
        for one in table.current(now):
            yield f"{word}: {one.line(now)}"
