from argparse import ArgumentTypeError

import pytest

import triochat
from triochat.arguments import parse
from triochat.commands import offered_handle
from triochat.messages import Welcome
from triochat.ratelimit import Limits
from triochat.state import MAX_CLIENTS
from triochat.terminal import View
from triochat.text import HANDLE_LENGTH
from triochat.values import host


@pytest.mark.parametrize(
    ("login", "offer"),
    [("jimmy", "jimmy"), ("Jim-2", "Jim-2"), ("a.very.long.name", ""), ("d'arc", ""), ("you", "")],
)
def test_a_login_name_is_offered_if_it_is_a_handle(
    monkeypatch: pytest.MonkeyPatch, login: str, offer: str
) -> None:
    """It is offered as it is; what the room would refuse is not."""
    monkeypatch.setattr("getpass.getuser", lambda: login)
    assert offered_handle() == offer


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_nobody_knows_the_login_name(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Where the system has no name for whoever runs it nothing is offered."""

    def fail() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", fail)
    assert offered_handle() == ""


def test_the_package_shows_its_public_names() -> None:
    """What can be had from the package is listed before it is loaded."""
    assert set(triochat.__all__) < set(dir(triochat))
    assert all(getattr(triochat, name) for name in dir(triochat))


def test_the_defaults_are_those_of_the_room() -> None:
    """What the command line says of its defaults, which it knows without the room, is so."""
    options, limits = parse(["server", "1"]), Limits()
    assert (options.burst, options.rate) == (limits.burst, limits.rate)
    assert options.max_clients == MAX_CLIENTS
    assert options.handle_length == HANDLE_LENGTH
    assert View().handle_length == Welcome("", "", ()).handle_length == HANDLE_LENGTH


@pytest.mark.parametrize("name", ["chat.example.org", "Chat.Example.ORG.", "box", "a_b-1"])
def test_names_by_which_browsers_come(name: str) -> None:
    """They are compared in small letters, without a dot at the end; there may be several."""
    options = parse(["server", "1", "--web-name", name, "--web-name", "x.local"])
    assert options.web_names == [name.lower().removesuffix("."), "x.local"]
    assert parse(["server", "1"]).web_names == []


@pytest.mark.parametrize("name", ["", ".", "http://x", "x:80", "x y", "[::1]", "a..b", "b\xfcro"])
def test_what_is_no_name_of_a_machine(name: str) -> None:
    """It is refused with the form that is meant."""
    with pytest.raises(ArgumentTypeError, match=r"write it as chat\.example\.org"):
        host(name)
