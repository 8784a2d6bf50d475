"""Who knows several servers of a room: which is tried when, and what is seen of that."""

import pytest
import trio
import trio.testing

from doubles import Paper, Stub, Text, Typist, sitting
from triochat import UnreachableError, UntrustedError, join
from triochat.circle import ANSWER, Circle
from triochat.connection import Connect
from triochat.messages import Closing, Join, Joined, Ping, Pong, Quit, Said, Say, Welcome
from triochat.person import HUSH
from triochat.script import Delivery, Outcome, Result, Visit
from triochat.terminals.pipe import InputLines, Pipe

TOKEN = "a-token-of-22-letters_"
HERE = Welcome("Bob", "S", ("Bob",), 7, token=TOKEN)
BACK = Welcome("Bob", "S", ("Bob",), 12, token=TOKEN, resumed=True)
RESTART = Closing("shutting down", retry=True)
LATER = Closing("the operator ended the chat", retry=True, ask=True)
AT = "2026-01-02T03:04:05.678Z"


@pytest.fixture(autouse=True)
def even_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter."""
    monkeypatch.setattr("random.uniform", lambda *_: 1.0)


class Town:
    """Servers A, B and C, and in which order they are tried; at first nobody is there.

    Attributes:
        stubs: who is there, by the name of the server.
        tries: the servers that were tried, in order.
        at: when.
        circle: the way to them.
    """

    def __init__(self, names: str = "ABC") -> None:
        self.stubs: dict[str, Stub] = {}
        self.tries = ""
        self.at: list[float] = []
        self.circle = Circle({f"{name} port 1": self._way_to(name) for name in names})

    def open(self, names: str) -> None:
        """Have servers there."""
        self.stubs = {name: Stub() for name in names}

    def _way_to(self, name: str) -> Connect:
        async def connect() -> trio.abc.Stream:
            self.tries += name
            self.at.append(trio.current_time())
            await trio.lowlevel.checkpoint()
            if name not in self.stubs:
                raise UnreachableError(f"{name} is not there")
            return self.stubs[name].theirs

        return connect


async def test_the_first_that_answers_is_taken() -> None:
    """In the order in which they were named, and none that comes after it."""
    for names, tried in (("ABC", "A"), ("BC", "AB"), ("C", "ABC")):
        town = Town()
        town.open(names)
        assert await town.circle() is town.stubs[names[0]].theirs
        assert (town.tries, town.circle.where) == (tried, f"{names[0]} port 1")


async def test_where_none_answers_each_reason_is_told() -> None:
    """One sentence names them all; and then it begins where it began."""
    town = Town("AB")
    for _ in range(2):
        with pytest.raises(UnreachableError) as caught:
            await town.circle()
        assert str(caught.value) == "A port 1: A is not there; B port 1: B is not there"
        assert town.circle.where == "the room"
    assert town.tries == "ABAB"
    alone = Town("A")
    with pytest.raises(UnreachableError, match=r"^A is not there$"):
        await alone.circle()
    assert (alone.circle.where, alone.circle.elsewhere) == ("A port 1", "")


async def test_the_one_that_was_lost_is_tried_last() -> None:
    """Each time it goes on behind the one that answered; to stay there has to be said."""
    town = Town()
    town.open("BC")
    for tried in ("AB", "C", "AB"):
        town.tries = ""
        await town.circle()
        assert town.tries == tried
    town.tries = ""
    assert town.circle.elsewhere == "C port 1"
    await town.circle.again()
    assert (town.tries, town.circle.where) == ("B", "B port 1")
    del town.stubs["B"]
    await town.circle.again()
    assert (town.tries, town.circle.where) == ("BBC", "C port 1")


async def test_one_that_does_not_answer_is_not_waited_for() -> None:
    """Where there is another; and who has only the one waits as long as it takes."""
    town = Town("B")
    town.open("B")

    async def connect() -> trio.abc.Stream:
        await trio.sleep(10 * ANSWER)
        return town.stubs["B"].ours

    assert await Circle({"A": connect, "B": town.circle})() is town.stubs["B"].theirs
    assert trio.current_time() == pytest.approx(ANSWER)
    with pytest.raises(UnreachableError, match=r"^A: no answer within 5 seconds; C: no answer"):
        await Circle({"A": connect, "C": connect})()
    assert await Circle({"A": connect})() is town.stubs["B"].ours


async def test_nobody_goes_on_behind_one_that_is_not_trusted() -> None:
    """Whose key has changed may be in between: no other server is tried, and it is named."""
    town = Town("B")
    town.open("B")

    async def connect() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise UntrustedError("its key has changed")

    circle = Circle({"A": connect, "B": town.circle})
    with pytest.raises(UntrustedError):
        await circle()
    assert (circle.where, town.tries) == ("A", "")


# ---- people


@pytest.mark.parametrize("is_restart", [False, True])
async def test_a_person_comes_back_at_the_next_server(is_restart: bool) -> None:
    """By the same token; both what is tried and where one is then are told."""
    town, typist = Town(), Typist()
    town.open("AC")
    async with sitting(typist, town.circle, "Bob"):
        first = town.stubs["A"]
        await first.tell(HERE)
        assert typist.view.where == "A port 1"
        await typist.type("hello")
        del typist.screen[:]
        if is_restart:
            await first.tell(RESTART)
        await first.ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        problem = "the server stopped" if is_restart else "connection lost"
        assert typist.view.state == f"{problem}; trying B port 1 in 1 s (Ctrl-C gives up)"
        await trio.sleep(0.6)
        assert town.tries == "ABC"
        assert town.at == pytest.approx([0, 0.5, 0.5])
        last = town.stubs["C"]
        await last.tell(BACK, Pong())
        assert await last.asked() == [Join("Bob"), Ping(), Say("hello")]
        assert (last.joins[0].token, last.joins[0].after) == (TOKEN, 7)
        assert typist.view.where == "C port 1"
    told = ["* connection lost; trying B port 1 (Ctrl-C gives up)"]
    if is_restart:
        told = [
            "* Server closed the connection: shutting down",
            "* trying B port 1 (Ctrl-C gives up)",
        ]
    welcome = "* S connected. You are Bob. 1 here: Bob"
    assert typist.screen == [*told, "* connected to C port 1", welcome]


async def test_there_is_a_pause_before_each_round() -> None:
    """All are tried at once, then a moment is waited, and the moments grow."""
    town, typist = Town("AB"), Typist()
    town.open("A")
    async with sitting(typist, town.circle, "Bob"):
        await town.stubs.pop("A").ours.aclose()
        await trio.sleep(3)
        state = "still not there (B port 1: B is not there; A port 1: A is not there); trying B "
        assert typist.view.state.startswith(state)
        town.open("A")
        del typist.screen[:]
        await trio.sleep(1)
        await town.stubs["A"].tell(HERE)
    assert town.tries == "A" + 3 * "BA"
    assert town.at == pytest.approx([0, 0.5, 0.5, 1.5, 1.5, 3.5, 3.5])
    assert "* connected to A port 1" not in typist.screen  # it never was elsewhere


async def test_who_quits_and_wants_back_is_where_it_was() -> None:
    """Only who has lost a server goes to another one."""
    town, typist = Town("AB"), Typist()
    town.open("AB")
    async with sitting(typist, town.circle, "Bob"):
        await town.stubs["A"].tell(HERE)
        await typist.type("\\quit")
        await town.stubs["A"].ours.aclose()
        await trio.sleep(2 * HUSH)
        town.open("AB")
        await typist.type("y")
    assert town.tries == "AA"


async def test_who_thinks_for_long_about_a_handle_stays_there() -> None:
    """The server has not waited for the handle, and is as well as before."""
    town, typist = Town("AB"), Typist()
    town.open("AB")
    async with sitting(typist, town.circle):
        late = Closing("not joined within 20 seconds", retry=True, ask=True)
        await town.stubs["A"].tell(Pong(), late)
        await town.stubs["A"].ours.aclose()
        town.open("AB")
        await typist.type("Bob")
    assert town.tries == "AA"


async def test_who_is_not_trusted_ends_a_person() -> None:
    """Also when one comes back: the next server is told nothing, and no other one is tried."""
    town, typist = Town("AB"), Typist()
    town.open("A")

    async def connect() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise UntrustedError("its key has changed")

    circle = Circle({"A": town.circle, "C": connect})
    ended = False
    try:
        async with sitting(typist, circle, "Bob") as bob:
            await town.stubs["A"].tell(HERE)
            await town.stubs["A"].ours.aclose()
            await trio.sleep(1)
    except* UntrustedError:
        ended = True
    assert ended
    assert (circle.where, town.tries, bob.person.is_lost) == ("C", "A", False)


# ---- pipes and programs


async def test_a_pipe_goes_on_at_the_next_server() -> None:
    """A server that stops is not the end of a room that has several; no line is lost or doubled."""
    for is_all_said in (False, True):
        town, output, errors = Town("AB"), Paper(), Paper()
        town.open("AB")
        first, last = town.stubs["A"], town.stubs["B"]
        into, source = trio.testing.memory_stream_one_way_pair()
        await into.send_all(b"one\n")
        if is_all_said:
            await into.aclose()
        pipe = Pipe(source.receive_some, output, errors)
        async with sitting(pipe, town.circle, "Bob") as bob:
            await first.tell(HERE)
            await first.tell(RESTART)
            await first.ours.aclose()
            await trio.sleep(1)
            await last.asked()
            await last.tell(BACK, Pong())
            assert await last.asked() == [Say("one")]
            await last.tell(Said(13, AT, "Bob", "one"))
            if not is_all_said:
                await into.aclose()
                await trio.testing.wait_all_tasks_blocked()
            assert await last.asked() == [Quit()]
            await last.ours.aclose()
        assert (bob.ended, errors.lines) == ([True], [])
        assert output.lines[1:] == ["* Server closed the connection: shutting down", "Bob> one"]


async def test_a_pipe_that_knows_one_server_says_what_was_not_confirmed() -> None:
    """Where all was said, and the server stops before it has answered, the end is a failure."""
    town, errors = Town("A"), Paper()
    town.open("A")
    async with sitting(Pipe(Text(b"one\n").receive_some, Paper(), errors), town.circle, "Bob"):
        await town.stubs["A"].tell(HERE)
        await town.stubs["A"].tell(RESTART)
        await town.stubs["A"].ours.aclose()
    assert errors.lines == [
        "! the server closed the connection before all was confirmed",
        "! not confirmed, perhaps lost: 1 line, from line 1 on",
    ]


@pytest.mark.parametrize("is_restart", [False, True])
async def test_a_program_goes_on_at_the_next_server(is_restart: bool) -> None:
    """It hears of neither; before it was let in, too."""
    for is_in in (False, True):
        town, start = Town(), trio.current_time()
        town.open("AC")
        first, last = town.stubs["A"], town.stubs["C"]
        await first.tell(*([HERE] * is_in), *([RESTART] * is_restart))
        await first.ours.send_eof()
        await last.tell(BACK, Pong(), Joined("Eve", 13))
        async with join(await town.circle(), "Bob", connect=town.circle) as bob:
            assert await bob.receive() == Joined("Eve", 13)
            bob.give_up()
        assert town.tries == "ABC"
        assert town.at[-1] - start == pytest.approx(0.5)


async def test_a_program_that_knows_one_server_is_told_that_it_stops() -> None:
    """As it is told by a server that does not come back, or asks it to think about it."""
    for names, closing in (("A", RESTART), ("AB", Closing("kicked")), ("AB", LATER)):
        town = Town(names)
        town.open(names)
        await town.stubs["A"].tell(HERE, closing)
        await town.stubs["A"].ours.send_eof()
        async with join(await town.circle(), "Bob", connect=town.circle) as bob:
            assert [event async for event in bob] == [closing]
        assert town.tries == "A"


async def test_send_is_confirmed_by_the_next_server() -> None:
    """What had no receipt when the first one stopped is said again."""
    town = Town("AB")
    town.open("AB")
    first, last = town.stubs["A"], town.stubs["B"]
    into, source = trio.testing.memory_stream_one_way_pair()
    await into.send_all(b"one\n")
    await into.aclose()
    results: list[Result] = []

    async def run() -> None:
        delivery = Delivery(InputLines(source.receive_some), Paper(), "", 10)
        results.append(await Visit(town.circle, "Bob", 10).run(delivery.run))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await first.tell(HERE)
        assert await first.asked() == [Join("Bob"), Say("one")]
        await first.tell(RESTART)
        await first.ours.aclose()
        await trio.sleep(1)
        await last.tell(BACK, Pong(), Said(13, AT, "Bob", "one"))
        assert await last.asked() == [Join("Bob"), Ping(), Say("one"), Quit()]
        await last.ours.aclose()
    assert results == [(Outcome.DONE, "")]
