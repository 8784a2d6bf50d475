import pytest
import trio
import trio.testing

from triochat.handshakes import BURST, RATE, Handshakes


async def test_a_few_begin_at_once_and_the_others_at_a_rate() -> None:
    """So many in a burst wait for nothing, and one more for each part of a second."""
    handshakes, count = Handshakes(), 100
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(handshakes.wait_turn, str(number))
    assert trio.current_time() == pytest.approx((count - BURST) / RATE)


async def test_hosts_take_turns() -> None:
    """However many of one host wait, one of another is the next or the one after that."""
    handshakes, order = Handshakes(), list[str]()

    async def shake(host: str) -> None:
        await handshakes.wait_turn(host)
        order.append(host)

    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(shake, "many")
        await trio.sleep(0.1)
        began = len(order)
        nursery.start_soon(shake, "one")
        await trio.sleep(3 / RATE)
        assert "one" in order[began : began + 3]
        nursery.start_soon(shake, "two")
        nursery.start_soon(shake, "three")
    assert order.index("three") < began + 10
    assert len(handshakes._hosts) == 0


async def test_who_is_gone_holds_nobody_up() -> None:
    """Whoever waits and vanishes, first or in the middle, takes no turn."""
    handshakes = Handshakes()
    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(handshakes.wait_turn, "gone")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    then = trio.current_time()
    await handshakes.wait_turn("gone")
    assert trio.current_time() - then < 3 / RATE
