"""What irctest checks, of what is chosen of it, in our own words: it cannot be had everywhere.

Each row has the name that it has there; `test_real_irctest` runs the original.
"""

import re

import pytest
import trio

from house import Peer, open_house
from test_irc import introduce, join, told
from test_real_irctest import CHOSEN

HERE = r":\*\.triochat"

ALONE: dict[str, tuple[list[str], list[str]]] = {
    "testEmptyCapList": (["CAP LIST"], [rf"{HERE} CAP \* LIST :$"]),
    "testInvalidCapSubcommand": (["CAP NOTACOMMAND"], [rf"{HERE} 410 \* NOTACOMMAND :"]),
    "testIrc301CapLs": (["CAP LS"], [rf"{HERE} CAP \* LS :[^=]+$"]),
    "testNakExactString": (
        ["CAP REQ :foo qux bar baz qux quux"],
        [rf"{HERE} CAP \* NAK :foo qux bar baz qux quux$"],
    ),
    "testNoMultiline301Response": (["CAP LS"], [rf"{HERE} CAP \* LS (?!\* ):"]),
    "testNoReq": (
        ["CAP LS", "NICK Ann", "USER ann 0 * :Ann", "CAP END"],
        [rf"{HERE} CAP \* LS ", rf"{HERE} 001 Ann "],
    ),
    "testReqUnavailable": (
        ["CAP REQ :foo", "NICK Ann", "USER ann 0 * :Ann", "CAP END"],
        [rf"{HERE} CAP \* NAK :foo$", rf"{HERE} 001 Ann "],
    ),
    "testEmptyNick": (
        ["NICK :", "USER ann 0 * :Ann", "NICK Ann"],
        [rf"{HERE} 431 \* :", rf"{HERE} 001 Ann "],
    ),
    "testParameters": (
        ["NICK Ann", "USER ann 0 * :Ann"],
        [rf"{HERE} 005 Ann( [A-Z0-9]+(=\S*)?){{1,13}} :are supported by this server$"],
    ),
    "testJoinNamreply": (
        ["NICK Ann", "USER ann 0 * :Ann"],
        [
            r":Ann!\S+ JOIN #room$",
            rf"{HERE} 353 Ann [=*@] #room :Ann Bob$",
            rf"{HERE} 366 Ann #room :",
        ],
    ),
    "testQuitErrors": (["NICK Ann", "USER ann 0 * :Ann", "QUIT"], [r"ERROR :"]),
}
"""What somebody says that has just come, where Bob is in; and how lines begin that answer it."""

INSIDE: dict[str, tuple[list[str], list[str]]] = {
    "testListOne": (["LIST"], [rf"{HERE} 322 Ann #room 2 :", rf"{HERE} 323 Ann :"]),
    "testEmptyPrivmsg": (["PRIVMSG #room :"], [rf"{HERE} 412 Ann :"]),
    "testPrivmsgNonexistentChannel": (["PRIVMSG #none :hi"], [rf"{HERE} 403 Ann #none :"]),
    "testPrivmsgNonexistentUser": (["PRIVMSG Joe :hi"], [rf"{HERE} 401 Ann Joe :"]),
    "testNamesInvalidChannel": (["NAMES invalid"], [rf"{HERE} 366 Ann invalid :"]),
    "testNamesNonexistingChannel": (["NAMES #none"], [rf"{HERE} 366 Ann #none :"]),
    "testPingNoToken": (["PING"], [rf"{HERE} (409|461) Ann "]),
    "testTopicNonexistentChannel": (["TOPIC #none :tea"], [rf"{HERE} 403 Ann #none :"]),
    "testWhoNickNotExists": (["WHO Joe"], [rf"{HERE} 315 Ann Joe :"]),
    "testWhoxToken": (["WHO Bob %tn,321"], [rf"{HERE} 354 Ann 321 Bob$", rf"{HERE} 315 Ann Bob :"]),
    "testWhoisMissingUser": (["WHOIS Joe"], [rf"{HERE} 401 Ann Joe :", rf"{HERE} 318 Ann Joe :"]),
    "testWhowasEnd": (["WHOWAS Joe"], [rf"{HERE} 369 Ann Joe :"]),
    "testWhowasNoParamModern": (["WHOWAS"], [rf"{HERE} (431|461) Ann "]),
    "testWhowasNoSuchNick": (["WHOWAS Joe"], [rf"{HERE} 406 Ann Joe :", rf"{HERE} 369 Ann Joe :"]),
}
"""The same of who is in, as Ann."""

MORE = {
    "testEarlyNickCollision",
    "testNickCollision",
    "testNickRelease",
    "testNickReleaseQuit",
    "testNoPassword",
    "testPassBeforeNickuser",
    "testPrivmsgToUser",
    "testQuitDisconnects",
    "testWrongPassword",
}
"""What a test of its own is for, below."""


def is_answered(lines: list[str], wanted: list[str]) -> bool:
    """Whether lines begin so, in this order; others may stand between."""
    left = iter(lines)
    return all(any(re.match(one, line) for line in left) for one in wanted)


def test_nothing_that_was_chosen_is_left_out() -> None:
    """Each has a row here, or a test; and nothing else has."""
    chosen = [name for names in CHOSEN.values() for name in names]
    assert sorted([*ALONE, *INSIDE, *MORE]) == sorted(chosen)


@pytest.mark.parametrize("name", ALONE)
async def test_who_comes(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """Whoever has just come is answered as clients expect it."""
    said, wanted = ALONE[name]
    async with open_house() as house:
        await join(house, "Bob")
        lines = await told(await house.connect(), *said)
        assert is_answered(lines, wanted), lines


@pytest.mark.parametrize("name", INSIDE)
async def test_who_is_in(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """Whoever is in is answered as clients expect it."""
    said, wanted = INSIDE[name]
    async with open_house() as house:
        await join(house, "Bob")
        lines = await told(await join(house, "Ann"), *said)
        assert is_answered(lines, wanted), lines


async def test_two_who_want_one_name(autojump_clock: trio.testing.MockClock) -> None:
    """Where two ask for a name before either is in, one gets it (testEarlyNickCollision)."""
    async with open_house() as house:
        ann, bob = await house.connect(), await house.connect()
        await ann.type("NICK Joe")
        await bob.type("NICK Joe")
        first = await told(ann, "USER ann 0 * :Ann")
        second = await told(bob, "USER bob 0 * :Bob")
        assert is_answered(first, [rf"{HERE} 001 Joe "])
        assert is_answered(second, [rf"{HERE} 433 \* Joe :"])


async def test_a_name_that_is_taken(autojump_clock: trio.testing.MockClock) -> None:
    """Who wants a name that somebody has may say another one (testNickCollision)."""
    async with open_house() as house:
        await join(house, "Bob")
        ann = await introduce(house, "Bob")
        assert is_answered(await ann.heard_by_now(), [rf"{HERE} 433 \* Bob :"])
        assert is_answered(await told(ann, "NICK Ann"), [rf"{HERE} 001 Ann "])


@pytest.mark.parametrize("goes", ["NICK Joe", "QUIT"], ids=["NickRelease", "NickReleaseQuit"])
async def test_a_name_is_free_again(goes: str, autojump_clock: trio.testing.MockClock) -> None:
    """Who is renamed, or has left, leaves the name to others."""
    async with open_house() as house:
        await told(await join(house, "Ann"), goes)
        assert is_answered(
            await (await introduce(house, "Ann")).heard_by_now(), [rf"{HERE} 001 Ann "]
        )


async def test_a_whisper(autojump_clock: trio.testing.MockClock) -> None:
    """A message to a name is for that one (testPrivmsgToUser)."""
    async with open_house() as house:
        ann, bob, joe = [await join(house, one) for one in ("Ann", "Bob", "Joe")]
        await told(ann, "PRIVMSG Bob :hey there!")
        assert is_answered(await bob.heard_by_now(), [r":Ann!\S+ PRIVMSG Bob :hey there!$"])
        assert not is_answered(await joe.heard_by_now(), [r".*hey there"])


async def test_who_quits_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    """The connection ends after a good-bye (testQuitDisconnects)."""
    async with open_house() as house:
        ann = await join(house, "Ann")
        await ann.type("QUIT")
        assert (await ann.rest())[-1].startswith("ERROR :")


@pytest.mark.parametrize(
    ("said", "is_in"),
    [([], False), (["PASS simsim"], False), (["PASS sesame"], True)],
    ids=["NoPassword", "WrongPassword", "PassBeforeNickuser"],
)
async def test_a_password(
    said: list[str], is_in: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Who does not know it is told so, and is not in."""
    async with open_house(password="sesame") as house:
        ann: Peer = await house.connect()
        lines = await told(ann, *said, "NICK Ann", "USER ann 0 * :Ann")
        assert is_answered(lines, [rf"{HERE} 001 Ann "]) is is_in
        assert is_answered(lines, [rf"{HERE} 464 "]) is not is_in
