from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from triochat.dialects import NDJSON, PLAIN
from triochat.fanout import FanOut
from triochat.history import History
from triochat.messages import Join, Ping, Quit, Request, Say, Whisper
from triochat.outbox import Backlog, Outbox
from triochat.room import Room, Told

Asked = tuple[int, Request]

COUNT = 6

handles = st.sampled_from(["Ann", "Bob", "Cid", "Dee"])
requests = st.one_of(
    st.builds(Join, handles),
    st.builds(Say, st.sampled_from(["one", "two", ""])),
    st.builds(Whisper, handles, st.just("psst")),
    st.just(Ping()),
    st.just(Quit()),
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

    def tell(self, asked: list[Asked]) -> list[Told[Outbox]]:
        """What the room tells because of all this."""
        told: list[Told[Outbox]] = []
        for number, request in asked:
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
