import pytest

from triochat.allowance import (
    AGAIN,
    CHUNK,
    DROP,
    LINE,
    NAMES,
    PING,
    REFUSED,
    SIP,
    Allowance,
    handle_asked,
    price,
)
from triochat.messages import Join, Pong, Refused, Roster, Said, Say, Typed, Who
from triochat.order import AnyRequest, Peer
from triochat.pace import CROWD
from triochat.ratelimit import TokenBucket
from triochat.telling import Told

HI = Say("hi")
ASKS = [Who(), Typed("? "), Typed("\\WHO"), Typed("/ who x"), Typed("\ufeff?"), Typed("?\u200b")]


def test_little_is_read_of_those_who_may_ask_little() -> None:
    """Of a stranger least is read at once, of whoever has no limit most."""
    bucket = TokenBucket(10, 1)
    chunks = [
        Allowance(bucket, is_stranger=True).chunk,
        Allowance(bucket).chunk,
        Allowance(None).chunk,
    ]
    assert chunks == [DROP, SIP, CHUNK]
    assert DROP < SIP < CHUNK


def test_a_member_asks_as_far_as_its_tokens_go() -> None:
    """Together are asked as many lines as there are tokens, and one where there are none."""
    bucket = TokenBucket(burst=3.5, rate=1)
    allowance = Allowance(bucket)
    assert allowance.portion([HI] * 10, 1, 0.0) == 3
    assert allowance.portion([HI] * 2, 1, 0.0) == 2
    assert allowance.spend(4, [], 0.0) == 0.5
    assert allowance.portion([HI] * 10, 1, 0.0) == 1


def test_who_has_no_limit_asks_all_and_pays_nothing() -> None:
    """Without a limit a chunk is asked whole."""
    allowance = Allowance(None)
    assert allowance.portion([HI] * 1000, 1, 0.0) == 1000
    assert allowance.spend(1000, [], 0.0) == 0.0


def test_a_stranger_asks_one_line_at_a_time() -> None:
    """However many tokens it has, a stranger is heard line by line."""
    allowance = Allowance(TokenBucket(burst=20, rate=4), is_stranger=True)
    assert allowance.portion([HI] * 10, 1, 0.0) == 1


@pytest.mark.parametrize("asks", ASKS)
def test_who_is_here_is_asked_alone(asks: AnyRequest) -> None:
    """In a large room who asks who is there, in whatever way, asks nothing else with it."""
    allowance = Allowance(None)
    requests: list[AnyRequest] = [HI, Typed("why?"), asks, asks, HI]
    assert allowance.portion(requests, CROWD, 0.0) == 5
    assert [allowance.portion(requests[at:], CROWD + 1, 0.0) for at in range(5)] == [2, 1, 1, 1, 1]


def test_what_is_told_has_its_price() -> None:
    """A line costs a token, its refusal one more, names what they weigh, a ping little."""
    ann = Peer("1")
    said, refused = Said(1, "", "Ann", "hi"), Refused("no", "no")
    assert price(2, [Told([said, said], None, ann)]) == 2
    assert price(2, [Told([said], None, ann), Told([refused], (ann,))]) == 2 + REFUSED
    assert price(2, [Told([said], None, ann), Told([Pong()], (ann,))]) == 1 + PING
    assert price(1, [Told([Roster(("a",) * NAMES * 10)], (ann,))]) == 11
    shared = Roster(("a",) * NAMES, servers=("alpha:9999",) * NAMES)
    assert price(1, [Told([shared], (ann,))]) == 3


def test_long_lines_cost_more() -> None:
    """A line has so many bytes for its token; what is read beyond costs, if it ends or not."""
    allowance = Allowance(TokenBucket(burst=10, rate=1))
    assert allowance.weigh(LINE * 8, 8, 0.0) == 0.0
    assert allowance.weigh(LINE * 12, 2, 0.0) == 0.0
    assert allowance.weigh(LINE, 0, 0.0) == 1.0
    assert Allowance(None).weigh(LINE * 1000, 0, 0.0) == 0.0


def test_a_member_is_told_once_that_it_has_to_wait() -> None:
    """Not while it goes on, and not a stranger, who has not asked for anything yet."""
    allowance = Allowance(TokenBucket(burst=1, rate=1))
    times = [0.0, 1.0, AGAIN, AGAIN + 1, AGAIN * 2 + 2]
    assert [allowance.begins_to_wait(now) for now in times] == [True, False, False, False, True]
    assert not Allowance(TokenBucket(1, 1), is_stranger=True).begins_to_wait(0.0)


def test_under_which_handle_a_stranger_comes() -> None:
    """However it says so; other lines ask for none."""
    assert handle_asked(Join("Ann")) == handle_asked(Typed(" Ann ")) == "Ann"
    assert handle_asked(Typed("\\quit")) is None
    assert handle_asked(Say("Ann")) is None
