import random

import pytest
import trio
import trio.testing

from triochat.handshakes import BURST, RATE, Handshakes


def stays() -> bool:
    """It waits for as long as it takes."""
    return True


async def test_a_few_begin_at_once_and_the_others_at_a_rate() -> None:
    """So many in a burst wait for nothing, and one more for each part of a second."""
    handshakes, count = Handshakes(), 100
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(handshakes.wait_turn, str(number), stays)
    assert trio.current_time() == pytest.approx((count - BURST) / RATE)


async def test_hosts_take_turns() -> None:
    """However many of one host wait, one of another is the next or the one after that."""
    handshakes, order = Handshakes(), list[str]()

    async def shake(host: str) -> None:
        await handshakes.wait_turn(host, stays)
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


async def test_who_is_gone_holds_nobody_up() -> None:
    """Whoever waits and vanishes, first or in the middle, takes no turn."""
    handshakes = Handshakes()
    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(handshakes.wait_turn, "gone", stays)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    then = trio.current_time()
    await handshakes.wait_turn("gone", stays)
    assert trio.current_time() - then < 3 / RATE


@pytest.mark.parametrize("hosts", [210, 10_000])
async def test_who_comes_in_a_flood_is_served_at_once(hosts: int) -> None:
    """Where more begin than may, nobody is served who has waited until it is turned away.

    From a few hundred addresses the flood makes nobody else wait; where each of them comes but
    once a newcomer is as likely as anybody among those whom there is time for.
    """
    random.seed(1)
    handshakes, arrivals, patience = Handshakes(), 400, 0.5
    waits: list[float] = []

    async def shake(host: str) -> None:
        with trio.move_on_after(patience):
            await handshakes.wait_turn(host, stays)

    async def come(host: str) -> None:
        began = trio.current_time()
        with trio.move_on_after(patience):
            await handshakes.wait_turn(host, stays)
        waits.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for number in range(10 * arrivals):
            nursery.start_soon(shake, f"flood {number % hosts}")
            if number > 4 * arrivals and number % 11 == 0:
                nursery.start_soon(come, f"newcomer {number}")
            await trio.sleep(1 / arrivals)
    served = sum(wait < patience / 2 for wait in waits) / len(waits)
    assert served == 1 if hosts == 210 else served > 0.6


async def test_who_was_turned_away_costs_no_turn() -> None:
    """Whoever is gone when its turn comes, or waits no more, takes no token from the others."""
    handshakes = Handshakes()
    for number in range(int(BURST)):
        await handshakes.wait_turn(str(number), stays)
    then = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(handshakes.wait_turn, f"turned away {number}", lambda: False)
        await trio.testing.wait_all_tasks_blocked()
        await handshakes.wait_turn("stays", stays)
        assert trio.current_time() - then == pytest.approx(1 / RATE)
