"""Servers that share a room have the same room after each entry, whatever anybody does there.

The ground alone: entries are written, some twice or late; each server reads them when it likes.
Some begin with a snapshot of another one, are given up, or die. TRIOCHAT_EXAMPLES=5000 plays so
many stories; a hundred are played otherwise.
"""

import os
from collections.abc import Sequence
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from strategies import requests, wire_text
from triochat import snapshots
from triochat.entries import Founded, decode
from triochat.gathering import Gathering
from triochat.history import History, Tail
from triochat.messages import Join, Rename, Say, Typed, Whisper
from triochat.order import (
    HOUSE,
    Alert,
    AnyRequest,
    Asked,
    Came,
    Expired,
    Exposed,
    Gone,
    Idled,
    Lapse,
    Peer,
    Reply,
    ServerCame,
    ServerGone,
    Settle,
    Vacate,
    Warned,
)
from triochat.room import Room
from triochat.seats import key_of

NAMES = ("one", "two", "three")
TOKENS = tuple(letter * 22 for letter in "abcd")
PASSWORD = "open"
START = 1767323045.0

handles = st.sampled_from(("Ann", "ANN", "Bob", "Cid", "Dee", "Server"))
words = st.sampled_from(("hi", "psst > Bob", "?", "\\quit", PASSWORD, "shut"))
joins = st.builds(
    Join,
    handles,
    st.sampled_from((PASSWORD, PASSWORD, "", "shut")),
    st.sampled_from((0, None, 5)),
    st.sampled_from(("", *TOKENS)),
    st.none() | st.integers(0, 20),
)
likely: st.SearchStrategy[AnyRequest] = st.one_of(
    joins,
    joins,
    st.builds(Say, words),
    st.builds(Whisper, handles, words),
    st.builds(Rename, handles),
    st.builds(Typed, handles | words),
    requests(handles),
    requests(wire_text),
    st.builds(Came, st.sampled_from(("plain", "irc"))),
    st.sampled_from(
        [Exposed(), Expired("too late"), Idled(), Warned("too fast"), Reply(b"pong\r\n")]
    ),
)
of_house: st.SearchStrategy[AnyRequest] = st.one_of(
    st.sampled_from((Lapse(), Settle(), Alert("a full disk"))),
    st.builds(Vacate, st.sampled_from([key_of(token) for token in TOKENS])),
)
chunks = st.lists(likely, min_size=1, max_size=3)
hosts = st.sampled_from(("10.0.0.1/32", "10.0.0.2/32", "127.0.0.1/32"))
names = st.sampled_from(NAMES)


class Site:
    """A server, as far as the ground has it: its room, what it was asked, how far it has read."""

    def __init__(self, name: str, incarnation: str, room: Room, tail: Tail, read: int) -> None:
        self.name = name
        self.room = room
        self.history = History(hold=room.hold, clock=lambda: room.now)
        self.history.adopt(tail)
        self.read = read
        self._announce(incarnation)

    @property
    def state(self) -> tuple[bytes, Tail]:
        """How its room stands, and what was told there."""
        return snapshots.dump(self.room), self.history.tail()

    def _announce(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.peers: list[Peer] = []
        self.gathering = Gathering(self.room, incarnation)
        self.is_here = False
        self.ask(HOUSE, [ServerCame(self.name, incarnation)])

    def ask(self, peer: Peer, requests: Sequence[AnyRequest]) -> None:
        """What has its place at once changes nothing, or the other rooms would be others."""
        before = self.state
        for asked in self.gathering.take(Asked(peer, requests, 0.0)):
            self._apply(asked)
        assert self.state == before, requests

    def _apply(self, asked: Asked) -> None:
        self.history.keep(self.room.apply(asked))

    def take(self, data: bytes, now: float, incarnation: str) -> list[bytes]:
        """Apply an entry; if this site was given up by it, go on under that incarnation.

        Returns:
            What it has written in vain.
        """
        self.read += 1
        batch = decode(data)
        assert not isinstance(batch, Founded)
        if self.room.servers.take(batch.incarnation, batch.number):
            for asked in self.gathering.read(batch, now):
                self._apply(asked)
            if self.room.is_unsettled:
                self._apply(Asked(HOUSE, [Settle()], self.room.now))
        if self.incarnation in self.room.servers:
            self.is_here = True
        elif self.is_here:
            unread = self.gathering.unread()
            self._announce(incarnation)
            return unread
        return []


class SharedRooms(RuleBasedStateMachine):
    """Stories of a room on several servers."""

    @initialize(
        size=st.integers(1, 4), turns=st.booleans(), password=st.sampled_from(("", "", PASSWORD))
    )
    def open(self, size: int, password: str, *, turns: bool) -> None:
        """Have two servers that have read nothing yet, and somebody at each."""
        self.make_room = partial(Room, max_clients=size, turns=turns, password=password)
        self.log: list[tuple[bytes, float]] = []
        self.late: list[bytes] = []
        self.now = START
        self.count = 0
        self.here: set[str] = set()
        self.gone: set[str] = set()
        self.states = [(snapshots.dump(self.make_room()), History().tail())]
        self.sites = {name: self.start_at(0, name) for name in NAMES[:2]}
        for name, handle, token in zip(NAMES, ("Ann", "Bob"), TOKENS, strict=False):
            self.enter(name, "10.0.0.1/32", handle, token)

    def next_name(self) -> str:
        """What nobody else is called."""
        self.count += 1
        return f"{self.count:08x}"

    def start_at(self, place: int, name: str) -> Site:
        """A server that goes on from the snapshot that was taken there."""
        data, tail = self.states[place]
        room = self.make_room()
        snapshots.load(room, data)
        assert snapshots.dump(room) == data, "what is loaded is what was dumped"
        return Site(name, self.next_name(), room, tail, place % len(self.states))

    def site(self, name: str) -> Site:
        """The server of this name, or another one if there is none."""
        return self.sites.get(name) or self.sites["one"]

    # ---- what is asked

    @rule(name=names, host=hosts, chunk=chunks, is_console=st.sampled_from([False] * 5 + [True]))
    def come(self, name: str, host: str, chunk: list[AnyRequest], *, is_console: bool) -> None:
        """Somebody new is there, and asks for something."""
        site = self.site(name)
        peer = Peer(f"{site.incarnation}-{self.next_name()}", "", host, is_console)
        site.peers.append(peer)
        site.ask(peer, [Join("Server"), *chunk] if is_console else chunk)

    @rule(name=names, host=hosts, handle=handles, token=st.sampled_from(TOKENS))
    def enter(self, name: str, host: str, handle: str, token: str) -> None:
        """Somebody comes who knows the password."""
        self.come(name, host, [Join(handle, PASSWORD, 0, token)], is_console=False)

    @rule(name=names, which=st.integers(0, 99), chunk=chunks)
    def ask(self, name: str, which: int, chunk: list[AnyRequest]) -> None:
        """Somebody who is there asks for something."""
        site = self.site(name)
        if site.peers:
            site.ask(site.peers[which % len(site.peers)], chunk)

    @rule(name=names, which=st.integers(0, 99))
    def say(self, name: str, which: int) -> None:
        """A member says what nobody says again."""
        site = self.site(name)
        if members := [peer for peer in site.peers if peer in site.room.members]:
            site.ask(members[which % len(members)], [Say(f"once {self.next_name()}")])

    @rule(
        name=names,
        which=st.integers(0, 99),
        chunk=chunks | st.just([]),
        reason=st.sampled_from(("quit", "connection lost")),
    )
    def go(self, name: str, which: int, chunk: list[AnyRequest], reason: str) -> None:
        """Somebody's connection is gone, perhaps right after it has asked for something."""
        site = self.site(name)
        if site.peers:
            peer = site.peers.pop(which % len(site.peers))
            if chunk:
                site.ask(peer, chunk)
            site.ask(peer, [Gone(reason)])

    @rule(name=names, request=of_house)
    def keep_house(self, name: str, request: AnyRequest) -> None:
        """A server asks for what no peer asks for."""
        self.site(name).ask(HOUSE, [request])

    # ---- what is written and read

    @rule(name=names, again=st.integers(0, 1))
    def write(self, name: str, again: int) -> None:
        """A server writes what it was asked; perhaps twice."""
        if (data := self.site(name).gathering.next_batch()) is not None:
            self.log += [(data, self.now)] * (1 + again)

    @rule(name=names)
    def write_again(self, name: str) -> None:
        """A server has lost the connection, and does not know what was written."""
        self.log += [(data, self.now) for data in self.site(name).gathering.unread()]

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, 99))
    def write_late(self, which: int) -> None:
        """What a server wrote that is there no more arrives only now."""
        self.log.append((self.late[which % len(self.late)], self.now))

    @rule(again=st.integers(0, 1))
    def work(self, again: int) -> None:
        """All write what they were asked, and read it."""
        for name in self.sites:
            self.write(name, again)
        for name in self.sites:
            self.read(name, len(self.log))

    @rule(name=names, count=st.integers(1, 10))
    def read(self, name: str, count: int) -> None:
        """A server reads some entries, and has the same room after each as all who have."""
        site = self.site(name)
        for data, now in self.log[site.read : site.read + count]:
            self.late += site.take(data, now, self.next_name())
            if site.read == len(self.states):
                self.states.append(site.state)
                self.note_servers({*site.room.servers})
            assert site.state == self.states[site.read]

    def note_servers(self, here: set[str]) -> None:
        """Who is gone does not come again."""
        self.gone |= self.here - here
        self.here = here
        assert not self.here & self.gone

    @rule(seconds=st.sampled_from((0.01, 1.0, 12.0, 700.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    # ---- servers

    @rule(name=names, other=names, seldom=st.integers(0, 2), place=st.integers(0, 10_000))
    def fail(self, name: str, other: str, seldom: int, place: int) -> None:
        """Now and then a server dies, or is given up by another."""
        if seldom == 1:
            self.start(name, place)
        elif seldom == 2:
            self.site(name).ask(HOUSE, [ServerGone(self.site(other).incarnation)])

    def start(self, name: str, place: int) -> None:
        """A server starts with a snapshot; if there was one of this name, it has died."""
        if name in self.sites:
            self.late += self.sites[name].gathering.unread()
        self.sites[name] = self.start_at(-1 - place % min(20, len(self.states)), name)

    def teardown(self) -> None:
        """In the end all have read all, and nothing was done twice."""
        for _ in range(3):
            for name in getattr(self, "sites", ()):
                self.read(name, len(self.log))
                self.write(name, 0)
        for site in getattr(self, "sites", {}).values():
            once = [one.text for one in site.history.tail().said if one.text.startswith("once ")]
            assert len(once) == len({*once})


SharedRooms.TestCase.settings = settings(
    max_examples=int(os.environ.get("TRIOCHAT_EXAMPLES", "100")),
    stateful_step_count=50,
    deadline=None,
)
test_all_have_one_room = SharedRooms.TestCase


def open_rooms(size: int) -> SharedRooms:
    """Servers that share a room for so many."""
    rooms = SharedRooms()
    rooms.open(size, "", turns=False)
    return rooms


def test_who_is_gone_before_its_join_is_read_is_gone_everywhere() -> None:
    """It was written already, and so the others have to know."""
    rooms = open_rooms(2)
    rooms.write("one", 0)
    rooms.go("one", 0, [], "quit")
    rooms.teardown()
    assert [*rooms.sites["two"].room.members.values()] == ["Bob"]


def test_who_waits_at_one_server_and_comes_at_another_waits_once() -> None:
    """By its token, which only its own server has in clear."""
    rooms = open_rooms(1)
    rooms.write("one", 0)
    rooms.work(0)
    rooms.enter("one", "10.0.0.1/32", "Bob", TOKENS[1])
    rooms.teardown()
    assert [*rooms.sites["one"].room.members.queue] == rooms.sites["one"].peers[1:]
