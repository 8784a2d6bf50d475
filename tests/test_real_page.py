import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, expect

from browser import CHROMIUM, Tab, browsing
from real import (
    TRIOCHAT,
    Peer,
    Server,
    exit_code,
    free_port,
    member,
    relaying,
    running_server,
    spawn,
)
from triochat.page import PAGE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

Open = Callable[..., Tab]

PACKAGES = ("axe-core", "puppeteer-core")
"""What tests need that no Python package brings; fetched by npm where nobody has done so."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; nobody knows anything of another's tabs."""
    with browsing() as browser:
        yield browser


@pytest.fixture
def at(browser: Browser) -> Iterator[Open]:
    """Opens the page at a port, in a window of its own; nothing may go wrong in any."""
    tabs: list[Tab] = []

    def open_tab(port: int, **options: object) -> Tab:
        tabs.append(Tab(browser, f"http://127.0.0.1:{port}/", **options))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        assert tab.errors == []
        tab.page.context.close()


def on_port(port: int, *options: str) -> list[str]:
    """The command of a server that listens there."""
    return [*TRIOCHAT, "server", str(port), *options]


def program(port: int, handle: str) -> Peer:
    """A program that has joined."""
    peer = Peer(port)
    peer.ask({"type": "join", "handle": handle})
    assert peer.event()["type"] == "welcome"
    return peer


# ---- talking


def test_browsers_and_lines_are_in_one_room(server: Server, at: Open) -> None:
    """Two browsers and somebody at `nc` see what each says, once, with its handle."""
    ann = member(server.port, "Ann")
    jimmy, joe = at(server.port).join("Jimmy"), at(server.port).join("Joe")
    ann.wait_line("* Joe joined")
    jimmy.sees("Joe joined")
    jimmy.say("hi all")
    joe.sees("Jimmy> hi all")
    ann.wait_line("Jimmy> hi all")
    ann.type("hello")
    for tab in (jimmy, joe):
        tab.sees("Ann> hello")
        assert [line for line in tab.said() if "> " in line] == ["Jimmy> hi all", "Ann> hello"]
    jimmy.sees("You are Jimmy. 2 here: Ann, Jimmy")


def test_nc_is_enough(server: Server, at: Open) -> None:
    """Who has nothing but nc talks with who has nothing but a browser."""
    if not shutil.which("nc"):
        pytest.skip("nc is not installed")
    jimmy = at(server.port).join("Jimmy")
    arguments = ["nc", "127.0.0.1", str(server.port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as nc:
        assert nc.stdin
        assert nc.stdout
        nc.stdin.write("Ann\nhello\n")
        nc.stdin.flush()
        jimmy.sees("Ann> hello")
        jimmy.say("hi")
        while nc.stdout.readline() != "Jimmy> hi\n":
            pass
        nc.terminate()
    jimmy.sees("Ann left")


def test_a_person_is_chosen_and_told_alone(server: Server, at: Open) -> None:
    """Who is chosen in the roster is told alone, until Escape; then everybody is told again."""
    ann, joe = member(server.port, "Ann"), member(server.port, "Joe")
    jimmy = at(server.port).join("Jimmy")
    jimmy.person("Ann").click()
    expect(jimmy.message).to_be_focused()
    expect(jimmy.page.get_by_text("Only Ann will see this.")).to_be_visible()
    jimmy.say("psst > Joe")  # that is the text
    ann.wait_line("[Jimmy -> you] psst > Joe")
    jimmy.sees("[you -> Ann] psst > Joe")
    ann.type("what? > Jimmy")
    jimmy.sees("[Ann -> you] what?")
    jimmy.message.press("Escape")
    jimmy.say("good morning")
    joe.wait_line("* Jimmy joined")
    assert joe.line() == "Jimmy> good morning"


def test_a_command_is_no_whisper(server: Server, at: Open) -> None:
    """Where somebody is chosen a command is obeyed all the same; who is renamed stays chosen."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    jimmy.person("Ann").click()
    jimmy.say("\\nick Jim")
    ann.wait_line("* Jimmy is now Jim")
    jimmy.say("?")
    ann.wait_line("[Jim -> you] ?")
    expect(jimmy.person("Ann")).to_have_attribute("aria-pressed", "true")
    ann.type("\\nick Anna")
    jimmy.sees("Ann is now Anna")
    jimmy.say("still you")
    ann.wait_line("[Jim -> you] still you")


def test_commands_are_the_servers(server: Server, at: Open) -> None:
    """What is typed means what it means everywhere, and answers are told apart."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    jimmy.say("psst > Ann")
    ann.wait_line("[Jimmy -> you] psst")
    for line, seen in (
        ("?", "* 2 here: Ann, Jimmy"),
        ("\\help", "\\find WORDS"),
        ("\\me waves", "* Jimmy waves"),
        ("\\topic", "* "),
        ("\\nope", "! there is no command \\nope"),
        ("\\nick Jim", "* Jimmy is now Jim"),
        ("\\\\o/", "Jim> \\o/"),
        ("\\find wav", "1 earlier message"),
    ):
        jimmy.say(line)
        expect(jimmy.rows(seen).last).to_be_visible()
    expect(jimmy.page.locator(".refused")).to_have_count(1)
    ann.wait_line("* Jimmy waves")
    jimmy.sees("Jimmy waves", 2)
    jimmy.say("now")
    ann.wait_line("Jim> now")


def test_pasted_lines_are_messages(server: Server, at: Open) -> None:
    """Several lines are several messages as they stand, and no commands."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    jimmy.say("one > Joe\n\n\\quit\nthree")
    ann.wait_line("* Jimmy joined")
    assert [ann.line() for _ in range(3)] == ["Jimmy> one > Joe", "Jimmy> \\quit", "Jimmy> three"]


# ---- coming in, and being refused


def test_a_taken_handle_is_refused_beside_the_field(server: Server, at: Open) -> None:
    """The reason stands beside the field, what was typed stays in it, and another one gets in."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port)
    expect(jimmy.handle).to_be_focused()
    jimmy.ask_in("Ann")
    expect(jimmy.problem).to_have_text('handle "Ann" is taken; try another')
    expect(jimmy.handle).to_have_value("Ann")
    jimmy.ask_in("two words")
    expect(jimmy.problem).to_contain_text("two words")
    jimmy.join("Jimmy").say("hi")
    ann.wait_line("Jimmy> hi")


def test_a_password_is_asked_where_there_is_one(tmp_path: Path, at: Open) -> None:
    """Who joins is asked for it when it is needed, and again when it was wrong."""
    secret = tmp_path / "secret"
    secret.write_text("tea at five\n")
    secret.chmod(0o600)
    with running_server("--password-file", str(secret)) as server:
        jimmy = at(server.port)
        expect(jimmy.password).to_be_hidden()
        jimmy.ask_in("Jimmy")
        expect(jimmy.password).to_be_focused()
        expect(jimmy.problem).to_have_text("this room has a password")
        for word in ("coffee", "tea at five"):
            jimmy.password.fill(word)
            jimmy.password.press("Enter")
            if word == "coffee":
                expect(jimmy.problem).to_contain_text("password")
        expect(jimmy.message).to_be_visible()
        assert "tea at five" not in jimmy.page.evaluate("JSON.stringify(sessionStorage)")


def test_who_waits_is_told_so(at: Open) -> None:
    """In a full room the place in line is shown, until there is room."""
    with running_server("--max-clients", "1") as server:
        ann = member(server.port, "Ann")
        jimmy = at(server.port)
        jimmy.ask_in("Jimmy")
        expect(jimmy.page.get_by_text("you are number 1 in line")).to_be_visible()
        ann.type("\\quit")
        jimmy.sees("You are Jimmy. 1 here: Jimmy")
        jimmy.say("at last")
        jimmy.sees("Jimmy> at last")


def test_who_waits_is_in_line_again_after_a_restart(at: Open) -> None:
    """A place in line does not survive the server, but nobody has to ask for one again."""
    port = free_port()
    command = on_port(port, "--max-clients", "1")
    with running_server(command=command):
        ann = program(port, "Ann")
        jimmy = at(port)
        jimmy.ask_in("Jimmy")
        expect(jimmy.page.get_by_text("you are number 1 in line")).to_be_visible()
    expect(jimmy.page.get_by_text("Connection lost; coming back.").first).to_be_visible()
    jimmy.page.wait_for_timeout(2000)  # more than one try
    ann.close()
    with running_server(command=command):
        expect(jimmy.message).to_be_visible()
        jimmy.say("at last")
        jimmy.sees("Jimmy> at last")


def test_what_is_refused_comes_back(server: Server, at: Open) -> None:
    """A refused line stands in the field again with its reason above, and nobody was told."""
    jimmy = at(server.port).join("Jimmy")
    jimmy.say("psst > Joee")
    jimmy.sees('nobody here is called "Joee"; nothing was sent')
    expect(jimmy.message).to_have_value("psst > Joee")
    jimmy.say("x" * 501)
    jimmy.sees("501 characters")
    expect(jimmy.message).to_have_value("x" * 501)
    expect(jimmy.page.get_by_text("-1", exact=True)).to_be_visible()
    jimmy.say("y" * 5000)
    expect(jimmy.page.get_by_text("at most 500 characters")).to_be_visible()
    expect(jimmy.message).to_have_value("y" * 5000)


# ---- coming back


def test_a_reload_tells_what_was_missed(server: Server, at: Open) -> None:
    """What was said before, and what was missed, is there, each once, and so is the draft.

    Nobody hears that somebody was away for a moment.
    """
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    ann.type("before")
    jimmy.sees("Ann> before")
    jimmy.message.fill("half a li")
    address = jimmy.page.url
    jimmy.page.goto("about:blank")
    ann.type("meanwhile")
    ann.type("for you > Jimmy")
    jimmy.page.goto(address)
    jimmy.sees("[Ann -> you] for you")
    jimmy.sees("Ann> before")
    assert jimmy.said() == ["Ann> before", "Ann> meanwhile", "[Ann -> you] for you"]
    expect(jimmy.rows("while you were away")).to_have_count(1)
    expect(jimmy.message).to_have_value("half a li")
    jimmy.page.reload()
    jimmy.sees("Ann> meanwhile")
    jimmy.message.press("Enter")
    ann.wait_line("* Jimmy joined")
    assert ann.line() == "Jimmy> half a li"


def test_a_line_said_while_the_connection_breaks_is_said_once(server: Server, at: Open) -> None:
    """Over a connection that is cut again and again each line gets through, once, in order."""
    ann = member(server.port, "Ann")
    with relaying(server.port) as relay:
        jimmy = at(relay.port).join("Jimmy")
        for number in range(30):
            jimmy.say(f"line {number}")
            if number % 10 == 5:
                relay.cut()
        ann.wait_line("* Jimmy joined")
        assert [ann.line() for _ in range(30)] == [f"Jimmy> line {number}" for number in range(30)]
        jimmy.sees("line 29")
        expect(jimmy.page.get_by_label("Not confirmed yet")).to_be_hidden()
        said = [line for line in jimmy.said() if line.startswith("Jimmy>")]
        assert said == [f"Jimmy> line {number}" for number in range(30)]
        assert relay.count > 1


def test_a_killed_server_is_waited_for(tmp_path: Path, at: Open) -> None:
    """Where it keeps a history the page is back where it was, and what had no answer arrives."""
    port, path = free_port(), tmp_path / "pub.history"
    command = on_port(port, "--history", str(path))
    with running_server(command=command) as server:
        jimmy = at(port).join("Jimmy")
        ann = program(port, "Ann")
        ann.ask({"type": "say", "text": "kept"})
        jimmy.sees("Ann> kept")
        server.process.send_signal(signal.SIGSTOP)
        jimmy.say("into the void")
        expect(jimmy.page.get_by_label("Not confirmed yet")).to_contain_text("into the void")
        ann.close()
    expect(jimmy.page.get_by_text("Connection lost")).to_be_visible()
    jimmy.say("and more")
    with running_server(command=command):
        joe = program(port, "Joe")
        jimmy.sees("Jimmy> into the void")
        jimmy.sees("Jimmy> and more")
        jimmy.sees("Ann> kept")
        said = [joe.event() for _ in range(2)]
        assert [one["text"] for one in said if one["type"] == "said"] == [
            "into the void",
            "and more",
        ]
        expect(jimmy.page.get_by_label("Not confirmed yet")).to_be_hidden()
        joe.close()


def test_a_stopped_server_is_waited_for(tmp_path: Path, at: Open) -> None:
    """A service that is restarted is come back to without a click."""
    port = free_port()
    command = on_port(port, "--history", str(tmp_path / "pub.history"))
    with running_server(command=command) as server:
        jimmy = at(port).join("Jimmy")
        assert server.stop() == 0
        expect(jimmy.page.get_by_text("Connection lost")).to_be_visible()
    jimmy.say("are you back?")
    with running_server(command=command):
        jimmy.sees("Jimmy> are you back?")
        expect(jimmy.page.get_by_text("Connection lost")).to_be_hidden()


def test_a_server_that_forgot_is_named(at: Open) -> None:
    """Where nothing was kept the page says what may be missing, and what was perhaps not sent."""
    port = free_port()
    with running_server(command=on_port(port)) as server:
        jimmy = at(port).join("Jimmy")
        jimmy.say("heard")
        jimmy.sees("Jimmy> heard")
        server.process.send_signal(signal.SIGSTOP)
        jimmy.say("perhaps")
        expect(jimmy.page.get_by_label("Not confirmed yet")).to_contain_text("perhaps")
    with running_server(command=on_port(port)):
        jimmy.sees("something may be missing here")
        jimmy.sees("perhaps not sent: perhaps")
        jimmy.say("again")
        jimmy.sees("Jimmy> again")
        assert jimmy.said().count("Jimmy> heard") == 1


def test_who_quits_is_asked_whether_to_come_back(server: Server, at: Open) -> None:
    """After a quit nothing happens by itself; a button brings it back, and what was begun stays."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    jimmy.say("\\quit")
    ann.wait_line("* Jimmy left")
    again = jimmy.page.get_by_role("button", name="Reconnect?")
    expect(again).to_be_focused()
    expect(jimmy.page.get_by_text("You have left.")).to_be_visible()
    jimmy.say("not yet")
    expect(jimmy.message).to_have_value("not yet")
    again.click()
    ann.wait_line("* Jimmy joined")
    jimmy.message.press("Enter")
    assert ann.line() == "Jimmy> not yet"
    expect(again).to_be_hidden()


def test_who_is_refused_on_coming_back_is_outside(server: Server, at: Open) -> None:
    """The way in is all that is there then, and another handle gets in."""
    jimmy = at(server.port, viewport={"width": 320, "height": 480}).join("Jimmy")
    jimmy.say("\\quit")
    again = jimmy.page.get_by_role("button", name="Reconnect?")
    expect(again).to_be_visible()
    other = program(server.port, "Jimmy")
    again.click()
    expect(jimmy.problem).to_contain_text("taken")
    expect(jimmy.page.get_by_role("button")).to_have_count(1)
    jimmy.join("Jim").sees("You are Jim. 2 here: Jim, Jimmy")
    expect(jimmy.page.get_by_role("button", name="People (2)")).to_be_visible()
    other.close()


def test_who_comes_back_elsewhere_is_not_fought(server: Server, at: Open) -> None:
    """The former of two tabs with one token is told, and stays away until a person decides."""
    jimmy = at(server.port).join("Jimmy")
    with jimmy.page.context.expect_page() as opened:
        jimmy.page.evaluate("open(location.href)")  # which copies what the tab remembers
    other = opened.value
    expect(other.get_by_role("textbox", name="Message")).to_be_visible()
    jimmy.sees("you came back over another connection")
    expect(jimmy.page.get_by_role("button", name="Reconnect?")).to_be_visible()
    other.get_by_role("textbox", name="Message").fill("here")
    other.get_by_role("textbox", name="Message").press("Enter")
    expect(other.get_by_role("log")).to_contain_text("Jimmy> here")


# ---- being called


def test_mentions_are_counted_while_nobody_looks(server: Server, at: Open) -> None:
    """A handle as a word of its own is marked, and counted in the title and the icon till then."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port).join("Jimmy")
    icon = jimmy.page.locator("link[rel=icon]")
    before = icon.get_attribute("href")
    jimmy.hide()
    for text in ("jimmy, are you there?", "Jimmyx is nobody", "psst > Jimmy", "tell Jimmy."):
        ann.type(text)
    expect(jimmy.page).to_have_title("(3) room - triochat")
    assert icon.get_attribute("href") != before
    jimmy.sees("tell Jimmy.")
    assert jimmy.page.locator("mark").all_inner_texts() == ["jimmy", "Jimmy"]
    jimmy.hide(is_hidden=False)
    expect(jimmy.page).to_have_title("room - triochat")
    assert icon.get_attribute("href") == before


def test_nobody_is_disturbed_unasked(server: Server, at: Open) -> None:
    """A notification is asked for, and shown, only after a click; the choice is remembered."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port)
    jimmy.page.add_init_script("""
      window.told = [];
      window.Notification = class {
        constructor(title, { body }) { told.push(body); }
        static requestPermission() { told.push("asked"); return Promise.resolve("granted"); }
      };
    """)
    jimmy.page.reload()
    jimmy.join("Jimmy").hide()
    ann.type("Jimmy: one")
    jimmy.sees("one")
    assert jimmy.page.evaluate("told") == []
    notify = jimmy.page.get_by_role("button", name="Notify")
    notify.click()
    expect(notify).to_have_attribute("aria-pressed", "true")
    ann.type("Jimmy: two")
    jimmy.sees("two")
    assert jimmy.page.evaluate("told") == ["asked", "Ann: Jimmy: two"]
    jimmy.page.get_by_role("button", name="Sound").click()
    jimmy.page.reload()
    for name in ("Notify", "Sound"):
        button = jimmy.page.get_by_role("button", name=name)
        expect(button).to_have_attribute("aria-pressed", "true")


# ---- what is shown


def test_operators_are_marked_and_what_they_remove_goes(at: Open) -> None:
    """The roster marks who moderates, and removed messages are taken away."""
    console = spawn("server", "0", "--no-color")
    console.expect(r"nc 127.0.0.1 (\d+)")
    assert isinstance(console.match, re.Match)
    port = int(console.match[1])
    jimmy, ann = at(port).join("Jimmy"), member(port, "Ann")
    jimmy.sees("Ann joined")
    console.send("\\op Jimmy\r")
    jimmy.sees("Jimmy was made an operator")
    mine = jimmy.page.get_by_role("complementary").get_by_role("listitem").filter(has_text="Jimmy")
    expect(mine).to_contain_text("operator")
    ann.type("rubbish")
    jimmy.sees("rubbish")
    jimmy.say("\\forget Ann")
    jimmy.sees("rubbish", 0)
    bot = program(port, "Bot")
    console.send("\\op Bot\r")
    jimmy.sees("Bot was made an operator")
    jimmy.hide()  # it draws seldom now, so both are drawn at once
    bot.ask({"type": "say", "text": "never seen"})
    while bot.event().get("text") != "never seen":
        pass
    bot.ask({"type": "forget", "handle": "Bot"})
    while bot.event()["type"] != "removed":
        pass
    jimmy.say("\\topic tea")
    expect(jimmy.page.get_by_role("banner")).to_contain_text("tea")
    jimmy.sees("1 message of Bot was removed")
    jimmy.sees("never seen", 0)
    bot.close()
    ann.close()
    console.sendcontrol("c")
    jimmy.sees("Server closed the connection: shutting down")
    expect(jimmy.page.get_by_role("button", name="Reconnect?")).to_be_visible()
    assert exit_code(console) == 0


HOSTILE = (
    "<img src=x onerror=hacked()>",
    "<script>hacked()</script>",
    "javascript:hacked() https://a.example/\"onmouseover='hacked()'",
    "</li></ol><h1>Server> all is lost</h1>",
    "\u202eevil \x1b[31mred\u2066",
    "&lt;b&gt; ${hacked()} {{hacked()}}",
)


def test_hostile_texts_are_shown_as_text(server: Server, at: Open) -> None:
    """Whatever is said stands there as it was said, and does nothing."""
    mallory = program(server.port, "Mallory")
    jimmy = at(server.port)
    jimmy.page.add_init_script("window.hacked = () => { window.wasHacked = true; };")
    jimmy.page.reload()
    jimmy.join("Jimmy")
    inside = jimmy.log.locator("*:not(div, time, span, bdi, a)")
    for text in HOSTILE:
        mallory.ask({"type": "say", "text": text})
        mallory.ask({"type": "whisper", "to": "Jimmy", "text": text})
    mallory.ask({"type": "say", "text": "done"})
    jimmy.sees("done")
    said = jimmy.said()
    for text in (*HOSTILE[:4], HOSTILE[5], "evil [31mred"):
        assert f"Mallory> {text}" in said
        assert f"[Mallory -> you] {text}" in said
    assert inside.count() == 0
    assert [link.get_attribute("href") for link in jimmy.log.get_by_role("link").all()] == [
        "https://a.example/"
    ] * 2
    assert jimmy.page.evaluate("window.wasHacked") is None


def test_the_newest_rows_are_kept(at: Open) -> None:
    """However much is said, 900 to 1,000 rows are kept, and the last of them is seen."""
    with running_server("--rate", "0") as server:
        ann = program(server.port, "Ann")
        jimmy = at(server.port).join("Jimmy")
        for start in range(0, 2500, 100):
            asked = ({"type": "say", "text": f"<{n}>"} for n in range(start, start + 100))
            ann.socket.sendall("".join(json.dumps(one) + "\n" for one in asked).encode())
        expect(jimmy.rows("<2499>")).to_be_in_viewport()
        said = [one.split()[1] for one in jimmy.said()]
        assert 900 <= len(said) == jimmy.rows().count() <= 1000
        assert said == [f"<{n}>" for n in range(2500 - len(said), 2500)]


def test_who_reads_back_is_not_moved(at: Open) -> None:
    """Who has scrolled up stays there, is told that there is more, and gets to it by a button."""
    with running_server("--rate", "0") as server:
        ann = member(server.port, "Ann")
        jimmy = at(server.port).join("Jimmy")
        ann.type("\n".join(f"line {n}" for n in range(100)))
        expect(jimmy.rows("line 99")).to_be_in_viewport()
        newer = jimmy.page.get_by_role("button", name="New messages")
        expect(newer).to_be_hidden()
        jimmy.rows("line 50").scroll_into_view_if_needed()
        ann.type("something new")
        expect(newer).to_be_visible()
        expect(jimmy.rows("line 50")).to_be_in_viewport()
        newer.click()
        expect(jimmy.rows("something new")).to_be_in_viewport()
        expect(newer).to_be_hidden()


def test_who_joins_reads_back_by_a_button(at: Open) -> None:
    """The newest messages are there; older ones come above them, each once, while there are any."""
    with running_server("--rate", "0", "--replay", "20") as server:
        ann = member(server.port, "Ann")
        ann.type("\n".join(f"line {n}" for n in range(100)))
        program(server.port, "Bob").close()
        jimmy = at(server.port).join("Jimmy")
        jimmy.sees("line 99")
        earlier = jimmy.page.get_by_role("button", name="Earlier messages")
        for count in (70, 100):
            earlier.click()
            expect(jimmy.rows("Ann> line")).to_have_count(count)
        expect(earlier).to_be_hidden()
        assert jimmy.said()[:100] == [f"Ann> line {n}" for n in range(100)]


def test_many_who_come_share_rows(server: Server, at: Open) -> None:
    """A class that comes in does not push away what was said."""
    jimmy = at(server.port).join("Jimmy")
    for number in range(20):
        program(server.port, f"pupil{number}").close()
    jimmy.sees("pupil19 joined")
    assert jimmy.rows("joined").count() == 5
    for number in range(20):
        jimmy.sees(f"pupil{number} joined")
    member(server.port, "Ann").type("good morning")
    jimmy.sees("Ann> good morning")


def test_who_can_be_overheard_is_told_so(server: Server, browser: Browser) -> None:
    """Over http from elsewhere the page says, in words, that others can read it; not from here."""
    here = Tab(browser, f"http://127.0.0.1:{server.port}/")
    there = browser.new_context().new_page()
    there.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    there.goto("http://room.test:9999/")
    expect(there.get_by_text("Not encrypted")).to_be_visible()
    link = there.get_by_role("link", name="https://room.test")
    expect(link).to_have_attribute("href", "https://room.test:9999/")
    there.context.close()
    expect(here.page.get_by_text("Not encrypted")).to_be_hidden()
    here.page.context.close()


def test_it_fits_a_narrow_screen(server: Server, at: Open) -> None:
    """At 320 pixels nothing is cut off, and the people are behind a button."""
    jimmy = at(server.port, viewport={"width": 320, "height": 480})
    jimmy.join("Jimmy").say("w" * 500)
    jimmy.say("last")
    jimmy.sees("last")
    assert jimmy.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert jimmy.page.evaluate("past.scrollWidth <= past.clientWidth")
    expect(jimmy.rows("last")).to_be_in_viewport()
    expect(jimmy.message).to_be_in_viewport(ratio=1)
    expect(jimmy.person("Jimmy")).to_be_hidden()
    jimmy.page.get_by_role("button", name="People (1)").click()
    expect(jimmy.person("Jimmy")).to_be_in_viewport(ratio=1)
    jimmy.person("Jimmy").click()
    expect(jimmy.person("Jimmy")).to_be_hidden()


LONG = "The long evening of the workshop in room B 2.17"


@pytest.mark.parametrize("width", [1280, 320])
def test_a_long_name_is_cut(at: Open, width: int) -> None:
    """The room's name takes one line, beside the buttons, and is whole in its hint."""
    with running_server("--name", LONG) as server:
        jimmy = at(server.port, viewport={"width": width, "height": 480}).join("Jimmy")
        name = jimmy.page.get_by_role("heading", name=LONG)
        expect(name).to_have_attribute("title", LONG)
        assert name.evaluate("one => one.clientHeight") < 40
        assert name.evaluate("one => one.clientWidth") >= 80
        buttons = jimmy.page.get_by_role("banner").get_by_role("button").all()
        assert len({button.evaluate("one => one.offsetTop") for button in buttons}) == 1


def test_what_grows_below_hides_nothing(server: Server, at: Open) -> None:
    """Who reads the end goes on reading it when the chat is over."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port, viewport={"width": 1000, "height": 650}).join("Jimmy")
    ann.type("\n".join(f"line {n}" for n in range(60)))
    jimmy.sees("line 59")
    jimmy.page.wait_for_timeout(300)
    jimmy.page.evaluate("""() => {  // what is said and done between two frames
      show({ type: "closing", reason: "over" });
      draw();
      stop("over");
    }""")
    expect(jimmy.page.get_by_role("button", name="Reconnect?")).to_be_visible()
    jimmy.page.wait_for_timeout(200)
    below = "past.scrollHeight - past.scrollTop - past.clientHeight"
    assert jimmy.page.evaluate(below) < 2


def test_the_keyboard_is_enough(server: Server, at: Open) -> None:
    """All can be done without a mouse, and what has the focus is seen to have it."""
    ann = member(server.port, "Ann")
    jimmy = at(server.port)
    keyboard = jimmy.page.keyboard
    keyboard.type("Jimmy\n")
    expect(jimmy.message).to_be_focused()
    keyboard.type("hello\n")
    ann.wait_line("Jimmy> hello")
    expect(jimmy.person("Ann")).to_be_visible()
    for _ in range(2):
        keyboard.press("Tab")
    expect(jimmy.person("Ann")).to_be_focused()
    outline = jimmy.person("Ann").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "solid"
    keyboard.press("Enter")
    expect(jimmy.message).to_be_focused()
    keyboard.type("psst\n")
    ann.wait_line("[Jimmy -> you] psst")
    keyboard.press("Escape")
    keyboard.press("ArrowUp")
    expect(jimmy.message).to_have_value("psst")
    keyboard.press("ArrowUp")
    expect(jimmy.message).to_have_value("hello")
    keyboard.press("Enter")
    ann.wait_line("Jimmy> hello")


def test_it_is_as_dark_as_one_likes(server: Server, at: Open) -> None:
    """Ground and ink follow what the person has chosen for its system."""
    jimmy = at(server.port, color_scheme="light")
    colours = "getComputedStyle(document.body).backgroundColor"
    light = jimmy.page.evaluate(colours)
    jimmy.page.emulate_media(color_scheme="dark")
    assert (light, jimmy.page.evaluate(colours)) == ("rgb(252, 252, 250)", "rgb(22, 24, 29)")


# ---- for everybody


@cache
def node_modules() -> Path:
    """Where axe-core and puppeteer-core are: the folder that TRIOCHAT_NODE names, or fetched."""
    if folder := os.environ.get("TRIOCHAT_NODE"):
        return Path(folder)
    if not shutil.which("npm"):
        pytest.skip("neither TRIOCHAT_NODE nor npm is there")
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES]
    with suppress(subprocess.SubprocessError):
        subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
        return Path(folder) / "node_modules"
    pytest.skip("axe-core and puppeteer-core cannot be fetched")


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(server: Server, at: Open, scheme: str, width: int) -> None:
    """The checker of accessibility finds no fault: coming in, refused, talking, whispering."""
    script = (node_modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    ann = member(server.port, "Ann")
    jimmy = at(
        server.port,
        color_scheme=scheme,
        viewport={"width": width, "height": 640},
        bypass_csp=True,  # or the checker could not run
    )
    jimmy.page.evaluate(script)

    def check() -> None:
        found = jimmy.page.evaluate("axe.run()")
        wrong = [(one["id"], [n["html"] for n in one["nodes"]]) for one in found["violations"]]
        assert wrong == []
        assert found["passes"]

    check()
    jimmy.ask_in("Ann")
    expect(jimmy.problem).to_contain_text("taken")
    check()
    jimmy.join("Jimmy")
    ann.type("Hey Jimmy, see https://example.org/")
    ann.type("psst > Jimmy")
    for line in ("hi", "\\me waves", "\\nope", "?", "\\help", "\\find hi"):
        jimmy.say(line)
    jimmy.sees("1 earlier message")
    check()
    if width == 320:
        jimmy.page.get_by_role("button", name="People").click()
        check()
    jimmy.person("Ann").click()
    check()
    jimmy.say("\\quit")
    expect(jimmy.page.get_by_role("button", name="Reconnect?")).to_be_visible()
    check()


def test_firefox_is_as_good(server: Server) -> None:
    """Firefox comes in, talks, and is back where it was after a reload."""
    node, firefox = shutil.which("node"), shutil.which("firefox-esr") or shutil.which("firefox")
    if not node or not firefox:
        pytest.skip("node or Firefox is not installed")
    ann = member(server.port, "Ann")
    script = str(Path(__file__).with_name("firefox.mjs"))
    address = f"http://127.0.0.1:{server.port}/"
    arguments = [node, script, str(node_modules()), firefox, address]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        ann.wait_line("Jimmy> hi from afar")
        ann.type("welcome, Jimmy")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Jimmy> hi from afar" in output
    assert "Ann> welcome, Jimmy" in output
    assert "error:" not in output
    ann.close()
