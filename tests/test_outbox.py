import os
from functools import partial

import pytest
import trio
import trio.testing

from triochat.backlog import HELD, TOTAL, Backlog
from triochat.outbox import AGE, LIMIT, LINGER, STALL, Outbox, Way


async def test_what_is_queued_goes_out_as_one() -> None:
    """The sender takes all that is queued and makes one send of it, in order."""
    ours, theirs = trio.testing.memory_stream_pair()
    outbox = Outbox(Backlog())
    for blob in (b"one\n", b"two\n", b"three\n"):
        outbox.put(blob)
    outbox.close("bye")
    await outbox.send_to(ours)
    assert await theirs.receive_some() == b"one\ntwo\nthree\n"
    assert await theirs.receive_some() == b""


async def test_nothing_is_put_after_close() -> None:
    """What is put after close is not sent, and does no harm."""
    ours, theirs = trio.testing.memory_stream_pair()
    outbox = Outbox(Backlog())
    outbox.close("bye")
    outbox.put(b"late\n")
    await outbox.send_to(ours)
    assert await theirs.receive_some() == b""


async def test_too_many_bytes_evict() -> None:
    """A peer for which more than the limit piles up is cancelled there and then."""
    outbox = Outbox(Backlog())
    with outbox.scope:
        outbox.put(bytes(LIMIT))
        assert not outbox.scope.cancel_called
        outbox.put(b"x")
        assert outbox.scope.cancel_called
    assert outbox.why == "fell behind"
    assert outbox.way is Way.GONE


async def test_too_many_bytes_for_all_evict_one() -> None:
    """Where too much waits for all together the one for which most waits goes, and only that."""
    backlog = Backlog()
    outboxes = [Outbox(backlog) for _ in range(TOTAL // LIMIT * 2)]
    for outbox in outboxes:
        outbox.put(bytes(LIMIT // 2))
    outboxes[7].put(b"x")
    assert all(outbox.way is Way.OPEN for outbox in outboxes[:7] + outboxes[8:])
    assert outboxes[7].why == "fell behind, and too much waits for all"
    outboxes[8].put(b"x" * (LIMIT // 2))
    assert outboxes[8].way is Way.OPEN
    for outbox in outboxes:
        outbox.abandon()
    assert (backlog._total, backlog._held) == (0, {})


async def test_what_was_taken_does_not_wait_any_more() -> None:
    """Bytes that a peer has taken count no more, and those of one that is gone."""
    backlog = Backlog()
    ours, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(backlog)
    outbox.put(bytes(LIMIT))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send_to, ours)
        for _ in range(LIMIT >> 17):
            await theirs.receive_some(1 << 16)
        await trio.testing.wait_all_tasks_blocked()
        assert backlog._total == outbox._queued <= LIMIT // 2 + (1 << 16)
        outbox.abandon()
        assert backlog._total == 0
        nursery.cancel_scope.cancel()


async def test_a_stalled_peer_is_evicted() -> None:
    """A peer that takes nothing for the stall time is evicted, however little waits for it."""
    ours, _theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(Backlog())
    outbox.put(b"hello\n")
    with outbox.scope:
        await outbox.send_to(ours)
    assert outbox.why == "fell behind"
    assert trio.current_time() == pytest.approx(STALL)


async def test_a_slow_peer_that_makes_progress_stays() -> None:
    """A peer that takes some bytes now and then is not evicted while it takes all in time."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(Backlog())
    size = LIMIT
    outbox.put(bytes(size))
    outbox.close("bye")
    outbox.scope.deadline = float("inf")
    got = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send_to, ours)
        while data := await theirs.receive_some(1 << 16):
            got += len(data)
            await trio.sleep(AGE * (1 << 16) / size * 0.9)
    assert got == size
    assert outbox.why == "bye"


async def test_what_waits_too_long_evicts() -> None:
    """A peer that takes a little now and then is evicted when what waits for it is too old."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(Backlog())
    outbox.put(bytes(LIMIT))

    async def sip() -> None:
        while await theirs.receive_some(1 << 16):  # noqa: ASYNC110  it is slow, and waits for nothing
            await trio.sleep(STALL - 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sip)
        with outbox.scope:
            await outbox.send_to(ours)
        nursery.cancel_scope.cancel()
    assert outbox.why == "fell behind"
    assert trio.current_time() == pytest.approx(AGE)


async def test_close_bounds_the_ending() -> None:
    """After close the session has as long as the linger, and not longer."""
    ours, _theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(Backlog())
    outbox.put(b"good-bye\n")
    outbox.close("bye")
    with outbox.scope:
        await outbox.send_to(ours)
    assert trio.current_time() == pytest.approx(LINGER)


async def test_talkers_wait_while_somebody_is_behind() -> None:
    """The backlog is not clear from when an outbox is half full until it has caught up."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    backlog = Backlog()
    outbox = Outbox(backlog)
    assert not backlog
    await backlog.wait_room(HELD)
    outbox.put(bytes(LIMIT // 2 + 1))
    assert backlog
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.send_to, ours)
        got = 0
        while backlog:
            assert got < LIMIT * 3 // 4
            got += len(await theirs.receive_some(1 << 16))
            await trio.testing.wait_all_tasks_blocked()
        await backlog.wait_room(HELD)
        nursery.cancel_scope.cancel()


async def test_who_is_gone_is_not_behind() -> None:
    """An evicted or abandoned outbox holds nobody back."""
    backlog = Backlog()
    outbox = Outbox(backlog)
    outbox.put(bytes(LIMIT // 2 + 1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backlog.wait_room, HELD)
        await trio.testing.wait_all_tasks_blocked()
        outbox.abandon()
    assert not backlog


async def test_write_through_keeps_the_order() -> None:
    """Bytes that a socket does not take at once, and all after them, follow in their order."""
    left, right = trio.socket.socketpair()
    ours, theirs = trio.SocketStream(left), trio.SocketStream(right)
    outbox = Outbox(Backlog())
    blobs = [bytes([number]) * 20_000 for number in range(40)]
    got = bytearray()
    async with trio.open_nursery() as nursery:
        outbox.send_lazily(partial(nursery.start_soon, outbox.send_to, ours))
        outbox.write_through(os.write, ours.socket.fileno())
        outbox.put(b"first\n")
        assert await theirs.receive_some() == b"first\n"
        assert not nursery.child_tasks
        for blob in blobs:
            outbox.put(blob)
        assert len(nursery.child_tasks) == 1
        outbox.close("bye")
        outbox.scope.deadline = float("inf")
        async for data in theirs:
            got += data
    assert got == b"".join(blobs)
    await ours.aclose()
    await theirs.aclose()


async def test_write_through_to_a_dead_socket_is_harmless() -> None:
    """A peer that is gone makes no error where something is put for it."""
    left, right = trio.socket.socketpair()
    ours = trio.SocketStream(left)
    outbox = Outbox(Backlog())
    async with trio.open_nursery() as nursery:
        outbox.send_lazily(partial(nursery.start_soon, outbox.send_to, ours))
        outbox.write_through(os.write, ours.socket.fileno())
        right.close()
        outbox.put(b"hello?\n")
        outbox.abandon()
    await ours.aclose()


async def test_an_idle_plain_socket_has_no_sender_task() -> None:
    """A sender is started when something is queued, or at the end; never twice, nor afterwards."""
    left, right = trio.socket.socketpair()
    ours, theirs = trio.SocketStream(left), trio.SocketStream(right)
    outbox = Outbox(Backlog())
    async with trio.open_nursery() as nursery:
        outbox.send_lazily(partial(nursery.start_soon, outbox.send_to, ours))
        outbox.write_through(os.write, ours.socket.fileno())
        outbox.put(b"good-bye\n")
        assert not nursery.child_tasks
        outbox.start_sender()
        outbox.start_sender()
        outbox.close("bye")
        assert len(nursery.child_tasks) == 1
    assert await theirs.receive_some() == b"good-bye\n"
    assert await theirs.receive_some() == b""
    outbox.start_sender()
    await ours.aclose()
    await theirs.aclose()


async def test_an_outbox_that_was_closed_before_still_ends_its_stream() -> None:
    """A session that begins while the room closes ends its stream at once; nothing is put."""
    left, right = trio.socket.socketpair()
    ours, theirs = trio.SocketStream(left), trio.SocketStream(right)
    outbox = Outbox(Backlog())
    outbox.close("bye")
    async with trio.open_nursery() as nursery:
        outbox.send_lazily(partial(nursery.start_soon, outbox.send_to, ours))
        outbox.write_through(os.write, ours.socket.fileno())
        outbox.put(b"late\n")
        assert await theirs.receive_some() == b""
    await ours.aclose()
    await theirs.aclose()
