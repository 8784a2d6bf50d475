"""What operators do, as transcripts; who speaks how is told in `test_room`."""

import pytest

from test_room import Stage, peopled, transcript
from triochat.coming import FORMER, FORMER_OF_HOST
from triochat.messages import (
    Ban,
    Bans,
    Join,
    Kick,
    Left,
    Moderated,
    Mute,
    Notice,
    Quiet,
    Quit,
    Refused,
    Rename,
    Roster,
    Say,
    Topic,
    Typed,
    Welcome,
    Who,
)
from triochat.order import AnyRequest, Gone
from triochat.room import Room
from triochat.sanctions import MOST


def staffed(*peers: str, host: str | None = None, max_clients: int = 1000) -> Stage:
    """A room with its console, and others who come from this host, or each from its own."""
    stage = Stage(Room(max_clients=max_clients))
    stage.operators.add("boss")
    stage.ask("boss", Join("Server"))
    for number, peer in enumerate(peers, 1):
        stage.hosts[peer] = f"10.0.0.{number}/32" if host is None else host
        stage.ask(peer, Join(peer.capitalize()))
    return stage


# ---- operators


def test_an_operator_is_made() -> None:
    """Who was made an operator may do what the console may, also under another handle."""
    transcript(
        """
        ann: \\kick Bob
            ann | ! only operators can use \\kick
        boss: \\op aNN
            boss, ann, bob | * Ann was made an operator by Server
        ann: \\nick Anna
            boss, ann, bob | * Ann is now Anna
        ann: \\op Anna
            ann | ! you are an operator already
        ann: \\kick Bob
            bob | * Server closed the connection: kicked
            boss, ann | * Bob left (kicked)
        boss: \\deop Anna
            boss, ann | * Anna was dismissed as an operator by Server
        boss: \\deop Anna
            boss | ! "Anna" is no operator
        ann: \\mute Server
            ann | ! only operators can use \\mute
        """,
        peopled("boss", "ann", "bob"),
    )


def test_an_operator_is_one_as_long_as_it_is_here() -> None:
    """Who leaves, and comes back under the same handle, is no operator."""
    transcript(
        """
        boss: \\op Ann
            boss, ann | * Ann was made an operator by Server
        (ann is cut off)
            boss | * Ann left (connection lost)
        ann: Ann
            boss | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Server
        ann: \\bans
            ann | ! only operators can use \\bans
        """,
        peopled("boss", "ann"),
    )


def test_operators_make_and_dismiss_others() -> None:
    """An operator makes others, dismisses whom it likes, itself too; only who is here."""
    transcript(
        """
        boss: \\op Ann
            boss, ann, bob | * Ann was made an operator by Server
        ann: \\op Bob
            boss, ann, bob | * Bob was made an operator by Ann
        bob: \\deop Ann
            boss, ann, bob | * Ann was dismissed as an operator by Bob
        bob: \\deop Bob
            boss, ann, bob | * Bob was dismissed as an operator by Bob
        boss: \\op Eve
            boss | ! nobody here is called "Eve"; nobody was made an operator
        """,
        peopled("boss", "ann", "bob"),
    )


@pytest.mark.parametrize(
    ("typed", "done"),
    [("kick", "kicked"), ("ban", "banned"), ("mute", "muted")],
)
def test_nobody_touches_the_console(typed: str, done: str) -> None:
    """The console stays what it is, whoever wants something else; even before it is there."""
    stage = staffed("ann")
    stage.room.operators.add(stage.peer("ann"))
    wanted = [f"    ann | ! the console cannot be {done}"]
    assert stage.play(f"ann: \\{typed} Server") == wanted
    assert stage.play(f"boss: \\{typed} Server") == [f"    boss | ! you cannot {typed} yourself"]
    assert stage.play("ann: \\deop Server") == [
        "    ann | ! the console is an operator, and stays one"
    ]
    stage.play("(boss is cut off)")
    assert stage.play(f"ann: \\{typed} sERVER") == wanted


@pytest.mark.parametrize("line", ["ban Ann", "mute Ann", "kick Ann"])
def test_nobody_does_it_to_itself(line: str) -> None:
    """An operator cannot put itself out, nor silence itself."""
    stage = staffed("ann")
    stage.room.operators.add(stage.peer("ann"))
    [said] = stage.play(f"ann: \\{line}")
    assert said == f"    ann | ! you cannot {line.split(maxsplit=1)[0]} yourself"


# ---- bans


def test_a_ban_of_who_is_here() -> None:
    """Who is banned is put out and refused with the reason; it holds the handle, and the host."""
    transcript(
        """
        boss: \\ban aNN 10 too loud
            boss, ann, bob | * Ann was banned by Server for 10 minutes: too loud
            boss | * whoever comes from 10.0.0.1 is held too
            ann | * Server closed the connection: banned: too loud
            boss, bob | * Ann left (banned: too loud)
        ann: Zoe
            ann | ! you are banned here for another 10 minutes: too loud
            ann | * Server closed the connection: banned
        (eve comes from 10.0.0.9)
        eve: ANN
            eve | ! you are banned here for another 10 minutes: too loud
            eve | * Server closed the connection: banned
        (boss waits 301 seconds)
        ann: Ann
            ann | ! you are banned here for another 5 minutes: too loud
            ann | * Server closed the connection: banned
        bob: \\nick Ann
            bob | ! handle "Ann" is banned here for another 5 minutes: too loud
        (boss waits 300 seconds)
        ann: Ann
            boss, bob | * Ann joined
            ann | * Server connected. You are Ann. 3 here: Ann, Bob, Server
        """,
        staffed("ann", "bob"),
    )


def test_a_class_behind_one_address() -> None:
    """A host from which others are here is not held: they come back, only the handle does not."""
    transcript(
        """
        boss: \\ban Ann
            boss, ann, bob | * Ann was banned by Server
            boss | * only the name is held: others come from 10.0.0.1
            ann | * Server closed the connection: banned
            boss, bob | * Ann left (banned)
        boss: \\bans
            boss | * banned: Ann
        ann: Ann
            ann | ! you are banned here
            ann | * Server closed the connection: banned
        ann: Zoe
            boss, bob | * Zoe joined
            ann | * Server connected. You are Zoe. 3 here: Bob, Server, Zoe
        """,
        staffed("ann", "bob", host="10.0.0.1/32"),
    )


@pytest.mark.parametrize("host", ["127.0.0.1/32", "127.8.8.8/32", "::1/128", ""])
def test_no_name_bans_this_machine(host: str) -> None:
    """A ban of a name never holds this machine, where all who come through a tunnel come from."""
    stage = staffed("ann", host=host)
    whose = "this is where the server runs" if host else "where it comes from is not known"
    assert stage.play("boss: \\ban Ann")[1] == f"    boss | * only the name is held: {whose}"
    assert stage.play("boss: \\bans") == ["    boss | * banned: Ann"]
    assert isinstance(stage.ask("ann", Join("Zoe"))[-1].event, Welcome)


def test_a_ban_of_who_was_here() -> None:
    """Who left a little while ago is remembered with the host; of others the name is held."""
    stage = staffed("ann", "bob")
    stage.play("ann: \\quit")
    stage.ask("boss", Ban("ANN"), Ban("Eve", 60))
    [listed] = [heard.event for heard in stage.ask("boss", Bans())]
    assert listed == Notice("banned: ANN and 10.0.0.1\nbanned: Eve for another 1 hour")
    refused = stage.ask("ann", Join("Zoe"))[0].event
    assert isinstance(refused, Refused)
    assert refused.code == "banned"


def test_what_a_ban_holds_is_told_to_its_author_alone() -> None:
    """It is no answer, and nobody else learns where somebody comes from."""
    stage = staffed("ann", "bob")
    stage.room.operators.add(stage.peer("bob"))
    for request in (Mute("Ann"), Ban("Ann")):
        answer, held, *_ = stage.tell("bob", request)
        assert isinstance(answer.event, Moderated)
        assert answer.event.by == "Bob"
        assert isinstance(held.event, Moderated)
        assert (held.event.by, held.audience) == ("", ("bob",))
        assert held.event.id == answer.event.id + 1


@pytest.mark.parametrize(
    ("place", "shown"), [("10.0.0.9", "10.0.0.9"), ("2001:db8::7", "2001:db8::/64")]
)
def test_who_renames_itself_just_before(place: str, shown: str) -> None:
    """A ban of the handle that it had holds its host all the same; it is put out."""
    transcript(
        f"""
        (mal comes from {place})
        mal: Mal
            boss | * Mal joined
            mal | * Server connected. You are Mal. 2 here: Mal, Server
        mal: \\nick Nice
            boss, mal | * Mal is now Nice
        boss: \\mute Mal
            boss, mal | * Mal was muted by Server
            boss | * nobody here is called Mal; whoever comes from {shown} is held too
        mal: hello
            mal | ! you are muted; nothing was sent
        boss: \\ban Mal
            boss, mal | * Mal was banned by Server
            boss | * nobody here is called Mal; whoever comes from {shown} is held too
            mal | * Server closed the connection: banned
            boss | * Nice left (banned)
        boss: \\ban Eve
            boss | * Eve was banned by Server
            boss | * nobody here is called Eve; the name is held
        """,
        staffed(),
    )


def test_a_ban_of_a_former_handle_spares_the_others_of_its_host() -> None:
    """The name alone is held then, and the operator is told both."""
    stage = staffed("mal", "bob", host="10.0.0.1/32")
    stage.play("mal: \\nick Nice")
    assert stage.play("boss: \\ban Mal") == [
        "    boss, mal, bob | * Mal was banned by Server",
        "    boss | * nobody here is called Mal; only the name is held: others come from 10.0.0.1",
    ]


def test_an_operator_s_own_former_handle_is_only_a_name() -> None:
    """Who bans, or mutes, what it was called itself stays, and speaks."""
    stage = staffed("ann")
    stage.room.operators.add(stage.peer("ann"))
    stage.play("ann: \\nick Zoe")
    stage.ask("ann", Mute("Ann"), Ban("Ann"))
    assert stage.play("ann: hello") == ["    boss, ann | Zoe> hello"]


def test_who_left_again_is_the_newest() -> None:
    """Who was here more than once is forgotten last."""
    stage = staffed("ann", "bob")
    for name in ("ann", "bob"):
        stage.play(f"{name}: \\quit")
    stage.play("ann: Ann")
    stage.play("ann: \\quit")
    assert [*stage.room.former] == ["bob", "ann"]


@pytest.mark.parametrize("leaving", ["\\quit", "\\nick Other"])
def test_one_host_makes_no_other_forgotten(leaving: str) -> None:
    """However often somebody comes, or renames itself, under ever new names."""
    stage = staffed("ann")
    stage.play("ann: \\quit")
    for number in range(FORMER):
        stage.hosts["mal"] = "10.0.0.9/32"
        stage.now += 60
        stage.ask("mal", Join(f"M{number}x"))
        stage.play(f"mal: {leaving}")
        stage.play("mal: \\quit")
    assert "ann" in stage.room.former
    assert len(stage.room.former) == 1 + FORMER_OF_HOST


def test_who_left_is_remembered_a_little_while() -> None:
    """The hosts of so many who left last are known, and no more."""
    stage = staffed("ann")
    stage.play("ann: \\quit")
    for number in range(FORMER):
        assert len(stage.room.former) == min(FORMER, number + 1)
        stage.hosts["bob"] = f"10.1.0.{number}/32"
        stage.ask("bob", Join(f"Bob{number}"))
        stage.play("bob: \\quit")
    assert len(stage.room.former) == FORMER
    stage.ask("boss", Ban("Ann"))
    assert stage.play("boss: \\bans") == ["    boss | * banned: Ann"]


def test_a_ban_of_addresses() -> None:
    """All who come from there are put out, also who waits; nobody is told the address."""
    transcript(
        """
        cid: Cid
            cid | * The room is full; you are number 1 in line
        dan: Dan
            dan | * The room is full; you are number 2 in line
        boss: \\ban 10.0.0.9/24 2h scans
            boss, ann | * an address was banned by Server for 2 hours: scans
            cid | * Server closed the connection: banned: scans
            ann | * Server closed the connection: banned: scans
            boss | * Ann left (banned: scans)
            boss | * Dan joined
            dan | * Server connected. You are Dan. 2 here: Dan, Server
        ann: Ann
            ann | ! you are banned here for another 2 hours: scans
            ann | * Server closed the connection: banned
        boss: \\bans
            boss | * banned: 10.0.0.0/24 for another 2 hours: scans
        boss: \\unban 10.0.0.7/24
            boss, dan | * an address was unbanned by Server
        boss: \\unban 10.0.0.7/24
            boss | ! there is no ban of "10.0.0.7/24"; \\bans lists them
        """,
        a_full_room(),
    )


def a_full_room() -> Stage:
    """A room for one, in which Ann is; Cid is her neighbour, Dan comes from elsewhere."""
    stage = staffed("ann", max_clients=1)
    stage.hosts |= {"cid": "10.0.0.77/32", "dan": "10.0.1.1/32"}
    return stage


def test_an_address_of_ipv6_is_its_network() -> None:
    """Who has an address of IPv6 has all of its /64."""
    stage = staffed("ann")
    stage.hosts["ann"] = "2001:db8:0:1::/64"
    stage.play("boss: \\ban 2001:db8:0:1:abcd::7")
    assert stage.play("boss: \\bans") == ["    boss | * banned: 2001:db8:0:1::/64"]
    assert stage.play("ann: Zoe")[0] == "    ann | ! you are banned here"


def test_this_machine_may_be_banned_by_its_address() -> None:
    """Who says so bans this machine; the console stays all the same, and may come back."""
    stage = staffed("ann", host="127.0.0.1/32")
    stage.play("(boss is cut off)")
    stage.hosts["boss"] = "127.0.0.1/32"
    stage.play("boss: Server")
    told = stage.play("boss: \\ban 127.0.0.1")
    assert told[-1] == "    boss | * Ann left (banned)"
    stage.play("(boss is cut off)")
    assert stage.play("boss: Server") == [
        "    boss | * Server connected. You are Server. 1 here: Server"
    ]


def test_nobody_bans_its_own_address() -> None:
    """An operator who bans where it comes from is told so, and stays."""
    transcript(
        """
        boss: \\op Ann
            boss, ann, bob | * Ann was made an operator by Server
        ann: \\ban 10.0.0.0/8
            ann | ! you come from there yourself; nobody was banned
        ann: \\ban 10.0.0.2
            boss, ann, bob | * an address was banned by Ann
            bob | * Server closed the connection: banned
            boss, ann | * Bob left (banned)
        """,
        staffed("ann", "bob"),
    )


def test_a_ban_is_lifted() -> None:
    """A ban is lifted by any spelling of the name, and once; who was banned may come."""
    transcript(
        """
        boss: \\ban Ann
            boss, ann | * Ann was banned by Server
            boss | * whoever comes from 10.0.0.1 is held too
            ann | * Server closed the connection: banned
            boss | * Ann left (banned)
        boss: \\unban aNN
            boss | * Ann was unbanned by Server
        boss: \\unban Ann
            boss | ! there is no ban of "Ann"; \\bans lists them
        ann: Ann
            boss | * Ann joined
            ann | * Server connected. You are Ann. 2 here: Ann, Server
        """,
        staffed("ann"),
    )


@pytest.mark.parametrize(
    "name", ["two words", "42", "", "10.0.0.256", "x" * 40, "\x1b[2J", "1::2::3"]
)
def test_what_cannot_be_banned(name: str) -> None:
    """What is neither a handle nor an address bans nobody."""
    stage = staffed("ann")
    [(refused, audience, _)] = stage.ask("boss", Ban(name))
    assert isinstance(refused, Refused)
    assert (refused.code, audience) == ("no-such-handle", ("boss",))
    assert "neither a handle nor an address" in refused.text
    assert not stage.room.rulings.bans


def test_there_are_so_many_bans() -> None:
    """A list that is told and kept as a whole has an end; what is over does not count."""
    stage = staffed("ann", "bob")
    for number in range(MOST):
        stage.ask("boss", Ban(f"x{number}", 1 if number else 0))
    full = Refused("not-allowed", f"there are {MOST} bans; \\unban somebody first")
    assert stage.ask("boss", Ban("Eve"))[0].event == full
    assert isinstance(stage.ask("boss", Ban("X7", 1))[0].event, Moderated)
    assert sum("* banned: " in line for line in stage.play("boss: \\bans")) == MOST
    stage.now += 61
    assert isinstance(stage.ask("boss", Ban("Eve"))[0].event, Moderated)
    assert [*stage.room.rulings.bans] == ["xo", "eve"]  # as they look


def test_a_ban_is_no_change_of_the_queue() -> None:
    """Who waits under a banned name is put out of the line, and the others move up."""
    transcript(
        """
        cid: Cid
            cid | * The room is full; you are number 1 in line
        dan: Dan
            dan | * The room is full; you are number 2 in line
        boss: \\ban cid
            boss, ann | * Cid was banned by Server
            boss | * whoever comes from 10.0.0.77 is held too
            cid | * Server closed the connection: banned
            dan | * The room is full; you are number 1 in line
        """,
        a_full_room(),
    )


# ---- mutes


def test_a_mute() -> None:
    """Who is muted says nothing by any way, and is told how long; nor by another name."""
    transcript(
        """
        boss: \\mute ann 10
            boss, ann, bob | * Ann was muted by Server for 10 minutes
            boss | * whoever comes from 10.0.0.1 is held too
        ann: hello
            ann | ! you are muted for another 10 minutes; nothing was sent
        ann: psst > Bob
            ann | ! you are muted for another 10 minutes; nothing was sent
        ann: \\me waves
            ann | ! you are muted for another 10 minutes; nothing was sent
        ann: \\nick Free-Ann
            ann | ! you are muted for another 10 minutes
        ann: ?
            ann | * 3 here: Ann, Bob, Server
        (boss waits 595 seconds)
        ann: hello
            ann | ! you are muted for another 5 seconds; nothing was sent
        (boss waits 5 seconds)
        ann: hello
            boss, ann, bob | Ann> hello
        """,
        staffed("ann", "bob"),
    )


def test_a_mute_stays_with_the_person() -> None:
    """Who leaves and comes back, also under another handle from the same host, is muted still."""
    transcript(
        """
        boss: \\mute Ann
            boss, ann, bob | * Ann was muted by Server
            boss | * whoever comes from 10.0.0.1 is held too
        ann: \\quit
            boss, bob | * Ann left
        ann: Zoe
            boss, bob | * Zoe joined
            ann | * Server connected. You are Zoe. 3 here: Bob, Server, Zoe
        ann: hello
            ann | ! you are muted; nothing was sent
        boss: \\unmute ANN
            boss, bob, ann | * Ann was unmuted by Server
        ann: hello
            boss, bob, ann | Zoe> hello
        boss: \\unmute Zoe
            boss | ! there is no mute of "Zoe"; \\bans lists them
        boss: \\mute Eve
            boss | ! nobody here is called "Eve"; nobody was muted
        """,
        staffed("ann", "bob"),
    )


def test_a_mute_spares_the_others_of_a_host() -> None:
    """Whoever sits behind the same address speaks on."""
    stage = staffed("ann", "bob", host="10.0.0.1/32")
    stage.ask("boss", Mute("Ann"))
    assert stage.play("bob: hi") == ["    boss, ann, bob | Bob> hi"]
    assert stage.play("boss: \\bans") == ["    boss | * muted: Ann"]


def test_a_muted_operator_stays_muted() -> None:
    """It does not free itself, by whatever name; nor speak by what it does."""
    transcript(
        """
        boss: \\op Ann
            boss, ann, bob | * Ann was made an operator by Server
        boss: \\mute Ann
            boss, ann, bob | * Ann was muted by Server
            boss | * whoever comes from 10.0.0.1 is held too
        ann: \\unmute ANN
            ann | ! you cannot unmute yourself
        ann: \\topic tea
            ann | ! you are muted
        ann: \\topic
            ann | * there is no topic
        ann: \\kick Bob tea
            ann | ! you are muted; leave the reason out
        ann: \\ban Bob 5 tea
            ann | ! you are muted; leave the reason out
        ann: \\kick Bob
            bob | * Server closed the connection: kicked
            boss, ann | * Bob left (kicked)
        ann: \\quit
            boss | * Ann left
        ann: Zoe
            boss | * Zoe joined
            ann | * Server connected. You are Zoe. 2 here: Server, Zoe
        boss: \\op Zoe
            boss, ann | * Zoe was made an operator by Server
        ann: \\unmute Ann
            ann | ! you cannot unmute yourself
        ann: \\unmute Zoe
            ann | ! there is no mute of "Zoe"; \\bans lists them
        boss: \\unmute Ann
            boss, ann | * Ann was unmuted by Server
        ann: \\topic tea
            boss, ann | * the topic was set by Zoe: tea
        """,
        staffed("ann", "bob"),
    )


# ---- quiet, topic


def test_quiet() -> None:
    """In a quiet room operators speak, and others to them alone."""
    transcript(
        """
        boss: \\quiet on
            boss, ann, bob | * the room was made quiet by Server: only operators speak
        boss: \\quiet on
            boss | ! the room is quiet already
        boss: \\op Bob
            boss, ann, bob | * Bob was made an operator by Server
        ann: hello
            ann | ! the room is quiet: only operators speak, and others only to them alone;
                nothing was sent
        ann: \\me waves
            ann | ! the room is quiet: only operators speak, and others only to them alone;
                nothing was sent
        ann: may I? > Bob
            bob | [Ann -> you] may I?
            ann | [you -> Bob] may I?
        bob: yes
            boss, ann, bob | Bob> yes
        bob: \\quiet off
            boss, ann, bob | * the quiet was ended by Bob: everybody may speak
        bob: \\quiet off
            bob | ! the room is not quiet
        ann: hello
            boss, ann, bob | Ann> hello
        """,
        peopled("boss", "ann", "bob"),
    )


def test_in_a_quiet_room_others_whisper_to_operators_alone() -> None:
    """Two who are no operators do not whisper to each other there."""
    stage = peopled("boss", "ann", "bob")
    stage.ask("boss", Quiet(on=True))
    [said] = stage.play("ann: psst > Bob")
    assert said.startswith("    ann | ! the room is quiet")


def test_topic() -> None:
    """Operators say what the room is about; anybody may ask, and who joins is told."""
    transcript(
        """
        ann: \\topic
            ann | * there is no topic
        ann: \\topic cats
            ann | ! only operators can use \\topic
        boss: \\topic  release at\x1b five
            boss, ann | * the topic was set by Server: release at five
        ann: \\topic
            ann | * Topic: release at five
        boss: \\topic -
            boss, ann | * the topic was removed by Server
        ann: \\topic
            ann | * there is no topic
        """,
        peopled("boss", "ann"),
    )


def test_who_joins_is_told_the_topic() -> None:
    """The welcome has the topic, and as text a line for it."""
    stage = peopled("boss")
    stage.ask("boss", Topic("tea"))
    welcome = stage.ask("ann", Join("Ann"))[-1].event
    assert isinstance(welcome, Welcome)
    assert welcome.topic == "tea"
    assert stage.ask("boss", Topic(" \t"))[0].event == Refused(
        "message-empty", "the message is empty; nothing was sent"
    )


# ---- actions


def test_an_action() -> None:
    """What somebody does is told like a message, as the room's own lines are."""
    transcript(
        """
        ann: \\me  waves at\t Bob
            ann, bob | * Ann waves at  Bob
        ann: * Bob waves
            ann, bob | Ann> * Bob waves
        bob: /me nods
            ann, bob | * Bob nods
        """,
        peopled("ann", "bob"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "left",
        "LEFT (connection lost)",
        "joined",
        "is  now Eve",
        "was banned by Server: spam",
        "was unmuted by Server",
        "was made an operator by Server",
        "was dismissed as an operator by Server",
        "connected. You are Bob. 2 here: Ann, Bob",
        "\uff4ceft (quit)",
        "left\u200d",
        "came back",
        "is out of the line",
    ],
)
def test_nobody_acts_the_room(text: str) -> None:
    """An action that would look like what the room states is refused."""
    stage = peopled("ann", "bob")
    [said] = stage.play(f"ann: \\me {text}")
    assert said == "    ann | ! only the room says that; nothing was sent"


@pytest.mark.parametrize(
    ("handle", "text"),
    [
        ("The", "topic was set by Server: Ann is mad"),
        ("the", "room is full; you are number 7 in line"),
        ("An", "address was banned by Server"),
        ("all", "clients disconnected"),
        ("Nobody", "is banned or muted"),
        ("There", "is no topic"),
        ("this", "room has a password; what is it?"),
        ("your", "connection is not encrypted; others on the network can read it"),
        ("nobody", "new gets in (too many open files)"),
        ("0ne", "address was banned by Server"),
        ("earlier", "[21:07] Bob> I owe you money"),
        ("EarIier_", ": [21:07] Bob> I owe you money"),
        ("Mal", "(plain) joined"),
        ("Mal", "(plain) is now Server2"),
        ("Mal", "Ieft"),
        ("Mal", "j\u043eined"),
        ("Mal", "has left the room"),
        ("Mal", "was kicked by Server"),
        ("Mal", "and Joe were banned by Server"),
    ],
)
def test_no_handle_makes_an_action_the_room_s(handle: str, text: str) -> None:
    """Nor does it help to be called as the room's sentences begin."""
    stage = peopled("ann")
    stage.ask("ann", Rename(handle))
    assert stage.play(f"ann: \\me {text}") == [
        "    ann | ! only the room says that; nothing was sent"
    ]


@pytest.mark.parametrize("text", ["left the keys at home", "is now hungry and cold", "was hungry"])
def test_other_actions_are_said(text: str) -> None:
    """What the room never says may be done."""
    assert peopled("ann").play(f"ann: \\me {text}") == [f"    ann | * Ann {text}"]


def test_actions_take_turns() -> None:
    """An action is a message: in a room with turns it is somebody else's turn then."""
    stage = peopled("ann", "bob", turns=True)
    stage.play("ann: \\me waves")
    for line in ("ann: hello", "ann: \\me waves again"):
        assert stage.play(line) == ["    ann | ! it is the turn of Bob; nothing was sent"]
    stage.play("bob: \\me nods")
    assert stage.play("ann: hello") == ["    ann, bob | Ann> hello"]


def test_strangers_moderate_nothing() -> None:
    """Who has not joined, be it the console, changes nothing."""
    stage = Stage()
    stage.operators.add("boss")
    for peer in ("boss", "ann"):
        for line in ("\\quiet on", "\\topic tea", "\\ban Ann", "\\op Ann"):
            assert stage.play(f"{peer}: {line}") == [f"    {peer} | ! first a handle, please"]
        assert stage.ask(peer, Quiet(on=True))[0].event == Refused(
            "not-joined", "join with a handle first"
        )
    assert stage.room.rulings.version == 0


def test_moderation_is_told_with_its_place() -> None:
    """What operators do has an id and a time, and says who did it."""
    stage = peopled("boss", "ann")
    heard, _ = stage.tell("boss", Mute("Ann", 1.5))
    assert isinstance(heard.event, Moderated)
    assert (heard.event.id, heard.event.by) == (3, "Server")
    assert heard.event.at
    assert heard.event.text == "Ann was muted by Server for 90 seconds"
    assert isinstance(stage.ask("ann", Say("x"))[0].event, Refused)


def test_what_is_not_kept_changes_nothing_that_is() -> None:
    """Who is an operator is not over a restart: nothing needs to be written for that."""
    stage = staffed("ann")
    for line, version in (("op Ann", 0), ("deop Ann", 0), ("topic tea", 1), ("ban Ann", 2)):
        stage.play(f"boss: \\{line}")
        assert stage.room.rulings.version == version


# ---- what programs are told


@pytest.mark.parametrize(
    ("typed", "deed", "what"),
    [
        ("op ann", "op", "Ann"),
        ("topic tea  time", "topic", "tea  time"),
        ("quiet on", "quiet", "on"),
        ("mute ANN 5", "mute", "Ann"),
        ("ban ann 5 loud", "ban", "Ann"),
        ("ban 10.9.0.1", "ban", "an address"),
    ],
)
def test_programs_need_not_read_what_operators_do(typed: str, deed: str, what: str) -> None:
    """Beside the words stands which request it was, and what about; nobody's address is told."""
    stage = staffed("ann", "bob")
    told = stage.ask("boss", Typed(f"\\{typed}"))[0]
    assert isinstance(told.event, Moderated)
    assert (told.event.deed, told.event.what, told.event.by) == (deed, what, "Server")
    assert told.audience == ("boss", "ann", "bob")


@pytest.mark.parametrize(
    ("before", "typed", "what"),
    [
        ("op Ann", "deop ann", "Ann"),
        ("mute Ann", "unmute ann", "Ann"),
        ("ban Eve", "unban eve", "Eve"),
        ("topic tea", "topic -", ""),
        ("quiet on", "quiet off", "off"),
        ("ban 10.9.0.1", "unban 10.9.0.1", "an address"),
    ],
)
def test_so_they_know_what_is_lifted(before: str, typed: str, what: str) -> None:
    """What an operator takes back is told in the same way."""
    stage = staffed("ann")
    stage.play(f"boss: \\{before}")
    told = stage.ask("boss", Typed(f"\\{typed}"))[0].event
    assert isinstance(told, Moderated)
    assert (told.deed, told.what) == (typed.split(maxsplit=1)[0], what)


def test_a_warning_is_no_deed() -> None:
    """What the server itself tells one, or what becomes of who waits, has none."""
    stage = staffed("ann", max_clients=1)
    stage.ask("bob", Join("Bob"))
    [*_, told] = stage.ask("boss", Typed("\\mute Ann"))
    assert told.audience == ("boss",)
    assert isinstance(told.event, Moderated)
    assert (told.event.deed, told.event.what, told.event.by) == ("", "", "")
    [out] = [
        heard.event
        for heard in stage.ask("boss", Typed("\\kick Bob"))
        if heard.audience == ("boss",)
    ]
    assert out == Moderated("Bob is out of the line", by="Server")


def test_who_was_put_out_was_so_by_somebody() -> None:
    """``left`` says by which operator; who goes itself, or is lost, has gone by nobody."""
    stage = staffed("ann", "bob", "cid", "dan")
    stage.play("boss: \\op Ann")

    def left(who: str, *requests: AnyRequest) -> list[Left]:
        return [one.event for one in stage.ask(who, *requests) if isinstance(one.event, Left)]

    assert left("ann", Kick("Bob", "loud")) == [Left("Bob", "kicked: loud", by="Ann")]
    assert left("ann", Ban("Cid")) == [Left("Cid", "banned", by="Ann")]
    assert left("dan", Gone("connection lost")) == [Left("Dan", "connection lost")]
    assert left("ann", Quit()) == [Left("Ann", "quit")]


def test_operators_are_known_to_all() -> None:
    """The welcome and the roster name them, as they are called now, as long as they are here."""
    stage = staffed("ann", "bob")
    token = "t" * 22

    def operators() -> tuple[str, ...]:
        [heard] = stage.ask("bob", Who())
        assert isinstance(heard.event, Roster)
        assert heard.event.server in ("", "Server")
        return heard.event.operators

    assert operators() == ("Server",)
    stage.ask("eve", Join("Eve", token=token))
    for line, known in (
        ("boss: \\op Ann", ("Ann", "Server")),
        ("boss: \\op Eve", ("Ann", "Eve", "Server")),
        ("eve: \\nick zoe", ("Ann", "Server", "zoe")),
        ("boss: \\deop Ann", ("Server", "zoe")),
        ("(eve is cut off)", ("Server", "zoe")),
        ("(boss is cut off)", ("zoe",)),
    ):
        stage.play(line)
        assert operators() == known
    heard = stage.ask("back", Join("Eve", token=token))
    [welcome] = [one.event for one in heard if isinstance(one.event, Welcome)]
    assert (welcome.handle, welcome.resumed, welcome.operators) == ("zoe", True, ("zoe",))
    [*_, told] = stage.ask("fay", Join("Fay"))
    assert isinstance(told.event, Welcome)
    assert told.event.operators == ("zoe",)
    stage.ask("back", Quit())
    assert operators() == ()
