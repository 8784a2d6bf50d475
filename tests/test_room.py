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

import pytest

from triochat.dialects import PLAIN
from triochat.messages import (
    Closing,
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
    Said,
    Say,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.render import plain
from triochat.room import Room, Told

NOW = 1767323045.5
AT = "2026-01-02T03:04:05.500Z"


class Stage:
    """A room of peers who are strings; plays one line of a transcript at a time."""

    def __init__(self, room: Room[str]) -> None:
        self.room = room

    def play(self, line: str) -> list[str]:
        """What everybody is told because of this line, in order."""
        if direction := re.fullmatch(r"\((\w+) (.+)\)", line):
            return self._show(self._direct(direction[1], direction[2]))
        peer, typed = line.split(": ", 1)
        asked = PLAIN.decode(typed, joined=self.room.handle_of(peer) is not None)
        if isinstance(asked, Refused | Notice):
            return self._show([Told(asked, (peer,))])
        assert asked is not None
        told = self.room.handle(peer, asked, NOW)
        return self._show(told + self.room.settle())

    def _direct(self, peer: str, direction: str) -> list[Told[str]]:
        match direction:
            case "is the operator":
                self.room.appoint(peer)
            case "watches":
                self.room.watch(peer)
            case "pings":
                return self.room.handle(peer, Ping(), NOW)
            case "is cut off":
                told = self.room.leave(peer, "connection lost")
                return told + self.room.settle()
            case _:
                raise AssertionError(direction)
        return []

    def _show(self, told: list[Told[str]]) -> list[str]:
        shown: list[str] = []
        for event, audience, _ in told:
            readers: dict[str, list[str]] = {}
            for peer in audience:
                words = plain(event, self.room.handle_of(peer) or "")
                readers.setdefault(words, []).append(peer)
            shown += [f"    {', '.join(peers)} | {words}" for words, peers in readers.items()]
        return shown


def transcript(script: str, room: Room[str] | None = None) -> None:
    """Play what is done in this script, and compare what everybody is told."""
    __tracebackhide__ = True
    wanted = re.sub(r"\n {8,}", " ", dedent(script).strip()).split("\n")
    stage = Stage(room or Room())
    played: list[str] = []
    for line in wanted:
        if not line.startswith(" "):
            played += [line, *stage.play(line)]
    assert played == wanted


def peopled(*peers: str, turns: bool = False, max_clients: int = 1000) -> Room[str]:
    """A room in which these peers are already; ``boss`` is its operator."""
    room: Room[str] = Room(turns=turns, max_clients=max_clients, place="port 9999")
    for peer in peers:
        if peer == "boss":
            room.appoint(peer)
        room.handle(peer, Join("Server" if peer == "boss" else peer.capitalize()), NOW)
    return room


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


@pytest.mark.parametrize("handle", ["you", "YOU", "\uff59ou", "Server", "sERVER"])
def test_a_reserved_handle(handle: str) -> None:
    """Nobody is called ``you``, and no client like the server, with or without an operator."""
    room: Room[str] = Room()
    shown = handle.replace("\uff59", "y")
    refused = Refused("handle-reserved", f'handle "{shown}" is reserved; try another')
    assert room.handle("ann", Join(handle), NOW) == [Told(refused, ("ann",))]
    room.appoint("boss")
    assert room.handle("ann", Join(handle), NOW) == [Told(refused, ("ann",))]


def test_the_server_has_a_name() -> None:
    """The server's own handle is reserved, whatever it is; ``Server`` is free then."""
    transcript(
        """
        ann: hOST
            ann | ! handle "hOST" is reserved; try another
        ann: Server
            ann | * Host connected. You are Server. 1 here: Server
        """,
        Room("Host"),
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
    room = peopled("ann", "bob")
    already = Refused("already-joined", 'you are "Ann" already; \\nick NAME changes your handle')
    for handle in ("Ann", "Anna", "Bob", "no handle"):
        assert room.handle("ann", Join(handle), NOW) == [Told(already, ("ann",))]
    assert room.roster == ("Ann", "Bob")


@pytest.mark.parametrize(
    "request_", [Say("hi"), Whisper("Bob", "hi"), Rename("Ann")], ids=["say", "whisper", "rename"]
)
def test_strangers_say_nothing(request_: Say | Whisper | Rename) -> None:
    """Before joining nothing is said, whispered or renamed."""
    not_joined = Refused("not-joined", "join with a handle first; nothing was sent")
    assert peopled("bob").handle("ann", request_, NOW) == [Told(not_joined, ("ann",))]


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
    """Control characters never come into the room."""
    room = peopled("ann")
    told = room.handle("ann", Say("\x1b[31ma\tb\u202e\r\nc"), NOW)
    assert told == [Told(Said(0, AT, "Ann", "[31ma b c"), ("ann",), "ann")]


def test_a_message_of_500_characters() -> None:
    """500 characters are said; 501 are refused with their number, to the speaker alone."""
    room = peopled("ann", "bob")
    assert room.handle("ann", Say("x" * 500), NOW) == [
        Told(Said(0, AT, "Ann", "x" * 500), ("ann", "bob"), "ann")
    ]
    too_long = Refused(
        "message-too-long", "501 characters; at most 500 are allowed; nothing was sent"
    )
    assert room.handle("ann", Say("x" * 501), NOW) == [Told(too_long, ("ann",))]
    assert room.handle("ann", Whisper("Bob", "x" * 501), NOW) == [Told(too_long, ("ann",))]


def test_an_empty_message() -> None:
    """A message that shows nothing is refused."""
    room = peopled("ann", "bob")
    empty = Refused("message-empty", "the message is empty; nothing was sent")
    assert room.handle("ann", Say(" \u200b"), NOW) == [Told(empty, ("ann",))]
    assert room.handle("ann", Whisper("Bob", ""), NOW) == [Told(empty, ("ann",))]


def test_who_joins_later_has_not_heard() -> None:
    """The audience of a message is who was there when it was said."""
    room = peopled("ann")
    [early] = room.handle("ann", Say("early"), NOW)
    room.handle("bob", Join("Bob"), NOW)
    [late] = room.handle("ann", Say("late"), NOW)
    room.handle("bob", Quit(), NOW)
    assert early.audience == ("ann",)
    assert late.audience == ("ann", "bob")


def test_those_who_hear_the_same_share_an_audience() -> None:
    """While nobody comes or goes the audience is one and the same, so that it costs nothing."""
    room = peopled("ann", "bob")
    [one] = room.handle("ann", Say("1"), NOW)
    [two] = room.handle("bob", Say("2"), NOW)
    assert one.audience is two.audience


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
    [said] = peopled("ann").handle("ann", Say("hi"), now)
    assert said.event == Said(0, at, "Ann", "hi")


def test_times_go_on() -> None:
    """Messages of the same second and of the next have their own times."""
    room = peopled("ann")
    times: list[str] = []
    for now in (NOW, NOW + 0.25, NOW + 0.5, NOW + 60.0, NOW):
        [(said, *_)] = room.handle("ann", Say("hi"), now)
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
    told = peopled("ann", "bob").handle("ann", Whisper("\uff42OB", "psst"), NOW)
    assert told == [Told(Whispered(0, AT, "Ann", "Bob", "psst"), ("bob", "ann"), "ann")]


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
    [told] = peopled("ann").handle("ann", Whisper("x" * 1000, "hi"), NOW)
    shown = "x" * 40
    assert told.event == Refused(
        "no-such-handle", f'nobody here is called "{shown}"; nothing was sent'
    )


def test_a_whisper_to_oneself() -> None:
    """Who whispers to itself hears it once."""
    told = peopled("ann", "bob").handle("ann", Whisper("Ann", "note"), NOW)
    assert told == [Told(Whispered(0, AT, "Ann", "Ann", "note"), ("ann",), "ann")]


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
            boss | ! the operator keeps the server's handle
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
    refused = Refused("not-joined", "join with a handle first; nothing was sent")
    assert _with("Cid", "Ann").handle("a stranger", Who(), NOW) == [Told(refused, ("a stranger",))]


def _with(*handles: str) -> Room[str]:
    room: Room[str] = Room()
    for handle in handles:
        room.handle(handle.lower(), Join(handle), NOW)
    return room


def test_ping() -> None:
    """A ping is answered, to whoever it was."""
    room = peopled("ann", "bob")
    assert room.handle("ann", Ping(), NOW) == [Told(Pong(), ("ann",))]
    assert room.handle("a stranger", Ping(), NOW) == [Told(Pong(), ("a stranger",))]


def test_handles_are_known_by_their_peers() -> None:
    """The room knows the handle of a member, and of a peer in line, and of nobody else."""
    room = peopled("ann", max_clients=1)
    room.handle("bob", Join("Bob"), NOW)
    assert [room.handle_of(peer) for peer in ("ann", "bob", "cid")] == ["Ann", "Bob", None]
    room.leave("ann")
    room.leave("bob")
    assert [room.handle_of(peer) for peer in ("ann", "bob", "cid")] == [None, None, None]


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
    assert peopled("ann", "bob").handle("ann", Quit(), NOW) == [Told(Left("Ann", "quit"), ("bob",))]
    assert peopled("ann", "bob").leave("ann") == [Told(Left("Ann", "quit"), ("bob",))]
    assert peopled("ann", "bob").leave("ann", "fell behind") == [
        Told(Left("Ann", "fell behind"), ("bob",))
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
        """,
        peopled("boss", "ann", "bob", "cid"),
    )


def test_a_kicked_client_is_not_to_come_back_by_itself() -> None:
    """The good-bye to who is kicked invites nobody back."""
    told = peopled("boss", "ann").handle("boss", Kick("Ann", " why "), NOW)
    assert told == [
        Told(Closing("kicked: why", retry=False), ("ann",)),
        Told(Left("Ann", "kicked: why"), ("boss",)),
    ]


def test_only_the_operator_kicks() -> None:
    """Nobody else kicks anybody, whoever that may be."""
    transcript(
        """
        ann: \\kick Bob
            ann | ! only the operator can kick
        ann: \\kick Nobody
            ann | ! only the operator can kick
        ann: \\kick Ann
            ann | ! only the operator can kick
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
    """The operator's quit ends every client's connection, in line too, and it stays."""
    transcript(
        """
        cid: Cid
            cid | * The room is full; you are number 1 in line
        boss: \\quit
            ann, bob, cid | * Server closed the connection: the operator ended the chat
            boss | * all clients disconnected; still listening on port 9999
        (ann is cut off)
        (cid is cut off)
        boss: ?
            boss | * 1 here: Server
        cid: Ann
            boss | * Ann joined
            cid | * Server connected. You are Ann. 2 here: Ann, Server
        """,
        peopled("boss", "ann", "bob", max_clients=2),
    )


def test_after_the_operator_quits_all_may_come_back() -> None:
    """The good-bye says that coming back is welcome; a room without a place names none."""
    room: Room[str] = Room()
    room.appoint("boss")
    for peer, handle in (("boss", "Server"), ("ann", "Ann")):
        room.handle(peer, Join(handle), NOW)
    assert room.handle("boss", Quit(), NOW) == [
        Told(Closing("the operator ended the chat", retry=True), ("ann",)),
        Told(Notice("all clients disconnected"), ("boss",)),
    ]
    assert room.handle("ann", Join("Ann"), NOW) == [
        Told(Joined("Ann"), ("boss",)),
        Told(Welcome("Ann", "Server", ("Ann", "Server")), ("ann",)),
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
            bob | ! the room is full; wait until you are let in; nothing was sent
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
    room = peopled("ann", max_clients=1)
    room.handle("bob", Join("Bob"), NOW)
    waiting = "the room is full; wait until you are let in; nothing was sent"
    assert room.handle("bob", Join("Bobby"), NOW) == [Told(Refused("waiting", waiting), ("bob",))]


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
        Room(max_clients=1),
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
        Room(turns=True),
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
        """
        ann: one
            ann, bob | Ann> one
        ann: psst > Bob
            bob | [Ann -> you] psst
            ann | [you -> Bob] psst
        bob: \\say \u3164
            bob | ! the message is empty; nothing was sent
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
        Room(max_clients=1, turns=True),
    )


def test_a_watcher_hears_that_the_operator_ended_the_chat() -> None:
    """What the operator is told when all were disconnected, a watcher hears too."""
    room = peopled("boss", "ann")
    room.watch("relay")
    assert room.handle("boss", Quit(), NOW) == [
        Told(Closing("the operator ended the chat", retry=True), ("ann",)),
        Told(Notice("all clients disconnected; still listening on port 9999"), ("boss", "relay")),
    ]


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
                says the line as it stands; nothing was sent
        ann: \\quit
            boss | * Anna left
        """
    )
