import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from house import EPOCH
from strategies import wire_text
from triochat import archive as archive_module
from triochat import opening as opening_module
from triochat.archive import APPLICATION, VERSION, open_reading
from triochat.changes import Changes
from triochat.finding import Wanted, words_in
from triochat.history import UNSEEN
from triochat.messages import Event, Joined, Recall, Refused, Said, Whispered
from triochat.opening import open_archive
from triochat.order import Peer
from triochat.scribe import PIECE, Scribe
from triochat.seats import HOLD, Seat, key_of

NOW = "2026-01-02T03:04:05.678Z"
ANN, KEY = Peer("ann", "10.0.0.1 port 5", "10.0.0.1"), key_of("a" * 22)
SEAT = Seat(KEY, ANN, "Ann", 3)


def said(number: int, text: str = "tea", handle: str = "Ann", at: str = NOW) -> Said:
    """A message."""
    return Said(number, at, handle, text)


@contextmanager
def writing(path: Path, now: float = EPOCH, hold: float = HOLD) -> Iterator[Scribe]:
    """The archive in this file, to be written in the block."""
    scribe = open_archive(path, now, hold=hold)
    try:
        yield scribe
    finally:
        scribe.close()


def found(path: Path, asked: Recall = Recall(1000)) -> list[int]:  # noqa: B008
    """The ids of the messages in this file."""
    reading = open_reading(path)
    try:
        return [one.id for one in reading.recall(asked, None, EPOCH).messages]
    finally:
        reading.close()


def index(scribe: Scribe) -> None:
    """Bring the index up to date."""
    while scribe.index():
        pass
    assert scribe.behind == 0


def killed(path: Path, folder: str = "killed") -> Path:
    """A copy of the file as it is when the server is killed now."""
    copy = path.parent / folder / path.name
    copy.parent.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, copy.parent)
    return copy


def contents(folder: Path) -> dict[str, bytes]:
    """All files there, and what is in them."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_what_is_committed_is_kept(tmp_path: Path) -> None:
    """A commit is in the file, also if the server is killed right after it; ids go on."""
    path = tmp_path / "room.db"
    ping = Refused("not-your-turn", "no", 5)
    with writing(path) as scribe:
        scribe.commit(
            Changes(
                said=[said(1), said(4)],
                passing=[("", 3, Joined("Ann", 3, NOW)), (KEY, 5, ping)],
                seats={KEY: SEAT},
                rulings=b"{}",
                last=6,
            ),
            EPOCH,
        )
        copy = killed(path)
    for file in (path, copy):
        with writing(file, EPOCH + 5) as again:
            assert (again.last_id, again.rulings, again.seats) == (6, b"{}", [SEAT])
            assert again.newest(9) == ([said(1), said(4)], 0)
            reading = again.open_reading()
            events: list[Event] = [said(1), Joined("Ann", 3, NOW), said(4), ping]
            assert reading.missed(KEY, 0, 9, 9) == events
            assert reading.missed(KEY, 1, 4, 1) == events[1:2]
            assert reading.missed("", 0, 9, 9) == events[:3]
            reading.close()


def test_any_text_is_kept(tmp_path: Path) -> None:
    """Also a NUL, at which SQLite's JSON ends a text, and what only looks like one."""
    texts = ["a\x00b", "\x00", "\\u0000", "\\", '"', "\n", "\U0001f600"]
    messages = [said(number, text) for number, text in enumerate(texts, 1)]
    with writing(tmp_path / "room.db") as scribe:
        scribe.commit(Changes(said=messages), EPOCH)
        assert scribe.newest(9) == (messages, 0)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """The file is for its owner alone, and so are those that SQLite puts beside it."""
    path = tmp_path / "room.db"
    path.touch(0o644)
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1)]), EPOCH)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert modes == {"room.db": 0o600, "room.db-wal": 0o600, "room.db-shm": 0o600}
    assert [*tmp_path.iterdir()] == [path]


def test_all_or_nothing(tmp_path: Path) -> None:
    """When a commit fails nothing of it is in the file, and the next one works."""
    path = tmp_path / "room.db"
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1)]), EPOCH)
        (pages,) = scribe._run("PRAGMA page_count").fetchone()
        scribe._run(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            scribe.commit(Changes(said=[said(2 + n, "x" * 500) for n in range(99)]), EPOCH)
        assert scribe.newest(9) == ([said(1)], 0)
        scribe._run("PRAGMA max_page_count = 99999")
        scribe.commit(Changes(said=[said(2)]), EPOCH)
    assert found(path) == [1, 2]


any_words = st.lists(
    st.one_of(
        st.sampled_from(["Über", "uber", "CAFÉ", "cafe", "naïve_x", "東京", "ß", "ss"]), wire_text
    ),
    max_size=5,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_words, min_size=1, max_size=8), any_words, st.data())
def test_the_file_finds_what_memory_does(texts: list[str], other: str, data: st.DataObject) -> None:
    """For any words, author, time and place what is recalled is what `Wanted` says.

    Also where those that are looked through first do not suffice, and however much is indexed.
    """
    words = words_in(" ".join(texts)) or ["x"]
    word = data.draw(st.sampled_from(words))
    find = data.draw(st.sampled_from([other, word, word[:1], word[:2] + " " + words[0], ""]))
    handles = st.sampled_from(["Ann", "ANN", "Bob", "Zoë"])
    times = st.sampled_from([NOW, "2026-01-02T03:00:00.000Z", "2025-12-02T03:04:05.678Z"])
    messages = [
        said(2 * number, text, data.draw(handles), data.draw(times))
        for number, text in enumerate(texts, 1)
    ]
    asked = Recall(
        data.draw(st.integers(0, 4)),
        data.draw(st.none() | st.integers(0, 9)),
        find,
        data.draw(st.sampled_from(["", "ann", "zoë"])),
        data.draw(st.sampled_from([0, 10, 1e6])),
    )
    upto = data.draw(st.none() | st.integers(0, 20))
    with (
        tempfile.TemporaryDirectory() as folder,
        writing(Path(folder) / "room.db") as scribe,
        closing(scribe.open_reading()) as reading,
    ):
        done = data.draw(st.integers(0, len(messages)))
        for piece in (messages[:done], messages[done:]):
            index(scribe)
            scribe.commit(Changes(said=piece), EPOCH)
        with patch.object(archive_module, "NEWEST", data.draw(st.sampled_from([1, 2, 2000]))):
            recalled = reading.recall(asked, upto, EPOCH)
        assert reading.ids_by("zOë") == [one.id for one in messages if one.handle == "Zoë"]
    wanted, most = Wanted.of(asked, EPOCH), 99 if upto is None else upto
    fit = [
        one
        for one in messages
        if wanted.matches(one)
        and one.id <= most
        and (asked.before is None or one.id < asked.before)
    ]
    assert list(recalled.messages) == fit[len(fit) - min(len(fit), asked.count) :]
    assert recalled.more == (len(fit) > asked.count)


def everything_in(folder: Path) -> bytes:
    """All bytes of all files there."""
    return b"".join(contents(folder).values())


def test_what_is_forgotten_is_nowhere(tmp_path: Path) -> None:
    """A removed message is in no file any more, nor are its words in the index."""
    path = tmp_path / "room.db"
    with writing(path) as scribe:
        for number in range(1, 40):
            scribe.commit(Changes(said=[said(number, f"blah {number}")]), EPOCH)
        scribe.commit(Changes(said=[said(50, "the Xylophone is mine", "Quentin")]), EPOCH)
        index(scribe)
        assert scribe.sign(EPOCH)
        assert b"Xylophone" in everything_in(tmp_path)
        assert b"xylophone" in everything_in(tmp_path)
        scribe.commit(Changes(forgotten={50, 60}), EPOCH)
        while scribe.merge():
            pass
        assert scribe.sign(EPOCH)
        for word in (b"Xylo", b"xylo", b"ylophone", b"Quentin", b"7175656e74696e"):
            assert word not in everything_in(tmp_path)
    assert found(path) == [*range(1, 40)]
    assert found(path, Recall(find="blah")) == [*range(1, 40)]


def test_what_is_forgotten_first_is_never_indexed(tmp_path: Path) -> None:
    """What was removed before the index had its words is in no file, nor gets into the index."""
    path = tmp_path / "room.db"
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1), said(2, "xylophone"), said(3)]), EPOCH)
        scribe.commit(Changes(forgotten={2, 3}), EPOCH)
        assert not scribe.index()
        while scribe.merge():
            pass
        assert scribe.sign(EPOCH)
        assert b"xylophone" not in everything_in(tmp_path)
    assert found(path, Recall(find="tea")) == [1]


def test_the_index_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are indexed piece by piece; what has a place among them later is indexed at once.

    A server that was killed goes on where it was, and all is found meanwhile.
    """
    monkeypatch.setattr("triochat.scribe.PIECE", 2)
    path, all_ids = tmp_path / "room.db", [*range(2, 9)]
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(n) for n in all_ids if n != 3], last=9), EPOCH)
        assert scribe.behind == 8
        assert scribe.index()
        assert scribe.behind == 4
        scribe.commit(Changes(said=[said(3)]), EPOCH)
        assert scribe.behind == 4
        copy = killed(path)
    with writing(copy) as again:
        reading = again.open_reading()
        while True:
            recalled = reading.recall(Recall(9, None, "TEA", "ann"), None, EPOCH)
            assert [one.id for one in recalled.messages] == all_ids == reading.ids_by("ANN")
            if not again.behind:
                break
            again.index()
        indexed = "SELECT rowid FROM found WHERE found MATCH 'tea' ORDER BY rowid"
        assert [number for (number,) in again._run(indexed)] == all_ids
        reading.close()


def test_forgetting_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Words that were to be forgotten when the server was killed are forgotten by the next one."""
    path = tmp_path / "room.db"
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1, "tea"), said(2, "xylophone")]), EPOCH)
        index(scribe)
        scribe.commit(Changes(forgotten={2}), EPOCH)
        copy = killed(path)
    with writing(copy) as scribe:
        while scribe.merge():
            pass
        assert scribe.sign(EPOCH)
        assert b"xylophone" not in everything_in(copy.parent)


def test_private_things_are_deleted(tmp_path: Path) -> None:
    """What no seat can miss any more is in no file; what one may have missed is known by its id."""
    path = tmp_path / "room.db"
    whisper = Whispered(7, NOW, "Ann", "Bob", "xylophone")
    seats, late = {KEY: SEAT}, EPOCH + HOLD + UNSEEN
    with writing(path) as scribe:
        scribe.commit(Changes(passing=[(KEY, 7, whisper)], seats=seats, last=7), EPOCH)
        scribe.commit(Changes(passing=[("", 8, Joined("Bob", 8, NOW))], last=8), EPOCH + 60)
        assert scribe.clean(late - 1) is None
        assert scribe.clean(late + 1) == {KEY: 7}
        assert scribe.clean(late + 1) is None
        assert scribe.clean(late + 61) == {"": 8}
        assert scribe.sign(late)
        assert b"xylophone" not in everything_in(tmp_path)
        copy = killed(path)
    with writing(copy, late) as again:
        assert (again.floors, again.last_id) == ({KEY: 7, "": 8}, 8)


def test_a_seat_that_is_given_up(tmp_path: Path) -> None:
    """With a seat goes what was kept for it alone; who takes one again begins anew."""
    with writing(tmp_path / "room.db") as scribe:
        whisper = (KEY, 7, Whispered(7, NOW, "Ann", "Bob", "psst"))
        scribe.commit(Changes(passing=[whisper], seats={KEY: SEAT}, last=7), EPOCH)
        changes = Changes(passing=[whisper], seats={KEY: SEAT})
        changes.vacate(KEY)
        assert (changes.passing, changes.seats) == ([], {})
        changes.add(Changes(passing=[(KEY, 9, Refused("no", "no", 9))], seats={KEY: SEAT}))
        scribe.commit(changes, EPOCH)
        reading = scribe.open_reading()
        assert reading.missed(KEY, 0, 99, 99) == [Refused("no", "no", 9)]
        reading.close()


def test_who_was_away_too_long(tmp_path: Path) -> None:
    """A seat is kept over a restart if its hold has not passed since there was a sign of life.

    What it may have missed is kept as long as if the server had only been slow.
    """
    path, other = tmp_path / "room.db", key_of("b" * 22)
    away = Seat(other, Peer("bob"), "Bob", 4, away=EPOCH - 300)
    with writing(path) as scribe:
        for key, seat in ((KEY, SEAT), (other, away)):
            whisper = (key, 7, Whispered(7, NOW, "Ann", "Bob", "psst"))
            scribe.commit(Changes(passing=[whisper], seats={key: seat}, last=7), EPOCH)
        copies = [killed(path, name) for name in "abc"]
    for copy, down, keys in zip(copies, (299, 599, 601), ({KEY, other}, {KEY}, set()), strict=True):
        with writing(copy, EPOCH + down) as again:
            assert {seat.key for seat in again.seats} == keys
            assert again.clean(EPOCH + down + HOLD) is None
            reading = again.open_reading()
            assert [len(reading.missed(key, 0, 9, 9)) for key in (KEY, other)] == [
                key in keys for key in (KEY, other)
            ]
            reading.close()


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Messages that are too old go, and those that are too many, piece by piece."""
    path = tmp_path / "room.db"
    old = "2026-01-01T00:00:00.000Z"
    messages = [said(number, at=old if number <= PIECE + 10 else NOW) for number in range(1, 2000)]
    with writing(path) as scribe:
        scribe.commit(Changes(said=messages, last=1999), EPOCH)
        scribe.keep = 86_400
        assert scribe.clean(EPOCH) == {"": PIECE}
        assert scribe.clean(EPOCH) == {"": PIECE + 10}
        assert scribe.clean(EPOCH) is None
        scribe.most = 900
        assert scribe.clean(EPOCH) == {"": 1099}
        scribe.commit(Changes(said=[said(2000)]), EPOCH)
        assert scribe.clean(EPOCH) == {"": 1100}
        assert scribe.clean(EPOCH) is None
    assert found(path) == [*range(1101, 2001)]


def refusal(path: Path) -> str:
    """Why the file cannot be used, when it is opened to be written."""
    with pytest.raises(ValueError, match=str(path)) as refused:
        open_archive(path, EPOCH)
    return str(refused.value)


def test_what_is_no_archive(tmp_path: Path) -> None:
    """What cannot be used is told in a sentence, and is as it was, byte for byte."""
    letter, foreign, newer, torn, damaged, live = (
        tmp_path / name for name in ("letter", "foreign", "newer", "torn", "damaged", "live")
    )
    letter.write_text("Dear Ann" * 100)
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE said (id)")
    database.close()
    for path in (newer, torn, damaged):
        with writing(path) as scribe:
            scribe.commit(Changes(said=[said(n, "x" * 400) for n in range(1, 400)]), EPOCH)
    database = sqlite3.connect(newer)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    torn.write_bytes(torn.read_bytes()[:-5000])
    size = damaged.stat().st_size
    damaged.write_bytes(damaged.read_bytes()[:4096] + b"\x55" * (size - 4096))
    with writing(live) as scribe:
        scribe.commit(Changes(said=[said(n) for n in range(1, 400)]), EPOCH)
        copy = killed(live)
    torn_log = tmp_path / "log"
    shutil.copytree(copy.parent, torn_log)
    os.truncate(torn_log / "live", 4096)
    (torn_log / "live-wal").write_bytes(b"\x55" * 5000)
    folders = [tmp_path, torn_log]
    before = [contents(folder) for folder in folders]
    other = "is not the history of a room; name another file, or move it away"
    broken = "is damaged; put a backup of it there, or name another file"
    assert refusal(letter) == f"{letter} {other}"
    assert refusal(foreign) == f"{foreign} {other}"
    assert refusal(torn) == f"{torn} {broken}"
    assert refusal(damaged) == f"{damaged} {broken}"
    assert refusal(torn_log / "live") == f"{torn_log / 'live'} {broken}"
    assert refusal(newer) == (f"{newer} was written by a newer triochat: this one cannot read it")
    assert refusal(tmp_path) == f"{tmp_path} is no file"
    nowhere = tmp_path / "no" / "room.db"
    assert refusal(nowhere) == f"cannot write {nowhere}: no such file or directory"
    assert [contents(folder) for folder in folders] == before


def test_reading_what_is_no_archive(tmp_path: Path) -> None:
    """Who reads offline is told the same, and makes no file."""
    empty = tmp_path / "empty"
    empty.touch()
    for path, problem in {
        empty: f"{empty} is empty: no server has kept anything there",
        tmp_path / "none": f"cannot read {tmp_path / 'none'}: no such file or directory",
    }.items():
        with pytest.raises(ValueError, match=r".") as refused:
            open_reading(path)
        assert str(refused.value) == problem
    assert [*tmp_path.iterdir()] == [empty]


def test_a_disk_that_is_full_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that could not be made is not left behind."""
    monkeypatch.setattr("triochat.opening.MIGRATIONS", ("CREATE TABLE nonsense",))
    path = tmp_path / "room.db"
    assert refusal(path) == f'cannot write {path}: near "PRAGMA": syntax error'
    assert [*tmp_path.iterdir()] == []


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """A file that a server writes is no other server's; others may read it, and change nothing."""
    path = tmp_path / "room.db"
    program = (
        "import sys; from pathlib import Path; from triochat.opening import open_archive\n"
        "from triochat.archive import open_reading; from triochat.messages import Recall\n"
        "path = Path(sys.argv[1])\n"
        "try: open_archive(path, 0.0)\n"
        "except ValueError as error: print(error)\n"
        "print(len(open_reading(path).recall(Recall(), None, 0).messages))\n"
    )
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1)]), EPOCH)
        before = contents(tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"another server keeps its history in {path}; name another file\n1\n"
        assert contents(tmp_path)["room.db"] == before["room.db"]
        scribe.commit(Changes(said=[said(2)]), EPOCH)
    assert found(path) == [1, 2]


def test_an_archive_is_known_by_its_head(tmp_path: Path) -> None:
    """The file says that it is one, and of which version; a link to it stays one."""
    path, link = tmp_path / "room.db", tmp_path / "link"
    link.symlink_to(path)
    with writing(link):
        pass
    assert link.is_symlink()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    database.close()


def test_an_older_file_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a former version is changed into one of ours, and nothing in it is lost."""
    assert len(opening_module.MIGRATIONS) == VERSION
    path = tmp_path / "room.db"
    with writing(path) as scribe:
        scribe.commit(Changes(said=[said(1)]), EPOCH)
    newer = (*opening_module.MIGRATIONS, "ALTER TABLE house ADD COLUMN colour TEXT;")
    monkeypatch.setattr(opening_module, "MIGRATIONS", newer)
    monkeypatch.setattr(archive_module, "VERSION", VERSION + 1)
    for _ in range(2):
        with writing(path) as scribe:
            assert scribe._run("PRAGMA user_version").fetchone() == (VERSION + 1,)
            assert scribe._run("SELECT colour FROM house").fetchone() == (None,)
            assert scribe.newest(9) == ([said(1)], 0)
