import logging
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from house import EPOCH, House
from strategies import wire_text
from test_archive import contents, everything_in, killed
from triochat import archiving as module
from triochat import indexing, unkept
from triochat.archiving import Archived, archiving
from triochat.history import OWN, History
from triochat.hub import Hub
from triochat.messages import Joined, Left, Recall, Refused, Said, Whispered
from triochat.opening import open_archive
from triochat.order import Peer
from triochat.room import Room
from triochat.sanctions import Sanction
from triochat.seats import Seat, key_of
from triochat.telling import Forgets, Seated, Telling, Told, Vacated
from triochat.testing import open_memory_room

pytestmark = pytest.mark.real_time  # a thread writes

NOW = "2026-01-02T03:04:05.678Z"
ANN, BOB, CID = Peer("ann"), Peer("bob"), Peer("cid")
KEYS = {ANN: key_of("a" * 22), BOB: key_of("b" * 22)}


class Disk:
    """A database that fails when a test wants it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.problem = ""
        self._database = database

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Do this, or fail."""
        if self.problem and sql.startswith(("BEGIN", "PRAGMA wal")):
            raise sqlite3.OperationalError(self.problem)
        return self._database.execute(sql, values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)


def open_history(path: Path, *, kept: int = 1000, now: float = EPOCH) -> Archived:
    """The history in this file, at a time that stands still."""
    scribe = open_archive(path, now, sync="normal")
    return Archived(scribe, kept=kept, clock=lambda: now)


@asynccontextmanager
async def kept_in(path: Path, *, kept: int = 1000, now: float = EPOCH) -> AsyncIterator[Archived]:
    """The same, closed politely after the block."""
    history = open_history(path, kept=kept, now=now)
    try:
        yield history
    finally:
        await history.aclose()


async def keep(history: History, *batch: Telling) -> None:
    """Keep this, and wait until it is kept."""
    with trio.fail_after(10):
        if kept := history.keep(batch):
            await kept


def said(*numbers: int, author: Peer = ANN) -> Told:
    """Messages, told to all as one."""
    return Told([Said(one, NOW, author.id, f"message {one}") for one in numbers], None, author)


def seat(peer: Peer) -> Seated:
    """This peer has its seat."""
    return Seated(Seat(KEYS[peer], peer, peer.id, 1))


async def ids(history: History, asked: Recall = Recall(1000)) -> list[int]:  # noqa: B008
    """What can be read back."""
    return [one.id for one in (await history.recall(asked, 1 << 50)).messages]


async def test_a_batch_is_in_the_file_before_anybody_sees_it(tmp_path: Path) -> None:
    """What has been waited for survives a kill; for what is not kept nobody waits."""
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        assert not history.is_instant
        assert history.keep([]) is None
        assert history.keep([Told([Refused("no", "no", 1)], (CID,))]) is None
        await keep(history, said(2, 3), Told([Joined("Bob", 4, NOW)]))
        copy = killed(path)
        assert await ids(history) == [2, 3]
    for file in (copy, path):
        async with kept_in(file) as history:
            assert history.last_id == 4
            assert await ids(history) == [2, 3]
            assert await history.missed("", 2, 9, 9) == [
                Said(3, NOW, "ann", "message 3"),
                Joined("Bob", 4, NOW),
            ]


any_ids = st.integers(1, 60)
tellings = st.one_of(
    st.builds(lambda text, who: ("said", text, who), wire_text, st.sampled_from(["ann", "Bob"])),
    st.builds(lambda to: ("whisper", to), st.lists(st.sampled_from([ANN, BOB, CID]), unique=True)),
    st.just(("joined",)),
    st.builds(lambda who: ("seat", who), st.sampled_from([ANN, BOB])),
    st.builds(lambda who: ("vacate", who), st.sampled_from([ANN, BOB])),
    st.builds(lambda ids: ("forget", ids), st.lists(any_ids, max_size=4)),
)


def telling_of(drawn: tuple[object, ...], number: int) -> Telling:
    """What was drawn, with the next id."""
    match drawn:
        case ("said", str(text), str(who)):
            return Told([Said(number, NOW, who, text)], None, ANN)
        case ("whisper", list(to)):
            return Told([Whispered(number, NOW, "a", "b", "psst")], (*to,), ANN)
        case ("seat", Peer() as who):
            return seat(who)
        case ("vacate", Peer() as who):
            return Vacated(KEYS[who])
        case ("forget", list(gone)):
            return Forgets((*gone,))
    return Told([Joined("x", number, NOW)])


questions = st.builds(
    Recall, st.integers(0, 6), st.none() | any_ids, st.sampled_from(["", "a", "ss"]) | wire_text
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.lists(tellings, max_size=5), st.booleans()), max_size=8),
    st.lists(questions, max_size=3),
    any_ids,
    any_ids,
    st.integers(0, 4),
    st.booleans(),
)
def test_the_file_answers_as_memory_does(
    drawn: list[tuple[list[tuple[object, ...]], bool]],
    asked: list[Recall],
    after: int,
    upto: int,
    cache: int,
    restarts: bool,
) -> None:
    """Both say the same, whatever is kept in whatever batches.

    Also whatever of it is indexed, and whether there was a restart.
    """

    async def compare() -> None:
        memory = History(1000, clock=lambda: EPOCH)
        with tempfile.TemporaryDirectory() as folder:
            history = open_history(Path(folder) / "room.db", kept=cache)
            number = 0
            for batch, is_indexed in drawn:
                told = []
                for one in batch:
                    number += 1
                    told.append(telling_of(one, number))
                await keep(memory, *told)
                await keep(history, *told)
                if is_indexed:
                    history._scribe.index()
            if restarts:
                await history.aclose()
                history = open_history(Path(folder) / "room.db", kept=cache)
            for question in asked:
                assert await history.recall(question, upto) == await memory.recall(question, upto)
            assert await history.ids_by("BOB") == await memory.ids_by("bob")
            for key in (*KEYS.values(), ""):
                assert history.reaches(key, after) == memory.reaches(key, after) or not key
                for count in (3, 99):
                    missed = await history.missed(key, after, upto, count)
                    assert missed == await memory.missed(key, after, upto, count)
            await history.aclose()

    trio.run(compare)


async def test_what_memory_has_forgotten_is_in_the_file(tmp_path: Path) -> None:
    """A seat that was told more than memory holds has all of it still."""
    async with kept_in(tmp_path / "room.db", kept=5) as history:
        await keep(history, seat(ANN), *(said(one) for one in range(1, 10)))
        count = OWN + 50
        for number in range(10, 10 + count):
            await keep(history, Told([Refused("no", "no", number)], (ANN,)))
        assert history.reaches(KEYS[ANN], 0)
        missed = await history.missed(KEYS[ANN], 0, 999, 999)
        assert [one.id for one in missed] == [*range(1, 10 + count)]  # type: ignore[union-attr]
        assert not history.reaches(KEYS[BOB], 0)


async def test_what_operators_decide_is_kept(tmp_path: Path) -> None:
    """A ruling is in the file with the batch that tells it, if no other file keeps rulings."""
    path = tmp_path / "room.db"
    history = open_history(path)
    history.rulings.bans.add(Sanction("Eve", why="spam"), EPOCH)
    history.rulings.version += 1
    await keep(history, Told([Left("Eve", "banned", 1, NOW)]))
    copy = killed(path)
    await history.aclose()
    async with kept_in(copy) as again:
        assert again.rulings.bans.has("eve", EPOCH)
    scribe = open_archive(path, EPOCH)
    history = Archived(scribe, keeps_rulings=False)
    history.rulings.version += 1
    assert history.keep([]) is None
    await history.aclose()


async def test_seats_are_kept(tmp_path: Path) -> None:
    """Seats come back after a restart, with what each may have missed; tokens are in no file."""
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        whisper = Whispered(3, NOW, "Bob", "Ann", "psst")
        await keep(history, seat(ANN), seat(BOB), said(2), Told([whisper], (ANN, CID), BOB))
        await keep(history, Vacated(KEYS[BOB]))
        copy = killed(path)
    async with kept_in(copy) as history:
        assert [one.key for one in history.seats] == [KEYS[ANN]]
        assert history.reaches(KEYS[ANN], 0)
        assert not history.reaches(KEYS[BOB], 0)
        assert await history.missed(KEYS[ANN], 2, 9, 9) == [whisper]
        assert await history.missed("", 2, 9, 9) == []
        refused = Refused("no", "no", 4)
        await keep(history, Told([refused], (ANN,)))  # it is away, and still has its peer
        assert await history.missed(KEYS[ANN], 2, 9, 9) == [whisper, refused]
    assert b"a" * 22 not in everything_in(copy.parent)


async def test_forgetting(tmp_path: Path) -> None:
    """A removed message is in no answer, and within a moment in no file."""
    path = tmp_path / "room.db"
    async with kept_in(path, kept=1) as history:
        word = Told([Said(1, NOW, "Ann", "xylophone")], None, ANN)
        await keep(history, word, said(2, 3))
        await keep(history, Forgets((1, 3)))
        assert await ids(history) == [2]
        assert await history.ids_by("ANN") == [2]
        assert [one.id for one in await history.missed("", 0, 9, 9)] == [2]  # type: ignore[union-attr]
        await history.tidy()
        assert b"xylophone" not in everything_in(tmp_path)


async def test_forgetting_all_that_somebody_has_said(tmp_path: Path) -> None:
    """Another server may know less of it: what is older is removed here too, and what is newer not.

    So it is in a file that cannot be written just then, and among what waits to be indexed.
    """
    for is_indexed in (False, True):
        path = tmp_path / f"{is_indexed}.db"
        async with kept_in(path, kept=1) as history:
            word = Told([Said(1, NOW, "Ann", "xylophone"), Said(2, NOW, "Bob", "tea")], None, ANN)
            await keep(history, word, Told([Said(3, NOW, "Ann", "xylograph")], None, ANN))
            while is_indexed and history._scribe.index():
                pass
            await keep(history, Told([Said(4, NOW, "Ann", "later")], None, ANN))
            await keep(history, Forgets((3,), "ann"))
            assert await ids(history) == [2, 4]
            await history.tidy()
        assert b"xylo" not in everything_in(tmp_path)


async def test_words_are_indexed_when_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while many speak, unless the index is far behind; what a kill left over comes first."""
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        await keep(history, said(1, 2))
        assert history._scribe.behind == 2
        copy = killed(path)
    monkeypatch.setattr(indexing, "MOMENT", 0.01)
    history = open_history(copy)
    async with archiving(history, tell_nobody, tell_nobody):
        await until(lambda: history._scribe.behind == 0)
        monkeypatch.setattr(indexing, "FEW", -1)
        await keep(history, said(3, 4))
        await trio.sleep(0.05)
        assert history._scribe.behind == 2
        monkeypatch.setattr(indexing, "BEHIND", 2)
        await keep(history, said(5))
        await until(lambda: history._scribe.behind == 0)


async def test_what_cannot_be_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept and found all the same; the log says so, and it is tried again."""
    monkeypatch.setattr(indexing, "MOMENT", 0.05)
    path = tmp_path / "room.db"
    async with failing(path, monkeypatch) as one:
        await keep(one.history, said(1))
        one.disk.problem = "disk I/O error"
        await until(lambda: f"cannot index {path}: disk I/O error" in caplog.text)
        assert await ids(one.history, Recall(find="mess")) == [1]
        one.disk.problem = ""
        await until(lambda: one.history._scribe.behind == 0)
    assert one.alerts == []


def tell_nobody(*_: object) -> None:
    """Nobody is there."""


class Failing:
    """A history whose disk fails when a test wants it, and what is told of that."""

    def __init__(self, history: Archived) -> None:
        self.history = history
        self.disk = Disk(history._scribe._database)
        self.alerts: list[str] = []
        self.warned: list[tuple[Peer, str]] = []
        history._scribe._database = self.disk  # type: ignore[assignment]

    def warn(self, peer: Peer, text: str) -> None:
        """Note who is told something that it has not asked for."""
        self.warned.append((peer, text))


@asynccontextmanager
async def failing(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Failing]:
    """A history at its work, which tries again soon."""
    monkeypatch.setattr(module, "RETRY", 0.01)
    monkeypatch.setattr(indexing, "RETRY", 0.01)
    one = Failing(open_history(path))
    async with archiving(one.history, one.alerts.append, one.warn):
        yield one


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    with trio.fail_after(10):
        while not is_so():  # noqa: ASYNC110  a thread makes it so
            await trio.sleep(0.005)


async def test_a_disk_that_fails_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All is told; operators hear of it once, and each author; then what was said is kept."""
    path = tmp_path / "room.db"
    async with failing(path, monkeypatch) as one:
        history, full = one.history, "database or disk is full"
        await keep(history, said(1))
        one.disk.problem = full
        await keep(history, said(2))
        assert history.keep([said(3)]) is None
        assert history.keep([said(4, author=BOB)]) is None
        assert history.keep([Forgets((3,))]) is None
        told = f"what you say now is told to all who are here, but not kept ({full})"
        assert one.warned == [(ANN, told), (BOB, told)]
        assert one.alerts == [
            f"what is said is not being kept ({full}); this is tried again every few seconds"
        ]
        assert await ids(history) == [1, 2, 4]
        await trio.sleep(0.05)
        assert len(one.alerts) == 1
        one.disk.problem = ""
        await until(lambda: len(one.alerts) > 1)
        assert one.alerts[1] == "what is said is kept again; nothing is missing"
        await keep(history, said(5))
        copy = killed(path)
        one.disk.problem = "disk I/O error"
        await keep(history, said(6))
        assert [who for who, _ in one.warned] == [ANN, BOB, ANN]
        one.disk.problem = ""
    async with kept_in(copy) as history:
        assert await ids(history) == [1, 2, 4, 5]
    async with kept_in(path) as history:
        assert await ids(history) == [1, 2, 4, 5, 6]
    assert f"cannot write {path}: {full}" in caplog.text


async def test_operators_are_reminded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as nothing is kept operators are told again and again."""
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(unkept, "REMIND", 0.03)
    async with failing(tmp_path / "room.db", monkeypatch) as one:
        one.disk.problem = "disk I/O error"
        await keep(one.history, said(1))
        await until(lambda: len(one.alerts) > 2)
        assert len({*one.alerts}) == 1
        one.disk.problem = ""


async def test_a_gap_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more was said than memory holds the file says what is missing, in its place.

    Who may have missed some of that has no seat to come back to.
    """
    monkeypatch.setattr(unkept, "TAIL", 3)
    path = tmp_path / "room.db"
    async with failing(path, monkeypatch) as one:
        history = one.history
        await keep(history, seat(ANN), said(1))
        one.disk.problem = "disk I/O error"
        await keep(history, said(2, 3))
        history.keep([said(4, 5, 6)])
        history.keep([Told([Refused("no", "no", n)], (ANN,)) for n in range(7, 12)])
        assert not history.reaches(KEYS[ANN], 7)
        assert history.reaches(KEYS[ANN], 8)
        one.disk.problem = ""
        await until(lambda: len(one.alerts) > 1)
        assert one.alerts[1] == "what is said is kept again; 2 messages are missing"
    async with kept_in(path) as history:
        assert await ids(history) == [1, 3, 4, 5, 6]
        [gap] = (await history.recall(Recall(1, before=4), 99)).messages
        text = "could not keep 2 messages, up to this one (disk I/O error)"
        assert gap == Said(3, NOW, "Server", text, action=True)
        assert not history.reaches(KEYS[ANN], 7)
        assert history.reaches(KEYS[ANN], 8)


async def test_a_file_that_may_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own refusal is met in the same way, and nothing is lost when there is room again."""
    path = tmp_path / "room.db"
    async with failing(path, monkeypatch) as one:
        run = one.disk.execute
        (pages,) = run("PRAGMA page_count").fetchone()
        run(f"PRAGMA max_page_count = {pages}")
        text = "x" * 400
        await keep(one.history, *(Told([Said(n, NOW, "Ann", text)], None, ANN) for n in range(99)))
        assert "(database or disk is full)" in one.alerts[0]
        run("PRAGMA max_page_count = 99999")
        await until(lambda: len(one.alerts) > 1)
    async with kept_in(path) as history:
        assert await ids(history) == [*range(99)]


async def test_reading_what_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the file cannot be read memory answers, and the log says so."""
    async with kept_in(tmp_path / "room.db", kept=2) as history:
        await keep(history, said(1, 2, 3))
        history._reading.close()
        assert await ids(history) == [2, 3]
        assert await history.ids_by("ann") == [2, 3]
    assert "cannot read" in caplog.text


async def test_a_polite_end_leaves_one_file(tmp_path: Path) -> None:
    """At the end all is in the one file, also what could not be written just before."""
    path = tmp_path / "room.db"
    one = Failing(open_history(path))
    async with archiving(one.history, one.alerts.append, one.warn):
        one.disk.problem = "disk I/O error"
        await keep(one.history, said(1))
        one.disk.problem = ""
    assert [*contents(tmp_path)] == ["room.db"]
    async with kept_in(path) as history:
        assert await ids(history) == [1]


async def test_who_is_told_nothing_is_not_held_up(tmp_path: Path) -> None:
    """While somebody reads all of the file, others write."""
    with trio.fail_after(30):
        async with kept_in(tmp_path / "room.db", kept=1) as history:
            await keep(history, said(1, 2, 3))
            began, may_end = trio.Event(), trio.Event()
            read = history._reading.recall

            def slow(*asked: object) -> object:
                trio.from_thread.run_sync(began.set)
                trio.from_thread.run(may_end.wait)
                return read(*asked)  # type: ignore[arg-type]

            history._reading.recall = slow  # type: ignore[method-assign, assignment]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(history.recall, Recall(), 99)
                await began.wait()
                await keep(history, said(4))
                may_end.set()


async def test_no_answer_has_more_than_a_thousand(tmp_path: Path) -> None:
    """However many are asked for, and wherever they are: a thousand, and that there are more."""
    async with kept_in(tmp_path / "room.db", kept=600) as history:
        await keep(history, said(*range(1, 1400)))
        recalled = await history.recall(Recall(5000), 1 << 50)
        assert [one.id for one in recalled.messages] == [*range(400, 1400)]
        assert recalled.more


async def test_cleaning_up_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where what is to go cannot be deleted the log says so, and it is tried again."""
    path = tmp_path / "room.db"
    async with failing(path, monkeypatch) as one:
        await keep(one.history, Told([Said(1, NOW, "Ann", "xylophone")], None, ANN))
        one.disk.problem = "disk I/O error"
        await one.history.tidy()
        assert f"cannot clean up {path}: disk I/O error" in caplog.text
        assert one.alerts == []
        one.disk.problem = ""
        await keep(one.history, Forgets((1,)))
        await until(lambda: b"xylophone" not in everything_in(tmp_path))


async def test_a_room_whose_disk_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """People are told in their room: what was said, operators the problem, its author once."""
    caplog.set_level(logging.CRITICAL)
    one = Failing(open_history(tmp_path / "room.db"))
    hub = Hub(Room(), one.history, clock=lambda: EPOCH)
    async with (
        archiving(one.history, hub.alert, hub.warn),
        open_memory_room(hub) as listener,
    ):
        house = House(hub, listener)
        boss, ann, bob = await house.operator(), await house.ndjson("Ann"), await house.plain("Bob")
        one.disk.problem = full = "database or disk is full"
        for text in ("one", "two"):
            await ann.ask({"type": "say", "text": text})
        heard = [words for _ in range(4) if (words := (await ann.event()).get("text"))]
        told = "what you say now is told to all who are here, but not kept"
        assert sorted(heard) == ["one", "two", f"{told} ({full})"]
        assert await bob.hear(2) == ["Ann> one", "Ann> two"]
        texts = [words for _ in range(5) if (words := (await boss.event()).get("text"))]
        assert sorted(texts) == [
            "one",
            "two",
            f"what is said is not being kept ({full}); this is tried again every few seconds",
        ]
        one.disk.problem = ""
