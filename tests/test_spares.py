"""Spare connections: who greets a silent one, and when. A browser has opened it for later."""

import pytest
import trio
import trio.testing

from house import House, Peer, open_house
from triochat.hosts import host_of
from triochat.spares import HOSTS, KEPT, LATER, Spares
from triochat.stranger import GREETING_DELAY, PERSON

BROWSER = "10.0.0.7"
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:9999\r\n\r\n"


async def load(house: House, address: str = BROWSER) -> None:
    """What a browser does there: it asks for the page, and is answered."""
    page = await house.from_host(address)
    await page.stream.send_all(GET)
    assert (await page.rest())[0].startswith("HTTP/1.1 ")


async def greeted_after(peer: Peer) -> float:
    """After how many seconds of silence from now it is greeted."""
    began = trio.current_time()
    assert (await peer.line()).startswith("* triochat: what is your handle?")
    return trio.current_time() - began


async def test_a_silent_connection_is_greeted_soon() -> None:
    """Who has only nc is asked for a handle after half a second."""
    async with open_house() as house:
        assert await greeted_after(await house.from_host(BROWSER)) == GREETING_DELAY


async def test_where_a_browser_is_a_silent_connection_is_greeted_late() -> None:
    """From a host that has spoken HTTP in the last ten minutes it may be a spare one."""
    async with open_house() as house:
        await load(house)
        other = await house.from_host("10.0.0.8")
        spare = await house.from_host(BROWSER)
        assert await greeted_after(other) == GREETING_DELAY
        assert await greeted_after(spare) == pytest.approx(LATER - GREETING_DELAY)
        await trio.sleep(KEPT - LATER - 1)
        assert await greeted_after(await house.from_host(BROWSER)) == LATER
        await load(house)  # it is remembered from the last time on
        await trio.sleep(KEPT - 1)
        assert await greeted_after(await house.from_host(BROWSER)) == LATER
        await trio.sleep(KEPT)
        assert await greeted_after(await house.from_host(BROWSER)) == GREETING_DELAY


async def test_a_spare_that_was_there_first_is_greeted_late_too() -> None:
    """A browser may open it before it says a word: what counts is what is known when it is due."""
    async with open_house() as house:
        spare = await house.from_host(BROWSER)
        await trio.sleep(GREETING_DELAY / 2)
        await load(house)
        assert await greeted_after(spare) == pytest.approx(LATER - GREETING_DELAY / 2)


async def test_a_sealed_spare_is_greeted_late() -> None:
    """A browser shakes hands on its spare connection; its silence begins then."""
    async with open_house(is_sealed=True) as house:
        house.hub.spares.note("", trio.current_time())  # where memory streams come from
        spare = await house.sealed()
        assert await greeted_after(spare) == pytest.approx(LATER)


async def test_who_is_greeted_late_has_no_more_time() -> None:
    """A minute is a person's from its coming, however long nobody asked for its handle."""
    async with open_house() as house:
        await load(house)
        began = trio.current_time()
        lines = await (await house.from_host(BROWSER)).rest()
        assert trio.current_time() - began == pytest.approx(PERSON)
        assert len(lines) == 2


@pytest.mark.parametrize("wait", [0.0, 1.0, LATER - 1, 14.999])
async def test_a_request_on_a_spare_is_answered_as_http_alone(wait: float) -> None:
    """When the browser uses it nothing stands before the response."""
    async with open_house() as house:
        await load(house)
        spare = await house.from_host(BROWSER)
        await trio.sleep(wait)
        await spare.stream.send_all(GET)
        lines = await spare.rest()
        assert lines[0].startswith("HTTP/1.1 ")
        assert not any("what is your handle" in line for line in lines)


@pytest.mark.parametrize("is_spare", [True, False])
@pytest.mark.parametrize("cut", range(1, 5))
async def test_what_arrives_as_the_greeting_is_due_is_not_lost(is_spare: bool, cut: int) -> None:
    """Bytes that come in the same moment, and in pieces around it, are all heard, in order."""
    async with open_house() as house:
        if is_spare:
            await load(house)
        due = trio.current_time() + (LATER if is_spare else GREETING_DELAY)
        ann = await house.from_host(BROWSER)
        await trio.sleep_until(due)
        await ann.stream.send_all(b"Ann\n"[:cut])
        await trio.testing.wait_all_tasks_blocked()
        await ann.stream.send_all(b"Ann\n"[cut:])
        assert (await ann.until("* Server connected")).startswith(
            "* Server connected. You are Ann."
        )
        assert house.room.roster == ("Ann",)


def test_hosts_are_forgotten() -> None:
    """Of so many hosts it is remembered and no more, rather of those that came lately."""
    spares = Spares()
    for number in range(HOSTS):
        spares.note(f"host {number}", 1.0)
    spares.note("host 0", 2.0)
    spares.note("one more", 3.0)
    delays = {host: spares.delay(host, 4.0) for host in ("host 0", "host 1", "host 2", "one more")}
    assert delays == {
        "host 0": LATER, "host 1": GREETING_DELAY, "host 2": LATER, "one more": LATER
    }  # fmt: skip


async def test_a_network_is_one_host() -> None:
    """A browser that has many addresses of IPv6 is one that keeps spare connections."""
    async with open_house() as house:
        await load(house, "2001:db8::1")
        assert host_of("2001:db8::1") == host_of("2001:db8::2")
        assert await greeted_after(await house.from_host("2001:db8::2")) == LATER
