from pathlib import Path

import pytest

from triochat.changes import Changes
from triochat.messages import Joined, Said
from triochat.unkept import Unkept

AT = "2026-01-02T03:04:05.678Z"


def test_what_there_is_no_room_for_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; and whoever comes back, and may have missed that, is to begin anew."""
    monkeypatch.setattr("triochat.unkept.TAIL", 2)
    unkept, changes = Unkept(Path("room.db"), "Server"), Changes()
    changes.said = [Said(number, AT, "Ann", "hi") for number in range(1, 6)]
    changes.passing = [(key, 6, Joined("Bob", 6, AT)) for key in ("one", "two", "three")]
    assert unkept.bound(changes) == {"": 3, "one": 6}
    assert [one.id for one in changes.said] == [4, 5]
    assert [key for key, *_ in changes.passing] == ["two", "three"]
    assert unkept.bound(changes) == {}
    [gap], missing = unkept.end()
    assert (gap.id, missing) == (3, "3 messages are missing")
    assert unkept.end() == ([], "nothing is missing")
