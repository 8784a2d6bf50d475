from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategies import events, requests, wire_text
from triochat.grammar import help_text, parse
from triochat.messages import (
    Action,
    Ban,
    Bans,
    Deop,
    Event,
    Forget,
    Join,
    Joined,
    Kick,
    Left,
    Moderated,
    Mute,
    Notice,
    Op,
    Ping,
    Pong,
    Quiet,
    Quit,
    Recall,
    Recalled,
    Refused,
    Removed,
    Rename,
    Renamed,
    Request,
    Roster,
    Said,
    Say,
    Servers,
    Stats,
    Topic,
    Typed,
    Unban,
    Unmute,
    Welcome,
    Whisper,
    Whispered,
    Who,
)
from triochat.order import Asked, Peer
from triochat.room import Room
from triochat.stay import Stay, is_answer
from triochat.telling import Recalls, Reports, Told
from triochat.text import clean

TOKEN = "t" * 22
WELCOME = Welcome("Bob", "Server", ("Ann", "Bob"))
NO = Refused("handle-taken", "no")
DONE = Moderated("it was done by Bob", by="Bob")

ANSWERS: list[tuple[Request, Event]] = [
    (Join("Bob"), WELCOME),
    (Join("Bob"), Notice("The room is full; you are number 1 in line")),
    (Say("hi"), Said(1, "", "Bob", "hi")),
    (Whisper("ann", "psst"), Whispered(1, "", "Bob", "Ann", "psst")),
    (Rename("Rob"), Renamed("Bob", "Rob")),
    (Who(), Roster(("Ann", "Bob"))),
    (Ping(), Pong()),
    (Kick("ANN"), Left("Ann", "kicked: too loud")),
    (Kick("Eve"), Moderated("Eve is out of the line", by="Bob")),
    (Stats(), Notice("members  3")),
    (Servers(), Notice("no other server shares this room")),
    (Action("waves"), Said(1, "", "Bob", "waves", action=True)),
    (Op("Ann"), DONE),
    (Deop("Ann"), DONE),
    (Ban("Ann"), DONE),
    (Unban("Ann"), DONE),
    (Mute("Ann"), DONE),
    (Unmute("Ann"), DONE),
    (Quiet(on=True), DONE),
    (Topic("tea"), DONE),
    (Topic(), Notice("Topic: tea")),
    (Bans(), Notice("nobody is banned or muted")),
    (Recall(), Recalled(())),
    (Forget((1,)), Removed((1,), "1 message was removed by Bob", by="Bob")),
    (Quit(), Notice("all clients disconnected")),
    (Quit(), Moderated("all clients were disconnected by Bob", 7, "", "Bob")),
    (Recall(), Recalled(())),
    (Forget((1,)), Removed((1,), "one message was removed by Bob", by="Bob")),
    (Say(""), NO),
    (Typed("hi"), Said(1, "", "Bob", "hi")),
    (Typed("?"), Roster(("Ann", "Bob"))),
    (Typed("\\help"), Notice(help_text())),
    (Typed("psst > ann"), Whispered(1, "", "Bob", "Ann", "psst")),
    (Typed("/nick Rob"), Renamed("Bob", "Rob")),
    (Typed("\\mute Ann 5"), DONE),
    (Typed("\\topic"), Notice("Topic: tea")),
    (Typed("\\find tea"), Recalled(())),
    (Typed("\\say psst > ann"), NO),
    (Typed("\\msg ann"), Refused("usage", "the command is \\msg NAME TEXT; nothing was sent")),
]
"""Bob's requests, and what answers them."""


def test_no_request_is_forgotten() -> None:
    """Each request of the wire has an answer that is known by it."""
    assert {type(request) for request, _ in ANSWERS} == {*get_args(Request)}


asks = requests(st.one_of(st.sampled_from(["Ann", "Bob", "Server", "Cid", "hi"]), wire_text))


def goes_on(request: Request) -> bool:
    """Whether this is not the end, however it is asked for."""
    meant = parse(request.line) if isinstance(request, Typed) else request
    return not isinstance(meant, Quit)


@given(
    st.lists(asks.filter(goes_on)),
    st.sampled_from(["a member", "an operator", "the console"]),
)
def test_the_room_answers_each_request_once_and_in_order(asked: list[Request], who: str) -> None:
    """Whatever anybody asks for, one event answers it, in its turn."""
    is_console = who == "the console"
    room, stay, me = Room(), Stay(), Peer("me", host="10.0.0.7/32", is_console=is_console)
    for handle in ("Ann", "Bob"):
        room.apply(Asked(Peer(handle), [Join(handle)], 0.0))
    if who == "an operator":
        room.operators.add(me)
    for request in [Join("Server" if is_console else "Cid"), *asked]:
        stay.ask(request)
        for told in room.apply(Asked(me, [request], 0.0)):
            if isinstance(told, Told) and (told.to is None or me in told.to):
                for event in told.events:
                    stay.hear(event)
            elif isinstance(told, Reports):
                stay.hear(Notice("what the server says of itself"))
            elif isinstance(told, Recalls):
                stay.hear(Recalled(()))
        assert not stay.unanswered


def a_stay(*asked: Request) -> Stay:
    """Bob's stay, in which this has been asked since the welcome."""
    stay = Stay()
    stay.hear(WELCOME)
    for request in asked:
        stay.ask(request)
    return stay


@pytest.mark.parametrize(("request_", "event"), ANSWERS)
def test_each_request_has_its_answer(request_: Request, event: Event) -> None:
    """An answer is known by what was asked, and answers it once."""
    stay = a_stay(request_)
    assert stay.hear(event) == request_
    assert stay.hear(event) is None


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        (Say("hi"), Said(1, "", "Ann", "hi")),
        (Whisper("Ann", "hi"), Whispered(1, "", "Ann", "Bob", "hi")),
        (Rename("Rob"), Renamed("Ann", "Rob")),
        (Kick("Ann"), Left("Ann", "quit")),
        (Kick("Ann"), Left("Eve", "kicked")),
        (Mute("Ann"), Moderated("Ann was muted by Server", by="Server")),
        (Topic(), DONE),
        (Ban("Ann"), Left("Ann", "banned")),
        (Say("hi"), Notice("hello")),
        (Say("hi"), Pong()),
        (Typed("hi"), Said(1, "", "Ann", "hi")),
        (Typed("\\help"), Notice("you are number 1 in line")),
        (Typed("\\foo"), Refused("slow-down", "that was fast")),
    ],
)
def test_what_others_do_answers_nothing(request_: Request, event: Event) -> None:
    """The same done by, or to, somebody else is no answer, nor is what was not asked for."""
    stay = a_stay(request_)
    assert stay.hear(event) is None
    assert list(stay.unanswered) == [request_]


@pytest.mark.parametrize("line", ["", " \t", "\u200b"])
def test_a_blank_line_asks_for_nothing(line: str) -> None:
    """Nothing answers it, so nobody waits for that, and what follows is answered."""
    stay = a_stay(Typed(line), Say("hi"))
    said = Said(1, "", "Bob", "hi")
    assert stay.hear(said) == Say("hi")
    room, me = Room(), Peer("me")
    assert room.apply(Asked(me, [Join("Bob"), Typed(line), Ping()], 0.0))[-1] == Told(
        [Pong()], (me,)
    )
    assert len(room.apply(Asked(me, [Typed(line)], 0.0))) == 0


def test_what_was_typed_is_answered_after_coming_back() -> None:
    """A line is confirmed by what was missed, as its meaning is; what is asked again waits."""
    stay = Stay()
    stay.hear(replace(WELCOME, token=TOKEN, last=4))
    for line in ("?", "hi", "\\help", "psst > Ann"):
        stay.ask(Typed(line))
    stay.reconnect()
    stay.hear(replace(WELCOME, token=TOKEN, last=7, resumed=True))
    assert stay.hear(Said(5, "", "Bob", "hi")) == Typed("hi")
    assert stay.hear(Refused("no-such-handle", "nobody", 6)) == Typed("psst > Ann")
    assert [*stay.unsent] == [Typed("?"), Typed("\\help")]


def test_who_waits_in_line_is_answered() -> None:
    """Being in line answers the joining; no other place there does, nor the welcome."""
    stay = Stay()
    stay.ask(Join("Bob"))
    assert stay.hear(Notice("you are number 2 in line")) == Join("Bob")
    stay.ask(Say("hello?"))
    assert stay.hear(Notice("you are number 1 in line")) is None
    assert stay.hear(Refused("waiting", "wait")) == Say("hello?")
    stay.ask(Join("Rob"))
    assert stay.hear(Notice("you are number 1 in line")) is None
    assert stay.hear(WELCOME) is None
    assert stay.hear(Refused("waiting", "wait")) == Join("Rob")
    assert stay.handle == "Bob"


def test_a_stay_knows_who_can_be_overheard() -> None:
    """From the welcome, or a newcomer, to the last: under each name, and of a server without it."""
    stay = Stay()
    stay.hear(Welcome("Bob", "Server", ("Ann", "Bob"), unencrypted=("Ann",)))
    assert stay.unencrypted == {"Ann"}
    stay.hear(Joined("Cid", unencrypted=True))
    stay.hear(Joined("Dan"))
    stay.hear(Renamed("Ann", "Eve"))
    stay.hear(Renamed("Dan", "Ann"))
    assert stay.unencrypted == {"Cid", "Eve"}
    stay.hear(Left("Eve", "quit"))
    assert stay.unencrypted == {"Cid"}
    stay.hear(Roster(("Bob", "Fay"), ("Fay",)))
    assert stay.unencrypted == {"Fay"}
    stay.hear(WELCOME)
    assert stay.unencrypted == set()


def test_a_stay_knows_who_is_here() -> None:
    """Who comes, goes, and is called something else; one's own handle among them."""
    stay = a_stay()
    assert (stay.handle, stay.roster) == ("Bob", {"Ann", "Bob"})
    stay.hear(Joined("Eve"))
    stay.hear(Left("Ann", "quit"))
    stay.hear(Renamed("Eve", "Eva"))
    stay.hear(Renamed("Bob", "Rob"))
    assert (stay.handle, stay.roster) == ("Rob", {"Eva", "Rob"})
    stay.hear(Roster(("Rob", "Zoe")))
    assert stay.roster == {"Rob", "Zoe"}


def test_the_newest_id_is_known() -> None:
    """It starts with the welcome's, and what is older does not lower it."""
    stay = Stay()
    stay.hear(Welcome("Bob", "Server", ("Ann", "Bob"), 7))
    assert stay.last_id == 7
    for event, newest in ((Joined("Eve", 9), 9), (Said(8, "", "Ann", "old"), 9)):
        stay.hear(event)
        assert stay.last_id == newest


@given(st.lists(st.sampled_from(ANSWERS[2:])), st.data())
def test_answers_come_in_order_and_none_twice(
    talk: list[tuple[Request, Event]], data: st.DataObject
) -> None:
    """However much is asked at once, and whatever else happens, each answer finds its request."""
    stay = a_stay(*(request for request, _ in talk))
    answered: list[Request | None] = []
    for _, answer in talk:
        others = data.draw(st.lists(events(wire_text), max_size=3))
        answered += [stay.hear(event) for event in others if not is_bobs(event)]
        renamed = isinstance(answer, Renamed)
        answered.append(stay.hear(Renamed("Bob", "Bob") if renamed else answer))
    assert [request for request in answered if request] == [request for request, _ in talk]
    assert not stay.unanswered


def is_bobs(event: Event) -> bool:
    """Whether this may answer something that Bob asks, whom a welcome would rename as well."""
    return any(is_answer(event, request, a_stay()) for request, _ in ANSWERS)


@given(st.lists(st.one_of(requests(wire_text), events(wire_text))))
def test_nothing_is_answered_that_was_not_asked(happened: list[Request | Event]) -> None:
    """What is answered is always the oldest that is not, whatever a server says."""
    stay, asked = Stay(), []
    for item in happened:
        if isinstance(item, Request):
            stay.ask(item)
            if not (isinstance(item, Typed) and not clean(item.line).strip()):
                asked.append(item)
        elif (answered := stay.hear(item)) is not None:
            assert answered is asked.pop(0)
    assert list(stay.unanswered) == asked


# ---- coming back

TOKEN = "a-token-of-22-letters_"


def cut_off(*asked: Request) -> Stay:
    """Bob's stay, whose place is kept, and whose connection is lost after this was asked."""
    stay = Stay()
    stay.hear(replace(WELCOME, last=7, token=TOKEN))
    for request in asked:
        stay.ask(request)
    stay.reconnect()
    return stay


def back(stay: Stay, handle: str = "Bob") -> Stay:
    """The same, welcome again; what was missed comes next, up to this id."""
    stay.hear(Welcome(handle, "S", ("Ann", handle), 20, token=TOKEN, resumed=True))
    return stay


def test_a_token_is_random_and_seen_by_nobody() -> None:
    """22 characters that nobody else draws; it stands in what is sent, and in no text of it."""
    tokens = {Stay().token for _ in range(100)}
    assert {len(token) for token in tokens} == {22}
    assert len(tokens) == 100
    stay = cut_off()
    join = stay.join("Bob", "secret")
    assert (join.token, join.after) == (TOKEN, 7)
    assert TOKEN not in f"{stay!r} {join!r} {join}"


def test_what_was_missed_answers_what_was_asked() -> None:
    """In order, by what was missed alone; what has no answer then is kept, and nothing else."""
    stay = back(cut_off(Say("one"), Whisper("Ann", "psst"), Say("no"), Say("two"), Quit()))
    assert stay.hear(Said(8, "", "Ann", "one")) is None
    assert stay.hear(Said(9, "", "Bob", "one")) == Say("one")
    assert stay.hear(Whispered(10, "", "Bob", "Ann", "psst")) == Whisper("Ann", "psst")
    assert stay.hear(Refused("muted", "no", 11)) == Say("no")
    assert not stay.is_whole
    stay.hear(Pong())
    assert stay.is_whole
    assert stay.hear(Said(21, "", "Bob", "two")) is None  # it was not sent yet
    assert list(stay.unsent) == [Say("two")]


def test_who_was_renamed_meanwhile_has_both_names() -> None:
    """What was said under the former one answers as well, and the roster knows the new one."""
    stay = back(cut_off(Say("as Bob"), Rename("Rob"), Say("as Rob")), "Rob")
    assert stay.handle == "Bob"
    assert stay.roster == {"Ann", "Rob"}
    assert stay.hear(Said(8, "", "Bob", "as Bob")) == Say("as Bob")
    assert stay.hear(Renamed("Bob", "Rob", 9)) == Rename("Rob")
    assert stay.hear(Said(10, "", "Rob", "as Rob")) == Say("as Rob")
    assert (stay.handle, stay.roster) == ("Rob", {"Ann", "Rob"})


def test_what_is_past_changes_nobody_who_is_here() -> None:
    """The roster of the welcome is newer than what was missed."""
    stay = back(cut_off())
    for event in (Joined("Eve", 8), Left("Ann", "quit", 9), Renamed("Ann", "Zoe", 10)):
        stay.hear(event)
        assert stay.roster == {"Ann", "Bob"}
    stay.hear(Joined("Fay", 21))
    assert stay.roster == {"Ann", "Bob", "Fay"}


def test_an_answer_without_an_id_is_asked_for_again() -> None:
    """It is not told again, and hides no answer of another; so with a line that was no line."""
    stay = back(cut_off(Who(), Say("x" * 9000), Say("two"), Topic(), Stats(), Say("no")))
    assert stay.hear(Said(8, "", "Bob", "two")) == Say("two")
    assert stay.hear(Refused("muted", "no", 9)) == Say("x" * 9000)  # nobody can know
    stay.hear(Pong())
    assert list(stay.unsent) == [Who(), Topic(), Stats(), Say("no")]


def test_nothing_is_told_twice() -> None:
    """By its id; and where a stay begins anew, what is shown of before by its time."""
    stay = back(cut_off())
    stay.hear(Said(9, "2026-01-02T03:04:05Z", "Ann", "one"))
    assert stay.has_seen(Said(9, "", "Ann", "one"))
    assert stay.has_seen(Joined("Eve", 8))
    assert not stay.has_seen(Said(10, "", "Ann", "two"))
    assert not stay.has_seen(Pong())
    assert stay.last_id == 9
    stay.reconnect()
    assert stay.join("Bob").after == 9
    stay.hear(replace(WELCOME, last=5, token=TOKEN))
    assert stay.has_seen(Said(3, "2026-01-02T03:04:05Z", "Ann", "one"))
    assert not stay.has_seen(Said(4, "2026-01-02T03:04:06Z", "Ann", "two"))
    assert stay.last_id == 5


def test_a_stay_that_did_not_go_on_keeps_nothing() -> None:
    """What was asked in it is lost, and told so; nothing of it is said in another."""
    stay = cut_off(Say("one"))
    stay.intend(Say("two"))
    stay.hear(replace(WELCOME, last=1, token=TOKEN))
    assert stay.lost == [Say("one"), Say("two")]
    assert not stay.unsent
    assert stay.is_whole
    assert stay.hear(Said(1, "", "Bob", "one")) is None
