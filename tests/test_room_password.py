"""A room with a password: transcripts as in `test_room`, and what programs are told."""

import msgspec
from hypothesis import given

from strategies import any_text
from test_room import Stage, transcript
from triochat.messages import Closing, Event, Join, Notice, Refused, Say, Typed, Welcome
from triochat.order import Exposed, Gone
from triochat.room import Room


def locked(*, max_clients: int = 1000) -> Stage:
    """A room whose password is sesame."""
    return Stage(Room(password="sesame", max_clients=max_clients, place="port 9999"))


def ask(stage: Stage, name: str, *requests: Join | Say | Typed | Exposed) -> list[Event]:
    """What this peer is told to this."""
    return [heard.event for heard in stage.ask(name, *requests) if name in heard.audience]


def code_of(events: list[Event]) -> str:
    """The code of the refusal that these are."""
    [refused] = events
    assert isinstance(refused, Refused)
    return refused.code


def test_people_are_asked_after_their_handle() -> None:
    """The line after the question is the password, until it is right; then the handle counts."""
    transcript(
        """
        ann: Ann
            ann | * this room has a password; what is it?
        ann: simsim
            ann | ! that is not the password of this room; try again
        ann: sesame
            ann | * Server connected. You are Ann. 1 here: Ann
        ann: sesame
            ann | Ann> sesame
        """,
        locked(),
    )


def test_who_has_said_it_is_not_asked_again() -> None:
    """A handle that is taken then is followed by another one, and by no password."""
    transcript(
        """
        ann: Ann
            ann | * this room has a password; what is it?
        ann: sesame
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: ann
            bob | * this room has a password; what is it?
        bob: sesame
            bob | ! handle "ann" is taken; try another
        bob: sesame
            ann | * sesame joined
            bob | * Server connected. You are sesame. 2 here: Ann, sesame
        """,
        locked(),
    )


def test_strangers_do_not_learn_who_is_here() -> None:
    """Who is asked for the password is asked under any handle, but for one that nobody can have."""
    transcript(
        """
        ann: Ann
            ann | * this room has a password; what is it?
        ann: sesame
            ann | * Server connected. You are Ann. 1 here: Ann
        bob: two words
            bob | ! handle "two words" may have letters, digits, "_", "." and "-" only, and no
                spaces; try another
        bob: Ann
            bob | * this room has a password; what is it?
        bob: no
            bob | ! that is not the password of this room; try again
        cid: ?
            cid | ! handle "?" may have letters, digits, "_", "." and "-" only, and no spaces; try
                another
        cid: Server
            cid | * this room has a password; what is it?
        """,
        locked(),
    )


def test_a_password_is_taken_as_it_stands() -> None:
    r"""Nothing in it is a command, but for a ``\quit`` that is not the password itself."""
    transcript(
        r"""
        ann: Ann
            ann | * this room has a password; what is it?
        ann: \help
            ann | ! that is not the password of this room; try again
        ann: sesame > Bob
            ann | ! that is not the password of this room; try again
        ann:  sesame
            ann | ! that is not the password of this room; try again
        ann: 
            ann | * this room has a password; what is it?
        ann: \quit
        """,  # noqa: W291
        locked(),
    )
    transcript(
        r"""
        ann: Ann
            ann | * this room has a password; what is it?
        ann: \quit
            ann | * Server connected. You are Ann. 1 here: Ann
        """,
        Stage(Room(password="\\quit")),
    )


def test_programs_join_with_it() -> None:
    """A program is refused without it, and with another one, whatever its handle is."""
    stage = locked()
    assert isinstance(ask(stage, "ann", Join("Ann", "sesame"))[0], Welcome)
    assert code_of(ask(stage, "bob", Join("Ann"))) == "password-needed"
    assert code_of(ask(stage, "bob", Join("Ann", "simsim"))) == "password-wrong"
    assert code_of(ask(stage, "bob", Join("Server", "simsim"))) == "password-wrong"
    assert code_of(ask(stage, "bob", Join("Ann, or so"))) == "handle-invalid"
    assert code_of(ask(stage, "bob", Say("hi"))) == "not-joined"
    assert code_of(ask(stage, "bob", Join("Ann", "sesame"))) == "handle-taken"
    assert isinstance(ask(stage, "bob", Join("Bob"))[0], Welcome), "it need not say it again"


def test_who_comes_again_is_another_peer() -> None:
    """Nothing is remembered of a peer that is gone: neither its password nor its handle."""
    stage = locked()
    ask(stage, "ann", Join("Ann", "sesame"))
    ask(stage, "bob", Join("Ann", "sesame"))
    ask(stage, "cid", Typed("Cid"))
    room = stage.room
    assert (len(room.admitted), len(room.introduced)) == (2, 1)
    for name in ("ann", "bob", "cid"):
        stage.tell(name, Gone("quit"))
    assert (room.admitted, room.introduced) == (set(), {})


def test_only_who_knows_it_waits_for_a_place() -> None:
    """A full room puts nobody into its queue that has not said the password."""
    stage = locked(max_clients=1)
    ask(stage, "ann", Join("Ann", "sesame"))
    assert code_of(ask(stage, "bob", Join("Bob"))) == "password-needed"
    assert code_of(ask(stage, "bob", Join("Bob", "no"))) == "password-wrong"
    assert not stage.room.members.queue
    place = Notice("The room is full; you are number 1 in line")
    assert ask(stage, "bob", Join("Bob", "sesame")) == [place]


def test_the_console_needs_none() -> None:
    """Whoever sits at the server is in."""
    stage = locked()
    stage.operators.add("boss")
    assert isinstance(ask(stage, "boss", Join("Server"))[0], Welcome)


def test_where_there_is_none_what_is_said_does_not_matter() -> None:
    """A room without a password takes who says one."""
    assert isinstance(ask(Stage(), "ann", Join("Ann", "sesame"))[0], Welcome)


def test_no_request_shows_it() -> None:
    """A password is sent, and read by nobody who prints the request."""
    join = Join("Ann", "sesame")
    assert msgspec.json.encode(join) == b'{"type":"join","handle":"Ann","password":"sesame"}'
    assert msgspec.json.encode(Join("Ann")) == b'{"type":"join","handle":"Ann"}'
    for shown in (repr(join), str(join), f"{join}", repr(join.__rich_repr__())):
        assert "sesame" not in shown


@given(any_text)
def test_nobody_gets_in_by_anything_else(text: str) -> None:
    """No line that is not the password lets anybody in, and none is repeated."""
    stage = locked()
    ask(stage, "ann", Typed("Ann"))
    for request in (Typed(text), Join("Ann", text)):
        for event in ask(stage, "ann", request):
            assert isinstance(event, Refused | Notice | Closing)
            assert len(text) < 5 or text not in event.text if hasattr(event, "text") else True
    assert not stage.room.members
