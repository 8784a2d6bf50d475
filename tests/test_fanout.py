import gc
import weakref
from collections import defaultdict

import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from triochat.backlog import Backlog
from triochat.counts import Counts
from triochat.dialects.ndjson import NdjsonSpeaker
from triochat.dialects.plain import PlainSpeaker
from triochat.fanout import FanOut
from triochat.link import Link
from triochat.messages import (
    Action,
    Ban,
    Closing,
    Join,
    Kick,
    Ping,
    Quiet,
    Quit,
    Say,
    Unban,
    Whisper,
)
from triochat.order import HOUSE, AnyRequest, Asked, Gone, Peer, Settle
from triochat.outbox import Way
from triochat.room import Room
from triochat.telling import Ends, Follows, Telling, Told, Unfollows

COUNT = 6
OPERATOR = 2
RELAY = 0

handles = st.sampled_from(["Ann", "Bob", "Cid", "Dee", "Server"])
requests: st.SearchStrategy[AnyRequest] = st.one_of(
    st.builds(Join, handles),
    st.builds(Say, st.sampled_from(["one", "two", ""])),
    st.builds(Whisper, handles, st.just("psst")),
    st.builds(Kick, handles),
    st.builds(Action, st.sampled_from(["waves", ""])),
    st.builds(Ban, st.one_of(handles, st.just("10.0.0.0/8"))),
    st.builds(Unban, handles),
    st.builds(Quiet, st.booleans()),
    st.just(Ping()),
    st.just(Quit()),
    st.just(Gone("lost")),
)
batches = st.lists(st.lists(st.tuples(st.integers(0, COUNT - 1), requests), max_size=12))


class Hall:
    """A room of peers of both dialects, and all that was written to each."""

    def __init__(self) -> None:
        self.room = Room(max_clients=3)
        self.counts = Counts()
        self.fan_out = FanOut(self.counts)
        self.peers = [
            Peer(str(number), host=f"10.0.0.{number}/32", is_console=number == OPERATOR)
            for number in range(COUNT)
        ]
        self.written: defaultdict[Peer, list[bytes]] = defaultdict(list)
        for number, peer in enumerate(self.peers):
            stream, _ = trio.testing.memory_stream_one_way_pair()
            link = Link(Backlog(), stream, NdjsonSpeaker() if number % 2 else PlainSpeaker())
            link.outbox.write_through(self._write, peer)
            self.fan_out.links[peer] = link
        self.fan_out.follow(self.peers[RELAY])

    def ask(self, *asked: tuple[int, AnyRequest]) -> list[Telling]:
        """What the room tells because of all this."""
        told: list[Telling] = []
        for number, request in asked:
            told += self.room.apply(Asked(self.peers[number], (request,), 0.0))
        return told + self.room.apply(Asked(HOUSE, (Settle(),), 0.0))

    def send(self, *asked: tuple[int, AnyRequest]) -> None:
        """The same, and let it be told."""
        self.fan_out.send(self.ask(*asked))

    def disconnect(self, number: int) -> None:
        """The connection of this peer is gone."""
        self.fan_out.unfollow(self.peers[number])
        del self.fan_out.links[self.peers[number]]

    def _write(self, peer: Peer, blob: bytes) -> int:
        self.written[peer].append(blob)
        return len(blob)


@settings(max_examples=400)
@given(batches)
async def test_a_batch_says_what_its_events_say_one_by_one(
    story: list[list[tuple[int, AnyRequest]]],
) -> None:
    """Each peer gets, in one blob, what is for it and nothing else, in the order of the room."""
    hall = Hall()
    links, followers = hall.fan_out.links, [hall.peers[RELAY]]
    for asked in story:
        hall.written.clear()
        batch = hall.ask(*asked)
        expected: defaultdict[Peer, bytes] = defaultdict(bytes)
        count = hall.counts.deliveries
        is_open = {peer for peer in links if links[peer].outbox.way is Way.OPEN}
        for telling in batch:
            match telling:
                case Told(events=events, to=to, author=author):
                    for peer in followers if to is None else to:
                        dialect = links[peer].speaker.dialect
                        if peer == author and not dialect.echoes:
                            continue
                        count += len(events) * (to is None or peer in is_open)
                        if peer in is_open:
                            expected[peer] += b"".join(dialect.encode([one]) for one in events)
                case Follows(peer=peer) if peer not in followers:
                    followers.append(peer)
                case Unfollows(peer=peer) if peer in followers:
                    followers.remove(peer)
                case Ends(peer=peer):
                    is_open.discard(peer)
                    followers = [one for one in followers if one != peer]
        hall.fan_out.send(batch)
        assert {peer: blobs[0] for peer, blobs in hall.written.items()} == expected
        assert all(len(blobs) == 1 for blobs in hall.written.values())
        assert hall.counts.deliveries == count


async def test_many_who_come_in_at_once_are_one_blob_for_all_others() -> None:
    """Who was there hears of a crowd in one line each, as one blob that is written once."""
    hall = Hall()
    hall.send((1, Join("Ann")), (3, Join("Bob")))
    hall.written.clear()
    hall.send((5, Join("Cid")), (1, Say("hello")))
    ann, bob, cid = (hall.written[hall.peers[number]] for number in (1, 3, 5))
    assert ann[0] is bob[0]
    assert cid[0].startswith(b'{"type":"welcome"')
    assert cid[0].endswith(ann[0].partition(b"\n")[2])


async def test_what_many_strangers_are_told_is_the_same() -> None:
    """An event to many who are not in the room is the same bytes for each of one dialect."""
    hall = Hall()
    hall.send((1, Join("Ann")), (3, Join("Bob")), (5, Join("Cid")), (OPERATOR, Join("Server")))
    hall.written.clear()
    hall.send((OPERATOR, Quit()))
    ann, bob, cid = (hall.written[hall.peers[number]] for number in (1, 3, 5))
    assert ann == bob == cid
    assert b'"type":"closing"' in ann[0]


async def test_a_connection_ends_after_what_it_is_told() -> None:
    """The good-bye is put before the outbox closes, and nothing after it."""
    hall = Hall()
    hall.send((1, Join("Ann")), (3, Join("Bob")))
    hall.written.clear()
    hall.send((1, Say("bye")), (1, Quit()), (3, Say("who was that?")))
    [ann] = hall.written[hall.peers[1]]
    assert ann.count(b"\n") == 1
    assert b"bye" in ann
    outbox = hall.fan_out.links[hall.peers[1]].outbox
    assert (outbox.way, outbox.why) == (Way.ENDING, "quit")


async def test_nothing_is_told_after_the_end() -> None:
    """Who is put out, and whose room closes in the same batch, is told one good-bye."""
    hall = Hall()
    hall.send((1, Join("Ann")), (OPERATOR, Join("Server")))
    hall.written.clear()
    batch = hall.ask((OPERATOR, Kick("Ann")))
    last_words = Told([Closing("shutting down")], tuple(hall.peers))
    hall.fan_out.send([*batch, last_words])
    [ann] = hall.written[hall.peers[1]]
    assert ann.count(b"closing") == 1
    assert b"kicked" in ann


async def test_who_is_not_connected_here_is_told_nothing() -> None:
    """A peer whose connection is gone, or is another server's, is no trouble."""
    hall = Hall()
    hall.send((1, Join("Ann")), (3, Join("Bob")))
    hall.written.clear()
    hall.disconnect(1)
    hall.send((3, Whisper("Ann", "psst")), (3, Say("hello")), (1, Quit()), (1, Gone("quit")))
    assert set(hall.written) == {hall.peers[3], hall.peers[RELAY]}


async def test_nobody_who_is_gone_is_remembered() -> None:
    """The links of those who left can be freed as soon as their connection is gone."""
    hall = Hall()
    hall.send((1, Join("Ann")), (3, Join("Bob")))
    hall.send((1, Say("hello")))
    gone = weakref.ref(hall.fan_out.links[hall.peers[3]].outbox.scope)
    hall.send((3, Quit()))
    hall.disconnect(3)
    hall.send((3, Gone("quit")))
    gc.collect()
    assert gone() is None
