"""Handles that are held for who is away, and seats that are taken again: the room alone."""

import trio

from house import open_house
from triochat.history import OWN
from triochat.messages import (
    Ban,
    Closing,
    Event,
    Forget,
    Join,
    Joined,
    Kick,
    Notice,
    Quit,
    Refused,
    Removed,
    Said,
    Say,
    Typed,
    Unban,
    Welcome,
    Whisper,
    Whispered,
)
from triochat.order import (
    HOUSE,
    AnyRequest,
    Asked,
    Came,
    Exposed,
    Gone,
    Lapse,
    Peer,
    ServerCame,
    ServerGone,
    Vacate,
)
from triochat.passwords import Password
from triochat.room import Room
from triochat.seats import WHISPERS, Seat, key_of
from triochat.telling import Told

BOSS = Peer("boss", is_console=True)
TOKEN = "a" * 22


class Story:
    """A room, and what time it is there."""

    def __init__(self, most: int = 1000) -> None:
        self.room = Room(max_clients=most)
        self.now = 0.0
        self.ask(BOSS, Join("Server"))

    def ask(self, peer: Peer, *requests: AnyRequest) -> list[Event]:
        """Let a peer ask for this; what anybody is told."""
        told = self.room.apply(Asked(peer, requests, self.now))
        return [event for telling in told if isinstance(telling, Told) for event in telling.events]

    def wait(self, seconds: float) -> list[Event]:
        """Let time pass."""
        self.now += seconds
        return self.ask(HOUSE, Lapse())


def test_who_comes_back_to_a_held_handle_has_it_once() -> None:
    """It can be banned, and then another can have the handle; the former peer has nothing."""
    story = Story()
    story.ask(Peer("1"), Join("Bob", token=TOKEN))
    story.ask(Peer("1"), Gone("connection lost"))
    story.wait(20)
    [_, welcome] = story.ask(Peer("2"), Join("Bob", token=TOKEN))
    assert isinstance(welcome, Welcome)
    assert welcome.resumed
    assert not story.room.members.held
    story.ask(BOSS, Ban("Bob"), Unban("Bob"))
    assert story.room.roster == ("Server",)
    story.ask(Peer("3"), Join("Bob"))
    assert isinstance(story.ask(Peer("3"), Say("hello"))[0], Said)
    assert isinstance(story.ask(Peer("4"), Join("Bob"))[0], Refused)


def test_nobody_is_kept_from_coming_back_by_whispers() -> None:
    """So many wait for who is away; one more is refused; when it is back they go on."""
    story = Story()
    story.ask(Peer("1"), Join("Bob", token=TOKEN))
    story.ask(Peer("2"), Join("Eve"))
    story.ask(Peer("1"), Gone("connection lost"))
    psst = Whisper("bob", "psst")
    told = story.ask(Peer("2"), *[psst] * (WHISPERS + 1))
    assert [type(event) for event in told] == [*[Whispered] * WHISPERS, Refused]
    assert getattr(told[-1], "code", "") == "slow-down"
    story.ask(Peer("3"), Join("Bob", token=TOKEN))
    assert isinstance(story.ask(Peer("2"), psst)[0], Whispered)
    story.ask(Peer("3"), Gone("connection lost"))
    assert isinstance(story.ask(Peer("2"), psst)[0], Whispered)
    assert OWN > 2 * WHISPERS, "what was told just before must find place there, too"


def test_a_token_is_one_members() -> None:
    """Who joins twice by it waits once; else one of them would have a place for ever."""
    story = Story(2)
    for number in range(2):
        story.ask(Peer(f"{number}"), Join(f"Guest{number}"))
    story.ask(Peer("2"), Join("Bob", token=TOKEN))
    told = story.ask(Peer("3"), Join("Bob", token=TOKEN))
    assert [type(event) for event in told] == [Closing, Notice]
    *_, welcome = story.ask(Peer("0"), Quit())
    assert isinstance(welcome, Welcome)
    assert not welcome.resumed
    story.ask(Peer("3"), Gone("connection lost"))
    story.wait(700)
    assert story.room.roster == ("Guest1", "Server")


def test_who_begins_anew_waits_no_more() -> None:
    """A seat is given up whose owner stands in line: so does the place there."""
    story = Story(1)
    story.ask(Peer("1"), Join("Bob", token=TOKEN))
    story.ask(Peer("1"), Gone("connection lost"))
    story.wait(20)
    story.ask(Peer("2"), Join("Eve"))
    story.ask(Peer("3"), Join("Bob", token=TOKEN))
    [closing] = story.ask(HOUSE, Vacate(key_of(TOKEN)))
    assert isinstance(closing, Closing)
    assert not story.room.members.queue


def test_nobody_takes_the_place_of_who_comes_back() -> None:
    """Also where the others are to hear that it has left, since it can be overheard now."""
    story = Story(1)
    story.ask(Peer("1"), Join("Bob", token=TOKEN))
    story.ask(Peer("2"), Join("Eve"))
    story.ask(Peer("3"), Exposed(), Join("Bob", token=TOKEN))
    assert story.room.roster == ("Bob", "Server")
    story.ask(Peer("3"), Gone("connection lost"))
    story.ask(BOSS, Kick("Bob"))
    assert not story.room.exposed


def test_who_waits_too_long_is_as_exposed_as_before() -> None:
    """Its seat is given up while it stands in line; that it can be overheard is told still."""
    story = Story(1)
    story.ask(Peer("1"), Join("Bob", token=TOKEN))
    story.ask(Peer("1"), Gone("connection lost"))
    story.wait(20)
    story.ask(Peer("2"), Join("Eve"))
    story.ask(Peer("3"), Exposed(), Join("Bob", token=TOKEN))
    story.wait(700)
    _, joined, _ = story.ask(Peer("2"), Quit())
    assert isinstance(joined, Joined)
    assert joined.unencrypted


def test_whose_messages_were_removed_is_told_in_one_line() -> None:
    """Whatever an operator's program says that the handle is."""
    [removed] = Story().ask(BOSS, Forget((1,), "Bob\n* Server> \x1b[31m" + "x" * 5000))
    assert isinstance(removed, Removed)
    assert removed.text.isprintable()
    assert len(removed.text) < 200


def test_a_server_that_has_another_handle_now_has_it() -> None:
    """Whoever had it before the restart, or one like it: else the console could not come in."""
    seats = [
        Seat(key_of(f"{number}"), Peer(f"{number}"), handle, number, away=0.0, is_held=is_held)
        for number, (handle, is_held) in enumerate(
            [("BOSS", True), ("Boss_", False), ("Bob", True)]
        )
    ]
    room = Room("Boss")
    room.restore(seats, 1.0)
    room.apply(Asked(BOSS, (Join("Boss"),), 2.0))
    assert room.roster == ("Boss",)
    assert [seat.handle for seat in room.seats.values()] == ["Bob"]


async def test_a_flood_of_whispers_costs_nobody_its_seat() -> None:
    """Who is away while 300 are whispered to it comes back to all that its author saw confirmed."""
    async with open_house() as house:
        bob = await house.connect()
        await bob.ask({"type": "join", "handle": "Bob", "token": TOKEN})
        last = (await bob.event())["last"]
        eve = await house.ndjson("Eve")
        await bob.stream.aclose()
        await eve.ask(*[{"type": "whisper", "to": "Bob", "text": "psst"}] * 300)
        await trio.sleep(9)
        confirmed = [line for line in await eve.heard_by_now() if '"whispered"' in line]
        bob = await house.connect()
        await bob.ask({"type": "join", "handle": "Bob", "token": TOKEN, "after": last})
        assert (await bob.event())["resumed"]
        assert [line for line in await bob.heard_by_now() if '"whispered"' in line] == confirmed
        assert len(confirmed) == WHISPERS


def test_nobody_gains_a_turn_by_coming_back() -> None:
    """Where there are turns who spoke last is the same person over another connection."""
    story = Story()
    story.room.has_turns = True
    story.ask(Peer("1"), Join("Bob", token=TOKEN), Say("first"))
    story.ask(Peer("2"), Join("Ann"))
    story.ask(Peer("1"), Gone("connection lost"))
    story.ask(Peer("3"), Join("Bob", token=TOKEN))
    [refused] = story.ask(Peer("3"), Say("second"))
    assert isinstance(refused, Refused)
    assert refused.code == "not-your-turn"


def test_nothing_is_known_of_who_is_given_up() -> None:
    """Whoever comes and goes for years, and never comes back, leaves nothing behind."""
    story = Story()
    story.ask(Peer("1"), Exposed(), Came("irc"), Join("Bob", token=TOKEN))
    story.ask(Peer("1"), Gone("connection lost"))
    story.wait(story.room.hold)
    assert not story.room.knows(Peer("1"))
    assert not story.room.passing()


def test_nothing_is_known_of_strangers_whose_server_is_gone() -> None:
    """Nobody says of them that they are."""
    story = Story()
    story.room.password = Password("open")
    story.ask(HOUSE, ServerCame("one", "aaaaaaaa"))
    stranger, other = Peer("aaaaaaaa-1"), Peer("bbbbbbbb-1")
    for peer in (stranger, other):
        story.ask(peer, Exposed(), Typed("Bob"))
    story.ask(HOUSE, ServerGone("aaaaaaaa"))
    assert story.room.passing() == {other}
