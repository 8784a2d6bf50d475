from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, events
from triochat.history import KEPT, History
from triochat.messages import Event, Joined, Left, Refused, Said, Welcome, Whispered
from triochat.order import Peer
from triochat.telling import Ends, Follows, Telling, Told, Unfollows

NOW = "2026-01-02T03:04:05.678Z"
ANN, BOB = Peer("ann"), Peer("bob")


def said(number: int) -> Said:
    """A message of Ann's."""
    return Said(number, NOW, "Ann", f"message {number}")


def told(*numbers: int) -> Told:
    """Messages of Ann's, told to all as one."""
    return Told([said(number) for number in numbers], None, ANN)


def remembering(*numbers: int, kept: int = KEPT) -> History:
    """A memory of messages with these ids."""
    memory = History(kept)
    memory.keep([told(*numbers)])
    return memory


def test_memory_is_instant() -> None:
    """What is kept in memory is kept at once: there is nothing to wait for."""
    memory: History = History()
    assert memory.is_instant
    assert memory.keep([told(1)]) is None
    assert memory.last(1) == [said(1)]


def test_what_is_said_is_kept() -> None:
    """All that a batch says to all is kept, in its order, batch after batch."""
    memory = History()
    memory.keep([told(1, 2), told(4)])
    memory.keep([told(5)])
    assert memory.since(0) == [said(1), said(2), said(4), said(5)]


def test_whispers_are_not_kept() -> None:
    """A whisper has its place in the order, and in no log."""
    memory = History()
    whisper = Whispered(2, NOW, "Ann", "Bob", "psst")
    memory.keep([told(1), Told([whisper], (BOB, ANN), ANN), told(3)])
    assert memory.last(10) == [said(1), said(3)]
    assert memory.since(0) == [said(1), said(3)]


def test_other_events_are_not_kept() -> None:
    """Who comes and goes, and what a single peer is told, is not kept."""
    memory = History()
    memory.keep(
        [
            Told([Joined("Ann", 1, NOW)]),
            Follows(ANN),
            Told([Welcome("Ann", "Server", ("Ann",), 1)], (ANN,)),
            told(2),
            Told([Refused("message-empty", "no", 3)], (ANN,)),
            Unfollows(ANN),
            Told([Left("Ann", "quit", 4, NOW)]),
            Ends(ANN, "quit"),
        ]
    )
    assert memory.last(10) == [said(2)]


def test_among_other_events() -> None:
    """Of events that are told to all together, what is said is kept."""
    memory = History()
    memory.keep([Told([Joined("Ann", 1, NOW), said(2), Left("Ann", "quit", 3, NOW)])])
    assert memory.last(10) == [said(2)]


def test_nothing_in_nothing_out() -> None:
    """An empty batch changes nothing."""
    memory = History()
    memory.keep([])
    assert memory.last(10) == []
    assert memory.since(0) == []
    memory.keep([told(1)])
    memory.keep([])
    assert memory.last(10) == [said(1)]


def test_since() -> None:
    """`since` gives all that is newer than an id, oldest first."""
    memory = remembering(1, 3, 4)
    assert memory.since(0) == [said(1), said(3), said(4)]
    assert memory.since(2) == [said(3), said(4)]
    assert memory.since(3) == [said(4)]
    assert memory.since(4) == []
    assert memory.since(99) == []


def test_last() -> None:
    """`last` gives the newest messages, at most as many as asked for, oldest first."""
    memory = remembering(1, 2, 3)
    assert memory.last(2) == [said(2), said(3)]
    assert memory.last(3) == [said(1), said(2), said(3)]
    assert memory.last(99) == [said(1), said(2), said(3)]
    assert memory.last(0) == []
    assert memory.last(-1) == []


def test_the_oldest_are_forgotten() -> None:
    """No more is kept than was asked for."""
    memory = remembering(1, 2, 3, kept=2)
    assert memory.since(0) == [said(2), said(3)]
    memory.keep([told(4)])
    assert memory.last(9) == [said(3), said(4)]


def test_a_thousand_are_kept() -> None:
    """Unless told otherwise, the newest thousand are kept."""
    memory = History()
    memory.keep([told(*range(1, 1002))])
    assert KEPT == 1000
    assert [message.id for message in memory.since(0)] == list(range(2, 1002))


def test_nothing_kept() -> None:
    """A memory that keeps nothing remembers nothing."""
    memory = remembering(1, 2, kept=0)
    assert memory.last(5) == []
    assert memory.since(0) == []


def test_what_is_given_out_is_a_copy() -> None:
    """Who asks what was said may do with the answer what it likes."""
    memory = remembering(1)
    memory.since(0).clear()
    memory.last(9).clear()
    assert memory.last(9) == [said(1)]


def tellings(told: Sequence[Event]) -> st.SearchStrategy[Telling]:
    """These events, told to all or to somebody."""
    return st.builds(Told, st.just(told), st.sampled_from([None, (ANN,), (ANN, BOB), ()]))


any_telling = st.one_of(
    st.lists(events(any_text), max_size=4).flatmap(tellings),
    st.sampled_from([Follows(ANN), Unfollows(BOB), Ends(ANN, "quit")]),
)


@given(st.lists(st.lists(any_telling, max_size=4), max_size=6))
def test_any_batches(batches: list[list[Telling]]) -> None:
    """However events are batched, what is said to all is kept once, as it is, in its order."""
    memory = History()
    for batch in batches:
        memory.keep(batch)
    assert memory.last(KEPT) == [
        event
        for batch in batches
        for telling in batch
        if isinstance(telling, Told) and telling.to is None
        for event in telling.events
        if isinstance(event, Said)
    ]
