import pytest
from hypothesis import given
from prompt_toolkit.document import Document
from prompt_toolkit.validation import ValidationError

from strategies import any_text
from triochat.chat import View
from triochat.grammar import Place, parse
from triochat.messages import Say, Whisper
from triochat.terminals.desk import Desk, line_of
from triochat.terminals.screen import Palette
from triochat.text import accept_text


def desk_of(view: View) -> Desk:
    """A desk that shows this."""
    desk = Desk(Place.TERMINAL, Palette())
    desk.view = view
    return desk


def status(view: View) -> str:
    """The words of the status line."""
    return "".join(fragment[1] for fragment in desk_of(view).toolbar())


def problem(view: View, line: str) -> str:
    """Why Enter leaves this line where it is; empty if it does not."""
    try:
        desk_of(view).validate(Document(line))
    except ValidationError as error:
        return error.message
    return ""


HERE = View("127.0.0.1 port 9", "Ann", {"Ann", "Bob"}, 0.001)


def test_the_status_line() -> None:
    """Where one is, how many are here, the lag; in its place what is wrong, if anything is."""
    assert status(HERE) == "127.0.0.1 port 9 · 2 here · lag 1 ms"
    assert status(View()) == "not connected"
    late = HERE._replace(state="no answer for 12 s")
    assert status(late) == "127.0.0.1 port 9 · 2 here · no answer for 12 s"
    assert desk_of(late).toolbar()[-1][0] == "bold fg:ansired"
    assert status(View(state="connection lost; trying again")) == "connection lost; trying again"
    assert status(View(state="a\x1b[2Jb\nc")) == "a[2Jb c"


def test_a_line_that_cannot_be_taken_is_held() -> None:
    """While nothing can be sent Enter leaves each line where it is, and says why."""
    held = HERE._replace(holds="not connected; the line stays")
    assert problem(held, "hello") == problem(held, "\\nick Bea") == "not connected; the line stays"
    assert problem(HERE, "hello") == ""
    assert problem(HERE, "x" * 501).startswith("501 characters; at most 500")
    assert problem(View(question="Your handle? "), "x" * 501) == ""


@pytest.mark.parametrize(("length", "shown"), [(10, 10), (20, 20), (32, 32), (99, 32), (0, 1)])
def test_a_handle_is_as_long_as_the_server_allows(length: int, shown: int) -> None:
    """The handle before the line is cut where no handle is longer, and at 32 at the latest."""
    [fragment] = desk_of(View("here", "x" * 60, handle_length=length)).prompt()
    assert fragment[1] == "x" * shown + "> "


def test_who_spoke_last_comes_first() -> None:
    """Tab offers those who spoke, the last first, then all others; never oneself."""
    desk = desk_of(View("here", "Ann", {"Ann", "Abe", "Al", "Amy", "Ari"}))
    for handle in ("Al", "Ari", "Al", "gone", "Ann"):
        desk.spoke(handle)
    assert desk.complete("A") == (1, ["Al: ", "Ari: ", "Abe: ", "Amy: "])
    desk.view = View(question="Your handle? ", roster={"Ann"})
    assert desk.complete("A") == (0, [])


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (Say("hello"), "hello"),
        (Say("?"), "\\say ?"),
        (Say("\\quit"), "\\\\quit"),
        (Say("/quit"), "//quit"),
        (Say("a > Joe"), "\\say a > Joe"),
        (Whisper("Joe", "psst"), "psst > Joe"),
        (Whisper("Joe", "a > b"), "a > b > Joe"),
        (Whisper("Joe", "\\quit"), "\\msg Joe \\quit"),
    ],
)
def test_a_message_as_it_is_typed(message: Say | Whisper, line: str) -> None:
    """The line by which a message is said, or told to one, whatever its text looks like."""
    assert line_of(message, Place.TERMINAL) == line
    assert parse(line, Place.TERMINAL) == message


@given(any_text)
def test_any_message_can_be_typed_again(text: str) -> None:
    """No message becomes a secret, a command or another text by being typed again."""
    accepted = accept_text(text)
    if isinstance(accepted, str):
        again = parse(line_of(Say(accepted), Place.TERMINAL), Place.TERMINAL)
        assert isinstance(again, Say)
        assert again.text.strip() == accepted.strip()


def test_several_that_come_back_are_a_paste() -> None:
    """What was refused in a row stands as the lines that it was; a whisper is never among them."""
    desk = desk_of(HERE)
    desk.returned = [Say("\\one"), Say("two > Ann")]
    assert desk.text_of_returned() == "\\one\ntwo > Ann"
    desk.returned.append(Whisper("Joe", "psst"))
    assert desk.text_of_returned() == ""
