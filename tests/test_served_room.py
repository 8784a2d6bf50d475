"""A whole served room, from bytes to bytes, whatever anybody does: a state machine.

Its rules collect a plan, which is then played at once in virtual time, over rough streams: so trio
runs once an example, and the same plan is the same story. `World` knows nothing of the room's
inside. The console is there from the first moment to the last, and what it hears is what happened.

TRIOCHAT_EXAMPLES=5000 plays so many stories; a few hundred are played otherwise.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from faults import Road, Rough, run_story
from house import House, open_house
from house import Peer as Line
from tls import client_context, make_tls
from triochat.dialects.ndjson import decode_event, encode
from triochat.framing import Lines
from triochat.messages import (
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Ping,
    Quit,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.ratelimit import Limits
from triochat.stay import Stay
from triochat.words import words_of

HANDLES = ("Ann", "ann", "Bob", "Cid", "Dee", "Server", "no handle")
PLACES = 5
"""Visitors at once."""

Public = Joined | Left | Renamed | Said
"""What is told to all."""

Step = Callable[["World"], Awaitable[None]]


class Visitor:
    """Somebody at one connection, and all that it heard.

    Attributes:
        lines: what it heard, as lines.
        events: the same, where it speaks NDJSON.
        own: the texts that it said, or whispered.
        has_ended: it hears no more.
        is_broken: because its connection broke.
        reads: nobody has kept it from reading.
    """

    def __init__(self, rough: Rough | None, *, is_plain: bool) -> None:
        self.rough = rough
        self.is_plain = is_plain
        self.lines: list[str] = []
        self.events: list[Event] = []
        self.own: set[str] = set()
        self.stay = Stay()
        self.has_ended = self.is_broken = False
        self.reads = True
        self._say, self._said = trio.open_memory_channel[bytes](1000)

    async def live(self, stream: Any) -> None:  # noqa: ANN401  SSLStream is not typed
        """Speak and hear, until the connection ends."""
        lines = Lines(1 << 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak, stream)
            try:
                while data := await stream.receive_some(1 << 16):
                    for line in lines.feed(data):
                        self._hear(str(line))
            except trio.BrokenResourceError:
                self.is_broken = True
            except trio.ClosedResourceError:
                pass
            self.has_ended = True
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)

    async def _speak(self, stream: Any) -> None:  # noqa: ANN401  SSLStream is not typed
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self._said:
                await stream.send_all(data)
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            else:  # TLS has one end for both directions
                await stream.aclose()

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        if self.is_plain or (not self.events and line.startswith("* ")):
            return  # who has not been understood yet is taken for a person
        event = decode_event(line)
        assert event is not None
        if isinstance(event, Whispered) and event.text not in self.own:
            assert event.to == self.stay.handle, "a whisper is for whom it names"
        if isinstance(event, Welcome):
            assert not self.public(), "strangers hear nothing of the room"
        self.events.append(event)
        self.stay.hear(event)

    def ask(self, request: Request) -> None:
        """Ask for this, in its own way; what needs a program asks only a program."""
        match request:
            case Say(text=text):
                self.own.add(text)
            case Whisper(text=text, to=to):  # which a plain line is only if it names a handle
                self.own |= {text, f"{text} > {to}"}
        if self.is_plain:
            self.say(_typed(request))
        else:
            self.stay.ask(request)
            self.say(encode(request))

    def say(self, data: bytes) -> None:
        """Send these bytes after all others."""
        with suppress(trio.ClosedResourceError):
            self._say.send_nowait(data)

    def say_no_more(self) -> None:
        """End this direction, after all that was said."""
        self._say.close()

    def public(self) -> list[Public]:
        """What it heard of what all hear."""
        return [event for event in self.events if isinstance(event, Public)]

    @property
    def handle(self) -> str:
        """The handle that it was welcomed with; empty if it was not."""
        if not self.is_plain:
            return next((one.handle for one in self.events if isinstance(one, Welcome)), "")
        welcomes = [line for line in self.lines if " connected. You are " in line]
        return welcomes[0].partition("You are ")[2].partition(". ")[0] if welcomes else ""


def _typed(request: Request) -> bytes:
    """How a person types this."""
    match request:
        case Join(handle=text) | Say(text=text):
            line = text
        case Whisper(to=to, text=text):
            line = f"{text} > {to}"
        case Rename(handle=handle):
            line = f"\\nick {handle}"
        case Quit():
            line = "\\quit"
        case _:
            line = "?"
    return f"{line}\n".encode()


class World:
    """A house, and those who come to it."""

    def __init__(self, house: House, road: Road, nursery: trio.Nursery) -> None:
        self.house = house
        self.visitors: list[Visitor] = []
        self.console = Visitor(None, is_plain=False)
        self._places: list[Visitor | None] = [None] * PLACES
        self._road = road
        self._nursery = nursery
        self._count = 0

    def text(self) -> str:
        """A text that nobody has said, and that is no handle."""
        self._count += 1
        return f"text number {self._count:04d}"

    def at(self, place: int) -> Visitor | None:
        """Who is at this place now."""
        return self._places[place]

    # ---- what may happen

    async def open_console(self) -> None:
        """Let the operator in; its welcome is read."""
        line: Line = await self.house.operator()
        self.console.stay.handle = "Server"
        self._nursery.start_soon(self.console.live, line.stream)

    async def come(self, place: int, handle: str, *, is_plain: bool, is_sealed: bool) -> None:
        """Somebody comes; who was there at this place vanishes, if anybody did."""
        if before := self._places[place]:
            _stop_reading(before, Rough.reset)
        stream: Any = await self._road.connect(self.house.listener)
        visitor = self._places[place] = Visitor(self._road.streams[-1], is_plain=is_plain)
        if is_sealed:
            stream = trio.SSLStream(stream, client_context(), server_hostname="localhost")
        self.visitors.append(visitor)
        self._nursery.start_soon(visitor.live, stream)
        if handle:
            visitor.ask(Join(handle))

    async def settle(self, seconds: float) -> None:
        """Let time pass."""
        await trio.sleep(seconds)
        await trio.testing.wait_all_tasks_blocked()

    # ---- what must be so

    def check_roster(self) -> None:
        """Once everything is quiet, all know who is here, and it is so."""
        here = {"Server"}
        for event in self.console.public():
            match event:
                case Joined(handle=handle):
                    assert handle not in here
                    here.add(handle)
                case Left(handle=handle):
                    here.remove(handle)
                case Renamed(handle=handle, new=new):
                    here.remove(handle)
                    here.add(new)
        assert set(self.house.room.roster) == here
        assert self.console.stay.roster - {"Server"} == here - {"Server"}
        rosters = [one for one in self.console.events if isinstance(one, Roster)]
        assert set(rosters[-1].handles) == here
        members = [one for one in self.visitors if one.handle and not one.has_ended and one.reads]
        assert len(members) <= len(here) - 1
        for member in members:
            if not member.is_plain:
                assert member.stay.roster == here
                assert member.stay.handle in here
                assert not member.stay.unanswered, "each request has one answer"

    def check_order(self, *, has_stopped: bool) -> None:
        """All heard the same in the same order, from their welcome on, and stayers all of it."""
        told = self.console.public()
        ids = [event.id for event in told]
        assert ids == sorted(set(ids))
        for visitor in self.visitors:
            is_harmed = visitor.is_broken and visitor.reads and visitor.lines
            assert not is_harmed, "no connection breaks by itself"
            is_whole = has_stopped and visitor.reads and _was_there(visitor)
            if visitor.is_plain:
                self._check_plain(visitor, told, is_whole=is_whole)
            else:
                self._check_program(visitor, told, is_whole=is_whole)

    def _check_program(self, visitor: Visitor, told: list[Public], *, is_whole: bool) -> None:
        heard, last = visitor.public(), visitor.stay.last_id
        welcomes = [one for one in visitor.events if isinstance(one, Welcome)]
        assert len(welcomes) <= 1
        if not welcomes:
            assert not heard
            return
        since = [event for event in told if event.id > welcomes[0].last]
        assert heard == since[: len(heard)], "one order for all"
        assert last >= max((event.id for event in heard), default=0)
        assert not is_whole or heard == since, "who stays hears all"

    def _check_plain(self, visitor: Visitor, told: list[Public], *, is_whole: bool) -> None:
        heard = [line for line in visitor.lines if _is_public(line)]
        if not visitor.handle:
            assert not heard
            return
        stories = [
            [words_of(one) for one in told[place + 1 :] if not _is_own(one, visitor)]
            for place, event in enumerate(told)
            if isinstance(event, Joined) and event.handle == visitor.handle
        ]
        if is_whole:
            assert heard in stories
        else:
            assert any(heard == story[: len(heard)] for story in stories)

    def check_whispers(self) -> None:
        """A whisper is heard by who whispered it and one other, and by nobody else."""
        everybody = [self.console, *self.visitors]
        for author in everybody:
            for text in author.own:
                hearers = {one for one in everybody if any(text in line for line in one.lines)}
                told = [one for one in self.console.public() if getattr(one, "text", "") == text]
                assert told or len(hearers - {author}) <= 1, "nobody else hears a whisper"

    def check_nothing_is_left(self) -> None:
        """When all is over nobody is remembered, and every connection is closed."""
        hub = self.house.hub
        assert not hub.fan_out.links
        assert not hub.backlog
        assert len(hub.lobby) == 0
        assert all(one.rough is None or one.rough.is_closed for one in self.visitors)


def _is_own(event: Event, visitor: Visitor) -> bool:
    return isinstance(event, Said) and event.text in visitor.own


def _is_public(line: str) -> bool:
    """Whether this is a line of what all hear."""
    private = (
        " here: ",
        "* triochat",
        "* The room is full",
        "* Server closed the connection",
        "* you send more than",
    )
    return not line.startswith(("[", "! ")) and not any(words in line for words in private)


def _was_there(visitor: Visitor) -> bool:
    """Whether it was there when the server stopped, and was told so."""
    return any("shutting down" in line for line in visitor.lines[-1:])


# ---- playing


async def play(plan: list[Step], seed: int, rules: dict[str, Any], *, is_calm: bool) -> None:
    """Let all this happen in a room with these rules, and check what everybody heard."""
    before = trio.lowlevel.current_statistics().tasks_living
    road = Road(seed)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(100_000):  # nobody waits for ever, and time is virtual
            async with open_house(replay=0, **rules) as house:
                house.hub.tls = make_tls()
                world = World(house, road, nursery)
                await world.open_console()
                for step in plan:
                    await step(world)
                if is_calm:
                    await world.settle(150)
                    world.console.ask(Who())
                    await world.settle(1)
                    world.check_roster()
            await world.settle(10)
        world.check_order(has_stopped=True)
        world.check_whispers()
        world.check_nothing_is_left()
        nursery.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before


places = st.integers(0, PLACES - 1)
handles = st.sampled_from(HANDLES)
requests: st.SearchStrategy[Callable[[World], Request]] = st.one_of(
    st.just(lambda world: Say(world.text())),
    st.just(lambda world: Say(world.text())),
    handles.map(lambda handle: lambda world: Whisper(handle, world.text())),
    handles.map(lambda handle: lambda _: Rename(handle)),
    st.sampled_from([Who(), Ping()]).map(lambda request: lambda _: request),
)
"""What members ask for."""

orders: st.SearchStrategy[Request] = st.one_of(
    st.builds(Kick, handles, st.just("why")), st.just(Quit())
)
"""What an operator may do besides; bans and mutes belong here."""


class ServedRoom(RuleBasedStateMachine):
    """The rules collect what happens; the end plays it."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: list[Step] = []
        self.house_rules: dict[str, Any] = {}
        self.seed = 1
        self.is_calm = False

    @initialize(
        seed=st.integers(1, 1000),
        max_clients=st.sampled_from([1, 3, 100]),
        limits=st.sampled_from([Limits(), Limits(0), Limits(3, 10), Limits(strangers=2)]),
        is_calm=st.booleans(),
    )
    def open(self, *, seed: int, max_clients: int, limits: Limits, is_calm: bool) -> None:
        """A room has rules."""
        self.seed, self.is_calm = seed, is_calm
        self.house_rules = {"max_clients": max_clients, "limits": limits}

    def _let(self, place: int, act: Callable[[World, Visitor], None]) -> None:
        """Let who is at this place do something, if there is somebody."""

        async def step(world: World) -> None:
            if visitor := world.at(place):
                act(world, visitor)

        self.plan.append(step)

    @rule(place=places, handle=handles, is_plain=st.booleans(), is_sealed=st.booleans())
    def come(self, place: int, handle: str, *, is_plain: bool, is_sealed: bool) -> None:
        """Somebody comes, and says a handle."""
        self.plan.append(
            lambda world: world.come(place, handle, is_plain=is_plain, is_sealed=is_sealed)
        )

    @rule(place=places)
    def stand_around(self, place: int) -> None:
        """Somebody comes, and says nothing."""
        self.plan.append(lambda world: world.come(place, "", is_plain=True, is_sealed=False))

    @rule(place=places, requests=st.lists(requests, min_size=1, max_size=8))
    def ask(self, place: int, requests: list[Callable[[World], Request]]) -> None:
        """Somebody asks for several things at once."""
        for make in requests:
            self._let(place, lambda world, visitor, make=make: visitor.ask(make(world)))  # type: ignore[misc]

    @rule(place=places, handle=handles)
    def join_again(self, place: int, handle: str) -> None:
        """Somebody says a handle; to a member at plain lines that is a message."""
        self._let(
            place,
            lambda world, visitor: visitor.ask(
                Say(world.text()) if visitor.is_plain else Join(handle)
            ),
        )

    @rule(place=places)
    def talk_rubbish(self, place: int) -> None:
        """Somebody says what nobody understands."""
        self._let(place, lambda _, visitor: _talk_rubbish(visitor))

    @rule(place=places)
    def quit(self, place: int) -> None:
        """Somebody asks to be let go."""
        self._let(place, lambda _, visitor: visitor.ask(Quit()))

    @rule(place=places)
    def half_close(self, place: int) -> None:
        """Somebody says no more."""
        self._let(place, lambda _, visitor: visitor.say_no_more())

    @rule(place=places)
    def reset(self, place: int) -> None:
        """Somebody vanishes."""
        self._let(place, lambda _, visitor: _stop_reading(visitor, Rough.reset))

    @rule(place=places)
    def stall(self, place: int) -> None:
        """Somebody reads no more."""
        self._let(place, lambda _, visitor: _stop_reading(visitor, Rough.stall))

    @rule(place=places)
    def flow(self, place: int) -> None:
        """Somebody reads again."""
        self._let(place, lambda _, visitor: _read_again(visitor))

    @rule(order=orders)
    def order(self, order: Request) -> None:
        """The operator does what only an operator may."""

        async def step(world: World) -> None:
            world.console.ask(order)

        self.plan.append(step)

    @rule(text=st.booleans(), handle=handles)
    def operator_speaks(self, handle: str, *, text: bool) -> None:
        """The operator says or whispers something."""

        async def step(world: World) -> None:
            words = world.text()
            world.console.ask(Say(words) if text else Whisper(handle, words))

        self.plan.append(step)

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.2, 1.0, 31.0, 130.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; or everybody does what they can, at least."""
        self.plan.append(lambda world: world.settle(seconds))

    def teardown(self) -> None:
        """Play it."""
        run_story(self._play)

    async def _play(self) -> None:
        await play(self.plan, self.seed, self.house_rules, is_calm=self.is_calm)


def _talk_rubbish(visitor: Visitor) -> None:
    if visitor.is_plain:
        visitor.say(b"\\rubbish\n\xff\n")
    else:
        visitor.stay.ask(Who())  # any will do: a refusal answers whatever was asked
        visitor.say(b'{"type":"rubbish"}\n')


def _read_again(visitor: Visitor) -> None:
    assert visitor.rough
    visitor.rough.flow()


def _stop_reading(visitor: Visitor, act: Callable[[Rough], None]) -> None:
    assert visitor.rough
    visitor.reads = False
    act(visitor.rough)


TestServedRoom = ServedRoom.TestCase
TestServedRoom.settings = settings(
    max_examples=int(os.environ.get("TRIOCHAT_EXAMPLES", "100")),
    stateful_step_count=40,
    deadline=None,
)
