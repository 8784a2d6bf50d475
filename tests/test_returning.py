"""Members that lose their connections and come back, whatever happens: a state machine.

Its rules collect a plan, which is then played in virtual time, over rough streams (`faults`). After
each step all is compared with what the console has heard, which is always there: who is in has
heard exactly that since it came, each thing once and in order, and what was for it alone; each of
its requests has one answer; of who was back in time the others have heard nothing.

TRIOCHAT_EXAMPLES=5000 plays so many stories.
"""

import math
import os
import random
from base64 import urlsafe_b64encode
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from faults import Road, Rough, run_story
from frames import Frames
from house import EPOCH
from triochat.dialects.ndjson import decode_event, encode
from triochat.framing import Lines
from triochat.hub import Hub
from triochat.messages import (
    Ban,
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Moderated,
    Ping,
    Pong,
    Quit,
    Refused,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Unban,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.room import Room
from triochat.session import Session
from triochat.testing import MemoryListener, open_memory_room

GRACE, HOLD = 10.0, 100.0
LATE = 5.0
"""Seconds in which the room may be late to notice how long somebody has been away."""

SLOW = 30.0
"""Seconds within which somebody is let in, however often it has come."""

NAMES = ("Ann", "Bob", "Cid", "Dee")
MORE = ("Eve", "Fay", "Ann", "Bob")
BROWSERS = 0.3
"""How many of the connections are WebSockets: a token is good at either door."""

WAITS = (0.0, 0.71, 3.13, 13.37, 41.3, 107.9)

Public = Joined | Left | Renamed | Said
"""What is told to all."""

Step = Callable[["World"], Awaitable[None]]


class Line:
    """One connection, and all that is heard over it.

    Attributes:
        events: that.
        taken: how many of these who is at this end has noticed.
        ended: when it ended; None as long as it lives.
        is_welcomed: who is at this end has noticed that it was let in.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream, rough: Rough | None = None) -> None:
        self.rough = rough
        self.events: list[Event] = []
        self.taken = 0
        self.ended: float | None = None
        self.is_welcomed = False
        self._stream = stream
        self._say, self._said = trio.open_memory_channel[bytes](1000)

    async def live(self) -> None:
        """Speak and hear until it ends."""
        lines = Lines(1 << 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak)
            with suppress(trio.BrokenResourceError):
                while data := await self._stream.receive_some(1 << 16):
                    heard = [decode_event(str(line)) for line in lines.feed(data)]
                    self.events += filter(None, heard)
            self.ended = trio.current_time()
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(self._stream)

    async def _speak(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._said:
                await self._stream.send_all(data)
            await self._stream.send_eof()

    def say(self, *requests: Request | bytes) -> None:
        """Send this, at once."""
        data = b"".join(one if isinstance(one, bytes) else encode(one) for one in requests)
        with suppress(trio.ClosedResourceError):
            self._say.send_nowait(data)

    def finish(self) -> None:
        """Say no more."""
        self._say.close()

    def has_heard(self, kind: type[Event]) -> bool:
        """Whether an event of this kind came."""
        return any(isinstance(event, kind) for event in self.events)


class Soul:
    """Somebody with a token, over as many connections as it has had.

    Attributes:
        handle: its own, as it is now.
        token: by which it comes back.
        line: its connection, as far as it knows.
        former: those before, which may live on at the server; the last one that it had is the last.
        has_seat: as far as it knows it has a place in the room, or its handle is held.
        start: the id of the event by which others heard that it came.
        after: the newest id that it has seen; None if it has been told nothing yet.
        heard: all that has an id, since it came.
        unanswered: what it asked for.
        is_in: it has been told all that it missed.
        is_deaf: it notices nothing of what comes.
        known: how much all had been told when it was in last.
        tries: how often it has tried to come back since.
    """

    def __init__(self) -> None:
        self.handle = self.came_as = self.token = ""
        self.line: Line | None = None
        self.former: list[Line] = []
        self.has_seat = self.is_in = self.is_deaf = False
        self.start = self.known = self.tries = 0
        self.after: int | None = None
        self.heard: list[Event] = []
        self.unanswered: deque[Request] = deque()
        self._newest = 0
        self._welcomed = ""
        self._seen = 0  # the newest id that it has seen, also where it comes back as of before

    def begin(self, handle: str, start: int, token: str) -> None:
        """A new stay begins."""
        self.handle = self.came_as = handle
        self.start, self.token, self.has_seat = start, token, True
        self.heard, self.after, self._seen = [], None, 0
        self.unanswered.clear()

    def forget(self, after: int) -> None:
        """It does not remember what it heard after this id."""
        self.heard = [event for event in self.heard if _id(event) <= after]
        self.after = after

    def ask(self, *requests: Request, torn: int = 0) -> None:
        """Ask for this, if it is in; of the last one so many bytes are missing."""
        if self.is_in and self.line:
            self.unanswered += requests
            said = b"".join(map(encode, requests))
            self.line.say(said[: len(said) - torn])

    def drop(self) -> None:
        """It takes its connection for lost."""
        if self.line:
            self.former.append(self.line)
        self.line, self.is_in, self.is_deaf = None, False, False
        self.unanswered = deque(one for one in self.unanswered if not isinstance(one, Who))

    def gone(self) -> tuple[float, float]:
        """For how many seconds it has been away, at least and at most, as the server sees it."""
        lines = [*self.former, *([self.line] if self.line else [])]
        now = trio.current_time()
        ended = [
            math.inf if line.ended is None else line.ended for line in lines[-1 - self.tries :]
        ]
        return max(0.0, now - max(ended)), max(0.0, now - min(ended))

    def notice(self) -> bool:
        """Look what has come; whether anything has."""
        line = self.line
        if line is None:
            return False
        if self.is_deaf:
            if line.ended is not None:
                self.drop()
            return False
        new, line.taken = line.events[line.taken :], len(line.events)
        for event in new:
            self._hear(line, event)
        if line.ended is not None:
            self.drop()
        return bool(new)

    def _hear(self, line: Line, event: Event) -> None:
        match event:
            case Welcome():
                self._newest = event.last
                if not event.resumed:
                    self.begin(event.handle, event.last, event.token)
                self._welcomed, line.is_welcomed = event.handle, True
                assert event.token == self.token, "a token is that of the whole stay"
            case Pong() if line.is_welcomed:
                self.after = max(self.after or 0, self._newest)
                assert self.is_in or self.handle == self._welcomed, "its handle is as it was"
                self.is_in = True
                line.say(*self.unanswered)
            case Pong() | Refused(id=0) | Closing() | Moderated():
                pass
            case Refused() if not line.is_welcomed:
                pass
            case _ if number := _id(event):
                assert not self.heard or number > _id(self.heard[-1]), "once, and in order"
                self.heard.append(event)
                self.after = number
                if number > self._seen:
                    self._seen = number
                    self._answer(event)
            case _:
                self._answer(event)

    def _answer(self, event: Event) -> None:
        first = self.unanswered[0] if self.unanswered else None
        match event:
            case Said(handle=self.handle, text=text):
                assert first == Say(text), "answers come in the order of the requests"
            case Whispered(handle=self.handle, text=text):
                assert isinstance(first, Whisper)
                assert first.text == text
            case Renamed(handle=self.handle, new=new):
                assert first == Rename(new)
                self.handle = new
            case Refused():
                assert first is not None, "who asked for nothing is refused nothing"
            case Roster():
                assert first == Who()
            case _:
                return
        self.unanswered.popleft()


class World:
    """A room, and those who come to it again and again."""

    def __init__(
        self, hub: Hub, listener: MemoryListener, road: Road, nursery: trio.Nursery
    ) -> None:
        self.souls = [Soul() for _ in NAMES]
        self.never: set[str] = set()
        self.hub = hub
        self._listener = listener
        self._road = road
        self._nursery = nursery
        self._count = 0
        self._chance = random.Random(0)  # noqa: S311  no secret
        self._whispers: dict[int, Whispered] = {}

    def text(self) -> str:
        """A text that nobody has said."""
        self._count += 1
        return f"text number {self._count:04d}"

    def token(self) -> str:
        """A token that nobody has."""
        return urlsafe_b64encode(self._chance.randbytes(18)).decode()

    async def open_console(self) -> None:
        """Let the operator in, who hears all."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.console = Line(ours)
        self._nursery.start_soon(Session(theirs, self.hub, is_console=True).run)
        self._nursery.start_soon(self.console.live)
        self.console.say(Join("Server"))
        await self.settle()

    @property
    def told(self) -> list[Public]:
        """What all were told, from the beginning."""
        return [event for event in self.console.events if isinstance(event, Public)]

    async def connect(self, length: int = 0) -> Line:
        """A connection, which is lost after so many bytes, perhaps a WebSocket."""
        self._road.lengths = [length] if length else []
        stream = await self._road.connect(self._listener)
        if self._chance.random() < BROWSERS:
            stream = Frames(stream, self._chance)
        line = Line(stream, self._road.streams[-1])
        self._nursery.start_soon(line.live)
        return line

    async def settle(self, seconds: float = 0) -> None:
        """Let time pass, and all do what they can; then all must be as it is to be."""
        await trio.sleep(seconds)
        await trio.testing.wait_all_tasks_blocked()
        while sum(soul.notice() for soul in self.souls):
            await trio.testing.wait_all_tasks_blocked()
        for soul in self.souls:
            self._note_whispers(soul)
        for soul in self.souls:
            self._check(soul)
        names = [self.name(soul) for soul in self.souls if soul.has_seat and soul.gone()[1] < HOLD]
        assert len({*names}) == len(names), "a handle is one member's, and held for it"

    def name(self, soul: Soul, number: float = math.inf) -> str:
        """What it was called when this id was given, whether it knows it or not."""
        name = soul.came_as
        for event in self.told:
            if isinstance(event, Renamed) and soul.start < event.id <= number:
                name = event.new if event.handle == name else name
        return name

    # ---- what may happen

    async def come(self, soul: Soul, join: Join, length: int = 0) -> None:
        """Somebody comes, or comes back."""
        had_seat, (least, most) = soul.has_seat, soul.gone() if soul.has_seat else (0.0, 0.0)
        since = len(self.told)
        soul.drop()
        if not had_seat:
            soul.former.clear()
            soul.tries = 0
        soul.tries += 1
        soul.line = line = await self.connect(length)
        line.say(join, Ping())
        with trio.move_on_after(SLOW):
            while line.ended is None and not line.has_heard(Pong):  # noqa: ASYNC110  nobody tells
                await trio.sleep(0.1)
        [*welcomes] = (one.resumed for one in line.events if isinstance(one, Welcome))
        assert welcomes in ([], [False], [had_seat]), "a seat is its owner's"
        if had_seat and most < HOLD - SLOW:
            assert welcomes == [True] or (length and not welcomes), "and is kept"
        elif least > HOLD + LATE:
            assert welcomes != [True], "but not for ever"
        if not welcomes and line.has_heard(Refused):
            soul.has_seat = False
            soul.drop()
        elif not welcomes and not had_seat:
            for event in self.told[since:]:  # it may be in without knowing it
                if isinstance(event, Joined) and event.handle == join.handle and join.token:
                    soul.begin(event.handle, event.id, join.token)
        await self.settle()

    async def come_twice(self, soul: Soul) -> None:
        """Somebody comes back over two connections at once."""
        soul.drop()
        lines = [await self.connect(), await self.connect()]
        for line in lines:
            line.say(Join(soul.handle, token=soul.token, after=soul.after), Ping())
        await trio.sleep(SLOW)
        await trio.testing.wait_all_tasks_blocked()
        [first, last] = sorted(lines, key=lambda line: line.ended is None)
        assert (first.ended is None, last.ended is None) == (False, True), "one of them stays"
        assert isinstance(first.events[-1], Closing), "the other is told that it is over"
        soul.former.append(first)
        soul.line = last
        soul.tries += 2
        await self.settle()

    async def intrude(self, soul: Soul, token: str) -> None:
        """Somebody else wants this one's handle, and does not have its token."""
        if not soul.has_seat or soul.gone()[1] > HOLD:
            return
        line = await self.connect()
        line.say(
            Join(self.name(soul), token=token, after=soul.start), Say(self.never_said()), Ping()
        )
        await trio.sleep(1)
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(line.events[0], Refused)
        assert line.events[0].code == "handle-taken"
        assert all(isinstance(event, Refused | Pong) for event in line.events)
        line.finish()
        await self.settle()

    def never_said(self) -> str:
        """A text that may never be heard."""
        text = self.text()
        self.never.add(text)
        return text

    # ---- what must be so

    def _note_whispers(self, soul: Soul) -> None:
        for event in soul.heard:
            if isinstance(event, Whispered):
                assert self._whispers.setdefault(event.id, event) == event
                name = self.name(soul, event.id)
                assert name in (event.handle, event.to), "it is for these two"

    def _check(self, soul: Soul) -> None:
        told = self.told
        for event in told:
            is_forced = isinstance(event, Left) and event.reason != LOST
            if is_forced and event.id > soul.start and event.handle == self.name(soul, event.id):
                soul.has_seat = False
        texts = Counter(event.text for event in told if isinstance(event, Said))
        texts += Counter(event.text for event in self._whispers.values())
        assert not texts.keys() & self.never, "what came too late is not obeyed"
        assert all(count == 1 for count in texts.values()), "nothing is said twice"
        if not soul.has_seat or soul.gone()[1] > HOLD:
            return
        if soul.is_in and not soul.is_deaf:
            self._check_heard(soul, told)
        self._check_absence(soul, told)

    def _check_heard(self, soul: Soul, told: list[Public]) -> None:
        due: list[Event] = [
            event
            for event in told
            if event.id > soul.start and not _is_absence(event, self.name(soul, event.id))
        ]
        due += [
            event
            for event in self._whispers.values()
            if event.id > soul.start and self.name(soul, event.id) in (event.handle, event.to)
        ]
        heard = [event for event in soul.heard if not isinstance(event, Refused)]
        assert heard == sorted(due, key=_id), "all that was told, once and in order"
        assert not soul.unanswered, "each request has one answer"

    def _check_absence(self, soul: Soul, told: list[Public]) -> None:
        """What the others have heard of it since it was in the last time."""
        own = [
            event
            for event in told[soul.known :]
            if event.id > soul.start and _is_absence(event, self.name(soul, event.id))
        ]
        least, most = soul.gone()
        if most < GRACE:
            assert not own, "of who is back in time nobody hears"
        elif least > GRACE + LATE and not soul.tries:
            assert [type(event) for event in own] == [Left], "they hear once that it has left"
        assert all(event.reason == LOST for event in own if isinstance(event, Left))
        if soul.is_in:
            kinds = [Left, Joined] * (len(own) // 2)
            assert [type(event) for event in own] == kinds, "and that it is back"
            soul.known, soul.tries = len(told), 0

    async def check_roster(self) -> None:
        """Who is here, as the room says it, are those who have come, and have not left."""
        here = {"Server"}
        for event in self.told:
            match event:
                case Joined(handle=handle):
                    assert handle not in here
                    here.add(handle)
                case Left(handle=handle):
                    here.remove(handle)
                case Renamed(handle=handle, new=new):
                    here.remove(handle)
                    assert new not in here
                    here.add(new)
        assert {*self.hub.room.roster} == here


LOST = "connection lost"


def _id(event: Event) -> int:
    number: int = getattr(event, "id", 0)
    return number


def _is_absence(event: Public, handle: str) -> bool:
    """Whether this is how others hear that the one with this handle is away, or back."""
    return isinstance(event, Joined | Left) and event.handle == handle


# ---- playing


async def play(plan: list[Step], seed: int) -> None:
    """Let all this happen, and look after each step."""
    road = Road(seed)
    room = Room(grace=GRACE, hold=HOLD)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(30_000):  # nobody waits for ever, and time is virtual
            hub = Hub(room, clock=lambda: EPOCH + trio.current_time())
            async with open_memory_room(hub) as listener:
                world = World(hub, listener, road, nursery)
                await world.open_console()
                for step in plan:
                    await step(world)
                    await world.check_roster()
            await trio.testing.wait_all_tasks_blocked()
            assert not hub.fan_out.links
        nursery.cancel_scope.cancel()


places = st.integers(0, len(NAMES) - 1)
lengths = st.one_of(st.just(0), st.just(0), st.integers(1, 1500))


class Returning(RuleBasedStateMachine):
    """The rules collect what happens; the end plays it."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: list[Step] = []
        self.seed = 1

    @initialize(seed=st.integers(1, 1000))
    def begin(self, *, seed: int) -> None:
        """All come, one after the other."""
        self.seed = seed
        for place, name in enumerate(NAMES):
            self.come(place, name, 0, "new" if place % 2 else "none")

    def _let(self, place: int, act: Callable[[World, Soul], None], seconds: float = 0) -> None:
        """Let this one do something, and all go on."""

        async def step(world: World) -> None:
            act(world, world.souls[place])
            await world.settle(seconds)

        self.plan.append(step)

    @rule(
        place=places,
        handle=st.sampled_from(MORE),
        length=lengths,
        kind=st.sampled_from(["none", "new", "old"]),
    )
    def come(self, place: int, handle: str, length: int, kind: str) -> None:
        """Somebody comes who is not here; where the welcome may be lost it draws its own token."""

        async def step(world: World) -> None:
            soul = world.souls[place]
            if not soul.has_seat:
                tokens = {"none": world.token() if length else "", "old": soul.token}
                token = tokens.get(kind, world.token())
                await world.come(soul, Join(handle, token=token), length)

        self.plan.append(step)

    @rule(place=places, count=st.integers(1, 4), to=st.sampled_from(NAMES))
    def talk(self, place: int, count: int, to: str) -> None:
        """Somebody says something, and whispers."""

        def act(world: World, soul: Soul) -> None:
            said = [Say(world.text()) for _ in range(count)]
            soul.ask(*said, Who(), Whisper(to, world.text()), Say(""))

        self._let(place, act)

    @rule(place=places, handle=st.sampled_from(NAMES + MORE))
    def rename(self, place: int, handle: str) -> None:
        """Somebody wants another handle."""
        self._let(place, lambda _, soul: soul.ask(Rename(handle)))

    @rule(place=places)
    def turn_deaf(self, place: int) -> None:
        """Nothing of what it is told arrives from now on, though the server thinks so."""

        def act(_: World, soul: Soul) -> None:
            soul.is_deaf = soul.line is not None

        self._let(place, act)

    @rule(
        place=places,
        torn=st.integers(0, 30),
        passes=st.integers(0, 12),
        is_reset=st.booleans(),
        seconds=st.sampled_from(WAITS),
    )
    def cut(self, place: int, torn: int, passes: int, seconds: float, *, is_reset: bool) -> None:
        """A connection is lost while somebody speaks, or ends; a line that is torn is not heard."""

        async def step(world: World) -> None:
            soul = world.souls[place]
            if line := soul.line:
                soul.ask(Say(world.text()), Rename("Gus"), Say(world.text()), torn=torn)
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
                if is_reset and line.rough:
                    line.rough.reset()
                line.finish()
            await world.settle(seconds)

        self.plan.append(step)

    @rule(place=places, seconds=st.sampled_from(WAITS[:3]))
    def lose(self, place: int, seconds: float) -> None:
        """Somebody takes its connection for lost, which the server does not know."""

        def act(world: World, soul: Soul) -> None:
            soul.ask(Say(world.text()), Say(world.text()))
            soul.drop()

        self._let(place, act, seconds)

    @rule(
        place=places,
        handle=st.sampled_from(("", *MORE)),
        length=lengths,
        back=st.one_of(st.just(0), st.integers(0, 20)),
    )
    def come_back(self, place: int, handle: str, length: int, back: int) -> None:
        """Somebody comes back, whatever became of its connection; perhaps as of before."""

        async def step(world: World) -> None:
            soul = world.souls[place]
            if soul.has_seat:
                if back and soul.heard:
                    soul.forget(_id(soul.heard[max(0, len(soul.heard) - back)]))
                join = Join(handle or soul.handle, token=soul.token, after=soul.after)
                await world.come(soul, join, length)

        self.plan.append(step)

    @rule(place=places)
    def come_back_twice(self, place: int) -> None:
        """Somebody comes back over two connections at once."""

        async def step(world: World) -> None:
            soul = world.souls[place]
            if soul.has_seat and soul.gone()[1] < HOLD - 2 * SLOW:
                await world.come_twice(soul)

        self.plan.append(step)

    @rule(place=places)
    def come_late(self, place: int) -> None:
        """What somebody said over a former connection arrives when it is back."""

        def act(world: World, soul: Soul) -> None:
            if soul.is_in:
                for line in soul.former:
                    line.say(Say(world.never_said()), Quit())

        self._let(place, act)

    @rule(place=places, kind=st.sampled_from(["none", "other", "case", "long"]))
    def intrude(self, place: int, kind: str) -> None:
        """Somebody else wants a handle, with another token."""

        async def step(world: World) -> None:
            soul = world.souls[place]
            tokens = {
                "none": "",
                "other": world.token(),
                "case": soul.token.swapcase(),
                "long": soul.token + "A",
            }
            await world.intrude(soul, tokens[kind])

        self.plan.append(step)

    @rule(place=places, is_ban=st.booleans())
    def put_out(self, place: int, *, is_ban: bool) -> None:
        """The operator puts somebody out."""

        def act(world: World, soul: Soul) -> None:
            if soul.has_seat and soul.gone()[1] < GRACE:
                name = world.name(soul)
                orders = [Ban(name), Unban(name)] if is_ban else [Kick(name)]
                world.console.say(*orders)

        self._let(place, act)

    @rule(place=places)
    def quit(self, place: int) -> None:
        """Somebody leaves for good."""
        self._let(place, lambda _, soul: soul.ask(Quit()))

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.plan.append(lambda world: world.settle(seconds))

    def teardown(self) -> None:
        """Play it."""
        run_story(partial(play, self.plan, self.seed))


TestReturning = Returning.TestCase
TestReturning.settings = settings(
    max_examples=int(os.environ.get("TRIOCHAT_EXAMPLES", "60")),
    stateful_step_count=30,
    deadline=None,
)
