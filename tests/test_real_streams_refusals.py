import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from real import free_port
from redis_server import needs_redis, running_redis
from tls import Certificate
from triochat import streams
from triochat.ledger import START, Access, Ledger, LedgerError, LostError, Reached, Standing
from triochat.streams import Streams

pytestmark = [needs_redis, pytest.mark.real_time]


async def enter(ledger: Ledger) -> Access:
    """Reach it, and leave."""
    with trio.fail_after(15):
        async with ledger.open() as access:
            return access


async def refusal_of(ledger: Ledger) -> str:
    """Why it must not be used as it is set up."""
    with pytest.raises(ValueError, match="Redis") as raised:
        await enter(ledger)
    return str(raised.value)


async def failure_of(ledger: Ledger) -> str:
    """Why it cannot be reached."""
    with pytest.raises(LedgerError) as raised:
        await enter(ledger)
    assert type(raised.value) is LedgerError
    return str(raised.value)


async def test_a_full_redis_says_so() -> None:
    """Writing is refused, reading is not; when there is room again all is as before."""
    with running_redis() as redis:
        room = Streams(redis.url, "a")
        async with room.open() as access:
            await access.found(b"first", b"")
            place = await access.last()
            assert place
            redis.cli("CONFIG", "SET", "maxmemory", "1")
            for write in (
                partial(access.add, b"second"),
                partial(access.save, b"snapshot", place, place),
                partial(access.take_duty, "aaaaaaaa"),
                partial(access.sign, "a", "aaaaaaaa", []),
                partial(enter, room),
            ):
                with pytest.raises(LedgerError) as raised:
                    await write()
                assert str(raised.value) == f"{room.where} refuses for lack of memory"
            assert await access.last() == place
            redis.cli("CONFIG", "SET", "maxmemory", "0")
            await access.save(b"snapshot", place, place)
            await access.add(b"second")
        await enter(room)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_evicts_is_refused(policy: str) -> None:
    """The refusal says by which command that is changed."""
    with running_redis(maxmemory_policy=policy) as redis:
        room = Streams(redis.url, "a")
        text = await refusal_of(room)
        assert text.startswith(f"{room.where} may throw away what a room needs")
        assert policy in text
        command = text.partition("redis-cli ")[2]
        assert command == "config set maxmemory-policy noeviction"
        redis.cli(*command.split())
        await enter(room)


async def test_a_wrong_password_is_refused() -> None:
    """None, a wrong one, and an unknown user; the right one lets in, also by the user's name."""
    with running_redis(requirepass="word") as redis:
        place = f"127.0.0.1:{redis.port}"
        for who in ("", ":hunter2@", "ann:word@"):
            text = await refusal_of(Streams(f"redis://{who}{place}", "a"))
            assert text == (
                f"Redis at 127.0.0.1 port {redis.port} wants another password, or another user"
            )
        for who in (":word@", "default:word@"):
            await enter(Streams(f"redis://{who}{place}", "a"))


async def test_a_user_needs_few_rights() -> None:
    """What a room asks for is enough; who lacks some of it is refused, and told what."""
    with running_redis() as redis:
        enough = "+@stream +@scripting +@string +@hash +@keyspace +@connection +info +time"
        redis.cli("ACL", "SETUSER", "ann", "on", ">word", "~triochat:*", *enough.split())
        room = Streams(f"redis://ann:word@127.0.0.1:{redis.port}", "a")
        async with room.open() as access:
            assert await access.found(b"first", b"")
            await use(access)
        redis.cli("ACL", "SETUSER", "ann", "-xadd")
        text = await refusal_of(room)
        assert text.startswith(f"{room.where} does not let this user do what a room needs: ")
        assert "xadd" in text
        redis.cli("ACL", "SETUSER", "ann", "+xadd", "resetkeys", "~other:*")
        assert "keys" in await refusal_of(room)
        redis.cli("ACL", "SETUSER", "ann", "~triochat:*", "-info")
        assert "info" in await refusal_of(room)


async def use(access: Access) -> None:
    """Ask for all that there is, of a room."""
    place = await access.last()
    assert place
    await access.add(b"second")
    assert len(await access.read(START)) == 2
    assert await access.standing(place) is Standing.KEPT
    await access.save(b"snapshot", place, place)
    assert await access.load() == (place, b"snapshot")
    assert await access.take_duty("aaaaaaaa")
    assert await access.sign("a", "aaaaaaaa", ["a"]) == {"a": "aaaaaaaa"}
    assert await access.call_roll("a", Reached(2, place)) == {"a": Reached(2, place)}
    await access.resign("a", "aaaaaaaa")
    assert await access.take_lead("aaaaaaaa")
    assert await access.found(b"anew", b"snapshot", place)


async def test_rights_that_are_taken_away_are_an_error_of_the_ledger() -> None:
    """Where it is in use already, nobody is told to set it up."""
    with running_redis() as redis:
        redis.cli("ACL", "SETUSER", "ann", "on", ">word", "~*", "+@all")
        async with Streams(f"redis://ann:word@127.0.0.1:{redis.port}", "a").open() as access:
            await access.found(b"first", b"")
            redis.cli("ACL", "SETUSER", "ann", "-xadd", "-set")
            with pytest.raises(LedgerError, match="does not let this user"):
                await access.add(b"second")
            with pytest.raises(LedgerError, match=r"does not let|can't run this command"):
                await access.take_duty("aaaaaaaa")


async def test_a_replica_is_no_place_to_write() -> None:
    """Also one that would take writes, and lose them; one that becomes one is an error."""
    with running_redis() as master, running_redis() as redis:
        room = Streams(redis.url, "a")
        is_replica = f"{room.where} is a replica, and takes no writes"
        async with room.open() as access:
            await access.found(b"first", b"")
            redis.cli("REPLICAOF", "127.0.0.1", str(master.port))
            with pytest.raises(LedgerError) as raised:
                await access.add(b"second")
            assert str(raised.value) == is_replica
        assert await failure_of(room) == is_replica
        redis.cli("CONFIG", "SET", "replica-read-only", "no")
        assert await failure_of(room) == is_replica


async def test_what_a_file_keeps_is_there_after_a_restart() -> None:
    """Another run of Redis has another name, and with an append-only file all entries."""
    with running_redis() as redis:
        room = Streams(redis.url, "a")
        async with room.open() as access:
            await access.found(b"first", b"snapshot")
            await access.add(b"second")
            place, run = await access.last(), access.run
            assert place
            assert (await enter(room)).run == run
            redis.kill()
            with pytest.raises(LedgerError):
                await access.add(b"third")
            assert "refused" in await failure_of(room)
            redis.start()
            with pytest.raises(LedgerError):  # that attempt is over
                await access.add(b"third")
        async with room.open() as access:
            assert access.run != run
            assert await access.standing(place) is Standing.KEPT
            assert [entry.data for entry in await access.read(START)] == [b"first", b"second"]


async def test_what_nothing_keeps_is_lost_with_a_restart() -> None:
    """The marker says so, and whoever adds."""
    with running_redis(appendonly="no") as redis:
        room = Streams(redis.url, "a")
        async with room.open() as access:
            await access.found(b"first", b"snapshot")
            place, run = await access.last(), access.run
            assert place
        redis.restart()
        async with room.open() as access:
            assert access.run != run
            assert await access.standing(place) is Standing.LOST
            with pytest.raises(LostError):
                await access.add(b"second")
            assert await access.take_lead("aaaaaaaa")
            assert await access.found(b"anew", b"", place)
            assert await access.standing(place) is Standing.TRIMMED


async def test_the_way_is_encrypted_and_the_host_is_looked_at(tmp_path: Path) -> None:
    """Its own authority is named in the URL; without it, or under another name, nobody goes in."""
    with running_redis(certificate=Certificate("localhost")) as redis:
        ours = f"?ssl_ca_certs={redis.authority}"
        room = Streams(f"rediss://localhost:{redis.tls_port}{ours}", "a")
        async with room.open() as access:
            await access.found(b"first", bytes(1 << 20))
            await use(access)
        other = Certificate("localhost").write_authority(tmp_path / "other.pem")
        for host, query, why in (
            ("localhost", "", "certificate"),
            ("localhost", f"?ssl_ca_certs={other}", "certificate"),
            ("127.0.0.1", ours, "IP address mismatch"),
        ):
            text = await refusal_of(Streams(f"rediss://{host}:{redis.tls_port}{query}", "a"))
            assert text.startswith(f"Redis at {host} port {redis.tls_port} is not trusted: ")
            assert why in text
            assert text.endswith("; name its authority by ?ssl_ca_certs=FILE")
        text = await failure_of(Streams(f"redis://localhost:{redis.tls_port}", "a"))
        assert "onnection" in text  # which it closes, or resets


async def test_a_client_may_be_known_by_a_certificate(tmp_path: Path) -> None:
    """A Redis that asks for one takes those of its authority."""
    certificate = Certificate("localhost")
    with running_redis(certificate=certificate, tls_auth_clients="yes") as redis:
        file, key = certificate.write(tmp_path)
        url = f"rediss://localhost:{redis.tls_port}?ssl_ca_certs={redis.authority}"
        await enter(Streams(f"{url}&ssl_certfile={file}&ssl_keyfile={key}", "a"))
        await failure_of(Streams(url, "a"))


async def test_where_nobody_listens_is_told_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence says where, and why; nothing else is logged."""
    caplog.set_level(logging.DEBUG)
    port = free_port()
    text = await failure_of(Streams(f"redis://localhost:{port}", "a"))
    assert text == f"Redis at localhost port {port}: connection refused"
    text = await failure_of(Streams("redis://nowhere.invalid", "a"))
    assert text.startswith("Redis at nowhere.invalid port 6379: ")
    assert caplog.text == ""


OLD = "redis_version:6.2.7\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nrun_id:0"
NEW = OLD.replace("6.2.7", "7.2.4")
HELLO = b"%3\r\n+proto\r\n:3\r\n+version\r\n+6.2.7\r\n+id\r\n:1\r\n"


@asynccontextmanager
async def acting(*answers: bytes, scheme: str = "redis") -> AsyncIterator[Ledger]:
    """What answers like this, in this order, whatever it is asked; then it is silent."""

    async def answer(stream: trio.SocketStream) -> None:
        for each in answers:
            if not await stream.receive_some():
                return
            await stream.send_all(each)
        async for _ in stream:
            pass

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        port = listener.socket.getsockname()[1]
        yield Streams(f"{scheme}://127.0.0.1:{port}", "a")
        nursery.cancel_scope.cancel()


def bulk(text: str) -> bytes:
    """A text, as Redis writes it."""
    return f"${len(text)}\r\n{text}\r\n".encode()


async def test_an_old_release_is_refused() -> None:
    """Redis 7, or Valkey, which says that it does what Redis 7.2 does."""
    async with acting(HELLO, bulk(OLD)) as room:
        assert await refusal_of(room) == f"{room.where} is version 6.2.7; 7 or later is needed"
    async with acting(HELLO, bulk(NEW), b"_\r\n") as room:
        await enter(room)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"-LOADING Redis is loading the dataset in memory", " still reads what it has kept"),
        (b"-MASTERDOWN Link with MASTER is down", " is a replica that has lost its master"),
        (b"-MISCONF Redis is configured", " refuses, since it cannot write to its disk"),
        (b"-BUSY Redis is busy running a script", " is busy with a script"),
        (b"-READONLY You can't write", " is a replica, and takes no writes"),
        (b"-ERR something else", ": something else"),
        (
            b"-MOVED 7 127.0.0.1:1",
            " has this room at another node of its cluster; name that in the URL: 7 127.0.0.1:1",
        ),
        (b"HTTP/1.1 400 Bad Request", " is no Redis"),
        (b"-CLUSTERDOWN The cluster is down", ": The cluster is down"),
    ],
)
async def test_what_redis_cannot_do_now_is_told_in_words(answer: bytes, words: str) -> None:
    """Each is an error of the ledger, which may go away by itself."""
    async with acting(HELLO, bulk(NEW), answer + b"\r\n") as room:
        assert await failure_of(room) == f"{room.where}{words}"


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n", b"\r\n", b"$x\r\n", b"+OK\r\n", b"\x15\3\3\0\2\2\x28\r\n"],
)
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_what_is_no_redis_is_an_error_of_the_ledger(
    answer: bytes, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it says, and whenever it begins to."""
    monkeypatch.setattr(streams, "PATIENCE", 0.5)
    answers = [HELLO, bulk(NEW), b"_\r\n"][:after]
    async with acting(*answers, answer) as room:
        with pytest.raises((LedgerError, ValueError)) as raised:
            async with room.open() as access:
                await access.last()
        assert type(raised.value) in (LedgerError, ValueError)


async def test_what_does_not_encrypt_cannot_be_spoken_to_by_tls() -> None:
    """It is told what is wrong, as far as it says anything."""
    async with acting(b"-ERR unknown command\r\n", scheme="rediss") as room:
        text = await failure_of(room)
        assert text == f"{room.where} cannot be spoken to by TLS: WRONG_VERSION_NUMBER"


async def test_one_connection_too_many_is_an_error_of_the_ledger() -> None:
    """Redis says so and closes the connection; which of it is seen first is chance."""
    with running_redis(maxclients="1") as redis:
        room = Streams(redis.url, "a")
        assert (await failure_of(room)).startswith(room.where)
