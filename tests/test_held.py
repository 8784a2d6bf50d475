"""Handles that are held for who is away, and seats that are taken again: the room alone."""

from triochat.messages import (
    Ban,
    Event,
    Join,
    Refused,
    Said,
    Say,
    Unban,
    Welcome,
)
from triochat.order import HOUSE, AnyRequest, Asked, Gone, Lapse, Peer
from triochat.room import Room
from triochat.telling import Told

BOSS = Peer("boss", is_console=True)
TOKEN = "a" * 22


class Story:
    """A room, and what time it is there."""

    def __init__(self) -> None:
        self.room = Room()
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
