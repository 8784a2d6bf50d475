import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from house import UNLIMITED, Peer, open_house
from tls import Hand, Sealer, Sheet, any_context, client_context, make_tls
from triochat.backlog import Backlog
from triochat.hosts import host_of
from triochat.link import Link
from triochat.messages import Quit, Typed
from triochat.order import AnyRequest
from triochat.outbox import LINGER, Way
from triochat.ratelimit import Limits
from triochat.session import Session
from triochat.stranger import GREETING_DELAY, PROGRAM
from triochat.tls import Codec, Tls

GREETING = "* triochat: what is your handle? (1-10 characters, no spaces)"


def assert_is_empty(tls: Tls) -> None:
    """Nothing of anybody is left in what all share."""
    assert (tls._incoming.pending, tls._outgoing.pending) == (0, 0)


def shake_hands(codec: Codec, client: Sealer) -> None:
    """Let both finish the handshake."""
    wire = client.hello()
    while wire:
        plain, answer = codec.open(wire)
        assert plain == b""
        wire = client.hear(answer)
    assert not codec.problem


# ---- the codec


def test_every_cut_of_a_handshake() -> None:
    """Wherever a hello is cut nothing is said in plain text, and the handshake succeeds."""
    tls = make_tls()
    size = len(Sealer().hello())
    for cut in range(1, size):
        client, codec = Sealer(), tls.codec()
        hello = client.hello()
        assert codec.open(hello[:cut]) == (b"", b"")
        assert codec.seal(b"too early\n") == b""
        plain, answer = codec.open(hello[cut:])
        assert plain == b""
        codec.open(client.hear(answer))
        client.hear(codec.seal(b"now\n"))
        assert client.heard == b"now\n"
        assert_is_empty(tls)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 16384, 16385, 200_000])
def test_large_blobs(version: ssl.TLSVersion, size: int) -> None:
    """A blob of any size is sealed whole, and opened in order."""
    context = any_context()
    context.maximum_version = version
    tls, client = make_tls(), Sealer(context)
    codec = tls.codec()
    shake_hands(codec, client)
    blob = bytes(number % 251 for number in range(size))
    wire = codec.seal(blob)
    assert_is_empty(tls)
    client.hear(wire)
    assert client.heard == blob
    plain, answer = codec.open(client.say(blob))
    assert (plain, answer) == (blob, b"")
    assert_is_empty(tls)


pieces = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["client", "server", "client", "server", "garbage"]),
    st.binary(min_size=1, max_size=40),
    st.integers(0, 60),
)


class Pair:
    """A peer, its codec, and what is on the way between them."""

    def __init__(self, tls: Tls) -> None:
        self.client, self.codec = Sealer(), tls.codec()
        self.said, self.told, self.got = b"", b"", b""
        self.upward = b""
        shake_hands(self.codec, self.client)

    def deliver(self, count: int) -> None:
        """Let so many bytes come in."""
        piece, self.upward = self.upward[:count], self.upward[count:]
        plain, answer = self.codec.open(piece)
        self.got += plain
        if not self.codec.has_ended:
            self.client.hear(answer)


@given(st.lists(pieces, max_size=40))
def test_peers_share_nothing(story: list[tuple[int, str, bytes, int]]) -> None:
    """However the pieces of many peers follow each other each gets its own; one's error is its."""
    tls = make_tls()
    pairs = [Pair(tls) for _ in range(4)]
    for number, who, blob, count in story:
        pair = pairs[number]
        if pair.codec.has_ended:
            continue
        if who == "server":
            wire = pair.codec.seal(blob)
            pair.told += blob
            pair.client.hear(wire)
        elif who == "client":
            pair.upward += pair.client.say(blob)
            pair.said += blob
        elif not pair.upward:  # garbage
            pair.upward = b"\x17\x03\x03\x00\x14" + bytes(20)
            pair.deliver(25)
            assert pair.codec.problem
        if pair.upward:
            pair.deliver(count)
        assert_is_empty(tls)
    for pair in pairs:
        assert pair.said.startswith(pair.got)
        assert pair.client.heard == pair.told
        if not pair.codec.has_ended:
            pair.deliver(len(pair.upward))
            assert pair.got == pair.said


def test_an_end_is_said_and_heard() -> None:
    """Both sides may say that no more comes; after that the other may still say something."""
    tls, client = make_tls(), Sealer()
    codec = tls.codec()
    shake_hands(codec, client)
    assert codec.open(client.say(b"bye\n") + client.quit()) == (b"bye\n", b"")
    assert codec.has_ended
    assert codec.problem == ""
    client.hear(codec.seal(b"good-bye\n"))
    assert not client.has_ended
    client.hear(codec.end())
    assert client.heard == b"good-bye\n"
    assert client.has_ended
    assert codec.end() == b""
    assert_is_empty(tls)


def test_the_last_word_of_a_peer_that_was_let_go() -> None:
    """Whoever was told the end may still say something, and its own end: nobody hears either."""
    tls, client = make_tls(), Sealer()
    codec = tls.codec()
    shake_hands(codec, client)
    client.hear(codec.end())
    assert codec.open(client.say(b"wait\n")) == (b"", b"")
    assert codec.open(client.quit()) == (b"", b"")
    assert (codec.has_ended, codec.problem) == (True, "")
    assert_is_empty(tls)


@pytest.mark.parametrize(
    "wire",
    [
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x00\x00\x00\x00",
        b"\x16\x03\x01\xff\xff" + bytes(3000),
        b"\x16" + b"Eve\nhello\n" * 10,
        b"\x16" * 100,
    ],
)
def test_what_is_no_hello(wire: bytes) -> None:
    """Garbage ends in words, and nothing of it reaches the next peer."""
    tls = make_tls()
    codec = tls.codec()
    plain, _ = codec.open(wire)
    assert plain == b""
    assert codec.has_ended
    assert codec.problem.startswith("TLS handshake failed (")
    assert (codec.seal(b"x"), codec.end()) == (b"", b"")
    assert_is_empty(tls)
    shake_hands(tls.codec(), Sealer())


@given(st.binary(), st.binary())
def test_no_bytes_make_a_codec_raise(first: bytes, second: bytes) -> None:
    """Whatever comes, and however it is cut, it ends in words or waits for more."""
    tls = make_tls()
    codec = tls.codec()
    for wire in (b"\x16" + first, second):
        if not codec.has_ended:
            assert codec.open(wire)[0] == b""
        assert_is_empty(tls)


# ---- the link


def hear(link: Link, wire: bytes) -> list[AnyRequest]:
    """What is asked for with these wire bytes."""
    link.begin_to_seal(wire)
    return [request for piece in link.unseal(wire, 1 << 14) for request in link.hear(piece)]


def open_link(client: Sealer) -> tuple[Link, Sheet]:
    """A link that has shaken hands with this client, byte by byte."""
    link = Link(Backlog(), trio.testing.MemorySendStream(), tls=make_tls())
    sheet = Sheet(link)
    wire = client.hello()
    while wire:
        for number in range(len(wire)):
            assert hear(link, wire[number : number + 1]) == []
            if client.tls.version() is None:
                link.outbox.put(b"too early\n")
        wire = client.hear(sheet.take())
    return link, sheet


def test_a_link_opens_what_is_sealed() -> None:
    """Who speaks is told by the first bytes inside, however they are cut."""
    client = Sealer()
    link, sheet = open_link(client)
    assert hear(link, client.say(b"GE")) == []
    assert hear(link, client.say(b"T\n\x16\n")) == [Typed("GET"), Typed("\x16")]
    link.outbox.put(b"hello\n")
    client.hear(sheet.take())
    assert client.heard == b"hello\n"


def test_a_record_is_heard_in_pieces() -> None:
    """As little is heard at once of what comes in a large record as of plain bytes."""
    client = Sealer()
    link, _ = open_link(client)
    wire = client.say(b"\n" * 10_000)
    assert link.unseal(wire[:9000], 256) == []
    pieces = link.unseal(wire[9000:], 256)
    assert b"".join(pieces) == b"\n" * 10_000
    assert max(map(len, pieces)) == 256


def test_a_plain_peer_may_say_anything_later() -> None:
    """Only the very first byte is that of TLS."""
    link = Link(Backlog(), trio.testing.MemorySendStream(), tls=make_tls())
    assert hear(link, b"J") == []
    assert hear(link, b"\x16\n") == [Typed("J\x16")]
    assert hear(link, b"\x16\n") == [Typed("\x16")]


def test_tls_within_tls_is_not_spoken() -> None:
    """A hello inside is sent away as where there is no TLS."""
    client = Sealer()
    link, _ = open_link(client)
    refused, end = hear(link, client.say(Sealer().hello()))
    assert "no TLS is spoken here" in str(refused)
    assert end == Quit()


def test_half_a_message_of_a_handshake(tmp_path: Path) -> None:
    """Who breaks off in the middle of a key's update is put out when it is told something."""
    context = any_context()
    context.keylog_filename = str(tmp_path / "keys")
    client = Sealer(context)
    link, sheet = open_link(client)
    assert hear(link, Hand(tmp_path / "keys").record(b"\x18\0\0\1", b"\x16")) == []
    assert not link.has_ended
    link.outbox.put(b"hello\n")
    assert (link.outbox.way, link.outbox.why) == (Way.GONE, "connection lost")
    assert sheet.take() == b""


# ---- the room


async def test_all_dialects_are_spoken_inside(autojump_clock: trio.testing.MockClock) -> None:
    """Inside TLS a peer is recognised as ever, and shares the room with those outside."""
    async with open_house(tls=make_tls()) as house:
        bob = await house.plain("Bob")
        ann, cid, page = await house.sealed(), await house.sealed(), await house.sealed()
        await ann.type("Ann")
        assert await ann.line() == "* Server connected. You are Ann. 2 here: Ann, Bob"
        await cid.ask({"type": "join", "handle": "Cid"})
        assert (await cid.event())["roster"] == ["Ann", "Bob", "Cid"]
        assert await ann.line() == "* Cid joined"
        await page.stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await page.rest())[0] == "HTTP/1.1 200 OK"
        await bob.type("hi")
        assert await ann.line() == "Bob> hi"
        assert (await cid.event())["text"] == "hi"
        await ann.type("hi yourself")
        assert await bob.hear(3) == ["* Ann joined", "* Cid joined", "Ann> hi yourself"]
    assert await ann.rest() == ["* Server closed the connection: shutting down"]
    assert [line for line in await cid.rest() if "closing" in line]


async def test_a_person_inside_is_greeted(autojump_clock: trio.testing.MockClock) -> None:
    """Who says nothing inside TLS is greeted there."""
    async with open_house(tls=make_tls()) as house:
        ann = await house.sealed()
        assert await ann.line() == GREETING


@pytest.mark.parametrize("size", [1, 5, 100])
async def test_a_silent_handshake(autojump_clock: trio.testing.MockClock, size: int) -> None:
    """Nothing is said in plain text to who began with TLS; its time ends as any stranger's."""
    async with open_house(tls=make_tls()) as house:
        stream = await house.listener.connect()
        await stream.send_all(Sealer().hello()[:size])
        assert await stream.receive_some() == b""
        assert trio.current_time() == pytest.approx(PROGRAM)


async def test_a_slow_handshake_is_greeted_when_it_is_done(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A person behind TLS has a person's time, and is greeted half a second after it can be."""
    async with open_house() as house:
        house.hub.tls = make_tls()
        stream, client = await house.listener.connect(), Sealer()
        hello = client.hello()
        await stream.send_all(hello[:100])
        await trio.sleep(PROGRAM - 1)
        await stream.send_all(hello[100:])
        while not client.heard:
            if answer := client.hear(bytes(await stream.receive_some())):
                await stream.send_all(answer)
        assert client.heard.decode() == f"{GREETING}\n"
        assert trio.current_time() == pytest.approx(PROGRAM - 1 + GREETING_DELAY)
        await trio.sleep(PROGRAM * 1.5)
        await stream.send_all(client.say(b"Ann\n"))
        await trio.testing.wait_all_tasks_blocked()
        assert house.room.roster == ("Ann",)


async def test_a_stop_says_nothing_plain_into_a_handshake(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A server that stops while somebody shakes hands only ends that connection."""
    async with open_house(tls=make_tls()) as house:
        stream = await house.listener.connect()
        await stream.send_all(Sealer().hello()[:50])
        await trio.testing.wait_all_tasks_blocked()
    assert await stream.receive_some() == b""


async def test_nothing_plain_is_said_to_who_waits_for_its_handshake(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who is turned away between its hello and its turn only sees an end."""
    async with open_house(tls=make_tls(), limits=Limits(strangers=1)) as house:
        house.hub.handshakes._tokens.spend(10_000, trio.current_time())
        first = await house.listener.connect()
        await first.send_all(Sealer().hello())
        await trio.testing.wait_all_tasks_blocked()
        second = await house.listener.connect()
        assert await first.receive_some() == b""
        await first.aclose()
        await second.aclose()


async def test_a_hello_after_the_greeting(autojump_clock: trio.testing.MockClock) -> None:
    """Who was greeted in plain text may still begin with TLS, if it skips that line."""
    async with open_house(tls=make_tls()) as house:
        stream = await house.listener.connect()
        assert await Peer(stream).line() == GREETING
        late: Any = trio.SSLStream(stream, client_context(), server_hostname="localhost")
        peer = Peer(late)
        await peer.type("Late")
        assert await peer.line() == "* Server connected. You are Late. 1 here: Late"


@pytest.mark.parametrize("cut", [1, 6, 40])
async def test_garbage(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    """What is no TLS gets an alert, and a line in the log; nothing in it is heard."""
    caplog.set_level(logging.INFO, "triochat")
    async with open_house(tls=make_tls()) as house:
        ann, stream = await house.plain("Ann"), await house.listener.connect()
        garbage = b"\x16\x03\x01\0\x05" + b"\nEve\nhello\n" * 9
        await stream.send_all(garbage[:cut])
        await trio.testing.wait_all_tasks_blocked()
        await stream.send_all(garbage[cut:])
        alert = b"".join([bytes(piece) async for piece in stream])
        assert (alert[:1], len(alert)) == (b"\x15", 7)
        await stream.aclose()
        assert await ann.heard_nothing()
        [problem] = [text for text in caplog.messages if text.startswith("a peer: TLS")]
        assert problem.startswith("a peer: TLS handshake failed (")
        assert {record.levelno for record in caplog.records} == {logging.INFO}


async def hear_all(client: Sealer, stream: trio.abc.ReceiveStream) -> None:
    """Let the client hear all that comes; raises what it does."""
    async for piece in stream:
        client.hear(bytes(piece))


async def test_a_client_that_does_not_trust_the_server(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that refuses the certificate is an ordinary thing."""
    caplog.set_level(logging.INFO, "triochat")
    async with open_house(tls=make_tls()) as house:
        stream, client = await house.listener.connect(), Sealer(ssl.create_default_context())
        await stream.send_all(client.hello())
        with pytest.raises(ssl.SSLCertVerificationError):
            await hear_all(client, stream)
        await stream.send_all(client.answer)
        await trio.testing.wait_all_tasks_blocked()
        assert caplog.messages == ["a peer: TLS handshake failed (tlsv1 alert unknown ca)"]


async def test_a_broken_member(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A member whose bytes cannot be opened any more is lost; the others go on."""
    caplog.set_level(logging.INFO, "triochat")
    async with open_house(tls=make_tls()) as house:
        ann, bob = await house.sealed(), await house.sealed()
        for peer, name in ((ann, "Ann"), (bob, "Bob")):
            await peer.type(name)
            await peer.line()
        inner = bob.stream.transport_stream  # type: ignore[attr-defined]
        await inner.send_all(b"\x17\x03\x03\x00\x14" + bytes(20))
        assert await ann.hear(2) == ["* Bob joined", "* Bob left (connection lost)"]
        assert "a peer: TLS failed (decryption failed or bad record mac)" in caplog.messages
        await ann.type("?")
        assert await ann.line() == "* 1 here: Ann"


@pytest.mark.parametrize(("dialect", "left"), [("plain", ""), ("ndjson", " (connection lost)")])
@pytest.mark.parametrize("says_so", [True, False])
async def test_the_end_of_input(
    autojump_clock: trio.testing.MockClock, dialect: str, left: str, says_so: bool
) -> None:
    """A peer may end with or without saying so in TLS; it is a departure as any other."""
    async with open_house(tls=make_tls(), grace=0) as house:
        bob, ann = await house.plain("Bob"), await house.sealed()
        await ann.type("Ann" if dialect == "plain" else '{"type":"join","handle":"Ann"}')
        await ann.line()
        stream: Any = ann.stream
        if says_so:
            with trio.move_on_after(1):
                await stream.unwrap()
        else:
            await stream.transport_stream.send_eof()
        assert await bob.hear(2) == ["* Ann joined", f"* Ann left{left}"]
        assert trio.current_time() < LINGER


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Eve\nhello\n", "* Server closed the connection: "),
        ('{"type":"join","handle":"Eve"}\n', '{"type":"closing","reason":"'),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden"),
    ],
)
async def test_who_must_encrypt(
    autojump_clock: trio.testing.MockClock, said: str, heard: str
) -> None:
    """Where TLS is required who does without is told so in its dialect, and nothing is heard."""
    async with open_house(tls=make_tls(is_required=True)) as house:
        ann, eve = await house.sealed(), await house.connect()
        await ann.type("Ann")
        await ann.line()
        await trio.sleep(1)
        await eve.stream.send_all(said.encode())
        lines = await eve.rest()
        assert lines[0].startswith(heard)
        assert "this room wants TLS from other machines" in "".join(lines)
        assert "retry" not in "".join(lines)
        assert await ann.heard_nothing()


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.5", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
async def test_who_need_not_encrypt(
    autojump_clock: trio.testing.MockClock, address: str, may: bool
) -> None:
    """Where TLS is required a peer on this machine may do without; nobody else."""
    async with open_house(tls=make_tls(is_required=True)) as house:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            host = host_of(address) if address else ""
            nursery.start_soon(Session(ours, house.hub, address, host=host).run)
            peer = Peer(theirs)
            await trio.sleep(1)
            await peer.type("Ann")
            lines = [await peer.line()]
            assert (lines[0] == GREETING) is may
            await theirs.aclose()


async def test_where_there_is_no_tls(autojump_clock: trio.testing.MockClock) -> None:
    """A hello gets one plain sentence and the end, whatever lines it holds."""
    async with open_house() as house:
        ann, eve = await house.plain("Ann"), await house.connect()
        await eve.stream.send_all(b"\x16\x03\x01\0\x64\nEve\nhello\n")
        [line] = await eve.rest()
        assert line.startswith("! no TLS is spoken here; ")
        await eve.stream.aclose()
        assert await ann.heard_nothing()


async def test_a_slow_reader_gets_all_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """What waits for a sealed peer is sealed already, and comes whole and in order."""
    async with open_house(lockstep=True, limits=UNLIMITED, tls=make_tls()) as house:
        bob = await house.plain("Bob")
        async with trio.open_nursery() as nursery:
            stream: Any = trio.SSLStream(
                await house.listener.connect(), client_context(), server_hostname="localhost"
            )
            ann = Peer(stream)
            await ann.type("Ann")
            assert (await ann.line()).startswith("* Server connected")
            lines = [f"{number} {'x' * 400}" for number in range(1000)]
            nursery.start_soon(bob.type, *lines)
            await trio.sleep(5)
            for line in lines:
                assert await ann.line() == f"Bob> {line}"


async def test_a_reader_that_takes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A sealed peer falls behind as any other, and is put out."""
    async with open_house(lockstep=True, tls=make_tls()) as house:
        bob, ann = await house.plain("Bob"), await house.sealed()
        await ann.type("Ann")
        assert (await ann.line()).startswith("* Server connected")
        assert await bob.line() == "* Ann joined"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.type, *("x" * 400 for _ in range(10)))
            assert await bob.line() == "* Ann left (fell behind)"
