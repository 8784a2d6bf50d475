"""What a server's command does where its room is on other servers as well."""

import argparse
import math
import platform

from triochat.agreement import Agreement
from triochat.hub import Hub
from triochat.ledger import Ledger
from triochat.process import take_redis
from triochat.replica import Replica
from triochat.sharing import Sharing
from triochat.text import clean

TERMS = (
    "handle",
    "max_clients",
    "handle_length",
    "turns",
    "burst",
    "rate",
    "idle",
    "replay",
    "grace",
    "hold",
)
"""The options that all servers of a room must have in common: rules of the room, and what anybody
may do there, wherever that is."""

NAMED = 5
"""How many of the others are named at the start."""


def open_ledger(options: argparse.Namespace) -> Ledger | None:
    """Where the room is shared, if it is; `ValueError` if it cannot be."""
    url = take_redis(options.redis, options.redis_file)
    if url is None:
        return None
    try:
        from triochat.streams import Streams
    except ImportError:
        how = "pip install 'triochat[redis]'"
        raise ValueError(f"sharing a room needs coredis; to install it: {how}") from None
    return Streams(url, options.name)


async def begin(ledger: Ledger, port: int, replica: Replica) -> Sharing:
    """Have the room as the other servers have it; where there are none yet, as it is.

    Raises:
        ValueError: this server may not share it; says why.
        LedgerError: it cannot; says why.
    """
    sharing = Sharing(ledger, f"{clean(platform.node())}:{port}", replica)
    await sharing.begin()
    return sharing


def agreement_of(options: argparse.Namespace, password: str) -> Agreement:
    """What this server holds itself to, and the others of the room."""
    from triochat.release import rules

    terms = {f"--{name.replace('_', '-')}": _write(getattr(options, name)) for name in TERMS}
    return Agreement(
        {name: text for name, text in terms.items() if text is not None}, password, rules()
    )


def _write(value: str | float) -> str | None:
    """What stands behind an option, nothing if it stands alone; None if it does not stand there."""
    if value is False or value == math.inf:
        return None
    if value is True:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def introduction(hub: Hub, sharing: Sharing) -> str:
    """Who shares the room, for operators."""
    names = [one.name for one in hub.room.servers.values() if one.name != sharing.name]
    listed = ", ".join([*names[:NAMED], *["..."] * (len(names) > NAMED)])
    count = f"{len(names) or 'no'} other server{'s' * (len(names) != 1)}"
    where = f"{hub.room.name} through {sharing.where}, as {sharing.name}"
    return f"Sharing the room {where}; {count}{': ' * bool(names)}{listed}"
