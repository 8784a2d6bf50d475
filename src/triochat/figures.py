"""Figures: how a server does, in numbers, and in words for who runs it. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple


class Figures(NamedTuple):
    """How a server does.

    Attributes:
        version: which one it is.
        uptime: seconds since it began.
        members: how many are in the room, by door: those who are away are not counted.
        exposed: members whose connections cross a network unencrypted.
        away: those whose connection is lost, and who may come back.
        queue: peers that wait for a place.
        strangers: connections that have not joined.
        lines: what was asked until now.
        deliveries: events that were told until now, each counted for each who was told it.
        line_rate: lines a second, of late.
        delivery_rate: deliveries a second, of late.
        lag: how long it took of late, at most, until what was read was told, in seconds.
        refusals: until now, by code.
        evictions: until now, by reason.
        failures: handshakes and encrypted connections that failed until now.
        memory: bytes; 0 if not known.
        files: how many are open, and may be; 0 if not known.
        here: members that are connected to this server; the others are so elsewhere, or away.
        servers: how many share the room; 0 where it is on this one alone.
        lost: seconds for which those could not be reached; 0 while they can be.
    """

    version: str
    uptime: float
    members: Mapping[str, int]
    exposed: int
    away: int
    queue: int
    strangers: int
    lines: int
    deliveries: int
    line_rate: float
    delivery_rate: float
    lag: float
    refusals: Mapping[str, int]
    evictions: Mapping[str, int]
    failures: int
    memory: int
    files: tuple[int, int]
    here: int = 0
    servers: int = 0
    lost: float = 0.0


def words_of(figures: Figures) -> str:
    """The figures as text of some lines."""
    are_open, may_be = figures.files
    rows = {
        "members": _split(figures.members) + f"; {figures.exposed:,} not encrypted",
        "here": f"{figures.here:,} of {sum(figures.members.values()):,}",
        "servers": f"{figures.servers:,}"
        + (f"; not reached for {figures.lost:,.0f} s" if figures.lost else ""),
        "away": f"{figures.away:,} who may come back",
        "in line": f"{figures.queue:,}",
        "strangers": f"{figures.strangers:,}",
        "lines": f"{figures.lines:,}; {figures.line_rate:,.1f} a second",
        "deliveries": f"{figures.deliveries:,}; {figures.delivery_rate:,.1f} a second",
        "lag": f"{figures.lag * 1000:,.1f} ms at most in the last minute",
        "refusals": _split(figures.refusals),
        "evictions": _split(figures.evictions),
        "TLS failed": f"{figures.failures:,}",
        "memory": f"{figures.memory / 1e6:,.1f} MB" if figures.memory else "not known",
        "files": f"{are_open:,} of {may_be:,}" if are_open else "not known",
        "up for": str(timedelta(seconds=int(figures.uptime))),
        "version": figures.version,
    }
    if not figures.servers:
        del rows["here"], rows["servers"]
    return "\n".join(f"{name:<10}  {words}" for name, words in rows.items())


def _split(counts: Mapping[str, int]) -> str:
    parts = [f"{count:,} {name}" for name, count in sorted(counts.items()) if count]
    return f"{sum(counts.values()):,}" + (f" ({', '.join(parts)})" if parts else "")
