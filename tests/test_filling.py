import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from house import EPOCH
from test_archive import everything_in, killed
from test_archiving import ANN, BOB, KEYS, NOW, ids, keep, kept_in, open_history, said, seat
from test_history import handed_on, kept_tellings, tellings_of
from triochat import history as module
from triochat.filling import AWAY
from triochat.history import History, Tail
from triochat.messages import Joined, Recall, Said, Whispered
from triochat.order import Peer
from triochat.telling import Forgets, Seated, Telling, Told, Vacated

pytestmark = pytest.mark.real_time  # a thread writes


def whispered(number: int, *to: Peer) -> Told:
    """A whisper of Ann's."""
    return Told([Whispered(number, NOW, "ann", "x", "psst")], to, ANN)


def joined(number: int) -> Told:
    """Somebody comes in."""
    return Told([Joined("Cid", number, NOW)])


def tail_of(*tellings: Telling, kept: int = 1000) -> Tail:
    """The tail of another server's history that has kept all this."""
    memory = History(kept, clock=lambda: EPOCH)
    memory.keep(tellings)
    return handed_on(memory.tail())


async def fill(path: Path, tail: Tail, *, kept: int = 1000) -> None:
    """Let this file go on with the tail, as a server does that starts."""
    async with kept_in(path, kept=kept) as history:
        history.adopt(tail)
        await keep(history)


async def test_what_was_missed_is_filled_in(tmp_path: Path) -> None:
    """A file whose server was away has what was said since, what passed, and what seats were told.

    Nothing says that something is missing.
    """
    before: list[Telling] = [seat(ANN), joined(1), said(2, 3), whispered(4, ANN)]
    since = [said(5), joined(6), whispered(7, ANN), said(8)]
    async with kept_in(tmp_path / "room.db") as history:
        await keep(history, *before)
    tail = tail_of(*before, *since)
    await fill(tmp_path / "room.db", tail)
    async with kept_in(tmp_path / "room.db") as history:
        assert history.last_id == 8
        assert await ids(history) == [2, 3, 5, 8]
        missed = await history.missed(KEYS[ANN], 0, 99, 99)
        assert [getattr(one, "id", 0) for one in missed] == [*range(1, 9)]
        assert history.reaches(KEYS[ANN], 0)


async def test_a_gap_is_marked_in_its_place(tmp_path: Path) -> None:
    """What nobody has kept is missing, and the file says so between what it has: once."""
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        await keep(history, said(1, 2))
    tail = tail_of(said(1, 2, 3, 4, 5, 6), *map(joined, range(7, 7 + module.TAIL)), kept=2)
    for number in range(3):
        copy = killed(path, f"killed{number}")
        await fill(path, tail)
        await fill(copy, tail)
        for file in (path, copy):
            async with kept_in(file) as history:
                assert await ids(history) == [1, 2, 4, 5, 6]
                [gap] = (await history.recall(Recall(1, before=5), 99)).messages
                assert gap == Said(4, NOW, "Server", AWAY, action=True)
                assert not history.reaches("", 5)
                assert history.reaches("", 6)


async def test_what_is_not_missing_is_not_marked(tmp_path: Path) -> None:
    """Where only comings and goings are not kept any more, all that was said is there."""
    comings = [joined(number) for number in range(4, 4 + module.TAIL + 5)]
    async with kept_in(tmp_path / "room.db") as history:
        await keep(history, said(1, 2, 3), joined(4), joined(5))
    await fill(tmp_path / "room.db", tail_of(said(1, 2, 3), *comings, said(20_000), kept=2))
    async with kept_in(tmp_path / "room.db") as history:
        assert await ids(history) == [1, 2, 3, 20_000]
        assert not history.reaches("", 5)


async def test_a_new_file_begins_where_it_begins(tmp_path: Path) -> None:
    """Nothing is missing in a file that was not there before; it reaches as far as the tail."""
    many: list[Telling] = [said(*range(1, 5)), *map(joined, range(5, 10 + module.TAIL)), seat(ANN)]
    await fill(tmp_path / "room.db", tail_of(*many, kept=2))
    async with kept_in(tmp_path / "room.db") as history:
        assert await ids(history) == [3, 4]
        assert not history.reaches("", 8)
        assert history.reaches("", 9)


async def test_a_file_that_is_ahead(tmp_path: Path) -> None:
    """It is another room's, or the room has lost something: then a sentence says what to do."""
    path = tmp_path / "room.db"
    ahead = f"^{path} has what was never told .* name another file, or move it away$"
    async with kept_in(path) as history:
        await keep(history, said(1, 2, 3))
        with pytest.raises(ValueError, match=ahead):
            history.adopt(tail_of(said(1, 2)))
        assert await ids(history) == [1, 2, 3]
    async with kept_in(path) as history:
        assert await ids(history) == [1, 2, 3]
        other = Told([Said(2, NOW, "Bob", "of another room")], None, BOB)
        with pytest.raises(ValueError, match=ahead):
            history.adopt(tail_of(said(1), other, said(3, 4)))
        assert history.keep([]) is None


async def test_a_file_that_was_written_after_the_tail_was_taken(tmp_path: Path) -> None:
    """Who goes on from an older tail, and keeps again what came after it, has a newer one."""
    path = tmp_path / "room.db"
    older, since = tail_of(said(1), joined(2)), [said(3), joined(4)]
    async with kept_in(path) as history:
        await keep(history, said(1), joined(2), *since)
    memory = History()
    memory.adopt(older)
    memory.keep([*since, said(5)])
    await fill(path, memory.tail())
    async with kept_in(path) as history:
        assert await ids(history) == [1, 3, 5]


async def test_seats_are_those_of_the_room(tmp_path: Path) -> None:
    """Who has no seat there has none in the file; what its owner alone was told is in it no more.

    Those that came meanwhile are in it when they are kept.
    """
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        secret = Whispered(2, NOW, "ann", "Bob", "xylophone")
        await keep(history, seat(BOB), Told([secret], (BOB,), ANN))
    tail = tail_of(seat(BOB), Vacated(KEYS[BOB]), seat(ANN), said(3), whispered(4, ANN))
    async with kept_in(path) as history:
        history.adopt(tail)
        await keep(history, seat(ANN), said(5), whispered(6, ANN))
    assert b"xylophone" not in everything_in(tmp_path)
    async with kept_in(path) as history:
        assert [one.key for one in history.seats] == [KEYS[ANN]]
        assert not history.reaches(KEYS[BOB], 99)
        missed = await history.missed(KEYS[ANN], 0, 99, 99)
        assert [getattr(one, "id", 0) for one in missed] == [3, 4, 5, 6]


async def test_a_seat_that_was_told_more_than_is_kept(tmp_path: Path) -> None:
    """The file reaches no further back for it than the tail, also after a restart."""
    path = tmp_path / "room.db"
    told = [whispered(number, ANN) for number in range(1, module.OWN + 5)]
    async with kept_in(path) as history:
        history.adopt(tail_of(seat(ANN), *told))
        await keep(history)
        await keep(history, seat(ANN))
        assert not history.reaches(KEYS[ANN], 3)
        assert history.reaches(KEYS[ANN], 4)
    async with kept_in(path) as history:
        assert not history.reaches(KEYS[ANN], 3)
        assert history.reaches(KEYS[ANN], 4)


async def test_what_was_removed_meanwhile(tmp_path: Path) -> None:
    """A message that was removed while the server was away is in no answer, and in no file."""
    path = tmp_path / "room.db"
    word = Told([Said(1, NOW, "ann", "xylophone")], None, ANN)
    async with kept_in(path) as history:
        await keep(history, word, said(2, 3), Forgets((2,)))
    tail = tail_of(word, said(2, 3), Forgets((2,)), said(4), Forgets((1, 4)), said(5))
    await fill(path, tail)
    async with kept_in(path) as history:
        assert await ids(history) == [3, 5]
    assert b"xylophone" not in everything_in(tmp_path)


async def test_what_somebody_had_said_was_removed_meanwhile(tmp_path: Path) -> None:
    """What the file has of it goes as well, also what no other server had any more."""
    path = tmp_path / "room.db"
    old = Told([Said(1, NOW, "Ann", "xylophone"), Said(2, NOW, "Bob", "tea")], None, ANN)
    new = Told([Said(3, NOW, "Ann", "again")], None, ANN)
    async with kept_in(path) as history:
        await keep(history, old)
    await fill(path, tail_of(old, new, Forgets((3,), "ann"), said(4), kept=3))
    async with kept_in(path) as history:
        assert await ids(history) == [2, 4]
    assert b"xylophone" not in everything_in(tmp_path)


async def test_nobody_removes_a_gap(tmp_path: Path) -> None:
    """It is no message: by its id, or the server's handle, messages of others would be removed."""
    path = tmp_path / "room.db"
    async with kept_in(path) as history:
        await keep(history, said(1))
    await fill(path, tail_of(said(1, 2, 3, 4), *map(joined, range(5, 5 + module.TAIL)), kept=1))
    for is_indexed in (False, True):
        async with kept_in(path) as history:
            assert await ids(history) == [1, 3, 4]
            assert await history.ids_by("Server") == []
            assert await history.kept([1, 3, 4]) == [1, 4]
            await keep(history, Forgets((3,)))
            assert await ids(history) == [1, 3, 4]
            assert await ids(history, Recall(find="missing")) == [3]
            while is_indexed and history._scribe.index():
                pass


def seats_of(tellings: Sequence[Telling]) -> dict[str, Seated]:
    """Those that there are after this."""
    seats: dict[str, Seated] = {}
    for one in tellings:
        if isinstance(one, Seated):
            seats[one.seat.key] = one
        elif isinstance(one, Vacated):
            seats.pop(one.key, None)
    return seats


@settings(max_examples=40, deadline=None)
@given(
    st.lists(kept_tellings, min_size=5, max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.lists(st.integers(0, 50), min_size=3, max_size=3),
)
def test_whatever_was_missed(
    drawn: list[tuple[str, Any]], left: int, missed: int, after: list[int]
) -> None:
    """A file that goes on with any tail answers what it can as if it had never been away.

    What it says to be missing is; and nothing else is.
    """
    tellings = [*tellings_of(drawn), joined(500)]
    back = left + missed
    everything, until_back = (History(clock=lambda: EPOCH) for _ in range(2))
    everything.keep(tellings)
    until_back.keep(tellings[:back])

    async def compare() -> None:
        memory = History(5, clock=lambda: EPOCH)
        memory.keep(tellings[:back])
        tail = handed_on(memory.tail())
        memory.keep(tellings[back:])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "room.db"
            async with kept_in(path, kept=5) as history:
                await keep(history, *tellings[:left])
            async with kept_in(path, kept=5) as history:
                last = history.last_id
            await fill(path, tail, kept=5)
            history = open_history(path, kept=5)
            history.adopt(tail)
            await keep(history, *seats_of(tellings[:back]).values(), *tellings[back:])
            for _ in range(2):
                await check(history, memory, last, tail)
                await history.aclose()
                history = open_history(path, kept=5)
            await history.aclose()

    async def check(history: History, memory: History, last: int, tail: Tail) -> None:
        for key in ("", *seats_of(tellings)):
            for since in (max(one, began(tellings, key)) for one in after):
                reaches = history.reaches(key, since)
                assert reaches or not memory.reaches(key, since)
                if reaches:
                    found = await history.missed(key, since, 999, 999)
                    assert found == await everything.missed(key, since, 999, 999)
        kept = (await history.recall(Recall(1000), 999)).messages
        gaps = [one.id for one in kept if one.text == AWAY]
        held = [one for one in kept if one.text != AWAY]
        said = (await everything.recall(Recall(1000), 999)).messages
        lost = {one.id for one in (await until_back.recall(Recall(1000), 999)).messages}
        lost -= {one.id for one in (await until_back.recall(Recall(1000), last)).messages}
        lost -= {one.id for one in (*tail.said, *tail.events) if isinstance(one, Said)}
        assert held == [one for one in said if one.id not in lost]
        assert await history.kept(range(200)) == await history.ids_by("Ann") == [x.id for x in held]
        if not gaps:
            assert not lost or not last
        else:
            [gap] = gaps
            assert all(last < one <= gap for one in lost)
            assert lost or tail.said_floor > tail.floor or removed(tellings[:back])

    with patch.multiple(module, TAIL=12, OWN=2):
        trio.run(compare)


def began(tellings: Sequence[Telling], key: str) -> int:
    """The newest id when this seat was first there; before that nobody asks for it."""
    newest = found = 0
    for one in tellings:
        if isinstance(one, Told):
            newest = max(newest, getattr(one.events[-1], "id", 0))
        elif isinstance(one, Vacated) and one.key == key:
            found = 0
        elif isinstance(one, Seated) and one.seat.key == key:
            found = found or newest + 1
    return found


def removed(tellings: Sequence[Telling]) -> bool:
    """Whether some messages were."""
    return any(isinstance(one, Forgets) for one in tellings)
