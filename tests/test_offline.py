import json
import os
import sqlite3
import sys
import time
from collections.abc import Sequence

import pytest

from triochat import offline
from triochat.arguments import parse
from triochat.finding import Wanted
from triochat.messages import Recall, Recalled, Said
from triochat.words import time_of

DAY = 86_400


class Kept:
    """A history's file that has these messages."""

    def __init__(self, said: Sequence[Said]) -> None:
        self.said = said
        self.asked: list[Recall] = []
        self.is_damaged = False
        self.is_closed = False

    def recall(self, asked: Recall, upto: int | None, now: float) -> Recalled:
        """What is asked for."""
        assert upto is None
        if self.is_damaged and self.asked:
            raise sqlite3.DatabaseError("malformed")
        self.asked.append(asked)
        wanted, before = Wanted.of(asked, now), asked.before or 1 << 60
        found = [one for one in self.said if one.id < before and wanted.matches(one)]
        left = max(0, len(found) - asked.count)
        return Recalled((*found[left:],), left > 0)

    def close(self) -> None:
        """It is read no more."""
        self.is_closed = True


def at(ago: float) -> str:
    """The time so many seconds ago, as it stands on the wire."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - ago))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What was said in the last three days."""
    kept = Kept(
        [
            Said(1, at(3 * DAY), "Ann", "tea time"),
            Said(4, at(2 * DAY), "Bob", "waves", action=True),
            Said(5, at(60), "bob", "no \x1b[2J tea\n* Ann left"),
        ]
    )
    monkeypatch.setattr(offline, "open_reading", lambda _: kept)
    return kept


def run(*arguments: str) -> int:
    """What the command does with these options, and returns."""
    return offline.print_history(parse(["history", "file", *arguments]))


def texts(out: str) -> list[str]:
    """The lines without their times."""
    return [line[20:] for line in out.splitlines()]


def test_all_that_was_said(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it is printed, the oldest first, with its time here, as text that does nothing."""
    assert run() == 0
    out = capsys.readouterr().out
    assert texts(out) == ["Ann> tea time", "* Bob waves", "bob> no [2J tea * Ann left"]
    assert out.startswith(f"{time_of(kept.said[0].at):%Y-%m-%d %H:%M:%S} Ann> ")
    assert kept.is_closed


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--last", "2"], [4, 5]),
        (["--last", "9"], [1, 4, 5]),
        (["--find", "TEA"], [1, 5]),
        (["--find", "tea time"], [1]),
        (["--find", "tea", "--last", "1"], [5]),
        (["--from", "BOB"], [4, 5]),
        (["--since", "2h"], [5]),
        (["--since", "49h"], [4, 5]),
        (["--since", "999999999d"], [1, 4, 5]),
        (["--since", time.strftime("%Y-%m-%d", time.localtime(time.time() - DAY))], [5]),
        (["--since", "2020-01-02T21:07"], [1, 4, 5]),
        (["--since", "1900-01-01"], [1, 4, 5]),
        (["--since", "9999-01-01"], []),
        (["--find", "coffee"], []),
    ],
)
@pytest.mark.usefixtures("kept")
def test_what_is_asked_for(
    capsys: pytest.CaptureFixture[str], arguments: list[str], ids: list[int]
) -> None:
    """The newest so many, with these words, by somebody, since then: or nothing, which is well."""
    assert run("--json", *arguments) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ids


def test_what_fills_many_pages(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """However much it is, it is read page by page and printed in order."""
    kept.said = [Said(number, at(60), "Ann", f"{number}") for number in range(1, 2500)]
    assert run("--last", "2200") == 0
    assert texts(capsys.readouterr().out) == [f"Ann> {number}" for number in range(300, 2500)]
    assert [(one.count, one.before) for one in kept.asked] == [
        (1000, None),
        (1000, 1500),
        (200, 500),
    ]


def test_on_a_terminal_a_line_is_folded(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the rest of a line is indented: what stands at the left edge is ours."""
    kept.said = [Said(1, "", "Ann", f"{'x' * 60} Bob> hi")]
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((40, 20)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run() == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Ann>")
    assert len(rest) > 0
    assert all(row.startswith("  ") and len(row) <= 40 for row in rest)


def test_a_file_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told in one line; exit code 1."""

    def fail(_: str) -> Kept:
        raise ValueError("file is not the history of a room; name another file")

    monkeypatch.setattr(offline, "open_reading", fail)
    # what is said at once goes to the descriptor
    said: list[str] = []
    monkeypatch.setattr("triochat.process.say", lambda _, text: said.append(text))
    assert run() == 1
    assert said == ["triochat: file is not the history of a room; name another file"]
    assert capsys.readouterr().out == ""


def test_a_file_that_is_damaged_further_on(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is printed of what may be wrong; exit code 1, and one line."""
    kept.said = [Said(number, "", "Ann", "x") for number in range(1, 1500)]
    kept.is_damaged = True
    said: list[str] = []
    monkeypatch.setattr("triochat.process.say", lambda _, text: said.append(text))
    assert run() == 1
    assert said == ["triochat: file is damaged; put a backup of it there, or name another file"]
    assert kept.is_closed


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--since", "yesterday"], '"yesterday" is no time; write how long ago (30m, 2h, 2d)'),
        (["--since", "30"], '"30" is no time; '),
        (["--since", ""], '"" is no time; '),
        (["--since", "2026-13-01"], '"2026-13-01" is no time; '),
        (["--find", "?!"], 'argument --find: there is no word in "?!"'),
        (["--last", "0"], '"0" is not a number of messages; it must be 1 or more'),
        (["--from", "two words"], 'handle "two words" may have letters'),
        (["another"], "unrecognized arguments: another"),
    ],
)
def test_wrong_arguments(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    """They are named, with what may stand there; exit code 2."""
    said: list[str] = []
    monkeypatch.setattr("triochat.arguments.say", lambda _, text: said.append(text))
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert problem in said[0]
