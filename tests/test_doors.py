"""From bytes to bytes, through every door: what anybody sends, and what everybody is told."""

from typing import NamedTuple

import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, requests, typed_lines, wire_text
from triochat.backlog import Backlog
from triochat.dialects.http import HTTP
from triochat.dialects.ndjson import NDJSON, NdjsonSpeaker, decode_event, encode
from triochat.dialects.plain import PLAIN
from triochat.dialects.recognition import BEGINNINGS
from triochat.link import Link
from triochat.messages import Event, Join, Kick, Quit, Say
from triochat.order import AnyRequest, Asked, Expired, Gone, Peer
from triochat.room import Room
from triochat.telling import Told
from triochat.text import clean

OPERATORS = ("boss", "mate", "chief")
CLIENTS = ("ann", "bob", "cid")
NOW = 1767323045.5


class Chunk(NamedTuple):
    """What the server reads from a peer at once."""

    peer: str
    data: bytes


class Doors:
    """A room, and the links of those who came to it; no stream and no time."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.links: dict[str, Link] = {}

    def hear(self, peer: str, data: bytes) -> list[Event]:
        """Let a peer send this; what anybody is told."""
        return self.ask(peer, self.link_of(peer).hear(data))

    def lose(self, peer: str) -> list[Event]:
        """Let a peer's input end, and its connection with it."""
        unfinished = self.link_of(peer).end()
        del self.links[peer]
        answer: list[AnyRequest] = [unfinished] if unfinished else []
        return self.ask(peer, [Expired("too late"), *answer, Gone("lost")])

    def link_of(self, peer: str) -> Link:
        """The link of a peer; an operator is known to speak NDJSON."""
        if peer not in self.links:
            speaker = NdjsonSpeaker() if peer in OPERATORS else None
            self.links[peer] = Link(Backlog(), trio.testing.MemorySendStream(), speaker)
        return self.links[peer]

    def ask(self, peer: str, requests: list[AnyRequest]) -> list[Event]:
        """Ask the room; what anybody is told."""
        asked = Asked(Peer(peer, is_console=peer in OPERATORS), requests, NOW)
        tellings = self.room.apply(asked)
        return [event for one in tellings if isinstance(one, Told) for event in one.events]


HANDLES = st.sampled_from(["Ann", "Bob", "Server", "mate", "Cid", "x" * 11, "x" * 33, ""])
asked = st.one_of(
    requests(wire_text),
    st.builds(Join, HANDLES),
    st.builds(Kick, HANDLES, wire_text),
    st.builds(Say, wire_text),
    st.just(Quit()),
).map(encode)
lines = st.one_of(
    st.one_of(any_text, typed_lines, HANDLES).map(lambda line: line.encode(errors="ignore")),
    st.sampled_from([b"GET / HTTP/1.1\r\nHost: x\r\n", b"x" * 9000, b"{", b'{"type":"who"']),
    st.sampled_from([*BEGINNINGS]),
    st.binary(max_size=8),
).map(lambda line: line + b"\n")
chunks = st.builds(
    Chunk, st.sampled_from([*OPERATORS, *CLIENTS]), st.one_of(asked, asked, lines, st.binary())
)
comings = st.permutations([*OPERATORS, *CLIENTS]).map(
    lambda peers: [Chunk(peer, encode(Join(peer))) for peer in peers]
)
stories = st.builds(list.__add__, st.just([]) | comings, st.lists(chunks, max_size=20))


@given(stories, st.integers(1, 4), st.integers(1, 32), st.booleans(), st.data())
def test_nothing_that_is_sent_makes_anything_raise(
    story: list[Chunk], max_clients: int, handle_length: int, turns: bool, data: st.DataObject
) -> None:
    """Through every door, with several operators, however it is cut: all is read and told."""
    doors = Doors(Room(max_clients=max_clients, handle_length=handle_length, turns=turns))
    for peer, sent in story:
        cut = data.draw(st.integers(0, len(sent)))
        told = [*doors.hear(peer, sent[:cut]), *doors.hear(peer, sent[cut:])]
        if peer in doors.links and data.draw(st.integers(0, 9)) == 0:
            told += doors.lose(peer)
        for event in told:
            [line] = NDJSON.encode([event]).splitlines()
            assert decode_event(line.decode()) == event
            plain = PLAIN.encode([event]).decode()
            assert all(clean(line) == line for line in plain.split("\n"))
            assert HTTP.encode([event]).endswith(plain.encode())
        assert all(len(one) <= handle_length for one in clients_of(doors.room))


def clients_of(room: Room) -> list[str]:
    """The handles of those who are no operators, in the room and in the queue."""
    here = [*room.members.items(), *room.members.queue.items()]
    return [handle for peer, handle in here if not peer.is_console]


def test_several_operators() -> None:
    """The first has the server's handle; the others need one of their own; none is kicked."""
    doors = Doors(Room())
    for peer in OPERATORS:
        doors.hear(peer, encode(Join("Server")) + encode(Join(peer)))
    assert [*doors.room.roster] == ["chief", "mate", "Server"]
    doors.hear("mate", encode(Kick("server", "my turn")))
    assert [*doors.room.roster] == ["chief", "mate", "Server"]
    doors.lose("boss")
    assert [*doors.room.roster] == ["chief", "mate"]
    doors.hear("boss", encode(Join("Server")))
    doors.hear("chief", encode(Quit()))
    assert [*doors.room.roster] == ["chief", "mate", "Server"]
    for peer in OPERATORS:
        doors.lose(peer)
    assert [*doors.room.roster] == []
