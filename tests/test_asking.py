"""Who joins a room with a password: people are asked for it, programs have it or are refused."""

import os

import pytest
import trio
import trio.testing

from doubles import Paper, Street, Stub, Text, Typist, sitting
from house import House, open_house
from triochat import RefusedError, join
from triochat.circle import Circle
from triochat.messages import Closing, Join, Refused, Say, Welcome
from triochat.passwords import OVERHEARD, PASSWORD_LENGTH, Secret
from triochat.person import Person
from triochat.questions import ASK_PASSWORD, TRIES
from triochat.script import Delivery, Outcome, Result, Visit, one_message
from triochat.terminals.pipe import Pipe
from triochat.terminals.teletype import Teletype

NEEDED = (
    "this room has a password; join with it (triochat takes it by --password-file FILE, or from"
    " TRIOCHAT_PASSWORD)"
)
WRONG = "that is not the password of this room; try again"
WELCOME = Welcome("Bob", "Server", ("Bob",))
NO = Refused("password-wrong", WRONG)


async def test_a_person_is_asked_for_it() -> None:
    """After the handle, in secret, until it is right; what was typed is nowhere to be seen."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, offer="Ann"):
            assert typist.view.offer == "Ann"
            await typist.type("Bob")
            assert (typist.prompt, typist.view.is_secret) == (ASK_PASSWORD, True)
            assert typist.view.offer == ""
            assert typist.screen == []
            await typist.type("simsim")
            assert typist.screen == [f"! {WRONG}"]
            assert typist.view.is_secret
            await typist.type("sesame")
            assert (typist.prompt, typist.view.is_secret) == ("Bob> ", False)
            assert typist.screen[1] == "* Server connected. You are Bob. 1 here: Bob"
            assert not any("sesame" in repr(seen) for seen in (typist.views, typist.asked))


async def test_a_taken_handle_is_not_a_wrong_password() -> None:
    """Who has said it is asked for another handle, and for nothing else."""
    typist = Typist()
    async with (
        open_house(password="sesame") as house,
        join(await house.listener.connect(), "Bob", password="sesame"),
        sitting(typist, house.listener.connect, "Bob"),
    ):
        await typist.type("sesame")
        assert typist.screen == ['! handle "Bob" is taken; try another']
        assert typist.prompt == "Your handle? "
        assert not typist.view.is_secret
        await typist.type("Rob")
        assert typist.prompt == "Rob> "


async def test_after_three_tries_it_is_over() -> None:
    """The third wrong one is the last; the chat has not gone well."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            for _ in range(TRIES):
                assert bob.ended == []
                assert typist.view.is_secret
                await typist.type("simsim")
            assert bob.ended == [False]
            assert typist.screen == [f"! {WRONG}"] * 3
            assert not typist.view.is_secret


async def test_what_cannot_be_one_is_refused_here() -> None:
    """What is too long is not sent and is no try; half a character and nothing at all are tries."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob") as bob:
            await typist.type("x" * (PASSWORD_LENGTH + 1))
            await typist.type("sesame\udcff")
            await typist.type("")
            assert bob.ended == []
            assert typist.screen == ["! a password has at most 256 characters", f"! {WRONG}"]
            await typist.type("sesame")
            assert typist.prompt == "Bob> "


async def test_a_password_is_sent_as_it_stands() -> None:
    """Spaces, marks and what looks like a command are part of it; a quit that is none leaves."""
    password = " \\say \u200bse > same "
    async with open_house(password=password) as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            await typist.type(password)
            assert typist.prompt == "Bob> "
        async with sitting(typist, house.listener.connect, "Rob"):
            await typist.type("\\quit")
            await trio.sleep(1)
            assert typist.prompt == "Reconnect? [y/N] "


async def test_one_that_is_given_is_not_asked_for() -> None:
    """It is said at once; where it is wrong the person is asked."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        secret = Secret("sesame")
        async with sitting(typist, house.listener.connect, "Bob", secret=secret):
            assert not any(view.is_secret for view in typist.views)
            assert typist.prompt == "Bob> "
        async with sitting(typist, house.listener.connect, "Rob", secret=Secret("simsim")):
            assert typist.screen[-1] == f"! {WRONG}"
            await typist.type("sesame")
            assert typist.prompt == "Rob> "


async def test_who_comes_back_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password that was right is said again, until it is wrong: then the person is asked."""
    monkeypatch.setattr("random.uniform", lambda *_: 1.0)
    first, second, third, typist = Stub(), Stub(), Stub(), Typist()
    street = Street(first, second, third)
    async with sitting(typist, street.connect, "Bob"):
        assert await first.asked() == [Join("Bob")]
        await first.tell(Refused("password-needed", NEEDED))
        await typist.type("sesame")
        assert await first.asked() == [Join("Bob", "sesame")]
        await first.tell(WELCOME, Closing("shutting down", retry=True))
        await first.ours.aclose()
        await trio.sleep(2)
        assert await second.asked() == [Join("Bob", "sesame")]
        await second.tell(WELCOME)
        assert typist.prompt == "Bob> "
        await second.ours.aclose()
        await trio.sleep(2)
        assert await third.asked() == [Join("Bob", "sesame")]
        await third.tell(NO)
        assert (typist.prompt, typist.view.holds, typist.view.state) == (ASK_PASSWORD, "", "")
        assert typist.screen[-1] == f"! {WRONG}"
        await typist.type("open")
        assert await third.asked() == [Join("Bob", "open")]
        await third.tell(WELCOME)
        assert typist.prompt == "Bob> "


async def test_reconnect_asks_for_the_handle_alone() -> None:
    """Who quits and comes back has said the password already."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            for line in ("sesame", "\\quit"):
                await typist.type(line)
            await trio.sleep(1)
            for line in ("y", "Rob"):
                await typist.type(line)
            assert typist.prompt == "Rob> "


async def test_a_paste_is_no_password() -> None:
    """Lines of data are refused as before any welcome, and the question stays."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        async with sitting(typist, house.listener.connect, "Bob"):
            await typist.keys.send(Say("one"))
            await trio.testing.wait_all_tasks_blocked()
            assert typist.screen == ["! join with a handle first; nothing was sent"]
            assert typist.view.is_secret


async def test_who_can_be_overheard_is_warned_before() -> None:
    """Once, before the first question."""
    async with open_house(password="sesame") as house:
        typist = Typist()
        secret = Secret(warning=OVERHEARD)
        async with sitting(typist, house.listener.connect, "Bob", secret=secret):
            assert typist.screen == [f"* {OVERHEARD}"]
            assert typist.view.is_secret
            await typist.type("simsim")
            assert typist.screen[1:] == [f"! {WRONG}"]


async def test_paper_asks_when_the_question_comes() -> None:
    """A terminal that only prints waits for a line, and prints the question all the same."""
    fd, keys = os.pipe()
    paper = Paper()
    async with (
        open_house(password="sesame") as house,
        sitting(Teletype(fd, paper), house.listener.connect, "Bob"),
    ):
        assert paper.lines == [ASK_PASSWORD]
        for line in (b"simsim\n", b"\n", b"sesame\n"):
            os.write(keys, line)
            await trio.testing.wait_all_tasks_blocked()
        assert paper.lines[1:4] == [f"! {WRONG}", ASK_PASSWORD, ASK_PASSWORD]
        assert paper.lines[4].startswith("* Server connected. You are Bob.")
    os.close(fd)
    os.close(keys)


# ---- programs


@pytest.mark.parametrize(("password", "text"), [("", NEEDED), ("simsim", WRONG)])
async def test_a_pipe_without_it_is_refused(password: str, text: str) -> None:
    """One sentence on standard error, with what was not sent; the whole has failed."""
    async with open_house(password="sesame") as house:
        output, errors = Paper(), Paper()
        pipe = Pipe(Text(b"one\ntwo\n").receive_some, output, errors)
        person = Person(
            pipe, Circle({"here": house.listener.connect}), "Bob", secret=Secret(password)
        )
        assert not await person.run(await house.listener.connect())
        assert errors.lines == [f"! {text}"]
        assert output.lines == []


async def test_a_pipe_with_it_gets_in() -> None:
    """What a pipe says is delivered as ever."""
    async with open_house(password="sesame") as house:
        output, errors = Paper(), Paper()
        pipe = Pipe(Text(b"one\n").receive_some, output, errors)
        person = Person(
            pipe, Circle({"here": house.listener.connect}), "Bob", secret=Secret("sesame")
        )
        assert await person.run(await house.listener.connect())
        assert (output.lines[1:], errors.lines) == (["Bob> one"], [])


async def visit(house: House, password: str) -> Result:
    """What becomes of a message by a script that has this password."""
    delivery = Delivery(one_message("hi"), Paper(), "", 10)
    return await Visit(house.listener.connect, "cron", 10, password).run(delivery.run)


async def test_scripts_have_it_or_are_refused() -> None:
    """The outcome is refused, with the room's sentence."""
    async with open_house(password="sesame") as house:
        assert await visit(house, "sesame") == Result(Outcome.DONE)
        assert await visit(house, "") == Result(Outcome.REFUSED, NEEDED)
        assert await visit(house, "simsim") == Result(Outcome.REFUSED, WRONG)
        with pytest.raises(RefusedError, match="password") as caught:
            async with join(await house.listener.connect(), "bot", password="simsim"):
                pass
        assert caught.value.code == "password-wrong"
        with pytest.raises(ValueError, match="UTF-8"):
            async with join(await house.listener.connect(), "bot", password="\ud800"):
                pass
