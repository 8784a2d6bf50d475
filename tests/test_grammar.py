import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strategies import any_text
from triochat.dialects.ndjson import decode_request, encode
from triochat.grammar import (
    COMMANDS,
    PREFIXES,
    Bell,
    Export,
    Ignore,
    Place,
    help_text,
    introduce,
    parse,
)
from triochat.messages import (
    LONGEST,
    PAGE,
    Action,
    Ban,
    Bans,
    Deop,
    Forget,
    Join,
    Kick,
    Mute,
    Notice,
    Op,
    Quiet,
    Quit,
    Recall,
    Refused,
    Rename,
    Request,
    Say,
    Servers,
    Topic,
    Unban,
    Unmute,
    Whisper,
    Who,
)
from triochat.text import clean, could_be_handle, normalise_handle, strip_invisible

HELP = r"""
\who                    who is here; ? does the same
\msg NAME TEXT          tell NAME alone; TEXT > NAME does the same
\say TEXT               tell everybody, whatever TEXT looks like
\me TEXT                tell everybody what you do
\nick NAME              call yourself NAME from now on
\back [N]               what was said before, N messages of it
\find WORDS [from NAME] what was said with these words; by NAME
\since 30m              what was said in the last 30 minutes; also 2h, 1d
\topic [TEXT]           what the room is about; operators set it, - removes it
\help                   this list
\quit                   leave
operators also:
\kick NAME [WHY]                  put NAME out of the room
\ban NAME|ADDRESS [MINUTES] [WHY] keep out; MINUTES may be 90s, 2h, 1d
\unban NAME|ADDRESS               let in again
\mute NAME [MINUTES]              let NAME say nothing
\unmute NAME                      let NAME speak again
\bans                             who is banned, and who is muted
\stats                            how the server does
\servers                          which servers share the room
\forget ID...|NAME                remove these messages, or all that NAME said
\quiet on|off                     only operators speak, or everybody
\op NAME                          make NAME an operator
\deop NAME                        let NAME be none any more
""".strip()

PLACES = [Place.LINE, Place.TERMINAL]


def unknown(shown: str, near: str = "") -> Refused:
    """The refusal of a command that there is not; one may be like it."""
    meant = f"did you mean \\{near}? " if near else ""
    return Refused(
        "unknown-command",
        f"there is no command \\{shown}; {meant}\\help lists them, \\\\ at the start says the line"
        " as it stands",
    )


def usage(shown: str) -> Refused:
    """The refusal of a command whose arguments do not fit."""
    return Refused("usage", f"the command is \\{shown}")


# ---- saying


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        " hello ",
        "what?",
        "??",
        "a?",
        "? b",
        "a\\b",
        "1/2",
        "a /quit",
        "3 < 5",
        "[red]",
        "{",
        '{"type":"quit"}',
        "quit",
        "Joe: hi",
        "@Joe hi",
    ],
)
def test_text_is_said_as_it_is(line: str) -> None:
    """A line without special meaning is said to all, with the white space around it."""
    assert parse(line) == Say(line)


@pytest.mark.parametrize("line", ["", " ", "\t", " \t \r", "\u3000"])
def test_a_blank_line_means_nothing(line: str) -> None:
    """A line of white space asks for nothing."""
    assert parse(line) is None


@given(any_text)
def test_any_text_without_special_meaning(line: str) -> None:
    """A text without a command mark at its start, and without ``>``, is said unchanged."""
    assume(not line.strip().startswith(PREFIXES))
    assume(">" not in line)
    assume(clean(line).strip() != "?")
    assume(not clean(line).strip().startswith(PREFIXES))
    assert parse(line) == (Say(clean(line)) if clean(line).strip() else None)


@given(any_text, st.sampled_from(PLACES))
def test_any_text_at_all(line: str, place: Place) -> None:
    """Whatever is typed gets an answer, and the answer shows nothing but text."""
    asked = parse(line, place)
    if isinstance(asked, Refused):
        assert clean(asked.text) == asked.text
    if isinstance(asked, Say):
        assert asked.text in clean(line)
    if isinstance(asked, Whisper):
        assert asked.text in clean(line)
        assert asked.to in line


# ---- whispering


@pytest.mark.parametrize(
    ("line", "to", "text"),
    [
        ("psst > Joe", "Joe", "psst"),
        ("two words > Joe", "Joe", "two words"),
        ("psst   >   Joe  ", "Joe", "psst"),
        ("psst\t>\tJoe", "Joe", "psst"),
        ("  psst > Joe", "Joe", "  psst"),
        ("a > b > Joe", "Joe", "a > b"),
        ("a > > Joe", "Joe", "a >"),
        ("a>b > Joe", "Joe", "a>b"),
        ("> > Joe", "Joe", ">"),
        ("why? > Joe", "Joe", "why?"),
        ("? > Joe", "Joe", "?"),
        ("5 > x", "x", "5"),
        ("cat a > b", "b", "cat a"),
        ("psst > joe.b-c_1", "joe.b-c_1", "psst"),
        ("psst > Zo\u00eb", "Zo\u00eb", "psst"),
        ("psst > \uff2a\uff4f\uff45", "\uff2a\uff4f\uff45", "psst"),
        ("psst > muchtoolongforahandle", "muchtoolongforahandle", "psst"),
    ],
)
def test_whispers(line: str, to: str, text: str) -> None:
    """White space around the last ``>`` and one word after it tell that one alone."""
    assert parse(line) == Whisper(to, text)


@pytest.mark.parametrize(
    "line",
    [
        "5 > 3",
        "a>b",
        "a >b",
        "a> b",
        "a > b c",
        "a > b > c d",
        "> Joe",
        " > Joe",
        "a >",
        "a > ",
        ">",
        "x > 3.5",
        "a >> Joe",
        "a -> Joe",
        "a > (b)",
        "a > -b",
        "a > .b",
        "a => b",
        "psst > b > ",
        "psst > b>",
    ],
)
def test_what_looks_like_a_whisper(line: str) -> None:
    """Where the last ``>`` has no space around it, or no handle after it, the line is said."""
    assert parse(line) == Say(line)


cleaned = any_text.map(clean)
words = cleaned.map(lambda text: "".join(text.split())).filter(bool)
whisperable = cleaned.map(str.rstrip).filter(
    lambda text: text and not text.strip().startswith(PREFIXES)
)


@given(whisperable, st.sampled_from(["Joe", "_", "Zo\u00eb", "a1", "x" * 40]))
def test_any_text_can_be_whispered(text: str, to: str) -> None:
    """``text > Joe`` tells Joe that text, whatever it is, unless it starts as a command."""
    line = f"{text} > {to}"
    assume(clean(line) == line)
    assert parse(line) == Whisper(to, text)


@given(whisperable, words)
def test_only_handles_are_whispered_to(text: str, word: str) -> None:
    """A line with ``>`` is a whisper exactly if the one last word could be a handle."""
    line = f"{text} > {word}"
    assume(clean(line) == line)
    assume(strip_invisible(word) in (word, normalise_handle(word)))
    assert parse(line) == (Whisper(word, text) if could_be_handle(word) else Say(line))


# ---- who


@pytest.mark.parametrize(
    "line", ["?", " ? ", "\\who", "/who", "\\WHO", " \\who ", "\\who is here", "/ who"]
)
def test_who(line: str) -> None:
    r"""``?`` alone on a line, and ``\who``, ask who is here."""
    assert parse(line) == Who()


# ---- escapes


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("\\\\quit", "\\quit"),
        ("//quit", "/quit"),
        ("//", "/"),
        ("\\\\", "\\"),
        ("  //etc/passwd", "/etc/passwd"),
        ("\\\\psst > Joe", "\\psst > Joe"),
        ("// psst > Joe", "/ psst > Joe"),
        ("///", "//"),
        ("\\\\\\", "\\\\"),
        ("//\\", "/\\"),
    ],
)
def test_escapes(line: str, text: str) -> None:
    """A doubled mark at the start says the rest as it stands, one mark with it."""
    assert parse(line) == Say(text)


@given(cleaned, st.sampled_from(PREFIXES))
def test_any_text_can_be_said(text: str, mark: str) -> None:
    """After a doubled mark any text is said to all, also what would be a whisper or command."""
    line = f"{mark}{mark}{text}"
    assert parse(line) == Say(clean(line).rstrip()[1:])


# ---- commands


@pytest.mark.parametrize("mark", ["\\", "/"])
@pytest.mark.parametrize(
    ("typed", "request_"),
    [
        ("who", Who()),
        ("msg Joe psst", Whisper("Joe", "psst")),
        ("msg Joe  psst  psst", Whisper("Joe", "psst  psst")),
        ("msg  Joe psst > Ann", Whisper("Joe", "psst > Ann")),
        ("msg 3 psst", Whisper("3", "psst")),
        ("say hello", Say("hello")),
        ("say cat a > b", Say("cat a > b")),
        ("say \\quit", Say("\\quit")),
        ("say ?", Say("?")),
        ("say   two  words ", Say("two  words")),
        ("nick Jim", Rename("Jim")),
        ("nick a b", Rename("a b")),
        ("kick Joe", Kick("Joe", "")),
        ("kick Joe too  loud", Kick("Joe", "too  loud")),
        ("quit", Quit()),
        ("quit now", Quit()),
        ("QuIt", Quit()),
        ("SAY Hello", Say("Hello")),
        ("nick\tJim", Rename("Jim")),
    ],
)
def test_commands(mark: str, typed: str, request_: Request) -> None:
    """Each command makes its request, with either mark and in any case."""
    assert parse(mark + typed) == request_
    assert parse(f"  {mark}{typed}  ") == request_


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\\msg", "msg NAME TEXT; nothing was sent"),
        ("\\msg Joe", "msg NAME TEXT; nothing was sent"),
        ("/msg Joe ", "msg NAME TEXT; nothing was sent"),
        ("\\say", "say TEXT; nothing was sent"),
        ("\\say  ", "say TEXT; nothing was sent"),
        ("\\nick", "nick NAME"),
        ("\\kick", "kick NAME [WHY]"),
    ],
)
def test_commands_that_lack_an_argument(line: str, shown: str) -> None:
    """A command without what it needs is refused with its usage; a message was not sent."""
    assert parse(line) == usage(shown)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\\foo", "foo"),
        ("/etc/passwd is a file", "etc/passwd"),
        ("\\", ""),
        ("\\FOO bar > Joe", "foo"),
        ("\\" + "x" * 50, "x" * 20),
        ("\\\x1b[31m", "[31m"),
        ("\\?", "?"),
    ],
)
def test_unknown_commands(line: str, shown: str) -> None:
    """A command that there is not is refused, and neither said nor whispered."""
    assert parse(line) == unknown(shown)


@pytest.mark.parametrize(
    ("line", "shown", "near"),
    [
        ("\\hepl", "hepl", "help"),
        ("/Hlep", "hlep", "help"),
        ("\\quit> Joe", "quit>", "quit"),
        ("\\exit", "exit", ""),
        ("/\\quit", "\\quit", "quit"),
        ("\\mgs Joe hi", "mgs", "msg"),
        ("/whois Joe", "whois", "who"),
        ("\\kik Joe", "kik", "kick"),
        ("\\bel", "bel", ""),
    ],
)
def test_a_typo_in_a_command(line: str, shown: str, near: str) -> None:
    """The command that is most like what was typed is named, if there is one in that place."""
    assert parse(line) == unknown(shown, near)


def test_a_typo_where_there_are_more_commands() -> None:
    """What a terminal has besides is suggested there."""
    assert parse("\\bel", Place.TERMINAL) == unknown("bel", "bell")
    assert parse("\\unignor Joe", Place.TERMINAL) == unknown("unignor", "unignore")


@given(any_text, st.sampled_from(PREFIXES))
def test_a_command_is_never_said_by_mistake(typed: str, mark: str) -> None:
    r"""A line with a mark at its start is said only where ``\say`` or a doubled mark says so."""
    asked = parse(mark + typed)
    typed = clean(typed)  # as it is read
    assume(not typed.startswith(mark))
    name = (typed.split() or [""])[0].lower()
    if isinstance(asked, Say):
        assert name == "say"
    if name not in COMMANDS:
        assert isinstance(asked, Refused)
        assert asked.code == "unknown-command"


# ---- strangers


NOT_JOINED = Refused("not-joined", "first a handle, please")
UNSENT = Refused("not-joined", "first a handle, please; nothing was sent")


@pytest.mark.parametrize("line", ["Jimmy", " Jimmy ", "\tJimmy\t"])
def test_a_stranger_s_line_is_a_handle(line: str) -> None:
    """What a stranger types is a handle, without the white space around it."""
    assert introduce(line) == Join("Jimmy")


@pytest.mark.parametrize("line", ["a b", "?", "hello > Joe", "", "5 > 3", "{", "\x0bJim"])
def test_any_line_of_a_stranger_is_a_handle(line: str) -> None:
    """Of strangers nothing is said or whispered; the room tells what is no handle."""
    assert introduce(line) == Join(line)


def test_what_strangers_may_do() -> None:
    r"""``\quit`` and ``\help`` mean the same to a stranger as to a member."""
    assert introduce("\\quit") == parse("\\quit") == Quit()
    assert introduce(" /quit") == parse(" /quit") == Quit()
    assert introduce("\\help") == parse("\\help") == Notice(HELP)


@pytest.mark.parametrize(
    "line",
    ["\\who", "\\nick Jim", "\\kick Joe", "\\foo", "/"],
)
def test_commands_of_strangers(line: str) -> None:
    """Every other command needs a handle first."""
    assert introduce(line) == NOT_JOINED


@pytest.mark.parametrize("line", ["/say hi", "\\msg Joe hi", "\\\\Jim"])
def test_messages_of_strangers(line: str) -> None:
    """Who wanted to say something is told as well that nobody has heard it."""
    assert introduce(line) == UNSENT


@given(any_text)
def test_any_line_of_a_stranger(line: str) -> None:
    """Whatever a stranger types, it joins, quits, is helped or is refused; nothing is said."""
    asked = introduce(line)
    assert isinstance(asked, Join | Quit | Notice | Refused)
    assert isinstance(asked, Join) == (not line.strip().startswith(PREFIXES))


# ---- help


@pytest.mark.parametrize("line", ["\\help", "/help", "\\Help me"])
def test_help(line: str) -> None:
    r"""``\help`` lists the commands of whoever asks."""
    assert parse(line) == Notice(HELP)


def test_what_a_terminal_has_besides() -> None:
    """At a terminal the list has also what only concerns it; what operators may stands last."""
    lines = help_text(Place.TERMINAL).split("\n")
    names = [line.split()[0] for line in lines]
    assert names.index("\\bell") < names.index("\\ignore") < names.index("operators")
    assert {*names} - {line.split()[0] for line in HELP.split("\n")} == {
        "\\export",
        "\\bell",
        "\\ignore",
        "\\unignore",
    }


@pytest.mark.parametrize("hidden", [*"\u200b\u202c\x1b\u2060\xad\u200d\ufe0f\u034f\U000e0062"])
def test_what_nobody_sees_makes_no_secret_public(hidden: str) -> None:
    """A whisper is one whatever invisible characters stand around the name."""
    assert parse(f"secret > {hidden}Joe{hidden}") == Whisper("Joe", "secret")
    assert parse(f"secret >{hidden} Joe") == Whisper("Joe", "secret")


def test_the_bell_is_a_matter_of_the_terminal() -> None:
    """At a terminal the bell is set, or asked about; on a plain line there is no such command."""
    assert parse("\\bell all", Place.TERMINAL) == Bell("all")
    assert parse("\\bell", Place.TERMINAL) == Bell("")
    assert parse("\\bell loud", Place.TERMINAL) == usage("bell [off|mention|all]")
    assert parse("\\bell all") == unknown("bell")


def test_help_is_written_from_the_table() -> None:
    """Each command has its line, in the order of the table, under the name that is typed."""
    lines = help_text(Place.TERMINAL).split("\n")
    lines.remove("operators also:")
    assert len(lines) == len(COMMANDS)
    for line, (name, command) in zip(lines, COMMANDS.items(), strict=True):
        assert line.split() == [*f"\\{command.usage}".split(), *command.purpose.split()]
        assert command.usage.split()[0] == name


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"help"}))
def test_every_command_does_something(name: str) -> None:
    """No command of the table is refused when it has its arguments."""
    fitting = {
        "bell": "off",
        "quiet": "off",
        "mute": "Joe 10m",
        "back": "5",
        "since": "2h",
        "forget": "Joe",
    }
    arguments = fitting.get(name, "Joe hello")
    asked = parse(f"\\{name} {arguments}", Place.TERMINAL)
    assert not isinstance(asked, Refused | Notice | None)


# ---- what operators type


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("\\ban Joe", Ban("Joe")),
        ("\\ban Joe 10", Ban("Joe", 10)),
        ("\\ban Joe 90s", Ban("Joe", 1.5)),
        ("\\ban Joe 10M spam again", Ban("Joe", 10, "spam again")),
        ("\\ban Joe 2h", Ban("Joe", 120)),
        ("\\ban Joe 1d x", Ban("Joe", 1440, "x")),
        ("\\ban Joe too loud", Ban("Joe", 0, "too loud")),
        ("\\ban Joe 10minutes", usage("ban NAME|ADDRESS [MINUTES] [WHY]")),
        ("\\ban Joe 99999999999 calls", usage("ban NAME|ADDRESS [MINUTES] [WHY]")),
        ("\\ban Joe 1.5h spam", Ban("Joe", 90, "spam")),
        ("\\ban Joe 1w spam", usage("ban NAME|ADDRESS [MINUTES] [WHY]")),
        ("\\ban 10.0.0.0/24 0 why", Ban("10.0.0.0/24", 0, "why")),
        ("\\unban fe80::1", Unban("fe80::1")),
        ("\\mute Joe", Mute("Joe")),
        ("\\mute Joe 5", Mute("Joe", 5)),
        ("\\mute Joe soon", usage("mute NAME [MINUTES]")),
        ("\\mute", usage("mute NAME [MINUTES]")),
        ("\\unmute Joe", Unmute("Joe")),
        ("\\quiet on", Quiet(on=True)),
        ("\\quiet off", Quiet(on=False)),
        ("\\quiet", usage("quiet on|off")),
        ("\\quiet please", usage("quiet on|off")),
        ("\\topic", Topic()),
        ("\\topic the new  release", Topic("the new  release")),
        ("\\op Joe", Op("Joe")),
        ("\\deop Joe", Deop("Joe")),
        ("\\bans", Bans()),
        ("\\servers", Servers()),
        ("\\kick Joe spam", Kick("Joe", "spam")),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_what_operators_type(line: str, asked: Request | Refused, place: Place) -> None:
    """Anywhere, since any member may be an operator; minutes may have a unit, or be the reason."""
    assert parse(line, place) == asked


@given(any_text, st.integers(0, 10**12), st.sampled_from(["", "s", "m", "h", "d", "x"]))
def test_any_ban(why: str, count: int, unit: str) -> None:
    """What begins like a number is how long; what cannot be that is refused, and is no reason."""
    asked = parse(f"\\ban Joe {count}{unit} {why}")
    if isinstance(asked, Refused):
        minutes = {"": 1, "s": 1 / 60, "m": 1, "h": 60, "d": 1440, "x": 0}
        assert unit == "x" or count * minutes[unit] > LONGEST
    else:
        assert isinstance(asked, Ban)
        assert 0 <= asked.minutes <= LONGEST
        assert asked.reason.split() == clean(why).split()


def test_actions_are_said() -> None:
    """An action is typed anywhere, and a stranger's is told to nobody."""
    assert parse("\\me  waves at  Joe ") == Action("waves at  Joe")
    assert parse("\\me") == usage("me TEXT; nothing was sent")
    assert introduce("\\me waves") == UNSENT


def test_to_ignore_is_a_matter_of_the_terminal() -> None:
    """At a terminal somebody is ignored; on a plain line there is no such command."""
    assert parse("\\ignore Joe", Place.TERMINAL) == Ignore("Joe")
    assert parse("\\ignore", Place.TERMINAL) == Ignore("")
    assert parse("\\unignore Joe", Place.TERMINAL) == Ignore("Joe", is_on=False)
    assert parse("\\unignore", Place.TERMINAL) == usage("unignore NAME")
    assert parse("\\ignore Joe") == unknown("ignore")


# ---- reading back

BACK, FIND = usage("back [N]"), usage("find WORDS [from NAME]")
SINCE, FORGET = usage("since 30m"), usage("forget ID...|NAME")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("\\back", Recall(50)),
        ("\\back 5", Recall(5)),
        ("\\back 5000", Recall(PAGE)),
        ("\\back 0", BACK),
        ("\\back -1", BACK),
        ("\\back to you", BACK),
        (f"\\back {'9' * 5000}", BACK),
        ("\\find tea", Recall(find="tea")),
        ("\\find  tea  time", Recall(find="tea time")),
        ("\\find tea time from Joe", Recall(find="tea time", author="Joe")),
        ("\\find tea FROM Joe", Recall(find="tea", author="Joe")),
        ("\\find from Joe", Recall(author="Joe")),
        ("\\find from", Recall(find="from")),
        ("\\find a letter from", Recall(find="a letter from")),
        ("\\find from Joe with love", Recall(find="from Joe with love")),
        ("\\find Stra\xdfe", Recall(find="Stra\xdfe")),
        ("\\find", FIND),
        ("\\find ?!", FIND),
        ("\\find ?! from Joe", FIND),
        (f"\\find {'x' * 501}", FIND),
        ("\\since 30m", Recall(PAGE, minutes=30)),
        ("\\since 30", Recall(PAGE, minutes=30)),
        ("\\since 1d", Recall(PAGE, minutes=1440)),
        ("\\since", SINCE),
        ("\\since 0", SINCE),
        ("\\since yesterday", SINCE),
        ("\\since 99999999d", SINCE),
        ("\\forget 17", Forget((17,))),
        ("\\forget #17  18 #19", Forget((17, 18, 19))),
        ("\\forget Joe", Forget(handle="Joe")),
        ("\\forget", FORGET),
        ("\\forget Joe Ann", FORGET),
        ("\\forget 17 Joe", FORGET),
        (f"\\forget {'1 ' * 1001}", FORGET),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_reading_back(line: str, asked: Request | Refused, place: Place) -> None:
    """Anywhere; what is no number, time or word is refused with the usage."""
    assert parse(line, place) == asked


def test_strangers_read_nothing() -> None:
    """Who has not said who it is reads nothing back."""
    for line in ("\\back", "\\find tea", "\\since 1h", "\\forget Joe"):
        assert introduce(line) == NOT_JOINED


def test_to_export_is_a_matter_of_the_terminal() -> None:
    """At a terminal a file is named, which may have blanks; on a plain line there is none."""
    assert parse("\\export a b.txt", Place.TERMINAL) == Export("a b.txt")
    assert parse("\\export", Place.TERMINAL) == usage("export FILE")
    assert parse("\\export x.txt") == unknown("export")


@given(any_text, st.sampled_from(["back", "find", "since", "forget"]))
def test_any_reading_back(typed: str, name: str) -> None:
    """Whatever is typed can be said on the wire, or is refused."""
    asked = parse(f"\\{name} {typed}")
    if not isinstance(asked, Refused):
        assert isinstance(asked, Recall | Forget)
        assert decode_request(encode(asked).decode()) == asked
