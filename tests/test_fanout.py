import gc
import weakref
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from triochat.dialects import NDJSON, PLAIN
from triochat.fanout import FanOut
from triochat.history import History
from triochat.messages import Join, Kick, Ping, Quit, Request, Say, Whisper
from triochat.outbox import Backlog, Outbox
from triochat.room import Room, Told

Asked = tuple[int, Request | None]

COUNT = 6
OPERATOR = 2

handles = st.sampled_from(["Ann", "Bob", "Cid", "Dee", "Server"])
requests = st.one_of(
    st.builds(Join, handles),
    st.builds(Say, st.sampled_from(["one", "two", ""])),
    st.builds(Whisper, handles, st.just("psst")),
    st.builds(Kick, handles),
    st.just(Ping()),
    st.just(Quit()),
    st.none(),
)
batches = st.lists(st.lists(st.tuples(st.integers(0, COUNT - 1), requests), max_size=12))


class Stage:
    """A room of outboxes of both dialects, and all that was written to each."""

    def __init__(self) -> None:
        self.room: Room[Outbox] = Room(max_clients=3)
        self.outboxes = [
            Outbox(Backlog(), NDJSON if number % 2 else PLAIN) for number in range(COUNT)
        ]
        self.written: defaultdict[Outbox, list[bytes]] = defaultdict(list)
        for outbox in self.outboxes:
            outbox.write_through(self._write, outbox)
        self.room.watch(self.outboxes[0])
        self.room.appoint(self.outboxes[OPERATOR])

    def tell(self, asked: list[Asked]) -> list[Told[Outbox]]:
        """What the room tells because of all this; to ask nothing is to begin to watch."""
        told: list[Told[Outbox]] = []
        for number, request in asked:
            if request is None:
                self.room.watch(self.outboxes[number])
            else:
                told += self.room.handle(self.outboxes[number], request, 0.0)
        return told + self.room.settle()

    def _write(self, outbox: Outbox, blob: bytes) -> int:
        self.written[outbox].append(blob)
        return len(blob)


@settings(max_examples=400)
@given(batches)
def test_a_batch_says_what_its_events_say_one_by_one(story: list[list[Asked]]) -> None:
    """Each peer gets, in one blob, what is for it and nothing else, in the order of the room."""
    stage, history, fan_out = Stage(), History(), FanOut()
    for asked in story:
        stage.written.clear()
        if not (batch := stage.tell(asked)):
            continue
        events = history.append([told.event for told in batch])
        expected: dict[Outbox, bytes] = {}
        for event, (_, audience, author) in zip(events, batch, strict=True):
            for outbox in audience:
                if outbox is not author or outbox.dialect.echoes:
                    line = outbox.dialect.encode(event)
                    expected[outbox] = expected.get(outbox, b"") + line
        fan_out.send(events, batch)
        assert {outbox: blobs[0] for outbox, blobs in stage.written.items()} == expected
        assert all(len(blobs) == 1 for blobs in stage.written.values())


def test_many_who_come_in_at_once_are_one_blob_for_all_others() -> None:
    """Who was there hears of a crowd in one line each, as one blob that is written once."""
    stage = Stage()
    stage.tell([(1, Join("Ann")), (3, Join("Bob"))])
    batch = stage.tell([(5, Join("Cid")), (1, Say("hello"))])
    FanOut().send([told.event for told in batch], batch)
    ann, bob, cid = (stage.written[stage.outboxes[number]] for number in (1, 3, 5))
    assert ann[0] is bob[0]
    assert cid[0].startswith(b'{"type":"welcome"')
    assert cid[0].endswith(ann[0].partition(b"\n")[2])


def test_what_many_strangers_are_told_is_written_once() -> None:
    """An event to many who are not in the room is the same bytes for each of one dialect."""
    stage = Stage()
    stage.tell([(1, Join("Ann")), (3, Join("Bob")), (5, Join("Cid")), (OPERATOR, Join("Server"))])
    batch = stage.tell([(OPERATOR, Quit())])
    FanOut().send([told.event for told in batch], batch)
    ann, bob, cid = (stage.written[stage.outboxes[number]] for number in (1, 3, 5))
    assert ann == bob == cid
    assert b'"type":"closing"' in ann[0]


def test_nobody_who_is_gone_is_remembered() -> None:
    """The outboxes of those who left can be freed as soon as the others have heard of it."""
    stage, fan_out = Stage(), FanOut()

    def send(asked: list[Asked]) -> None:
        batch = stage.tell(asked)
        fan_out.send([told.event for told in batch], batch)

    send([(1, Join("Ann")), (3, Join("Bob"))])
    send([(1, Say("hello"))])
    gone = weakref.ref(stage.outboxes[3].scope)
    send([(3, Quit())])
    stage.outboxes.clear()
    stage.written.clear()
    gc.collect()
    assert gone() is None
