import logging

import pytest
import trio

from triochat.journal import ALL, LINES, WINDOW, Journal
from triochat.order import Peer

NOBODY = Peer("", "10.0.0.9 port 1", "10.0.0.9/32")


def peer(host: str = "10.0.0.5/32") -> Peer:
    """A peer that comes from this host."""
    return Peer("1", f"{host.partition('/')[0]} port 4242", host)


async def test_a_flood_is_a_few_lines(
    caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    """Of one kind from one host a few lines are written, and one more says how many there were."""
    caplog.set_level("INFO", "triochat")
    journal = Journal()
    nursery.start_soon(journal.run)
    for _ in range(LINES + 1234):
        journal.note(peer(), "refused", "refused (bad-request)")
    journal.note(peer(), "evicted")
    journal.note(NOBODY, "refused")
    await trio.sleep(WINDOW - 0.1)
    assert caplog.messages == [
        *["10.0.0.5 port 4242: refused (bad-request)"] * LINES,
        "10.0.0.5 port 4242: evicted",
        "10.0.0.9 port 1: refused",
    ]
    caplog.clear()
    await trio.sleep(0.2)
    assert caplog.messages == ["10.0.0.5: 1,234 more refused"]
    journal.note(peer(), "refused")
    assert len(caplog.messages) == 2
    nursery.cancel_scope.cancel()


async def test_what_was_left_out_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A server that stops in the middle of a flood says how much of it there was."""
    caplog.set_level("INFO", "triochat")
    journal = Journal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        for _ in range(LINES + 1):
            journal.note(peer("2001:db8::/64"), "refused")
        nursery.cancel_scope.cancel()
    assert caplog.messages[LINES:] == ["2001:db8::/64: 1 more refused"]


async def test_many_hosts_are_no_way_around_it(
    caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    """All hosts together have a bound as well, and only those with most are named."""
    caplog.set_level("INFO", "triochat")
    journal = Journal()
    nursery.start_soon(journal.run)
    for number in range(ALL + 100):
        journal.note(peer(f"10.0.{number // 256}.{number % 256}/32"), "refused")
    for _ in range(3):
        journal.note(peer(), "refused")
    assert len(caplog.messages) == ALL
    caplog.clear()
    await trio.sleep(WINDOW + 1)
    assert caplog.messages[0] == "10.0.0.5: 3 more refused"
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "and 91 more lines about 91 other hosts"
    nursery.cancel_scope.cancel()


async def test_a_warning_is_never_left_out_for_others(caplog: pytest.LogCaptureFixture) -> None:
    """However many hosts fill the log, what somebody should act on is in it."""
    caplog.set_level(logging.INFO, "triochat")
    journal = Journal()
    for number in range(ALL + 100):
        journal.note(peer(f"10.1.{number // 250}.{number % 250}/32"), "refused")
    journal.note(peer("10.2.0.1/32"), "guesses", "10 wrong passwords", level=logging.WARNING)
    assert caplog.messages[-1].endswith("10 wrong passwords")


async def test_what_nobody_reads_is_not_counted(
    caplog: pytest.LogCaptureFixture, nursery: trio.Nursery
) -> None:
    """Below the level of the log there is nothing to tell, and nothing to tell of it later."""
    caplog.set_level("WARNING", "triochat")
    journal = Journal()
    nursery.start_soon(journal.run)
    for _ in range(LINES + 1):
        journal.note(peer(), "refused")
    journal.note(peer(), "bug", level=logging.ERROR)
    await trio.sleep(WINDOW + 1)
    assert caplog.messages == ["10.0.0.5 port 4242: bug"]
    nursery.cancel_scope.cancel()
