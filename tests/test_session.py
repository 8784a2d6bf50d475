import gc
import json
import socket
import struct
from contextlib import suppress

import pytest
import trio
import trio.testing

from house import open_house
from triochat.order import Asked
from triochat.outbox import LINGER
from triochat.ratelimit import Limits
from triochat.session import Session
from triochat.stranger import PERSON, PROGRAM, TRIES
from triochat.telling import Telling

AT = "2026-01-02T03:03:04.678Z"

over_both = pytest.mark.parametrize("is_sealed", [False, True], ids=["plain", "tls"])
"""The same over a plain connection, and over TLS."""


@over_both
async def test_plain_and_ndjson_share_one_room(is_sealed: bool) -> None:
    """The first line tells the dialect, and both dialects hear the same messages."""
    async with open_house(is_sealed=is_sealed) as house:
        timmy = await house.plain("Timmy")
        jimmy = await house.ndjson("Jimmy")
        assert await timmy.line() == "* Jimmy joined"
        await jimmy.ask({"type": "say", "text": "hi"})
        said = {"type": "said", "id": 3, "at": AT, "handle": "Jimmy", "text": "hi"}
        assert await jimmy.event() == said
        assert await timmy.line() == "Jimmy> hi"
        await timmy.type("Hey guys!", "psst > jimmy")
        assert await jimmy.event() == {**said, "id": 4, "handle": "Timmy", "text": "Hey guys!"}
        assert await jimmy.event() == {
            "type": "whispered", "id": 5, "at": AT, "handle": "Timmy", "to": "Jimmy", "text": "psst"
        }  # fmt: skip
        assert await timmy.heard_nothing()


async def test_a_program_may_pass_on_what_a_person_types() -> None:
    """A typed line is answered as what it means; so is a page's, which knows no grammar."""
    async with open_house() as house:
        ann, bob = await house.ndjson("Ann"), await house.plain("Bob")
        assert (await ann.event())["type"] == "joined"
        lines = "hello", "psst > bob", "?", "\\me waves", "\\nick Anna", "", "\\kcik Bob", "\\help"
        await ann.ask(*({"type": "typed", "line": line} for line in lines))
        told = [await ann.event() for _ in range(7)]
        assert [event["type"] for event in told] == [
            "said", "whispered", "roster", "said", "renamed", "refused", "notice"
        ]  # fmt: skip
        assert "did you mean \\kick?" in told[5]["text"]
        assert await ann.heard_nothing()
        assert await bob.hear(4) == [
            "Ann> hello", "[Ann -> you] psst", "* Ann waves", "* Ann is now Anna"
        ]  # fmt: skip


@over_both
async def test_who_says_nothing_is_greeted_once(is_sealed: bool) -> None:
    """A peer that is silent for 0.5 s is greeted with a whole line, one that speaks is not."""
    async with open_house(is_sealed=is_sealed) as house:
        quiet = await house.connect()
        with trio.move_on_after(0.499) as early:
            await quiet.line()
        assert early.cancelled_caught
        greeting = "* triochat: what is your handle? (1-10 characters, no spaces)"
        assert await quiet.line() == greeting
        assert trio.current_time() == pytest.approx(0.5)
        await quiet.type("Jimmy")
        assert await quiet.line() == "* Server connected. You are Jimmy. 1 here: Jimmy"


async def test_a_room_may_allow_longer_handles() -> None:
    """Greeting, welcome and refusal all name the limit of this room, and it is the limit."""
    async with open_house(handle_length=12) as house:
        quiet = await house.connect()
        greeting = "* triochat: what is your handle? (1-12 characters, no spaces)"
        assert await quiet.line() == greeting
        await quiet.type("Maximiliane-1")
        problem = '"Maximiliane-1" has 13 characters; at most 12 are allowed'
        assert await quiet.line() == f"! handle {problem}; try another"
        await quiet.type("deploy-bot-1")
        assert (
            await quiet.line() == "* Server connected. You are deploy-bot-1. 1 here: deploy-bot-1"
        )
        program = await house.connect()
        await program.ask({"type": "join", "handle": "Christopher"})
        assert (await program.event())["handle_length"] == 12


async def test_a_greeted_program_is_still_understood() -> None:
    """A program on a slow line, greeted as a person, may still speak NDJSON."""
    async with open_house() as house:
        late = await house.connect()
        await trio.sleep(0.6)
        await late.ask({"type": "join", "handle": "Late"})
        assert (await late.line()).startswith("* triochat")
        welcome = await late.event()
        assert len(welcome.pop("token")) == 22
        assert welcome == {
            "type": "welcome", "handle": "Late", "server": "Server", "roster": ["Late"], "last": 1,
            "handle_length": 10, "topic": "", "room": "room", "resumed": False,
        }  # fmt: skip


@over_both
async def test_a_stranger_has_a_limited_time(is_sealed: bool) -> None:
    """Who has not joined in time is told so and closed."""
    async with open_house(is_sealed=is_sealed) as house:
        slow = await house.connect()
        lines = await slow.rest()
        assert trio.current_time() == pytest.approx(PERSON)
        assert lines[1:] == ["* Server closed the connection: not joined within 60 seconds"]


@pytest.mark.parametrize("first", [b'{"type":', b'{"type":"ping"}\n'])
async def test_a_program_has_less_time(first: bytes) -> None:
    """Who begins like a program and does not join is closed soon, however it drips or pings."""
    async with open_house() as house:
        slow = await house.connect()
        await trio.sleep(5)
        await slow.stream.send_all(first)

        async def drip() -> None:
            with suppress(trio.BrokenResourceError):
                while True:
                    await trio.sleep(3)
                    await slow.stream.send_all(b" ")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            lines = await slow.rest()
            nursery.cancel_scope.cancel()
        assert trio.current_time() == pytest.approx(5 + PROGRAM)
        assert "not joined within 20 seconds" in lines[-1]


async def test_to_drip_gives_no_time() -> None:
    """A person's line that comes letter by letter must be there in time."""
    async with open_house() as house:
        slow = await house.connect()
        for _ in range(int(PERSON)):
            await trio.sleep(0.99)
            await slow.stream.send_all(b"a")
        await slow.rest()
        assert trio.current_time() == pytest.approx(PERSON)


@pytest.mark.parametrize("dialect", ["plain", "ndjson"])
async def test_who_is_asked_again_has_time_again(dialect: str) -> None:
    """Whose handle is refused has a minute for the next, whoever it is; a few times."""
    async with open_house() as house:
        slow = await house.connect()
        for _ in range(TRIES - 1):
            await trio.sleep(PERSON - 1 if dialect == "plain" else PROGRAM - 1)
            bad = {"plain": "!!", "ndjson": json.dumps({"type": "join", "handle": "!!"})}
            await slow.type(bad[dialect])
        await trio.sleep(PERSON - 1)
        good = {"plain": "Ann", "ndjson": json.dumps({"type": "join", "handle": "Ann"})}
        await slow.type(good[dialect])
        await trio.testing.wait_all_tasks_blocked()
        assert house.room.roster == ("Ann",)


async def test_all_tries_together_have_a_limit() -> None:
    """Where a password is asked for all is to be done in so many seconds."""
    async with open_house(password="sesame") as house:
        slow = await house.connect()
        for _ in range(3):
            await trio.sleep(35)
            await slow.type("!!")
        assert "not joined within 120 seconds" in (await slow.rest())[-1]
        assert trio.current_time() == 120


async def test_who_is_refused_too_often_is_told_so() -> None:
    """The eighth line that is no handle is answered like the others, and then it is over."""
    async with open_house() as house:
        eve = await house.connect()
        await eve.type(*["!!"] * TRIES, "Eve")
        lines = await eve.rest()
        assert len(lines) == TRIES + 1
        closed = "* Server closed the connection: 8 lines, and none that lets you in"
        assert lines[-1] == closed
        assert house.room.roster == ()


@over_both
async def test_a_member_has_all_the_time(is_sealed: bool) -> None:
    """The deadline of strangers does not hold for who has joined, nor who is in line."""
    async with open_house(max_clients=1, is_sealed=is_sealed) as house:
        ann = await house.plain("Ann")
        bob = await house.connect()
        await bob.type("Bob")
        assert await bob.line() == "* The room is full; you are number 1 in line"
        await trio.sleep(PERSON * 3)
        assert await bob.heard_nothing()
        await ann.type("\\quit")
        assert await bob.line() == "* Server connected. You are Bob. 1 here: Bob"


POST = b"""POST / HTTP/1.1\r
Host: localhost:9999\r
Content-Type: text/plain\r
Content-Length: 11\r
\r
Eve
hello

"""


@pytest.mark.parametrize("cut", range(1, len(POST)))
async def test_a_web_page_cannot_speak(cut: int) -> None:
    """What a browser sends joins nobody, wherever it is cut: one whole response, and the end."""
    async with open_house() as house:
        ann, page = await house.plain("Ann"), await house.connect()
        await page.stream.send_all(POST[:cut])
        await trio.testing.wait_all_tasks_blocked()
        with suppress(trio.BrokenResourceError):
            await page.stream.send_all(POST[cut:])
        with trio.fail_after(LINGER):
            head, _, body = "\n".join(await page.rest()).partition("\n\n")
        assert head.split("\n")[0] == "HTTP/1.1 405 Method Not Allowed"
        assert f"Content-Length: {len(body) + 1}" in head
        assert body.startswith("GET it")
        await page.stream.aclose()
        assert await ann.heard_nothing()
        assert house.room.roster == ("Ann",)
    assert await ann.rest() == ["* Server closed the connection: shutting down"]


@over_both
async def test_a_page_may_be_asked_for_after_the_greeting(is_sealed: bool) -> None:
    """A browser that was silent, and so was greeted, gets it all the same."""
    async with open_house(is_sealed=is_sealed) as house:
        page = await house.connect()
        assert (await page.line()).startswith("* triochat: ")
        await page.stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await page.rest())[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("handle", ["GET", "Post", "PO", "PUTTY"])
async def test_a_handle_like_a_method(handle: str) -> None:
    """Who is called like the beginning of a request comes in like anybody."""
    async with open_house() as house:
        await house.plain(handle)
        assert house.room.roster == (handle,)


@over_both
async def test_quit_delivers_first_and_then_ends(is_sealed: bool) -> None:
    """What was asked before a quit is answered, what comes after it is not heard."""
    async with open_house(is_sealed=is_sealed) as house:
        ann, bob = await house.ndjson("Ann"), await house.plain("Bob")
        assert (await ann.event())["type"] == "joined"
        await ann.ask(
            {"type": "say", "text": "bye"}, {"type": "quit"}, {"type": "say", "text": "?"}
        )
        assert [json.loads(line)["type"] for line in await ann.rest()] == ["said"]
        assert await bob.hear(2) == ["Ann> bye", "* Ann left"]
        assert await bob.heard_nothing()
        assert trio.current_time() < LINGER


@pytest.mark.parametrize("dialect", ["plain", "ndjson"])
@over_both
async def test_the_end_of_input_is_a_departure(dialect: str, is_sealed: bool) -> None:
    """For nc the end is how one leaves; a program that ends without a quit was cut off."""
    async with open_house(is_sealed=is_sealed) as house:
        bob = await house.plain("Bob")
        ann = await getattr(house, dialect)("Ann")
        await ann.stream.aclose()
        left = "* Ann left" if dialect == "plain" else "* Ann left (connection lost)"
        assert await bob.hear(2) == ["* Ann joined", left]


async def test_an_unfinished_line_is_not_obeyed() -> None:
    """A line cut short is refused, not said: it may have been the start of a whisper."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        await bob.stream.send_all(b"a secret")
        await bob.stream.send_eof()
        assert await bob.rest() == ["! the last line has no line end; nothing was sent"]
        assert await ann.hear(2) == ["* Bob joined", "* Bob left"]


BAD_FIRST_LINES = {
    "junk": b"\xff\xfe\x00\x80\n",
    "brace": b"{\n",
    "list": b"[]\n",
    "nested": b"[" * 3000 + b"\n",
    "nested object": b'{"type":' * 500 + b"\n",
    "wrong type": b'{"type":"join","handle":7}\n',
    "lone surrogate": b'{"type":"join","handle":"\\ud800"}\n',
    "too long": b"x" * 100_000 + b"\n",
    "too long and no end": b"x" * 100_000,
    "empty": b"\n",
    "escape": b"\x1b[31m\n",
    "unknown": b'{"type":"dance"}\n',
    "no type": b'{"handle":"Ann"}\n',
}


@pytest.mark.smooth  # a long line of a stranger may not come in pieces for long
@pytest.mark.parametrize("line", BAD_FIRST_LINES.values(), ids=BAD_FIRST_LINES)
@over_both
async def test_bad_input_is_refused_and_the_connection_lives(line: bytes, is_sealed: bool) -> None:
    """Whatever the first line, it is refused with a sentence, and the next line may be good."""
    async with open_house(is_sealed=is_sealed) as house:
        peer = await house.connect()
        await peer.stream.send_all(line)
        while (refusal := await peer.line()).startswith("* triochat: what is your"):
            assert is_sealed  # what comes slowly in a large record has not been said yet
        assert "\x1b" not in refusal
        if not line.endswith(b"\n"):
            await peer.type("")
        if line.startswith(b"{"):
            assert json.loads(refusal)["type"] == "refused"
            await peer.ask({"type": "join", "handle": "Ann"})
            assert (await peer.event())["type"] == "welcome"
        else:
            assert refusal.startswith("! ")
            assert refusal.endswith(("; try another", "; nothing was sent"))
            await peer.type("Ann")
            assert await peer.line() == "* Server connected. You are Ann. 1 here: Ann"


@over_both
async def test_a_bug_ends_one_session_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_sealed: bool
) -> None:
    """A bug in one session is logged and told as a departure; everybody else goes on."""
    async with open_house(limits=Limits(), is_sealed=is_sealed) as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr("triochat.session.TokenBucket.spend", fail)
            await bob.type("boom")
            assert await ann.hear(3) == ["* Bob joined", "Bob> boom", "* Bob left (server error)"]
        assert "ZeroDivisionError" in caplog.text
        await ann.type("?")
        assert await ann.line() == "* 1 here: Ann"


@over_both
async def test_the_server_stops_politely(is_sealed: bool) -> None:
    """Closing the doors tells everybody, sends what is queued, and leaves no task behind."""
    async with open_house(max_clients=1, is_sealed=is_sealed) as house:
        ann = await house.plain("Ann")
        line, stranger = await house.connect(), await house.connect()
        await line.type("Bob")
        assert "number 1" in await line.line()
        await ann.type("last words")
        await trio.testing.wait_all_tasks_blocked()
    closing = "* Server closed the connection: shutting down"
    assert await ann.rest() == [closing]
    assert await line.rest() == [closing]
    assert (await stranger.rest())[-1] == closing


async def test_a_dead_reader_delays_the_stop_by_the_linger_only() -> None:
    """A peer that does not read what is queued for it is waited for as long as the linger."""
    async with open_house(lockstep=True) as house:
        dead = await house.connect()
        await dead.type("Dead")
        await trio.testing.wait_all_tasks_blocked()
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(LINGER)


@over_both
async def test_handles_are_free_again(is_sealed: bool) -> None:
    """Thirty peers that vanish in every way leave an exact roster and no outbox behind."""
    async with open_house(is_sealed=is_sealed) as house:
        ann = await house.plain("Ann")
        for number in range(30):
            peer = await (house.connect() if number % 3 == 0 else house.plain(f"p{number}"))
            if number % 2:
                await peer.stream.send_all(b"half a li")
            await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert house.room.roster == ("Ann",)
        assert len(house.hub.fan_out.links) == 1
        await ann.type("?")
        assert (await ann.hear(41))[-1] == "* 1 here: Ann"


@over_both
async def test_a_kicked_peer_hears_why_and_is_not_heard(is_sealed: bool) -> None:
    """Who is kicked is told why, and nothing it sends from then on reaches anybody."""
    async with open_house(is_sealed=is_sealed) as house:
        operator = await house.operator()
        joe = await house.plain("Joe")
        assert await joe.heard_nothing()
        await operator.ask({"type": "kick", "handle": "joe", "reason": "spam"})
        await joe.type("Joe", "one more thing")
        assert await joe.rest() == ["* Server closed the connection: kicked: spam"]
        assert [(await operator.event())["type"] for _ in range(2)] == ["joined", "left"]
        assert await operator.heard_nothing()


async def test_a_reset_is_told_whoever_the_system_told_it_first() -> None:
    """A peer whose reset a writer was told, and the reader was not, has not quit but is lost."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    async with open_house() as house:
        ann = await house.plain("Ann")
        async with trio.open_nursery() as nursery:
            bob = Session(stream, house.hub)
            nursery.start_soon(bob.run)
            theirs.sendall(b"Bob\n")
            assert await ann.line() == "* Bob joined"
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            bob.link.outbox.put(b"hello?\n")
        assert bob.link.outbox.why
        assert await ann.line() == "* Bob left (connection lost)"


async def test_nothing_is_left_of_an_answer() -> None:
    """Thousands of answers leave no object each behind."""
    async with open_house() as house:
        ann = await house.ndjson("Ann")

        async def ping(count: int) -> int:
            await ann.ask(*[{"type": "ping"}] * count)
            await ann.hear(count)
            gc.collect()
            return len(gc.get_objects())

        before = await ping(2000)
        assert await ping(2000) - before < 1000  # coverage keeps some of its own


@over_both
async def test_what_follows_a_quit_costs_nobody_anything(
    monkeypatch: pytest.MonkeyPatch, is_sealed: bool
) -> None:
    """Lines after a quit are not handed on, and take no place from what others say."""
    async with open_house(is_sealed=is_sealed) as house:
        eve = await house.plain("Eve")
        asked: list[int] = []
        apply = house.room.apply

        def count(one: Asked) -> list[Telling]:
            asked.append(len(one.requests))
            return apply(one)

        monkeypatch.setattr(house.room, "apply", count)
        await eve.type("\\quit", *[""] * 10_000)
        await eve.rest()
    assert sum(asked) < 1000


@over_both
async def test_the_log_tells_who_came_and_went(
    caplog: pytest.LogCaptureFixture, is_sealed: bool
) -> None:
    """At info there is a line for who comes, is refused, goes or is put out, without its words."""
    caplog.set_level("INFO", "triochat")
    async with open_house(is_sealed=is_sealed) as house:
        ann = await house.plain("Ann")
        await ann.type("secret > Bob", "secret")
        await trio.testing.wait_all_tasks_blocked()
        await ann.type("\\quit")
        await ann.rest()
        silent = await house.connect()
        await silent.rest()
        await silent.stream.aclose()
        passer = await house.connect()
        await passer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert [record.getMessage() for record in caplog.records] == [
            "a peer: is Ann (plain)",
            "a peer: refused (no-such-handle)",
            "a peer: gone (quit)",
            "a peer: gone (not joined within 60 seconds)",
        ]


# ---- moderation


async def test_who_is_banned_is_refused_where_it_comes_from() -> None:
    """The host of who is banned is refused whatever it calls itself; others come and go."""
    async with open_house() as house:
        boss = await house.operator()
        joe, ann = await house.from_host("10.0.0.7"), await house.from_host("10.0.0.8")
        await joe.type("Joe")
        await ann.type("Ann")
        await joe.line(), await ann.line()
        await boss.ask({"type": "ban", "handle": "joe", "minutes": 10, "reason": "spam"})
        assert (await joe.rest())[-2:] == [
            "* Joe was banned by Server for 10 minutes: spam",
            "* Server closed the connection: banned: spam",
        ]
        again = await house.from_host("10.0.0.7")
        await again.ask({"type": "join", "handle": "Zoe"}, {"type": "say", "text": "hi"})
        refused, closing = [json.loads(line) for line in await again.rest()]
        assert (refused["code"], closing) == ("banned", {"type": "closing", "reason": "banned"})
        assert refused["text"] == "you are banned here for another 10 minutes: spam"
        await ann.type("gone?")
        zoe = await house.from_host("10.0.0.9")
        await zoe.type("Zoe")
        assert "You are Zoe" in await zoe.until("* Server")
        await trio.testing.wait_all_tasks_blocked()
        assert house.room.roster == ("Ann", "Server", "Zoe")


async def test_a_member_that_was_made_operator_moderates_at_nc() -> None:
    """Commands are typed anywhere; who may, the room knows."""
    async with open_house() as house:
        boss = await house.operator()
        ann, joe = await house.plain("Ann"), await house.plain("Joe")
        await ann.type("\\mute Joe")
        await trio.testing.wait_all_tasks_blocked()
        await boss.ask({"type": "op", "handle": "Ann"})
        await trio.testing.wait_all_tasks_blocked()
        await ann.type("/mute Joe 5", "/bans")
        assert await ann.hear(6) == [
            "* Joe joined",
            "! only operators can use \\mute",
            "* Ann was made an operator by Server",
            "* Joe was muted by Ann for 5 minutes",
            "* only the name is held: where it comes from is not known",
            "* muted: Joe for another 5 minutes",
        ]
        await joe.type("hello?")
        assert (await joe.hear(3))[-1] == "! you are muted for another 5 minutes; nothing was sent"
