from collections.abc import Iterator
from contextlib import contextmanager
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.application import Application
from prompt_toolkit.application.current import set_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import DummyInput
from prompt_toolkit.layout import BufferControl, Layout, Window
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.validation import ValidationError

from strategies import any_text
from triochat.chat import AWAY
from triochat.grammar import Place, parse
from triochat.messages import Action, Say, Speech, Whisper
from triochat.terminal import View
from triochat.terminals.desk import LATE, Desk, line_of
from triochat.terminals.screen import Palette
from triochat.terminals.wrapping import cells_of
from triochat.text import accept_text


def desk_of(view: View) -> Desk:
    """A desk that shows this."""
    desk = Desk(Palette())
    desk.view = view
    return desk


@contextmanager
def at_editor(text: str, columns: int) -> Iterator[None]:
    """An editor in which this is being typed, on a screen so wide."""
    buffer, output = Buffer(document=Document(text)), DummyOutput()
    output.get_size = lambda: Size(24, columns)  # type: ignore[method-assign]
    layout = Layout(Window(BufferControl(buffer)))
    with set_app(Application(layout, input=DummyInput(), output=output)):
        yield


def status(view: View, text: str = "", columns: int = 80) -> str:
    """The words of the status line."""
    with at_editor(text, columns):
        return "".join(fragment[1] for fragment in desk_of(view).toolbar())


def problem(view: View, line: str, columns: int = 80) -> str:
    """Why Enter leaves this line where it is; empty if it does not."""
    try:
        with at_editor(line, columns):
            desk_of(view).validate(Document(line))
    except ValidationError as error:
        return error.message
    return ""


HERE = View("127.0.0.1 port 9", "Ann", {"Ann", "Bob"}, 0.001)


def test_the_status_line_counts_who_can_be_overheard() -> None:
    """Whoever types sees it at that moment; where there is nobody, nothing is said of it."""
    assert status(HERE) == "127.0.0.1 port 9 · 2 here · lag 1 ms"
    one = HERE._replace(unencrypted={"Bob"})
    assert status(one) == "127.0.0.1 port 9 · 2 here, 1 plain · lag 1 ms"


def test_the_status_line() -> None:
    """Where one is, how many are here, the lag; in its place what is wrong, if anything is."""
    assert status(HERE) == "127.0.0.1 port 9 · 2 here · lag 1 ms"
    assert status(View()) == "not connected"
    late = HERE._replace(state="no answer for 12 s")
    assert status(late) == "127.0.0.1 port 9 · 2 here · no answer for 12 s"
    assert desk_of(late).toolbar()[-1][0] == "bold fg:ansired"
    assert status(HERE._replace(lag=14.086)) == "127.0.0.1 port 9 · 2 here · lag 14 s"
    assert status(View(state="connection lost; trying again")) == "connection lost; trying again"
    assert status(View(state="a\x1b[2Jb\nc")) == "a[2Jb c"


@pytest.mark.parametrize("problem", ["still not there (connection refused)", "connection lost"])
def test_a_narrow_status_line_says_what_matters(problem: str) -> None:
    """What is wrong stands there, without what is in brackets, and the rest only if it fits."""
    seen = status(View(state=f"{problem}; trying again in 27 s (Ctrl-C gives up)"), columns=40)
    assert seen == f"{problem.partition(' (')[0]}; trying again in 27 s"
    late = HERE._replace(state="no answer for 12 s")
    assert status(late, columns=40) == "no answer for 12 s · 127.0.0.1 port 9"
    assert status(late, columns=30) == "no answer for 12 s"
    assert status(late, "x" * 950, columns=40) == "no answer for 12 s · 450 too many"


@pytest.mark.parametrize(
    ("length", "counted"),
    [(450, ""), (451, "49 left · "), (500, "0 left · "), (501, "1 too many · ")],
)
def test_the_counter(length: int, counted: str) -> None:
    """Few characters that are left are counted, and those that are too many."""
    assert status(HERE, "x" * length) == f"{counted}127.0.0.1 port 9 · 2 here · lag 1 ms"


def test_a_paste_with_a_line_that_is_too_long() -> None:
    """The line is named, by its place in the paste; what does not fit is not said."""
    text = "one\n\n" + "x" * 700 + "\n" + "x" * 800
    told = "line 3: 700 characters; at most 500 are allowed"
    assert problem(HERE, text) == f"{told}; nothing was sent"
    assert problem(HERE, text, columns=50) == told
    assert len(problem(HERE._replace(holds=AWAY), "hello", columns=40)) <= 40


def test_a_line_that_cannot_be_taken_is_held() -> None:
    """While nothing can be sent Enter leaves each line where it is, and says why."""
    held = HERE._replace(holds="not connected; the line stays")
    assert problem(held, "hello") == problem(held, "\\nick Bea") == "not connected; the line stays"
    assert problem(HERE, "hello") == ""
    assert problem(HERE, "x" * 501).startswith("501 characters; at most 500")
    assert problem(View(question="Your handle? "), "x" * 501) == ""


def test_a_handle_is_cut_where_no_handle_is_longer() -> None:
    """The handle before the line is whole: the operator's may be longer than any other."""
    [fragment] = desk_of(View("here", "x" * 32, handle_length=4)).prompt()
    assert fragment[1] == "x" * 32 + "> "
    [fragment] = desk_of(View("here", "x" * 60, handle_length=99)).prompt()
    assert fragment[1] == "x" * 32 + "> "


def test_who_spoke_last_comes_first() -> None:
    """Tab offers those who spoke, the last first, then all others; never oneself."""
    desk = desk_of(View("here", "Ann", {"Ann", "Abe", "Al", "Amy", "Ari"}))
    for handle in ("Al", "Ari", "Al", "gone", "Ann"):
        desk.spoke(handle)
    assert desk.complete("A") == (1, ["Al: ", "Ari: ", "Abe: ", "Amy: "])
    desk.view = desk.view._replace(roster={"Ann", "Axl", "Abe", "Amy", "Ari"})
    desk.renamed("Al", "Axl")
    desk.renamed("Abe", "Amy")
    assert desk.complete("A") == (1, ["Axl: ", "Ari: ", "Abe: ", "Amy: "])
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
    assert line_of(message) == line
    assert parse(line, Place.TERMINAL) == message


@given(any_text)
def test_any_message_can_be_typed_again(text: str) -> None:
    """No message becomes a secret, a command or another text by being typed again."""
    accepted = accept_text(text)
    if isinstance(accepted, str):
        again = parse(line_of(Say(accepted)), Place.TERMINAL)
        assert isinstance(again, Say)
        assert again.text.strip() == accepted.strip()


def test_several_that_come_back_are_a_paste() -> None:
    """What was refused in a row stands as the lines that it was; a whisper is never among them."""
    desk = desk_of(HERE)
    desk.returned = [Say("\\one"), Say("two > Ann")]
    assert desk.text_of_returned() == "\\one\ntwo > Ann"
    desk.returned.append(Whisper("Joe", "psst"))
    assert desk.text_of_returned() == ""


# ---- what is not confirmed yet


def waiting(*said: Speech, width: int = 80, height: int = 24) -> list[str]:
    """The rows above the line, when these wait for an answer for long."""
    desk = Desk(Palette())
    desk.look(HERE._replace(unconfirmed=said), 0)
    return desk.late(LATE, width, height)


def test_what_is_not_confirmed_is_shown_as_it_will_be_told() -> None:
    """Dots stand where the time will; what is answered in a moment is never seen."""
    assert waiting(Say("hello"), Whisper("Bob", "psst"), Action("waves")) == [
        "…     Ann> hello",
        "…     [you -> Bob] psst",
        "…     * Ann waves",
    ]
    desk = desk_of(HERE)
    assert desk.look(HERE._replace(unconfirmed=(Say("hello"),)), 10)
    assert desk.late(10 + LATE / 2, 80, 24) == []
    assert not desk.look(HERE, 10 + LATE / 2)
    assert desk.late(11, 80, 24) == []


def test_each_waits_for_itself() -> None:
    """What is shown stays until it is answered, whatever is answered before it, or said after."""
    desk, same = desk_of(HERE), [Say("a"), Say("a"), Say("a")]
    for number in range(3):
        desk.look(HERE._replace(unconfirmed=(*same[: number + 1],)), number)
    assert len(desk.late(1.1 + LATE, 80, 24)) == 2
    assert not desk.look(HERE._replace(unconfirmed=(*same[1:],)), 1.1 + LATE)
    assert len(desk.late(1.1 + LATE, 80, 24)) == 1
    assert len(desk.late(2.1 + LATE, 80, 24)) == 2
    desk.look(HERE._replace(unconfirmed=(same[2], same[0])), 3)  # in another order
    assert len(desk.late(3, 80, 24)) == 1


@pytest.mark.parametrize(("height", "shown"), [(24, ["0", "1", "2"]), (15, ["0", "1"]), (5, ["0"])])
def test_many_are_counted(height: int, shown: list[str]) -> None:
    """They take a quarter of the screen at most, and four rows."""
    rows = waiting(*(Say(str(number)) for number in range(8)), height=height)
    assert rows[:-1] == [f"…     Ann> {text}" for text in shown]
    assert rows[-1] == f"…     and {8 - len(shown)} more"
    assert len(waiting(*[Say("x")] * 4)) == 4


@given(any_text, st.integers(2, 100))
def test_what_is_not_confirmed_fits(text: str, width: int) -> None:
    """Each has one row, whatever is in it, and stands behind our sign."""
    for row in waiting(Say(text), Whisper(text, text), Action(text), width=width):
        assert cells_of(row) <= width
        assert row.startswith("…     "[: width - 1])
        assert not any(category(character) in ("Cc", "Zl", "Zp") for character in row)


def test_there_is_nothing_above_a_question() -> None:
    """While something is asked, only that is seen."""
    desk = Desk(Palette())
    view = HERE._replace(unconfirmed=(Say("hello"),))
    desk.look(view, 0)
    with at_editor("", 80):
        assert "".join(part[1] for part in desk.prompt()) == "…     Ann> hello\nAnn> "
        desk.look(view._replace(question="Reconnect? "), 0)
        assert "".join(part[1] for part in desk.prompt()) == "Reconnect? "
