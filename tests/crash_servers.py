"""Kill servers that share a room, restart their Redis, and cut the links between, while all talk.

    python tests/crash_servers.py --seed 7 --kills 10 --stops 2 --restarts 3 --cuts 30 --seconds 60

Each of three servers reaches Redis by a proxy of its own, which cuts (`cutter`). Members are spread
over the servers and come back at any of them: some with our own client, most know only the protocol
(`wanderer`). Others come as with ``nc`` and go when their server does, or ask for one handle at the
same moment on all servers (`passers`). In the end all that was confirmed must be with everybody
once and in one order, and in the file of each server, each whisper with its one reader, and each
handle must have been one's own at any time. With ``--memory`` no server has a file. Exit 1, and
what is to be known, if anything was wrong.
"""

import argparse
import os
import random
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from accounts import Account, Finding, Kept, findings
from cutter import Cutter
from passers import Passer, Rival
from redis_server import RedisServer, running_redis
from served import PATIENCE, Served
from troubles import (
    GRACE,
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
from wanderer import Wanderer

SERVERS = 3

OURS = 10
"""Of so many members one is with our client."""

PASSERS = 3

PAUSE = 0.02
"""Seconds between two things that are said, on average."""

CONTEST = 2.0
"""Seconds between two handles for which several ask, on average."""

DOWN = (0.3, 2.0, 8.0)
"""The most seconds for which a server is not there; each as often as the others."""

AWAY = 3.0
"""The most seconds for which Redis is not there."""

_TEXT = re.compile(r"m\d+-\d{6}")


class Plan(NamedTuple):
    """What is to happen."""

    seed: int
    kills: int = 10
    stops: int = 2
    restarts: int = 3
    cuts: int = 30
    seconds: float = 60.0
    members: int = 60
    is_kept: bool = True


async def play(plan: Plan) -> Report:
    """Let all this happen, and find what is wrong in the end."""
    with running_redis() as redis, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            cutters, servers = [], []
            for number in range(SERVERS):
                cutter = Cutter(redis.port, plan.seed + number)
                serve = partial(trio.serve_tcp, cutter.carry, 0, host="127.0.0.1")
                [listener] = await nursery.start(serve)
                url = f"redis://127.0.0.1:{listener.socket.getsockname()[1]}"
                options = ["--redis", url, "--name", "room", "--grace", GRACE]
                if plan.is_kept:
                    options += ["--history", str(_file(folder, number))]
                server = Served(Path(folder) / f"log{number}", *options, may_fail=True)
                stack.enter_context(closing(server))
                cutters.append(cutter)
                servers.append(server)
            await _all_at_once([server.start for server in servers])
            ordeal = Ordeal(plan, redis, servers, cutters)
            await ordeal.run()
            await _all_at_once([server.stop for server in servers])
            nursery.cancel_scope.cancel()
        files = range(SERVERS if plan.is_kept else 0)
        return ordeal.report({f"file {one}": kept_in(_file(folder, one)) for one in files})


def _file(folder: str, number: int) -> Path:
    return Path(folder) / f"room{number}.db"


class Ordeal:
    """What happens to those who are in a room of several servers."""

    def __init__(
        self,
        plan: Plan,
        redis: RedisServer,
        servers: Sequence[Served],
        cutters: Sequence[Cutter],
    ) -> None:
        self._plan = plan
        self._redis = redis
        self._servers = servers
        self._cutters = cutters
        self._ports = ports = [server.port for server in servers]
        self._members = [
            member(number, ports, plan.seed, is_ours=number % OURS == 0)
            for number in range(plan.members)
        ]
        self._passers = [Passer(f"p{number}", ports, plan.seed) for number in range(PASSERS)]
        self._rivals: list[Rival] = []
        self._restarts = 0
        self._found: list[Finding] = []
        self._accounts: list[Account] = []

    async def run(self) -> None:
        """Let it happen, until all have heard all."""
        members = self._members
        with trio.move_on_after(self._plan.seconds + 3 * PATIENCE):
            async with trio.open_nursery() as lives:
                for one in members:
                    lives.start_soon(one.run)
                for one in members:
                    await one.has_joined.wait()
                await self._trouble()
                await settle(members)
                self._accounts = [one.account.as_of_now() for one in members]
                for one in members:
                    one.leave()

    async def _trouble(self) -> None:
        """Kill, restart and cut while they talk, come and go."""
        plan = self._plan
        async with trio.open_nursery() as talking:
            talking.start_soon(talk, self._members, plan.seed, PAUSE * plan.members)
            talking.start_soon(self._contest)
            for passer in self._passers:
                talking.start_soon(passer.run, 1.0)
            async with trio.open_nursery() as troubles:
                troubles.start_soon(self._kill)
                troubles.start_soon(self._restart)
                troubles.start_soon(cut, self._cutters, plan.cuts, plan.seconds, plan.seed)
                troubles.start_soon(trio.sleep, plan.seconds)
            talking.cancel_scope.cancel()
        for cutter in self._cutters:
            cutter.rest()

    async def _kill(self) -> None:
        """Kill servers from time to time, or stop them, also several at once."""
        async with trio.open_nursery() as nursery:
            for end, count in ((Served.kill, self._plan.kills), (Served.stop, self._plan.stops)):
                chance = self._chance(end.__name__)
                for due in self._times(count, chance):
                    victim, pause = chance.choice(self._servers), chance.choice(DOWN)
                    nursery.start_soon(_end, end, victim, due, chance.uniform(0, pause))

    async def _restart(self) -> None:
        """Restart Redis from time to time, in each of the ways."""
        chance, redis = self._chance("restarts"), self._redis
        ways = (redis.shut_down, redis.stop, redis.kill)
        for number, due in enumerate(self._times(self._plan.restarts, chance)):
            await trio.sleep_until(due)
            await trio.to_thread.run_sync(ways[number % len(ways)])
            await trio.sleep(chance.uniform(0, AWAY))
            await trio.to_thread.run_sync(redis.start)
            self._restarts += 1

    async def _contest(self) -> None:
        """Have somebody at each server ask for one handle, at the same moment."""
        chance = self._chance("contests")
        while True:
            await trio.sleep(chance.uniform(0, 2 * CONTEST))
            name = f"r{len(self._rivals)}"
            rivals = [
                Rival(
                    chance.choice((name, name.upper())), self._ports[first:] + self._ports, chance
                )
                for first in range(SERVERS)
            ]
            self._rivals += rivals
            try:
                await _all_at_once([rival.ask for rival in rivals])
                if (count := sum(rival.has_won for rival in rivals)) != 1:
                    self._found.append(Finding(f"{count} got the handle", name))
                await _all_at_once([rival.leave for rival in rivals])
            finally:
                for rival in rivals:
                    rival.close()

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self._plan.seed} {what}")  # noqa: S311  no secret

    def _times(self, count: int, chance: random.Random) -> list[float]:
        """So many moments, spread over the time that there is."""
        now, each = trio.current_time(), self._plan.seconds / max(1, count)
        return [now + each * (number + chance.random()) for number in range(count)]

    def report(self, kept: Mapping[str, Sequence[Kept]]) -> Report:
        """What has happened; this stands in the servers' files."""
        accounts = self._accounts or [one.account for one in self._members]
        guests = [stay for passer in self._passers for stay in passer.stays]
        guests += [rival.account for rival in self._rivals]
        found = [*self._found, *findings(accounts, kept, guests)]
        found += self._leaks(accounts)
        kills = sum(server.kills for server in self._servers)
        words = (
            f"seed {self._plan.seed}: {words_of(accounts)}; {kills} kills,"
            f" {self._plan.stops} polite stops,"
            f" {self._restarts} restarts of Redis, {words_of_cuts(self._cutters)};"
            f" {len(guests)} came and went; {words_of_findings(found)}"
        )
        return Report(found, [*accounts, *guests], words)

    def _leaks(self, accounts: Sequence[Account]) -> Iterator[Finding]:
        """Tokens that Redis has kept, whispers in a log, and what went wrong there."""
        kept = b"".join(file.read_bytes() for file in self._redis.folder.glob("*/*"))
        if b"m0-end" not in kept:
            yield Finding("not in Redis", "m0", "m0-end")
        for one in self._members:
            if isinstance(one, Wanderer) and one.token.encode() in kept:
                yield Finding("a token in Redis", one.account.handle)
        whispers = {asked.text for one in accounts for asked in one.asked if asked.to}
        for number, server in enumerate(self._servers):
            log, who = server.log(), f"server {number}"
            yield from (Finding("in a log", who, each) for each in whispers & {*_TEXT.findall(log)})
            if "Traceback" in log:
                yield Finding("an error in a log", who, log[log.index("Traceback") :][:5000])


async def _all_at_once(what: Sequence[Callable[[], Awaitable[None]]]) -> None:
    async with trio.open_nursery() as nursery:
        for each in what:
            nursery.start_soon(each)


async def _end(
    end: Callable[[Served], Awaitable[None]], server: Served, due: float, pause: float
) -> None:
    """End it so when it is time and it is there, and start it after so many seconds."""
    await trio.sleep_until(due)
    while not server.is_running:  # noqa: ASYNC110  nobody tells
        await trio.sleep(0.1)
    await end(server)
    await trio.sleep(pause)
    await server.start()


def main() -> int:
    """Play it once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--stops", type=int, default=2)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--members", type=int, default=60)
    parser.add_argument("--memory", action="store_true", help="no server keeps a file")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)  # noqa: T201  it is a script
    troubles = given.kills, given.stops, given.restarts, given.cuts
    plan = Plan(given.seed, *troubles, given.seconds, given.members, not given.memory)
    report = trio.run(play, plan)
    print(told(report))  # noqa: T201
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
