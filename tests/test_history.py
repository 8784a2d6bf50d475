from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, events
from triochat.history import KEPT, History
from triochat.messages import Event, Joined, Left, Said, Whispered

NOW = "2026-01-02T03:04:05.678Z"


def said(number: int, text: str) -> Said:
    """A message of Ann's."""
    return Said(number, NOW, "Ann", text)


def test_ids_are_given_one_after_the_other() -> None:
    """Messages get the ids 1, 2, 3, across batches."""
    history = History()
    assert history.append([said(0, "a"), said(0, "b")]) == [said(1, "a"), said(2, "b")]
    assert history.append([said(0, "c")]) == [said(3, "c")]


def test_whispers_take_an_id_and_are_not_kept() -> None:
    """A whisper has its place in the order, and in no log."""
    history = History()
    whisper = Whispered(0, NOW, "Ann", "Bob", "psst")
    assert history.append([said(0, "a"), whisper, said(0, "b")]) == [
        said(1, "a"),
        Whispered(2, NOW, "Ann", "Bob", "psst"),
        said(3, "b"),
    ]
    assert history.last(10) == [said(1, "a"), said(3, "b")]
    assert history.since(0) == [said(1, "a"), said(3, "b")]


def test_other_events_pass_as_they_are() -> None:
    """Who comes and goes takes no id, is handed back in its place, and is not kept."""
    history = History()
    assert history.append([Joined("Ann"), said(0, "a"), Left("Ann", "quit")]) == [
        Joined("Ann"),
        said(1, "a"),
        Left("Ann", "quit"),
    ]
    assert history.last(10) == [said(1, "a")]


def test_nothing_in_nothing_out() -> None:
    """An empty batch changes nothing."""
    history = History()
    assert history.append([]) == []
    assert history.append([said(0, "a")]) == [said(1, "a")]


def test_any_iterable_is_a_batch() -> None:
    """A batch is read once, in its order."""
    assert History().append(said(0, text) for text in "ab") == [said(1, "a"), said(2, "b")]


def test_what_comes_in_is_not_changed() -> None:
    """Events are values: the one with an id is another one."""
    event = said(0, "a")
    assert History().append([event]) == [said(1, "a")]
    assert event == said(0, "a")


def test_since() -> None:
    """`since` gives all that is newer than an id, oldest first."""
    history = History()
    history.append([said(0, "a"), said(0, "b"), said(0, "c")])
    assert history.since(0) == [said(1, "a"), said(2, "b"), said(3, "c")]
    assert history.since(2) == [said(3, "c")]
    assert history.since(3) == []
    assert history.since(99) == []


def test_last() -> None:
    """`last` gives the newest messages, at most as many as asked for, oldest first."""
    history = History()
    history.append([said(0, "a"), said(0, "b"), said(0, "c")])
    assert history.last(2) == [said(2, "b"), said(3, "c")]
    assert history.last(3) == [said(1, "a"), said(2, "b"), said(3, "c")]
    assert history.last(99) == [said(1, "a"), said(2, "b"), said(3, "c")]
    assert history.last(0) == []
    assert history.last(-1) == []


def test_the_oldest_are_forgotten() -> None:
    """No more is kept than was asked for, and ids go on."""
    history = History(kept=2)
    history.append([said(0, "a"), said(0, "b"), said(0, "c")])
    assert history.since(0) == [said(2, "b"), said(3, "c")]
    assert history.append([said(0, "d")]) == [said(4, "d")]
    assert history.last(9) == [said(3, "c"), said(4, "d")]


def test_a_thousand_are_kept() -> None:
    """Unless told otherwise, the newest thousand are kept."""
    history = History()
    history.append(said(0, "a") for _ in range(1001))
    assert KEPT == 1000
    assert [message.id for message in history.since(0)] == list(range(2, 1002))


def test_nothing_kept() -> None:
    """A log that keeps nothing still gives ids."""
    history = History(kept=0)
    assert history.append([said(0, "a"), said(0, "b")]) == [said(1, "a"), said(2, "b")]
    assert history.last(5) == []


@given(st.lists(st.lists(events(any_text), max_size=5), max_size=8))
def test_any_batches(batches: list[list[Event]]) -> None:
    """However events are batched, none is lost, doubled or moved, and ids grow without gaps."""
    history = History()
    placed = [event for batch in batches for event in history.append(batch)]
    given_in = [event for batch in batches for event in batch]
    assert [type(event) for event in placed] == [type(event) for event in given_in]
    ids = [event.id for event in placed if isinstance(event, Said | Whispered)]
    assert ids == list(range(1, len(ids) + 1))
    for before, after in zip(given_in, placed, strict=True):
        if isinstance(after, Said):
            assert isinstance(before, Said)
            assert (after.at, after.handle, after.text) == (before.at, before.handle, before.text)
        elif not isinstance(after, Whispered):
            assert after is before
    assert history.since(0) == [event for event in placed if isinstance(event, Said)]
