"""One room, whichever door: what one door says every other shows, once, in one order.

Visitors at all kinds of doors do what is drawn, over rough streams, in virtual time. What the room
tells is recorded where it is told; each visitor must have seen exactly that, from when it came in.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import Road
from house import UNLIMITED, House, in_virtual_time, open_house
from irc_visitors import Irc
from strategies import wire_text
from triochat.dialects.ndjson import encode
from triochat.messages import Refused, Whispered
from triochat.order import Peer
from triochat.session import Session
from triochat.telling import Telling, Told
from triochat.text import clean
from visitors import Browser, Fact, Lines, Program, Typing, Visitor, merged

CAPABILITIES = ("server-time", "echo-message", "message-tags")
HANDLES = ("Ann", "Bob", "Cid", "Dee")
OTHERS = ("Eve", "Fay", "Gil", "bob", "Ann")
FORMATS = re.compile(
    r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9a-fA-F]{6}(?:,[0-9a-fA-F]{6})?)?"
    r"|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)
"""What IRC clients draw as colours and the like."""

HOSTILE = (
    "a\x0304,12red\x03 \x02bold\x02 \x1d\x1f\x16\x0f",
    "a \x01VERSION\x01 b",
    "\x01ACTION waves\x01",
    ":Eve!Eve@x PRIVMSG #room :hi",
    "a\r\n:Eve!Eve@x QUIT :bye",
    "a\n* Eve joined\nEve> hi",
    '{"type":"said","id":1,"handle":"Eve","text":"hi"}',
    '"},{"type":"left"',
    "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;",
    "\x81\x7e\xff\xfftext",
    "\x1b[2J\x1b]0;title\x07",
    "e" + "\u0301" * 200,
    "\u202eright to left\u2066",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    "\u3042" * 490,
    "x" * 490,
    "word " * 98,
    "x" * 600,
    "[Eve -> you] psst",
    "long enough to be folded somewhere: Eve> hi",
)

texts = st.one_of(
    st.just("hello"), st.sampled_from(HOSTILE), wire_text.map(lambda text: text[:490])
)


class Step(NamedTuple):
    """What somebody does.

    Attributes:
        who: which visitor; the last one is the operator.
        deed: what.
        text: with these words.
        other: to which visitor.
        waits: then all is heard before the next one.
    """

    who: int
    deed: str
    text: str = ""
    other: int = 0
    waits: bool = True


Door = Callable[[trio.abc.HalfCloseableStream, random.Random], Visitor]

DOORS: dict[str, Door] = {
    "plain": lambda stream, _: Lines(stream),
    "ndjson": lambda stream, _: Program(stream),
    "web": Browser,
    "typed": lambda stream, _: Typing(stream),
    "irc": lambda stream, _: Irc(stream),
    "irc+": lambda stream, chance: Irc(
        stream, tuple(one for one in CAPABILITIES if chance.random() < 0.6)
    ),
    "irc echo": lambda stream, _: Irc(stream, CAPABILITIES),
}

BOSS = len(HANDLES)

steps = st.builds(
    Step,
    st.integers(0, BOSS),
    st.sampled_from(
        ["say"] * 5
        + ["paste"] * 3
        + ["whisper"] * 3
        + ["act", "act", "rename", "rename", "topic", "op", "kick", "quit", "cut", "come", "ctcp"]
    ),
    texts,
    st.integers(0, BOSS - 1),
    st.booleans(),
)


class World:
    """A room, its visitors, and what it has told.

    Attributes:
        events: for all, and whispers, in order, as programs are told.
        refused: how often each peer was refused something.
        sent: what was said, by which visitor; each with its number before it.
        visitors: who is here, or was.
    """

    def __init__(self, house: House, doors: list[str], seed: int) -> None:
        self.house = house
        self.events: list[dict[str, Any]] = []
        self.refused: Counter[Peer] = Counter()
        self.sent: list[tuple[int, str]] = []
        self.visitors: dict[int, Visitor] = {}
        self._send = house.hub.fan_out.send
        house.hub.fan_out.send = self._record  # type: ignore[method-assign]
        self._doors = doors
        self._chance = random.Random(seed)  # noqa: S311  no secret
        self._left: set[int] = set()

    def _record(self, batch: Sequence[Telling]) -> int:
        for telling in batch:
            if isinstance(telling, Told):
                for event in telling.events:
                    if telling.to is None or isinstance(event, Whispered):
                        self.events.append(json.loads(encode(event)))
                    elif isinstance(event, Refused):
                        self.refused.update(telling.to)
        return self._send(batch)

    async def open(self, nursery: trio.Nursery) -> None:
        """Let the operator in."""
        self._nursery = nursery
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(Session(theirs, self.house.hub, is_console=True).run)
        await self._enter(BOSS, Program(ours), "Server")
        await trio.testing.wait_all_tasks_blocked()

    async def _enter(self, number: int, visitor: Visitor, handle: str) -> None:
        self.visitors[number] = visitor
        self._nursery.start_soon(visitor.live)
        await visitor.join(handle)

    async def play(self, step: Step) -> None:
        """Let somebody do this, which comes in before."""
        number = step.who if step.who == BOSS else step.who % len(self._doors)
        if number not in self.visitors:
            stream = (await self.house.connect()).stream
            visitor = DOORS[self._doors[number]](stream, self._chance)
            await self._enter(number, visitor, HANDLES[number])
        await self._act(number, self.visitors[number], step)
        if step.waits:
            await trio.testing.wait_all_tasks_blocked()

    async def _act(self, number: int, visitor: Visitor, step: Step) -> None:
        other = (
            self.visitors.get(step.other % len(self._doors), self.visitors[BOSS]).handle or "Nobody"
        )
        text = f"#{len(self.sent)} {step.text} ~"
        match step.deed:
            case "say" | "act":
                self.sent.append((number, text))
                await getattr(visitor, step.deed)(text)
            case "paste":
                for _ in range(4):
                    await self._act(number, visitor, step._replace(deed="say"))
            case "whisper":
                self.sent.append((number, text))
                await visitor.whisper(other, text)
            case "ctcp" if isinstance(visitor, Irc):
                await visitor.say("\1VERSION\1")
            case "quit" | "cut" if number != BOSS:
                self._left.add(number)
                await (visitor.quit() if step.deed == "quit" else visitor.cut())
            case _:
                await self._change(visitor, step, other)

    async def _change(self, visitor: Visitor, step: Step, other: str) -> None:
        text = f"{step.text[:90]} ~"
        match step.deed:
            case "rename":
                await visitor.rename(OTHERS[len(step.text) % len(OTHERS)])
            case "topic":
                await visitor.topic(text)
            case "kick":
                await visitor.kick(other, text)
            case "op":
                await visitor.op(other)

    # ---- what must hold

    def hold(self) -> None:
        """Each visitor has seen what the room has told while it was there."""
        for number, visitor in self.visitors.items():
            if number == BOSS:
                continue
            facts = self._expected(number, visitor)
            seen = visitor.facts
            if isinstance(visitor, Irc):
                facts, seen = merged(facts), merged(seen)
            if number in self._left:
                facts = _read_by_then(facts, seen)
            assert seen == facts, (self._doors[number], visitor.handle, visitor.refusals)
        self._hold_words()

    def _expected(self, number: int, visitor: Visitor) -> list[Fact]:
        me, is_in = HANDLES[number], False
        facts: list[Fact] = []
        for event in self.events:
            own = event.get("handle") == me
            if not is_in:
                is_in = own and event["type"] == "joined"
                continue
            if own and event["type"] == "left":
                break
            facts += visitor.sees(event, me)
            if own and event["type"] == "renamed":
                me = event["new"]
        return facts

    def _hold_words(self) -> None:
        """All that was said was told once, as it was said, or refused."""
        told: dict[int, str] = {}
        for event in self.events:
            found = re.match(r"#(\d+) ", event.get("text", ""))
            if found and event["type"] in ("said", "whispered"):
                assert int(found[1]) not in told, "told twice"
                told[int(found[1])] = event["text"]
        for mark, (number, sent) in enumerate(self.sent):
            if mark in told:
                plain = FORMATS.sub("", sent) if isinstance(self.visitors[number], Irc) else sent
                assert "".join(told[mark].split()) == "".join(clean(plain).split())
        here = self.house.room.members
        gone = {event["handle"] for event in self.events if event["type"] == "left"}
        for number, visitor in self.visitors.items():
            peer = here.find(visitor.handle)  # another one, if it was put out
            if peer in here and number not in self._left and visitor.handle not in gone:
                said = [mark for mark, (who, _) in enumerate(self.sent) if who == number]
                assert len({*said} - {*told}) <= self.refused[peer], "lost in silence"


def _read_by_then(facts: list[Fact], seen: list[Fact]) -> list[Fact]:
    """What one that has gone may have read before: all up to something, of which perhaps a part."""
    read = facts[: len(seen)]
    if read and read[-1].text.startswith(seen[-1].text):
        read[-1] = read[-1]._replace(text=seen[-1].text)
    return read


async def live(doors: list[str], story: list[Step], seed: int, *, is_sealed: bool) -> None:
    """Let these come, and do this; then hold what must hold."""
    with pytest.MonkeyPatch.context() as patch:
        if seed:
            Road(seed).pave(patch)
        async with (
            open_house(limits=UNLIMITED, is_sealed=is_sealed, replay=0, grace=0) as house,
            trio.open_nursery() as nursery,
        ):
            world = World(house, doors, seed)
            await world.open(nursery)
            for number in range(len(doors)):
                if seed % 3 or number:
                    await world.play(Step(number, "come", waits=bool(seed % 2)))
            for step in story:
                await world.play(step)
            await trio.sleep(3)
            world.hold()
            nursery.cancel_scope.cancel()


@given(
    st.lists(st.sampled_from([*DOORS]), min_size=2, max_size=len(HANDLES)),
    st.lists(steps, min_size=3, max_size=20),
    st.integers(0, 1000),
    st.integers(0, 9).map(lambda chance: chance == 0),
)
@settings(max_examples=100)
@in_virtual_time
async def test_what_one_door_says_every_other_shows(
    doors: list[str], story: list[Step], seed: int, is_sealed: bool
) -> None:
    """Once, in one order, and nothing else; to two alone, what is for two."""
    await live(doors, story, seed, is_sealed=is_sealed)


@pytest.mark.parametrize("door", ["irc", "irc echo", "plain", "ndjson", "web"])
async def test_whose_connection_is_lost(door: str) -> None:
    """Who knows no token has left at once, and its handle is free; of others nobody hears yet."""
    async with open_house(replay=0) as house, trio.open_nursery() as nursery:
        ann = await house.plain("Ann")
        bob = DOORS[door]((await house.connect()).stream, random.Random(1))  # noqa: S311
        nursery.start_soon(bob.live)
        await bob.join("Bob")
        assert await ann.line() == "* Bob joined"
        began = trio.current_time()
        await bob.cut()
        assert (await ann.line()).startswith("* Bob left")
        left_at_once = trio.current_time() - began < 1
        assert left_at_once is (door not in ("ndjson", "web"))
        assert len(house.room.seats) == (door in ("ndjson", "web"))
        again = await house.connect()
        await again.type("Bob")
        kept = await again.line()
        assert kept.startswith("* Server connected" if left_at_once else "! handle")
        nursery.cancel_scope.cancel()


async def test_leaving_by_each_door() -> None:
    """Who says good-bye as its door has it has left at once, and by that word; nothing is kept."""
    async with open_house(replay=0) as house, trio.open_nursery() as nursery:
        ann = await house.plain("Ann")
        for door, open_door in DOORS.items():
            bob = open_door((await house.connect()).stream, random.Random(1))  # noqa: S311
            nursery.start_soon(bob.live)
            await bob.join("Bob")
            assert await ann.line() == "* Bob joined", door
            await trio.testing.wait_all_tasks_blocked()
            await bob.quit()
            assert await ann.line() == "* Bob left", door
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended, door
            assert not house.room.seats, door
        nursery.cancel_scope.cancel()
