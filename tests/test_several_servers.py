"""What people see of a room that several servers share: over a `Room` alone, and at consoles."""

import logging

import pytest
import trio
import trio.testing

from doubles import Typist
from test_sharing import open_site
from triochat.console import run_console
from triochat.members import Members
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Left,
    Moderated,
    Notice,
    Op,
    Quit,
    Refused,
    Roster,
    Servers,
    Who,
)
from triochat.order import HOUSE, AnyRequest, Asked, Gone, Lapse, Peer, ServerCame, ServerGone
from triochat.room import Room
from triochat.telling import Told

NOW = 1767322984.678
ALPHA, BETA = ServerCame("alpha:9999", "aaaaaaaa"), ServerCame("beta:9999", "bbbbbbbb")
BOSS = Peer("aaaaaaaa-1", is_console=True)
MATE = Peer("bbbbbbbb-1", is_console=True)
ANN, BOB, CID = Peer("aaaaaaaa-2"), Peer("bbbbbbbb-2"), Peer("bbbbbbbb-3")


class Shared:
    """A room that two servers share."""

    def __init__(self, *servers: ServerCame, place: str = "port 9999") -> None:
        self.room = Room(place=place)
        self.now = NOW
        for came in servers:
            self.ask(HOUSE, came)

    def ask(self, peer: Peer, *requests: AnyRequest) -> list[tuple[Event, tuple[Peer, ...] | None]]:
        """The events that this leads to, and who is told each; None: all."""
        told = self.room.apply(Asked(peer, requests, self.now))
        return [(each, one.to) for one in told if isinstance(one, Told) for each in one.events]

    def own(self, peer: Peer, request: AnyRequest) -> Event:
        """What one is told alone."""
        [(event, to)] = self.ask(peer, request)
        assert to == (peer,)
        return event


def peopled(place: str = "port 9999") -> Shared:
    """Two consoles, Ann at the one server, Bob and Cid at the other."""
    shared = Shared(ALPHA, BETA, place=place)
    for peer, handle in ((BOSS, "Server"), (MATE, "Server"), (ANN, "Ann")):
        shared.ask(peer, Join(handle))
    shared.ask(BOB, Join("Bob", token="b" * 22))
    shared.ask(CID, Join("Cid"))
    return shared


# ---- who is where


def test_where_everybody_is() -> None:
    """The roster says at which server each is, in the order of the handles."""
    shared = peopled()
    roster = shared.own(ANN, Who())
    assert isinstance(roster, Roster)
    assert roster.handles == ("Ann", "Bob", "Cid", "Server", "Server2")
    alpha, beta = ALPHA.name, BETA.name
    assert roster.servers == (alpha, beta, beta, alpha, beta)


def test_where_nobody_shares_the_room() -> None:
    """Where the room is on one server alone no server is told of."""
    shared = Shared()
    shared.ask(ANN, Join("Ann"))
    assert shared.own(ANN, Who()) == Roster(("Ann",))


def test_who_was_at_a_server_that_is_gone() -> None:
    """Who is away since its server is gone is at none; who had no seat has left."""
    shared = peopled()
    shared.ask(HOUSE, ServerGone(BETA.incarnation))
    roster = shared.own(ANN, Who())
    assert isinstance(roster, Roster)
    assert dict(zip(roster.handles, roster.servers, strict=True)) == {
        "Ann": ALPHA.name,
        "Bob": "",
        "Server": ALPHA.name,
    }


def test_who_comes_as_an_operator() -> None:
    """All are told that of a console, and of who was one when it left, as if they came anew."""
    shared = peopled()
    [(joined, _), *_] = shared.ask(Peer("bbbbbbbb-9", is_console=True), Join("Server"))
    assert isinstance(joined, Joined)
    assert (joined.handle, joined.operator) == ("Server3", True)
    shared.ask(BOSS, Op("Bob"))
    shared.ask(BOB, Gone("connection lost"))
    shared.now += shared.room.grace
    shared.ask(HOUSE, Lapse())
    [(joined, _), *_] = shared.ask(Peer("aaaaaaaa-9"), Join("Bob", token="b" * 22, after=0))
    assert isinstance(joined, Joined)
    assert joined.operator
    [(joined, _), *_] = shared.ask(Peer("aaaaaaaa-8"), Join("Eve"))
    assert isinstance(joined, Joined)
    assert not joined.operator


def test_who_was_at_a_server_that_has_stopped() -> None:
    """All are told that, and not that a connection was lost; of who may come back, later."""
    shared = peopled()
    told = shared.ask(HOUSE, ServerGone(BETA.incarnation, "its server stopped"))
    left = [event for event, to in told if to is None and isinstance(event, Left)]
    assert {one.reason for one in left} == {"its server stopped"}
    shared.now += shared.room.grace
    left = [event for event, _ in shared.ask(HOUSE, Lapse()) if isinstance(event, Left)]
    assert [(one.handle, one.reason) for one in left] == [("Bob", "its server stopped")]


def test_who_comes_back_elsewhere() -> None:
    """Who comes back at another server is there, and so the roster says, at once."""
    shared = peopled()
    assert shared.own(ANN, Who()) == shared.own(CID, Who())
    shared.ask(Peer("aaaaaaaa-9"), Join("Bob", token="b" * 22, after=0))
    roster = shared.own(ANN, Who())
    assert isinstance(roster, Roster)
    assert roster.servers[roster.handles.index("Bob")] == ALPHA.name


def test_the_roster_is_made_once() -> None:
    """However many ask where everybody is, it is the same object until that changes."""
    members = peopled().room.members
    assert members.where is members.where
    assert members.where is not members.who


# ---- \servers


def test_which_servers_there_are() -> None:
    """An operator is told of each server: how many are there, since when, and which is its own."""
    shared = peopled()
    shared.now += 7200
    shared.ask(HOUSE, ServerCame("beta:9999", "cccccccc"))
    assert shared.own(BOSS, Servers()) == Notice(
        "alpha:9999: 2 here, up for 2 hours; you are at this one\n"
        "beta:9999: 0 here, up for 1 second\n"
        "1 away, whose server is gone"
    )


def test_a_room_that_is_on_one_server() -> None:
    """Where nobody shares the room an operator is told so; others are told nothing."""
    shared = Shared()
    shared.ask(BOSS, Join("Server"))
    shared.ask(ANN, Join("Ann"))
    assert shared.own(BOSS, Servers()) == Notice("no other server shares this room")
    refused = shared.own(ANN, Servers())
    assert isinstance(refused, Refused)
    assert (refused.code, refused.text) == ("not-allowed", "only operators can use \\servers")


# ---- consoles


def test_each_server_has_a_console() -> None:
    """The second console has a number after its handle, and all of them are operators."""
    shared = peopled()
    assert (shared.room.members[BOSS], shared.room.members[MATE]) == ("Server", "Server2")
    who = shared.room.members.who
    assert (who.operators, who.server) == (("Server", "Server2"), "Server")
    shared.ask(BOSS, Gone("quit"))
    assert shared.room.members.who.operators == ("Server2",)
    shared.ask(BOSS, Join("Server"))
    assert shared.room.members[BOSS] == "Server"


def test_a_server_that_is_gone_has_no_console() -> None:
    """A console has no seat: it has left with its server, and its handle is free."""
    shared = peopled()
    shared.ask(HOUSE, ServerCame("beta:9999", "cccccccc"))
    back = Peer("cccccccc-1", is_console=True)
    shared.ask(back, Join("Server"))
    assert shared.room.members[back] == "Server2"


@pytest.mark.parametrize("wanted", ["Server2", "server17", "Server_2", "ServerlO", "Server10"])
def test_what_looks_like_another_console(wanted: str) -> None:
    """Where servers share a room nobody passes for one of their consoles."""
    members = Members("Server", 10)
    assert members.check(ANN, wanted) == wanted
    members.servers.come(ALPHA.incarnation, ALPHA.name, NOW)
    refused = members.check(ANN, wanted)
    assert isinstance(refused, Refused)
    assert refused.code == "handle-reserved"
    for other in ("Serve2", "Serv", "Server2x", "2Server"):
        assert members.check(ANN, other) == other


def test_a_console_ends_the_chat() -> None:
    """All clients of all servers are disconnected; the other consoles stay, and are told so."""
    shared = peopled()
    told = shared.ask(MATE, Quit())
    reason = "the operator ended the chat"
    assert told[0] == (Closing(reason, retry=True, ask=True), (ANN, BOB, CID))
    left = [event for event, to in told[1:-1] if to is None and isinstance(event, Left)]
    assert [event.handle for event in left] == ["Ann", "Bob", "Cid"]
    last, to = told[-1]
    assert to is None
    assert isinstance(last, Moderated)
    assert last.by == "Server2"
    assert last.text == "all clients were disconnected by Server2"
    assert shared.room.roster == ("Server", "Server2")
    assert told == peopled("port 9998").ask(MATE, Quit()), "all are told the same, at each server"


async def test_consoles_at_two_servers(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are members and operators, each under its own handle, and known by it in the log."""
    caplog.set_level(logging.INFO)
    async with open_site() as site, trio.open_nursery() as nursery:
        alpha, beta = await site.open("alpha"), await site.open("beta")
        first, second = Typist(), Typist()
        for server, typist in ((alpha, first), (beta, second)):
            nursery.start_soon(run_console, server.hub, typist)
            await trio.sleep(1)
        assert (first.prompt, second.prompt) == ("Server> ", "Server2> ")
        ann = await alpha.join("Ann")
        await trio.sleep(1)
        figures = alpha.hub.figures(), beta.hub.figures()
        assert [(one.servers, one.here, sum(one.members.values())) for one in figures] == [
            (2, 2, 3),
            (2, 1, 3),
        ]
        await second.type("\\quiet on")
        await second.type("\\servers")
        await trio.sleep(1)
        assert (
            first.screen[-1]
            == second.screen[-2]
            == "* the room was made quiet by Server2: only operators speak"
        )
        assert second.screen[-1].endswith("\n* beta: 1 here, up for 3 seconds; you are at this one")
        assert any("by Server2" in one.getMessage() for one in caplog.records)
        await second.type("\\quit")
        await ann.until('{"type":"closing"')
        await trio.sleep(1)
        for typist in (first, second):
            assert typist.screen[-1] == "* all clients were disconnected by Server2"
            assert {*typist.view.roster} == {"Server", "Server2"}
        nursery.cancel_scope.cancel()
