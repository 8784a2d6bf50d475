import trio
import trio.testing

from triochat.shares import Shares


async def test_first_come_first_served() -> None:
    """Who waits longest is given its share first, and comes after the others with the rest."""
    shares = Shares()
    given: list[tuple[str, int]] = []

    async def want(name: str, count: int) -> None:
        while count:
            share = await shares.wait(count)
            given.append((name, share))
            count -= share

    async with trio.open_nursery() as nursery:
        for name, count in (("ann", 101), ("bob", 3), ("cleo", 50)):
            nursery.start_soon(want, name, count)
            await trio.testing.wait_all_tasks_blocked()
        assert shares.give(100) == 100
        await trio.testing.wait_all_tasks_blocked()
        assert given == [("ann", 100)]
        assert shares.give(52) == 52
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(given[1:]) == [("bob", 3), ("cleo", 49)]
        assert shares.give(50) == 2
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(given[3:]) == [("ann", 1), ("cleo", 1)]


async def test_nobody_waits_and_nothing_is_given() -> None:
    """What nobody asks for is left."""
    assert Shares().give(100) == 0


async def test_who_is_gone_takes_no_share() -> None:
    """A share goes to those who still wait, however those went who do not."""
    shares = Shares()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shares.wait, 10)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert shares.give(100) == 0
