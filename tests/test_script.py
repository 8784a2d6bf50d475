import json
from functools import partial

import pytest
import trio
import trio.testing

from doubles import Paper, Street, Stub, Text
from faults import Road
from house import House, open_house
from triochat.connection import HURRY, Connect
from triochat.exceptions import RemoteProtocolError, UnreachableError
from triochat.messages import Closing, Join, Ping, Quit
from triochat.program import Client
from triochat.script import (
    Delivery,
    Outcome,
    Result,
    Visit,
    one_message,
    tail,
)
from triochat.terminals.pipe import MAX_IN_FLIGHT, InputLines, Line

PATIENCE = 10.0
WELCOME = b'{"type":"welcome","handle":"cron","server":"S","roster":["cron"]}\n'

HERE = WELCOME.replace(b"}", b',"token":"a-token-of-22-letters_"}')


async def send(
    connect: Connect, messages: trio.abc.ReceiveChannel[Line], *, to: str = ""
) -> tuple[Outcome, str, list[str]]:
    """What becomes of these messages by ``cron``: the outcome, the problem, the refusals."""
    errors = Paper()
    result = await Visit(connect, "cron", PATIENCE).run(
        Delivery(messages, errors, to, PATIENCE).run
    )
    return result.outcome, result.problem, errors.lines


async def send_text(house: House, text: bytes, *, to: str = "") -> tuple[Outcome, str, list[str]]:
    """What becomes of these lines of standard input."""
    return await send(house.listener.connect, InputLines(Text(text).receive_some), to=to)


# ---- send


async def test_a_message_is_confirmed() -> None:
    """One message is heard by everybody, and its sender leaves politely when it is confirmed."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        assert await send(house.listener.connect, one_message("backup > done")) == (
            Outcome.DONE,
            "",
            [],
        )
        assert await ann.hear(3) == ["* cron joined", "cron> backup > done", "* cron left"]


async def test_a_whisper_is_confirmed_and_heard_by_one() -> None:
    """With a member's handle the message is for that member alone."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        assert (await send(house.listener.connect, one_message("psst"), to="ann"))[
            0
        ] is Outcome.DONE
        assert (await ann.hear(4))[1:] == ["* cron joined", "[cron -> you] psst", "* cron left"]
        assert await bob.hear(2) == ["* cron joined", "* cron left"]


async def test_a_whisper_to_nobody_is_refused() -> None:
    """A wrong handle is refused with a sentence, and tells nobody anything."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        refusal = '! nobody here is called "Anna"; nothing was sent'
        sent = await send(house.listener.connect, one_message("psst"), to="Anna")
        assert sent == (Outcome.REFUSED, "", [refusal])
        assert await ann.hear(2) == ["* cron joined", "* cron left"]


async def test_every_line_is_confirmed_in_order() -> None:
    """More lines than may be on their way at once all arrive, the last one without its end."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        lines = [str(number) for number in range(MAX_IN_FLIGHT * 3)]
        assert await send_text(house, "\n".join(lines).encode()) == (Outcome.DONE, "", [])
        said = [f"cron> {line}" for line in lines]
        assert await ann.hear(len(lines) + 2) == ["* cron joined", *said, "* cron left"]


async def test_no_input_is_no_failure() -> None:
    """Where nothing is to be said, nothing is, and all of it is confirmed."""
    async with open_house() as house:
        assert await send_text(house, b"\n  \n") == (Outcome.DONE, "", [])


async def test_refused_lines_do_not_stop_the_others() -> None:
    """Each refused line is told with its number, in whatever way it is wrong; the others arrive."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        text = b"one\n\n" + b"x" * 501 + b"\n\xff\n" + b"y" * 9000 + b"\n\\quit\n" + b"z" * 501
        outcome, problem, errors = await send_text(house, text)
        assert (outcome, problem) == (Outcome.REFUSED, "")
        assert sorted(errors) == [
            "! line 3: 501 characters; at most 500 are allowed; nothing was sent",
            "! line 4: that line is not UTF-8 text; nothing was sent",
            "! line 5: a line of more than 8192 bytes is not allowed; nothing was sent",
            "! line 7: 501 characters; at most 500 are allowed; nothing was sent",
        ]
        assert await ann.hear(4) == ["* cron joined", "cron> one", "cron> \\quit", "* cron left"]


async def test_a_refused_handle_says_nothing() -> None:
    """A handle that is taken is a refusal with the server's sentence."""
    async with open_house() as house:
        ann = await house.plain("cron")
        problem = 'handle "cron" is taken; try another'
        sent = await send(house.listener.connect, one_message("hi"))
        assert sent == (Outcome.REFUSED, problem, [])
        assert await ann.heard_nothing()


async def test_a_full_room_is_waited_for_within_the_patience() -> None:
    """Whoever is in line too long has sent nothing, and who is let in in time is confirmed."""
    async with open_house(max_clients=1) as house:
        ann = await house.plain("Ann")
        start = trio.current_time()
        outcome, problem, _ = await send(house.listener.connect, one_message("hi"))
        assert (outcome, problem) == (
            Outcome.LOST,
            "not let in within 10 seconds; nothing was sent",
        )
        assert trio.current_time() - start == pytest.approx(PATIENCE)

        async def leave_soon() -> None:
            await trio.sleep(PATIENCE - 1)
            await ann.type("\\quit")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_soon)
            assert (await send(house.listener.connect, one_message("hi")))[0] is Outcome.DONE


async def test_a_connection_that_does_not_come_is_unreachable() -> None:
    """Where nothing answers at all, it is given up like a place where nobody listens."""

    async def connect() -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    with pytest.raises(UnreachableError, match="no answer within 10 seconds"):
        await send(connect, one_message("hi"))
    assert trio.current_time() == pytest.approx(PATIENCE)


async def test_a_server_that_does_not_confirm_is_a_loss() -> None:
    """Without an answer in time the message counts as lost, and so does what follows it."""
    stub = Stub()
    await stub.say(WELCOME)
    sent = await send(stub.connect, one_message("hi"))
    assert sent == (Outcome.LOST, "no confirmation within 10 seconds; not confirmed", [])
    stub = Stub()
    await stub.say(WELCOME)
    sent = await send(stub.connect, InputLines(Text(b"\n\none\ntwo\n").receive_some))
    problem = "no confirmation within 10 seconds; not confirmed from line 3 on"
    assert sent == (Outcome.LOST, problem, [])


async def test_what_others_say_confirms_nothing() -> None:
    """Only one's own echo is a receipt, not the same words by somebody else."""
    stub = Stub()
    await stub.say(WELCOME, b'{"type":"said","id":1,"at":"","handle":"Ann","text":"hi"}\n')
    assert (await send(stub.connect, one_message("hi")))[0] is Outcome.LOST


async def test_a_slow_input_is_waited_for() -> None:
    """Patience is for the server: between two lines there may be an hour."""

    class Slow(Text):
        async def receive_some(self) -> bytes:
            await trio.sleep(3600)
            return await super().receive_some()

    async with open_house() as house:
        sent = await send(house.listener.connect, InputLines(Slow(b"one\n").receive_some))
        assert sent == (Outcome.DONE, "", [])


@pytest.mark.parametrize(
    ("last_words", "problem"),
    [
        (b"", "connection lost"),
        (b'{"type":"closing","reason":"kicked"}\n', "Server closed the connection: kicked"),
    ],
)
@pytest.mark.parametrize(
    ("confirmed", "state"),
    [
        (0, "not confirmed from line 1 on"),
        (1, "not confirmed from line 2 on"),
        (2, "answered up to line 2"),
    ],
)
async def test_a_connection_that_ends_is_a_loss(
    last_words: bytes, problem: str, confirmed: int, state: str
) -> None:
    """When the connection ends too early it is told why, and from where on nothing is sure."""
    stub = Stub()
    into, source = trio.testing.memory_stream_one_way_pair()
    await into.send_all(b"one\ntwo\n")  # and more to come
    sent: list[tuple[Outcome, str, list[str]]] = []

    async def run() -> None:
        sent.append(await send(stub.connect, InputLines(source.receive_some)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await stub.say(WELCOME)
        await trio.testing.wait_all_tasks_blocked()
        echo = b'{"type":"said","id":1,"at":"","handle":"cron","text":"x"}\n'
        await stub.say(echo * confirmed, last_words)
        await stub.ours.aclose()
    assert sent == [(Outcome.LOST, f"{problem}; {state}", [])]


async def test_a_server_that_hangs_up_at_once_is_a_loss() -> None:
    """A connection that ends before the welcome is lost, whoever ended it."""

    async def connect() -> trio.abc.Stream:
        stub = Stub()
        await stub.ours.aclose()
        return stub.theirs

    sent = await send(connect, one_message("hi"))
    assert sent == (Outcome.LOST, "not let in within 10 seconds; nothing was sent", [])
    assert trio.current_time() == pytest.approx(PATIENCE)


async def test_another_server_is_an_error() -> None:
    """What is no triochat server is nobody's refusal."""
    stub = Stub()
    await stub.say(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(RemoteProtocolError):
        await send(stub.connect, one_message("hi"))


# ---- tail


class Tail:
    """``log``, who listens until it is done."""

    def __init__(self, connect: Connect, *, as_json: bool = False, count: float = 1e9) -> None:
        self.paper = Paper()
        self.result: Result | None = None
        self.visit = Visit(connect, "log")
        self._as_json, self._count = as_json, count

    async def run(self) -> None:
        """Listen; leaves the result."""
        self.result = await self.visit.run(self._act)

    async def _act(self, client: Client) -> Result:
        return await tail(client, self.paper, as_json=self._as_json, count=self._count)


async def test_tail_writes_what_is_said_and_nothing_else() -> None:
    """Public messages and whispers to it, each a line; no coming, going or renaming."""
    async with open_house() as house, trio.open_nursery() as nursery:
        log = Tail(house.listener.connect, count=3)
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        await ann.type("hi", "\\nick Anna", "not for you > Bob", "psst > log")
        await trio.testing.wait_all_tasks_blocked()
        await bob.type("bye")
        await trio.testing.wait_all_tasks_blocked()
        assert log.paper.lines == ["Ann> hi", "[Anna -> you] psst", "Bob> bye"]
        assert log.result == (Outcome.DONE, "")
        assert (await bob.hear(5))[-1] == "* log left"


@pytest.mark.parametrize("as_json", [False, True])
async def test_tail_writes_what_operators_do(as_json: bool) -> None:
    """What everybody is to know is a line too, and no message that counts; so is an action."""
    async with open_house() as house, trio.open_nursery() as nursery:
        log = Tail(house.listener.connect, as_json=as_json, count=1)
        boss = await house.operator()
        nursery.start_soon(log.run)
        assert (await boss.event())["type"] == "joined"
        await boss.ask({"type": "topic", "text": "tea"}, {"type": "action", "text": "nods"})
        heard = [await boss.event() for _ in range(2)]
        await trio.testing.wait_all_tasks_blocked()
        if as_json:
            assert [json.loads(line) for line in log.paper.lines] == heard
            assert (heard[0]["deed"], heard[0]["what"], heard[0]["by"]) == (
                "topic",
                "tea",
                "Server",
            )
        else:
            assert log.paper.lines == ["* the topic was set by Server: tea", "* Server nods"]
        assert log.result == (Outcome.DONE, "")


async def test_tail_writes_events_as_they_are() -> None:
    """As JSON each line is the event, as a program that joins would have it."""
    async with open_house() as house, trio.open_nursery() as nursery:
        log = Tail(house.listener.connect, as_json=True, count=2)
        ann = await house.ndjson("Ann")
        nursery.start_soon(log.run)
        assert (await ann.event())["type"] == "joined"
        await ann.ask({"type": "say", "text": 'grüß "Gott"'})
        await ann.ask({"type": "whisper", "to": "log", "text": "psst"})
        heard = [await ann.event() for _ in range(2)]
        await trio.testing.wait_all_tasks_blocked()
        assert [json.loads(line) for line in log.paper.lines] == heard


async def test_nothing_hostile_is_written() -> None:
    """A server that sends what must not reach a screen does not reach it as JSON either."""
    stub = Stub()
    text = r"a\u009b2Jb\u001b[2J\u202ec\u2028d\u007f"
    said = f'{{"type":"said","id":1,"at":"","handle":"x","text":"{text}"}}\n'.encode()
    for as_json in (True, False):
        stub = Stub()
        await stub.say(WELCOME, said)
        log = Tail(stub.connect, as_json=as_json, count=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.run)
            await trio.testing.wait_all_tasks_blocked()
            await stub.ours.aclose()
        [line] = log.paper.lines
        assert line.isprintable()
        if as_json:
            assert json.loads(line)["text"] == "a2Jb\x1b[2Jc d"


async def test_tail_ends_well_when_the_server_closes() -> None:
    """A good-bye is no failure, and its reason is told."""
    async with open_house() as house, trio.open_nursery() as nursery:
        log = Tail(house.listener.connect)
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        house.hub.close("shutting down")
    assert log.result == (Outcome.DONE, "Server closed the connection: shutting down")


async def test_tail_is_lost_without_a_good_bye() -> None:
    """A connection that just ends is lost."""
    stub = Stub()
    await stub.say(WELCOME)
    log = Tail(stub.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        await stub.ours.aclose()
    assert log.result == (Outcome.LOST, "connection lost")


async def test_who_is_asked_to_leave_says_good_bye() -> None:
    """Leaving is polite from inside the room, and at once from the line before it."""
    async with open_house(max_clients=2) as house, trio.open_nursery() as nursery:
        ann = await house.plain("Ann")
        first = Tail(house.listener.connect)
        nursery.start_soon(first.run)
        assert await ann.line() == "* log joined"
        waiting = Visit(house.listener.connect, "next")
        results: list[Result] = []

        async def wait() -> None:
            results.append(
                await waiting.run(Delivery(one_message("never said"), Paper(), "", PATIENCE).run)
            )

        async with trio.open_nursery() as inner:
            inner.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            waiting.leave()
        assert results == [(Outcome.DONE, "")]
        first.visit.leave()
        assert await ann.line() == "* log left"
        await trio.testing.wait_all_tasks_blocked()
        assert first.result == (Outcome.DONE, "")


async def test_a_good_bye_has_its_time() -> None:
    """Who has joined and is interrupted says good-bye for as long as it takes, but not for long."""
    stub = Stub()
    await stub.say(WELCOME)
    log = Tail(stub.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        log.visit.leave()
    assert log.result == (Outcome.DONE, "")
    assert trio.current_time() == pytest.approx(HURRY)


async def test_what_is_no_text_is_refused() -> None:
    """Bytes on the command line that are not UTF-8 are refused like a line of them."""
    async with open_house() as house:
        ann = await house.plain("Ann")
        refusal = "! that is not UTF-8 text; nothing was sent"
        sent = await send(house.listener.connect, one_message("caf\udce9"))
        assert sent == (Outcome.REFUSED, "", [refusal])
        assert await ann.hear(2) == ["* cron joined", "* cron left"]


async def test_a_server_that_closes_first_is_a_loss() -> None:
    """Not the handle is wrong: the server's reason is told."""
    stub = Stub()
    await stub.tell(Closing("shutting down", retry=True))
    problem = "Server closed the connection: shutting down"
    assert await send(stub.connect, one_message("hi")) == (Outcome.LOST, problem, [])


async def test_who_is_in_without_knowing_it_says_good_bye() -> None:
    """Who is asked to leave while the welcome is on its way leaves as politely as anybody."""
    stub = Stub()
    log = Tail(stub.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        await trio.testing.wait_all_tasks_blocked()
        log.visit.leave()
        await stub.say(WELCOME)
        await trio.testing.wait_all_tasks_blocked()
        said = await stub.ours.receive_some()
        await stub.ours.aclose()
    assert log.result == (Outcome.DONE, "")
    assert bytes(said).splitlines()[-1] == b'{"type":"quit"}'


# ---- cut off


@pytest.mark.parametrize("length", [100, 250, 300, 400, 600, 900, 1200])
async def test_send_says_each_line_once_whatever_is_cut(length: int) -> None:
    """It comes back, and its exit code says that all is confirmed."""
    road = Road(length)
    road.lengths = [length, 200 + length]
    async with open_house() as house:
        ann = await house.plain("Ann")
        lines = [f"line {number}" for number in range(20)]
        source = InputLines(Text("\n".join(lines).encode()).receive_some)
        assert await send(partial(road.connect, house.listener), source) == (Outcome.DONE, "", [])
        assert len(road.streams) > 1
        heard = await ann.hear(22)
        assert heard[:21] == ["* cron joined", *(f"cron> {line}" for line in lines)]
        assert heard[21].startswith("* cron left")  # perhaps its good-bye was cut


async def test_send_comes_back_no_longer_than_its_patience() -> None:
    """What is on its way then is lost, and told."""
    stub = Stub()
    await stub.say(HERE)
    into, source = trio.testing.memory_stream_one_way_pair()
    await into.send_all(b"one\n")
    results: list[tuple[Outcome, str, list[str]]] = []
    street = Street(stub)

    async def run() -> None:
        results.append(await send(street.connect, InputLines(source.receive_some)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        await stub.ours.aclose()
    problem = f"no confirmation within {PATIENCE:g} seconds; not confirmed from line 1 on"
    assert results == [(Outcome.LOST, problem, [])]
    assert PATIENCE <= trio.current_time() <= PATIENCE + 1
    assert len(street.tries) == 5


async def test_send_whose_place_is_gone_says_nothing_twice() -> None:
    """Where the server does not know it any more nobody knows what was heard."""
    first, last = Stub(), Stub()
    await first.say(HERE)
    await last.say(HERE)
    into, source = trio.testing.memory_stream_one_way_pair()
    await into.send_all(b"one\n")
    results: list[tuple[Outcome, str, list[str]]] = []

    async def run() -> None:
        connect = Street(first, last).connect
        results.append(await send(connect, InputLines(source.receive_some)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        await first.ours.aclose()
    problem = "connection lost; the room does not know us any more; not confirmed from line 1 on"
    assert results == [(Outcome.LOST, problem, [])]
    asked = await last.asked()
    assert [type(request) for request in asked] == [Join, Ping, Quit]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("length", [50, 200, 300, 450, 700])
async def test_tail_misses_nothing_and_doubles_nothing(length: int, as_json: bool) -> None:
    """Whatever is cut, each message is one line, in the order of the room."""
    road = Road(length)
    road.lengths = [length, 250 + length]
    async with open_house() as house, trio.open_nursery() as nursery:
        log = Tail(partial(road.connect, house.listener), as_json=as_json, count=20)
        ann = await house.plain("Ann")
        nursery.start_soon(log.run)
        await ann.until("* log joined")
        with trio.fail_after(100):
            for number in range(20):
                await ann.type(str(number))
                await trio.sleep(0.2)
    assert log.result == (Outcome.DONE, "")
    said = [json.loads(line)["text"] if as_json else line[5:] for line in log.paper.lines]
    assert said == [str(number) for number in range(20)]
