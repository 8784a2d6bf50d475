r"""The room, as transcripts.

A transcript is a conversation: what each peer does, and below it what the room tells whom.

    ann: hello              ann types this; her first line is the handle that she wants
        ann, bob | Ann> hello
    (bob is cut off)        a stage direction, see `Stage`
        ann | * Bob left (connection lost)
            and so on       what is indented further goes on where the line above ends

The peers are called ``ann``, ``bob``, ``boss`` (who becomes the operator), and the like; what they
are called in the room is their own choice. `transcript` plays the conversation again, and it must
come out to the letter: who is told, in which order, and nobody else.
"""

import re
from textwrap import dedent
from typing import Any, NamedTuple, TypeVar

import msgspec
import pytest

from triochat.hosts import host_of
from triochat.messages import (
    Closing,
    Event,
    Join,
    Joined,
    Kick,
    Left,
    Notice,
    Ping,
    Pong,
    Quit,
    Refused,
    Rename,
    Renamed,
    Roster,
    Said,
    Say,
    Typed,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.order import (
    HOUSE,
    AnyRequest,
    Asked,
    Came,
    Expired,
    Gone,
    Idled,
    Peer,
    Reply,
    Settle,
    arrival,
)
from triochat.room import Room
from triochat.rules import QUEUE
from triochat.telling import Ends, Follows, Replies, Telling, Told, Unfollows
from triochat.words import words_of

NOW = 1767323045.5
AT = "2026-01-02T03:04:05.500Z"

E = TypeVar("E", bound=Event)


class Heard(NamedTuple):
    """An event, who hears it, and whose words it carries; peers by their names."""

    event: Event
    audience: tuple[str, ...]
    author: str | None = None


def bare(event: E) -> E:
    """The event without what the room gives to each: the id and the time."""
    given: dict[str, Any] = {"id": 0, "at": "", "last": 0}
    fields = {name: value for name, value in given.items() if hasattr(event, name)}
    return msgspec.structs.replace(event, **fields)


class Stage:
    """A room, and peers who are known by names; plays one line of a transcript at a time.

    It plays the part of the connections, too: it knows who follows, and tells the room that a peer
    is gone whose connection the room has ended, so that a name may come again as another peer.
    """

    def __init__(self, room: Room | None = None) -> None:
        self.room = room or Room()
        self.operators: set[str] = set()
        self.followers: list[str] = []
        self.ended: dict[str, None] = {}
        self.hosts: dict[str, str] = {}
        self.doors: dict[str, str] = {}
        self.now = NOW

    def peer(self, name: str) -> Peer:
        """Who is called so on this stage."""
        return Peer(name, host=self.hosts.get(name, ""), is_console=name in self.operators)

    def handle_of(self, name: str) -> str | None:
        """What the room calls the peer."""
        return self.room.members.handle_of(self.peer(name))

    def tell(self, name: str, *requests: AnyRequest, now: float | None = None) -> list[Heard]:
        """What is heard because this peer asks for all this at once, and of nothing else."""
        now = self.now if now is None else now
        told = self.room.apply(Asked(self.peer(name), requests, now))
        for one in told:
            if isinstance(one, Follows) and one.peer not in self.room.doors:
                by = "console" if one.peer.is_console else self.doors.get(one.peer.id, "plain")
                assert not self.room.apply(Asked(one.peer, (Came(by),), now))
        return self._follow(told)

    def ask(self, name: str, *requests: AnyRequest, now: float | None = None) -> list[Heard]:
        """The same, with ids and times left out, when all is done that the house does."""
        now = self.now if now is None else now
        for gone in [*self.ended]:
            assert self.tell(gone, Gone("")) == [], "who is gone is not missed twice"
            del self.ended[gone]
        heard = self.tell(name, *requests, now=now)
        if self.room.is_unsettled:
            heard += self._follow(self.room.apply(Asked(HOUSE, (Settle(),), now)))
        assert not self.room.is_unsettled
        return [Heard(bare(event), audience, author) for event, audience, author in heard]

    def play(self, line: str) -> list[str]:
        """What everybody is told because of this line, in order."""
        if direction := re.fullmatch(r"\((\w+) (.+)\)", line):
            return self._show(self._direct(direction[1], direction[2]))
        peer, typed = line.split(": ", 1)
        return self._show(self.ask(peer, Typed(typed)))

    def _direct(self, name: str, direction: str) -> list[Heard]:
        match direction:
            case "is the operator":
                self.operators.add(name)
            case _ if place := re.fullmatch(r"comes from (\S+)", direction):
                self.hosts[name] = host_of(place[1])
            case _ if span := re.fullmatch(r"waits (\d+) seconds", direction):
                self.now += int(span[1])
            case _ if door := re.fullmatch(r"comes by (\S+)", direction):
                self.doors[name] = door[1]
            case "watches":
                self.followers.append(name)
            case "pings":
                return self.ask(name, Ping())
            case "is too late":
                return self.ask(name, Expired("no handle in time"))
            case "is cut off":
                if name in self.followers and self.handle_of(name) is None:
                    self.followers.remove(name)
                return self.ask(name, Gone("connection lost"))
            case _:
                raise AssertionError(direction)
        return []

    def _follow(self, tellings: list[Telling]) -> list[Heard]:
        heard: list[Heard] = []
        for telling in tellings:
            match telling:
                case Told(events=events, to=to, author=author):
                    audience = tuple(self.followers if to is None else (peer.id for peer in to))
                    assert not set(audience) & set(self.ended), "nothing is told after the end"
                    by = None if author is None else author.id
                    heard += [Heard(event, audience, by) for event in events]
                case Follows(peer=peer):
                    assert peer.id not in self.followers
                    self.followers.append(peer.id)
                case Unfollows(peer=peer):
                    self.followers.remove(peer.id)
                case Ends(peer=peer):
                    self.ended[peer.id] = None
        return heard

    def _show(self, heard: list[Heard]) -> list[str]:
        shown: list[str] = []
        for event, audience, _ in heard:
            readers: dict[str, list[str]] = {}
            for peer in audience:
                words = words_of(event, self.handle_of(peer) or "")
                readers.setdefault(words, []).append(peer)
            for words, peers in readers.items():
                shown += [f"    {', '.join(peers)} | {line}" for line in words.split("\n")]
        return shown


def transcript(script: str, stage: Stage | None = None) -> None:
    """Play what is done in this script, and compare what everybody is told."""
    __tracebackhide__ = True
    wanted = re.sub(r"\n {8,}", " ", dedent(script).strip()).split("\n")
    stage = stage or Stage()
    played: list[str] = []
    for line in wanted:
        if not line.startswith(" "):
            played += [line, *stage.play(line)]
    assert played == wanted


def peopled(*peers: str, turns: bool = False, max_clients: int = 1000) -> Stage:
    """A room in which these peers are already; ``boss`` is its operator."""
    stage = Stage(Room(turns=turns, max_clients=max_clients, place="port 9999"))
    for peer in peers:
        if peer == "boss":
            stage.operators.add(peer)
        stage.ask(peer, Join("Server" if peer == "boss" else peer.capitalize()))
    return stage


# ---- joining


def test_join() -> None:
    """Who joins is welcomed with the roster, and those who are there hear of it."""
    transcript("""
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: Bob
            ann | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Ann, Bob
        cid: cid
            ann, bob | * cid joined
            cid | * Server connected. You are cid. 3 here: Ann, Bob, cid
    """)


def test_a_handle_is_kept_in_nfkc() -> None:
    """A handle is kept and shown in its plain form."""
    transcript("""
        ann: \uff21\uff4e\uff4e
            ann | * Server connected. You are Ann. 1 here: Ann
    """)


def test_a_taken_handle() -> None:
    """Handles that differ only in case, width or composition are the same."""
    transcript("""
        ann: Strasse
            ann | * Server connected. You are Strasse. 1 here: Strasse
        bob: Strasse
            bob | ! handle "Strasse" is taken; try another
        bob: sTRASSE
            bob | ! handle "sTRASSE" is taken; try another
        bob: stra\u00dfe
            bob | ! handle "stra\u00dfe" is taken; try another
        bob: \uff53trasse
            bob | ! handle "strasse" is taken; try another
        bob: Bob
            ann | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Bob, Strasse
    """)


def test_a_handle_that_looks_like_another() -> None:
    """Nobody joins, or is renamed, to what readers would take for somebody who is here."""
    transcript("""
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: Ann.
            bob | ! handle "Ann." looks like "Ann", who is here; try another
        bob: \u0410nn
            bob | ! handle "\u0410nn" mixes alphabets: "\u0410" is Cyrillic,
                "nn" is Latin; try another
        bob: Ann\u1433
            bob | ! handle "Ann\u1433" mixes alphabets: "Ann" is Latin,
                "\u1433" is Canadian Aboriginal; try another
        bob: _Server
            bob | ! handle "_Server" looks like "Server", which is reserved; try another
        bob: coco
            ann | * coco joined
            bob | * Server connected. You are coco. 2 here: Ann, coco
        cid: \u0441\u043e\u0441\u043e
            cid | ! handle "\u0441\u043e\u0441\u043e" looks like "coco", who is here; try another
        cid: \u0410\u043d\u044f
            ann, bob | * \u0410\u043d\u044f joined
            cid | * Server connected. You are \u0410\u043d\u044f.
                3 here: Ann, coco, \u0410\u043d\u044f
        bob: \\nick ann-
            bob | ! handle "ann-" looks like "Ann", who is here; try another
        bob: psst > ann-
            bob | ! nobody here is called "ann-"; nothing was sent
        ann: \\nick Ann.
            ann, bob, cid | * Ann is now Ann.
        (ann is cut off)
            bob, cid | * Ann. left (connection lost)
        bob: \\nick ann-
            bob, cid | * coco is now ann-
    """)


@pytest.mark.parametrize("handle", ["you", "YOU", "\uff59ou", "Server", "sERVER"])
def test_a_reserved_handle(handle: str) -> None:
    """Nobody is called ``you``, and no client like the server, with or without an operator."""
    stage = Stage()
    shown = handle.replace("\uff59", "y")
    refused = Refused("handle-reserved", f'handle "{shown}" is reserved; try another')
    assert stage.ask("ann", Join(handle)) == [Heard(refused, ("ann",))]
    stage.play("(boss is the operator)")
    stage.ask("boss", Ping())
    assert stage.ask("ann", Join(handle)) == [Heard(refused, ("ann",))]


def test_the_server_has_a_name() -> None:
    """The server's own handle is reserved, whatever it is; ``Server`` is free then."""
    transcript(
        """
        ann: hOST
            ann | ! handle "hOST" is reserved; try another
        ann: Server
            ann | * Host connected. You are Server. 1 here: Server
        """,
        Stage(Room("Host")),
    )


def test_an_invalid_handle() -> None:
    """Who asks for no handle at all stays outside, is told why, and may try again."""
    transcript("""
        ann: two words
            ann | ! handle "two words" may have letters, digits, "_", "." and "-" only,
                and no spaces; try another
        ann: 42
            ann | ! handle "42" needs at least one letter or "_"; try another
        ann: .hidden
            ann | ! handle ".hidden" must start with a letter, a digit or "_"; try another
        ann: Annabella-Maria
            ann | ! handle "Annabella-Maria" has 15 characters; at most 10 are allowed; try another
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
    """)


def test_joining_twice() -> None:
    """Who is a member already cannot join again, and is told how to change its handle."""
    stage = peopled("ann", "bob")
    already = Refused("already-joined", 'you are "Ann" already; \\nick NAME changes your handle')
    for handle in ("Ann", "Anna", "Bob", "no handle"):
        assert stage.ask("ann", Join(handle)) == [Heard(already, ("ann",))]
    assert stage.room.roster == ("Ann", "Bob")


@pytest.mark.parametrize(
    "request_", [Say("hi"), Whisper("Bob", "hi"), Rename("Ann")], ids=["say", "whisper", "rename"]
)
def test_strangers_say_nothing(request_: Say | Whisper | Rename) -> None:
    """Before joining nothing is said, whispered or renamed."""
    unsent = "" if isinstance(request_, Rename) else "; nothing was sent"
    not_joined = Refused("not-joined", f"join with a handle first{unsent}")
    assert peopled("bob").ask("ann", request_) == [Heard(not_joined, ("ann",))]


# ---- speaking


def test_say() -> None:
    """What is said is heard by all, its speaker too, in the order in which it was said."""
    transcript(
        """
        ann: hello everybody
            ann, bob, cid | Ann> hello everybody
        bob: hi Ann
            ann, bob, cid | Bob> hi Ann
        ann: 5 > 3
            ann, bob, cid | Ann> 5 > 3
        ann: \\say cat a > b
            ann, bob, cid | Ann> cat a > b
        """,
        peopled("ann", "bob", "cid"),
    )


def test_what_is_said_is_cleaned() -> None:
    """Control characters never come into the stage."""
    stage = peopled("ann")
    told = stage.ask("ann", Say("\x1b[31ma\tb\u202e\r\nc"))
    assert told == [Heard(Said(0, "", "Ann", "[31ma b c"), ("ann",), "ann")]


def test_a_message_of_500_characters() -> None:
    """500 characters are said; 501 are refused with their number, to the speaker alone."""
    stage = peopled("ann", "bob")
    assert stage.ask("ann", Say("x" * 500)) == [
        Heard(Said(0, "", "Ann", "x" * 500), ("ann", "bob"), "ann")
    ]
    too_long = Refused(
        "message-too-long", "501 characters; at most 500 are allowed; nothing was sent"
    )
    assert stage.ask("ann", Say("x" * 501)) == [Heard(too_long, ("ann",))]
    assert stage.ask("ann", Whisper("Bob", "x" * 501)) == [Heard(too_long, ("ann",))]


def test_an_empty_message() -> None:
    """A message that shows nothing is refused."""
    stage = peopled("ann", "bob")
    empty = Refused("message-empty", "the message is empty; nothing was sent")
    assert stage.ask("ann", Say(" \u200b")) == [Heard(empty, ("ann",))]
    assert stage.ask("ann", Whisper("Bob", "")) == [Heard(empty, ("ann",))]


def test_who_joins_later_has_not_heard() -> None:
    """The audience of a message is who was there when it was said."""
    stage = peopled("ann")
    [early] = stage.ask("ann", Say("early"))
    stage.ask("bob", Join("Bob"))
    [late] = stage.ask("ann", Say("late"))
    stage.ask("bob", Quit())
    assert early.audience == ("ann",)
    assert late.audience == ("ann", "bob")


def test_what_is_for_all_names_nobody() -> None:
    """What all hear is addressed to whoever follows, so that nobody need be counted."""
    room = peopled("ann", "bob").room
    for request in (Say("1"), Rename("Anna"), Quit()):
        tellings = room.apply(Asked(Peer("ann"), (request,), NOW))
        assert [one.to for one in tellings if isinstance(one, Told)] == [None]


@pytest.mark.parametrize(
    ("now", "at"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1767323045.0, "2026-01-02T03:04:05.000Z"),
        (1767323045.25, "2026-01-02T03:04:05.250Z"),
        (1767323045.678, "2026-01-02T03:04:05.678Z"),
        (1767323045.9996, "2026-01-02T03:04:06.000Z"),
        (4102444799.999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_times(now: float, at: str) -> None:
    """A message carries the time at which it was said: UTC, with milliseconds."""
    [said] = peopled("ann").tell("ann", Say("hi"), now=now)
    assert said.event == Said(2, at, "Ann", "hi")


def test_times_go_on() -> None:
    """Messages of the same second and of the next have their own times."""
    stage = peopled("ann")
    times: list[str] = []
    for now in (NOW, NOW + 0.25, NOW + 0.5, NOW + 60.0, NOW):
        [(said, *_)] = stage.tell("ann", Say("hi"), now=now)
        assert isinstance(said, Said)
        times.append(said.at.removeprefix("2026-01-02T"))
    assert times == ["03:04:05.500Z", "03:04:05.750Z", "03:04:06.000Z", "03:05:05.500Z", times[0]]


# ---- whispering


def test_whisper() -> None:
    """A whisper is heard by the two alone."""
    transcript(
        """
        ann: psst > Bob
            bob | [Ann -> you] psst
            ann | [you -> Bob] psst
        bob: \\msg ANN what?
            ann | [Bob -> you] what?
            bob | [you -> Ann] what?
        """,
        peopled("ann", "bob", "cid"),
    )


def test_a_whisper_names_its_reader_rightly() -> None:
    """However the whisper was addressed, it carries the handle as its reader wears it."""
    told = peopled("ann", "bob").ask("ann", Whisper("\uff42OB", "psst"))
    assert told == [Heard(Whispered(0, "", "Ann", "Bob", "psst"), ("bob", "ann"), "ann")]


def test_a_typo_in_a_whisper() -> None:
    """A whisper to somebody who is not here is told to nobody."""
    transcript(
        """
        ann: secret > Bobb
            ann | ! nobody here is called "Bobb"; nothing was sent
        ann: secret > bobbobbobbobbob
            ann | ! nobody here is called "bobbobbobbobbob"; nothing was sent
        ann: secret > Server
            ann | ! nobody here is called "Server"; nothing was sent
        """,
        peopled("ann", "bob"),
    )


def test_a_long_typo_is_shown_in_part() -> None:
    """Of a handle that is not here at most 40 characters are repeated."""
    [told] = peopled("ann").ask("ann", Whisper("x" * 1000, "hi"))
    shown = "x" * 39 + "\u2026"
    assert told.event == Refused(
        "no-such-handle", f'nobody here is called "{shown}"; nothing was sent'
    )


def test_a_whisper_to_oneself() -> None:
    """Who whispers to itself hears it once."""
    told = peopled("ann", "bob").ask("ann", Whisper("Ann", "note"))
    assert told == [Heard(Whispered(0, "", "Ann", "Ann", "note"), ("ann",), "ann")]


def test_nobody_whispers_to_somebody_in_line() -> None:
    """Who waits in line is not here yet."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        ann: psst > Bob
            ann | ! nobody here is called "Bob"; nothing was sent
        """,
        peopled("ann", max_clients=1),
    )


# ---- names


def test_rename() -> None:
    """Who renames itself is called so from then on, and the old handle is free."""
    transcript(
        """
        ann: \\nick Anna
            ann, bob | * Ann is now Anna
        ann: hello
            ann, bob | Anna> hello
        bob: psst > Ann
            bob | ! nobody here is called "Ann"; nothing was sent
        bob: psst > anna
            ann | [Bob -> you] psst
            bob | [you -> Anna] psst
        cid: ann
            ann, bob | * ann joined
            cid | * Server connected. You are ann. 3 here: ann, Anna, Bob
        """,
        peopled("ann", "bob"),
    )


def test_rename_to_another_spelling() -> None:
    """One's own handle in another case is not taken."""
    transcript(
        """
        ann: \\nick ANN
            ann, bob | * Ann is now ANN
        ann: ?
            ann | * 2 here: ANN, Bob
        ann: \\nick ANN
            ann | ! you are "ANN" already
        """,
        peopled("ann", "bob"),
    )


def test_rename_refused() -> None:
    """A handle that is taken, reserved or none leaves the old one as it was."""
    transcript(
        """
        ann: \\nick bOB
            ann | ! handle "bOB" is taken; try another
        ann: \\nick You
            ann | ! handle "You" is reserved; try another
        ann: \\nick server
            ann | ! handle "server" is taken; try another
        ann: \\nick a b
            ann | ! handle "a b" may have letters, digits, "_", "." and "-" only,
                and no spaces; try another
        ann: ?
            ann | * 3 here: Ann, Bob, Server
        boss: \\nick Chief
            boss | ! the console keeps the server's handle
        """,
        peopled("boss", "ann", "bob"),
    )


def test_who() -> None:
    """Members, and those in line, are told who is here, sorted without regard to case."""
    transcript(
        """
        ann: ?
            ann | * 3 here: Ann, bea, Cid
        """,
        _with("Cid", "Ann", "bea"),
    )
    refused = Refused("not-joined", "join with a handle first")
    assert _with("Cid", "Ann").ask("a stranger", Who()) == [Heard(refused, ("a stranger",))]


def _with(*handles: str) -> Stage:
    stage = Stage()
    for handle in handles:
        stage.ask(handle.lower(), Join(handle))
    return stage


def test_ping() -> None:
    """A ping is answered, to whoever it was."""
    stage = peopled("ann", "bob")
    assert stage.ask("ann", Ping()) == [Heard(Pong(), ("ann",))]
    assert stage.ask("a stranger", Ping()) == [Heard(Pong(), ("a stranger",))]


def test_handles_are_known_by_their_peers() -> None:
    """The room knows the handle of a member, and of a peer in line, and of nobody else."""
    stage = peopled("ann", max_clients=1)
    stage.ask("bob", Join("Bob"))
    assert [stage.handle_of(peer) for peer in ("ann", "bob", "cid")] == ["Ann", "Bob", None]
    stage.ask("ann", Gone("quit"))
    stage.ask("bob", Gone("quit"))
    assert [stage.handle_of(peer) for peer in ("ann", "bob", "cid")] == [None, None, None]


# ---- leaving


def test_leave() -> None:
    """Those who stay hear who left, and why unless it was its own wish."""
    transcript(
        """
        ann: \\quit
            bob, cid | * Ann left
        (bob is cut off)
            cid | * Bob left (connection lost)
        cid: ?
            cid | * 1 here: Cid
        """,
        peopled("ann", "bob", "cid"),
    )


def test_the_reason_of_leaving() -> None:
    """To ask to quit is to leave with the reason ``quit``; any other is told as it is."""
    assert peopled("ann", "bob").ask("ann", Quit()) == [Heard(Left("Ann", "quit"), ("bob",))]
    assert peopled("ann", "bob").ask("ann", Gone("quit")) == [Heard(Left("Ann", "quit"), ("bob",))]
    assert peopled("ann", "bob").ask("ann", Gone("fell behind")) == [
        Heard(Left("Ann", "fell behind"), ("bob",))
    ]


def test_who_left_may_come_back() -> None:
    """A handle is free as soon as its member is gone, also for another peer."""
    transcript(
        """
        ann: \\quit
            bob | * Ann left
        cid: Ann
            bob | * Ann joined
            cid | * Server connected. You are Ann. 2 here: Ann, Bob
        ann: Ann
            ann | ! handle "Ann" is taken; try another
        ann: Anna
            bob, cid | * Anna joined
            ann | * Server connected. You are Anna. 3 here: Ann, Anna, Bob
        """,
        peopled("ann", "bob"),
    )


def test_leaving_twice() -> None:
    """Who is not here can leave as often as it likes, and nobody hears of it."""
    transcript(
        """
        ann: \\quit
            bob | * Ann left
        ann: \\quit
        (ann is cut off)
        (eve is cut off)
        bob: ?
            bob | * 1 here: Bob
        """,
        peopled("ann", "bob"),
    )


# ---- the operator


def test_the_operator_is_a_member() -> None:
    """Whoever sits at the server joins under its handle, speaks, hears and whispers."""
    transcript(
        """
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
        (boss is the operator)
        boss: Server
            ann | * Server joined
            boss | * Server connected. You are Server. 2 here: Ann, Server
        boss: welcome
            ann, boss | Server> welcome
        ann: psst > server
            boss | [Ann -> you] psst
            ann | [you -> Server] psst
        boss: yes? > Ann
            ann | [Server -> you] yes?
            boss | [you -> Ann] yes?
        ann: ?
            ann | * 2 here: Ann, Server
        """
    )


def test_the_operator_overhears_no_whispers() -> None:
    """A whisper between two clients is not for the operator either."""
    transcript(
        """
        ann: psst > Bob
            bob | [Ann -> you] psst
            ann | [you -> Bob] psst
        """,
        peopled("boss", "ann", "bob"),
    )


def test_while_the_operator_is_here_its_handle_is_taken() -> None:
    """A client that wants the operator's handle is refused."""
    transcript(
        """
        ann: server
            ann | ! handle "server" is taken; try another
        """,
        peopled("boss"),
    )


def test_kick() -> None:
    """Who is kicked is told so and why; the others hear that it left, and why."""
    transcript(
        """
        boss: \\kick bOB
            bob | * Server closed the connection: kicked
            boss, ann, cid | * Bob left (kicked)
        boss: \\kick Ann too \t loud\x1b
            ann | * Server closed the connection: kicked: too   loud
            boss, cid | * Ann left (kicked: too   loud)
        boss: ?
            boss | * 2 here: Cid, Server
            boss | * by door: 1 console (Server), 1 plain (Cid)
        """,
        peopled("boss", "ann", "bob", "cid"),
    )


def test_a_kicked_client_is_not_to_come_back_by_itself() -> None:
    """The good-bye to who is kicked invites nobody back."""
    told = peopled("boss", "ann").ask("boss", Kick("Ann", " why "))
    assert told == [
        Heard(Closing("kicked: why", retry=False), ("ann",)),
        Heard(Left("Ann", "kicked: why", by="Server"), ("boss",)),
    ]


@pytest.mark.parametrize(
    ("why", "code"),
    [(" ", "message-empty"), ("\u200b", "message-empty"), ("x" * 501, "message-too-long")],
    ids=["blank", "invisible", "too long"],
)
def test_a_reason_is_a_text(why: str, code: str) -> None:
    """A reason that could not be said kicks nobody."""
    stage = peopled("boss", "ann")
    [(refused, audience, _)] = stage.ask("boss", Kick("Ann", why))
    assert isinstance(refused, Refused)
    assert (refused.code, audience) == (code, ("boss",))
    assert stage.room.roster == ("Ann", "Server")


def test_only_the_operator_kicks() -> None:
    """Nobody else kicks anybody, whoever that may be."""
    transcript(
        """
        ann: \\kick Bob
            ann | ! only operators can use \\kick
        ann: \\kick Nobody
            ann | ! only operators can use \\kick
        ann: \\kick Ann
            ann | ! only operators can use \\kick
        """,
        peopled("boss", "ann", "bob"),
    )


def test_whom_the_operator_cannot_kick() -> None:
    """The operator kicks neither itself nor who is not here."""
    transcript(
        """
        boss: \\kick server
            boss | ! you cannot kick yourself
        boss: \\kick Bob
            boss | ! nobody here is called "Bob"; nobody was kicked
        """,
        peopled("boss", "ann"),
    )


def test_kick_somebody_in_line() -> None:
    """Somebody in line can be kicked too: its handle is free, and the others move up."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        cid: Cid
            cid | * The room is full; you are number 2 in line
        boss: \\kick Bob begone
            bob | * Server closed the connection: kicked: begone
            boss | * Bob is out of the line
            cid | * The room is full; you are number 1 in line
        dan: Bob
            dan | * The room is full; you are number 2 in line
        """,
        peopled("boss", "ann", max_clients=1),
    )


def test_a_kick_lets_the_next_one_in() -> None:
    """The place of who was kicked goes to the first in line."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        boss: \\kick Ann
            ann | * Server closed the connection: kicked
            boss | * Ann left (kicked)
            boss | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Bob, Server
        """,
        peopled("boss", "ann", max_clients=1),
    )


def test_the_operator_quits() -> None:
    """The operator's quit ends every client's connection, in line too; it sees them go."""
    transcript(
        """
        cid: Cid
            cid | * The room is full; you are number 1 in line
        boss: \\quit
            ann, bob, cid | * Server closed the connection: the operator ended the chat
            boss | * Ann left (the operator ended the chat)
            boss | * Bob left (the operator ended the chat)
            boss | * all clients disconnected; still listening on port 9999
        (ann is cut off)
        (cid is cut off)
        boss: ?
            boss | * 1 here: Server
            boss | * by door: 1 console (Server)
        cid: Ann
            boss | * Ann joined
            cid | * Server connected. You are Ann. 2 here: Ann, Server
        """,
        peopled("boss", "ann", "bob", max_clients=2),
    )


def test_after_the_operator_quits_all_may_come_back() -> None:
    """The good-bye says that coming back is welcome; a room without a place names none."""
    stage = Stage()
    stage.play("(boss is the operator)")
    for peer, handle in (("boss", "Server"), ("ann", "Ann")):
        stage.ask(peer, Join(handle))
    assert stage.ask("boss", Quit()) == [
        Heard(Closing("the operator ended the chat", retry=True, ask=True), ("ann",)),
        Heard(Left("Ann", "the operator ended the chat"), ("boss",)),
        Heard(Notice("all clients disconnected"), ("boss",)),
    ]
    assert stage.ask("ann", Join("Ann")) == [
        Heard(Joined("Ann"), ("boss",)),
        Heard(Welcome("Ann", "Server", ("Ann", "Server"), operators=("Server",)), ("ann",)),
    ]


def test_the_operator_leaves() -> None:
    """When the console is gone the clients hear that the operator left, and go on."""
    transcript(
        """
        (boss is cut off)
            ann | * Server left (connection lost)
        ann: anybody here?
            ann | Ann> anybody here?
        bob: Server
            bob | ! handle "Server" is reserved; try another
        """,
        peopled("boss", "ann"),
    )


# ---- capacity


def test_the_line() -> None:
    """Who finds the room full waits in line, is told its place, and is let in in order."""
    transcript(
        """
        cid: Cid
            cid | * The room is full; you are number 1 in line
        dan: Dan
            dan | * The room is full; you are number 2 in line
        eve: Eve
            eve | * The room is full; you are number 3 in line
        ann: \\quit
            bob | * Ann left
            bob | * Cid joined
            cid | * Server connected. You are Cid. 2 here: Bob, Cid
            dan | * The room is full; you are number 1 in line
            eve | * The room is full; you are number 2 in line
        bob: \\quit
            cid | * Bob left
            cid | * Dan joined
            dan | * Server connected. You are Dan. 2 here: Cid, Dan
            eve | * The room is full; you are number 1 in line
        """,
        peopled("ann", "bob", max_clients=2),
    )


def test_leaving_the_line() -> None:
    """Who gives up waiting is not missed in the room, and the line moves up."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        cid: Cid
            cid | * The room is full; you are number 2 in line
        dan: Dan
            dan | * The room is full; you are number 3 in line
        (bob is cut off)
            cid | * The room is full; you are number 1 in line
            dan | * The room is full; you are number 2 in line
        cid: \\quit
            dan | * The room is full; you are number 1 in line
        dan: \\quit
        ann: ?
            ann | * 1 here: Ann
        """,
        peopled("ann", max_clients=1),
    )


def test_a_place_in_line_keeps_the_handle() -> None:
    """The handle of somebody in line is taken, and free when it goes."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        cid: BOB
            cid | ! handle "BOB" is taken; try another
        ann: \\nick Bob
            ann | ! handle "Bob" is taken; try another
        (bob is cut off)
        ann: \\nick Bob
            ann | * Ann is now Bob
        """,
        peopled("ann", max_clients=1),
    )


def test_nobody_speaks_from_the_line() -> None:
    """Who waits in line neither says nor hears anything; it may ask who is here."""
    transcript(
        """
        bob: Bob
            bob | * The room is full; you are number 1 in line
        bob: hello
            bob | ! the room is full; wait until you are let in; nothing was sent
        bob: psst > Ann
            bob | ! the room is full; wait until you are let in; nothing was sent
        bob: \\nick Bobby
            bob | ! the room is full; wait until you are let in
        ann: hello
            ann | Ann> hello
        bob: ?
            bob | * 1 here: Ann
        (bob pings)
            bob | * pong
        """,
        peopled("ann", max_clients=1),
    )


def test_joining_twice_from_the_line() -> None:
    """Who is in line has a handle already, and keeps its place."""
    stage = peopled("ann", max_clients=1)
    stage.ask("bob", Join("Bob"))
    waiting = "the room is full; wait until you are let in"
    assert stage.ask("bob", Join("Bobby")) == [Heard(Refused("waiting", waiting), ("bob",))]


def test_the_operator_takes_nobodys_place() -> None:
    """The operator does not count against the capacity, and finds no room full."""
    transcript(
        """
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
        (boss is the operator)
        boss: Server
            ann | * Server joined
            boss | * Server connected. You are Server. 2 here: Ann, Server
        bob: Bob
            bob | * The room is full; you are number 1 in line
        (boss is cut off)
            ann | * Server left (connection lost)
        ann: \\quit
            bob | * Server connected. You are Bob. 1 here: Bob
        """,
        Stage(Room(max_clients=1)),
    )


def test_one_to_one() -> None:
    """With one client at a time, the next talks to the operator when the last one has left."""
    transcript(
        """
        ann: Ann
            boss | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Server
        bob: Bob
            bob | * The room is full; you are number 1 in line
        ann: hello
            boss, ann | Ann> hello
        boss: hello Ann
            boss, ann | Server> hello Ann
        ann: \\quit
            boss | * Ann left
            boss | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Bob, Server
        bob: hello
            boss, bob | Bob> hello
        """,
        peopled("boss", max_clients=1),
    )


# ---- turns


def test_turns_with_one_client() -> None:
    """With one client the two alternate, the client first; else one is told whose turn it is."""
    transcript(
        """
        boss: hello?
            boss | ! wait for somebody to answer; nobody else is here; nothing was sent
        ann: Ann
            boss | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Server
        boss: hello
            boss | ! it is the turn of Ann; nothing was sent
        ann: hi
            boss, ann | Ann> hi
        ann: are you there?
            ann | ! it is the turn of Server; nothing was sent
        boss: yes
            boss, ann | Server> yes
        boss: and you?
            boss | ! it is the turn of Ann; nothing was sent
        ann: me too
            boss, ann | Ann> me too
        """,
        peopled("boss", turns=True),
    )


def test_turns_with_the_operator_coming_late() -> None:
    """The client is first also where it came before the operator."""
    transcript(
        """
        (boss is the operator)
        ann: Ann
            ann | * Server connected. You are Ann. 1 here: Ann
        boss: Server
            ann | * Server joined
            boss | * Server connected. You are Server. 2 here: Ann, Server
        boss: hello
            boss | ! it is the turn of Ann; nothing was sent
        ann: hello
            ann, boss | Ann> hello
        """,
        Stage(Room(turns=True)),
    )


def test_turns_among_three() -> None:
    """Among several nobody speaks twice in a row, and it is anybody else's turn."""
    transcript(
        """
        ann: one
            boss, ann, bob | Ann> one
        ann: two
            ann | ! it is the turn of Bob or Server; nothing was sent
        bob: two
            boss, ann, bob | Bob> two
        ann: three
            boss, ann, bob | Ann> three
        boss: four
            boss, ann, bob | Server> four
        boss: five
            boss | ! it is the turn of Ann or Bob; nothing was sent
        """,
        peopled("boss", "ann", "bob", turns=True),
    )


def test_whose_turn_in_a_crowd() -> None:
    """Up to three are named whose turn it is; more are anybody else."""
    transcript(
        """
        ann: one
            ann, bob, cid, dan | Ann> one
        ann: two
            ann | ! it is the turn of Bob or Cid or Dan; nothing was sent
        eve: Eve
            ann, bob, cid, dan | * Eve joined
            eve | * Server connected. You are Eve. 5 here: Ann, Bob, Cid, Dan, Eve
        ann: two
            ann | ! it is anybody else's turn; nothing was sent
        """,
        peopled("ann", "bob", "cid", "dan", turns=True),
    )


def test_the_last_speaker_leaves() -> None:
    """When who spoke last has left, anybody may go on."""
    transcript(
        """
        boss: welcome
            boss | ! it is the turn of Ann or Bob; nothing was sent
        ann: bye
            boss, ann, bob | Ann> bye
        ann: \\quit
            boss, bob | * Ann left
        boss: so long
            boss, bob | Server> so long
        boss: well
            boss | ! it is the turn of Bob; nothing was sent
        """,
        peopled("boss", "ann", "bob", turns=True),
    )


def test_the_last_speaker_comes_back() -> None:
    """Who has left begins anew, also by speaking first."""
    transcript(
        """
        ann: one
            ann, bob | Ann> one
        ann: \\quit
            bob | * Ann left
        ann: Ann
            bob | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Bob
        ann: two
            bob, ann | Ann> two
        """,
        peopled("ann", "bob", turns=True),
    )


def test_turns_begin_again() -> None:
    """The first client after all have left speaks first again."""
    transcript(
        """
        ann: hello
            boss, ann | Ann> hello
        ann: \\quit
            boss | * Ann left
        bob: Bob
            boss | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Bob, Server
        boss: hello
            boss | ! it is the turn of Bob; nothing was sent
        bob: hello
            boss, bob | Bob> hello
        """,
        peopled("boss", "ann", turns=True),
    )


def test_alone_out_of_turn() -> None:
    """Who has spoken and is alone waits until somebody comes."""
    transcript(
        """
        ann: anybody?
            ann | Ann> anybody?
        ann: hello?
            ann | ! wait for somebody to answer; nobody else is here; nothing was sent
        bob: Bob
            ann | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Ann, Bob
        ann: hello?
            ann | ! it is the turn of Bob; nothing was sent
        bob: here
            ann, bob | Bob> here
        """,
        peopled("ann", turns=True),
    )


def test_a_rename_gives_no_second_turn() -> None:
    """Turns belong to people, not to their handles."""
    transcript(
        """
        ann: one
            ann, bob | Ann> one
        ann: \\nick Anna
            ann, bob | * Ann is now Anna
        ann: two
            ann | ! it is the turn of Bob; nothing was sent
        """,
        peopled("ann", "bob", turns=True),
    )


def test_what_is_refused_takes_no_turn() -> None:
    """A message that was refused has not been said; whispers have no turns."""
    transcript(
        f"""
        ann: one
            ann, bob | Ann> one
        ann: psst > Bob
            bob | [Ann -> you] psst
            ann | [you -> Bob] psst
        bob: {"x" * 501}
            bob | ! 501 characters; at most 500 are allowed; nothing was sent
        bob: two
            ann, bob | Bob> two
        """,
        peopled("ann", "bob", turns=True),
    )


# ---- watchers


def test_watchers() -> None:
    """A watcher hears everything public, and nobody sees it."""
    transcript(
        """
        (relay watches)
        ann: Ann
            relay | * Ann joined
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: Bob
            relay, ann | * Bob joined
            bob | * Server connected. You are Bob. 2 here: Ann, Bob
        ann: hello
            relay, ann, bob | Ann> hello
        ann: psst > Bob
            bob | [Ann -> you] psst
            ann | [you -> Bob] psst
        bob: \\nick Bobby
            relay, ann, bob | * Bob is now Bobby
        (bob is cut off)
            relay, ann | * Bobby left (connection lost)
        relay: ?
            relay | ! handle "?" may have letters, digits, "_", "." and "-" only,
                and no spaces; try another
        (relay is cut off)
        ann: hello
            ann | Ann> hello
        """
    )


def test_watchers_take_no_place() -> None:
    """A watcher counts neither for the capacity nor for the turns."""
    transcript(
        """
        (relay watches)
        ann: Ann
            relay | * Ann joined
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: Bob
            bob | * The room is full; you are number 1 in line
        ann: one
            relay, ann | Ann> one
        ann: two
            ann | ! wait for somebody to answer; nobody else is here; nothing was sent
        """,
        Stage(Room(max_clients=1, turns=True)),
    )


def test_a_watcher_hears_that_the_operator_ended_the_chat() -> None:
    """What the operator is told when all are disconnected, a watcher hears too."""
    stage = peopled("boss", "ann")
    stage.play("(relay watches)")
    assert stage.ask("boss", Quit()) == [
        Heard(Closing("the operator ended the chat", retry=True, ask=True), ("ann",)),
        Heard(Left("Ann", "the operator ended the chat"), ("boss", "relay")),
        Heard(Notice("all clients disconnected; still listening on port 9999"), ("boss", "relay")),
    ]


# ---- ids


def ids(heard: list[Heard]) -> list[tuple[str, int]]:
    """The names and ids of the events that were heard; 0 for what never has one."""
    return [(type(event).__name__, getattr(event, "id", 0)) for event, _, _ in heard]


def test_what_can_be_missed_has_an_id() -> None:
    """Ids are given one after the other, to all that changes the room or answers a request."""
    stage = peopled("boss")
    assert ids(stage.tell("ann", Join("Ann"))) == [("Joined", 2), ("Welcome", 0)]
    assert ids(stage.tell("bob", Join("Bob"))) == [("Joined", 3), ("Welcome", 0)]
    assert ids(stage.tell("ann", Say("hi"))) == [("Said", 4)]
    assert ids(stage.tell("ann", Whisper("Bob", "psst"))) == [("Whispered", 5)]
    assert ids(stage.tell("ann", Rename("Anna"))) == [("Renamed", 6)]
    assert ids(stage.tell("boss", Kick("Bob"))) == [("Closing", 0), ("Left", 7)]
    assert ids(stage.tell("ann", Quit())) == [("Left", 8)]
    assert stage.room.last_id == 8


@pytest.mark.parametrize(
    "request_",
    [Join("Ann"), Join("Zoe"), Say(""), Whisper("Nobody", "x"), Rename("Ann"), Kick("Ann")],
    ids=str,
)
def test_refusals_of_requests_for_the_room_have_ids(request_: AnyRequest) -> None:
    """What the room is asked for and refuses takes the next id, so that it can be missed too."""
    stage = peopled("ann")
    assert ids(stage.tell("ann", request_)) == [("Refused", 2)]
    assert ids(stage.tell("ann", Say("x"), request_, request_)) == [
        ("Said", 3),
        ("Refused", 4),
        ("Refused", 5),
    ]


@pytest.mark.parametrize("request_", [Join("you"), Say("x"), Whisper("Ann", "x"), Rename("Bob")])
def test_refusals_of_strangers_have_ids(request_: AnyRequest) -> None:
    """So does what a stranger is refused, and who waits."""
    stage = peopled("ann", max_clients=1)
    assert ids(stage.tell("bob", request_)) == [("Refused", 2)]
    stage.ask("bob", Join("Bob"))
    assert ids(stage.tell("bob", request_)) == [("Refused", 3)]


def test_what_can_be_asked_again_has_no_id() -> None:
    """Rosters, pongs, notices, good-byes and answers that only pass through take no id."""
    stage = peopled("boss", "ann", max_clients=1)
    no = Refused("bad-request", "not a request")
    notice = Notice("a list")
    assert stage.tell("ann", Who(), Ping(), no, notice) == [
        Heard(Roster(("Ann", "Server"), operators=("Server",), server="Server"), ("ann",)),
        Heard(Pong(), ("ann",)),
        Heard(no, ("ann",)),
        Heard(notice, ("ann",)),
    ]
    assert ids(stage.tell("eve", Who())) == [("Refused", 0)]
    assert ids(stage.tell("eve", Typed("\\help"), Typed("\\who"))) == [
        ("Notice", 0),
        ("Refused", 0),
    ]
    assert ids(stage.tell("eve", Expired("too late"))) == [("Closing", 0)]
    assert ids(stage.tell("bob", Join("Bob"))) == [("Notice", 0)]
    quitting = stage.tell("boss", Quit())
    assert ids(quitting) == [("Closing", 0), ("Left", 3), ("Notice", 0)]
    assert stage.room.last_id == 3


def test_the_welcome_knows_the_newest_id() -> None:
    """``last`` of a welcome is the newest id; what comes with a greater one is new."""
    stage = peopled("ann")
    stage.ask("ann", Say("1"), Say("2"))
    [joined, welcome] = stage.tell("bob", Join("Bob"))
    assert joined.event == Joined("Bob", 4, AT)
    assert welcome.event == Welcome("Bob", "Server", ("Ann", "Bob"), 4)
    assert ids(stage.tell("ann", Say("3"))) == [("Said", 5)]


def test_who_is_let_in_from_the_queue_knows_the_newest_id() -> None:
    """So does the welcome of each who is let in because somebody left."""
    stage = peopled("ann", max_clients=1)
    stage.ask("bob", Join("Bob"))
    assert [event for event, _, _ in stage.tell("ann", Quit())] == [
        Left("Ann", "quit", 2, AT),
        Joined("Bob", 3, AT),
        Welcome("Bob", "Server", ("Bob",), 3),
    ]


def test_comings_goings_and_names_carry_their_time() -> None:
    """Who comes, goes or changes its name is told with the time at which it was."""
    stage = peopled("ann")
    assert stage.tell("bob", Join("Bob"))[0].event == Joined("Bob", 2, AT)
    later = "2026-01-02T03:04:06.000Z"
    assert stage.tell("bob", Rename("Bo"), now=NOW + 0.5)[0].event == Renamed("Bob", "Bo", 3, later)
    assert stage.tell("bob", Gone("fell behind"))[0].event == Left("Bo", "fell behind", 4, AT)


def test_nobody_is_told_its_own_joining() -> None:
    """Who comes in is told so by its welcome alone, and hears what is for all from there on."""
    stage = peopled("ann")
    assert stage.ask("bob", Join("Bob")) == [
        Heard(Joined("Bob"), ("ann",)),
        Heard(Welcome("Bob", "Server", ("Ann", "Bob")), ("bob",)),
    ]
    tellings = stage.room.apply(Asked(Peer("cid"), (Join("Cid"),), NOW))
    assert [type(telling) for telling in tellings] == [Told, Told, Follows]


def test_nobody_is_told_its_own_leaving() -> None:
    """Who leaves hears nothing any more, then its connection ends."""
    room = peopled("ann", "bob").room
    assert room.apply(Asked(Peer("ann"), (Quit(),), NOW)) == [
        Unfollows(Peer("ann")),
        Told([Left("Ann", "quit", 3, AT)], can_wait=True),
        Ends(Peer("ann"), "quit"),
    ]


# ---- several requests at once


def test_first_come_first_served() -> None:
    """Where one server orders what is asked, its order is that in which it comes."""
    asked = Asked(Peer("ann"), (Join("Ann"), Say("hi")), NOW)
    assert [*arrival(asked)] == [asked]


def test_a_run_of_messages_is_told_as_one() -> None:
    """Messages that come one after the other are told together; what stands between parts them."""
    room = peopled("ann").room
    ann = Peer("ann")
    asked = (Say("1"), Typed("2"), Say("3"), Who(), Say("4"), Say(""), Say("5"), Say("6"))
    assert room.apply(Asked(ann, asked, NOW)) == [
        Told([Said(id, AT, "Ann", str(id - 1)) for id in (2, 3, 4)], None, ann),  # noqa: A001
        Told([Roster(("Ann",))], (ann,)),
        Told([Said(5, AT, "Ann", "4")], None, ann),
        Told([Refused("message-empty", "the message is empty; nothing was sent", 6)], (ann,)),
        Told([Said(7, AT, "Ann", "5"), Said(8, AT, "Ann", "6")], None, ann),
    ]


def test_a_run_of_messages_in_a_room_with_turns() -> None:
    """With turns only the first message of a run is said; each other one is refused."""
    stage = peopled("ann", "bob", turns=True)
    refused = Refused("not-your-turn", "it is the turn of Bob; nothing was sent")
    assert stage.ask("ann", Say("1"), Say("2"), Say("3")) == [
        Heard(Said(0, "", "Ann", "1"), ("ann", "bob"), "ann"),
        Heard(refused, ("ann",)),
        Heard(refused, ("ann",)),
    ]


def test_what_stands_after_a_quit_is_not_heard() -> None:
    """Who asks to go, and then for more at once, has gone."""
    stage = peopled("ann", "bob")
    for quits in (Quit(), Typed("\\quit")):
        stage.ask("cid", Join("Cid"))
        assert stage.ask("cid", Say("bye"), quits, Say("and"), Join("Cid"), Ping(), Typed("x")) == [
            Heard(Said(0, "", "Cid", "bye"), ("ann", "bob", "cid"), "cid"),
            Heard(Left("Cid", "quit"), ("ann", "bob")),
        ]


@pytest.mark.parametrize("how", ["quit", "kick", "end of the chat", "expired", "kick in the queue"])
def test_who_has_ended_is_not_heard(how: str) -> None:
    """Whatever a peer asks for after its connection was ended is not heard, until it is gone."""
    stage = peopled("boss", "ann", max_clients=1)
    match how:
        case "quit":
            stage.tell("ann", Quit())
        case "kick":
            stage.tell("boss", Kick("Ann"))
        case "end of the chat":
            stage.tell("boss", Quit())
        case "expired":
            stage.tell("bob", Expired("too late"))
        case "kick in the queue":
            stage.tell("bob", Join("Bob"))
            stage.tell("boss", Kick("Bob"))
    [ended] = stage.ended
    before = stage.room.last_id
    answers: tuple[AnyRequest, ...] = (Refused("x", "y"), Notice("z"), Expired("again"))
    for request in (Join("Zoe"), Say("x"), Who(), Ping(), Quit(), Typed("Zoe"), *answers):
        assert stage.tell(ended, request, request) == []
    assert (stage.room.last_id, stage.handle_of(ended)) == (before, None)
    stage.tell(ended, Gone("connection lost"))
    stage.ended.clear()
    assert stage.tell(ended, Ping()) == [Heard(Pong(), (ended,))]


def test_whoever_is_gone_has_ended() -> None:
    """Who is gone has ended, also who was a stranger or had ended before; nobody hears of it."""
    room = peopled("ann", "bob").room
    ann, eve = Peer("ann"), Peer("eve")
    assert Ends(ann, "quit") in room.apply(Asked(ann, (Quit(),), NOW))
    assert {*map(type, room.apply(Asked(ann, (Gone("connection lost"),), NOW)))} <= {Ends}
    assert room.apply(Asked(eve, (Gone("connection lost"),), NOW)) == [Ends(eve, "connection lost")]


def test_a_stranger_introduces_itself() -> None:
    """Of the lines that a stranger types at once the first is a handle, the others are messages."""
    stage = peopled("bob")
    assert stage.ask("ann", Typed("Ann"), Typed("hello"), Typed("psst > Bob")) == [
        Heard(Joined("Ann"), ("bob",)),
        Heard(Welcome("Ann", "Server", ("Ann", "Bob")), ("ann",)),
        Heard(Said(0, "", "Ann", "hello"), ("bob", "ann"), "ann"),
        Heard(Whispered(0, "", "Ann", "Bob", "psst"), ("bob", "ann"), "ann"),
    ]


def test_a_stranger_is_refused_and_tries_again() -> None:
    """When the first line is no handle that can be had, the next line is again one."""
    stage = peopled("bob")
    typed = [Typed(line) for line in ("BOB", "", "\\who", "?", "Ann", "Ann", "\\quit", "Ann")]
    heard = stage.ask("ann", *typed)
    assert [event.code for event, _, _ in heard if isinstance(event, Refused)] == [
        "handle-taken",
        "handle-invalid",
        "not-joined",
        "handle-invalid",
    ]
    assert [event for event, _, _ in heard if not isinstance(event, Refused)] == [
        Joined("Ann"),
        Welcome("Ann", "Server", ("Ann", "Bob")),
        Said(0, "", "Ann", "Ann"),
        Left("Ann", "quit"),
    ]


def test_a_program_that_joins_may_speak_at_once() -> None:
    """Requests in the same breath as the joining are those of a member, or of who waits."""
    stage = peopled("bob", max_clients=2)
    assert stage.ask("ann", Say("too early"), Join("Ann"), Say("hello"), Who()) == [
        Heard(Refused("not-joined", "join with a handle first; nothing was sent"), ("ann",)),
        Heard(Joined("Ann"), ("bob",)),
        Heard(Welcome("Ann", "Server", ("Ann", "Bob")), ("ann",)),
        Heard(Said(0, "", "Ann", "hello"), ("bob", "ann"), "ann"),
        Heard(Roster(("Ann", "Bob")), ("ann",)),
    ]
    waiting = Refused("waiting", "the room is full; wait until you are let in; nothing was sent")
    assert stage.ask("cid", Typed("Cid"), Typed("hello")) == [
        Heard(Notice("The room is full; you are number 1 in line"), ("cid",)),
        Heard(waiting, ("cid",)),
    ]


def test_a_blank_line_asks_for_nothing() -> None:
    """A member's blank line is not answered, and takes no id."""
    stage = peopled("ann")
    assert stage.ask("ann", Typed(""), Typed(" \t")) == []
    assert stage.room.last_id == 1


def test_nothing_asked_nothing_told() -> None:
    """Who asks for nothing is told nothing, member or stranger."""
    stage = peopled("ann")
    assert stage.ask("ann") == []
    assert stage.ask("bob") == []


def test_answers_keep_their_place() -> None:
    """What a speaker has refused already is told where it stood among the requests."""
    stage = peopled("ann")
    bad = Refused("not-utf8", "that line is not UTF-8 text; nothing was sent")
    assert stage.ask("ann", Say("1"), bad, Say("2")) == [
        Heard(Said(0, "", "Ann", "1"), ("ann",), "ann"),
        Heard(bad, ("ann",)),
        Heard(Said(0, "", "Ann", "2"), ("ann",), "ann"),
    ]


# ---- too late


def test_a_reply_keeps_its_place() -> None:
    """What a speaker answers by itself is passed on between what is told, to strangers as well."""
    room, ann, one, two = Room(), Peer("ann"), Reply(b"1"), Reply(b"2")
    told = room.apply(Asked(ann, [one, Join("Ann"), Say("a"), Say("b"), two, Say("c")], NOW))
    kinds = [type(telling.events[0] if isinstance(telling, Told) else telling) for telling in told]
    assert kinds == [Replies, Joined, Welcome, Follows, Said, Replies, Said]
    assert [telling for telling in told if isinstance(telling, Replies)] == [
        Replies(ann, b"1"),
        Replies(ann, b"2"),
    ]


def test_nobody_is_replied_to_after_the_end() -> None:
    """With a reply before it, a quit is how a speaker answers and lets go."""
    room, ann = Room(), Peer("ann")
    told = room.apply(Asked(ann, [Reply(b"no"), Quit(), Reply(b"more")], NOW))
    assert told == [Replies(ann, b"no"), Ends(ann, "quit")]
    assert room.apply(Asked(ann, [Reply(b"more")], NOW)) == []


def test_a_door_is_known_until_its_peer_is_gone() -> None:
    """Of members and of those who wait; of nobody who has left."""
    stage = peopled("ann", "bob", max_clients=1)
    for name in ("ann", "bob"):
        assert stage.ask(name, Came("irc")) == []
    assert stage.room.doors == {stage.peer("ann"): "irc", stage.peer("bob"): "irc"}
    stage.ask("ann", Gone("lost"))
    assert stage.room.doors == {stage.peer("bob"): "irc"}


def test_who_does_not_join_in_time() -> None:
    """A stranger whose time is over is sent away, and may come back."""
    stage = peopled("ann")
    assert stage.ask("bob", Expired("no handle in time")) == [
        Heard(Closing("no handle in time", retry=True, ask=True), ("bob",))
    ]
    assert [*stage.ended] == ["bob"]


def test_who_has_joined_is_not_too_late() -> None:
    """For a member, and for who waits in the queue, the end of that time means nothing."""
    stage = peopled("ann", max_clients=1)
    stage.ask("bob", Join("Bob"))
    assert stage.ask("ann", Expired("no handle in time")) == []
    assert stage.ask("bob", Expired("no handle in time")) == []
    assert (stage.handle_of("ann"), stage.handle_of("bob")) == ("Ann", "Bob")
    assert stage.ended == {}


def test_a_handle_that_was_refused_is_none() -> None:
    """Who was only ever refused is a stranger still when its time is over."""
    transcript(
        """
        bob: Ann
            bob | ! handle "Ann" is taken; try another
        (bob is too late)
            bob | * Server closed the connection: no handle in time
        """,
        peopled("ann"),
    )


# ---- the queue's end


def test_a_queue_ends_somewhere() -> None:
    """Whom the queue has no place for is refused, and may try again; the operator may come in."""
    stage = peopled("ann", max_clients=1)
    for number in range(QUEUE):
        stage.tell(f"peer {number}", Join(f"p{number}"))
    full = Refused("queue-full", "the room is full, and so is the line; try again later")
    assert stage.ask("bob", Join("Bob")) == [Heard(full, ("bob",))]
    stage.play("(boss is the operator)")
    assert stage.play("boss: Server")[0] == "    ann | * Server joined"
    stage.ask("peer 0", Gone("connection lost"))
    assert stage.ask("bob", Join("Bob")) == [
        Heard(Notice(f"The room is full; you are number {QUEUE} in line"), ("bob",))
    ]


def test_those_in_the_queue_are_told_once_for_all_who_left() -> None:
    """However many left meanwhile, who waits is told its new place once, when all is settled."""
    stage = peopled("ann", max_clients=1)
    for name in ("bob", "cid", "dan", "eve"):
        stage.ask(name, Join(name.capitalize()))
    assert stage.tell("bob", Gone("connection lost")) == []
    assert stage.tell("dan", Gone("connection lost")) == []
    assert stage.room.is_unsettled
    assert stage.ask("ann", Ping()) == [
        Heard(Pong(), ("ann",)),
        Heard(Notice("The room is full; you are number 1 in line"), ("cid",)),
        Heard(Notice("The room is full; you are number 2 in line"), ("eve",)),
    ]
    assert not stage.room.is_unsettled


# ---- two operators


def test_operators_are_told_the_doors() -> None:
    """By which each is here, by which it has come back, and who is away; nobody else is told."""
    stage = Stage(Room(grace=10))
    stage.play("(ann comes by web)")
    stage.play("(bob comes by irc)")
    stage.play("(boss is the operator)")
    for peer in ("ann", "bob", "boss"):
        token = "" if peer == "bob" else f"{peer}-{'t' * 22}"
        stage.ask(peer, Join("Server" if peer == "boss" else peer.capitalize(), token=token))
    transcript(
        """
        boss: ?
            boss | * 3 here: Ann, Bob, Server
            boss | * by door: 1 console (Server), 1 irc (Bob), 1 web (Ann)
        bob: ?
            bob | * 3 here: Ann, Bob, Server
        boss: \\op Bob
            ann, bob, boss | * Bob was made an operator by Server
        bob: \\nick Rob
            ann, bob, boss | * Bob is now Rob
        (ann is cut off)
        bob: ?
            bob | * 3 here: Ann, Rob, Server
            bob | * operators: Rob, Server
            bob | * by door: 1 console (Server), 1 irc (Rob), 1 away (Ann)
        """,
        stage,
    )
    stage.play("(anne comes by ndjson)")
    stage.ask("anne", Join("Ann", token=f"ann-{'t' * 22}"))
    assert stage.play("bob: ?")[2:] == [
        "    bob | * by door: 1 console (Server), 1 irc (Rob), 1 ndjson (Ann)"
    ]
    assert stage.play("anne: ?") == [
        "    anne | * 3 here: Ann, Rob, Server",
        "    anne | * operators: Rob, Server",
    ]


def test_two_operators() -> None:
    """The server's handle is for one; another operator may be here under a handle of its own."""
    transcript(
        """
        (boss is the operator)
        (mate is the operator)
        boss: Server
            boss | * Server connected. You are Server. 1 here: Server
        mate: Server
            mate | ! handle "Server" is taken; try another
        mate: sERVER
            mate | ! handle "sERVER" is taken; try another
        mate: Mate
            boss | * Mate joined
            mate | * Server connected. You are Mate. 2 here: Mate, Server
        ann: Ann
            boss, mate | * Ann joined
            ann | * Server connected. You are Ann. 3 here: Ann, Mate, Server
        bob: Bob
            bob | * The room is full; you are number 1 in line
        mate: \\nick Server
            mate | ! the console keeps the server's handle
        mate: \\kick Mate
            mate | ! you cannot kick yourself
        mate: \\kick Ann
            ann | * Server closed the connection: kicked
            boss, mate | * Ann left (kicked)
            boss, mate | * Bob joined
            bob | * Server connected. You are Bob. 3 here: Bob, Mate, Server
        mate: \\quit
            bob | * Server closed the connection: the operator ended the chat
            boss, mate | * Bob left (the operator ended the chat)
            boss, mate | * all clients were disconnected by Mate
        (boss is cut off)
            mate | * Server left (connection lost)
        mate: ?
            mate | * 1 here: Mate
            mate | * by door: 1 console (Mate)
        """,
        Stage(Room(max_clients=1, place="port 9999")),
    )


def test_an_operator_spells_the_handle_as_it_is() -> None:
    """An operator, too, has the server's handle only as it is spelt there, and is not ``you``."""
    transcript(
        """
        (boss is the operator)
        boss: sERVER
            boss | ! handle "sERVER" is reserved; try another
        boss: you
            boss | ! handle "you" is reserved; try another
        boss: \uff33erver
            boss | * Server connected. You are Server. 1 here: Server
        """
    )


def test_turns_with_two_operators() -> None:
    """Neither operator speaks before a client; after that they take turns like anybody."""
    stage = Stage(Room(turns=True))
    stage.operators |= {"boss", "mate"}
    for peer, handle in (("boss", "Server"), ("mate", "Mate"), ("ann", "Ann")):
        stage.ask(peer, Join(handle))
    transcript(
        """
        boss: hello
            boss | ! it is the turn of Ann; nothing was sent
        mate: hello
            mate | ! it is the turn of Ann; nothing was sent
        ann: hello
            boss, mate, ann | Ann> hello
        mate: hello
            boss, mate, ann | Mate> hello
        mate: hello?
            mate | ! it is the turn of Ann or Server; nothing was sent
        boss: hello
            boss, mate, ann | Server> hello
        """,
        stage,
    )


# ---- the whole


def test_a_short_day() -> None:
    """A room opens, fills, talks and empties."""
    transcript(
        """
        (boss is the operator)
        boss: Server
            boss | * Server connected. You are Server. 1 here: Server
        ann: Ann
            boss | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Server
        bob: ann
            bob | ! handle "ann" is taken; try another
        bob: Bob
            boss, ann | * Bob joined
            bob | * Server connected. You are Bob. 3 here: Ann, Bob, Server
        ann: Hey guys!
            boss, ann, bob | Ann> Hey guys!
        bob: lunch? > ann
            ann | [Bob -> you] lunch?
            bob | [you -> Ann] lunch?
        ann: yes > Bbo
            ann | ! nobody here is called "Bbo"; nothing was sent
        ann: \\nick Anna
            boss, ann, bob | * Ann is now Anna
        boss: \\kick bob go
            bob | * Server closed the connection: kicked: go
            boss, ann | * Bob left (kicked: go)
        ann: \\shrug
            ann | ! there is no command \\shrug; \\help lists them, \\\\ at the start
                says the line as it stands
        ann: \\quit
            boss | * Anna left
        """
    )


def test_a_handle_is_not_changed_all_the_time() -> None:
    """Three changes at once, and then one in 20 seconds; what is refused costs none."""
    stage = Stage()
    stage.tell("ann", Join("Ann"))
    stage.tell("bob", Join("Bob"))
    for handle in ("A1", "bob", "A2", "A3"):
        stage.tell("ann", Rename(handle))
    for wait, seconds in ((0.0, 20), (7.5, 13), (19.9, 1)):
        no = bare(stage.tell("ann", Rename("A4"), now=NOW + wait)[0].event)
        text = f"you have changed your handle too often; again in {seconds} seconds"
        assert no == Refused("slow-down", text)
    assert bare(stage.tell("ann", Rename("A4"), now=NOW + 20)[0].event) == Renamed("A3", "A4")
    assert bare(stage.tell("bob", Rename("Bobby"), now=NOW + 20)[0].event) == Renamed(
        "Bob", "Bobby"
    )
    stage.tell("ann", Quit())
    assert len(stage.room.renames) == 1


def test_who_is_put_out_for_saying_nothing() -> None:
    """It may come back if a person wants to; operators, and who is no member, are left alone."""
    stage = Stage(Room(max_clients=1))
    stage.tell("ann", Join("Ann"))
    stage.tell("bob", Join("Bob"))
    assert stage.tell("bob", Idled()) == stage.tell("cat", Idled()) == []
    heard = [bare(one.event) for one in stage.tell("ann", Idled())]
    assert heard[0] == Closing("idle", retry=True, ask=True)
    assert Left("Ann", "idle") in heard
    assert stage.room.roster == ("Bob",)
