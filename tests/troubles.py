"""What `crash` and `crash_servers` do to members, and tell of them."""

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeAlias

import trio

from accounts import Account, Asked, Finding, Kept, story
from cutter import Cutter
from programs import Program
from served import PATIENCE
from wanderer import Wanderer

GRACE = "120"
"""Seconds in which nobody hears that a member is away: a busy machine is slow to start a server."""

PAUSE = 0.2
"""Seconds between two things that a member says, on average."""

WHISPERS = 0.3
"""How many of these are whispers."""

MANY = 50
"""Who waits for so many answers says no more."""

TOLD = 5
"""Kinds of findings of which one is told as a story; the others are counted."""

Member: TypeAlias = Wanderer | Program


class Report(NamedTuple):
    """What has happened.

    Attributes:
        findings: what was wrong.
        accounts: what the members tell.
        words: it all in a few words.
    """

    findings: list[Finding]
    accounts: list[Account]
    words: str


def member(number: int, ports: Sequence[int], seed: int, *, is_ours: bool) -> Member:
    """One of those who are here all the time: with our client, or who knows only the protocol."""
    handle, first = f"m{number}", number % len(ports)
    return (
        Program(handle, [*ports[first:], *ports[:first]])
        if is_ours
        else Wanderer(handle, ports, seed)
    )


async def talk(members: Sequence[Member], seed: int, pause: float = PAUSE) -> None:
    """Let all of them say something now and then."""
    chance = random.Random(f"{seed} talk")  # noqa: S311  no secret
    number = 0
    while True:
        await trio.sleep(chance.uniform(0, 2 * pause / len(members)))
        author, reader = chance.sample(members, 2)
        to = reader.account.handle if chance.random() < WHISPERS else ""
        number += 1
        if len(author.unanswered) < MANY:
            author.ask(Asked(f"{author.account.handle}-{number:06}", to))


async def cut(cutters: Sequence[Cutter], cuts: int, seconds: float, seed: int) -> None:
    """Cut links until there were as many cuts as are wanted."""
    chance = random.Random(f"{seed} cuts")  # noqa: S311  no secret
    while sum(cutter.made.total() for cutter in cutters) < cuts:
        await trio.sleep(chance.uniform(0, 2 * seconds / cuts))
        chance.choice(cutters).cut()


async def settle(members: Sequence[Member]) -> None:
    """Wait until all have heard the last words of all others."""
    for member in members:
        member.ask(Asked(f"{member.account.handle}-end"))
    with trio.move_on_after(PATIENCE):
        while any(_ends(member.account) < len(members) for member in members):  # noqa: ASYNC110
            await trio.sleep(0.05)
        await trio.sleep(0.5)  # for what should not come


def _ends(account: Account) -> int:
    return sum(heard.text.endswith("-end") for heard in account.heard[-1000:])


def kept_in(file: Path) -> list[Kept]:
    """The messages in the file, in their order."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT id, handle, text FROM said ORDER BY rowid")
        return [Kept(*row) for row in rows]


# ---- telling


def words_of(accounts: Sequence[Account]) -> str:
    """How much they have said."""
    asked = [asked for account in accounts for asked in account.asked]
    whispers = sum(bool(one.to) for one in asked)
    return f"{len(accounts)} members, {len(asked) - whispers} messages and {whispers} whispers"


def words_of_cuts(cutters: Sequence[Cutter]) -> str:
    """What was cut."""
    made = sum((cutter.made for cutter in cutters), Counter[str]())
    return f"{made.total()} cuts ({_counts(sorted(made.items()))})"


def words_of_findings(found: Sequence[Finding]) -> str:
    """How many there are, and of which kinds."""
    kinds = Counter(finding.what.partition(" ")[0] for finding in found).most_common(TOLD)
    return f"{len(found)} findings" + (f": {_counts(kinds)}" if kinds else "")


def _counts(kinds: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in kinds)


def told(report: Report) -> str:
    """What is to be known of this."""
    lines = [report.words]
    kinds = {finding.what: finding for finding in reversed(report.findings)}
    for finding in [*kinds.values()][-TOLD:]:
        lines += story(finding, report.accounts)
    return "\n".join(lines)
