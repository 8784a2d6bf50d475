from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from triochat import history as module
from triochat.finding import sought
from triochat.history import ALONE, KEPT, OWN, TAIL, UNSEEN, History, Tail
from triochat.messages import Joined, Left, Notice, Recall, Refused, Said, Welcome, Whispered
from triochat.order import Peer
from triochat.seats import HOLD, Seat
from triochat.telling import Ends, Follows, Forgets, Seated, Telling, Told, Unfollows, Vacated

NOW = "2026-01-02T03:04:05.678Z"
THEN = 1767323045.678
ANN, BOB = Peer("ann"), Peer("bob")
SEAT = Seat("key", BOB, "Bob", 1)

_T = TypeVar("_T")


def at_once(reading: Coroutine[Any, Any, _T]) -> _T:
    """What this returns, which need not be waited for."""
    try:
        reading.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    raise AssertionError


def said(number: int, text: str = "", handle: str = "Ann", at: str = NOW) -> Said:
    """A message of somebody's."""
    return Said(number, at, handle, text or f"message {number}")


def told(*numbers: int) -> Told:
    """Messages of Ann's, told to all as one."""
    return Told([said(number) for number in numbers], None, ANN)


def whispered(number: int) -> Told:
    """A whisper to Bob."""
    return Told([Whispered(number, NOW, "Ann", "Bob", "psst")], (BOB, ANN), ANN)


def remembering(*numbers: int, kept: int = KEPT) -> History:
    """A memory of messages with these ids."""
    memory = History(kept, clock=lambda: THEN)
    memory.keep([told(*numbers)])
    return memory


def last(memory: History, count: int = 1000, **more: Any) -> list[Said]:  # noqa: ANN401
    """The newest messages that are like this."""
    return [*at_once(memory.recall(Recall(count, **more), 10**9)).messages]


def missed(memory: History, key: str, after: int, upto: int = 10**9) -> list[int]:
    """The ids of what has been missed."""
    return [event.id for event in at_once(memory.missed(key, after, upto, 1000))]  # type: ignore[union-attr]


def test_memory_is_instant() -> None:
    """What is kept in memory is kept at once: there is nothing to wait for."""
    memory: History = History()
    assert memory.is_instant
    assert memory.keep([told(1)]) is None
    assert last(memory) == [said(1)]


def test_what_is_said_is_kept() -> None:
    """All that a batch says to all is kept, in its order, batch after batch."""
    memory = History()
    memory.keep([told(1, 2), told(4)])
    memory.keep([])
    memory.keep([told(5)])
    assert last(memory) == [said(1), said(2), said(4), said(5)]


def test_only_what_is_said_is_read_back() -> None:
    """Who comes and goes, and what a single peer is told, is read back by nobody."""
    memory = History()
    memory.keep(
        [
            Seated(SEAT),
            Told([Joined("Ann", 1, NOW)]),
            Follows(ANN),
            Told([Welcome("Ann", "Server", ("Ann",), 1)], (ANN,)),
            told(2),
            Told([Refused("message-empty", "no", 3)], (ANN,)),
            whispered(4),
            Unfollows(ANN),
            Told([Left("Ann", "quit", 5, NOW)]),
            Ends(ANN, "quit"),
        ]
    )
    assert last(memory) == [said(2)]
    assert missed(memory, "", 0) == [1, 2, 5]


def test_recall_counts_from_the_newest() -> None:
    """So many messages are told as were asked for, oldest first, and whether there are more."""
    memory = remembering(1, 2, 3)
    answer = at_once(memory.recall(Recall(2), 9))
    assert (answer.messages, answer.more) == ((said(2), said(3)), True)
    answer = at_once(memory.recall(Recall(2, before=3), 9))
    assert (answer.messages, answer.more) == ((said(1), said(2)), False)
    assert last(memory, 99) == [said(1), said(2), said(3)]
    assert last(memory, 0) == last(memory, -1) == []
    assert at_once(memory.recall(Recall(5), 2)).messages == (said(1), said(2))


def test_each_message_is_looked_through_once() -> None:
    """However many look for words; and what is forgotten is not known by them either."""
    memory = remembering(1, 2, 3)
    sought.cache_clear()
    for _ in range(5):
        assert last(memory, find="message") == [said(1), said(2), said(3)]
    assert sought.cache_info().misses == 3
    memory.keep([Forgets((2,))])
    assert not sought.cache_info().currsize


def test_what_has_no_id_stands_in_nobodys_way() -> None:
    """What all are told that cannot be missed is not kept; what came before it is."""
    memory = History()
    memory.keep([told(1, 2), Told([Notice("all clients disconnected")]), told(3)])
    assert missed(memory, "", 0) == [1, 2, 3]


def test_recall_finds() -> None:
    """All words must begin a word of the text, whatever their case and accents."""
    memory = History(clock=lambda: THEN)
    texts = ["Café au lait", "the cafe is closed", "lait", "decaf"]
    memory.keep([Told([said(number, text) for number, text in enumerate(texts, 1)])])
    memory.keep([Told([said(9, "cafe", "Bob", "2026-01-02T02:00:00.000Z")])])
    assert [one.id for one in last(memory, find="CAFE")] == [1, 2, 9]
    assert [one.id for one in last(memory, find="lai café")] == [1]
    assert [one.id for one in last(memory, find="caf", author="bob")] == [9]
    assert [one.id for one in last(memory, find="caf", minutes=30)] == [1, 2]


def test_the_oldest_are_forgotten() -> None:
    """No more is kept than was asked for; unless told otherwise, a thousand messages."""
    memory = remembering(1, 2, 3, kept=2)
    assert last(memory) == [said(2), said(3)]
    memory.keep([told(4)])
    assert last(memory) == [said(3), said(4)]
    memory = remembering(*range(1, 1002))
    assert [message.id for message in last(memory)] == list(range(2, 1002))
    assert last(remembering(1, 2, kept=0)) == []


def test_what_was_missed_is_in_order() -> None:
    """What all were told and what one seat alone was told make one list, by their ids."""
    memory = History()
    memory.keep([Seated(SEAT), told(2), whispered(3), told(4), whispered(6)])
    assert missed(memory, "key", 0) == [2, 3, 4, 6]
    assert missed(memory, "key", 2, 4) == [3, 4]
    assert missed(memory, "", 0) == [2, 4]
    assert missed(memory, "another", 0) == [2, 4]
    assert len(at_once(memory.missed("key", 0, 9, 2))) == 2


def test_a_seat_has_its_own_until_it_is_given_up() -> None:
    """What a seat alone was told goes with it, and moves with it to another peer."""
    memory = History()
    memory.keep([Seated(SEAT), whispered(2), Seated(Seat("key", ANN, "Bob", 1)), whispered(3)])
    assert missed(memory, "key", 0) == [2, 3]
    memory.keep([Vacated("key"), whispered(4)])
    assert missed(memory, "key", 0) == []
    assert not memory.reaches("key", 0)


def test_old_private_things_are_forgotten() -> None:
    """What was told to one alone is kept as long as it may be missed, and not a moment longer."""
    now = THEN
    memory = History(clock=lambda: now)
    memory.keep([Seated(SEAT), whispered(2)])
    now += HOLD + UNSEEN + 1
    memory.keep([whispered(3)])
    assert missed(memory, "key", 0) == [3]
    assert not memory.reaches("key", 1)
    assert memory.reaches("key", 2)


def test_it_is_known_what_is_not_kept_any_more() -> None:
    """Where something may be lost to who comes back, the memory says so."""
    memory = History()
    memory.keep([Seated(SEAT), told(1)])
    assert memory.reaches("key", 0)
    memory.keep([whispered(number) for number in range(2, OWN + 3)])
    assert not memory.reaches("key", 1)
    assert memory.reaches("key", 2)
    memory.keep([told(*range(1000, 1001 + TAIL))])
    assert memory.reaches("key", 1000)
    assert not memory.reaches("key", 999)


def test_what_is_removed_is_nowhere() -> None:
    """Messages that are removed are not read back, and not told to who comes back."""
    memory = remembering(1, 2, 3, 4)
    assert at_once(memory.ids_by("ANN")) == [1, 2, 3, 4]
    memory.keep([Forgets((1, 3))])
    assert [one.id for one in last(memory)] == [2, 4]
    assert missed(memory, "", 0) == [2, 4]


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=6), st.integers(0, 30))
def test_any_batches(batches: list[list[int]], after: int) -> None:
    """However events are batched, each who may hear them finds them once, in their order."""
    memory = History()
    memory.keep([Seated(SEAT)])
    number = 0
    public: list[int] = []
    own: list[int] = []
    for batch in batches:
        tellings: list[Telling] = []
        for kind in batch:
            ids = range(number + 1, number + 1 + kind)
            number += max(1, kind)
            if kind:
                tellings.append(told(*ids))
                public += ids
            else:
                tellings.append(whispered(number))
                own.append(number)
        memory.keep(tellings)
    assert [one.id for one in last(memory)] == public
    assert missed(memory, "", after) == [one for one in public if one > after]
    assert missed(memory, "key", after) == sorted(one for one in public + own if one > after)


def test_what_is_forgotten_hides_no_gap() -> None:
    """Who has missed more than is kept is not told that this is all, whatever was removed since."""
    memory = History()
    memory.keep([Seated(SEAT), told(*range(10, 15 + TAIL))])
    assert not memory.reaches("key", 13)
    memory.keep([Forgets((20, 21))])
    assert not memory.reaches("key", 13)
    assert memory.reaches("key", 14)


def handed_on(tail: Tail) -> Tail:
    """The tail of a history as another server reads it."""
    return msgpack.decode(msgpack.encode(tail), type=Tail)


def test_a_tail_is_what_it_was() -> None:
    """What is kept, forgotten and given up after it was taken changes nothing in it."""
    memory = History(2, clock=lambda: THEN)
    memory.keep([Seated(SEAT), told(1, 2, 3), whispered(4), Told([Joined("Cid", 5, NOW)])])
    tail = memory.tail()
    written = msgpack.encode(tail)
    memory.keep([whispered(6), Forgets((2, 3)), Vacated("key"), told(7, 8)])
    assert msgpack.encode(tail) == written
    assert tail != memory.tail()
    assert tail.said == (said(2), said(3))
    assert (tail.last, tail.said_floor, tail.floor) == (5, 1, 0)


def test_a_tail_is_not_as_long_as_whispers_make_it() -> None:
    """Where many have been told much alone it has the newest of each, and says what is missing."""
    memory, other = History(clock=lambda: THEN), History()
    seats = [Seat(f"key {number}", Peer(f"{number}"), "Joe", 1) for number in range(100)]
    memory.keep([Seated(seat) for seat in seats])
    number = 0
    for _ in range(OWN):
        for seat in seats[1:]:
            number += 1
            memory.keep([Told([Refused("no", "no", number)], (seat.peer,))])
    memory.keep([Told([Refused("no", "no", number + 1)], (seats[0].peer,))])
    other.adopt(handed_on(memory.tail()))
    assert missed(other, seats[0].key, 0) == [number + 1]
    assert other.reaches(seats[0].key, 0)
    most = ALONE // len(seats)
    for seat in seats[1:]:
        before, *newest = missed(memory, seat.key, 0)[-most - 1 :]
        assert missed(other, seat.key, 0) == newest
        assert other.reaches(seat.key, before)
        assert not other.reaches(seat.key, before - 1)


def test_what_is_adopted_takes_the_place_of_what_was() -> None:
    """Nothing is left of what was in memory; and the newest id is the other's."""
    memory, other = remembering(1, 2), remembering(3)
    memory.keep([Seated(SEAT), whispered(5)])
    other.keep([Told([Refused("no", "no", 6)], (ANN,))])
    memory.adopt(other.tail())
    assert last(memory) == [said(3)]
    assert missed(memory, "key", 0) == [3]
    assert not memory.reaches("key", 0)
    assert memory.last_id == 6


SITTING = {"a": (ANN, Peer("ann again")), "b": (BOB, Peer("bob again"))}
keys = st.sampled_from([*SITTING])
peers = st.sampled_from([*SITTING["a"], *SITTING["b"]])
kept_tellings: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("said"), st.integers(1, 4)),
    st.tuples(st.just("said"), st.integers(1, 4)),
    st.tuples(st.just("joined"), st.none()),
    st.tuples(st.just("told"), st.lists(peers, unique=True)),
    st.tuples(st.just("told"), st.lists(peers, unique=True)),
    st.tuples(st.just("seated"), st.tuples(keys, st.integers(0, 1))),
    st.tuples(st.just("vacated"), keys),
    st.tuples(st.just("forgets"), st.lists(st.integers(1, 40), max_size=3)),
)


def tellings_of(drawn: Sequence[tuple[str, Any]]) -> list[Telling]:
    """What was drawn, with growing ids."""
    made: list[Telling] = []
    said_by_then: set[int] = set()
    number = 0
    for kind, value in drawn:
        number += 1
        match kind:
            case "said":
                made.append(told(*range(number, number + value)))
                said_by_then |= {*range(number, number + value)}
                number += value - 1
            case "joined":
                made.append(Told([Joined("Cid", number, NOW)]))
            case "told":
                made.append(Told([Refused("no", "no", number)], (*value,)))
            case "seated":
                key, which = value
                made.append(Seated(Seat(key, SITTING[key][which], "Bob", 1)))
            case "vacated":
                made.append(Vacated(value))
            case _:
                made.append(Forgets((*said_by_then.intersection(value),)))
    return made


def answers(memory: History, after: int) -> list[object]:
    """What it says to whatever it can be asked."""
    ids = range(130)
    return [
        memory.last_id,
        *(memory.reaches(key, after) for key in ("", "a", "b")),
        *(missed(memory, key, after, upto) for key in ("", "a", "b") for upto in (after + 3, 999)),
        *(
            at_once(memory.recall(Recall(count, before), 999))
            for count in (2, 99)
            for before in (9, 20, 99)
        ),
        at_once(memory.ids_by("ann")),
        at_once(memory.kept(ids)),
    ]


@settings(max_examples=300)
@given(
    st.lists(kept_tellings, min_size=5, max_size=30),
    st.integers(0, 30),
    st.lists(st.integers(1, 5)),
    st.integers(0, 40),
)
def test_who_adopts_a_tail_answers_as_the_other(
    drawn: list[tuple[str, Any]], place: int, cuts: list[int], after: int
) -> None:
    """From there on both say the same, and hand on the same, however what they keep is cut."""
    tellings = tellings_of(drawn)
    with patch.multiple(module, TAIL=12, OWN=1):
        here, there = (History(5, clock=lambda: THEN) for _ in range(2))
        here.keep(tellings[:place])
        there.adopt(handed_on(here.tail()))
        assert there.tail() == here.tail()
        assert answers(there, after) == answers(here, after)
        here.keep(tellings[place:])
        for cut in (*cuts, len(tellings)):
            there.keep(tellings[place : place + cut])
            place += cut
        assert msgpack.encode(there.tail()) == msgpack.encode(here.tail())
        assert answers(there, after) == answers(here, after)


@given(st.permutations(["a", "b", "c"]))
def test_equal_histories_have_equal_tails(keys: list[str]) -> None:
    """In whatever order they have come to be so: of seats it is not told which was there first."""
    histories = [History(clock=lambda: THEN) for _ in range(2)]
    for history, order in zip(histories, (keys, sorted(keys)), strict=True):
        history.keep([Seated(Seat(key, Peer(key), key, 1)) for key in order])
    assert histories[0].tail() == histories[1].tail()
