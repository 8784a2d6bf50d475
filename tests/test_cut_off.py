"""What a person at a terminal sees and may do when the server is gone, closes, or says nothing."""

import os

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from doubles import Paper, Street, Stub, Text, Typist, sitting
from triochat.chat import AWAY, BEGUN_ANEW, SILENT, Chat
from triochat.connection import LOST, PATIENCE, Connection
from triochat.messages import (
    Closing,
    Join,
    Left,
    Notice,
    Ping,
    Pong,
    Quit,
    Refused,
    Said,
    Say,
    Welcome,
    Whisper,
)
from triochat.person import ASK_AFTER, HUSH
from triochat.terminals.pipe import Pipe
from triochat.terminals.teletype import Teletype
from triochat.words import missed

WELCOME = Welcome("Bob", "S", ("Ann", "Bob"))
RESTART = Closing("shutting down", retry=True)
LATER = Closing("the operator ended the chat", retry=True, ask=True)
GONE = "* connection lost; trying to come back (Ctrl-C gives up)"


@pytest.fixture(autouse=True)
def even_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter."""
    monkeypatch.setattr("random.uniform", lambda *_: 1.0)


# ---- the server is gone


@pytest.mark.parametrize("is_restart", [False, True])
async def test_a_server_that_vanishes_is_waited_for(is_restart: bool) -> None:
    """With growing pauses, in the status; one line says that it is gone; the handle is kept."""
    first, last, typist = Stub(), Stub(), Typist()
    street = Street(first, None, None, None, last)
    async with sitting(typist, street.connect, "Bob") as bob:
        await first.tell(WELCOME)
        del typist.screen[:]
        if is_restart:
            await first.tell(RESTART)
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.person.is_lost
        shown = set()
        while len(street.tries) < 5:
            shown.add(typist.view.state)
            assert (typist.prompt, typist.view.holds) == ("Bob> ", AWAY)
            await trio.sleep(0.25)
        await trio.testing.wait_all_tasks_blocked()
        assert not bob.person.is_lost
        assert street.tries == pytest.approx([0, 0.5, 1.5, 3.5, 7.5])
        still = "still not there (connection refused); trying again in {} s (Ctrl-C gives up)"
        assert shown == {
            (
                f"{'the server stopped' if is_restart else 'connection lost'}; trying again in 1 s"
                " (Ctrl-C gives up)"
            ),
            *(still.format(seconds) for seconds in (1, 2, 3, 4)),
        }
        assert typist.view.holds == AWAY
        assert await last.asked() == [Join("Bob")]
        await last.tell(WELCOME)
        assert (typist.prompt, typist.view.state, typist.view.holds) == ("Bob> ", "", "")
        gone = [GONE]
        if is_restart:
            gone = [
                "* Server closed the connection: shutting down",
                "* trying to come back (Ctrl-C gives up)",
            ]
        welcome = "* S connected. You are Bob. 2 here: Ann, Bob"
        assert typist.screen == [*gone, f"* {BEGUN_ANEW.text}", welcome]


async def test_a_server_that_lets_in_and_closes_is_not_called_all_the_time() -> None:
    """After stays that are over at once the pauses grow, as if nobody were there."""
    stubs = [Stub() for _ in range(5)]
    street = Street(*stubs)
    async with sitting(Typist(), street.connect, "Bob"):
        for number, stub in enumerate(stubs, 1):
            while len(street.tries) < number:  # noqa: ASYNC110  nobody tells
                await trio.sleep(0.1)
            await stub.tell(WELCOME, RESTART)
            await stub.ours.aclose()
            await trio.testing.wait_all_tasks_blocked()
    assert street.tries == pytest.approx([0, 0.5, 1.5, 3.5, 7.5], abs=0.4)


@pytest.mark.parametrize("leave", ["end of input", "\\quit"])
async def test_who_does_not_wait_ends_at_once(leave: str) -> None:
    """Ctrl-D gives up, as Ctrl-C does."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob") as bob:
        await first.tell(WELCOME)
        await first.ours.aclose()
        await trio.sleep(20)
        assert bob.ended == []
        if leave == "\\quit":
            await typist.type(leave)
        else:
            await typist.keys.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [False]
        assert bob.person.is_lost


async def test_no_line_waits_for_the_server() -> None:
    """What a terminal hands over all the same is refused: nobody hears it afterwards."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(WELCOME)
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await typist.keys.send(Say("data"))
        await typist.type("secret > Ann")
        await typist.type("  ")
        no = "! not connected; nothing was sent; type it again when you are back"
        assert typist.screen[-3:] == [GONE, no, no]
        assert typist.asked[-2:] == [Say("data"), Whisper("Ann", "secret")]
        await trio.sleep(1)
        await last.tell(WELCOME)
        assert await last.asked() == [Join("Bob")]


async def test_what_was_perhaps_not_sent_is_told() -> None:
    """Where no place is kept each line without a receipt is named at once, shortened."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob"):
        await first.tell(WELCOME)
        for line in ("one", "two", "?", "psst > Ann", "\\nick x", "x" * 100):
            await typist.type(line)
        await first.tell(Said(1, "", "Bob", "one"))
        del typist.screen[:]
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        texts = ("two", "psst > Ann", "x" * 59 + "…")
        assert typist.screen == [*(f"! perhaps not sent: {text}" for text in texts), GONE]


async def test_of_many_lines_some_are_told() -> None:
    """A paste that is lost does not fill the screen."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob"):
        await first.tell(WELCOME)
        for number in range(50):
            await typist.keys.send(Say(f"{number}"))
        await trio.testing.wait_all_tasks_blocked()
        del typist.screen[:]
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        told = [*map(str, range(10)), "and 40 more"]
        assert typist.screen == [*(f"! perhaps not sent: {text}" for text in told), GONE]


async def test_a_line_that_was_held_up_is_told() -> None:
    """Nor is a line lost that is taken just as the connection is lost."""
    for _ in range(20):  # whichever is noticed first
        server, typist = Stub(), Typist()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Chat(typist, Connection(server.theirs), "Bob").run)
            await server.tell(WELCOME)
            typist.keys.send_nowait("hello")
            await server.ours.aclose()
        assert typist.screen[1:] == ["! perhaps not sent: hello"]


async def test_a_handle_that_is_still_taken_is_tried_again() -> None:
    """A former self may have it: it is tried, in silence, and at last asked for."""
    servers, typist = [Stub() for _ in range(ASK_AFTER + 2)], Typist()
    taken = Refused("handle-taken", 'handle "Bob" is taken; try another')
    async with sitting(typist, Street(*servers).connect, "Bob"):
        await servers[0].tell(WELCOME)
        del typist.screen[:]
        await servers[0].ours.aclose()
        for server in servers[1:-1]:
            await trio.sleep(16)
            assert typist.view.holds == AWAY
            await server.tell(taken)
            state = 'not let in yet (handle "Bob" is taken); trying again in '
            assert typist.view.state.startswith(state)
        assert typist.screen == [GONE]
        await trio.sleep(16)
        await servers[-1].tell(taken)
        assert typist.screen == [GONE, '! handle "Bob" is taken; try another']
        assert (typist.prompt, typist.view.offer) == ("Your handle? ", "")


async def test_who_has_no_handle_yet_is_asked_again() -> None:
    """A server that is lost at the question is waited for, and the question is the same."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect):
        await first.ours.aclose()
        await trio.sleep(1)
        assert (typist.prompt, typist.view.holds) == ("Your handle? ", "")
        await typist.type("Bob")
        assert await last.asked() == [Ping(), Join("Bob")]


async def test_who_thinks_for_long_about_a_handle_notices_nothing() -> None:
    """Where the server has not waited for the handle the client connects again, and joins."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect):
        await first.tell(Pong(), Closing("not joined within 20 seconds", retry=True, ask=True))
        await first.ours.aclose()
        await trio.sleep(3600)
        assert (typist.prompt, typist.view.state, typist.screen) == ("Your handle? ", "", [])
        await typist.type("Bob")
        assert await last.asked() == [Join("Bob")]
        await last.tell(WELCOME)
        assert typist.prompt == "Bob> "


async def test_who_thinks_for_long_can_leave() -> None:
    """Ctrl-D ends it then as well."""
    server, typist = Stub(), Typist()
    async with sitting(typist, Street(server).connect) as bob:
        await server.tell(Pong(), Closing("not joined within 20 seconds", retry=True, ask=True))
        await server.ours.aclose()
        await trio.sleep(60)
        typist.keys.close()
        await trio.sleep(3)
        assert bob.ended == [True]


# ---- the server closes


async def test_a_pipe_comes_not_back() -> None:
    """For a program the end is the end, and a failure where there might have been more to say."""
    for closing in (RESTART, LATER, Closing("kicked")):
        server, output, errors = Stub(), Paper(), Paper()
        into, source = trio.testing.memory_stream_one_way_pair()
        await into.send_all(b"one\n")
        pipe, street = Pipe(source.receive_some, output, errors), Street(server)
        async with sitting(pipe, street.connect, "Bob") as bob:
            await server.tell(WELCOME)
            await server.tell(Said(1, "", "Bob", "one"), closing)
            await server.ours.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [False]
            assert len(street.tries) == 1
        assert errors.lines == ["! the server closed the connection before the input ended"]


async def test_a_pipe_that_has_said_all_is_well() -> None:
    """A server that closes when the input has ended, and all is confirmed, takes nothing away."""
    for lines, told in ((2, []), (1, ["! not confirmed, perhaps lost: 1 line, from line 2 on"])):
        server, errors = Stub(), Paper()
        into, source = trio.testing.memory_stream_one_way_pair()
        await into.send_all(b"one\ntwo\n")
        await into.aclose()
        async with sitting(
            Pipe(source.receive_some, Paper(), errors), server.connect, "Bob"
        ) as bob:
            await server.tell(WELCOME)
            await server.tell(*[Said(1, "", "Bob", "one")] * lines, Closing("enough"))
            await server.ours.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [not told]
        assert errors.lines == told


@pytest.mark.parametrize("closing", [LATER, Refused("queue-full", "the room is full; try later")])
async def test_a_person_is_asked_whether_to_come_back(closing: Closing | Refused) -> None:
    """Where the server says so, or its queue is full; no line is taken for the answer."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob", offer="login"):
        await first.tell(closing)
        await first.ours.aclose()
        await trio.sleep(2 * HUSH)
        assert typist.prompt == "Reconnect? [y/N] "
        await typist.type("what happened?")
        assert typist.screen[-1] == "! y or n, please"
        assert typist.prompt == "Reconnect? [y/N] "
        await typist.type("y")
        assert (typist.prompt, typist.view.offer) == ("Your handle? ", "login")


async def test_a_chat_that_is_over_ends() -> None:
    """Where the server does not say that one may come back, nothing is asked."""
    server, typist = Stub(), Typist()
    async with sitting(typist, Street(server).connect, "Bob") as bob:
        await server.tell(WELCOME, Closing("kicked"))
        await server.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [True]


async def test_a_queue_that_is_full_is_tried_again_by_who_was_in() -> None:
    """After a restart everybody wants in at once; a pipe fails."""
    first, last, typist = Stub(), Stub(), Typist()
    full = Refused("queue-full", "the room is full, and so is the line; try again later")
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(WELCOME, RESTART)
        await first.ours.aclose()
        await trio.sleep(0.6)
        await last.tell(full)
        assert typist.view.state.startswith("not let in yet (the room is full, and so is the line)")
    server, errors = Stub(), Paper()
    pipe = Pipe(Text(b"").receive_some, Paper(), errors)
    async with sitting(pipe, Street(server).connect, "Bob") as bob:
        await server.tell(full)
        assert bob.ended == [False]
    assert errors.lines == ["! the room is full, and so is the line; try again later"]


async def test_who_leaves_is_not_brought_back() -> None:
    """A server that restarts while somebody leaves does not keep them; they say so once."""
    server, typist = Stub(), Typist()
    async with sitting(typist, Street(server).connect, "Bob") as bob:
        await server.tell(WELCOME)
        await bob.person.interrupt()
        await typist.keys.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert await server.asked() == [Join("Bob"), Quit()]
        await server.tell(RESTART)
        await server.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [True]


# ---- the server says nothing


@pytest.mark.parametrize("line", ["", "hello"])
async def test_a_frozen_server_is_noticed(line: str) -> None:
    """The status says for how long it has not answered to anything; in the end it is lost."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob"):
        await first.tell(WELCOME)
        if line:
            await typist.type(line)
        else:
            await trio.sleep(15)
        states = []
        await trio.sleep(0.5)
        for _ in range(round(LOST)):
            states.append(typist.view.state)
            await trio.sleep(1)
        late = [f"no answer for {seconds} s" for seconds in range(round(SILENT), round(LOST))]
        assert [state for state in states if state] == late
        assert typist.screen[-1] == GONE
        assert typist.view.state.startswith("connection lost; trying again in ")


async def test_a_server_that_wakes_up_is_well() -> None:
    """As soon as it answers the status is as ever, with the lag."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob"):
        await first.tell(WELCOME)
        await trio.sleep(15 + 8.5)
        assert typist.view.state == "no answer for 8 s"
        await first.tell(Pong())
        await trio.sleep(1)
        assert typist.view.state == ""
        assert typist.view.lag == pytest.approx(8.5)


# ---- the first words


async def test_a_newcomer_is_told_of_help_once() -> None:
    """After the first welcome, and not when it comes back; a pipe is told nothing."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(WELCOME)
        assert typist.screen[-1] == "* \\help lists what you can type"
        await first.ours.aclose()
        await trio.sleep(1)
        await last.tell(WELCOME)
        assert typist.screen[-1].startswith("* S connected")
    server, output = Stub(), Paper()
    pipe = Pipe(Text(b"").receive_some, output, Paper())
    async with sitting(pipe, Street(server).connect, "Bob"):
        await server.tell(WELCOME)
    assert len(output.lines) == 1


async def test_a_handle_is_offered() -> None:
    """The first time the name that one has here; later, the one that one had in the room."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, offer="bob"):
        assert (typist.prompt, typist.view.offer) == ("Your handle? ", "bob")
        await typist.type("bob")
        await first.tell(Pong(), Refused("handle-taken", "no"))
        assert (typist.prompt, typist.view.offer) == ("Your handle? ", "")
        await typist.type("Bob")
        assert typist.view.offer == ""
        await first.tell(WELCOME)
        await typist.type("\\quit")
        await first.ours.aclose()
        await trio.sleep(2 * HUSH)
        assert (typist.prompt, typist.view.offer) == ("Reconnect? [y/N] ", "")
        await typist.type("y")
        assert (typist.prompt, typist.view.offer) == ("Your handle? ", "Bob")


async def test_the_place_in_the_queue_is_no_refusal() -> None:
    """Who comes back and has to wait in the queue may type, and leave, as anybody there."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(WELCOME)
        await first.ours.aclose()
        await trio.sleep(0.6)
        assert (typist.view.holds, typist.view.where) == (AWAY, None)  # nobody is counted
        await last.tell(Notice("The room is full; you are number 2 in line"))
        assert (typist.view.holds, typist.view.state, typist.view.where) == ("", "", "here")


async def test_paper_shows_the_offer_and_takes_it() -> None:
    """At a terminal that only prints a blank line is the name in brackets."""
    fd, keys = os.pipe()
    first, paper = Stub(), Paper()
    async with sitting(Teletype(fd, paper), Street(first).connect, offer="bob"):
        assert paper.lines == ["Your handle? [bob] "]
        os.write(keys, b"\n")
        await trio.testing.wait_all_tasks_blocked()
        assert await first.asked() == [Ping(), Join("bob")]
        await first.tell(WELCOME)
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        os.write(keys, b"secret > Ann\n")
        await trio.testing.wait_all_tasks_blocked()
        assert paper.lines[3:] == [
            GONE,
            "! not connected; nothing was sent; type it again when you are back",
        ]
    os.close(fd)
    os.close(keys)


# ---- who is banned


BANNED = Refused("banned", "you are banned here: spam", 3)


@pytest.mark.parametrize("handle", ["Bob", ""])
async def test_who_is_banned_is_told_why_and_let_go(handle: str) -> None:
    """At a terminal there is no question after it, nor another try."""
    server, typist = Stub(), Typist()
    async with sitting(typist, Street(server).connect, handle) as bob:
        if not handle:
            await typist.type("Bob")
        await server.tell(BANNED, Closing("banned"))
        await server.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [False]
    assert typist.screen == [
        "! you are banned here: spam",
        "* Server closed the connection: banned",
    ]
    assert typist.prompt == "Bob> "


async def test_who_is_banned_meanwhile_does_not_try_for_ever() -> None:
    """Who comes back and is banned is told so, and that is the end."""
    first, second, typist = Stub(), Stub(), Typist()
    street = Street(first, second)
    async with sitting(typist, street.connect, "Bob") as bob:
        await first.tell(WELCOME)
        await first.ours.aclose()
        await trio.sleep(2)
        await second.tell(BANNED, Closing("banned"))
        await second.ours.aclose()
        await trio.sleep(100)
        assert (bob.ended, len(street.tries)) == ([True], 2)
    assert typist.screen[-2] == "! you are banned here: spam"


# ---- the place is kept

TOKEN = "a-token-of-22-letters_"
HERE = Welcome("Bob", "S", ("Ann", "Bob"), 7, token=TOKEN)
BACK = Welcome("Bob", "S", ("Ann", "Bob"), 12, token=TOKEN, resumed=True)


def said(number: int, handle: str, text: str) -> Said:
    """A message, one a minute."""
    return Said(number, f"2026-01-02T10:{number:02}:00.000Z", handle, text)


async def test_what_was_missed_is_counted_and_shown() -> None:
    """Under how many they are, from when to when; one's own do not count. What is new follows."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(HERE)
        assert await first.asked() == [Join("Bob")]
        join = first.joins[0]
        assert (join.history, join.after, len(join.token)) == (None, None, 22)
        await typist.type("sent")
        await typist.type("lost")
        assert typist.view.unconfirmed == (Say("sent"), Say("lost"))
        await first.tell(said(8, "Ann", "seen"))
        del typist.screen[:], typist.past[:], typist.views[:]
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert typist.view.unconfirmed == (Say("sent"), Say("lost"))
        await trio.sleep(1)
        assert await last.asked() == [Join("Bob"), Ping()]
        assert (last.joins[0].token, last.joins[0].after) == (TOKEN, 8)
        await last.tell(
            BACK, said(8, "Ann", "seen"), said(9, "Ann", "one"), Left("Cid", "quit", 10)
        )
        await last.tell(said(11, "Bob", "sent"), said(12, "Ann", "two"))
        await typist.type("new")
        assert typist.screen == [GONE]
        assert typist.view.unconfirmed == (Say("lost"), Say("new"))
        assert all(Say("lost") in view.unconfirmed for view in typist.views), "it stays in sight"
        await last.tell(Pong(), said(13, "Ann", "three"))
        assert typist.screen == [
            GONE,
            f"* {missed(2, said(9, '', '').at, said(12, '', '').at)}",
            "Ann> one",
            "* Cid left",
            "Bob> sent",
            "Ann> two",
            "* S connected. You are Bob. 2 here: Ann, Bob",
            "Ann> three",
        ]
        assert typist.past == [False, True, True, True, True, True, False, False]
        assert await last.asked() == [Say("lost"), Say("new")]
        await last.tell(said(14, "Bob", "lost"), said(15, "Bob", "new"))
        assert not typist.view.unconfirmed


async def test_what_was_missed_is_shown_also_where_it_is_cut_off() -> None:
    """It is told once; the next time comes what is left."""
    first, second, third, typist = Stub(), Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, second, third).connect, "Bob"):
        await first.tell(HERE)
        await first.ours.aclose()
        await trio.sleep(1)
        del typist.screen[:]
        await second.tell(BACK, said(9, "Ann", "one"))
        await second.ours.aclose()
        await trio.sleep(2)
        assert typist.screen[1] == "Ann> one"
        await third.asked()
        assert third.joins[0].after == 9
        await third.tell(BACK, said(9, "Ann", "one"), said(10, "Ann", "two"), Pong())
        shown = [line for line in typist.screen if line.startswith("Ann> ")]
        assert shown == ["Ann> one", "Ann> two"]


async def test_much_that_was_missed_is_not_held_back_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When it is enough it is shown, and the rest as it comes."""
    monkeypatch.setattr("triochat.missed.MOST", 3)
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(HERE)
        await first.ours.aclose()
        await trio.sleep(1)
        del typist.screen[:]
        await last.tell(BACK, *(said(number, "Ann", f"{number}") for number in (8, 9, 10, 11)))
        assert typist.screen[0].startswith("* 3 or more messages while you were away, ")
        assert typist.screen[1:] == ["Ann> 8", "Ann> 9", "Ann> 10", "Ann> 11"]


async def test_who_is_not_known_any_more_is_told_what_is_lost() -> None:
    """Where the server has begun anew nothing is said again; what was said before is shown."""
    first, last, typist = Stub(), Stub(), Typist()
    async with sitting(typist, Street(first, last).connect, "Bob"):
        await first.tell(HERE)
        await typist.type("hello")
        await first.tell(said(8, "Ann", "seen"))
        del typist.screen[:]
        await first.ours.aclose()
        await trio.sleep(1)
        await last.asked()
        anew = Welcome("Bob", "S", ("Bob",), 3, token=TOKEN)
        await last.tell(anew, said(1, "Ann", "old"), said(9, "Ann", "past"), Pong())
        assert typist.screen[:4] == [
            GONE,
            f"* {BEGUN_ANEW.text}",
            "! perhaps not sent: hello",
            "* S connected. You are Bob. 1 here: Bob",
        ]
        await typist.type("again")
        assert await last.asked() == [Say("again")]


@pytest.mark.parametrize("leave", ["Ctrl-C", "Ctrl-D"])
async def test_who_gives_up_is_told_what_was_not_confirmed(leave: str) -> None:
    """Nothing is lost in silence, however the person leaves."""
    first, typist = Stub(), Typist()
    async with sitting(typist, Street(first).connect, "Bob") as bob:
        await first.tell(HERE)
        await typist.type("hello")
        await first.ours.aclose()
        await trio.sleep(3)
        del typist.screen[:]
        if leave == "Ctrl-C":
            assert await bob.person.interrupt()
        else:
            typist.keys.close()
        await trio.testing.wait_all_tasks_blocked()
        assert typist.screen == ["! perhaps not sent: hello"]
        assert (bob.ended, bob.person.is_lost) == ([False], True)


async def test_who_was_replaced_does_not_fight() -> None:
    """A closing that says nothing of coming back is the end."""
    server, typist = Stub(), Typist()
    street = Street(server, Stub())
    async with sitting(typist, street.connect, "Bob") as bob:
        await server.tell(HERE, Closing("you came back over another connection"))
        await server.ours.aclose()
        await trio.sleep(60)
        assert (bob.ended, len(street.tries)) == ([True], 1)


# ---- a pipe whose place is kept


async def piped(text: bytes) -> tuple[Pipe, Paper, Paper, trio.abc.SendStream]:
    """A pipe, its two outputs, and where more can be put in."""
    into, source = trio.testing.memory_stream_one_way_pair()
    await into.send_all(text)
    output, errors = Paper(), Paper()
    return Pipe(source.receive_some, output, errors), output, errors, into


async def test_a_pipe_comes_back_to_its_place() -> None:
    """Each line is said once, and nothing in its output tells of the cut."""
    first, last = Stub(), Stub()
    pipe, output, errors, into = await piped(b"one\ntwo\n")
    async with sitting(pipe, Street(first, last).connect, "Bob") as bob:
        await first.tell(HERE)
        await first.tell(said(8, "Bob", "one"))
        await first.ours.aclose()
        await into.send_all(b"three\n")
        await into.aclose()
        await trio.sleep(1)
        await last.asked()
        await last.tell(BACK, said(9, "Ann", "hi"), Pong())
        assert await last.asked() == [Say("two"), Say("three")]
        await last.tell(said(13, "Bob", "two"))
        assert bob.ended == []
        await last.tell(said(14, "Bob", "three"))
        assert await last.asked() == [Quit()]
        await last.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [True]
    assert errors.lines == []
    assert output.lines[1:] == ["Bob> one", "Ann> hi", "Bob> two", "Bob> three"]


async def test_a_pipe_whose_place_is_gone_fails() -> None:
    """It begins no stay anew: nobody knows whether its lines were heard."""
    first, last = Stub(), Stub()
    pipe, _, errors, _ = await piped(b"one\n")
    async with sitting(pipe, Street(first, last).connect, "Bob") as bob:
        await first.tell(HERE)
        await first.ours.aclose()
        await trio.sleep(1)
        await last.asked()
        await last.tell(replace(BACK, resumed=False))
        assert await last.asked() == [Quit()]
        assert bob.ended == [False]
    assert errors.lines == [
        "! connection lost, and the room does not know us any more",
        "! not confirmed, perhaps lost: 1 line, from line 1 on",
    ]


async def test_a_pipe_gives_up_in_the_end() -> None:
    """When its place is kept no longer it says so, and what may be lost; and so at Ctrl-C."""
    for is_interrupted in (False, True):
        first = Stub()
        pipe, _, errors, _ = await piped(b"one\n")
        async with sitting(pipe, Street(first).connect, "Bob") as bob:
            await first.tell(HERE)
            await first.ours.aclose()
            await trio.sleep(PATIENCE / 2)
            assert bob.ended == []
            if is_interrupted:
                assert await bob.person.interrupt()
            else:
                await trio.sleep(PATIENCE)
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [False]
        assert errors.lines == [
            "! connection lost",
            "! not confirmed, perhaps lost: 1 line, from line 1 on",
        ]


async def test_a_pipe_that_was_never_welcome_tries_again_for_a_moment() -> None:
    """It may be in already, and nothing was said; by the same token it begins where it is."""
    first, last = Stub(), Stub()
    pipe, output, errors, into = await piped(b"one\n")
    await into.aclose()
    async with sitting(pipe, Street(first, last).connect, "Bob") as bob:
        assert await first.asked() == [Join("Bob")]
        await first.ours.aclose()
        await trio.sleep(1)
        await last.asked()
        assert last.joins == first.joins
        await last.tell(replace(BACK, last=1), Pong())
        await last.tell(said(2, "Bob", "one"))
        assert await last.asked() == [Ping(), Say("one"), Quit()]
        await last.ours.aclose()
    assert (bob.ended, errors.lines, output.lines[1:]) == ([True], [], ["Bob> one"])
    first = Stub()
    pipe, _, errors, _ = await piped(b"one\n")
    async with sitting(pipe, Street(first).connect, "Bob") as bob:
        await first.ours.aclose()
        await trio.sleep(30)
        assert (bob.ended, errors.lines[0]) == ([False], "! connection lost")
