"""Filling: what an archive has missed of a room while its server was away. Pure.

It is in the tail that another server has handed on, as far as that reaches. Where messages may be
missing all the same the file says so, in their place: as the newest of those that it will never
have, which no other message there is.
"""

from collections.abc import Mapping

from triochat.changes import Changes
from triochat.history import Tail
from triochat.messages import Event, Said

AWAY = "was away; messages may be missing here"
"""What the server says where they are."""


def filling(tail: Tail, last: int, floors: Mapping[str, int], server: str) -> Changes:
    """What is to be written for a file to go on where this tail ends; nothing twice.

    Args:
        tail: of the room's history; not older than the file.
        last: the newest id that the file knows of; 0 if it is new, and nothing is missing.
        floors: those of the file, by the keys of its seats, and empty for all.
        server: the server's handle.
    """
    alone = {one.key: one for one in tail.alone}
    changes = Changes(last=tail.last)
    changes.vacated = {key for key in floors if key and key not in alone}
    for after, number, handle in tail.removed:
        if handle and last <= after:
            changes.forgotten_by[handle] = number
        elif number <= last <= after:
            changes.forgotten.add(number)
    said = {one.id: one for one in (*tail.events, *tail.said) if isinstance(one, Said)}
    changes.said = [said[number] for number in sorted(said) if number > last]
    gap = min(tail.said_floor, tail.floor)
    if 0 < last < gap:
        changes.gaps = [Said(gap, _first_time(changes.said, tail), server, AWAY, action=True)]
    changes.passing = [
        ("", _id(one), one) for one in tail.events if _id(one) > last and not isinstance(one, Said)
    ]
    if tail.floor > last:
        changes.floors[""] = tail.floor
    for key, own in alone.items():
        known = last if key in floors else 0  # who has taken a seat since had none before
        changes.passing += [(key, _id(one), one) for _, one in own.events if _id(one) > known]
        if own.floor > known:
            changes.floors[key] = own.floor
    return changes


def _first_time(said: list[Said], tail: Tail) -> str:
    """When something was told again after a gap."""
    times = (getattr(one, "at", "") for one in (*said, *tail.events))
    return next(filter(None, times), "")


def _id(event: Event) -> int:
    number: int = getattr(event, "id", 0)
    return number
