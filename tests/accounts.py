"""What the members of a room have to tell when all is over, and what is wrong with it. Pure.

Every text is said or whispered once in all, so it names what was asked. Nobody may have left, been
refused anything, or lost its place before the end: whatever was cut or killed, all came back.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import NamedTuple

AROUND = 2.0
"""Seconds before and after what is wrong that are told of who has suffered it."""


MOST = 20
"""The most lines of this that are told."""


class Asked(NamedTuple):
    """What somebody wanted to be told, to one or, where ``to`` is empty, to all."""

    text: str
    to: str = ""


class Heard(NamedTuple):
    """An event, and when it was heard, in seconds by any clock; empty is what it has not."""

    at: float
    kind: str
    id: int = 0
    handle: str = ""
    to: str = ""
    text: str = ""


class Kept(NamedTuple):
    """A message, as it stands in the file."""

    id: int
    handle: str
    text: str


class Roll(NamedTuple):
    """Who was here after the event with this id, as a welcome tells it."""

    last: int
    handles: tuple[str, ...]


class Finding(NamedTuple):
    """What is wrong, with whom, and with which text if it is one."""

    what: str
    who: str
    text: str = ""


@dataclass
class Account:
    """What one member did and heard, in order.

    Attributes:
        handle: its own, which nobody changes.
        asked: what it asked for.
        heard: all that it heard.
        happened: what became of its connections, and when.
        rolls: who was here, as it was told each time when it came in.
    """

    handle: str
    asked: list[Asked] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    happened: list[tuple[float, str]] = field(default_factory=list)
    rolls: list[Roll] = field(default_factory=list)

    def as_of_now(self) -> "Account":
        """The same, whatever is heard later."""
        return replace(self, heard=[*self.heard])


def findings(
    accounts: Sequence[Account],
    kept: Mapping[str, Sequence[Kept]] | None = None,
    guests: Sequence[Account] = (),
) -> list[Finding]:
    """All that is wrong with what these tell, and with what files have kept; empty if nothing.

    All of them were in the room before the first text was said, and until the last. ``guests`` are
    others, who came and went, and had no receipts: an account for each of their stays.
    """
    passing = {account.handle for account in guests}
    order = _order(accounts)
    perhaps = {asked.text for guest in guests for asked in guest.asked}
    due = {asked.text for one in accounts for asked in one.asked if not asked.to}
    due |= perhaps.intersection(order)
    found = [*_alike(accounts), *_handles(accounts)]
    for account in accounts:
        found += [*_answers(account), *_ids(account), *_undisturbed(account, passing)]
        found += [*_counted(account.handle, _texts(account, "said"), due)]
        found += _private(account, accounts)
    for guest in guests:
        found += _passing(guest, order)
    for name, messages in (kept or {}).items():
        found += _file(name, messages, accounts, due)
    return found


def _order(accounts: Sequence[Account]) -> list[str]:
    """All that was said, in the order of its ids."""
    said = {one.id: one.text for who in accounts for one in who.heard if one.kind == "said"}
    return [said[number] for number in sorted(said)]


def _texts(account: Account, kind: str) -> list[str]:
    return [heard.text for heard in account.heard if heard.kind == kind]


def _counted(who: str, texts: Sequence[str], due: set[str]) -> Iterator[Finding]:
    """That each of these is there exactly once, and nothing else."""
    counts = Counter(texts)
    yield from (Finding("lost", who, text) for text in sorted(due - counts.keys()))
    yield from (Finding("doubled", who, text) for text in counts if counts[text] > 1)
    yield from (Finding("not due", who, text) for text in counts.keys() - due)


def _alike(accounts: Sequence[Account]) -> Iterator[Finding]:
    """That an id is one event, whoever hears it."""
    seen: dict[int, Heard] = {}
    for account in accounts:
        for heard in account.heard:
            if heard.id and seen.setdefault(heard.id, heard)[1:] != heard[1:]:
                yield Finding(f"another event has the id {heard.id}", account.handle, heard.text)


def _answers(account: Account) -> Iterator[Finding]:
    """That all it asked for is confirmed, once, in the order in which it asked."""
    me = account.handle
    receipts = [
        Asked(heard.text, heard.to)
        for heard in account.heard
        if heard.handle == me and heard.kind in ("said", "whispered")
    ]
    if receipts != account.asked:
        missing = [asked for asked in account.asked if asked not in receipts]
        yield from (Finding("never confirmed", me, asked.text) for asked in missing)
        if not missing and sorted(receipts) == sorted(account.asked):
            yield Finding("confirmed in another order than asked", me)


def _ids(account: Account) -> Iterator[Finding]:
    """That ids grow."""
    last = 0
    for heard in account.heard:
        if heard.id:
            if heard.id <= last:
                yield Finding(f"id {heard.id} after {last}", account.handle, heard.text)
            last = heard.id


def _undisturbed(account: Account, passing: set[str]) -> Iterator[Finding]:
    """That nobody but who passes left, and nothing was refused.

    What the server itself warns of has no id, and changes nothing.
    """
    names = Counter[str]()
    for heard in account.heard:
        if heard.kind in ("said", "whispered") or (heard.kind == "moderated" and not heard.id):
            continue
        if heard.kind in ("joined", "left") and heard.handle in passing:
            continue
        if heard.kind == "joined":
            names[heard.handle] += 1
        else:
            yield Finding(f"{heard.kind} {heard.handle}".rstrip(), account.handle, heard.text)
    yield from (
        Finding(f"{name} joined again", account.handle) for name in names if names[name] > 1
    )


def _handles(accounts: Sequence[Account]) -> Iterator[Finding]:
    """That nobody had a handle that another one had, and that all were told who was here.

    Who came in first has heard of all the others.
    """
    rolls = sorted((roll, one.handle) for one in accounts for roll in one.rolls)
    if not rolls:
        return
    changes = {
        heard.id: (heard, one.handle)
        for one in accounts
        for heard in one.heard
        if heard.kind in ("joined", "left", "renamed")
    }
    first, _ = rolls[0]
    here = {handle.casefold() for handle in first.handles}
    due = deque(number for number in sorted(changes) if number > first.last)
    for roll, who in rolls:
        while due and due[0] <= roll.last:
            yield from _change(here, *changes[due.popleft()])
        if {handle.casefold() for handle in roll.handles} != here or len(here) < len(roll.handles):
            yield Finding(f"another roster at {roll.last}", who, " ".join(roll.handles))
    while due:
        yield from _change(here, *changes[due.popleft()])


def _change(here: set[str], heard: Heard, who: str) -> Iterator[Finding]:
    """Have this change who is here."""
    if heard.kind != "joined":
        if heard.handle.casefold() not in here:
            yield Finding("left without being here", who, heard.handle)
        here.discard(heard.handle.casefold())
    if heard.kind != "left":
        handle = heard.handle if heard.kind == "joined" else heard.text
        if handle.casefold() in here:
            yield Finding(f"two are called {handle}", who)
        here.add(handle.casefold())


def _private(account: Account, accounts: Sequence[Account]) -> Iterator[Finding]:
    """That it heard all that was whispered to it, or by it, once, and nothing else of it."""
    me = account.handle
    due = {
        asked.text
        for one in accounts
        for asked in one.asked
        if asked.to and me in (asked.to, one.handle)
    }
    yield from _counted(me, _texts(account, "whispered"), due)


def _passing(guest: Account, order: Sequence[str]) -> Iterator[Finding]:
    """That what it said and heard has no gaps; only the end of what it said may be missing."""
    asked = [one.text for one in guest.asked]
    own = set(asked)
    said = [text for text in order if text in own]
    heard, others = _texts(guest, "said"), [text for text in order if text not in own]
    first = others.index(heard[0]) if heard and heard[0] in others else 0
    for what, texts, due in (
        ("said with gaps", said, asked),
        ("heard with gaps", heard, others[first:]),
    ):
        differ = (text for text, right in zip_longest(texts, due[: len(texts)]) if text != right)
        yield from (Finding(what, guest.handle, text) for text in islice(differ, 1))
    for text in _texts(guest, "whispered"):
        yield Finding("not due", guest.handle, text)


def _file(
    name: str, kept: Sequence[Kept], accounts: Sequence[Account], due: set[str]
) -> Iterator[Finding]:
    """That the file has all that was said, as it was heard, in order, and nothing else."""
    yield from _counted(name, [message.text for message in kept], due)
    told = {
        Kept(heard.id, heard.handle, heard.text)
        for one in accounts
        for heard in one.heard
        if heard.kind == "said"
    }
    others = [message for message in kept if message not in told and message.text in due]
    yield from (Finding("nobody heard it so", name, message.text) for message in others)
    if [message.id for message in kept] != sorted(message.id for message in kept):
        yield Finding("ids out of order", name)


# ---- telling


def story(finding: Finding, accounts: Sequence[Account]) -> list[str]:
    """What is to be known of this, as lines: who heard the text, and what became of who did not."""
    lines = [f"{finding.what}: {finding.who} {finding.text}".rstrip()]
    start = min((at for account in accounts for at, _ in account.happened), default=0.0)
    authors = {asked: one.handle for one in accounts for asked in one.asked}
    told: dict[tuple[str, int], list[tuple[float, str]]] = {}
    for asked, author in authors.items():
        if asked.text == finding.text:
            lines.append(f"  asked by {author}" + (f" for {asked.to}" if asked.to else ""))
    for account in accounts if len(lines) > 1 else ():
        for heard in account.heard:
            if heard.text == finding.text:
                told.setdefault(heard[1:3], []).append((heard.at, account.handle))
    for (kind, number), hearers in told.items():
        names = ", ".join(name for _, name in hearers)
        lines.append(f"  {hearers[0][0] - start:8.3f} {kind} {number} heard by {names}")
    times = [at for hearers in told.values() for at, _ in hearers]
    for account in accounts:
        if account.handle == finding.who:
            around = [
                f"  {at - start:8.3f} {account.handle}: {what}"
                for at, what in account.happened
                if times and min(times) - AROUND < at < max(times) + AROUND
            ]
            lines += around[-MOST:]
    return lines
