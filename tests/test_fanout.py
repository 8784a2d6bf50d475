import gc
import weakref
from collections import defaultdict
from functools import partial
from itertools import groupby

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import BOXES, BoxSpeaker
from triochat.backlog import Backlog
from triochat.counts import Counts
from triochat.dialects.base import Dialect, Speaker
from triochat.dialects.ndjson import NdjsonSpeaker
from triochat.dialects.plain import PlainSpeaker
from triochat.fanout import FanOut
from triochat.history import History
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
    Rename,
    Say,
    Unban,
    Whisper,
)
from triochat.order import HOUSE, AnyRequest, Asked, Gone, Peer, Reply, Settle
from triochat.outbox import Way
from triochat.room import Room
from triochat.telling import Ends, Follows, Replies, Telling, Told, Unfollows

SPEAKERS: list[type[Speaker]] = [PlainSpeaker, NdjsonSpeaker] * 3 + [BoxSpeaker] * 2
COUNT = len(SPEAKERS)
BOX, OTHER = 6, 7
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
    st.sampled_from([Reply(b"<1>"), Reply(b"<2>")]),
    st.builds(Rename, handles),
)
batches = st.lists(st.lists(st.tuples(st.integers(0, COUNT - 1), requests), max_size=12))


class Hall:
    """A room of peers of three dialects, and all that was written to each."""

    def __init__(self) -> None:
        self.room = Room(max_clients=3)
        self.counts = Counts()
        self.fan_out = FanOut(self.counts)
        self.fan_out.name_of = lambda peer: self.room.members.get(peer, "")
        self.peers = [
            Peer(str(number), host=f"10.0.0.{number}/32", is_console=number == OPERATOR)
            for number in range(COUNT)
        ]
        self.written: defaultdict[Peer, list[bytes]] = defaultdict(list)
        for speaker, peer in zip(SPEAKERS, self.peers, strict=True):
            stream, _ = trio.testing.memory_stream_one_way_pair()
            link = Link(Backlog(), stream, speaker())
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


class Expected:
    """What one peer is to be sent of a batch: texts, and bytes that are none."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._pieces: list[tuple[bool, bytes]] = []
        self.last = b""

    def add(self, piece: bytes, *, is_text: bool = True) -> None:
        """It is told this next."""
        if piece:
            self._pieces.append((is_text, piece))

    @property
    def blobs(self) -> list[bytes]:
        """All of it at once, each text in one piece; then the last word."""
        wrap, told = self._dialect.wrap, b""
        for is_text, pieces in groupby(self._pieces, lambda piece: piece[0]):
            whole = b"".join(piece for _, piece in pieces)
            told += wrap(whole) if is_text else whole
        return [blob for blob in (told, self.last) if blob]


def followers_after(telling: Telling, followers: list[Peer]) -> list[Peer]:
    """Who follows after this, where these did before."""
    match telling:
        case Follows(peer=peer) if peer not in followers:
            return [*followers, peer]
        case Unfollows(peer=peer) | Ends(peer=peer):
            return [one for one in followers if one != peer]
    return followers


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
        expected = {peer: Expected(links[peer].speaker.dialect) for peer in hall.peers}
        count = hall.counts.deliveries
        is_open = {peer for peer in links if links[peer].outbox.way is Way.OPEN}
        for telling in batch:
            match telling:
                case Told(events=events, to=to, author=author):
                    for peer in followers if to is None else to:
                        speaker, me = links[peer].speaker, hall.fan_out.name_of(peer)
                        if peer != author or speaker.dialect.echoes:
                            count += len(events) * (to is None or peer in is_open)
                            write = partial(speaker.tell, me=me) if to else speaker.dialect.encode
                            for one in events * (peer in is_open):
                                expected[peer].add(write([one]))
                case Replies(peer=peer, data=data) if peer in is_open:
                    expected[peer].add(data, is_text=False)
                case Ends(peer=peer, reason=reason) if peer in is_open:
                    expected[peer].last = links[peer].speaker.part(reason)
                    is_open.discard(peer)
            followers = followers_after(telling, followers)
        hall.fan_out.send(batch)
        sent = {peer: hall.written[peer] for peer in hall.peers}
        assert sent == {peer: expected[peer].blobs for peer in hall.peers}
        assert hall.counts.deliveries == count


def come_in(hall: Hall, *numbers: int) -> None:
    """Let these in, as Ann, Bob and Cid."""
    hall.send(*zip(numbers, map(Join, ("Ann", "Bob", "Cid")), strict=False))
    hall.written.clear()


def sent_to(hall: Hall, number: int) -> list[bytes]:
    """What was written to this peer."""
    return hall.written[hall.peers[number]]


async def test_what_is_told_at_once_is_wrapped_once() -> None:
    """A whole batch, however many events are in it; the same bytes for all who speak alike."""
    hall = Hall()
    come_in(hall, 1, BOX, OTHER)
    hall.send((1, Say("one")), (1, Say("two")), (BOX, Say("three")))
    [box], [other] = sent_to(hall, BOX), sent_to(hall, OTHER)
    assert box == b"[29]Ann> one\nAnn> two\nBob> three\n"
    assert box is other


async def test_what_is_edited_is_wrapped_once() -> None:
    """What is for one alone stands in the one text, in its place, and names who reads it."""
    hall = Hall()
    come_in(hall, 1, BOX, OTHER)
    hall.send((1, Say("one")), (1, Whisper("Bob", "psst")), (BOX, Say("two")))
    assert sent_to(hall, BOX) == [b"[41]Ann> one\n(Bob)[Ann -> you] psst\nBob> two\n"]
    assert sent_to(hall, OTHER) == [b"[18]Ann> one\nBob> two\n"]


async def test_a_reply_has_its_place_and_is_not_wrapped() -> None:
    """Between what was told before and after it: each of these is wrapped by itself."""
    hall = Hall()
    come_in(hall, 1, BOX, OTHER)
    hall.send((1, Say("one")), (BOX, Reply(b"<1>")), (BOX, Reply(b"<2>")), (1, Say("two")))
    assert sent_to(hall, BOX) == [b"[9]Ann> one\n<1><2>[9]Ann> two\n"]
    assert sent_to(hall, OTHER) == [b"[18]Ann> one\nAnn> two\n"]
    hall.written.clear()
    hall.send((BOX, Say("")), (BOX, Reply(b"<3>")), (BOX, Ping()))
    [told] = sent_to(hall, BOX)
    assert told == b"[46](Bob)! the message is empty; nothing was sent\n<3>[12](Bob)* pong\n"


async def test_a_stranger_has_its_replies_alone() -> None:
    """Before it joins it hears nothing of what others say, and every reply at once."""
    hall = Hall()
    come_in(hall, 1)
    hall.send((BOX, Reply(b"<1>")), (1, Say("one")), (BOX, Reply(b"<2>")))
    assert sent_to(hall, BOX) == [b"<1><2>"]
    hall.send((BOX, Reply(b"<3>")), (BOX, Join("Bob")), (1, Say("two")), (BOX, Reply(b"<4>")))
    *_, blob = sent_to(hall, BOX)
    assert blob.startswith(b"<3>[")
    assert blob.endswith(b"Ann> two\n<4>")


async def test_nothing_is_not_wrapped() -> None:
    """Who has no words for anything in a batch is sent nothing, and no empty frame."""
    hall = Hall()
    come_in(hall, 1, BOX)
    hall.send((3, Join("Cid")))
    assert sent_to(hall, 1)
    assert sent_to(hall, BOX) == []
    hall.send((5, Join("Ann")), (1, Ping()), (BOX, Reply(b"<1>")))
    assert sent_to(hall, BOX) == [b"<1>"]
    hall.fan_out.links[hall.peers[BOX]].put(b"")
    assert sent_to(hall, BOX) == [b"<1>"]


async def test_the_last_word_is_the_last() -> None:
    """After all that it is told, once, and no reply after it; whoever ends it."""
    for ending in (Quit(), Gone("lost")):
        hall = Hall()
        come_in(hall, 1, BOX)
        hall.send((1, Say("one")), (BOX, ending), (BOX, Reply(b"<1>")), (1, Say("two")))
        reason = getattr(ending, "reason", "quit")
        assert sent_to(hall, BOX) == [b"[9]Ann> one\n", f"<bye: {reason}>".encode()]
    hall = Hall()
    come_in(hall, 1, BOX)
    hall.send((OPERATOR, Join("Server")))
    hall.written.clear()
    hall.send((OPERATOR, Kick("Bob", "why")), (BOX, Reply(b"<1>")), (1, Say("two")))
    told, last = sent_to(hall, BOX)
    assert b"kicked" in told
    assert last.startswith(b"<bye: kicked")


async def test_who_is_evicted_has_no_last_word() -> None:
    """It has fallen behind: nothing is put any more, and nothing after it."""
    hall = Hall()
    come_in(hall, 1, BOX)
    hall.fan_out.links[hall.peers[BOX]].outbox.evict("fell behind")
    hall.send((1, Say("one")), (BOX, Reply(b"<1>")), (BOX, Gone("fell behind")))
    assert sent_to(hall, BOX) == []
    assert BOXES not in hall.fan_out._followers or not hall.fan_out._followers[BOXES]


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


async def test_who_is_let_in_just_after_its_session_has_ended() -> None:
    """A place may come late, where servers share the order: nobody is there, and nobody minds."""
    stream, _ = trio.testing.memory_stream_pair()
    link, peer = Link(Backlog(), stream, NdjsonSpeaker()), Peer("1")
    async with trio.open_nursery() as nursery:
        link.open(nursery)
    fan_out = FanOut(Counts(), History())
    fan_out.links[peer] = link
    fan_out.send([Follows(peer, count=20)])
    assert not fan_out.links[peer].outbox.why
