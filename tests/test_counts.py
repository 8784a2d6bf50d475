from collections import Counter
from pathlib import Path

import pytest
import trio
import trio.testing

from house import EPOCH, House, open_house
from triochat import __version__, vitals
from triochat.counts import WINDOW, Counts
from triochat.figures import Figures, words_of
from triochat.hub import Hub
from triochat.order import Peer
from triochat.room import Room
from triochat.testing import open_memory_room


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Scheduler:
    """What tells counts of its passes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counts = Counts(self.clock)

    def run(self, seconds: float) -> None:
        """A pass in which something is told after so long."""
        self.counts.after_io_wait(1.0)
        self.clock.now += seconds
        self.counts.look(self.clock.now)

    def wait(self, seconds: float) -> None:
        """Nothing to do."""
        self.clock.now += seconds


def test_the_longest_pass_is_the_lag() -> None:
    """What took longest within the last window, or the one before, counts; to wait does not."""
    scheduler = Scheduler()
    counts = scheduler.counts
    for seconds in (0.01, 0.05, 0.02):
        scheduler.run(seconds)
        scheduler.wait(1.0)
    scheduler.counts.after_io_wait(1.0)
    assert counts.lag == pytest.approx(0.05)
    assert counts.passes == 4
    scheduler.wait(WINDOW)
    scheduler.run(0.01)
    assert counts.lag == pytest.approx(0.05)
    scheduler.wait(WINDOW + 1)
    scheduler.run(0.02)
    scheduler.counts.after_io_wait(1.0)
    assert counts.lag == pytest.approx(0.02)


def test_a_long_silence_leaves_nothing() -> None:
    """What was before it is not told of any more, also by whoever breaks it by asking."""
    scheduler = Scheduler()
    counts = scheduler.counts
    scheduler.run(0.5)
    counts.lines, counts.deliveries = 300, 900
    scheduler.run(0.0)
    scheduler.wait(1000)
    counts.after_io_wait(1.0)
    assert (counts.lag, counts.rates) == (0.0, (0.0, 0.0))
    assert counts.uptime == pytest.approx(1000.5)


def test_the_pass_that_asks_counts() -> None:
    """The lag is never less than what the pass took so far in which somebody asks for it."""
    scheduler = Scheduler()
    scheduler.counts.after_io_wait(1.0)
    scheduler.clock.now += 0.25
    assert scheduler.counts.lag == pytest.approx(0.25)


def test_a_busy_pass_counts() -> None:
    """Also where nothing is told: what had no time to wait was work."""
    scheduler = Scheduler()
    scheduler.counts.after_io_wait(1.0)
    scheduler.wait(0.75)
    scheduler.counts.after_io_wait(0.0)
    assert scheduler.counts.lag == pytest.approx(0.75)
    scheduler.wait(5.0)
    scheduler.counts.after_io_wait(5.0)
    assert scheduler.counts.lag == pytest.approx(0.75)


def test_rates_are_those_of_late() -> None:
    """Lines and deliveries a second, of the last window and what is over of this one."""
    scheduler = Scheduler()
    counts = scheduler.counts
    assert counts.rates == (0.0, 0.0)
    for _ in range(600):  # ten a second for a minute
        counts.lines += 1
        counts.deliveries += 50
        scheduler.run(0.1)
    assert counts.rates == pytest.approx((10.0, 500.0))
    for _ in range(700):
        scheduler.run(0.1)
    assert counts.rates == pytest.approx((0.0, 0.0))


FIGURES = Figures(
    version="1.2.3",
    uptime=90061.7,
    members={"plain": 4, "ndjson": 8},
    exposed=3,
    away=1,
    queue=0,
    strangers=2,
    lines=1234567,
    deliveries=12345678,
    line_rate=5.14,
    delivery_rate=61.7,
    lag=0.0021,
    refusals=Counter({"bad-request": 7, "usage": 5}),
    evictions={},
    failures=1,
    memory=45_000_000,
    files=(57, 1024),
)


def test_figures_of_several_servers() -> None:
    """How many servers share the room, and how many of its members are at this one."""
    shared = FIGURES._replace(here=5, servers=2)
    assert words_of(shared).splitlines()[1:3] == ["here        5 of 12", "servers     2"]
    lost = words_of(shared._replace(lost=61.4)).splitlines()[2]
    assert lost == "servers     2; not reached for 61 s"


def test_figures_in_words() -> None:
    """A line each, aligned."""
    assert words_of(FIGURES).splitlines() == [
        "members     12 (8 ndjson, 4 plain); 3 not encrypted",
        "away        1 who may come back",
        "in line     0",
        "strangers   2",
        "lines       1,234,567; 5.1 a second",
        "deliveries  12,345,678; 61.7 a second",
        "lag         2.1 ms at most in the last minute",
        "refusals    12 (7 bad-request, 5 usage)",
        "evictions   0",
        "TLS failed  1",
        "memory      45.0 MB",
        "files       57 of 1,024",
        "up for      1 day, 1:01:01",
        "version     1.2.3",
    ]
    unknown = FIGURES._replace(memory=0, files=(0, 0))
    assert words_of(unknown).count("not known") == 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells")
def test_vitals() -> None:
    """What the system says of this process can be."""
    assert 5e6 < vitals.memory() < 2e9
    before, limit = vitals.files()
    with Path(__file__).open(encoding="utf-8"):
        assert vitals.files() == (before + 1, limit)


async def report_of(house: House, operator: str = "Server") -> dict[str, str]:
    """What an operator is told."""
    peer = await house.operator()
    await peer.ask({"type": "stats"})
    text = (await peer.event())["text"]
    await peer.ask({"type": "quit"})
    return {line[:12].strip(): line[12:] for line in text.splitlines()}


async def test_a_server_counts() -> None:
    """Each line that was heard, each event to each who was told it, each refusal."""
    async with open_house(max_clients=3, replay=0) as house:
        ann, bob = await house.plain("Ann"), await house.ndjson("Bob")  # Ann hears of Bob
        await house.connect()
        await ann.type("one", "two", "\\x", "?")
        await ann.hear(3)
        for _ in range(2):
            await bob.event()
        cid = await house.plain("Cid")
        dan = await house.connect()
        await dan.type("Dan")
        assert "number 1 in line" in await dan.line()
        house.room.exposed.clear()
        house.room.exposed.add(house.room.members.find("ann"))
        house.room.exposed.add(Peer("a stranger"))
        await trio.testing.wait_all_tasks_blocked()
        counts = house.hub.counts
        told = {"welcomes": 3, "joined": 1 + 2, "said": 2, "to Ann": 2, "to Dan": 1}
        assert (counts.lines, counts.deliveries) == (4 + 4, sum(told.values()))
        report = await report_of(house)
        assert report["members"] == "4 (1 console, 1 ndjson, 2 plain); 1 not encrypted"
        assert (report["in line"], report["strangers"]) == ("1", "1")
        assert report["lines"].startswith("10; ")
        assert report["refusals"] == "1 (1 unknown-command)"
        assert report["version"] == __version__
        assert await cid.line() == "* Server joined"


async def test_members_are_counted_by_door() -> None:
    """However each has come in; who is away has no door, and is counted apart."""
    async with open_house() as house:
        await house.plain("Ann")
        bob, _ = await house.ndjson("Bob"), await house.ndjson("Cid")
        for handle in ("Dan", "Eve"):
            irc = await house.connect()
            await irc.type(f"NICK {handle}", f"USER {handle} 0 * :{handle}")
            await irc.until(":")
        await bob.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        report = await report_of(house)
        assert report["members"] == "5 (1 console, 2 irc, 1 ndjson, 1 plain); 0 not encrypted"
        assert report["away"] == "1 who may come back"


async def test_stats_keep_their_place() -> None:
    """What an operator is told of the server stands between what it asked for before and after."""
    async with open_house() as house:
        operator = await house.operator()
        stats, ping = {"type": "stats"}, {"type": "ping"}
        say = {"type": "say", "text": "hello"}
        await operator.ask(ping, stats, say, stats, ping)
        types = [(await operator.event())["type"] for _ in range(5)]
        assert types == ["pong", "notice", "said", "notice", "pong"]


async def test_a_member_is_told_nothing_of_the_server() -> None:
    """But an operator without the console is."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        await ann.type("\\stats")
        assert await ann.line() == "! only operators can use \\stats"
        house.room.operators.add(house.room.members.find("ann"))
        await ann.type("\\stats")
        assert await ann.line() == "* members     1 (1 plain); 0 not encrypted"


async def test_stats_in_a_large_room_come_at_once() -> None:
    """They do not wait with those who come and go."""
    async with open_house(max_clients=200) as house:
        for number in range(101):
            peer = await house.connect()
            await peer.type(f"p{number}")
        operator = await house.operator()
        before = trio.current_time()
        await operator.ask({"type": "stats"})
        while (await operator.event())["type"] != "notice":
            pass
        assert trio.current_time() == before


async def test_evictions_and_handshakes_are_counted() -> None:
    """Each by its reason; an ordinary end counts nothing."""
    hub = Hub(Room(), clock=lambda: EPOCH)
    async with open_memory_room(hub, lockstep=True) as listener:
        streams = [await listener.connect() for _ in range(2)]
        for number, stream in enumerate(streams):
            await stream.send_all(f"p{number}\n".encode())
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(100)
        assert hub.counts.evictions == {"fell behind": 2}
        assert hub.room.roster == ()


async def test_operators_are_alerted() -> None:
    """And nobody else."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        await ann.line()
        house.room.operators.add(house.room.members.find("bob"))
        house.hub.alert("it burns")
        assert await bob.line() == "* it burns"
        assert await ann.heard_nothing()
