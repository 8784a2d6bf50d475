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
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from accounts import Account, Finding, findings
from cutter import Cutter
from served import PATIENCE, Served
from troubles import (
    GRACE,
    Member,
    Report,
    cut,
    kept_in,
    member,
    settle,
    talk,
    told,
    words_of,
    words_of_cuts,
    words_of_findings,
)


class Plan(NamedTuple):
    """What is to happen."""

    seed: int
    kills: int = 20
    cuts: int = 200
    seconds: float = 60.0
    members: int = 10
    is_kept: bool = True


async def play(plan: Plan) -> Report:
    """Let all this happen, and find what is wrong in the end."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "room.db"
        kept = ("--history", str(file)) if plan.is_kept else ()
        served = Served(Path(folder) / "log", "--grace", GRACE, *kept)
        try:
            return await _play(plan, served, file)
        finally:
            served.close()


async def _play(plan: Plan, served: Served, file: Path) -> Report:
    cutter = Cutter(served.port, plan.seed)
    accounts: list[Account] = []
    await served.start()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, cutter.carry, 0, host="127.0.0.1"))
        ports = [listeners[0].socket.getsockname()[1]]
        numbers = range(plan.members)
        members = [member(one, ports, plan.seed, is_ours=one % 2 == 1) for one in numbers]
        with trio.move_on_after(plan.seconds + 2 * PATIENCE):
            async with trio.open_nursery() as lives:
                for one in members:
                    lives.start_soon(one.run)
                await _trouble(members, served, cutter, plan)
                await settle(members)
                accounts = [one.account.as_of_now() for one in members]
                for one in members:
                    one.leave()
        nursery.cancel_scope.cancel()
    await served.stop()
    accounts = accounts or [one.account for one in members]
    found = findings(accounts, {"file": kept_in(file)} if plan.is_kept else None)
    found += _left_behind(file, accounts) if plan.is_kept else []
    words = (
        f"seed {plan.seed}: {words_of(accounts)}; {served.kills} kills,"
        f" {words_of_cuts([cutter])}; {words_of_findings(found)}"
    )
    return Report(found, accounts, words)


async def _trouble(members: Sequence[Member], served: Served, cutter: Cutter, plan: Plan) -> None:
    """Kill and cut while they talk, from when all are in."""
    for one in members:
        await one.has_joined.wait()
    async with trio.open_nursery() as talking:
        talking.start_soon(talk, members, plan.seed)
        async with trio.open_nursery() as troubles:
            troubles.start_soon(_kill, served, plan)
            troubles.start_soon(cut, [cutter], plan.cuts, plan.seconds, plan.seed)
            troubles.start_soon(trio.sleep, plan.seconds)
        talking.cancel_scope.cancel()
    cutter.rest()


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


# ---- what is left


def _left_behind(file: Path, accounts: Sequence[Account]) -> list[Finding]:
    """Whispers of which something is still in the file, after a polite stop."""
    left = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    return [
        Finding("left in the file", "file", asked.text)
        for account in accounts
        for asked in account.asked
        if asked.to and asked.text.encode() in left
    ]


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
