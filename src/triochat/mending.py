"""Mending: whether a ledger still has all that servers have read there, and what is done if not.

Another run of a ledger may have come back with less than some server has read. So all of them say
how far they have read; who has read most begins the entries anew, with what it knows. Those who
have read as far go on from there, all others from the snapshot that was kept with it. So does who
comes first when all have left, if it has other terms: then nobody goes on from what was before.
"""

from collections.abc import Awaitable, Callable

import trio

from triochat.entries import Founded
from triochat.ledger import START, Access, Position, Standing
from triochat.replica import Replica, read_entry

ROLL = 3.0
"""Seconds in which the others are to say how far they have read."""

LOOK = 0.1
"""Seconds between two looks at what they say."""


async def mend(
    access: Access, name: str, replica: Replica, begin_anew: Callable[[], Awaitable[bool]]
) -> None:
    """Return when all is there that any server has read, or the entries were begun anew.

    Args:
        access: the ledger.
        name: of this server.
        replica: what it knows.
        begin_anew: does so from there, unless another server leads; whether it was done.
    """
    others = {server.name for server in replica.room.servers.values()}
    deadline = trio.current_time() + ROLL
    while True:
        roll = await access.call_roll(name, replica.reached)
        if others <= roll.keys() or trio.current_time() >= deadline:
            furthest = max(roll.values())
            is_mine = furthest == replica.reached
            standing = await access.standing(furthest.position)
            if standing is Standing.TRIMMED and is_mine and await _knows_more(access, replica):
                standing = Standing.LOST
            if standing is not Standing.LOST or (is_mine and await begin_anew()):
                return
        await trio.sleep(LOOK)


async def _knows_more(access: Access, replica: Replica) -> bool:
    """Whether the entries were begun anew with less than this server knows."""
    [first, *_] = await access.read(START)
    founded = read_entry(first)
    return isinstance(founded, Founded) and founded.entries < replica.reached.entries


async def take_over(
    access: Access, replica: Replica, incarnation: str, kept: tuple[Position, bytes]
) -> None:
    """Go on with a room: with this snapshot, and what was written since.

    Where nobody is left who holds to its terms its entries begin anew with those of this server.

    Raises:
        ValueError: somebody is, and they are others; or this server cannot; with a sentence.
    """
    try:
        replica.load(*kept)
    except ValueError:
        replica.load(*kept, must_agree=False)
        await replica.catch_up(access)
        names = [server.name for server in replica.room.servers.values()]
        if any([(await access.holder(name))[0] for name in names]):
            raise
        replica.go_on()
        replica.part()
        founding = replica.founding(incarnation)
        if not (await access.take_lead(incarnation) and await access.found(*founding)):
            raise
        replica.load(*(await access.load() or kept))
    await replica.catch_up(access)
    replica.go_on()
