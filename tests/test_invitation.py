import errno
import ipaddress
import os
import socket
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import segno

from tls import identity, make_tls
from triochat.invitation import (
    AS_BEFORE,
    BLACK_ON_WHITE,
    addresses,
    all_addresses,
    invitation,
    picture,
    program,
)
from triochat.terminals.standard import screen_of
from triochat.tls import Tls


def start(monkeypatch: pytest.MonkeyPatch, argv: str, typed: str = "python") -> None:
    """Let the program have been started like this."""
    monkeypatch.setattr(sys, "argv", [argv, "server", "9999"])
    monkeypatch.setattr(sys, "orig_argv", [typed, "-m", "triochat", "server", "9999"])


def test_an_invitation_has_a_way_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the client, with what is on any machine, in a browser, and with an IRC client."""
    start(monkeypatch, "triochat")
    bound = [(socket.AF_INET, "127.0.0.1")]
    assert invitation("127.0.0.1", 9999, bound).splitlines() == [
        "Listening on 127.0.0.1 port 9999. To join, run either of:",
        "  triochat client 127.0.0.1 9999",
        "  nc 127.0.0.1 9999",
        "Or open in a browser:",
        "  http://127.0.0.1:9999",
        "Or type in an IRC client:",
        "  /connect 127.0.0.1 9999",
        "Ctrl-C stops the server.",
    ]


def commands(invited: str) -> list[str]:
    """What of an invitation can be typed into a shell."""
    lines = invited.splitlines()
    return lines[1 : next(n for n, line in enumerate(lines) if line.startswith("Or "))]


ALL_4, ALL_6 = (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")  # noqa: S104


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ([ALL_4], ["10.0.0.7", "127.0.0.1"]),
        ([ALL_6], ["fd00::7", "::1"]),
        ([ALL_6, ALL_4], ["10.0.0.7", "fd00::7", "127.0.0.1"]),
    ],
)
def test_who_listens_everywhere_names_its_addresses(
    monkeypatch: pytest.MonkeyPatch,
    bound: list[tuple[socket.AddressFamily, str]],
    expected: list[str],
) -> None:
    """Those under which others reach it come first, each once, however "everywhere" was said."""
    start(monkeypatch, "triochat")
    known = {socket.AF_INET: ["10.0.0.7", "10.0.0.7"], socket.AF_INET6: ["fd00::7"]}
    monkeypatch.setattr("triochat.invitation.addresses", known.__getitem__)
    lines = commands(invitation("*", 9999, bound))
    *others, _ = expected
    ways = [f"  triochat client {name} 9999 --insecure" for name in others]
    assert lines[::2] == [*ways, f"  triochat client {expected[-1]} 9999"]
    assert lines[1::2] == [f"  nc {name} 9999" for name in expected]


@pytest.mark.parametrize("is_required", [False, True])
def test_other_machines_are_told_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, is_required: bool
) -> None:
    """Who comes from elsewhere is invited to TLS, and to nc only where that gets in."""
    start(monkeypatch, "triochat")
    monkeypatch.setattr("triochat.invitation.addresses", lambda _: ["10.0.0.7"])
    lines = invitation("0.0.0.0", 9999, [ALL_4], make_tls(is_required=is_required))  # noqa: S104
    known = identity().fingerprint
    assert commands(lines) == [
        f"  triochat client 10.0.0.7 9999 --fingerprint {known}",
        *([] if is_required else ["  nc 10.0.0.7 9999"]),
        "  triochat client 127.0.0.1 9999",
        "  nc 127.0.0.1 9999",
    ]


HERE = "http://127.0.0.1:9999"


@pytest.mark.parametrize(
    ("found", "tls", "pages", "irc"),
    [
        (["10.0.0.7"], make_tls(), ["https://10.0.0.7:9999", HERE], "-tls 10.0.0.7"),
        (["fd00::7"], make_tls(), ["https://[fd00::7]:9999", HERE], "-tls fd00::7"),
        (["10.0.0.7"], None, ["http://10.0.0.7:9999", HERE], "10.0.0.7"),
        ([], make_tls(), [HERE], "127.0.0.1"),
    ],
)
def test_browsers_and_irc_clients_are_invited_to_tls_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, found: list[str], tls: Tls | None, pages: list[str], irc: str
) -> None:
    """Each address has a page; what crosses a network is encrypted wherever the server can."""
    start(monkeypatch, "triochat")
    monkeypatch.setattr("triochat.invitation.addresses", lambda _: found)
    lines = invitation("0.0.0.0", 9999, [ALL_4], tls).splitlines()  # noqa: S104
    at = lines.index("Or open in a browser:") + 1
    assert lines[at:] == [
        *(f"  {page}" for page in pages),
        "Or type in an IRC client:",
        f"  /connect {irc} 9999",
        "Ctrl-C stops the server.",
    ]


def test_without_a_page_no_browser_is_invited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where browsers get nothing there is no address for them, and no picture of one."""
    start(monkeypatch, "triochat")
    monkeypatch.setattr("triochat.invitation.addresses", lambda _: ["10.0.0.7"])
    tls = make_tls()
    invited = invitation("0.0.0.0", 9999, [ALL_4], tls, has_page=False, screen=LARGE)  # noqa: S104
    assert "http" not in invited
    assert "\x1b" not in invited


LARGE = os.terminal_size((80, 24))


@pytest.mark.parametrize(
    "address", ["https://10.0.0.7:9999", "http://[2001:db8:1:2:3:4:5:6]:65535"]
)
def test_a_picture_of_a_page_is_its_qr_code(address: str) -> None:
    """The half blocks, read module by module, are the code of the address, with a quiet zone."""
    parts = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}
    lines = [line.removeprefix(BLACK_ON_WHITE).removesuffix(AS_BEFORE) for line in picture(address)]
    rows = [[parts[char][half] for char in line] for line in lines for half in (0, 1)]
    code = segno.make(address, micro=False)
    assert [row[4:-4] for row in rows[4 : 4 + len(code.matrix)]] == [[*row] for row in code.matrix]
    assert sum(map(sum, rows)) == sum(map(sum, code.matrix))
    assert {len(row) for row in rows} == {len(code.matrix) + 8}


@pytest.mark.parametrize(
    ("found", "screen", "is_drawn"),
    [
        (["10.0.0.7"], LARGE, True),
        (["10.0.0.7"], os.terminal_size((33, 23)), True),
        (["10.0.0.7"], os.terminal_size((32, 23)), False),
        (["10.0.0.7"], os.terminal_size((33, 22)), False),
        (["10.0.0.7"], os.terminal_size((0, 0)), False),
        (["10.0.0.7"], None, False),
        ([], LARGE, False),
    ],
)
def test_a_picture_is_for_phones_and_must_fit(
    monkeypatch: pytest.MonkeyPatch,
    found: list[str],
    screen: os.terminal_size | None,
    is_drawn: bool,
) -> None:
    """It is drawn where others can come, and only whole; its colours end with each of its lines."""
    start(monkeypatch, "triochat")
    monkeypatch.setattr("triochat.invitation.addresses", lambda _: found)
    lines = invitation("0.0.0.0", 9999, [ALL_4], make_tls(), screen=screen).splitlines()  # noqa: S104
    drawn = [line for line in lines if "\x1b" in line]
    assert drawn == (picture("https://10.0.0.7:9999") if is_drawn else [])
    assert all(line.endswith(AS_BEFORE) for line in drawn)
    assert lines[-1] == "Ctrl-C stops the server."


@pytest.mark.parametrize(
    ("given", "environment", "can_draw"),
    [
        ({}, {"TERM": "xterm"}, True),
        ({"plain": True}, {"TERM": "xterm"}, False),
        ({"no_color": True}, {"TERM": "xterm"}, False),
        ({}, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({}, {"TERM": "dumb"}, False),
        ({}, {}, False),
    ],
)
def test_a_picture_needs_colours(
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, bool],
    environment: dict[str, str],
    can_draw: bool,
) -> None:
    """Without them nobody knows what is dark; and a screen reader has nothing of it."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.get_terminal_size", {1: LARGE}.__getitem__)
    options = Namespace(**{"plain": False, "no_color": False, **given})
    assert screen_of(options) == (LARGE if can_draw else None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_one_machine_no_key_is_needed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """To invite nobody from elsewhere neither reads a certificate nor makes one."""
    start(monkeypatch, "triochat")
    tls = Tls(lambda: pytest.fail("it was loaded"))
    assert "--" not in invitation(host, 9999, [(socket.AF_INET, "127.0.0.1")], tls)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_addresses_can_be_used_from_elsewhere(family: socket.AddressFamily) -> None:
    """They are of the family, and none is a loopback or needs the name of an interface."""
    for address in map(ipaddress.ip_address, addresses(family)):
        assert address.version == (4 if family == socket.AF_INET else 6)
        assert not address.is_loopback
        assert not address.is_unspecified
        assert address.version == 4 or not address.is_link_local


def test_the_program_is_named_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its path, as a module, or by its name alone where a shell finds the same file."""
    script = tmp_path / "a venv" / "triochat"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", os.defpath)
    start(monkeypatch, str(script))
    assert program() == f"'{script}'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "triochat"
    other = tmp_path / "triochat"
    other.write_text("")
    start(monkeypatch, str(other))
    assert program() == str(other)
    start(monkeypatch, "/somewhere/triochat/__main__.py", "python3")
    assert program() == "python3 -m triochat"
    start(monkeypatch, "-c")
    assert program() == "triochat"


def test_who_may_not_ask_for_addresses_invites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell this machine's addresses, as to some services, it has none."""

    def fail() -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr("socket.if_nameindex", fail)
    assert all_addresses() == []
