from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from house import House, Peer, open_house
from triochat import __version__
from triochat.dialects.http import HEAD, PATIENCE
from triochat.metrics import CONNECTIONS, serve_metrics
from triochat.testing import MemoryListener

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Measured:
    """A house, and the door where it is measured."""

    def __init__(self, house: House, door: MemoryListener) -> None:
        self.house = house
        self.door = door

    async def ask(self, *pieces: bytes) -> tuple[str, dict[str, str], str]:
        """The status, the headers and the body of what is answered to this."""
        stream = await self.door.connect()
        for piece in pieces:
            await stream.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        return read(await rest(stream))

    async def samples(self) -> dict[str, float]:
        """All that is measured, each as Prometheus would name it."""
        _, _, body = await self.ask(GET)
        return parsed(body)


@asynccontextmanager
async def measured() -> AsyncIterator[Measured]:
    """A house that is measured."""
    async with open_house() as house, trio.open_nursery() as nursery:
        door = MemoryListener()
        nursery.start_soon(serve_metrics, [door], house.hub)
        yield Measured(house, door)
        nursery.cancel_scope.cancel()


async def rest(stream: trio.abc.HalfCloseableStream) -> bytes:
    """All until the server says that it has said all; then it is let go."""
    said = b""
    while data := await stream.receive_some():
        said += data
    await stream.aclose()
    return said


def read(response: bytes) -> tuple[str, dict[str, str], str]:
    """A whole response of HTTP."""
    head, _, body = response.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["Connection"] == "close"
    return status, headers, body


def parsed(body: str) -> dict[str, float]:
    """What the library's own parser finds."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def rows(samples: dict[str, float], names: Iterable[str]) -> dict[str, float]:
    """Only these."""
    return {name: samples[name] for name in names}


async def test_what_is_measured() -> None:
    """The figures of the room and of the process, by Prometheus's conventions."""
    async with measured() as at:
        ann, _ = await at.house.plain("Ann"), await at.house.ndjson("Bob")
        await at.house.connect()
        await ann.type("\\x", "hello")
        await ann.hear(2)
        at.house.hub.counts.evictions["fell behind"] = 2
        at.house.hub.counts.failures = 3
        await trio.testing.wait_all_tasks_blocked()
        samples = await at.samples()
        wanted = {
            f"triochat_info {__version__}": 1,
            "triochat_members plain": 1,
            "triochat_members ndjson": 1,
            "triochat_members_unencrypted": 0,
            "triochat_away": 0,
            "triochat_queue": 0,
            "triochat_members_here": 2,
            "triochat_servers": 0,
            "triochat_servers_lost_seconds": 0,
            "triochat_strangers": 1,
            "triochat_messages_total": at.house.hub.counts.lines,
            "triochat_deliveries_total": 5,
            "triochat_refusals_total unknown-command": 1,
            "triochat_evictions_total fell behind": 2,
            "triochat_tls_failures_total": 3,
        }
        assert rows(samples, wanted) == wanted
        assert 0 < samples["triochat_loop_lag_seconds"] < 60
        assert 5e6 < samples["process_resident_memory_bytes"] < 2e9
        assert samples["process_open_fds"] > 2


@pytest.mark.parametrize("cut", range(1, len(GET), 3))
async def test_a_request_may_come_in_pieces(cut: int) -> None:
    """Wherever it is cut it is one request."""
    async with measured() as at:
        status, headers, body = await at.ask(GET[:cut], GET[cut:])
        assert status == "HTTP/1.1 200 OK"
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert int(headers["Content-Length"]) == len(body.encode())
        assert "triochat_info" in body


async def test_only_the_head() -> None:
    """HEAD has the length of what GET would have, and no more."""
    async with measured() as at:
        status, headers, body = await at.ask(b"HEAD" + GET[3:])
        assert (status, body) == ("HTTP/1.1 200 OK", "")
        assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics?name[]=x HTTP/1.0\r\n\r\n", "200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "405 Method Not Allowed"),
        (b"FETCH /metrics HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (b"GET /metrics\r\n\r\n", "400 Bad Request"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", "400 Bad Request"),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (b"\r\n\r\n", "400 Bad Request"),
        (b"\xff\0\r\n\r\n", "400 Bad Request"),
        (b"\x16\x03\x01" + b"\0" * HEAD, "400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * HEAD + b"\r\n\r\n", "400 Bad Request"),
    ],
)
async def test_other_requests(request_: bytes, status: str) -> None:
    """What is no request for the metrics is answered with what it is, in a sentence."""
    async with measured() as at:
        found, headers, body = await at.ask(request_)
        assert found == f"HTTP/1.1 {status}"
        assert ("Allow" in headers) == status.startswith("405")
        assert body.endswith("\n")


async def test_who_takes_too_long_is_closed() -> None:
    """A request that drips ends after a while."""
    async with measured() as at:
        stream = await at.door.connect()
        with suppress(trio.BrokenResourceError):
            while trio.current_time() < 2 * PATIENCE:
                await stream.send_all(b"x")
                await trio.sleep(1)
        assert trio.current_time() == pytest.approx(PATIENCE, abs=1.1)


async def test_many_at_once_keep_nobody_out() -> None:
    """One more than there may be takes the place of the oldest; the room does not notice."""
    async with measured() as at:
        silent = [await at.door.connect() for _ in range(CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        status, _, _ = await at.ask(GET)
        assert status == "HTTP/1.1 200 OK"
        assert await silent[0].receive_some() == b""
        with trio.move_on_after(1) as scope:
            await silent[1].receive_some()
        assert scope.cancelled_caught
        await at.house.plain("Ann")


async def test_who_vanishes_is_no_trouble() -> None:
    """Neither before it has asked nor while it is answered."""
    async with measured() as at:
        for said in (b"", b"GET", GET):
            stream = await at.door.connect()
            await stream.send_all(said)
            await stream.aclose()
        assert isinstance(await at.house.plain("Ann"), Peer)
        assert (await at.samples())["triochat_members plain"] == 1
