import pytest

from triochat.pace import BATCH, BLOB, BREATH, Pace

NO_TIME = 0.0


def test_who_speaks_alone_may_tell() -> None:
    """In a room where one speaks at a time, each tells what it has to say by itself."""
    pace = Pace()
    assert all(pace.may_tell(number) for number in range(1, 100))


def test_only_the_first_in_a_pass_may_tell() -> None:
    """Who speaks in the same pass as somebody else before leaves it to the feed's task."""
    pace = Pace()
    assert pace.may_tell(7)
    assert not pace.may_tell(7)
    assert not pace.may_tell(7)


def test_the_pass_may_have_any_number() -> None:
    """What counts is whether it is the same pass, not which one it is; the first is as good."""
    pace = Pace()
    assert [pace.may_tell(number) for number in (0, 0, 5, 5, 3)] == [True, False, True, False, True]


def test_after_several_spoke_nobody_may_tell() -> None:
    """After a batch in which several spoke nobody tells by itself, in whichever pass."""
    pace = Pace()
    assert [pace.may_tell(1), pace.may_tell(1)] == [True, False]
    pace.begin()
    pace.end(0, NO_TIME)
    assert [pace.may_tell(2), pace.may_tell(2), pace.may_tell(3)] == [False] * 3
    pace.begin()
    pace.end(0, NO_TIME)
    assert not pace.may_tell(4)


def test_until_a_batch_was_one_s_alone() -> None:
    """When a batch had but one voice again, who speaks alone may tell again."""
    pace = Pace()
    pace.may_tell(1)
    pace.may_tell(1)
    pace.begin()
    assert not pace.may_tell(2)
    pace.begin()
    assert pace.may_tell(3)


def test_silence_makes_a_room_quiet() -> None:
    """So it is when a batch had no voice at all, but those who come and go."""
    pace = Pace()
    pace.may_tell(1)
    pace.may_tell(1)
    pace.begin()
    pace.begin()
    assert pace.may_tell(2)


def test_who_speaks_while_a_batch_is_told_counts_for_the_next() -> None:
    """The voices of a batch are those since the one before was begun."""
    pace = Pace()
    pace.may_tell(1)
    pace.may_tell(1)
    pace.begin()
    pace.may_tell(2)  # while the batch is being told
    pace.may_tell(2)
    pace.end(0, NO_TIME)
    pace.begin()
    assert not pace.may_tell(3)


def test_a_long_batch_lets_the_next_one_grow() -> None:
    """A batch that took longer than a breath lets the next one grow for as long, and no other."""
    pace = Pace()
    assert pace.breath == 0.0
    pace.end(0, BREATH * 3)
    assert pace.breath == BREATH * 3
    pace.end(0, BREATH)
    assert pace.breath == BREATH
    pace.end(0, BREATH / 2)
    assert pace.breath == 0.0


def test_while_a_batch_grows_nobody_tells_alone() -> None:
    """In a room that breathes nobody tells by itself, however quiet it is."""
    pace = Pace()
    assert pace.may_tell(1)
    pace.end(100, BREATH * 2)
    assert not pace.may_tell(2)
    pace.end(100, NO_TIME)
    assert pace.may_tell(3)


@pytest.mark.parametrize(
    ("size", "capacity"),
    [
        (1, BATCH),
        (100, BATCH),
        (BLOB // BATCH, BATCH),
        (1000, 66),
        (BLOB // 2, 3),
        (BLOB, 2),
        (BLOB + 1, 1),
        (1 << 30, 1),
    ],
)
def test_the_capacity_follows_the_size(size: int, capacity: int) -> None:
    """A batch has as many requests as fill a blob, if messages are as long as in the last one."""
    pace = Pace()
    pace.end(size, NO_TIME)
    assert pace.capacity == capacity


def test_the_capacity_is_kept() -> None:
    """A batch without a message for all says nothing about how long messages are."""
    pace = Pace()
    assert pace.capacity == BATCH
    pace.end(1000, NO_TIME)
    pace.end(0, NO_TIME)
    assert pace.capacity == 66
    pace.end(10, NO_TIME)
    assert pace.capacity == BATCH
