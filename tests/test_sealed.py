from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from doubles import Paper, Typist
from house import UNLIMITED
from tls import Certificate, Listening
from triochat import Hub, Room, UnreachableError, UntrustedError, join, serve
from triochat.chat import Chat
from triochat.circle import Circle
from triochat.connect import circle_of
from triochat.connection import Connection
from triochat.known_hosts import KnownHosts
from triochat.person import Person
from triochat.script import Delivery, Outcome, Visit
from triochat.sealed import HANDSHAKE, TRIES, Sealed, meet, shake_hands
from triochat.terminals.pipe import InputLines, Pipe
from triochat.testing import MemoryListener
from triochat.trust import AUTHORITY, server_at
from triochat.ways import Why

pytestmark = pytest.mark.real_time  # files are locked in threads of their own

HOST = "chat.example"
FAR = server_at(HOST, 9999)
OURS, OTHER = Certificate(HOST), Certificate(HOST)

Answer = Callable[[trio.abc.HalfCloseableStream], Awaitable[None]]


class Client:
    """Somebody who meets servers, with a memory of its own."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        self.known = KnownHosts(path)
        self.told: list[str] = []
        self.opened = 0
        self._nursery = nursery

    async def meet(self, answer: Answer, given: str = "") -> Sealed:
        """Meet a server that answers so, at each connection."""

        async def open_stream() -> trio.abc.Stream:
            self.opened += 1
            ours, theirs = trio.testing.memory_stream_pair()
            self._nursery.start_soon(answer, theirs)
            return ours

        pin = "" if given else self.known.find(FAR)
        return await meet(
            open_stream, FAR, pin=pin, given=given, known=self.known, tell=self.told.append
        )


@pytest.fixture
def client(tmp_path: Path, nursery: trio.Nursery) -> Client:
    """Somebody who has met nobody yet."""
    return Client(tmp_path / "known_hosts", nursery)


async def heard_by(server: Listening) -> bytes:
    """What this server was told, when nothing more can come."""
    await trio.testing.wait_all_tasks_blocked()
    return server.heard


# ---- whom it trusts


async def test_the_first_key_is_shown_and_remembered(client: Client) -> None:
    """Who is met for the first time is told about in words; the second time in none."""
    async with await client.meet(Listening(OURS).hear):
        pass
    compare = "compare it with what the server printed"
    assert client.told == [
        f"first time at chat.example port 9999; its key is {OURS.fingerprint}; {compare}"
    ]
    async with await client.meet(Listening(OURS).hear):
        pass
    assert len(client.told) == 1
    assert client.opened == 3  # the first time the authorities were asked


async def test_a_changed_key_is_told_nothing(client: Client) -> None:
    """Another key than the one that was seen is refused, with both, before anything is said."""
    async with await client.meet(Listening(OURS).hear):
        pass
    server = Listening(OTHER)
    with pytest.raises(UntrustedError) as caught:
        await client.meet(server.hear)
    assert OURS.fingerprint in str(caught.value)
    assert OTHER.fingerprint in str(caught.value)
    assert '"triochat forget chat.example 9999"' in str(caught.value)
    assert await heard_by(server) == b""
    assert client.known.find(FAR) == OURS.fingerprint


async def test_the_one_that_the_person_names_is_trusted(client: Client) -> None:
    """With a fingerprint there is no first time; and it is remembered."""
    server = Listening(OTHER)
    with pytest.raises(UntrustedError, match="its key is SHA256:"):
        await client.meet(server.hear, OURS.fingerprint)
    assert (await heard_by(server), client.known.find(FAR)) == (b"", "")
    async with await client.meet(Listening(OURS).hear, OURS.fingerprint):
        pass
    assert (client.told, client.known.find(FAR)) == ([], OURS.fingerprint)


async def test_an_authority_vouches(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the key may change; but nobody is taken any more for whom no authority vouches."""
    monkeypatch.setenv("SSL_CERT_FILE", OURS.write_authority(tmp_path / "ca.pem"))
    for _ in range(2):
        async with await client.meet(Listening(OURS).hear):
            pass
    assert (client.told, client.opened, client.known.find(FAR)) == ([], 2, AUTHORITY)
    server = Listening(OTHER)
    with pytest.raises(UntrustedError, match="for which no authority vouches any more"):
        await client.meet(server.hear)
    assert await heard_by(server) == b""


async def test_an_authority_vouches_for_a_host(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate for another host is as good as one by nobody."""
    elsewhere = Certificate("other.example")
    monkeypatch.setenv("SSL_CERT_FILE", elsewhere.write_authority(tmp_path / "ca.pem"))
    async with await client.meet(Listening(elsewhere).hear):
        pass
    assert client.known.find(FAR) == elsewhere.fingerprint


async def test_two_who_see_two_keys_at_once(client: Client) -> None:
    """The pin that somebody else has just written counts for this one too."""
    server = Listening(OURS)

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        client.known.remember(FAR, OTHER.fingerprint)
        await server.hear(stream)

    with pytest.raises(UntrustedError, match="its key has changed"):
        await client.meet(answer)
    assert (await heard_by(server), client.told) == (b"", [])


async def test_who_cannot_be_remembered(nursery: trio.Nursery) -> None:
    """Who would be met for the first time each time is not trusted, but if the person names it."""
    client, server = Client(Path("/dev/null/known_hosts"), nursery), Listening(OURS)
    with pytest.raises(UntrustedError) as caught:
        await client.meet(server.hear)
    assert str(caught.value).startswith("cannot write /dev/null/known_hosts: ")
    assert f"--fingerprint {OURS.fingerprint}" in str(caught.value)
    assert await heard_by(server) == b""
    async with await client.meet(server.hear, OURS.fingerprint):
        [words] = client.told
    assert words.startswith("chat.example port 9999 is not remembered: cannot write ")


# ---- what does not encrypt


@pytest.mark.parametrize(
    "text", [b"* triochat: what is your handle?\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_a_server_that_answers_with_text(client: Client, text: bytes) -> None:
    """It is told so, with the way out; nothing is tried without encryption."""

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.send_all(text)
        await stream.send_eof()

    with pytest.raises(UnreachableError) as caught:
        await client.meet(answer)
    assert str(caught.value) == "it does not encrypt; --insecure if you trust the network"
    assert client.opened == TRIES  # as the text might have been the greeting of one that does


async def test_a_hello_that_came_too_late(client: Client) -> None:
    """A server that has greeted a silent peer in text is asked once more, and never in text."""
    server, heard = Listening(OURS), list[bytes]()

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        if client.opened == 2:
            await stream.send_all(
                b"* triochat: what is your handle? (1-10 characters, no spaces)\n"
            )
            heard.append(bytes(await stream.receive_some(1)))
        else:
            await server.hear(stream)

    client.known.remember(FAR, OURS.fingerprint)
    client.opened = 1
    async with await client.meet(answer):
        pass
    assert (client.opened, heard) == (3, [b"\x16"])


@pytest.mark.parametrize("given", ["", OURS.fingerprint])
async def test_a_server_that_has_no_place(client: Client, given: str) -> None:
    """One that was full before the hello came says so in text; that is no word about encryption.

    Its reason is not shown: whoever is in between could give another one.
    """

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        await stream.send_all(b"* Server clo")
        await stream.send_all(b"sed the connection: say --insecure\n")
        await stream.send_eof()

    with pytest.raises(UnreachableError) as caught:
        await client.meet(answer, given)
    assert str(caught.value) == "it ended the connection before the handshake; it may be full"
    assert client.opened == 1


async def test_a_server_that_hangs_up(client: Client) -> None:
    """The end in the middle of a handshake is no word about encryption; it is tried again."""

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    with pytest.raises(UnreachableError, match=r"^it ended the connection in the handshake$"):
        await client.meet(answer)
    assert client.opened == TRIES


async def test_a_server_that_turns_away_one_handshake(client: Client) -> None:
    """Who is turned away while many others come is met at the next connection."""
    server = Listening(OURS)

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        if client.opened == 1:
            await stream.aclose()
        else:
            await server.hear(stream)

    async with await client.meet(answer, OURS.fingerprint):
        assert client.opened == 2


async def test_a_server_that_is_too_old(client: Client) -> None:
    """Who encrypts, but not well enough, is told so in OpenSSL's words."""

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.send_all(bytes.fromhex("15030100020246"))  # the alert: protocol version

    with pytest.raises(UnreachableError, match=r"^the handshake failed: .*protocol version$"):
        await client.meet(answer)


async def test_a_server_that_says_nothing(
    client: Client, autojump_clock: trio.testing.MockClock
) -> None:
    """The handshake has a deadline, and the connection is closed then."""
    ends: list[bytes | bytearray] = []

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        while data := await stream.receive_some():
            ends.append(data[:1])
        ends.append(data)

    start = trio.current_time()
    with pytest.raises(UnreachableError, match="has not answered the handshake for 10 seconds"):
        await client.meet(answer)
    await trio.testing.wait_all_tasks_blocked()
    assert (trio.current_time() - start, ends) == (HANDSHAKE, [b"\x16", b""])


async def test_who_gives_up_leaves_no_connection(client: Client) -> None:
    """Cancelled in the middle of a handshake, the connection is closed."""
    ends: list[bytes | bytearray] = []

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        while data := await stream.receive_some():
            pass
        ends.append(data)

    async with trio.open_nursery() as meeting:
        meeting.start_soon(client.meet, answer)
        await trio.testing.wait_all_tasks_blocked()
        assert ends == []
        meeting.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert ends == [b""]


# ---- how it ends


async def both_ends(nursery: trio.Nursery) -> tuple[Sealed, trio.SSLStream[trio.abc.Stream]]:
    """A client's end and a server's, with nothing said yet."""
    ours, theirs = trio.testing.memory_stream_pair()
    tls: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(theirs, OURS.context, server_side=True)
    nursery.start_soon(tls.do_handshake)
    sealed = await shake_hands(ours, HOST, must_vouch=False)
    await trio.testing.wait_all_tasks_blocked()
    return sealed, tls


async def test_a_good_bye_is_said(nursery: trio.Nursery) -> None:
    """A server that insists on it is told that nothing was cut off."""
    sealed, tls = await both_ends(nursery)
    await sealed.send_all(b"hello")
    await sealed.aclose()
    assert [await tls.receive_some(), await tls.receive_some()] == [b"hello", b""]


async def test_an_end_without_a_good_bye_is_one(nursery: trio.Nursery) -> None:
    """A server that just ends is at its end, also when it is asked again; a reset is a loss."""
    sealed, tls = await both_ends(nursery)
    await tls.send_all(b"last")
    await tls.transport_stream.aclose()
    got = [await sealed.receive_some() for _ in range(3)]
    assert got == [b"last", b"", b""]
    await sealed.aclose()
    sealed, tls = await both_ends(nursery)
    await tls.transport_stream.send_all(b"x" * 100)
    with pytest.raises(trio.BrokenResourceError):
        await sealed.receive_some()


# ---- a room behind it


async def open_far(nursery: trio.Nursery, certificate: Certificate) -> tuple[Hub, MemoryListener]:
    """A room that only encrypts."""
    hub, listener = Hub(Room(), limits=UNLIMITED), MemoryListener()
    doors = trio.SSLListener(listener, certificate.context, https_compatible=True)
    await nursery.start(serve, [doors], hub)
    return hub, listener


def way_to(listener: MemoryListener, known: KnownHosts) -> Callable[[], Awaitable[Sealed]]:
    """How to connect to it, again and again."""

    async def connect() -> Sealed:
        pin = known.find(FAR)
        return await meet(
            listener.connect, FAR, pin=pin, given="", known=known, tell=lambda _: None
        )

    return connect


async def test_a_program_speaks_through_it(client: Client, nursery: trio.Nursery) -> None:
    """All that a program sent is delivered before it leaves, and it leaves by saying so."""
    _, listener = await open_far(nursery, OURS)
    connect = way_to(listener, client.known)
    ears = await connect()
    await ears.send_all(b"Ann\n")
    async with join(await connect(), "bot") as bot:
        for number in range(300):
            await bot.say(f"{number}")
    heard = b""
    while b"bot left" not in heard:
        heard += await ears.receive_some()
    lines = heard.decode().splitlines()
    said = [f"bot> {number}" for number in range(300)]
    assert lines[-302:] == ["* bot joined", *said, "* bot left"]
    nursery.cancel_scope.cancel()


async def test_lines_are_delivered_through_it(client: Client, nursery: trio.Nursery) -> None:
    """What comes through a pipe, and what `send` says, is confirmed line by line."""
    _, listener = await open_far(nursery, OURS)
    connect = way_to(listener, client.known)

    def lines() -> Callable[[], Awaitable[bytes]]:
        chunks = [b"", b"".join(b"%d\n" % number for number in range(300))]

        async def read() -> bytes:
            await trio.lowlevel.checkpoint()
            return chunks.pop()

        return read

    errors = Paper()
    result = await Visit(connect, "cron", 60).run(Delivery(InputLines(lines()), errors, "", 60).run)
    assert (result.outcome, errors.lines) == (Outcome.DONE, [])
    output = Paper()
    async with Connection(await connect()) as connection:
        why = await Chat(Pipe(lines(), output, errors), connection, "pipe").run()
    assert (why, errors.lines) == (Why.END_OF_INPUT, [])
    assert output.lines[1:] == [f"pipe> {number}" for number in range(300)]
    nursery.cancel_scope.cancel()


async def test_who_comes_back_trusts_nobody_else(
    client: Client, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has another key after it was lost ends the client; nothing tries again."""
    monkeypatch.setattr("random.uniform", lambda *_: 0.01)
    hub, listener = await open_far(nursery, OURS)
    other = Listening(OTHER)
    connect = way_to(listener, client.known)
    is_lost = False

    async def again() -> trio.abc.Stream:
        if not is_lost:
            return await connect()
        return await client.meet(other.hear)

    person = Person(Typist(), Circle({"there": again}), "Bob")
    stream = await again()

    async def lose() -> None:
        nonlocal is_lost
        await trio.testing.wait_all_tasks_blocked()
        is_lost = True
        hub.close("restarting", retry=True)

    nursery.start_soon(lose)
    ended = False
    try:
        await person.run(stream)
    except* UntrustedError:
        ended = True
    assert ended
    assert (person.is_lost, await heard_by(other)) == (False, b"")
    nursery.cancel_scope.cancel()


async def test_each_server_of_a_room_is_trusted_by_itself(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who knows several has a pin for each; the key of one is no reason to trust another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ann, bob = Listening(OURS), Listening(OTHER)
    servers = {"a.example": ann, "b.example": bob}

    async def open_stream(host: str, _port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(servers[host].hear, theirs)
        return ours

    monkeypatch.setattr("triochat.connect._open", open_stream)
    told: list[str] = []
    way = partial(circle_of, [("a.example", 1), ("b.example", 1)], tell=told.append)
    circle = way()
    for _ in range(2):
        await trio.aclose_forcefully(await circle())
    assert [words.partition(";")[0] for words in told] == [
        "first time at a.example port 1",
        "first time at b.example port 1",
    ]
    servers["b.example"] = liar = Listening(OURS)
    async with await circle() as stream:
        await stream.send_all(b"a secret")
    with pytest.raises(UntrustedError, match=r"triochat forget b\.example 1"):
        await circle()
    assert (await heard_by(liar), ann.heard, circle.where) == (b"", b"a secret", "b.example port 1")
    servers["b.example"] = bob
    circle = way(fingerprint=OURS.fingerprint)
    await trio.aclose_forcefully(await circle())
    with pytest.raises(UntrustedError) as caught:
        await circle()
    assert f"not {OURS.fingerprint}" in str(caught.value)
    assert await heard_by(bob) == b""
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["pin", "given"])
async def test_a_server_that_had_a_key_and_answers_with_text(client: Client, how: str) -> None:
    """Who was to be known by a key is not, and nobody is told to do without one."""

    async def answer(stream: trio.abc.HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"* triochat: what is your handle?\n")
        await stream.send_eof()

    given = OURS.fingerprint if how == "given" else ""
    if not given:
        client.known.remember(FAR, OURS.fingerprint)
    with pytest.raises(UntrustedError, match="does not encrypt; somebody may be in between"):
        await client.meet(answer, given)
