import pytest
import trio
import trio.testing

from doubles import Stub, Typist, sitting
from house import open_house
from triochat.chat import OVER, Chat
from triochat.circle import Circle
from triochat.connection import QUIT_TIMEOUT, Connection
from triochat.dialects.ndjson import decode_request
from triochat.framing import Lines
from triochat.messages import Closing, Join, Quit, Said, Say, Welcome, Whisper, Who
from triochat.person import HUSH, Person
from triochat.ways import Why

REMEDY = "\\help lists them, \\\\ at the start says the line as it stands"


async def test_a_person_is_asked_for_a_handle_until_one_fits() -> None:
    """A refused handle is asked for again; the prompt is the handle when it is accepted."""
    async with open_house() as house:
        await house.plain("Ann")
        typist = Typist()
        async with sitting(typist, house.listener.connect):
            assert typist.prompt == "Your handle? "
            await typist.type("Ann")
            assert typist.screen == ['! handle "Ann" is taken; try another']
            assert typist.prompt == "Your handle? "
            await typist.type("two words")
            await typist.type("Bob")
            assert typist.prompt == "Bob> "
            assert typist.screen[2] == "* Server connected. You are Bob. 2 here: Ann, Bob"


async def test_the_grammar_at_the_keyboard() -> None:
    """Messages, whispers, the roster, renaming, help and unknown commands, as typed."""
    async with open_house() as house:
        ann, typist = await house.plain("Ann"), Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            del typist.screen[:]
            for line in ("hi", "psst > Ann", "x > Nobody", "?", "", "\\frob", "/nick Rob", "there"):
                await typist.type(line)
            assert typist.screen == [
                "Bob> hi",
                "[you -> Ann] psst",
                '! nobody here is called "Nobody"; nothing was sent',
                "* 2 here: Ann, Bob",
                "! there is no command \\frob; " + REMEDY,
                "* Bob is now Rob",
                "Rob> there",
            ]
            assert typist.prompt == "Rob> "
            await typist.type("\\help")
            assert typist.screen[-1].startswith("* \\who")
            assert "\\bell" in typist.screen[-1]
        assert await ann.hear(4) == [
            "* Bob joined", "Bob> hi", "[Bob -> you] psst", "* Bob is now Rob"
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "back"), [("y", True), ("YES", True), ("", False), ("n", False)]
)
async def test_quit_asks_whether_to_reconnect(answer: str, back: bool) -> None:
    """After a quit, y starts again from the handle; anything else ends well."""
    async with open_house() as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            await typist.type("bye")
            await typist.type("\\quit")
            await trio.sleep(2 * HUSH)
            assert typist.screen[-1] == "Bob> bye"
            assert typist.prompt == "Reconnect? [y/N] "
            assert not house.room.roster
            await typist.type(answer)
            assert bob.ended == ([] if back else [True])
            if back:
                assert typist.prompt == "Your handle? "
                await typist.type("Rob")
                assert house.room.roster == ("Rob",)


async def test_what_was_entered_before_the_question_is_no_answer() -> None:
    """Lines that nobody took when the question comes are told, and it waits for others."""
    async with open_house() as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            del typist.screen[:]
            for line in ("\\quit", "y", Say("pasted"), " ", "no"):
                await typist.keys.send(line)
            await trio.sleep(2 * HUSH)
            assert typist.prompt == "Reconnect? [y/N] "
            assert typist.screen == [f"! not sent: {line}" for line in ("y", "pasted", "no")]
            await typist.type("maybe")
            assert typist.screen[3:] == ["! y or n, please"]
            await typist.type("n")
            assert bob.ended == [True]


async def test_the_end_of_input_leaves_without_a_question() -> None:
    """Ctrl-D delivers what was typed, then leaves as a quit does, and asks nothing."""
    async with open_house() as house:
        ann, typist = await house.plain("Ann"), Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            await typist.keys.send("last")
            await typist.keys.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [True]
        assert await ann.hear(3) == ["* Bob joined", "Bob> last", "* Bob left"]


async def test_an_interrupt_says_quit() -> None:
    """Ctrl-C leaves the room politely and asks nothing."""
    async with open_house() as house:
        ann, typist = await house.plain("Ann"), Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            assert await bob.person.interrupt()
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [True]
            assert not await bob.person.interrupt()
        assert await ann.hear(2) == ["* Bob joined", "* Bob left"]


async def test_a_server_that_stops_says_so() -> None:
    """When the server stops, its reason is shown, and the client ends well without a question."""
    typist = Typist()
    async with open_house() as house, sitting(typist, house.listener.connect, "Bob") as bob:
        house.hub.close("shutting down")
        await trio.testing.wait_all_tasks_blocked()
        assert bob.ended == [True]
        assert typist.screen[-1] == "* Server closed the connection: shutting down"


@pytest.mark.parametrize("reason", ["shutting down", "kicked"])
async def test_nobody_is_put_out_in_the_middle_of_a_word(reason: str) -> None:
    """Who is typing when the chat is over stays until that is done; no line is taken then."""
    server, typist = Stub(), Typist()
    ended: list[bool] = []

    async def run() -> None:
        ended.append(
            await Person(typist, Circle({"here": server.connect}), "Bob").run(server.theirs)
        )

    typist.idle = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await server.tell(Welcome("Bob", "S", ("Bob",)), Closing(reason))
        await server.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []
        assert typist.screen[-1] == f"* Server closed the connection: {reason}"
        assert (typist.view.holds, typist.view.question) == (OVER, "")
        typist.idle.set()
    assert ended == [True]


async def test_a_server_that_stops_at_the_question_says_so() -> None:
    """Who has not said a handle yet is told like anybody, however soon the server stops."""
    for seconds in (0, 0.4, 1, 15):
        typist = Typist()
        async with open_house() as house, sitting(typist, house.listener.connect) as bob:
            await trio.sleep(seconds)
            house.hub.close("shutting down")
            await trio.testing.wait_all_tasks_blocked()
            assert bob.ended == [False]  # and was never in
            assert typist.screen == ["* Server closed the connection: shutting down"]


async def test_a_refusal_comes_with_what_was_refused() -> None:
    """A terminal hears which line is meant, also where others were typed since."""
    async with open_house(turns=True) as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            del typist.asked[:]
            for line in ("one", "two", "psst > Joee", "?"):
                typist.keys.send_nowait(line)
            await trio.testing.wait_all_tasks_blocked()
            assert typist.asked == [Say("one"), Say("two"), Whisper("Joee", "psst"), Who()]


async def test_the_roster_is_not_copied_for_each_event() -> None:
    """Who comes into a room of thousands costs no more than who comes into an empty one."""
    async with open_house() as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            roster = typist.view.roster
            await house.plain("Ann")
            await trio.testing.wait_all_tasks_blocked()
            assert typist.view.roster is roster
            assert set(roster) == {"Ann", "Bob"}


async def test_a_server_that_hangs_does_not_hold_a_person() -> None:
    """After a quit that is never answered a person is let go within the linger."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(b'{"type":"welcome","handle":"Bob","server":"S","roster":["Bob"]}\n')
    typist = Typist()
    await typist.keys.send("\\quit")
    assert await Chat(typist, Connection(ours), "Bob").run() == Why.QUIT
    assert trio.current_time() == pytest.approx(QUIT_TIMEOUT)


@pytest.mark.parametrize("why", [Why.QUIT, Why.END_OF_INPUT])
async def test_who_leaves_is_told_what_is_on_its_way(why: Why) -> None:
    """The status counts it down; Ctrl-C ends that at once, and what has no receipt is named."""
    server, typist = Stub(), Typist()
    chat, whys = Chat(typist, Connection(server.theirs), "Bob"), list[Why]()

    async def run() -> None:
        whys.append(await chat.run())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await server.tell(Welcome("Bob", "S", ("Bob",)))
        for number in range(50):
            await typist.keys.send(Say(f"{number}"))
        await trio.testing.wait_all_tasks_blocked()
        await chat.quit(why)
        state = "leaving; {} still on {} way (Ctrl-C leaves at once)"
        assert typist.view.state == state.format("50 lines are", "their")
        assert typist.view.holds == OVER
        await trio.sleep(0.5)
        await server.tell(*[Said(1, "", "Bob", "") for _ in range(3)])
        await trio.sleep(1)
        assert typist.view.state == state.format("47 lines are", "their")
        assert whys == []
        del typist.screen[:]
        before = trio.current_time()
        await chat.quit(Why.INTERRUPTED)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == before
    assert whys == [Why.INTERRUPTED]
    named = [*map(str, range(3, 13)), "and 37 more"]
    assert typist.screen == [f"! perhaps not sent: {line}" for line in named]


async def test_one_line_is_no_lines() -> None:
    """Also one line that is on its way is told; and when there is none the status is silent."""
    server, typist = Stub(), Typist()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Chat(typist, Connection(server.theirs), "Bob").run)
        await server.tell(Welcome("Bob", "S", ("Bob",)))
        await typist.type("hello")
        await typist.type("\\quit")
        still = "leaving; 1 line is still on its way (Ctrl-C leaves at once)"
        assert typist.view.state == still
        await server.tell(Said(1, "", "Bob", "hello"))
        await trio.sleep(1.5)
        assert typist.view.state == ""


async def test_nothing_is_sent_after_an_interrupt() -> None:
    """But that we leave: lines that wait stay with the terminal, which tells of them."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    typist = Typist()
    chat = Chat(typist, Connection(ours), "Bob")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chat.run)
        for line in ("one", "two", "three"):
            await typist.keys.send(line)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(chat.quit, Why.INTERRUPTED)
        await trio.testing.wait_all_tasks_blocked()
        framing, lines = Lines(), list[object]()
        with trio.move_on_after(1):
            while True:
                lines += framing.feed(await theirs.receive_some())
    asked = [decode_request(str(line)) for line in lines]
    assert [type(request) for request in asked] == [Join, Quit]


async def test_an_interrupt_does_not_cut_the_good_bye_short() -> None:
    """Who is leaving already has said so before it goes, or the others would hear of a loss."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    typist = Typist()
    chat = Chat(typist, Connection(ours), "Bob")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chat.run)
        await theirs.receive_some()
        await typist.keys.aclose()  # as when a window is closed: the end of the input, and a signal
        await trio.testing.wait_all_tasks_blocked()
        await chat.quit(Why.INTERRUPTED)
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        assert decode_request((await theirs.receive_some()).decode()) == Quit()


async def test_the_bell_says_how_it_stands() -> None:
    """The command for the bell, without an argument, changes nothing and says what is set."""
    async with open_house() as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            for line in ("\\bell", "\\bell off", "\\bell"):
                await typist.type(line)
            assert typist.screen[-3:] == ["* bell: mention", "* bell: off", "* bell: off"]
            assert typist.bell == "off"


async def test_who_waits_in_line_may_leave() -> None:
    """In line a person sees the place, is told that messages must wait, and may quit."""
    async with open_house(max_clients=1) as house:
        await house.plain("Ann")
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            await typist.type("hello?")
            assert typist.screen == [
                "* The room is full; you are number 1 in line",
                "! the room is full; wait until you are let in; nothing was sent",
            ]
            await typist.type("\\quit")
            await trio.sleep(2 * HUSH)
            assert typist.prompt == "Reconnect? [y/N] "
