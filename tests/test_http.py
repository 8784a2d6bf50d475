import gzip
from collections.abc import Iterable
from typing import NamedTuple

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from house import open_house
from tls import make_tls
from triochat.dialects.base import UNENCRYPTED, Setting
from triochat.dialects.http import HEAD, HTTP, METHODS, PATIENCE, HttpSpeaker
from triochat.dialects.websocket import WEBSOCKET
from triochat.lobby import Lobby
from triochat.messages import Closing, Event, Notice, Quit
from triochat.order import AnyRequest, Reply
from triochat.outbox import LINGER
from triochat.page import CSP, PAGE
from triochat.words import words_of

HERE = Setting(hosts=frozenset({"box", "chat.example.org"}))
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    KEY,
)


class Answer(NamedTuple):
    """A response, taken apart."""

    status: int
    fields: dict[str, str]
    body: bytes


def request(
    first: str = "GET / HTTP/1.1", *fields: str, host: str | None = "localhost:9999", body: str = ""
) -> bytes:
    """A request, as it goes over the wire."""
    hosts = [] if host is None else [f"Host: {host}"]
    return "\r\n".join([first, *hosts, *fields, "", body]).encode("latin-1")


def opening(*fields: str, host: str = "localhost:9999") -> bytes:
    """What a browser says that wants a WebSocket."""
    return request("GET /ws HTTP/1.1", *UPGRADE, *fields, host=host)


def taken_apart(data: bytes) -> Answer:
    """One whole response, and nothing after it."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.startswith("HTTP/1.1 ")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines)
    return Answer(int(first.split()[1]), fields, body)


def asked(pieces: Iterable[bytes], setting: Setting = HERE) -> list[AnyRequest]:
    """What a browser there asks for, in the pieces in which that comes."""
    speaker = HttpSpeaker()
    requests = [*speaker.begin(setting)]
    for piece in pieces:
        requests += speaker.hear(piece)
    assert speaker.end() is None  # type: ignore[func-returns-value]
    return requests


def answer(data: bytes, setting: Setting = HERE) -> Answer:
    """The only answer to this, after which the peer is let go."""
    replied, quit_ = asked([data], setting)
    assert isinstance(replied, Reply)
    assert quit_ == Quit()
    found = taken_apart(replied.data)
    assert found.fields["Connection"] == "close"
    return found


def is_open(data: bytes, setting: Setting = HERE) -> bool:
    """Whether this opens a WebSocket; else it is refused."""
    replied, *others = asked([data], setting)
    assert isinstance(replied, Reply)
    assert others in ([], [Quit()])
    return not others


# ---- the page


def test_the_page() -> None:
    """A browser is given the whole page, which nobody keeps, and which may do only what it must."""
    found = answer(request())
    assert (found.status, found.body) == (200, PAGE)
    assert found.fields == {
        "Content-Type": "text/html; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": CSP,
        "Content-Length": str(len(PAGE)),
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip, deflate, br", True),
        ("GZIP", True),
        ("br,gzip;q=0.5", True),
        ("gzip; q=1.000", True),
        ("br, gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br, xgzip", False),
        ("identity", False),
        ("", False),
    ],
)
def test_the_page_is_packed(accepted: str, is_packed: bool) -> None:
    """For browsers that unpack it the page is a third as long, and the same."""
    found = answer(request("GET /?a=b HTTP/1.1", f"Accept-Encoding: {accepted}"))
    assert ("Content-Encoding" in found.fields) == is_packed
    assert int(found.fields["Content-Length"]) == len(found.body)
    if is_packed:
        assert len(found.body) < len(PAGE) / 2
        found = found._replace(body=gzip.decompress(found.body))
    assert found.body == PAGE


@pytest.mark.parametrize("path", ["/", "/ws", "/nowhere"])
def test_who_asks_for_the_head_gets_only_that(path: str) -> None:
    """HEAD is answered as GET, but for the body."""
    head, whole = (answer(request(f"{method} {path} HTTP/1.1")) for method in ("HEAD", "GET"))
    assert head == whole._replace(body=b"")
    assert whole.body


# ---- what is refused


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("GET /x HTTP/1.1"), 404),
        (request("GET // HTTP/1.1"), 404),
        (request("GET /index.html HTTP/1.1"), 404),
        (request("GET /%77s HTTP/1.1", *UPGRADE), 404),
        (request("GET http://localhost:9999/ HTTP/1.1"), 404),
        (request("GET * HTTP/1.1"), 404),
        (request("POST / HTTP/1.1", "Content-Length: 4", body="Eve\n"), 405),
        (request("OPTIONS * HTTP/1.1"), 405),
        (request("CONNECT example.org:443 HTTP/1.1"), 405),
        (request("POST / HTTP/1.1", host="evil.example"), 421),
        (request("GET /ws HTTP/1.1"), 426),
        (request("HEAD /ws HTTP/1.1", *UPGRADE), 426),
        (request("GET /ws HTTP/1.0", *UPGRADE), 426),
        (request("GET / HTTP/1.1", host=None), 400),
        (request("GET / HTTP/1.1", host=""), 400),
        (request("GET / HTTP/1.0", host=None), 400),
        (request("GET / HTTP/1.1", "Host: localhost"), 400),
        (request("GET / HTTP/2.0"), 400),
        (request("GET / HTTP/9"), 400),
        (request("GET /"), 400),
        (request("GET  / HTTP/1.1"), 400),
        (request("GET / HTTP/1.1", "no colon"), 400),
        (request("GET / HTTP/1.1", "A : b"), 400),
        (request("GET / HTTP/1.1", "A: b\0c"), 400),
        (request("GET / HTTP/1.1", "A: b\rc: d"), 400),
        (request("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), 400),
        (request("GET / HTTP/1.1", "Transfer-Encoding: gzip"), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    """Whatever else is asked for gets a status, and a sentence that says why and what to do."""
    found = answer(data)
    assert found.status == status
    assert found.fields["Content-Type"] == "text/plain; charset=utf-8"
    assert int(found.fields["Content-Length"]) > 20
    if not data.startswith(b"HEAD"):
        assert int(found.fields["Content-Length"]) == len(found.body)
        assert found.body.count(b"\n") == 1
    assert (found.fields.get("Allow"), found.fields.get("Upgrade")) == (
        "GET, HEAD" if status == 405 else None,
        "websocket" if status == 426 else None,
    )


@pytest.mark.parametrize("method", METHODS)
def test_without_a_page(method: bytes) -> None:
    """Where there is none for browsers, whatever they ask for they are told how else to join."""
    setting = Setting(has_page=False)
    for path, host in (("/", "localhost"), ("/ws", "evil.example"), ("/x", "127.0.0.1")):
        found = answer(request(f"{method.decode()} {path} HTTP/1.1", *UPGRADE, host=host), setting)
        assert found.status == 404
        assert (b"triochat client HOST PORT" in found.body) == (method != b"HEAD")


# ---- where it comes from


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("LocalHost:9999", True),
        ("localhost.:9999", True),
        ("localhost:", True),
        ("127.0.0.1:9999", True),
        ("192.168.1.5", True),
        ("[::1]:9999", True),
        ("[::1]", True),
        ("[FE80::1%eth0]:9999", True),
        ("[2001:db8::7]:80", True),
        ("box", True),
        ("BOX:9999", True),
        ("chat.example.org.:9999", True),
        ("example.org", False),
        ("evil.example:9999", False),
        ("box.example.org", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.localhost", False),
        ("localhost:9999:9999", False),
        ("localhost:x", False),
        ("box:\xb2", False),
        ("127.1", False),
        ("0x7f000001", False),
        ("0127.0.0.1", False),
        ("::1", False),
        ("[127.0.0.1]", False),
        ("[::1", False),
        ("[evil.example]", False),
        (":9999", False),
        (".", False),
        ("box..", False),
        ("user@localhost", False),
        ("localhost, evil.example", False),
    ],
)
def test_by_which_names_it_may_be_called(host: str, is_here: bool) -> None:
    """A page whose own name was led here must not be read, so the name must be known, or none."""
    assert answer(request(host=host)).status == (200 if is_here else 421)
    assert is_open(opening(host=host)) == is_here


@pytest.mark.parametrize(
    ("origin", "host", "is_sealed", "is_own"),
    [
        ("http://localhost:9999", "localhost:9999", False, True),
        ("http://localhost:9999", "LOCALHOST:9999", False, True),
        ("http://box", "box", False, True),
        ("http://[::1]:9999", "[::1]:9999", False, True),
        ("https://box:9999", "box:9999", True, True),
        ("https://[2001:db8::7]", "[2001:db8::7]", True, True),
        ("https://localhost:9999", "localhost:9999", False, False),
        ("http://box:9999", "box:9999", True, False),
        ("http://localhost:9999", "127.0.0.1:9999", False, False),
        ("http://localhost:9998", "localhost:9999", False, False),
        ("http://localhost", "localhost:9999", False, False),
        ("http://localhost.:9999", "localhost:9999", False, False),
        ("http://localhost:9999/", "localhost:9999", False, False),
        ("http://localhost:9999.evil.example", "localhost:9999", False, False),
        ("localhost:9999", "localhost:9999", False, False),
        ("http://evil.example", "localhost:9999", False, False),
        ("ws://localhost:9999", "localhost:9999", False, False),
        ("null", "localhost:9999", False, False),
        ("", "localhost:9999", False, False),
    ],
)
def test_where_pages_that_speak_come_from(
    origin: str, host: str, is_sealed: bool, is_own: bool
) -> None:
    """Only the page that this very connection could have brought may speak; no other may read."""
    setting = Setting(hosts=HERE.hosts, is_sealed=is_sealed)
    assert is_open(opening(f"Origin: {origin}", host=host), setting) == is_own
    status = answer(request("GET / HTTP/1.1", f"Origin: {origin}", host=host), setting).status
    assert status == (200 if is_own else 403)


def test_two_origins_are_none() -> None:
    """Each that is named must be the right one."""
    right, wrong = "Origin: http://localhost:9999", "Origin: http://evil.example"
    assert is_open(opening(right))
    assert not is_open(opening(right, wrong))
    assert not is_open(opening(wrong, right))


# ---- the WebSocket's beginning


def test_a_websocket_is_opened() -> None:
    """What asks for one as it must becomes one; nothing is compressed, whoever offers that."""
    speaker = HttpSpeaker()
    speaker.begin(HERE)
    assert (speaker.dialect, speaker.has_seat, speaker.patience) == (HTTP, False, PATIENCE)
    [replied] = speaker.hear(opening("Sec-WebSocket-Extensions: permessage-deflate"))
    assert isinstance(replied, Reply)
    found = taken_apart(replied.data)
    assert found.status == 101
    assert found.fields["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "Sec-WebSocket-Extensions" not in found.fields
    assert (speaker.dialect, speaker.has_seat, speaker.patience) == (WEBSOCKET, True, 20.0)
    assert speaker.has_spares


@pytest.mark.parametrize("missing", UPGRADE)
def test_what_a_websocket_needs(missing: str) -> None:
    """Who leaves something out is told what is needed."""
    fields = [field for field in UPGRADE if field != missing]
    assert answer(request("GET /ws HTTP/1.1", *fields)).status == 426


@pytest.mark.parametrize(
    "field",
    [
        "Sec-WebSocket-Key: short",
        "Sec-WebSocket-Key: \xe9",
        KEY,
        "Upgrade: h2c",
        "Content-Length: 3",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
    ],
)
def test_what_a_websocket_must_not_have(field: str) -> None:
    """Two keys, two protocols or a body are no beginning of one."""
    assert not is_open(opening(field))


# ---- however it comes


@given(st.data())
def test_pieces_make_no_difference(data: st.DataObject) -> None:
    """Wherever it is cut, the same is asked for; and what comes after it counts for nothing."""
    whole = data.draw(
        st.sampled_from(
            [
                request("GET / HTTP/1.1", "Accept-Encoding: gzip"),
                request("POST / HTTP/1.1", "Content-Length: 20", body='{"type":"join"}\nEve\n'),
                request("GET / HTTP/1.1", body=request("GET /ws HTTP/1.1", *UPGRADE).decode()),
                request("GET / HTTP/1.1", f"A: {'b' * (HEAD - 50)}"),
                request("GET / HTTP/1.1", f"A: {'b' * HEAD}"),
                request(host="evil.example"),
                b"GET / HTTP/1.1\nHost: localhost\n\nEve\nhello\n",
            ]
        )
    )
    places = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=20)))
    pieces = [whole[one:two] for one, two in zip([0, *places], [*places, None], strict=True)]
    assert asked(pieces) == asked([whole])


def test_byte_by_byte() -> None:
    """The slowest head is as good as any."""
    data = opening("Origin: http://localhost:9999")
    assert asked([bytes([byte]) for byte in data]) == asked([data])


@pytest.mark.parametrize("more", range(-1, 3))
def test_how_long_a_head_may_be(more: int) -> None:
    """A head of 8 KiB is heard, one byte more is too long, however it is cut."""
    empty = len(request("GET / HTTP/1.1", "A: "))
    data = request("GET / HTTP/1.1", f"A: {'b' * (HEAD - empty + more)}")
    assert len(data) == HEAD + more
    for size in (HEAD * 2, 256, 100):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        replied, _ = asked(pieces)
        assert isinstance(replied, Reply)
        assert taken_apart(replied.data).status == (200 if more <= 0 else 431)


def test_a_head_that_never_ends() -> None:
    """It is refused as soon as it is too long, and nothing more of it is kept, or raises."""
    speaker = HttpSpeaker()
    speaker.begin(HERE)
    heard = [speaker.hear(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40) for _ in range(400)]
    replied = [one for requests in heard for one in requests if isinstance(one, Reply)]
    assert len(replied) == 1
    assert speaker.part("quit") == b""


@given(st.lists(st.binary(), max_size=5), st.booleans())
def test_no_bytes_make_it_raise(pieces: list[bytes], is_web: bool) -> None:
    """Whatever comes, there is one answer at most before the WebSocket."""
    first = opening() if is_web else b"GET "
    requests = asked([first, *pieces])
    assert sum(isinstance(one, Quit) for one in requests) <= 1


def test_what_it_hears_after_its_answer_is_nothing() -> None:
    """The second request in a chunk is not obeyed, nor one that comes later."""
    twice = request() + opening()
    assert asked([twice, opening(), b"Eve\n"]) == asked([request()])


# ---- what it is told without having asked


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (Closing(f"not joined within {PATIENCE:.0f} seconds", retry=True, ask=True), 408),
        (Closing(UNENCRYPTED), 403),
        (Closing("too many others are waiting to join", retry=True), 503),
        (Closing("shutting down"), 503),
        (Notice("z\xeb"), 503),
    ],
)
def test_what_is_told_before_it_has_asked(told: Event, status: int) -> None:
    """It is one whole response as well."""
    found = taken_apart(HttpSpeaker().tell([told]))
    assert (found.status, found.body.decode()) == (status, f"{words_of(told)}\n")
    assert int(found.fields["Content-Length"]) == len(found.body)


async def rest_of(stream: trio.abc.ReceiveStream) -> bytes:
    """All that comes until the end."""
    data = b""
    while more := await stream.receive_some():
        data += more
    return data


async def test_half_a_head(autojump_clock: trio.testing.MockClock) -> None:
    """Who takes longer than ten seconds is told so by a response; to drip gives no time."""
    async with open_house() as house:
        slow, dripping = await house.connect(), await house.connect()
        began = trio.current_time()
        await slow.stream.send_all(b"GET / HTT")
        for byte in b"GET / HTTP/1.1":
            await dripping.stream.send_all(bytes([byte]))
            await trio.sleep(0.5)
        for peer in (slow, dripping):
            assert taken_apart(await rest_of(peer.stream)).status == 408
        assert PATIENCE <= trio.current_time() - began <= PATIENCE + 2


async def test_who_says_nothing_more_is_no_burden(autojump_clock: trio.testing.MockClock) -> None:
    """Half a head and the end of the input is nothing, and ends at once."""
    async with open_house() as house:
        peer = await house.connect()
        await peer.stream.send_all(b"GET / HTT")
        await peer.stream.send_eof()
        with trio.fail_after(LINGER):
            assert await rest_of(peer.stream) == b""


async def test_a_hundred_kilobytes(autojump_clock: trio.testing.MockClock) -> None:
    """A head of 100 kB is refused after eight, and whoever sends all of it hears that."""
    async with open_house() as house:
        peer = await house.connect()
        with trio.fail_after(10):
            await peer.stream.send_all(b"GET / HTTP/1.1\r\nCookie: " + b"x" * 100_000)
            assert taken_apart(await rest_of(peer.stream)).status == 431
        assert house.room.roster == ()


async def test_a_closing_server(autojump_clock: trio.testing.MockClock) -> None:
    """Who is asking for something when the server closes gets a response."""
    async with open_house() as house:
        peer = await house.connect()
        await peer.stream.send_all(b"GET / HTT")
        await trio.testing.wait_all_tasks_blocked()
    found = taken_apart(await rest_of(peer.stream))
    assert (found.status, found.body) == (503, b"* Server closed the connection: shutting down\n")


async def test_a_crowd(autojump_clock: trio.testing.MockClock) -> None:
    """Who is turned away since too many wait to join gets a response."""
    async with open_house() as house:
        house.hub.lobby = Lobby(2, 1000)
        first = await house.connect()
        await first.stream.send_all(b"GET / HTT")
        await trio.testing.wait_all_tasks_blocked()
        others = [await house.connect() for _ in range(2)]
        for peer in others:
            await peer.stream.send_all(b"GET / HTT")
            await trio.testing.wait_all_tasks_blocked()
        assert taken_apart(await rest_of(first.stream)).status == 503


async def test_it_must_be_encrypted(autojump_clock: trio.testing.MockClock) -> None:
    """Where only TLS is spoken with other machines a browser is told the right address."""
    async with open_house(tls=make_tls(is_required=True)) as house:
        peer = await house.from_host("192.168.1.5")
        await peer.stream.send_all(opening())
        found = taken_apart(await rest_of(peer.stream))
        assert found.status == 403
        assert b"https://HOST:PORT" in found.body


async def test_the_page_over_streams(autojump_clock: trio.testing.MockClock) -> None:
    """A load takes no time, over TLS neither, though it brings all the cookies that it may."""
    for is_sealed in (False, True):
        async with open_house(is_sealed=is_sealed) as house:
            for cookies in (0, 700, HEAD - 100):
                peer = await house.connect()
                began = trio.current_time()
                await peer.stream.send_all(request("GET / HTTP/1.1", f"Cookie: {'x' * cookies}"))
                assert taken_apart(await rest_of(peer.stream)).body == PAGE
                assert trio.current_time() - began < 0.1
                await peer.stream.aclose()
