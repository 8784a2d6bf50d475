import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest

from triochat.invitation import addresses, invitation, program


def start(monkeypatch: pytest.MonkeyPatch, argv: str, typed: str = "python") -> None:
    """Let the program have been started like this."""
    monkeypatch.setattr(sys, "argv", [argv, "server", "9999"])
    monkeypatch.setattr(sys, "orig_argv", [typed, "-m", "triochat", "server", "9999"])


def test_an_invitation_has_two_ways_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the client, and with what is on any machine."""
    start(monkeypatch, "triochat")
    bound = [(socket.AF_INET, "127.0.0.1")]
    assert invitation("127.0.0.1", 9999, bound).splitlines() == [
        "Listening on 127.0.0.1 port 9999. To join, run either of:",
        "  triochat client 127.0.0.1 9999",
        "  nc 127.0.0.1 9999",
        "Ctrl-C stops the server.",
    ]


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
    lines = invitation("*", 9999, bound).splitlines()[1:-1]
    assert lines[::2] == [f"  triochat client {name} 9999" for name in expected]
    assert lines[1::2] == [f"  nc {name} 9999" for name in expected]


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
