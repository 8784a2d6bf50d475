"""Kill a server again and again, and cut the links of its members, while they talk and whisper.

    python tests/crash.py --seed 7 --kills 20 --cuts 200 --seconds 60

A server keeps its history in a file and is ended by ``kill -9``; between it and its members stands
a proxy that cuts (`cutter`). Half of the members are programs with our own client, the others know
only the protocol (`wanderer`). In the end all that was confirmed must be with everybody once and in
one order, and in the file; and each whisper with its one reader. With ``--memory`` nothing is kept
in a file, and nothing is killed. Exit 1, and what is to be known, if anything was lost, or doubled.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import trio

from accounts import Account, Asked, Finding, Kept, findings, story
from cutter import Cutter
from programs import Program
from real import ENVIRONMENT, TRIOCHAT, free_port, state_home
from wanderer import Wanderer

PATIENCE = 60.0
"""Seconds within which all is well again after the last cut."""

GRACE = "120"
"""Seconds in which nobody hears that a member is away: a busy machine is slow to start a server."""

PAUSE = 0.2
"""Seconds between two things that a member says, on average."""

WHISPERS = 0.3
"""How many of these are whispers."""

TOLD = 5
"""Kinds of findings of which one is told as a story; the others are counted."""

Member: TypeAlias = Wanderer | Program


class Plan(NamedTuple):
    """What is to happen."""

    seed: int
    kills: int = 20
    cuts: int = 200
    seconds: float = 60.0
    members: int = 10
    is_kept: bool = True


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


class Served:
    """A server that can be killed, and started again at the same port with the same file."""

    def __init__(self, folder: Path, *, is_kept: bool) -> None:
        self.port = free_port()
        self.file = folder / "room.db"
        self.kills = 0
        self._options = ["--grace", GRACE, *(["--history", str(self.file)] if is_kept else [])]
        self._log = (folder / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: ASYNC220  it takes no time
            [*TRIOCHAT, "server", str(self.port), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=ENVIRONMENT | {"XDG_STATE_HOME": state_home()},
            start_new_session=True,
        )
        with trio.fail_after(PATIENCE):
            while not await self._listens():
                assert self._process.poll() is None, self.log()
                await trio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", self.port)).aclose()
        except OSError:
            return False
        return True

    async def kill(self) -> None:
        """End it as a power cut would, but for the disk."""
        self.kills += 1
        await self.stop(signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, and wait for that."""
        assert self._process
        self._process.send_signal(number)
        with trio.CancelScope(shield=True), trio.move_on_after(PATIENCE):
            while self._process.poll() is None:  # noqa: ASYNC110  nobody tells
                await trio.sleep(0.01)

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def log(self) -> str:
        """What it printed."""
        return Path(self._log.name).read_text()


async def play(plan: Plan) -> Report:
    """Let all this happen, and find what is wrong in the end."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder), is_kept=plan.is_kept)
        try:
            return await _play(plan, served)
        finally:
            served.close()


async def _play(plan: Plan, served: Served) -> Report:
    cutter = Cutter(served.port, plan.seed)
    accounts: list[Account] = []
    await served.start()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, cutter.carry, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        members = [_member(number, port, plan) for number in range(plan.members)]
        with trio.move_on_after(plan.seconds + 2 * PATIENCE):
            async with trio.open_nursery() as lives:
                for member in members:
                    lives.start_soon(member.run)
                await _trouble(members, served, cutter, plan)
                await _settle(members)
                accounts = [member.account.as_of_now() for member in members]
                for member in members:
                    member.leave()
        nursery.cancel_scope.cancel()
    await served.stop()
    accounts = accounts or [member.account for member in members]
    found = findings(accounts, _kept(served.file) if plan.is_kept else None)
    found += _left_behind(served.file, accounts) if plan.is_kept else []
    return Report(found, accounts, _words(plan, served, cutter, accounts, found))


async def _trouble(members: Sequence[Member], served: Served, cutter: Cutter, plan: Plan) -> None:
    """Kill and cut while they talk, from when all are in."""
    for member in members:
        await member.has_joined.wait()
    async with trio.open_nursery() as talk:
        talk.start_soon(_talk, members, plan)
        async with trio.open_nursery() as troubles:
            troubles.start_soon(_kill, served, plan)
            troubles.start_soon(_cut, cutter, plan)
            troubles.start_soon(trio.sleep, plan.seconds)
        talk.cancel_scope.cancel()
    cutter.rest()


def _member(number: int, port: int, plan: Plan) -> Member:
    """Every other one with our client."""
    handle = f"m{number}"
    return Program(handle, port) if number % 2 else Wanderer(handle, port, plan.seed)


# ---- what happens


async def _talk(members: Sequence[Member], plan: Plan) -> None:
    """Let all of them say something now and then."""
    chance = random.Random(f"{plan.seed} talk")  # noqa: S311  no secret
    number = 0
    while True:
        await trio.sleep(chance.uniform(0, 2 * PAUSE / len(members)))
        author, reader = chance.sample(members, 2)
        to = reader.account.handle if chance.random() < WHISPERS else ""
        number += 1
        if len(author.unanswered) < 50:
            author.ask(Asked(f"{author.account.handle}-{number:06}", to))


async def _kill(served: Served, plan: Plan) -> None:
    """Kill the server from time to time."""
    chance = random.Random(f"{plan.seed} kills")  # noqa: S311  no secret
    started = trio.current_time()
    for number in range(plan.kills):
        due = started + plan.seconds * (number + chance.random()) / plan.kills
        await trio.sleep_until(due)
        await served.kill()
        await trio.sleep(chance.uniform(0, 0.3))
        await served.start()


async def _cut(cutter: Cutter, plan: Plan) -> None:
    """Cut links until there were as many cuts as are wanted."""
    chance = random.Random(f"{plan.seed} cuts")  # noqa: S311  no secret
    while cutter.made.total() < plan.cuts:
        await trio.sleep(chance.uniform(0, 2 * plan.seconds / plan.cuts))
        cutter.cut()


async def _settle(members: Sequence[Member]) -> None:
    """Wait until all have heard the last words of all others."""
    for member in members:
        member.ask(Asked(f"{member.account.handle}-end"))
    with trio.move_on_after(PATIENCE):
        while any(_ends(member.account) < len(members) for member in members):  # noqa: ASYNC110
            await trio.sleep(0.05)
        await trio.sleep(0.5)  # for what should not come


def _ends(account: Account) -> int:
    return sum(heard.text.endswith("-end") for heard in account.heard[-1000:])


# ---- what is left


def _kept(file: Path) -> list[Kept]:
    """The messages in the file, in their order."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT id, handle, text FROM said ORDER BY rowid")
        return [Kept(*row) for row in rows]


def _left_behind(file: Path, accounts: Sequence[Account]) -> list[Finding]:
    """Whispers of which something is still in the file, after a polite stop."""
    left = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    return [
        Finding("left in the file", "file", asked.text)
        for account in accounts
        for asked in account.asked
        if asked.to and asked.text.encode() in left
    ]


def _words(
    plan: Plan,
    served: Served,
    cutter: Cutter,
    accounts: Sequence[Account],
    found: Sequence[Finding],
) -> str:
    asked = [asked for account in accounts for asked in account.asked]
    whispers = sum(bool(one.to) for one in asked)
    cuts = ", ".join(f"{number} {kind}" for kind, number in sorted(cutter.made.items()))
    return (
        f"seed {plan.seed}: {len(accounts)} members, {len(asked) - whispers} messages and"
        f" {whispers} whispers; {served.kills} kills, {cutter.made.total()} cuts ({cuts});"
        f" {len(found)} findings{_kinds(found)}"
    )


def _kinds(found: Sequence[Finding]) -> str:
    kinds = Counter(finding.what.partition(" ")[0] for finding in found)
    return "".join(f", {number} {kind}" for kind, number in kinds.most_common(TOLD))


def told(report: Report) -> str:
    """What is to be known of this."""
    lines = [report.words]
    kinds = {finding.what: finding for finding in reversed(report.findings)}
    for finding in [*kinds.values()][-TOLD:]:
        lines += story(finding, report.accounts)
    return "\n".join(lines)


def main() -> int:
    """Play it once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--memory", action="store_true", help="nothing is kept, or killed")
    given = parser.parse_args()
    kills = 0 if given.memory else given.kills
    plan = Plan(given.seed, kills, given.cuts, given.seconds, given.members, not given.memory)
    print(f"seed {plan.seed}", flush=True)  # noqa: T201  it is a script
    report = trio.run(play, plan)
    print(told(report))  # noqa: T201
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
