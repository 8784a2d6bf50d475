"""`websockets`, as a client, in all the shapes in which programs use it, against a real server."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from real import PATIENCE, Peer, Server, running_server

TOKEN = "t" * 22


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that all of these share."""
    with running_server("--rate", "0", "--web-name", "Room.Example.org") as found:
        yield found


@contextmanager
def at(server: Server, origin: str = "") -> Iterator[ClientConnection]:
    """A WebSocket there, which is closed well."""
    where = f"ws://127.0.0.1:{server.port}/ws"
    with connect(
        where,
        origin=Origin(origin) if origin else None,
        open_timeout=PATIENCE,
    ) as web:
        yield web


def ask(web: ClientConnection, **request: str | int) -> None:
    """Ask for this."""
    web.send(json.dumps(request))


def wait_for(web: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of this kind; what comes before it, and with it, does not count."""
    while True:
        for line in str(web.recv(PATIENCE)).splitlines():
            event: dict[str, Any] = json.loads(line)
            if event["type"] == kind:
                return event


@contextmanager
def join(server: Server, handle: str, **join: str) -> Iterator[ClientConnection]:
    """A member."""
    with at(server) as web:
        ask(web, type="join", handle=handle, **join)
        wait_for(web, "welcome")
        yield web


def code_of(web: ClientConnection) -> int | None:
    """The code with which the server closes it."""
    try:
        while True:
            web.recv(PATIENCE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_programs_speak(server: Server) -> None:
    """Whole messages, fragments, many lines at once, pings: all is heard, and answered in order."""
    with join(server, "Ann") as ann, join(server, "Bob") as bob:
        ask(ann, type="say", text="whole")
        assert wait_for(bob, "said")["text"] == "whole"
        ann.send(iter(['{"type":"say",', '"text":"in ', 'pieces"}']))
        assert wait_for(bob, "said")["text"] == "in pieces"
        assert ann.ping().wait(PATIENCE)
        lines = [
            json.dumps({"type": "say", "text": f"{number} " + "x" * 450}) for number in range(60)
        ]
        assert 28_000 < len("\n".join(lines).encode()) < 1 << 16
        ann.send("\n".join(lines) + "\n\n")
        for number in range(60):
            assert wait_for_number(bob) == number


_told: list[dict[str, Any]] = []


def wait_for_number(web: ClientConnection) -> int:
    """With which number the next message begins, of many that came together."""
    while not _told:
        _told.extend(json.loads(line) for line in str(web.recv(PATIENCE)).splitlines())
    return int(_told.pop(0)["text"].split()[0])


def test_one_room_with_plain_lines(server: Server) -> None:
    """Who closes well has left; the others read all that was said."""
    peer = Peer(server.port)
    peer.type("Cid")
    assert "You are Cid" in peer.line()
    with join(server, "Dan") as dan:
        ask(dan, type="typed", line="psst > Cid")
        wait_for(dan, "whispered")
    peer.wait_line("* Dan joined")
    assert [peer.line() for _ in range(2)] == ["[Dan -> you] psst", "* Dan left"]
    peer.close()


def test_a_reload(server: Server) -> None:
    """Who goes away as a page does comes back to its place, and to what was said."""
    with join(server, "Fay") as fay:
        with join(server, "Eve", token=TOKEN) as eve:
            eve.close(1001)
        ask(fay, type="say", text="while you were away")
        seen = wait_for(fay, "said")
        with at(server) as again:
            ask(again, type="join", handle="Eve", token=TOKEN, after=seen["id"] - 1)
            assert wait_for(again, "welcome")["resumed"]
            assert wait_for(again, "said") == seen


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
        (Frame(Opcode.CONT, b"{}").serialize(mask=True), 1002),
        (Frame(Opcode.BINARY, b"{}").serialize(mask=True), 1003),
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (bytes.fromhex("81ff 0000000040000000 00000000"), 1009),
    ],
)
def test_broken_frames(server: Server, sent: bytes, code: int) -> None:
    """The server closes with the right code, then the connection."""
    with join(server, "Gus", token=TOKEN[1:] + "g") as gus:
        gus.socket.sendall(sent)
        assert code_of(gus) == code


def test_pages_from_elsewhere(server: Server) -> None:
    """A handshake says where the page is from, and that has to be here."""
    with at(server, origin=f"http://127.0.0.1:{server.port}") as web:
        assert web.ping().wait(PATIENCE)
    with (
        pytest.raises(InvalidStatus) as refused,
        at(server, origin=f"http://localhost:{server.port}"),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_names_of_the_machine(server: Server) -> None:
    """By its addresses, its own name, and one that the server was told."""
    for host, status in (
        (f"localhost:{server.port}", 200),
        (socket.gethostname(), 200),
        ("room.example.org:80", 200),
        ("evil.example", 421),
    ):
        browser = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        browser.request("GET", "/", headers={"Host": host})
        with browser.getresponse() as response:
            assert response.status == status
        browser.close()


def test_over_tls(server: Server) -> None:
    """Inside TLS the same is spoken, by the server's own certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nobody has signed it
    where = f"wss://127.0.0.1:{server.port}/ws"
    for scheme in ("https", "http"):
        origin = Origin(f"{scheme}://127.0.0.1:{server.port}")
        refuses = pytest.raises(InvalidStatus) if scheme == "http" else nullcontext()
        with refuses, connect(where, ssl=context, origin=origin, open_timeout=PATIENCE) as web:
            ask(web, type="join", handle="Hal")
            assert wait_for(web, "welcome")["handle"] == "Hal"


def test_the_server_goes_away() -> None:
    """Everybody is told, and then the WebSocket is closed as it must be."""
    with running_server() as server, join(server, "Ann") as ann:
        server.stop()
        assert wait_for(ann, "closing")["retry"] is True
        assert code_of(ann) == 1001


def test_without_a_page() -> None:
    """With --no-web nothing is there for browsers."""
    with running_server("--no-web") as server, pytest.raises(InvalidStatus) as refused, at(server):
        pass
    assert refused.value.response.status_code == 404


def test_a_load_is_quick(server: Server) -> None:
    """The page is there at once, also for a browser that brings many cookies."""
    for cookies in (0, 700, 8000):
        began = time.monotonic()
        browser = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        browser.request("GET", "/", headers={"Cookie": "x" * cookies, "Accept-Encoding": "gzip"})
        with browser.getresponse() as response:
            assert response.read()
        browser.close()
        assert time.monotonic() - began < 1
