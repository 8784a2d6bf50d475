"""A client of IRC in the room: what it says, and all that it is told, line by line."""

import re
from typing import Unpack

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from house import House, Peer, Rules, open_house
from strategies import any_text, events
from triochat import rules
from triochat.dialects import irc
from triochat.dialects.base import Setting
from triochat.dialects.irc import MOST, IrcSpeaker
from triochat.dialects.irc_answers import LISTED, Here, users, who, whois
from triochat.dialects.irc_words import nick_of
from triochat.dialects.recognition import recognise
from triochat.messages import (
    Action,
    Ban,
    Deop,
    Event,
    Join,
    Kick,
    Notice,
    Op,
    Ping,
    Quiet,
    Quit,
    Refused,
    Rename,
    Roster,
    Say,
    Topic,
    Typed,
    Unban,
    Welcome,
    Whisper,
    Who,
)
from triochat.order import AnyRequest, Asked, Reply
from triochat.order import Peer as Peer_
from triochat.room import Room
from triochat.telling import Told

IN = ":*.triochat 366"
"""How the last line begins that tells a client that it is in."""

IRSSI = [
    b"CAP LS 302\r\nJOIN :\r\n",
    b"CAP REQ :server-time\r\n",
    b"CAP END\r\n",
    b"NICK Ann\r\nUSER root root 127.0.0.1 :root\r\n",
    b"MODE Ann +i\r\n",
    b"MODE #room\r\nWHO #room\r\nMODE #room b\r\nPING lag\r\n",
    b"PRIVMSG #room :hello\r\n",
    b"QUIT :leaving\r\n",
]
WEECHAT = [
    b"CAP LS 302\r\nNICK Ann\r\nUSER root 0 * :root\r\n",
    b"CAP REQ :message-tags server-time\r\n",
    b"CAP END\r\n",
    b"MODE #room\r\n",
    b"PRIVMSG #room :hello\r\n",
    b"QUIT :WeeChat 3.8\r\n",
]
CATGIRL = [
    b"CAP LS\r\nNICK :Ann\r\nUSER ann 0 * :Ann\r\n",
    b"CAP REQ :server-time\r\n",
    b"CAP END\r\n",
    b"PRIVMSG #room :hello\r\n",
    b"QUIT :\r\n",
]
SIC = [b"NICK Ann\r\nUSER Ann localhost 127.0.0.1 :Ann\r\n", b"PRIVMSG #room :hello\r\n"]
IRCII = [b"NICK Ann\r\nUSER ann + + :Ann\r\n", b"PRIVMSG #room :hello\r\n", b"QUIT :Leaving\r\n"]
EPIC5 = [
    b"USER ann 0 * :Ann\r\nNICK Ann\r\n",
    b"USERHOST Ann\r\nWHO #room\r\n",
    b"PRIVMSG Nobody :hi\r\nWHOWAS Nobody\r\n",
    b"PRIVMSG #room :hello\r\n",
    b"QUIT :\r\n",
]
CLIENTS = {
    "irssi": IRSSI,
    "weechat": WEECHAT,
    "catgirl": CATGIRL,
    "sic": SIC,
    "ircii": IRCII,
    "epic5": EPIC5,
}
"""What clients have been seen to send, at once each."""


async def introduce(house: House, handle: str, *capabilities: str) -> Peer:
    """A client that has said what it is called, and can do this."""
    peer = await house.connect()
    if capabilities:
        await peer.type(f"CAP REQ :{' '.join(capabilities)}", "CAP END")
        await peer.until(":*.triochat CAP")
    await peer.type(f"NICK {handle}", f"USER {handle} 0 * :{handle}")
    return peer


async def join(house: House, handle: str, *capabilities: str) -> Peer:
    """The same, and it is in, and has read so."""
    peer = await introduce(house, handle, *capabilities)
    await peer.until(IN)
    return peer


async def told(peer: Peer, *lines: str) -> list[str]:
    """What it is told when it has said this."""
    await peer.type(*lines)
    return await peer.heard_by_now()


def speaker_of(**setting: object) -> IrcSpeaker:
    """A speaker that is about to hear the first bytes."""
    speaker = IrcSpeaker()
    speaker.begin(Setting(**setting))  # type: ignore[arg-type]
    return speaker


def asked(*lines: str) -> list[AnyRequest]:
    """What a client asks the room for that is in it, by these lines; not what is just told."""
    speaker = speaker_of()
    speaker.hear(b"NICK Ann\r\nUSER a 0 * :a\r\n")
    speaker.tell([Welcome("Ann", "Server", ("Ann", "Bob"))], "Ann")
    return speaker.hear("".join(f"{line}\r\n" for line in lines).encode())


# ---- on the way in


async def test_in_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """Who has said what it is called is in, and in the channel, and knows who is there."""
    supported = (
        "CHANTYPES=# PREFIX=(o)@ CHANMODES=b,,,mnt NICKLEN=12 CASEMAPPING=ascii TOPICLEN=500"
        " MODES=4 MAXTARGETS=4 NETWORK=tea-room UTF8ONLY WHOX"
    )
    async with open_house(name="tea room", handle_length=12) as house:
        await house.ndjson("Bob")
        ann = await introduce(house, "Ann")
        assert await ann.heard_by_now() == [
            ":*.triochat 001 Ann :Welcome to tea room, Ann",
            ":*.triochat 002 Ann :Your host is *.triochat, running triochat",
            ":*.triochat 003 Ann :The one channel is #tea-room; you are in as you connect",
            ":*.triochat 004 Ann *.triochat triochat o bmnot bo",
            f":*.triochat 005 Ann {supported} :are supported by this server",
            ":*.triochat 422 Ann :There is no message of the day",
            ":Ann!Ann@triochat JOIN #tea-room",
            ":*.triochat 353 Ann = #tea-room :Ann Bob",
            ":*.triochat 366 Ann #tea-room :End of names",
        ]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_is_in(client: str, autojump_clock: trio.testing.MockClock) -> None:
    """What each client sends brings it in, and what it says is heard once."""
    async with open_house() as house:
        bob = await house.ndjson("Bob")
        ann = await house.connect()
        heard = []
        for sent in CLIENTS[client]:
            await ann.stream.send_all(sent)
            heard += await ann.heard_by_now()
        said = [event async for event in events_until(bob, "said")]
        assert [one["type"] for one in said] == ["joined", "said"]
        assert said[-1]["text"] == "hello"
        assert [line for line in heard if " 001 " in line or " JOIN #room" in line]
        assert not [line for line in heard if " 421 " in line]


async def events_until(peer: Peer, kind: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """The events of a program, up to this one."""
    while True:
        event = await peer.event()
        yield event
        if event["type"] == kind:
            return


@pytest.mark.parametrize("client", CLIENTS)
def test_the_cut_means_nothing(client: str) -> None:
    """However what a client sends is cut, it asks for the same, byte by byte too."""
    data = b"".join(CLIENTS[client])
    whole = speaker_of().hear(data)
    assert isinstance(whole[-1], Quit | Say)
    for cut in range(len(data)):
        speaker = speaker_of()
        assert [*speaker.hear(data[:cut]), *speaker.hear(data[cut:])] == whole
    speaker = speaker_of()
    assert [one for byte in data for one in speaker.hear(bytes([byte]))] == whole


async def test_irssi_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    """Its probe before it is registered is refused, which it waits for."""
    async with open_house() as house:
        ann = await house.connect()
        await ann.stream.send_all(IRSSI[0])
        assert await ann.heard_by_now() == [
            ":*.triochat CAP * LS :echo-message message-tags server-time",
            ":*.triochat 451 * :Say NICK and USER first",
        ]
        await ann.stream.send_all(IRSSI[1])
        assert await ann.heard_by_now() == [":*.triochat CAP * ACK :server-time"]
        for sent in IRSSI[2:4]:
            await ann.stream.send_all(sent)
        await ann.until(IN)
        await ann.stream.send_all(IRSSI[4] + IRSSI[5])
        assert await ann.heard_by_now() == [
            ":*.triochat 221 Ann +",
            ":*.triochat 324 Ann #room +nt",
            ":*.triochat 352 Ann #room Ann triochat *.triochat Ann H :0 Ann",
            ":*.triochat 315 Ann #room :End of who",
            ":*.triochat 368 Ann #room :End of bans; operators see them by /quote bans",
            ":*.triochat PONG *.triochat :lag",
        ]


async def test_capabilities_are_fixed_when_it_is_in(autojump_clock: trio.testing.MockClock) -> None:
    """Nobody is in before `CAP END`; what is not known, or comes later, cannot be had."""
    async with open_house() as house:
        ann = await house.connect()
        assert await told(ann, "CAP LS", "NICK Ann", "USER a 0 * :a") == [
            ":*.triochat CAP * LS :echo-message message-tags server-time"
        ]
        assert await told(ann, "CAP REQ :sasl", "CAP REQ :server-time echo-message") == [
            ":*.triochat CAP * NAK :sasl",
            ":*.triochat CAP * ACK :server-time echo-message",
        ]
        assert await told(ann, "CAP REQ :-server-time", "CAP LIST", "CAP FOO") == [
            ":*.triochat CAP * ACK :-server-time",
            ":*.triochat CAP * LIST :echo-message",
            ":*.triochat 410 * FOO :No such command",
        ]
        await ann.type("CAP END")
        await ann.until(IN)
        assert await told(ann, "CAP REQ :server-time", "PRIVMSG #room :hi") == [
            ":*.triochat CAP Ann NAK :server-time",
            ":Ann!Ann@triochat PRIVMSG #room :hi",
        ]


async def test_a_taken_handle(autojump_clock: trio.testing.MockClock) -> None:
    """Is 433, also one that looks like it, or is reserved: clients try another by themselves."""
    async with open_house() as house:
        await house.ndjson("Bob")
        ann = await introduce(house, "bob")
        assert await ann.heard_by_now() == [
            ':*.triochat 433 * bob :handle "bob" is taken; try another'
        ]
        assert (await told(ann, "NICK B0b"))[0].startswith(":*.triochat 433 * B0b :")
        assert (await told(ann, "NICK you"))[0].startswith(":*.triochat 433 * you :")
        assert (await told(ann, "NICK"))[0].startswith(":*.triochat 431 * :")
        await ann.type("NICK bob_")
        assert (await ann.line()).startswith(":*.triochat 001 bob_ :")


async def test_a_long_handle_is_cut(autojump_clock: trio.testing.MockClock) -> None:
    """When it comes in; and what a client adds to one that is taken is not lost by it."""
    async with open_house() as house:
        await join(house, "LongerThanThat")
        ann = await introduce(house, "LongerThanThat")
        assert (await ann.line()).startswith(":*.triochat 433 * LongerThan :")
        await ann.type("NICK LongerThanThat_")
        assert (await ann.line()).startswith(":*.triochat 001 LongerTha_ :")


NEEDED = "this room has a password; connect with it as the server's password"


async def test_a_password(autojump_clock: trio.testing.MockClock) -> None:
    """It is said by `PASS`, before; without it, or with another, that is the end."""
    async with open_house(password="sesame") as house:
        for lines in ([], ["PASS wrong"]):
            ann = await house.connect()
            await ann.type(*lines, "NICK Ann", "USER a 0 * :a")
            first, *_, last = await ann.rest()
            why = "that is not the password of this room; try again" if lines else NEEDED
            assert first == f":*.triochat 464 * :{why}"
            assert last == "ERROR :Closing link: not let in"
        ann = await house.connect()
        await ann.type("PASS :sesame", "NICK Ann", "USER a 0 * :a")
        assert (await ann.line()).startswith(":*.triochat 001 Ann :")


async def test_who_is_banned(autojump_clock: trio.testing.MockClock) -> None:
    """Is told so, and let go."""
    async with open_house() as house:
        server = await house.operator()
        await server.ask({"type": "ban", "handle": "Ann", "reason": "loud"})
        ann = await introduce(house, "Ann")
        first, *_, last = await ann.rest()
        assert first == ":*.triochat 465 * :you are banned here: loud"
        assert last == "ERROR :Closing link: banned"


async def test_who_does_not_come_in(autojump_clock: trio.testing.MockClock) -> None:
    """Within twenty seconds is told so, whatever else it says."""
    async with open_house() as house:
        ann = await house.connect()
        await ann.type("CAP LS")
        for _ in range(19):
            await trio.sleep(1)
            await ann.type("PING :x")
        assert not [line for line in await ann.heard_by_now() if "ERROR" in line]
        await trio.sleep(1)
        assert (await ann.rest())[-1] == "ERROR :Closing link: not joined within 20 seconds"


async def test_a_full_line(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a place in it."""
    monkeypatch.setattr(rules, "QUEUE", 0)
    async with open_house(max_clients=0) as house:
        ann = await introduce(house, "Ann")
        first, *_, last = await ann.rest()
        assert first.startswith(":*.triochat 471 * #room :the room is full")
        assert last == "ERROR :Closing link: not let in"


async def test_a_full_room(autojump_clock: trio.testing.MockClock) -> None:
    """Who waits is registered at once, told its place, and joins when there is one."""
    async with open_house(max_clients=1) as house:
        ann = await join(house, "Ann")
        bob = await introduce(house, "Bob")
        assert (await bob.line()).startswith(":*.triochat 001 Bob :")
        assert await bob.until(":*.triochat NOTICE") == (
            ":*.triochat NOTICE Bob :The room is full; you are number 1 in line"
        )
        full = "the room is full; wait until you are let in; nothing was sent"
        assert await told(bob, "PRIVMSG #room :hi") == [f":*.triochat 404 Bob #room :{full}"]
        await ann.type("QUIT")
        assert await bob.heard_by_now() == [
            ":Bob!Bob@triochat JOIN #room",
            ":*.triochat 353 Bob = #room :Bob",
            ":*.triochat 366 Bob #room :End of names",
        ]


async def test_an_exposed_client(autojump_clock: trio.testing.MockClock) -> None:
    """Is told that others can read it, and all see that by the host it comes from."""
    async with open_house() as house:
        bob = await join(house, "Bob")
        ann = await house.from_host("10.0.0.9")
        await ann.type("NICK Ann", "USER a 0 * :a")
        assert await ann.line() == (
            ":*.triochat NOTICE * :your connection is not encrypted;"
            " others on the network can read it"
        )
        await ann.until(IN)
        assert await bob.line() == ":Ann!Ann@plain.triochat JOIN #room"
        assert (await told(bob, "WHO Ann"))[0] == (
            ":*.triochat 352 Bob #room Ann plain.triochat *.triochat Ann H :0 Ann"
        )


# ---- what is said


async def test_they_talk(autojump_clock: trio.testing.MockClock) -> None:
    """Everybody hears what is said, who said it only where it asked for that."""
    async with open_house() as house:
        ann = await join(house, "Ann")
        bob = await join(house, "Bob", "echo-message", "message-tags", "server-time")
        program = await house.ndjson("Cid")
        assert await ann.hear(2) == [
            ":Bob!Bob@triochat JOIN #room",
            ":Cid!Cid@triochat JOIN #room",
        ]
        await bob.heard_by_now()
        assert await told(ann, "PRIVMSG #room :hi", "PRIVMSG #Room :\x01ACTION waves\x01") == []
        now = "2026-01-02T03:03:04.678Z"
        assert await bob.heard_by_now() == [
            f"@time={now};msgid=4 :Ann!Ann@triochat PRIVMSG #room :hi",
            f"@time={now};msgid=5 :Ann!Ann@triochat PRIVMSG #room :\x01ACTION waves\x01",
        ]
        assert await told(bob, "NOTICE #room :also", "PRIVMSG Ann :psst") == [
            f"@time={now};msgid=6 :Bob!Bob@triochat PRIVMSG #room :also",
            f"@time={now};msgid=7 :Bob!Bob@triochat PRIVMSG Ann :psst",
        ]
        assert await ann.heard_by_now() == [
            ":Bob!Bob@triochat PRIVMSG #room :also",
            ":Bob!Bob@triochat PRIVMSG Ann :psst",
        ]
        heard = [await program.event() for _ in range(3)]
        assert [(one["text"], one.get("action")) for one in heard] == [
            ("hi", None),
            ("waves", True),
            ("also", None),
        ]


async def test_they_come_and_go(autojump_clock: trio.testing.MockClock) -> None:
    """Who is renamed, leaves, or is put out is seen to."""
    async with open_house() as house:
        server = await house.operator()
        ann = await join(house, "Ann")
        bob = await house.ndjson("Bob")
        await bob.ask({"type": "rename", "handle": "Bobo"})
        assert await ann.hear(2) == [
            ":Bob!Bob@triochat JOIN #room",
            ":Bob!Bob@triochat NICK Bobo",
        ]
        await server.ask({"type": "op", "handle": "Bobo"})
        assert await ann.line() == ":Server!Server@triochat MODE #room +o Bobo"
        assert (await told(ann, "NAMES"))[0] == ":*.triochat 353 Ann = #room :Ann @Bobo @Server"
        await server.ask({"type": "kick", "handle": "Bobo", "reason": "spam"})
        assert await ann.line() == ":Server!Server@triochat KICK #room Bobo :kicked: spam"
        await server.ask({"type": "quiet", "on": True}, {"type": "topic", "text": "tea"})
        assert await ann.heard_by_now() == [
            ":Server!Server@triochat MODE #room +m",
            ":Server!Server@triochat TOPIC #room :tea",
        ]
        bob = await introduce(house, "Bob")
        await bob.until(":Bob!Bob@triochat JOIN")
        assert await bob.line() == ":*.triochat 332 Bob #room :tea"


async def test_it_is_renamed(autojump_clock: trio.testing.MockClock) -> None:
    """And is called so in all that it is told from then on; what cannot be is refused."""
    async with open_house() as house:
        await house.ndjson("Bob")
        ann = await join(house, "Ann")
        assert await told(ann, "NICK Anna") == [":Ann!Ann@triochat NICK Anna"]
        assert await told(ann, "MOTD") == [":*.triochat 422 Anna :There is no message of the day"]
        refused = await told(ann, "NICK Bob", "NICK longer.than.that", "NICK Anna")
        assert [line.split(" :")[0] for line in refused] == [
            ":*.triochat 433 Anna Bob",
            ":*.triochat 432 Anna longer.than.that",
            ":*.triochat 433 Anna Anna",
        ]
        assert await told(ann, "MOTD") == [":*.triochat 422 Anna :There is no message of the day"]


async def test_what_is_refused_is_said_so(autojump_clock: trio.testing.MockClock) -> None:
    """With the room's own sentence, by the number for it."""
    async with open_house(turns=True) as house:
        await house.ndjson("Bob")
        ann = await join(house, "Ann")
        assert await told(
            ann,
            "PRIVMSG #room :hi",
            "PRIVMSG #room :hi again",
            "PRIVMSG Bo :psst",
            "PRIVMSG #room",
            "KICK #room Bob :spam",
            "MODE #room +m",
            "JOIN #tea,#room",
            "PRIVMSG #tea :hi",
            "FOO bar",
            "KICK #room",
            "USER a 0 * :a",
            "back x",
            "PART #room",
        ) == [
            ":*.triochat 404 Ann #room :it is the turn of Bob; nothing was sent",
            ':*.triochat 401 Ann Bo :nobody here is called "Bo"; nothing was sent',
            ":*.triochat 412 Ann :No text to send",
            ":*.triochat 482 Ann #room :only operators can use \\kick",
            ":*.triochat 482 Ann #room :only operators can use \\quiet",
            ":*.triochat 403 Ann #tea :There is no such channel; this room is #room",
            ":*.triochat 403 Ann #tea :There is no such channel; this room is #room",
            ":*.triochat 421 Ann FOO :There is no such command",
            ":*.triochat 461 Ann KICK :Not enough parameters",
            ":*.triochat 462 Ann :You are registered already",
            ":*.triochat NOTICE #room :! the command is \\back [N]",
            ":*.triochat NOTICE #room :#room is all that there is; /quit leaves",
        ]


async def test_lines_that_break_a_rule(autojump_clock: trio.testing.MockClock) -> None:
    """Too long, or not UTF-8: refused in its place, and the next is heard."""
    async with open_house() as house:
        ann = await join(house, "Ann", "echo-message")
        await ann.stream.send_all(b"PRIVMSG #room :" + b"x" * 5000 + b"\r\n")
        await ann.stream.send_all(b"PRIVMSG #room :caf\xe9\r\nPRIVMSG #room :hi\r\n")
        assert await ann.heard_by_now() == [
            ":*.triochat 417 Ann :a line of more than 4608 bytes is not allowed; nothing was sent",
            ":*.triochat NOTICE #room :! that line is not UTF-8 text; nothing was sent",
            ":Ann!Ann@triochat PRIVMSG #room :hi",
        ]


async def test_what_is_unfinished_is_not_obeyed(autojump_clock: trio.testing.MockClock) -> None:
    """A line cut short may be another one."""
    async with open_house() as house:
        bob = await house.ndjson("Bob")
        ann = await join(house, "Ann")
        await ann.stream.send_all(b"PRIVMSG #room :hi\r\nPRIVMSG #room :psst")
        await ann.stream.send_eof()
        said = [event async for event in events_until(bob, "left")]
        assert [one.get("text") or one.get("reason") for one in said] == [
            None,
            "hi",
            "connection lost",
        ]


async def test_the_past(autojump_clock: trio.testing.MockClock) -> None:
    """Who joins sees what was said, with its time; what it asks for later it sees as notices."""
    async with open_house() as house:
        bob = await house.ndjson("Bob")
        await bob.ask({"type": "say", "text": "tea?"}, {"type": "action", "text": "waits"})
        await bob.event()
        ann = await join(house, "Ann", "server-time")
        now = "@time=2026-01-02T03:03:04.678Z"
        assert await ann.heard_by_now() == [
            f"{now} :Bob!Bob@triochat PRIVMSG #room :tea?",
            f"{now} :Bob!Bob@triochat PRIVMSG #room :\x01ACTION waits\x01",
        ]
        cid = await join(house, "Cid")
        heard = await cid.heard_by_now() + await told(cid, "find tea")
        assert [re.sub(r"\[.*?\]", "[then]", line) for line in heard] == [
            ":*.triochat NOTICE #room :* earlier: [then] Bob> tea?",
            ":*.triochat NOTICE #room :* earlier: [then] * Bob waits",
            ":*.triochat NOTICE #room :* earlier: [then] Bob> tea?",
            ":*.triochat NOTICE #room :1 earlier message",
        ]


async def test_help_says_how_it_is_typed(autojump_clock: trio.testing.MockClock) -> None:
    """Since a message in the channel is never a command here."""
    async with open_house() as house:
        ann = await join(house, "Ann", "echo-message")
        first, *_ = await told(ann, "HELP")
        assert first.endswith(":type these without the \\ and behind /quote: /quote find tea")
        assert await told(ann, "PRIVMSG #room :\\who") == [":Ann!Ann@triochat PRIVMSG #room :\\who"]


async def test_it_leaves(autojump_clock: trio.testing.MockClock) -> None:
    """By `QUIT`, and is told that this was meant."""
    async with open_house() as house:
        bob = await join(house, "Bob")
        ann = await join(house, "Ann")
        await ann.type("QUIT :bye", "PRIVMSG #room :no")
        assert await ann.rest() == ["ERROR :Closing link: quit"]
        assert await bob.heard_by_now() == [
            ":Ann!Ann@triochat JOIN #room",
            ":Ann!Ann@triochat QUIT :quit",
        ]


async def test_the_server_stops(autojump_clock: trio.testing.MockClock) -> None:
    """Why is said in words, and by `ERROR`."""
    async with open_house() as house:
        ann = await join(house, "Ann")
    assert await ann.rest() == [
        ":*.triochat NOTICE #room :Server closed the connection: shutting down",
        "ERROR :Closing link: shutting down",
    ]


# ---- who is here


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("NAMES #room", ["353 Ann = #room :Ann Bob @Server", "366 Ann #room :End of names"]),
        ("NAMES #tea", ["366 Ann #tea :End of names"]),
        (
            "WHO bob",
            [
                "352 Ann #room Bob triochat *.triochat Bob H :0 Bob",
                "315 Ann bob :End of who",
            ],
        ),
        (
            "WHO Server %tcuhnfar,745",
            [
                "354 Ann 745 #room Server triochat Server H@ 0 :Server",
                "315 Ann Server :End of who",
            ],
        ),
        ("WHO Server %n", ["354 Ann Server", "315 Ann Server :End of who"]),
        (
            "WHOIS Server",
            [
                "311 Ann Server Server triochat * :Server",
                "319 Ann Server :@#room",
                "312 Ann Server *.triochat :triochat",
                "318 Ann Server :End of whois",
            ],
        ),
        (
            "WHOIS nobody nobody",
            ["401 Ann nobody :nobody here is called so", "318 Ann nobody :End of whois"],
        ),
        ("WHOIS", ["431 Ann :No nickname given"]),
        (
            "WHOWAS Cid",
            [
                "406 Ann Cid :It is not remembered who that was",
                "369 Ann Cid :End of whowas",
            ],
        ),
        ("USERHOST Ann Cid Bob", ["302 Ann :Ann=+Ann@triochat Bob=+Bob@triochat"]),
        ("ISON Cid bob", ["303 Ann :Bob"]),
        ("ISON Cid", ["303 Ann :"]),
        (
            "LIST",
            [
                "321 Ann Channel :Users  Name",
                "322 Ann #room 3 :the one channel",
                "323 Ann :End of list",
            ],
        ),
        (
            "LUSERS",
            [
                "251 Ann :There are 3 users and 0 invisible on 1 server",
                "254 Ann 1 :channels formed",
                "255 Ann :I have 3 clients and 0 servers",
            ],
        ),
        ("AWAY :lunch", ["305 Ann :Nobody is marked as being away here"]),
        ("VERSION", ["351 Ann triochat *.triochat :one room, one port"]),
        ("MODE Ann", ["221 Ann +"]),
        ("MODE #tea", ["403 Ann #tea :There is no such channel; this room is #room"]),
        ("MODE #room +x", ["472 Ann x :There is no such mode here"]),
        ("PRIVMSG", ["411 Ann :No recipient given"]),
        ("PRIVMSG Bob :", ["412 Ann :No text to send"]),
        ("PING", ["409 Ann :No origin given"]),
        ("TOPIC #room", ["NOTICE #room :there is no topic"]),
        ("PONG :*.triochat", []),
        ("TAGMSG #room", []),
        ("JOIN #room", []),
        ("PRIVMSG #room :\x01VERSION\x01", []),
    ],
)
async def test_a_question(
    line: str, lines: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    """What clients ask by themselves, or a person by them, is answered by its numbers."""
    async with open_house() as house:
        await house.operator()
        await house.ndjson("Bob")
        ann = await join(house, "Ann")
        answered = [one.rstrip(" ") for one in await told(ann, line)]
        assert answered == [f":*.triochat {one}" for one in lines]


async def test_answers_come_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """Each to its own question, whatever else is asked in between, also before it is in."""
    async with open_house() as house:
        ann = await house.connect()
        await ann.type("NICK server", "USER a 0 * :a", "WHO x", "NICK Ann")
        heard = await ann.heard_by_now()
        assert [line.split(" :")[0] for line in heard] == [
            ":*.triochat 433 * server",
            ":*.triochat 451 *",
            ":*.triochat 451 *",
        ]
        await ann.type("NICK Ann")
        await ann.until(IN)
        heard = await told(ann, "ISON Ann", "MOTD", "WHOIS Ann", "NAMES")
        assert [line.split()[1] for line in heard] == [
            "303",
            "422",
            "311",
            "319",
            "312",
            "318",
            "353",
            "366",
        ]


async def test_names_of_a_large_room(autojump_clock: trio.testing.MockClock) -> None:
    """They are told in as many lines as it takes, each name once."""
    async with open_house() as house:
        for number in range(150):
            await house.ndjson(f"m.{number}")
        ann = await introduce(house, "Ann")
        await ann.until(":Ann!")
        lines = []
        while " 353 " in (line := await ann.line()):
            assert len(line.encode()) <= 510
            lines.append(line.partition(" :")[2])
        names = " ".join(lines).split()
        assert len(lines) > 1
        assert sorted(names) == sorted(["Ann", *(f"m.{number}" for number in range(150))])


# ---- what it asks for


@pytest.mark.parametrize(
    ("line", "requests"),
    [
        ("PRIVMSG #room :psst > Bob", [Say("psst > Bob")]),
        ("PRIVMSG #ROOM :\x02bold\x02 \x0304red", [Say("bold red")]),
        ("PRIVMSG Bob,Cid :hi", [Whisper("Bob", "hi"), Whisper("Cid", "hi")]),
        ("PRIVMSG Bob :\x01ACTION waves\x01", [Whisper("Bob", "* waves")]),
        ("PRIVMSG #room :\x01ACTION waves\x01", [Action("waves")]),
        ("NICK Anna", [Rename("Anna"), Ping()]),
        ("KICK #room Bob :go away", [Kick("Bob", "go away")]),
        ("KICK #room Bob", [Kick("Bob", "")]),
        ("TOPIC #room :tea", [Topic("tea")]),
        ("TOPIC #room :", [Topic("-")]),
        ("TOPIC #room", [Topic()]),
        ("MODE #room +m", [Quiet(on=True)]),
        ("MODE #room -m", [Quiet(on=False)]),
        ("MODE #room +o-o Bob Cid", [Op("Bob"), Deop("Cid")]),
        ("MODE #room +b Bob", [Ban("Bob")]),
        ("MODE #room +b Bob!*@*", [Ban("Bob")]),
        ("MODE #room +b *!*Bob@triochat", [Ban("Bob")]),
        ("MODE #room -b *!*@10.0.0.9", [Unban("10.0.0.9")]),
        ("WHO #room", [Who()]),
        ("find tea from Bob", [Typed("\\FIND tea from Bob")]),
        ("BACK 20", [Typed("\\BACK 20")]),
        ("ban Bob 10 loud", [Typed("\\BAN Bob 10 loud")]),
        ("QUIT :bye", [Quit()]),
        ("@label=1 :x!y@z PRIVMSG #room :hi", [Say("hi")]),
    ],
)
def test_a_line_asks_for_this(line: str, requests: list[AnyRequest]) -> None:
    """What it means, which is what the same means by any other door."""
    assert asked(line) == requests


def test_operators_are_asked_by_the_rooms_own_commands() -> None:
    """What is no command of a terminal can be typed by `/quote`."""
    assert asked("mute Bob 10", "stats", "bans", "forget Bob", "since 30m") == [
        Typed("\\MUTE Bob 10"),
        Typed("\\STATS "),
        Typed("\\BANS "),
        Typed("\\FORGET Bob"),
        Typed("\\SINCE 30m"),
    ]
    [reply] = asked("export file")
    assert isinstance(reply, Reply)
    assert b" 421 " in reply.data


# ---- floods


def size_of(requests: list[AnyRequest]) -> int:
    """Bytes that are answered at once."""
    return sum(len(one.data) for one in requests if isinstance(one, Reply))


@pytest.mark.parametrize(
    "line",
    [
        "NICK Ann",
        "NICK " + "x" * 4000,
        "USER a 0 * :a",
        "PASS x",
        "CAP REQ :server-time",
        "CAP REQ :" + " ".join(["x" * 20] * 200),
        "CAP LS",
        "PING " + "x" * 4000,
        "JOIN #a",
        "x" * 4000,
    ],
)
def test_who_asks_again_and_again_is_answered_in_bounds(line: str) -> None:
    """Thousands of any line before it is in: each is answered by a line, and nothing is kept."""
    speaker = speaker_of()
    for _ in range(30):
        requests = speaker.hear(f"{line}\r\n".encode() * 100)
        assert len(requests) <= 100
        assert size_of(requests) <= 100 * 512
    assert len(speaker._nick) <= 10
    assert len(speaker._password) <= 257
    assert len(speaker._asked_for) <= 3
    assert not speaker._questions


def test_many_names_in_a_line() -> None:
    """Four are done, the others are said not to be."""
    names = ",".join(f"#c{number}" for number in range(700))
    [*replies] = asked(f"JOIN {names}")
    assert len(replies) == 5
    assert size_of(replies) < 5 * 512
    assert len(asked(f"PRIVMSG {','.join(['Bob'] * 900)} :hi")) == 5
    [*_, notice] = asked("MODE #room " + "+b" * 2000)
    assert notice == Notice("at most 4 modes at once; the others stay as they are")
    assert len(asked("MODE #room " + "+b" * 2000)) == 5


def test_many_questions() -> None:
    """So many wait for their answers, no more are asked."""
    speaker = speaker_of()
    speaker.hear(b"NICK Ann\r\nUSER a 0 * :a\r\n")
    requests = speaker.hear(b"WHO\r\n" * (MOST + 5))
    assert requests[:MOST] == [Who()] * MOST
    assert all(isinstance(one, Reply) and b" 263 " in one.data for one in requests[MOST:])
    for _ in range(MOST):
        assert b" 315 " in speaker.tell([Roster(("Ann",))], "Ann")
    assert speaker.hear(b"WHO\r\n") == [Who()]


def test_only_the_last_nick_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make a handle of a nick takes a while, and a stranger may say many."""
    made: list[str] = []

    def note(wanted: str, length: int) -> str:
        made.append(wanted)
        return nick_of(wanted, length)

    monkeypatch.setattr(irc, "nick_of", note)
    speaker = speaker_of()
    assert speaker.hear(b"NICK Ann\r\n" * 50 + b"NICK Bob\r\nUSER a 0 * :a\r\n") == [
        Join("Bob", "", None)
    ]
    assert made == ["Bob"]


def test_who_writes_what_stands_there() -> None:
    """Whatever the room is called, and a client marks its question with."""
    here = Here("Ann", "#{nick}")
    asked = who(here, Roster(("Bob",)), ["*", "%tcn,{x}"])
    assert asked[0] == ":*.triochat 354 Ann {x} #{nick} Bob"
    assert who(here, Roster(("Bob",)), [])[0].startswith(":*.triochat 352 Ann #{nick} Bob ")


def test_at_which_server_somebody_is() -> None:
    """Where servers share the room the questions that ask for it are told at which one each is."""
    here = Here("Ann", "#room")
    roster = Roster(("Ann", "Bob", "Cid"), servers=("alpha:9", "", "b {x}"))
    assert [line.split()[6] for line in who(here, roster, [])[:-1]] == [
        "alpha:9",
        "*.triochat",
        "b-{x}",
    ]
    assert who(here, roster, ["Ann", "%sn"])[0] == ":*.triochat 354 Ann alpha:9 Ann"
    assert ":*.triochat 312 Ann Ann alpha:9 :triochat" in whois(here, roster, ["Ann"])
    told = users(here, roster, [])
    assert told[0].endswith(":There are 3 users and 0 invisible on 2 servers")
    assert told[-1].endswith(":I have 3 clients and 1 servers")


def test_who_in_a_very_large_room() -> None:
    """So many lines are told, no more; the names, all of them, took fewer."""
    speaker = speaker_of()
    speaker.hear(b"NICK Ann\r\nUSER a 0 * :a\r\nWHO #room\r\nNAMES\r\n")
    roster = Roster(tuple(f"m{number}" for number in range(3000)))
    assert speaker.tell([roster], "Ann").count(b" 352 ") == LISTED
    assert len(speaker.tell([roster], "Ann").split(b"\r\n")) < 100


WORDS = (
    "NICK USER PASS CAP LS REQ END :server-time JOIN #room #a,b PRIVMSG :x WHO WHOIS MODE +b +o-m"
    " KICK TOPIC Ann Bob ISON USERHOST NAMES %tn,5 QUIT back find \x01ACTION \x01 : @x :y 0"
)
words = st.sampled_from(WORDS.split(" "))
spoken = st.lists(st.one_of(words, any_text), max_size=8).map(" ".join)


@given(st.lists(st.one_of(spoken, st.lists(events(any_text), max_size=2)), max_size=12), any_text)
def test_nothing_raises(story: list[str | list[Event]], me: str) -> None:
    """Whatever it says, and whatever it is told in between, lines are lines."""
    speaker = speaker_of()
    for one in story:
        if isinstance(one, str):
            requests = speaker.hear(one.encode(errors="ignore") + b"\r\n")
            blobs = [request.data for request in requests if isinstance(request, Reply)]
        else:
            blobs = [speaker.tell(one, me), speaker.tell_past(one, me), speaker.part(me)]
        for line in b"".join(blobs).decode().split("\r\n")[:-1]:
            untagged = re.sub(r"^@[\w=:;.-]+ ", "", line)
            assert len(untagged.encode()) <= 510
            assert not set("\r\n\0") & set(untagged)
            assert untagged.startswith((":", "ERROR :"))
    speaker.end()


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    """Whatever comes, it is a request, or an answer."""
    speaker = recognise(b"NICK " + data)
    assert isinstance(speaker, IrcSpeaker)
    speaker.begin(Setting())
    speaker.hear(b"NICK " + data)
    speaker.hear(data)


def test_a_flood_of_names_in_the_room_is_held_back() -> None:
    """Each costs as a line does, and the room says when again."""
    speaker = speaker_of()
    speaker.hear(b"NICK Ann\r\nUSER a 0 * :a\r\n")
    assert speaker.hear(b"NICK Ann\r\n" * 3) == [Rename("Ann"), Ping()] * 3


def test_it_is_asked_whether_it_is_there() -> None:
    """After a while without a word; whatever it says then is an answer."""
    speaker = speaker_of()
    assert speaker.silence == 90
    assert speaker.ask_presence() == b"PING :*.triochat\r\n"
    heard = speaker.heard
    speaker.hear(b"PONG :*.triochat\r\n")
    assert speaker.heard == heard + 1


async def test_who_is_silent_is_asked(autojump_clock: trio.testing.MockClock) -> None:
    """By a `PING`; who answers stays, and who does not is gone a minute later."""
    async with open_house() as house:
        bob = await house.ndjson("Bob")
        ann = await join(house, "Ann")
        await bob.event()
        assert await ann.line() == "PING :*.triochat"
        await ann.type("PONG :*.triochat")
        assert await ann.line() == "PING :*.triochat"
        left = await bob.event()
        assert (left["type"], left["reason"]) == ("left", "connection lost")
        assert 240 <= trio.current_time() <= 270


async def test_inside_tls(autojump_clock: trio.testing.MockClock) -> None:
    """It is the same, and nobody is told that others can read it."""
    async with open_house(is_sealed=True) as house:
        ann = await introduce(house, "Ann", "echo-message")
        assert (await ann.line()).startswith(":*.triochat 001 Ann :")
        await ann.until(IN)
        assert await told(ann, "PRIVMSG #room :hi") == [":Ann!Ann@triochat PRIVMSG #room :hi"]


async def test_byte_by_byte(autojump_clock: trio.testing.MockClock) -> None:
    """However slowly it types, it is told the same, once."""
    async with open_house() as house:
        ann = await house.connect()
        for byte in b"NICK Ann\r\nUSER a 0 * :a\r\nCAP LIST\r\nPRIVMSG Ann\r\nMOTD\r\nQUIT\r\n":
            await ann.stream.send_all(bytes([byte]))
            await trio.sleep(0.01)
        heard = [line.split()[1] for line in await ann.rest()]
        assert heard == [
            *("001", "002", "003", "004", "005", "422", "JOIN", "353", "366"),
            *("CAP", "412", "422", ":Closing"),
        ]


def test_it_has_no_seat() -> None:
    """IRC knows no token: who is cut off has left."""
    assert not IrcSpeaker.has_seat
    assert IrcSpeaker.parting == "connection lost"
    assert Join("Ann", "", None) in speaker_of().hear(b"NICK Ann\r\nUSER a 0 * :a\r\n")


def test_a_refusal_before_it_is_in_leaves_it_where_it_was() -> None:
    """What answers a line that was no line is no answer to who wants to come in."""
    speaker = speaker_of()
    speaker.hear(b"NICK Ann\r\nUSER a 0 * :a\r\n")
    refused = Refused("not-utf8", "that line is not UTF-8 text; nothing was sent")
    assert speaker.tell([refused]).startswith(b":*.triochat NOTICE Ann :! that line")
    assert b" 001 Ann " in speaker.tell([Welcome("Ann", "Server", ("Ann",))], "Ann")


class Stage:
    """A room, and clients of IRC that are told what each alone is told; no stream and no time."""

    def __init__(self, **rules: Unpack[Rules]) -> None:
        self.room = Room(**rules)
        self.speakers = {name: speaker_of() for name in ("ann", "bob", "cid")}

    def hear(self, name: str, data: bytes) -> None:
        """Let one of them send this."""
        told = self.room.apply(Asked(Peer_(name), self.speakers[name].hear(data), 0))
        for telling in told:
            if isinstance(telling, Told) and telling.to is not None:
                for peer in telling.to:
                    me = self.room.members.get(peer, "")
                    self.speakers[peer.id].tell(telling.events, me)


chunks = st.lists(spoken, max_size=4).map(lambda lines: "\r\n".join([*lines, ""]))


@given(
    st.lists(st.tuples(st.sampled_from(["ann", "bob", "cid"]), chunks), max_size=20),
    st.integers(0, 3),
    st.booleans(),
)
def test_no_question_is_left(
    story: list[tuple[str, str]], max_clients: int, is_registered: bool
) -> None:
    """Whatever they say, and however much at once, each question got its own answer."""
    stage = Stage(max_clients=max_clients)
    if is_registered:
        for one in stage.speakers:
            stage.hear(one, f"NICK {one}\r\nUSER a 0 * :a\r\n".encode())
    for one, said in story:
        stage.hear(one, said.encode(errors="ignore"))
        has_ended = Peer_(one) in stage.room.ended
        assert has_ended or not stage.speakers[one]._questions
