"""The room, whatever anybody does: any requests, of any peers, in any order.

`Witness` knows nothing of the room's inside. It believes what the room tells, and checks that this
makes sense: who has been welcomed and has not left is a member, and a member hears everything.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from strategies import any_request, any_text, typed_lines
from triochat.grammar import help_text
from triochat.messages import (
    Action,
    Ban,
    Closing,
    Deop,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Moderated,
    Mute,
    Notice,
    Op,
    Pong,
    Quiet,
    Quit,
    Refused,
    Rename,
    Renamed,
    Roster,
    Said,
    Say,
    Topic,
    Typed,
    Unban,
    Unmute,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.order import HOUSE, AnyRequest, Asked, Expired, Gone, Peer, Settle
from triochat.room import Room
from triochat.sanctions import Rulings
from triochat.telling import Ends, Follows, Telling, Told, Unfollows
from triochat.text import handle_key

NOW = 1767323045.5
AT = "2026-01-02T03:04:05.500Z"

OPERATORS = ("boss", "mate")
CLIENTS = ("ann", "bob", "cid", "dan", "eve")
RELAY = "relay"
HOSTS = {"ann": "10.0.0.1/32", "bob": "10.0.0.1/32", "cid": "10.0.0.2/32", "dan": "127.0.0.1/32"}

HANDLES = ("Ann", "ANN", "\uff21nn", "Bob", "bob", "Cid", "Stra\u00dfe", "STRASSE", "x.y-z_0")
NO_HANDLES = ("Server", "sERVER", "you", "two words", "42", "", "Annabella-Maria", "\u3164")
HELP = help_text()


class Step(NamedTuple):
    """What a peer asks for at once."""

    peer: str
    requests: tuple[AnyRequest, ...]

    @property
    def asked(self) -> Asked:
        """The same, as the room is asked."""
        return Asked(peer_of(self.peer), self.requests, NOW)


class Heard(NamedTuple):
    """An event, who hears it, and whose words it carries; peers by their names."""

    event: Event
    audience: tuple[str, ...]
    author: str | None = None


def peer_of(name: str) -> Peer:
    """Who is called so here; ann and bob come from one host."""
    return Peer(name, host=HOSTS.get(name, ""), is_console=name in OPERATORS)


handles = st.one_of(
    st.sampled_from(HANDLES), st.sampled_from(HANDLES), st.sampled_from(NO_HANDLES), any_text
)
texts = st.one_of(st.text("abc", min_size=1, max_size=5), any_text)
names = st.sampled_from((*OPERATORS, *CLIENTS))
targets = st.one_of(handles, st.sampled_from(["10.0.0.1", "10.0.0.0/24", "fe80::1", "10.0.0.2"]))
moderating = st.one_of(
    st.builds(Action, texts),
    st.builds(Op, handles),
    st.builds(Deop, handles),
    st.builds(Ban, targets, st.sampled_from([0, 0.1, 10])),
    st.builds(Unban, targets),
    st.builds(Mute, handles, st.sampled_from([0, 0.1, 10])),
    st.builds(Unmute, handles),
    st.builds(Quiet, st.booleans()),
    st.builds(Topic, texts),
)
likely: st.SearchStrategy[AnyRequest] = st.one_of(
    st.builds(Join, handles),
    st.builds(Join, st.sampled_from(HANDLES)),
    st.builds(Say, texts),
    st.builds(Say, texts),
    st.builds(Whisper, handles, texts),
    st.builds(Rename, handles),
    st.builds(Kick, handles, texts),
    moderating,
    st.builds(Typed, st.one_of(handles, texts, typed_lines)),
)
asked = st.one_of(likely, likely, any_request)
gone = st.builds(Gone, st.sampled_from(["quit", "connection lost", "fell behind", ""]))
step = st.one_of(
    st.builds(Step, names, st.tuples(likely)),
    st.builds(Step, names, st.tuples(asked)),
    st.builds(Step, names, st.lists(asked, max_size=6).map(tuple)),
    st.builds(
        Step, st.sampled_from(CLIENTS), st.tuples(st.builds(Join, st.sampled_from(HANDLES)), likely)
    ),
    st.just(Step("boss", (Join("Server"),))),
    st.builds(Step, names, st.tuples(gone)),
)
steps: st.SearchStrategy[list[Step]] = st.one_of(
    st.lists(step, max_size=10), st.lists(step, min_size=20, max_size=50)
)
limits = st.integers(min_value=1, max_value=4)


@dataclass
class Witness:
    """A room, and what can be known of it from what it tells.

    ``relay`` follows from the first moment to the last, and is no member.
    """

    max_clients: int
    turns: bool = False
    room: Room = field(init=False)
    members: dict[str, str] = field(default_factory=dict)
    queue: list[str] = field(default_factory=list)
    followers: list[str] = field(default_factory=lambda: [RELAY])
    ended: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    public: list[Event] = field(default_factory=list)
    came: dict[str, int] = field(default_factory=dict)
    heard: dict[str, list[Event]] = field(default_factory=lambda: {RELAY: []})
    speakers: list[str] = field(default_factory=list)
    last_id: int = 0

    def __post_init__(self) -> None:
        self.room = Room(max_clients=self.max_clients, turns=self.turns)

    def take(self, step: Step) -> list[Heard]:
        """Let something happen, and check what the room tells."""
        unheard = step.peer in self.ended
        self.operators = {*OPERATORS, *(peer.id for peer in self.room.operators)}
        is_gone = any(isinstance(request, Gone) for request in step.requests)
        tellings = self.room.apply(step.asked)
        heard = list(self._believe(step, tellings))
        if unheard:
            assert heard == [], "who has ended asks in vain"
            assert is_gone or tellings == []
        if is_gone:
            self.ended.discard(step.peer)
        if self.room.is_unsettled:
            settled = self.room.apply(Asked(HOUSE, (Settle(),), NOW))
            heard += self._believe(Step("", (Settle(),)), settled)
        assert not self.room.is_unsettled
        self._check_members()
        return heard

    def play(self, story: list[Step]) -> None:
        """Let all this happen, one after the other."""
        for step in story:
            self.take(step)

    # ---- what is told, and what must hold then

    def _believe(self, step: Step, tellings: list[Telling]) -> Iterator[Heard]:
        for telling in tellings:
            match telling:
                case Told(events=events, to=to, author=author):
                    audience = tuple(self.followers if to is None else (peer.id for peer in to))
                    assert len(events) > 0
                    assert len(set(audience)) == len(audience), "nobody is told twice"
                    assert not set(audience) & self.ended, "nothing is told after the end"
                    for event in events:
                        heard = Heard(event, audience, None if author is None else author.id)
                        self._hear(step, heard, for_all=to is None)
                        yield heard
                case Follows(peer=peer):
                    assert peer.id not in self.followers
                    self.followers.append(peer.id)
                    self.came[peer.id] = len(self.public)
                    self.heard[peer.id] = []
                case Unfollows(peer=peer):
                    self._unfollow(peer.id)
                case Ends(peer=peer):
                    self._end(peer.id)

    def _hear(self, step: Step, heard: Heard, *, for_all: bool) -> None:
        event, audience, author = heard
        self._check_id(step, event)
        if isinstance(event, Refused | Pong | Roster | Moderated) and not for_all:
            assert audience == (step.peer,)
            return
        match event:
            case Welcome():
                self._welcome(event, audience)
            case Joined() | Left() | Renamed() | Said() | Moderated():
                assert for_all
                assert event.at == AT
                self._change(event)
                self.public.append(event)
                for peer in audience:
                    self.heard[peer].append(event)
            case Whispered(handle=handle, to=to):
                assert author is not None
                assert self.members[author] == handle
                assert {self.members[peer] for peer in audience} == {handle, to}
                assert author in audience
            case Notice(text=text):
                self._notice(step, text, audience)
            case Closing():
                self._close(step, event, audience)
        if isinstance(event, Moderated) and event.by:
            assert event.by == self.members[step.peer]
        if isinstance(event, Said):
            assert author == step.peer
            assert event.handle == self.members[author]
            assert 1 <= len(event.text) <= 500
            self.speakers.append(author)

    def _check_id(self, step: Step, event: Event) -> None:
        """Ids are given one after the other, so they grow for each who hears of them."""
        if isinstance(event, Refused):
            if event.id == 0:
                assert event in step.requests or any(
                    isinstance(request, Who | Typed) for request in step.requests
                )
                return
        elif not hasattr(event, "id"):
            return
        self.last_id += 1
        assert getattr(event, "id", 0) == self.last_id

    def _welcome(self, event: Welcome, audience: tuple[str, ...]) -> None:
        [peer] = audience
        assert peer not in self.members
        assert peer not in self.followers, "nobody is told its own joining"
        joined = self.public[-1]
        assert isinstance(joined, Joined)
        assert joined.handle == event.handle
        if self.queue and peer not in OPERATORS:
            assert self.queue.pop(0) == peer, "first come, first served"
        self.members[peer] = event.handle
        assert event.server == "Server"
        assert event.last == self.last_id
        assert Counter(event.roster) == Counter(self.members.values())

    def _change(self, event: Event) -> None:
        match event:
            case Left(handle=handle):
                assert handle not in self.members.values(), "who has left does not hear it"
            case Renamed(handle=handle, new=new):
                [peer] = [peer for peer, worn in self.members.items() if worn == handle]
                self.members[peer] = new

    def _close(self, step: Step, event: Closing, audience: tuple[str, ...]) -> None:
        if Expired(event.reason) in step.requests:
            assert step.peer not in self.members
            assert audience == (step.peer,)
            assert (event.retry, event.ask) == (True, True)
            return
        if event == Closing("banned") and audience == (step.peer,):
            assert step.peer not in self.members, "who is banned does not come in"
            return
        assert step.peer in self.operators
        assert step.peer not in audience
        assert event.ask is event.retry
        if event.retry:
            assert set(audience) == {*self.members, *self.queue} - set(OPERATORS)
        else:
            assert len(audience) == 1

    def _notice(self, step: Step, text: str, audience: tuple[str, ...]) -> None:
        if text == "all clients disconnected":
            assert audience == tuple(self.followers)
            assert set(self.members) <= set(OPERATORS)
            return
        own = (
            "Topic: ",
            "there is no topic",
            "nobody is banned",
            "banned: ",
            "muted: ",
            "no other server",
            HELP,
        )
        if text.startswith(own) or Notice(text) in step.requests:
            assert audience == (step.peer,)
            return
        [peer] = audience
        if peer not in self.queue:
            self.queue.append(peer)
        place = self.queue.index(peer) + 1
        assert text == f"The room is full; you are number {place} in line"

    def _unfollow(self, peer: str) -> None:
        self.followers.remove(peer)
        del self.members[peer]
        assert self.heard.pop(peer) == self.public[self.came.pop(peer) :]
        self.speakers = ["" if speaker == peer else speaker for speaker in self.speakers]

    def _end(self, peer: str) -> None:
        assert peer not in self.followers
        self.ended.add(peer)
        if peer in self.queue:
            self.queue.remove(peer)

    # ---- what holds at any moment

    def _check_members(self) -> None:
        worn = list(self.members.values())
        roster = self.room.roster
        assert self.room.last_id == self.last_id
        assert self.followers == [RELAY, *self.members]
        assert Counter(roster) == Counter(worn)
        assert list(roster) == sorted(worn, key=lambda one: (handle_key(one), one))
        assert len({handle.casefold() for handle in worn}) == len(worn)
        for peer in (*OPERATORS, *CLIENTS, RELAY):
            here = peer in self.members or peer in self.queue
            handle = self.room.members.handle_of(peer_of(peer))
            assert (handle is not None) == here
            if peer in self.members:
                assert handle == self.members[peer]
        clients = len(set(self.members) - set(OPERATORS))
        assert clients <= self.max_clients
        if self.queue:
            assert clients == self.max_clients
        for peer in self.members:
            assert self.heard[peer] == self.public[self.came[peer] :]
        assert self.heard[RELAY] == self.public


@given(steps, limits, st.booleans())
def test_whatever_happens(story: list[Step], max_clients: int, turns: bool) -> None:
    """Nothing makes the room raise, and what it tells fits together at every moment."""
    Witness(max_clients, turns).play(story)


@given(steps, limits)
def test_nobody_speaks_twice_in_a_row(story: list[Step], max_clients: int) -> None:
    """With turns nobody who stays in the room speaks twice in a row."""
    witness = Witness(max_clients, turns=True)
    witness.play(story)
    turns = pairwise(witness.speakers)
    assert [one for one, next_one in turns if one == next_one != ""] == []


def ends_a_stay(step: Step) -> bool:
    """Whether it might put out, or silence, those who are to stay."""
    if any(one == Typed("\\quiet on") or isinstance(one, Quiet) for one in step.requests):
        return True
    return step.peer in OPERATORS and any(
        isinstance(request, Quit | Typed)
        or (
            isinstance(request, Kick | Ban | Mute)
            and handle_key(request.handle) in ("fay_", "gus_")
        )
        for request in step.requests
    )


@given(steps, steps)
def test_all_who_stay_hear_the_same(before: list[Step], after: list[Step]) -> None:
    """Two who are in the room all the time hear the same public events in the same order."""
    witness = Witness(max_clients=1000)
    stayers = ("fay", "gus")
    ours: dict[str, list[Event]] = {peer: [] for peer in stayers}
    story = [
        Step("fay", (Join("Fay_"),)),
        Step("gus", (Join("Gus_"),)),
        *before,
        Step("fay", (Say("hello"),)),
        *after,
        Step("gus", (Say("bye"),)),
    ]
    for one in story:
        if ends_a_stay(one):
            continue
        for event, audience, _ in witness.take(one):
            for peer in stayers:
                if peer in audience and isinstance(event, Said | Joined | Left | Renamed):
                    ours[peer].append(event)
    assert ours["fay"] == [Joined("Gus_", 2, AT), *ours["gus"]]
    said = [event for event in ours["gus"] if isinstance(event, Said)]
    assert (said[-1].handle, said[-1].text) == ("Gus_", "bye")
    assert ("Fay_", "hello") in [(event.handle, event.text) for event in said]


@given(steps, limits, texts)
def test_a_whisper_is_for_two(story: list[Step], max_clients: int, text: str) -> None:
    """After any story a whisper reaches the one whom it names and its author, or nobody."""
    witness = Witness(max_clients)
    witness.play(story)
    for peer in {*OPERATORS, *CLIENTS} - witness.ended:
        for to in HANDLES:
            [(event, audience, _)] = witness.take(Step(peer, (Whisper(to, text),)))
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
    for peer in (*CLIENTS, *OPERATORS):
        witness.take(Step(peer, (Gone("connection lost"),)))
    assert witness.room.roster == ()
    assert (witness.room.ended, witness.room.places) == (set(), {})
    assert witness.room.operators == set()
    witness.room.rulings = Rulings()  # which stay
    last = witness.last_id + 1
    assert witness.take(Step("eve", (Join("Ann"),))) == [
        Heard(Joined("Ann", last, AT), (RELAY,)),
        Heard(Welcome("Ann", "Server", ("Ann",), last), ("eve",)),
    ]
    assert [type(heard.event) for heard in witness.take(Step("eve", (Say("first"),)))] == [Said]


# ---- one order for all


@given(steps, limits, st.booleans())
def test_the_room_is_deterministic(story: list[Step], max_clients: int, turns: bool) -> None:
    """The same story, told to two rooms, makes both tell the same."""
    rooms = [Room(max_clients=max_clients, turns=turns) for _ in range(2)]
    for step in (*story, Step("", (Settle(),))):
        one, other = (room.apply(step.asked) for room in rooms)
        assert one == other


def played(room: Room, step: Step, *, is_cut: bool) -> list[object]:
    """What a room tells for a step, event by event, asked for all of it at once or one by one."""
    pieces = [Step(step.peer, (request,)) for request in step.requests] if is_cut else [step]
    if room.is_unsettled:
        pieces.append(Step("", (Settle(),)))
    told: list[object] = []
    for piece in pieces:
        for telling in room.apply(piece.asked):
            if isinstance(telling, Told):
                told += [(event, telling.to, telling.author) for event in telling.events]
            else:
                told.append(telling)
    return told


@given(steps, limits, st.booleans())
def test_pieces_do_not_matter(story: list[Step], max_clients: int, turns: bool) -> None:
    """What is asked for at once is told as if it had been asked for one by one; ids, too."""
    at_once = Room(max_clients=max_clients, turns=turns)
    one_by_one = Room(max_clients=max_clients, turns=turns)
    for step in story:
        assert played(at_once, step, is_cut=False) == played(one_by_one, step, is_cut=True)
    assert at_once.last_id == one_by_one.last_id


@given(st.lists(st.one_of(likely, any_request, gone), max_size=12), names, st.booleans())
def test_a_run_of_messages_is_one(requests: list[AnyRequest], name: str, turns: bool) -> None:
    """Messages that are told one after the other, of the same author, are told as one."""
    requests = [one for one in requests if not isinstance(one, Expired)]  # parts, and tells nothing
    room = Room(turns=turns)
    room.apply(Step(name, (Join("Ann"),)).asked)
    tellings = room.apply(Step(name, tuple(requests)).asked)
    says = [isinstance(one, Told) and isinstance(one.events[0], Said) for one in tellings]
    assert not any(one and other for one, other in pairwise(says))
