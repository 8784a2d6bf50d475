"""The room, whatever anybody does: any requests, of any peers, in any order.

`Witness` knows nothing of the room's inside. It believes what the room tells, and checks that this
makes sense: who has been welcomed and has not left is a member, and a member hears everything.
"""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, requests
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Notice,
    Pong,
    Quit,
    Refused,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Welcome,
    Whisper,
    Whispered,
)
from triochat.room import Room, Told
from triochat.text import handle_key

NOW = 1767323045.5

BOSS = "boss"
CLIENTS = ("ann", "bob", "cid", "dan", "eve")
RELAY = "relay"

HANDLES = ("Ann", "ANN", "\uff21nn", "Bob", "bob", "Cid", "Stra\u00dfe", "STRASSE", "x.y-z_0")
NO_HANDLES = ("Server", "sERVER", "you", "two words", "42", "", "Annabella-Maria", "\u3164")


@dataclass(frozen=True)
class Asks:
    """A peer asks for something."""

    peer: str
    request: Request


@dataclass(frozen=True)
class Vanishes:
    """A peer is gone, for a reason."""

    peer: str
    reason: str


Step = Asks | Vanishes

handles = st.one_of(
    st.sampled_from(HANDLES), st.sampled_from(HANDLES), st.sampled_from(NO_HANDLES), any_text
)
texts = st.one_of(st.text("abc", min_size=1, max_size=5), any_text)
peers = st.sampled_from((BOSS, *CLIENTS))
likely = st.one_of(
    st.builds(Join, handles),
    st.builds(Join, st.sampled_from(HANDLES)),
    st.builds(Say, texts),
    st.builds(Whisper, handles, texts),
    st.builds(Rename, handles),
    st.builds(Kick, handles, texts),
)
step = st.one_of(
    st.builds(Asks, peers, likely),
    st.builds(Asks, st.sampled_from(CLIENTS), st.builds(Join, st.sampled_from(HANDLES))),
    st.builds(Asks, peers, requests(any_text)),
    st.builds(Asks, st.just(BOSS), st.just(Join("Server"))),
    st.builds(Vanishes, peers, st.sampled_from(["quit", "connection lost", "fell behind"])),
)
steps: st.SearchStrategy[list[Step]] = st.one_of(
    st.lists(step, max_size=10), st.lists(step, min_size=20, max_size=50)
)
limits = st.integers(min_value=1, max_value=4)


def asker(step: Step) -> str:
    """The peer who asked; nobody is answered who did not ask."""
    assert isinstance(step, Asks)
    return step.peer


@dataclass
class Witness:
    """A room, and what can be known of it from what it tells.

    ``relay`` watches from the first moment to the last.
    """

    max_clients: int
    turns: bool = False
    room: Room[str] = field(init=False)
    members: dict[str, str] = field(default_factory=dict)
    line: list[str] = field(default_factory=list)
    public: list[Event] = field(default_factory=list)
    came: dict[str, int] = field(default_factory=dict)
    heard: dict[str, list[Event]] = field(default_factory=dict)
    speakers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.room = Room(max_clients=self.max_clients, turns=self.turns)
        self.room.appoint(BOSS)
        self.room.watch(RELAY)

    def take(self, step: Step) -> list[Told[str]]:
        """Let something happen, and check what the room tells."""
        before = dict(self.members)
        if isinstance(step, Asks):
            told = self.room.handle(step.peer, step.request, NOW)
        else:
            told = self.room.leave(step.peer, step.reason)
        told += self.room.settle()
        if isinstance(step, Vanishes) or (isinstance(step.request, Quit) and step.peer != BOSS):
            self._lose(step.peer)
        for one in told:
            assert len(set(one.audience)) == len(one.audience), "nobody is told twice"
            self._believe(step, one, before)
        self._check_members()
        return told

    def play(self, story: list[Step]) -> None:
        """Let all this happen, one after the other."""
        for step in story:
            self.take(step)

    # ---- what is told, and what must hold then

    def _believe(self, step: Step, told: Told[str], before: dict[str, str]) -> None:
        event, audience, author = told.event, tuple(told.audience), told.author
        match event:
            case Welcome():
                self._welcome(event, audience)
            case Joined() | Left() | Renamed() | Said():
                self._change(event)
                assert audience == (RELAY, *self.members)
                self._hear(event, audience)
            case Whispered(handle=handle, to=to):
                assert author is not None
                assert self.members[author] == handle
                assert {self.members[peer] for peer in audience} == {handle, to}
                assert author in audience
            case Refused() | Pong() | Roster():
                assert audience == (asker(step),)
            case Notice(text=text):
                self._notice(text, audience)
            case Closing():
                assert asker(step) == BOSS
                self._close(event, audience)
        if isinstance(event, Said):
            assert author == asker(step)
            assert event.handle == before[author]
            assert 1 <= len(event.text) <= 500
            self.speakers.append(author)

    def _welcome(self, event: Welcome, audience: tuple[str, ...]) -> None:
        [peer] = audience
        self._admit(peer, event.handle)
        assert event.server == "Server"
        assert Counter(event.roster) == Counter(self.members.values())

    def _change(self, event: Event) -> None:
        match event:
            case Left(handle=handle):
                for peer in [peer for peer, worn in self.members.items() if worn == handle]:
                    self._lose(peer)
            case Renamed(handle=handle, new=new):
                [peer] = [peer for peer, worn in self.members.items() if worn == handle]
                self.members[peer] = new

    def _close(self, event: Closing, audience: tuple[str, ...]) -> None:
        assert BOSS not in audience
        for peer in audience:
            if event.retry or peer in self.line:
                self._lose(peer)  # of a member who was kicked the leaving is told next

    def _notice(self, text: str, audience: tuple[str, ...]) -> None:
        if text == "all clients disconnected":
            assert audience == (RELAY, *self.members)
            assert set(self.members) <= {BOSS}
            return
        if text.endswith(" is out of the line"):
            assert audience == (BOSS,)
            return
        [peer] = audience
        if peer not in self.line:
            self.line.append(peer)
        place = self.line.index(peer) + 1
        assert text == f"The room is full; you are number {place} in line"

    def _hear(self, event: Event, audience: tuple[str, ...]) -> None:
        self.public.append(event)
        for peer in audience:
            self.heard.setdefault(peer, []).append(event)

    def _admit(self, peer: str, handle: str) -> None:
        assert peer not in self.members
        if self.line and peer != BOSS:
            assert self.line.pop(0) == peer, "first come, first served"
        self.members[peer] = handle
        self.came[peer] = len(self.public)
        self.heard[peer] = []

    def _lose(self, peer: str) -> None:
        if peer in self.line:
            self.line.remove(peer)
        if peer in self.members:
            del self.members[peer]
            assert self.heard.pop(peer) == self.public[self.came.pop(peer) :]
            self.speakers = ["" if speaker == peer else speaker for speaker in self.speakers]

    # ---- what holds at any moment

    def _check_members(self) -> None:
        worn = list(self.members.values())
        assert Counter(self.room.roster) == Counter(worn)
        assert list(self.room.roster) == sorted(worn, key=lambda one: (handle_key(one), one))
        assert len({handle.casefold() for handle in worn}) == len(worn)
        for peer in (BOSS, *CLIENTS, RELAY):
            here = peer in self.members or peer in self.line
            assert (self.room.handle_of(peer) is not None) == here
            if peer in self.members:
                assert self.room.handle_of(peer) == self.members[peer]
        assert len(set(self.members) - {BOSS}) <= self.max_clients
        if self.line:
            assert len(set(self.members) - {BOSS}) == self.max_clients
        for peer in self.members:
            assert self.heard[peer] == self.public[self.came[peer] :]
        assert self.heard.get(RELAY, []) == self.public


@given(steps, limits, st.booleans())
def test_whatever_happens(story: list[Step], max_clients: int, turns: bool) -> None:
    """Nothing makes the room raise, and what it tells fits together at every moment."""
    Witness(max_clients, turns).play(story)


@given(steps, limits)
def test_nobody_speaks_twice_in_a_row(story: list[Step], max_clients: int) -> None:
    """With turns nobody who stays in the room speaks twice in a row."""
    witness = Witness(max_clients, turns=True)
    witness.play(story)
    pairs = zip(witness.speakers, witness.speakers[1:], strict=False)
    assert [one for one, next_one in pairs if one == next_one != ""] == []


@given(steps, steps)
def test_all_who_stay_hear_the_same(before: list[Step], after: list[Step]) -> None:
    """Two who are in the room all the time hear the same public events in the same order."""
    witness = Witness(max_clients=1000)
    stayers = ("fay", "gus")
    ours: dict[str, list[Event]] = {peer: [] for peer in stayers}
    story = [
        *(Asks(peer, Join(handle)) for peer, handle in zip(stayers, ("Fay_", "Gus_"), strict=True)),
        *before,
        Asks("fay", Say("hello")),
        *after,
        Asks("gus", Say("bye")),
    ]
    for step in story:
        if step in (Asks(BOSS, Quit()), Asks(BOSS, Kick("Fay_")), Asks(BOSS, Kick("Gus_"))):
            continue
        for event, audience, _ in witness.take(step):
            for peer in stayers:
                if peer in audience and isinstance(event, Said | Joined | Left | Renamed):
                    ours[peer].append(event)
    [gus_comes] = [at for at, event in enumerate(ours["fay"]) if event == Joined("Gus_")]
    assert ours["fay"][gus_comes + 1 :] == ours["gus"]
    said = [event for event in ours["gus"] if isinstance(event, Said)]
    assert (said[-1].handle, said[-1].text) == ("Gus_", "bye")
    assert ("Fay_", "hello") in [(event.handle, event.text) for event in said]


@given(steps, limits, texts)
def test_a_whisper_is_for_two(story: list[Step], max_clients: int, text: str) -> None:
    """After any story a whisper reaches the one whom it names and its author, or nobody."""
    witness = Witness(max_clients)
    witness.play(story)
    for peer in (BOSS, *CLIENTS):
        for to in HANDLES:
            [(event, audience, _)] = witness.take(Asks(peer, Whisper(to, text)))
            if isinstance(event, Refused):
                assert audience == (peer,)
            else:
                [reader] = [
                    other
                    for other, worn in witness.members.items()
                    if handle_key(worn) == handle_key(to)
                ]
                assert set(audience) == {peer, reader}


@given(steps, limits, st.booleans())
def test_everybody_can_go(story: list[Step], max_clients: int, turns: bool) -> None:
    """After any story, when all have left, nothing and nobody is left in the room."""
    witness = Witness(max_clients, turns)
    witness.play(story)
    for peer in (*CLIENTS, BOSS):
        witness.take(Vanishes(peer, "connection lost"))
    assert witness.room.roster == ()
    assert witness.take(Asks("eve", Join("Ann"))) == [
        Told(Joined("Ann"), (RELAY,)),
        Told(Welcome("Ann", "Server", ("Ann",)), ("eve",)),
    ]
    assert [type(told.event) for told in witness.take(Asks("eve", Say("first")))] == [Said]
