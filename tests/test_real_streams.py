import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
import trio
import trio.lowlevel
from coredis.connection import TCPConnection, TCPLocation

from real import relaying
from redis_server import RedisServer, needs_redis, running_redis
from triochat import streams
from triochat.ledger import (
    START,
    Access,
    GapError,
    Ledger,
    LedgerError,
    LostError,
    Position,
    Reached,
    Standing,
)
from triochat.streams import Streams

pytestmark = [needs_redis, pytest.mark.real_time]


FAR, NEAR = Reached(7, Position(5, 1)), Reached(0, START)


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    """One for all tests that leave it as it is."""
    with running_redis(unixsocket="redis.sock") as redis:
        yield redis


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it."""
    shared_redis.cli("FLUSHALL")
    return shared_redis


@pytest.fixture
def room(redis: RedisServer) -> Streams:
    """A room's ledger in it."""
    return Streams(redis.url, "staff room")


async def read_all(access: Access, after: Position = START) -> list[bytes]:
    """What all entries after this one say."""
    return [entry.data for entry in await access.read(after)]


async def refusal_of(ledger: Ledger) -> str:
    """Why it must not be used."""
    with trio.fail_after(15), pytest.raises(ValueError, match="Redis") as raised:
        async with ledger.open():
            pass
    return str(raised.value)


async def failure_of(work: Callable[[], Awaitable[object]]) -> str:
    """Why this was not done."""
    with trio.fail_after(15), pytest.raises(LedgerError) as raised:
        await work()
    assert type(raised.value) is LedgerError
    return str(raised.value)


async def test_a_room_begins_once_and_is_read_in_order(room: Streams) -> None:
    """Who founds it where there is nothing does so once, and what is added is read in its order."""
    async with room.open() as access:
        assert await access.last() is None
        assert await access.load() is None
        assert await access.found(b"first", b"\x00 snapshot \xff")
        assert not await access.found(b"other", b"other")
        await access.add(b"\x00second\r\n")
        await access.add(b"")
        entries = await access.read(START)
        assert [entry.data for entry in entries] == [b"first", b"\x00second\r\n", b""]
        places = [entry.position for entry in entries]
        assert places == sorted(set(places))
        assert abs(places[0].time / 1000 - time.time()) < 60
        assert await access.last() == places[-1]
        assert await access.load() == (places[0], b"\x00 snapshot \xff")
        assert await read_all(access, places[0]) == [b"\x00second\r\n", b""]


async def test_two_servers_found_one_room(room: Streams) -> None:
    """Of those who found a room at the same moment one does."""
    done: list[bytes] = []

    async def found(name: bytes) -> None:
        async with room.open() as access:
            await trio.testing.wait_all_tasks_blocked(0.05)
            if await access.found(name, b"of " + name):
                done.append(name)

    async with trio.open_nursery() as nursery:
        for name in (b"a", b"b", b"c", b"d"):
            nursery.start_soon(found, name)
    [name] = done
    async with room.open() as access:
        assert await read_all(access) == [name]
        assert await access.load() == (await access.last(), b"of " + name)


async def test_a_reader_waits_for_entries_of_others(room: Streams) -> None:
    """Who reads waits for what another adds, for a second at most."""
    async with room.open() as one, room.open() as other:
        await one.found(b"first", b"")
        newest = await one.last()
        assert newest
        begun = trio.current_time()
        assert await one.read(newest) == []
        assert 0.9 < trio.current_time() - begun < 4
        heard: list[bytes] = []

        async def follow() -> None:
            heard.extend(await read_all(one, newest))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await trio.sleep(0.2)
            await one.add(b"while it waits")  # nobody waits for who reads
        assert heard == [b"while it waits"]
        assert await read_all(other, newest) == heard


async def test_many_entries_are_read_piece_by_piece(room: Streams) -> None:
    """No read brings more than is good for memory, and none is left out."""
    async with room.open() as access:
        await access.found(b"0", b"")
        for number in range(1, 700):
            await access.add(str(number).encode())
        place, seen = START, []
        while entries := await access.read(place):
            assert len(entries) <= streams.COUNT
            seen += [int(entry.data) for entry in entries]
            place = entries[-1].position
        assert seen == list(range(700))


async def test_nothing_is_written_where_a_room_is_gone(room: Streams, redis: RedisServer) -> None:
    """Whoever adds or reads where no entry is left hears so, and the room is not begun by that."""
    async with room.open() as access:
        await access.found(b"first", b"")
        place = await access.last()
        assert place
        for gone in (("DEL", "triochat:{staff room}:order"), ("FLUSHALL",)):
            redis.cli(*gone)
            with pytest.raises(LostError, match="its entries are gone"):
                await access.add(b"second")
            with pytest.raises(LostError, match=f"Redis at 127.0.0.1 port {redis.port} has lost"):
                await access.read(place)
            assert await access.last() is None
            assert await access.standing(place) is Standing.LOST
        assert redis.cli("KEYS", "*") == ""


async def test_a_snapshot_takes_the_place_of_what_was_before(
    room: Streams, redis: RedisServer
) -> None:
    """Older entries are not kept, but for those that are asked for; the marker says what became."""
    async with room.open() as access:
        await access.found(b"0", b"none")
        for number in range(1, 6):
            await access.add(str(number).encode())
        places = [entry.position for entry in await access.read(START)]
        await access.save(b"\x00three", places[3], places[1])
        assert await access.load() == (places[3], b"\x00three")
        assert await read_all(access) == [b"1", b"2", b"3", b"4", b"5"]
        await access.save(b"five", places[4], places[5])
        assert await read_all(access) == [b"4", b"5"]
        assert [await access.standing(place) for place in places] == [
            *[Standing.TRIMMED] * 4,
            *[Standing.KEPT] * 2,
        ]
        redis.cli("XDEL", "triochat:{staff room}:order", "{}-{}".format(*places[5]))
        assert await access.standing(places[5]) is Standing.LOST


async def test_a_snapshot_that_was_overtaken_is_not_kept(room: Streams) -> None:
    """Who writes one late, after another has trimmed or founded the stream, does no harm."""
    async with room.open() as access:
        await access.found(b"0", b"")
        await access.add(b"1")
        places = [entry.position for entry in await access.read(START)]
        await access.save(b"of 1", places[1], places[1])
        await access.save(b"late", places[0], places[0])
        assert await access.load() == (places[1], b"of 1")
        assert await access.take_lead("aaaaaaaa")
        assert await access.found(b"2", b"anew", places[1])
        await access.save(b"late", places[1], places[1])
        found = await access.load()
        assert found
        assert found[1] == b"anew"


async def test_a_snapshot_that_is_none_is_an_error_of_the_ledger(
    room: Streams, redis: RedisServer
) -> None:
    """Whatever somebody has written in its place."""
    async with room.open() as access:
        for written in ("", "garbage", "1-x y", "-"):
            redis.cli("SET", "triochat:{staff room}:snapshot", written)
            with pytest.raises(LedgerError, match="is gone, or damaged"):
                await access.load()


async def test_a_room_begins_where_its_entries_were_removed(
    room: Streams, redis: RedisServer
) -> None:
    """A stream that is empty is none."""
    async with room.open() as access:
        assert await access.found(b"0", b"")
        redis.cli("XTRIM", "triochat:{staff room}:order", "MAXLEN", "0")
        assert await access.found(b"1", b"")
        assert await read_all(access) == [b"1"]


async def test_only_who_leads_begins_anew(room: Streams) -> None:
    """The lead is one's; what it founds comes after all that was, even by a clock ahead."""
    async with room.open() as one, room.open() as other:
        assert await one.found(b"first", b"")
        former = await one.last()
        assert former
        assert not await one.found(b"no lead", b"", former)
        assert await one.take_lead("aaaaaaaa")
        assert not await other.take_lead("bbbbbbbb")
        assert not await other.found(b"no lead", b"", former)
        assert await one.take_lead("aaaaaaaa")
        ahead = Position(former.time + 3_600_000, 7)
        assert await one.found(b"anew", b"snapshot", ahead)
        newest = await one.last()
        assert newest == (ahead.time + 1, 0)
        assert await one.load() == (newest, b"snapshot")
        assert await read_all(one) == [b"anew"]
        await other.add(b"next")
        assert await read_all(other, newest) == [b"next"]
        assert await one.found(b"again", b"", former)  # others have read what is there
        latest = await one.last()
        assert latest
        assert latest > newest


async def test_who_waits_hears_when_the_room_begins_anew(room: Streams) -> None:
    """Whoever reads does not take what was founded meanwhile for what comes next."""
    async with room.open() as one, room.open() as other:
        await one.found(b"first", b"")
        former = await one.last()
        assert former
        await one.take_lead("aaaaaaaa")

        async def follow() -> None:
            with pytest.raises(GapError, match="has not kept all that was written"):
                await other.read(former)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await trio.sleep(0.2)
            assert await one.found(b"anew", b"", former)
        assert await read_all(other) == [b"anew"]


async def test_nothing_is_read_past_a_gap(room: Streams) -> None:
    """Where an entry is not kept any more nobody knows what came next."""
    async with room.open() as access:
        await access.found(b"0", b"")
        places = [(await access.read(START))[0].position]
        for data in (b"1", b"2", b"3"):
            await access.add(data)
            places.append((await access.read(places[-1]))[0].position)
        await access.save(b"", places[3], places[2])
        assert await read_all(access, places[2]) == [b"3"]
        assert await read_all(access) == [b"2", b"3"]
        with pytest.raises(GapError):
            await access.read(places[1])


async def test_a_lead_that_ran_out_founds_nothing(room: Streams, redis: RedisServer) -> None:
    """Another may lead by now."""
    async with room.open() as one, room.open() as other:
        await one.found(b"first", b"")
        former = await one.last()
        await one.take_lead("aaaaaaaa")
        redis.cli("DEL", "triochat:{staff room}:lead")  # as when its time is over
        assert not await one.found(b"late", b"", former)
        assert await other.take_lead("bbbbbbbb")
        assert not await one.found(b"late", b"", former)
        assert await other.found(b"anew", b"", former)


async def test_a_lease_is_seen_by_others_until_it_runs_out(
    room: Streams, redis: RedisServer
) -> None:
    """Who signs tells which of the others do, and in which incarnation."""
    async with room.open() as one, room.open() as other:
        assert await one.sign("a", "aaaaaaaa", []) == {}
        assert await other.sign("b", "bbbbbbbb", ["a", "b", "c"]) == {
            "a": "aaaaaaaa",
            "b": "bbbbbbbb",
        }
        assert 4000 < int(redis.cli("PTTL", "triochat:{staff room}:lease:a")) <= 5000
        assert await other.sign("a", "cccccccc", ["a"]) == {"a": "cccccccc"}
        await one.resign("a", "aaaaaaaa")  # that one is another's by now
        assert await one.sign("b", "bbbbbbbb", ["a"]) == {"a": "cccccccc"}
        await other.resign("a", "cccccccc")
        assert await one.sign("b", "bbbbbbbb", ["a", "b"]) == {"b": "bbbbbbbb"}


async def test_the_duty_is_one_servers(room: Streams, redis: RedisServer) -> None:
    """Who has it keeps it as long as it asks, gives it up, or it runs out."""
    async with room.open() as one, room.open() as other:
        assert await one.take_duty("aaaaaaaa")
        assert not await other.take_duty("bbbbbbbb")
        assert await one.take_duty("aaaaaaaa")
        assert 9000 < int(redis.cli("PTTL", "triochat:{staff room}:duty")) <= 10_000
        await other.resign("b", "bbbbbbbb")
        assert not await other.take_duty("bbbbbbbb")
        await one.resign("a", "aaaaaaaa")
        assert await other.take_duty("bbbbbbbb")


async def test_the_roll_is_of_those_who_have_answered_lately(
    room: Streams, redis: RedisServer
) -> None:
    """Each says how far it has read; who said so too long ago is not there."""
    async with room.open() as access:
        assert await access.call_roll("a", FAR) == {"a": FAR}
        assert await access.call_roll("b", NEAR) == {"a": FAR, "b": NEAR}
        key = f"triochat:{{staff room}}:roll:{access.run}"
        redis.cli("HSET", key, "a", f"5-1 {int(time.time()) - 12}")
        assert await access.call_roll("b", FAR) == {"b": FAR}
        assert 9000 < int(redis.cli("PTTL", key)) <= 10_000


async def test_rooms_share_nothing(redis: RedisServer) -> None:
    """Each has keys of its own, all in one slot of a cluster, also with braces in its name."""
    names = ["a", "a}b", "{a", "}", "{}", "%7D", "ä ö"]
    for name in names:
        async with Streams(redis.url, name).open() as access:
            assert await access.found(name.encode(), b"")
            assert await access.take_lead("aaaaaaaa")
            await access.call_roll("{x}", NEAR)
    slots: dict[str, set[str]] = {}
    for key in redis.cli("KEYS", "*").splitlines():
        tag = key.partition("{")[2].partition("}")[0]
        assert tag
        slots.setdefault(tag, set()).add(key)
    assert len(slots) == len(names)
    assert {len(keys) for keys in slots.values()} == {4}


async def test_a_socket_of_this_machine_does_as_well(redis: RedisServer) -> None:
    """``unix://`` names a file."""
    path = redis.cli("CONFIG", "GET", "dir").splitlines()[1] + "/redis.sock"
    ledger = Streams(f"unix://{path}", "a")
    assert ledger.where == f"Redis at {path}"
    async with ledger.open() as access:
        assert await access.found(b"first", b"")
    gone = Streams(f"unix://{path}s", "a")
    assert await failure_of(partial(enter, gone)) == f"{gone.where}: no such file or directory"


async def enter(ledger: Ledger) -> None:
    """Reach it, and leave."""
    async with ledger.open():
        pass


async def test_errors_of_the_block_are_its_own(room: Streams) -> None:
    """What is raised in the block comes out as it is, alone or in a group."""
    with pytest.raises(KeyError, match="mine"):
        async with room.open():
            raise KeyError("mine")
    with pytest.raises(ExceptionGroup) as raised:
        async with room.open(), trio.open_nursery():
            raise KeyError("mine")
    assert [type(error) for error in raised.value.exceptions] == [KeyError]


async def test_a_connection_that_is_killed_is_an_error_of_the_ledger(
    room: Streams, redis: RedisServer
) -> None:
    """Whoever reads hears that at once, and so do all who ask from then on."""
    async with room.open() as access:
        await access.found(b"first", b"")
        place = await access.last()
        assert place
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failure_of, partial(access.read, place))
            await trio.sleep(0.1)
            redis.cli("CLIENT", "KILL", "TYPE", "normal")
        gone = f"Redis at 127.0.0.1 port {redis.port} has closed the connection"
        assert await failure_of(partial(access.read, place)) == gone
        assert await failure_of(partial(access.add, b"second")) == gone
        assert await failure_of(partial(access.sign, "a", "aaaaaaaa", [])) == gone
    async with room.open() as access:
        assert await read_all(access) == [b"first"]


async def test_a_connection_that_is_gone_for_no_reason_is_told_in_plain_words() -> None:
    """It may be found out before it is known why."""
    unused = TCPConnection(TCPLocation("127.0.0.1", 1))
    work = partial(streams._say, unused, "Redis", (b"PING",))
    assert await failure_of(work) == "Redis has closed the connection"


@pytest.mark.parametrize("is_killed", [False, True])
async def test_an_entry_is_never_written_twice(redis: RedisServer, *, is_killed: bool) -> None:
    """Where the answer is lost the writer is told, and nothing repeats it by itself."""
    with relaying(redis.port) as relay:
        async with Streams(f"redis://127.0.0.1:{relay.port}", "a").open() as access:
            await access.found(b"first", b"")
            redis.cli("CLIENT", "PAUSE", "10000", "WRITE")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(failure_of, partial(access.add, b"second"))
                await trio.sleep(0.1)
                if is_killed:
                    redis.cli("CLIENT", "KILL", "TYPE", "normal")
                else:
                    relay.cut()
            redis.cli("CLIENT", "UNPAUSE")
            assert relay.count == 2
    async with Streams(redis.url, "a").open() as access:
        assert await read_all(access) in ([b"first"], [b"first", b"second"])


async def test_who_is_silent_is_given_up(
    room: Streams, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused or hanging Redis costs each command a few seconds, and is then an error."""
    monkeypatch.setattr(streams, "PATIENCE", 1.5)
    silence = f"{room.where} does not answer"
    async with room.open() as access:
        await access.found(b"first", b"")
        redis.cli("CLIENT", "PAUSE", "2000", "WRITE")
        begun = trio.current_time()
        assert await failure_of(partial(access.add, b"late")) == silence
        assert trio.current_time() - begun < 4
        assert await access.last()
        await trio.sleep(1)
        assert await read_all(access) == [b"first", b"late"]  # it may have been written
        with redis.hanging():
            assert await failure_of(access.last) == silence
            assert await failure_of(partial(access.read, START)) == silence
            assert await failure_of(partial(enter, room)) == silence
        assert await access.last()


@pytest.mark.parametrize("at", ["open", "read", "add", "found", "rest"])
async def test_whoever_is_cancelled_leaves_at_once(
    room: Streams, redis: RedisServer, at: str
) -> None:
    """Also while Redis hangs; no task and no connection is left, and no other error comes out."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    reached = trio.Event()

    async def work() -> None:
        async with room.open() as access:
            await access.found(b"first", b"")
            reached.set()
            match at:
                case "read":
                    await access.read(Position(1 << 50))
                case "add":
                    await hangs.wait()
                    await access.add(b"second")
                case "found":
                    await hangs.wait()
                    await access.found(b"second", b"")
            await trio.sleep_forever()

    hangs = trio.Event()
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            if at == "open":
                stack.enter_context(redis.hanging())
                nursery.start_soon(work)
            else:
                nursery.start_soon(work)
                await reached.wait()
                stack.enter_context(redis.hanging())
                hangs.set()
            await trio.sleep(0.2)
            begun = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - begun < 1
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    with trio.fail_after(5):
        while redis.count_clients():  # noqa: ASYNC110  Redis tells nobody
            await trio.sleep(0.02)


async def test_a_read_that_was_cancelled_keeps_nothing_from_the_next(room: Streams) -> None:
    """Whoever reads again, and asks meanwhile, is answered."""
    async with room.open() as access:
        await access.found(b"first", b"")
        place = await access.last()
        assert place
        for _ in range(5):
            with trio.move_on_after(0.05):
                await access.read(place)
        await access.add(b"second")
        assert await read_all(access, place) == [b"second"]


async def test_a_lease_has_a_holder_for_a_while(room: Streams) -> None:
    """It is known who has it, and for how much longer; nobody has one that was given up."""
    async with room.open() as access:
        assert await access.holder("a") == ("", 0.0)
        await access.sign("a", "aaaaaaaa", ())
        who, left = await access.holder("a")
        assert who == "aaaaaaaa"
        assert 4 < left <= 5
        await access.resign("a", "aaaaaaaa")
        assert await access.holder("a") == ("", 0.0)
