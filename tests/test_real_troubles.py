"""The troubles of Redis, and of servers that stop: what members of a room on several notice."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from accounts import Account, Asked, findings, story
from passers import Lines
from programs import Program
from real import Peer, spawn
from redis_server import RedisServer, needs_redis, running_redis
from served import PATIENCE, Served
from test_real_shared import by
from triochat.outage import BACK, LOST
from troubles import Member, settle, talk
from wanderer import GONE, Wanderer

pytestmark = [needs_redis, pytest.mark.real_time]

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

LESS = "has lost what was written last; the room goes on from what its servers know"


async def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until it is; nobody tells when."""
    with trio.move_on_after(PATIENCE):
        while not is_so():  # noqa: ASYNC110
            await trio.sleep(0.02)
        return
    raise AssertionError(what)


class Terminal:
    """``triochat`` with these arguments, at a terminal of its own.

    Attributes:
        output: what it has shown, without what moves the cursor.
    """

    def __init__(self, *arguments: str) -> None:
        self.output = ""
        self._child = spawn(*arguments)

    async def read(self) -> None:
        """Read what it shows, until it ends."""
        with suppress(*GONE):
            async with trio.lowlevel.FdStream(os.dup(self._child.fileno())) as stream:
                while data := await stream.receive_some(1 << 16):
                    self.output += ESCAPE.sub("", data.decode(errors="replace"))

    def type(self, line: str) -> None:
        """Type a line."""
        self._child.send(f"{line}\r")

    def count(self, text: str) -> int:
        """How often it has shown this, on one line or more."""
        return " ".join(self.output.split()).count(text)

    async def shows(self, text: str) -> None:
        """Wait until it has shown this."""
        await until(lambda: self.count(text), f"{text!r} not in {self.output!r}")

    def close(self) -> None:
        """End it, whatever it does."""
        self._child.close(force=True)


class Caller:
    """Who is there as with ``nc``: over one connection, without a receipt or a way back.

    Attributes:
        asked: what it has said.
        lines: what it was told since it came in.
        is_there: its connection has not ended.
    """

    def __init__(self, handle: str) -> None:
        self.handle = handle
        self.asked: list[str] = []
        self.lines: list[str] = []
        self.is_there = False
        self._stream: trio.SocketStream | None = None

    async def run(
        self, port: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be there until it ends; started when it is in."""
        async with await trio.open_tcp_stream("127.0.0.1", port) as self._stream:
            await self._stream.send_all(f"{self.handle}\n".encode())
            with suppress(*GONE):
                async for line in Lines(self._stream):
                    if self.is_there:
                        self.lines.append(line)
                    elif f"You are {self.handle}." in line:
                        self.is_there = True
                        task_status.started()
        self.is_there = False

    async def say(self, text: str) -> None:
        """Say this."""
        assert self._stream
        self.asked.append(text)
        await self._stream.send_all(f"{text}\n".encode())

    def texts(self) -> list[str]:
        """What the others have said, as it was told."""
        return [line.partition("> ")[2] for line in self.lines if re.match(r"\w+> ", line)]

    def count(self, text: str) -> int:
        """How many lines have this in them."""
        return sum(text in line for line in self.lines)

    def outages(self) -> list[str]:
        """What it was told of the way to the other servers."""
        return [line[2:] for line in self.lines if LOST in line or BACK in line]


class Meeting:
    """A room on two servers: its members, and a console that made one of them an operator."""

    def __init__(self, redis: RedisServer, one: Served, console: Terminal, port: int) -> None:
        self.redis = redis
        self.one, self.console = one, console
        self.ports = one.port, port
        self.members = [Wanderer(f"m{n}", [self.ports[n % 2]], seed=n) for n in range(4)]
        self.callers = Caller("nc0"), Caller("nc1")
        self._talking = trio.CancelScope()
        self._said = 0

    @property
    def accounts(self) -> list[Account]:
        """What the members have to tell by now."""
        return [member.account for member in self.members]

    async def gather(self, nursery: trio.Nursery) -> None:
        """Have all come in."""
        for caller, port in zip(self.callers, self.ports, strict=True):
            await nursery.start(caller.run, port)
        for member in self.members:
            nursery.start_soon(member.run)
        for member in self.members:
            await member.has_joined.wait()
        self.console.type("\\op nc0")
        for caller in self.callers:
            await until(partial(caller.count, "was made an operator"), "no operator")

    async def talk(self) -> None:
        """Have the members talk, until they are to be quiet."""
        with self._talking:
            await talk(self.members, seed=1)

    async def say(self, what: str) -> None:
        """Have all say this, each with what it has not said before."""
        self._said += 1
        for member in self.members:
            member.ask(Asked(f"{what} {member.account.handle} {self._said}"))
        for caller in self.callers:
            await caller.say(f"{what} {caller.handle} {self._said}")

    async def be_quiet(self) -> None:
        """Have nobody say anything any more, and wait until all have heard all."""
        self._talking.cancel()
        await self.hear()

    async def hear(self, more: int = 0) -> None:
        """Wait until all have heard what was said, and that much more."""
        said = {asked.text for one in self.accounts for asked in one.asked if not asked.to}
        said |= {text for caller in self.callers for text in caller.asked}
        least = len(said) + more
        await until(lambda: all(said <= heard_by(one) for one in self.accounts), "not all heard")
        await until(lambda: all(len(heard_by(one)) >= least for one in self.accounts), "no more")

    def outages(self) -> list[list[str]]:
        """What each of the members was told of the way to the other servers."""
        told = [
            [heard.text for heard in one.heard if heard.kind == "moderated" and not heard.id]
            for one in self.accounts
        ]
        return [*told, *(caller.outages() for caller in self.callers)]

    def all_stayed(self) -> bool:
        """No member has come back."""
        comings = [what for one in self.accounts for _, what in one.happened if "at " in what]
        return len(comings) == len(self.members)


def judge(
    members: Sequence[Member], callers: Sequence[Caller], others: Sequence[Account] = ()
) -> None:
    """All heard all once, in one order; no caller was put out, or heard of anybody who was."""
    accounts = [member.account.as_of_now() for member in members]
    guests = [Account(one.handle, [Asked(text) for text in one.asked]) for one in callers]
    found = findings(accounts, guests=[*guests, *others])
    found = [one for one in found if not one.what.startswith("moderated")]  # who is an operator
    assert not found, "\n".join(line for one in found for line in story(one, accounts))
    order = [one for one in accounts[0].heard if one.kind == "said"]
    for caller in callers:
        assert caller.is_there
        assert caller.texts() == [one.text for one in order if one.handle != caller.handle]
        assert caller.asked == [one.text for one in order if one.handle == caller.handle]


def heard_by(account: Account) -> set[str]:
    """All that was said, as it has heard."""
    return {heard.text for heard in account.heard if heard.kind == "said"}


@asynccontextmanager
async def open_meeting(folder: Path) -> AsyncIterator[Meeting]:
    """A room where all talk; in the end all must have heard all."""
    with running_redis() as redis, ExitStack() as stack:
        one = stack.enter_context(closing(Served(folder / "one", *by(redis), "--no-tls")))
        console = Terminal("server", "0", "--plain", "--no-tls", *by(redis))
        stack.enter_context(closing(console))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(console.read)
            await one.start()
            await console.shows("Ctrl-C stops")
            [port] = re.findall(r"Listening on \S+ port (\d+)", console.output)
            meeting = Meeting(redis, one, console, int(port))
            await meeting.gather(nursery)
            nursery.start_soon(meeting.talk)
            await meeting.hear(5)
            yield meeting
            await meeting.be_quiet()
            await settle(meeting.members)
            judge(meeting.members, meeting.callers, [Account("late")])
            assert "Traceback" not in one.log() + console.output
            for caller in meeting.callers:
                assert caller.count(" left") == caller.count("* late left")
            nursery.cancel_scope.cancel()


# ---- Redis is there, and does not do what it is asked


async def test_what_nobody_is_told_of(tmp_path: Path) -> None:
    """Connections that Redis ends are made again, and where it is slow all is told later."""
    async with open_meeting(tmp_path) as meeting:
        for _ in range(4):
            await meeting.say("cut")
            meeting.redis.cli("CLIENT", "KILL", "TYPE", "normal")
            await meeting.hear(5)
        assert not any(meeting.outages())
        for _ in range(8):
            await meeting.say("slow")
            await trio.to_thread.run_sync(meeting.redis.cli, "DEBUG", "SLEEP", "0.3")
    assert all(len(told) in (0, 2) for told in meeting.outages()), "a busy machine is slow itself"
    assert meeting.all_stayed()


async def test_outages(tmp_path: Path) -> None:
    """All are told once, operators why, and once when it is over, behind what was said meanwhile.

    Redis pauses nearly for as long as a lease holds, and nobody is given up for it.
    """
    async with open_meeting(tmp_path) as meeting:
        redis = meeting.redis
        redis.cli("CLIENT", "PAUSE", "4000", "ALL")
        await wait_out(meeting, "no answer")
        redis.cli("CONFIG", "SET", "maxmemory", "1")
        lift = partial(redis.cli, "CONFIG", "SET", "maxmemory", "0")
        why = f"Redis at 127.0.0.1 port {redis.port} refuses for lack of memory"
        await wait_out(meeting, why, lift)
    assert meeting.all_stayed()


async def wait_out(meeting: Meeting, why: str, lift: Callable[[], object] = bool) -> None:
    """Have all say something, wait until they were told of an outage, and of its end."""
    before = len(meeting.outages()[0])
    await meeting.say(why)
    await until(lambda: all(len(told) > before for told in meeting.outages()), "not told")
    lift()
    await until(lambda: all(len(told) > before + 1 for told in meeting.outages()), "not over")
    await meeting.hear()
    reason = f"{LOST} ({why})"
    told = [told[before:] for told in meeting.outages()]
    assert told == [[LOST, BACK]] * 4 + [[reason, BACK], [LOST, BACK]]
    assert meeting.console.count(reason) == 1
    for number, account in enumerate(meeting.accounts):
        texts = [heard.text for heard in account.heard]
        lost, back = [at for at, text in enumerate(texts) if text in (LOST, BACK)][-2:]
        waited = [at for at, text in enumerate(texts) if text.startswith(why)]
        assert len(waited) == len(meeting.members) + len(meeting.callers)
        assert min(waited) > lost
        here = [at for at in waited if int(texts[at].split()[-2][-1]) % 2 == number % 2]
        assert max(here) < back  # at the other server the outage may take a moment longer


# ---- Redis has lost something


async def test_a_redis_that_comes_back_with_less(tmp_path: Path) -> None:
    """The room goes on from what the servers know, operators hear it, and one more may start."""
    async with open_meeting(tmp_path) as meeting:
        for number, kept in enumerate(("most", "nothing"), 1):
            await meeting.be_quiet()
            redis = meeting.redis
            alarm = f"Redis at 127.0.0.1 port {redis.port} {LESS}"
            await trio.to_thread.run_sync(redis.kill)
            await meeting.say(f"less: {kept}")
            [file] = redis.folder.glob("*/*.incr.aof")
            if kept == "nothing":
                shutil.rmtree(file.parent)
            else:
                os.truncate(file, file.stat().st_size * 2 // 3)
            await trio.to_thread.run_sync(redis.start)
            await meeting.hear()
            operator, other = meeting.callers
            await until_told(operator, alarm, number)
            await until_told(meeting.console, alarm, number)
            assert not other.count(alarm)
        three = Served(tmp_path / "three", *by(redis), "--no-tls")
        with closing(three):
            await three.start()
            pasts = [past(port) for port in (*meeting.ports, three.port)]
        assert pasts[0] == pasts[1] == pasts[2]
        roster, said = pasts[0]
        assert sorted(roster) == ["Server", "m0", "m1", "m2", "m3", "nc0", "nc1"]
        assert {event["text"] for event in said} == heard_by(meeting.accounts[0])
        assert meeting.all_stayed()


async def until_told(who: Caller | Terminal, text: str, count: int) -> None:
    """Wait until somebody has read this so often."""
    await until(lambda: who.count(text) >= count, f"not told: {text}")
    assert who.count(text) == count


def past(port: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Who is here, but for who asks, and what was said, as this server tells it."""
    peer = Peer(port)
    peer.ask({"type": "join", "handle": "late", "history": 1000})
    peer.ask({"type": "ping"})
    welcome = peer.event()
    said = []
    while (event := peer.event())["type"] != "pong":
        said.append(event)
    peer.ask({"type": "quit"})
    while peer.line():
        pass
    peer.close()
    return [handle for handle in welcome["roster"] if handle != "late"], said


# ---- a server stops


async def test_who_was_on_a_server_that_is_stopped(tmp_path: Path) -> None:
    """Whoever knows another one goes on there within 5 seconds, and the others hear nothing."""
    with running_redis() as redis, ExitStack() as stack:
        servers = [Served(tmp_path / name, *by(redis), "--no-tls") for name in "abc"]
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as starting:
                for server in servers:
                    stack.enter_context(closing(server))
                    starting.start_soon(server.start)
            crowd = Crowd([server.port for server in servers])
            await crowd.gather(nursery, stack)
            async with trio.open_nursery() as talking:
                talking.start_soon(talk, crowd.members, 7)
                await until(lambda: len(heard_by(crowd.members[0].account)) > 10, "no talk")
                start = trio.current_time()
                await servers[0].stop()
                ended = trio.current_time() - start
                took = await crowd.say_back(start)
                talking.cancel_scope.cancel()
            print(f"ended after {ended:.2f} s, back after", took)  # noqa: T201
            assert max(took.values()) < 5
            await settle(crowd.members)
            crowd.judge()
            nursery.cancel_scope.cancel()


class Crowd:
    """Who is on the first of these servers, with a client or a token, and who on the others."""

    def __init__(self, ports: Sequence[int]) -> None:
        first, *others = ports
        also = [f"--also=127.0.0.1:{port}" for port in others]
        command = "client", f"127.0.0.1:{first}", *also, "--handle"
        self.terminals = {name: Terminal(*command, name) for name in ("t0", "t1")}
        self.callers = {Caller(f"c{port}"): port for port in others}
        self._ways = [first]
        self._others = others
        self.moving: list[Member] = [
            Program("p0", ports),
            Program("p1", ports),
            Wanderer("w0", self._ways, 7),
        ]
        staying = (Wanderer(f"w{port}", [port], 7) for port in others)
        self.members: list[Member] = [*self.moving, *staying]

    async def gather(self, nursery: trio.Nursery, stack: ExitStack) -> None:
        """Have all come in."""
        for terminal in self.terminals.values():
            stack.enter_context(closing(terminal))
            nursery.start_soon(terminal.read)
            await terminal.shows("You are t")
        for caller, port in self.callers.items():
            await nursery.start(caller.run, port)
        for member in self.members:
            nursery.start_soon(member.run)
            await member.has_joined.wait()
        self._ways[:] = self._others  # it does not try the one that it has lost

    async def say_back(self, start: float) -> dict[str, float]:
        """Have all who were on the first server say something, and the seconds until they had."""
        waiting = {one.account.handle: one.account for one in self.moving}
        for one in self.moving:
            one.ask(Asked(f"back-{one.account.handle}"))
        for handle, terminal in self.terminals.items():
            terminal.type(f"back-{handle}")
            waiting[handle] = self.members[-1].account
        took: dict[str, float] = {}
        while len(took) < len(waiting):
            for handle, account in waiting.items():
                if f"back-{handle}" in heard_by(account):
                    took.setdefault(handle, round(trio.current_time() - start, 2))
            await trio.sleep(0.02)
        return took

    def judge(self) -> None:
        """All was told once, to terminals as well; nobody came or went but at the beginning."""
        typed = [Account(handle, [Asked(f"back-{handle}")]) for handle in self.terminals]
        judge(self.members, [*self.callers], typed)
        texts = [one.text for one in self.members[0].account.heard if one.kind == "said"]
        spoken = re.compile(r"(?:p|w|c)\d+> (\S+)")
        order = [text for text in texts if not text.startswith("back-t")]
        for terminal in self.terminals.values():
            assert spoken.findall(terminal.output) == order
        handles = [*(one.handle for one in self.callers), *(m.account.handle for m in self.members)]
        for number, caller in enumerate(self.callers):
            told = [line for line in caller.lines if line.startswith("* ")]
            assert told == [f"* {handle} joined" for handle in handles[number + 1 :]]
