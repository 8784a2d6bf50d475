import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from house import House, open_house
from tls import Hand, Sealer, any_context, make_tls
from triochat.stranger import PROGRAM


@asynccontextmanager
async def undisturbed() -> AsyncIterator[House]:
    """A house in which Ann and Bob are; at the end they talk as before, and nobody else is left."""
    tls = make_tls()
    async with open_house(tls=tls) as house:
        ann, bob = await house.plain("Ann"), await house.sealed()
        await bob.type("Bob")
        await bob.line()
        before = trio.lowlevel.current_statistics().tasks_living
        yield house
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == before
        assert len(house.hub.fan_out.links) == 2
        assert house.room.roster == ("Ann", "Bob")
        assert (tls._incoming.pending, tls._outgoing.pending) == (0, 0)
        await bob.type("still here")
        assert (await ann.heard_by_now())[-1] == "Bob> still here"
        await ann.type("so am I")
        assert (await bob.heard_by_now())[-1] == "Ann> so am I"


async def shake(house: House, keys: Path) -> tuple[trio.abc.HalfCloseableStream, Sealer, Hand]:
    """A peer that has shaken hands, and what it writes by hand from then on."""
    context = any_context()
    context.keylog_filename = str(keys)
    stream, client = await house.listener.connect(), Sealer(context)
    wire = client.hello()
    while wire:
        await stream.send_all(wire)
        await trio.testing.wait_all_tasks_blocked()
        if client.tls.version() is not None:
            break
        wire = client.hear(bytes(await stream.receive_some()))
    return stream, client, Hand(keys)


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 60, -1])
@pytest.mark.parametrize("goes", [True, False])
async def test_cut_in_the_handshake(cut: int, goes: bool) -> None:
    """Who ends in the middle of a hello is gone at once; who only ceases, when its time is over."""
    async with undisturbed() as house:
        streams = [await house.listener.connect() for _ in range(20)]
        for stream in streams:
            await stream.send_all(Sealer().hello()[:cut])
            if goes:
                await stream.aclose()
        await trio.sleep(0.1)  # handshakes wait for each other
        assert (len(house.hub.fan_out.links) == 2) is goes
        if not goes:
            await trio.sleep(PROGRAM)
        for stream in streams if not goes else ():
            assert await stream.receive_some() == b""
            await stream.aclose()


async def test_cut_after_the_servers_hello() -> None:
    """Who has seen the certificate and goes has cost a handshake, and leaves nothing."""
    async with undisturbed() as house:
        for _ in range(20):
            stream = await house.listener.connect()
            await stream.send_all(Sealer().hello())
            assert await stream.receive_some()
            await stream.aclose()


def empty_records(hand: Hand) -> bytes:
    """Records that say nothing, without end."""
    return b"".join(hand.record(b"") for _ in range(1000))


ATTACKS: dict[str, Callable[[Hand], bytes]] = {
    "what nobody sealed": lambda _: b"\x17\x03\x03\x00\x14" + bytes(20),
    "a record too long": lambda _: b"\x17\x03\x03\xff\xff" + bytes(3000),
    "another version": lambda _: b"\x17\x09\x09\x00\x14" + bytes(20),
    "plain lines": lambda _: b"Eve\nhello\n" * 5,
    "empty records": empty_records,
    "a second hello": lambda hand: hand.record(Sealer().hello()[5:], b"\x16"),
    "a kind that there is not": lambda hand: hand.record(b"x", b"\x63"),
    "nothing but padding": lambda hand: hand.record(bytes(100), b"\0"),
    "an alert": lambda hand: hand.record(b"\x02\x28", b"\x15"),
    "a session ticket": lambda hand: hand.record(b"\x04\0\0\x08" + bytes(8), b"\x16"),
}


@pytest.mark.parametrize("is_member", [True, False])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_records_that_are_none(
    attack: Callable[[Hand], bytes],
    is_member: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They end the connection with an alert, and one line in the log; nothing in them is heard."""
    caplog.set_level(logging.INFO, "triochat")
    async with undisturbed() as house:
        caplog.clear()
        stream, client, hand = await shake(house, tmp_path / "keys")
        if is_member:
            await stream.send_all(hand.record(b"Eve\n"))
            await trio.testing.wait_all_tasks_blocked()
            assert "Eve" in house.room.roster
        await stream.send_all(attack(hand))
        await trio.testing.wait_all_tasks_blocked()
        with suppress(ssl.SSLError):  # the alert
            client.hear(bytes(await stream.receive_some()))
        assert await stream.receive_some() == b""
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert [text for text in caplog.messages if "TLS failed (" in text]
        assert {record.levelno for record in caplog.records} == {logging.INFO}


async def test_new_keys_without_end(tmp_path: Path) -> None:
    """Who asks for new keys again and again is answered; others have their turn meanwhile."""
    async with undisturbed() as house:
        stream, client, hand = await shake(house, tmp_path / "keys")
        await stream.send_all(hand.record(b"Eve\n"))
        cid = await house.plain("Cid")
        await stream.send_all(b"".join(hand.update() for _ in range(5000)))
        await stream.send_all(hand.record(b"that was all\n"))
        await cid.type("?")
        assert await cid.heard_by_now() == ["* 4 here: Ann, Bob, Cid, Eve"]
        assert await cid.line() == "Eve> that was all"  # what is no line costs her as well
        await cid.type("hi")
        await trio.testing.wait_all_tasks_blocked()
        client.hear(bytes(await stream.receive_some()))
        assert client.heard.endswith(b"Cid> hi\n")
        await stream.aclose()
        await cid.stream.aclose()


async def test_every_end_without_a_good_bye(tmp_path: Path) -> None:
    """A member that ends, or is cut off, in the middle of a record is gone like any other."""
    async with undisturbed() as house:
        for cut in (0, 1, 5, 20, -1):
            stream, _, hand = await shake(house, tmp_path / "keys")
            (tmp_path / "keys").unlink()
            await stream.send_all(hand.record(b"Eve\n"))
            await stream.send_all(hand.record(b"a secret\n")[:cut])
            await trio.testing.wait_all_tasks_blocked()
            assert "Eve" in house.room.roster
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert "Eve" not in house.room.roster
