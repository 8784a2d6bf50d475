import pytest
from hypothesis import given
from hypothesis import strategies as st

from triochat.ratelimit import COMINGS, HOSTS, RESERVE, Buckets, Comings, Limits, TokenBucket


def taken(buckets: Buckets, host: str) -> TokenBucket:
    """The tokens of a new member, where it needs some."""
    bucket = buckets.take(host)
    assert bucket is not None
    return bucket


def test_the_defaults() -> None:
    """Two hundred lines at once cost nothing; the next one is paid back in a twentieth second."""
    bucket = taken(Buckets(Limits()), "host")
    assert bucket.spend(200, 0.0) == 0.0
    assert bucket.spend(1, 0.0) == 0.05


def test_no_rate_is_no_limit() -> None:
    """Where no rate is set nobody needs tokens, or leaves any."""
    buckets = Buckets(Limits(rate=0))
    assert buckets.take("host") is None
    buckets.give_back("host", None, 0.0)


def test_what_is_left_can_be_seen() -> None:
    """What is left grows with the time up to a burst, and falls below nothing by a debt."""
    bucket = TokenBucket(rate=2.0, burst=4.0)
    assert bucket.left(0.0) == 4.0
    bucket.spend(5, 0.0)
    assert [bucket.left(now) for now in (0.0, 0.5, 1.0, 60.0)] == [-1.0, 0.0, 1.0, 4.0]


def test_to_connect_again_is_no_new_burst() -> None:
    """Who leaves hands its tokens on to the next one of its host, while they are not full."""
    buckets = Buckets(Limits(burst=10, rate=1))
    ann, bob = taken(buckets, "here"), taken(buckets, "here")
    ann.spend(9, 0.0)
    bob.spend(4, 0.0)
    buckets.give_back("here", bob, 0.0)
    buckets.give_back("here", ann, 0.0)
    assert taken(buckets, "there").left(1.0) == 10
    assert taken(buckets, "here").left(1.0) == 2
    assert taken(buckets, "here").left(1.0) == 7
    assert taken(buckets, "here").left(1.0) == 10
    buckets.give_back("here", ann, 20.0)
    assert taken(buckets, "here") is not ann


def test_nobody_is_remembered_for_long() -> None:
    """However many hosts there are, nothing is kept of those who could have a burst again."""
    buckets = Buckets(Limits(burst=10, rate=1))
    for number in range(1001):
        bucket = taken(buckets, str(number))
        bucket.spend(5, float(number))
        buckets.give_back(str(number), bucket, float(number))
    assert len(buckets._left) < 10


def test_a_burst_is_free() -> None:
    """As long as there are tokens nobody waits."""
    bucket = TokenBucket(rate=2.0, burst=3.0)
    assert [bucket.spend(1, 50.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_the_wait_pays_the_debt_back() -> None:
    """Who waits as long as it is told has paid, and owes for the next line only."""
    bucket = TokenBucket(rate=2.0, burst=4.0)
    assert bucket.spend(6, 0.0) == 1.0
    assert bucket.spend(1, 1.0) == 0.5
    assert bucket.spend(1, 1.5) == 0.5


def test_tokens_come_back_at_the_rate() -> None:
    """After the burst, a line every 1/rate seconds costs no waiting beyond that."""
    bucket = TokenBucket(rate=4.0, burst=2.0)
    assert bucket.spend(2, 0.0) == 0.0
    assert [bucket.spend(1, 0.25 * step) for step in range(1, 9)] == [0.0] * 8


def test_no_more_than_a_burst_is_saved() -> None:
    """Who was silent for an hour may send one burst, no more."""
    bucket = TokenBucket(rate=2.0, burst=3.0)
    assert bucket.spend(3, 0.0) == 0.0
    assert bucket.spend(3, 3600.0) == 0.0
    assert bucket.spend(1, 3600.0) == 0.5


def test_a_late_clock_gives_no_more_than_a_burst() -> None:
    """A clock that starts anywhere gives the first burst and nothing on top."""
    bucket = TokenBucket(rate=1.0, burst=2.0)
    assert bucket.spend(2, 1_000_000.0) == 0.0
    assert bucket.spend(1, 1_000_000.0) == 1.0


def test_nothing_spent_is_nothing_owed() -> None:
    """To spend nothing asks how long there is still to wait."""
    bucket = TokenBucket(rate=1.0, burst=2.0)
    assert bucket.spend(0, 0.0) == 0.0
    assert bucket.spend(3, 0.0) == 1.0
    assert bucket.spend(0, 0.25) == 0.75


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 5)), min_size=1, max_size=30))
def test_who_obeys_keeps_to_the_rate(steps: list[tuple[int, float]]) -> None:
    """Who always waits as told never sends more than a burst and the rate allow."""
    bucket = TokenBucket(rate=10.0, burst=100.0)
    now, sent = 0.0, 0
    for lines, pause in steps:
        now += pause + bucket.spend(lines, now + pause)
        sent += lines
        assert sent <= 100.0 + 10.0 * now + 1e-6


def test_what_is_owed_is_owed() -> None:
    """Whoever takes much at once waits until all of it has come back."""
    bucket = TokenBucket(rate=2.0, burst=4.0)
    assert bucket.spend(1004, 0.0) == 500.0
    assert bucket.spend(1, 500.0) == 0.5


@pytest.mark.parametrize("lines", [1, 7, 1000])
def test_one_spend_is_many(lines: int) -> None:
    """To spend many at once comes to the same as one after the other at the same moment."""
    at_once, one_by_one = TokenBucket(4.0, 8.0), TokenBucket(4.0, 8.0)
    waits = [one_by_one.spend(1, 0.0) for _ in range(lines)]
    assert at_once.spend(lines, 0.0) == waits[-1]


def test_how_long_until_there_is_a_token() -> None:
    """None is to be waited for where there is one."""
    bucket = TokenBucket(burst=2.0, rate=0.5)
    assert bucket.wait(0.0) == 0.0
    bucket.spend(2, 0.0)
    assert [bucket.wait(now) for now in (0.0, 1.0, 2.0, 9.0)] == [2.0, 1.0, 0.0, 0.0]


def test_a_clock_that_goes_back_takes_nothing() -> None:
    """Whose clock is set back waits no longer for it."""
    bucket = TokenBucket(burst=2.0, rate=1.0)
    bucket.spend(1, 1000.0)
    assert bucket.left(0.0) == 1.0
    assert bucket.left(0.5) == 1.5


def test_who_comes_too_often_waits() -> None:
    """Under one handle from one host; other handles, and other hosts, have their own."""
    burst, rate = COMINGS
    comings = Comings()
    for _ in range(int(burst)):
        assert comings.wait("here", "ann", 0.0) == 0.0
        comings.note("here", "ann", 0.0)
    assert comings.wait("here", "ann", 0.0) == pytest.approx(1 / rate)
    assert comings.wait("here", "bob", 0.0) == comings.wait("there", "ann", 0.0) == 0.0
    assert comings.wait("here", "ann", 1 / rate) == pytest.approx(0.0)


def test_comings_are_forgotten() -> None:
    """However many come, only those who came last are remembered."""
    comings = Comings()
    for number in range(HOSTS + 100):
        comings.note("here", f"p{number}", 0.0)
    assert len(comings._buckets) == HOSTS


@pytest.mark.parametrize("files", [16, 32, 64, 200, 1024, 1 << 20])
def test_some_files_are_not_for_connections(files: int) -> None:
    """A quarter at most is for strangers, and some are for none, however few there are."""
    limits = Limits().fit(files)
    assert limits.strangers == min(200, files // 4)
    assert files - limits.connections >= min(RESERVE, files // 2)
