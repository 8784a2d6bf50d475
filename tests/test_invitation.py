import errno
import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest

from tls import identity, make_tls
from triochat.invitation import addresses, all_addresses, invitation, program
from triochat.tls import Tls


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
    assert lines.splitlines()[1:-1] == [
        f"  triochat client 10.0.0.7 9999 --fingerprint {known}",
        *([] if is_required else ["  nc 10.0.0.7 9999"]),
        "  triochat client 127.0.0.1 9999",
        "  nc 127.0.0.1 9999",
    ]


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
