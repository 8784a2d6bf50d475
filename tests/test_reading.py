import json
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from doubles import Street, Stub, Typist, sitting
from house import UNLIMITED, open_house
from triochat.ignored import Ignored
from triochat.messages import (
    PAGE,
    Closing,
    Event,
    Join,
    Notice,
    Ping,
    Pong,
    Recall,
    Recalled,
    Refused,
    Request,
    Said,
    Say,
    Welcome,
)
from triochat.program import join
from triochat.reading import Reader
from triochat.words import BACK

WELCOME = Welcome("Bob", "Server", ("Ann", "Bob"), 9)


def said(number: int, handle: str = "Ann") -> Said:
    """A message with this id."""
    return Said(number, "", handle, f"text {number}")


def names(folder: Path) -> list[str]:
    """What is in this folder."""
    return sorted(one.name for one in folder.iterdir())


def recalled(*numbers: int, more: bool = False) -> Recalled:
    """These messages."""
    return Recalled((*map(said, numbers),), more)


# ---- how far somebody has read


def reading(*events: Event) -> Reader:
    """Of somebody who was shown this."""
    read = Reader()
    for event in events:
        assert not read.hear(event, None)
    return read


def answer(read: Reader, asked: Recall, event: Event) -> None:
    """It is asked for, and this is the answer."""
    sent = read.older(asked)
    assert not read.hear(event, sent)


def test_back_shows_what_was_not_shown() -> None:
    """What is told again is older than all that the terminal has shown, each time."""
    read = reading(WELCOME, said(7), said(8), Notice("x"))
    assert read.older(Recall(5)) == Recall(5, 7)
    answer(read, Recall(2), recalled(5, 6, more=True))
    assert read.older(Recall(50)) == Recall(50, 5)
    answer(read, Recall(2), recalled(3, 4))
    answer(read, Recall(2), recalled())
    assert read.older(Recall(5)) == Recall(5, 3)
    assert not read.hear(said(12), None)
    assert read.older(Recall(5)) == Recall(5, 3)


def test_who_comes_in_anew_reads_from_the_newest_again() -> None:
    """Who has come back goes on reading; who begins anew may have missed what was before."""
    read = reading(WELCOME, said(7), replace(WELCOME, resumed=True))
    assert read.older(Recall(5)) == Recall(5, 7)
    assert not read.hear(WELCOME, None)
    assert read.older(Recall(5)) == Recall(5)


def test_back_where_nothing_was_shown() -> None:
    """Then the newest are told."""
    assert reading(WELCOME).older(Recall(5)) == Recall(5)


def test_the_same_search_again_finds_more() -> None:
    """Who looks for the same once more is told older ones; after the last, the newest again."""
    read, tea = reading(said(90)), Recall(find="tea")
    assert read.older(tea) == tea
    answer(read, tea, recalled(40, 41, more=True))
    assert read.older(tea) == Recall(before=40, find="tea")
    assert read.older(Recall(find="tea", author="Ann")) == Recall(find="tea", author="Ann")
    answer(read, tea, recalled(30))
    assert read.older(tea) == tea


def test_another_search_begins_anew() -> None:
    """Where another thing was looked for meanwhile the first begins at the newest."""
    read, tea = reading(), Recall(find="tea")
    answer(read, tea, recalled(40, more=True))
    answer(read, Recall(minutes=30), recalled(80, more=True))
    assert read.older(Recall(minutes=30)) == Recall(before=80, minutes=30)
    assert read.older(tea) == tea


def test_what_was_found_does_not_change_what_is_back() -> None:
    """Between what was found and what was shown there is more to be read."""
    read = reading(said(90))
    answer(read, Recall(find="tea"), recalled(40, 41))
    assert read.older(Recall(5)) == Recall(5, 90)


def test_all_else_is_asked_as_it_is() -> None:
    """Only what reads back depends on what was read."""
    for asked in (Say("hi"), None, Refused("no", "no"), Ping()):
        assert reading(said(7)).older(asked) == asked


# ---- at a terminal


class Bob(Typist):
    """A person who can wait for what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._shown, self._waiting = trio.open_memory_channel[str](1000)

    async def show(
        self, event: Event, me: str, asked: Request | None = None, *, is_past: bool = False
    ) -> None:
        """Show it, and say so."""
        await super().show(event, me, asked, is_past=is_past)
        self._shown.send_nowait(self.screen[-1])

    async def until(self, beginning: str) -> str:
        """The next that is shown and begins like this."""
        with trio.fail_after(5):
            while not (line := await self._waiting.receive()).startswith(beginning):
                pass
        return line


@asynccontextmanager
async def at_the_stub() -> AsyncIterator[tuple[Stub, Bob]]:
    """Bob, at a server that says what the test wants."""
    stub, bob = Stub(), Bob()
    async with sitting(bob, stub.connect, "Bob"):
        assert isinstance((await stub.asked())[0], Join)
        await stub.tell(WELCOME)
        yield stub, bob


async def test_back_at_the_keyboard() -> None:
    """What is typed twice asks for more, and is shown as what it is."""
    async with at_the_stub() as (stub, bob):
        await stub.tell(said(10))
        await bob.type("\\back 2")
        assert await stub.asked() == [Recall(2, 10)]
        await stub.tell(recalled(8, 9, more=True))
        assert bob.screen[-1].split("\n") == [
            "* earlier: #8 Ann> text 8",
            "* earlier: #9 Ann> text 9",
            "* 2 earlier messages; there are older ones: type that again",
        ]
        await bob.type("\\back 2")
        assert await stub.asked() == [Recall(2, 8)]
        await stub.tell(Recalled(()))
        assert bob.screen[-1] == "* nothing earlier was found"


async def test_who_is_ignored_is_so_in_the_past() -> None:
    """What they said is not shown again either; what is asked next is older all the same."""
    async with at_the_stub() as (stub, bob):
        bob.ignored = Ignored(("Ann",))
        await bob.type("\\back")
        await stub.asked()
        await stub.tell(Recalled((said(4), said(5, "Cid"))))
        assert bob.screen[-1] == "* earlier: #5 Cid> text 5\n* 1 earlier message"
        await bob.type("\\back")
        assert await stub.asked() == [Recall(before=4)]


# ---- to a file


@pytest.mark.real_time  # a thread writes
async def test_all_is_exported(tmp_path: Path) -> None:
    """Page by page, the oldest first, for nobody else to read; the screen shows that it is done."""
    async with at_the_stub() as (stub, bob):
        file = tmp_path / "all of it.jsonl"
        await bob.type(f"\\export {file}")
        assert await stub.asked() == [Recall(PAGE)]
        await bob.type("hello")
        assert await stub.asked() == [Say("hello")]
        await stub.tell(recalled(5, 6, more=True), Said(12, "", "Bob", "hello"))
        assert await stub.asked() == [Recall(PAGE, 5)]
        assert bob.screen[-1] == "Bob> hello"
        assert names(tmp_path) == []
        await stub.tell(recalled(3, 4))
        assert await bob.until("* exported") == f"* exported 4 messages to {file}"
        lines = file.read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == [3, 4, 5, 6]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert names(tmp_path) == [file.name]


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", "Ann> text 3\n"), ("a.md", "- **Ann:** text 3\n")],
)
async def test_the_ending_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """A file is written as its ending says, in one's home if that is meant."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export ~/{name}")
        await stub.asked()
        await stub.tell(recalled(3))
        assert await bob.until("* exp") == f"* exported 1 message to ~/{name}"
        assert (tmp_path / name).read_text() == text


@pytest.mark.real_time
async def test_one_file_after_the_other(tmp_path: Path) -> None:
    """Who wants two files gets both."""
    async with at_the_stub() as (stub, bob):
        for name in ("a.txt", "b.md"):
            await bob.type(f"\\export {tmp_path / name}")
        for name in ("a.txt", "b.md"):
            assert await stub.asked() == [Recall(PAGE)]
            await stub.tell(recalled(3))
            assert (await bob.until("* exp")).endswith(name)


@pytest.mark.parametrize("name", ["a", "a.csv", "txt", ".txt", "a.TXT"])
async def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """The three that there are are named, and nobody is asked for anything."""
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {tmp_path / name}")
        how = "name it .txt, .md or .jsonl; so it is written as text, Markdown or JSON Lines"
        assert bob.screen[-1] == f"! not exported to {tmp_path / name}: {how}"
        await bob.type("?")
        assert len(await stub.asked()) == 1


async def test_what_is_there_stays(tmp_path: Path) -> None:
    """A file is never written over, nor what a link leads to."""
    file, link = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    async with at_the_stub() as (_, bob):
        for one in (file, link):
            await bob.type(f"\\export {one}")
            how = "there is such a file; name another one, or remove it first"
            assert bob.screen[-1] == f"! not exported to {one}: {how}"
    assert file.read_text() == "mine"
    assert link.is_symlink()


@pytest.mark.real_time
async def test_what_came_meanwhile_stays(tmp_path: Path) -> None:
    """Nor is one that was made while the messages came."""
    file = tmp_path / "a.txt"
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {file}")
        await stub.asked()
        file.write_text("mine")
        await stub.tell(recalled(3))
        assert (await bob.until("! not")).endswith(": file exists; nothing was written")
    assert file.read_text() == "mine"
    assert names(tmp_path) == [file.name]


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The reason is told, and nobody is asked for anything."""
    file = tmp_path / "no" / "a.txt"
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {file}")
        reason = "no such file or directory; nothing was written"
        assert bob.screen[-1] == f"! not exported to {file}: {reason}"
        await bob.type("?")
        assert len(await stub.asked()) == 1


async def test_a_server_that_refuses(tmp_path: Path) -> None:
    """What it says is told, and there is no file."""
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {tmp_path}/a.txt")
        await stub.asked()
        await stub.tell(Refused("slow-down", "not so fast"))
        assert bob.screen[-1] == f"! not exported to {tmp_path}/a.txt: not so fast"
    assert names(tmp_path) == []


@pytest.mark.real_time
@pytest.mark.parametrize(
    "last", [recalled(5, more=True), recalled(6, more=True), Recalled((), True)]
)
async def test_a_server_that_has_no_end(tmp_path: Path, last: Recalled) -> None:
    """Who says that there is more, and has nothing older, is not asked for ever."""
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {tmp_path}/a.txt")
        await stub.tell(recalled(5, more=True))
        await stub.tell(last)
        assert (await bob.until("* exp")).startswith("* exported ")


async def test_an_export_that_the_end_breaks_off(tmp_path: Path) -> None:
    """Where the connection ends it is told what was not exported, and nothing is left of it."""
    async with at_the_stub() as (stub, bob):
        await bob.type(f"\\export {tmp_path}/a.txt")
        await stub.tell(recalled(5, more=True))
        await stub.tell(Closing("over"))
        await stub.ours.aclose()
        why = "the connection ended before all was there; export it again"
        assert (await bob.until("! not")) == f"! not exported to {tmp_path}/a.txt: {why}"
        assert names(tmp_path) == []


# ---- in a room

TIME = r"\[(2026-01-0[123] )?\d\d:\d\d\] "


def untimed(lines: list[str]) -> list[str]:
    """These lines without the times, which are those of this machine."""
    return [re.sub(TIME, "", line) for line in lines]


async def test_reading_back_at_a_plain_line() -> None:
    """There the newest are told as lines that are past, and what is looked for."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), await house.plain("Bob")
        await ann.type("tea time", "\\me waves", "coffee", "psst > Bob", "tea, too")
        await bob.type("\\back 2", "\\find TEA", "\\find t from ann", "\\since 1m", "\\find cocoa")
        lines = untimed(await bob.heard_by_now())
        tea = ["* earlier: Ann> tea time", "* earlier: Ann> tea, too"]
        assert lines == [
            "Ann> tea time",
            "* Ann waves",
            "Ann> coffee",
            "[Ann -> you] psst",
            "Ann> tea, too",
            "* earlier: Ann> coffee",
            "* earlier: Ann> tea, too",
            f"* 2 earlier messages; there are older ones: {BACK}",
            *(*tea, "* 2 earlier messages"),
            *(*tea, "* 2 earlier messages"),
            tea[0],
            "* earlier: * Ann waves",
            "* earlier: Ann> coffee",
            tea[1],
            "* 4 earlier messages",
            "* nothing earlier was found",
        ]


@pytest.mark.real_time
async def test_an_export_of_a_room(tmp_path: Path) -> None:
    """All that was said to everybody is in the file, in order, and no whisper."""
    async with open_house(limits=UNLIMITED) as house:
        ann, bob = await house.plain("Ann"), Bob()
        await ann.type(*(f"line {number}" for number in range(900)), "secret > Ann")
        async with sitting(bob, house.listener.connect, "Bob"):
            await bob.type(f"\\export {tmp_path}/all.txt")
            assert await bob.until("* exp") == f"* exported 900 messages to {tmp_path}/all.txt"
        lines = (tmp_path / "all.txt").read_text().splitlines()
        assert [line[20:] for line in lines] == [f"Ann> line {number}" for number in range(900)]


async def test_what_an_operator_forgets() -> None:
    """By the numbers with which they are told again, or by who said them, messages are gone."""
    async with open_house() as house:
        ann, bob = await house.plain("Ann"), Bob()
        async with sitting(bob, house.listener.connect, "Bob") as _:
            house.room.operators.update(
                one for one, name in house.room.members.items() if name == "Bob"
            )
            await ann.type("one", "two", "three")
            await bob.type("\\find two")
            number = re.search(r"#(\d+) Ann> two", bob.screen[-1])
            assert number
            await bob.type(f"\\forget #{number[1]}")
            assert bob.screen[-1] == "* 1 message was removed by Bob"
            await bob.type("\\find one")
            await bob.type("\\find two")
            assert bob.screen[-1] == "* nothing earlier was found"
            await bob.type("\\forget Ann")
            assert bob.screen[-1] == "* 2 messages of Ann were removed by Bob"
            await bob.type("\\since 1h")
            assert bob.screen[-1] == "* nothing earlier was found"
            await bob.type("\\forget Ann")
            assert bob.screen[-1].startswith("! nothing is kept")
        assert (await ann.heard_by_now())[-2:] != []


async def test_an_export_that_a_drop_breaks_off(tmp_path: Path) -> None:
    """Who comes back is told so, and asked for no page of it; what was typed is asked again."""
    first, second, bob = Stub(), Stub(), Bob()
    async with sitting(bob, Street(first, second).connect, "Bob"):
        await first.asked()
        await first.tell(replace(WELCOME, token="t" * 22), said(12))
        await bob.type(f"\\export {tmp_path}/a.txt")
        await bob.type("\\back 3")
        assert await first.asked() == [Recall(PAGE), Recall(3, 12)]
        await first.ours.aclose()
        await trio.sleep(2)
        why = "the connection ended before all was there; export it again"
        assert f"! not exported to {tmp_path}/a.txt: {why}" in bob.screen
        assert names(tmp_path) == []
        assert [type(one) for one in await second.asked()] == [Join, Ping]
        await second.tell(replace(WELCOME, token="t" * 22, resumed=True, last=12), Pong())
        assert await second.asked() == [Recall(3, 12)]
        await second.tell(recalled(10, 11))
        assert bob.screen[-1].endswith("\n* 2 earlier messages")
        await bob.type("\\back 4")
        assert await second.asked() == [Recall(4, 10)]


@pytest.mark.parametrize("text", ["\U0001f600" * 500, '"' * 500, "hi"])
async def test_however_long_the_messages_are(text: str) -> None:
    """Who asks for many is told as many as can be told at once, and that there are more."""
    async with open_house(limits=UNLIMITED) as house:
        async with join(await house.listener.connect(), "Ann") as ann:
            for _ in range(1000):
                await ann.send(Say(text))
                await ann.receive()
        async with join(await house.listener.connect(), "Bob", history=1000) as bob:
            found, before, pages = 0, None, 0
            while pages == 0 or before:
                await bob.send(Recall(1000, before))
                while not isinstance(event := await bob.receive(), Recalled):
                    pass
                found, pages = found + len(event.messages), pages + 1
                before = event.messages[0].id if event.more else None
        assert found == 1000
        assert pages == {"\U0001f600": 9, '"': 3, "h": 1}[text[0]]
