"""The invitation: how to join what listens here, in commands that can be pasted."""

import shlex
import shutil
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from triochat.hosts import is_loopback
from triochat.tls import Tls

LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What to listen on all addresses of a family looks like, and the one that is always there."""


def invitation(
    host: str,
    port: int,
    bound: Sequence[tuple[socket.AddressFamily, str]],
    tls: Tls | None = None,
) -> str:
    """What a server says when it listens there: how to join; from elsewhere, first.

    Args:
        host: where it listens, as it was asked for.
        port: where it listens.
        bound: to which addresses, of which families, that led.
        tls: how it encrypts, if it does. Only who comes from elsewhere needs its fingerprint.
    """
    everywhere = sorted(end for end in bound if end[1] in LOOPBACKS)  # which puts IPv4 first
    names = [name for family, _ in everywhere for name in addresses(family)]
    names += [LOOPBACKS[address] for _, address in everywhere[:1]] or [host]
    lines = [f"Listening on {host} port {port}. To join, run either of:"]
    for name in dict.fromkeys(names):
        how, may_be_plain = "", True
        if not is_loopback(name):
            how = f" --fingerprint {tls.identity.fingerprint}" if tls else " --insecure"
            may_be_plain = not (tls and tls.is_required)
        lines.append(f"  {program()} client {name} {port}{how}")
        if may_be_plain:
            lines.append(f"  nc {name} {port}")
    return "\n".join([*lines, "Ctrl-C stops the server."])


def program() -> str:
    """How this program was started, for a shell."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return f"{shlex.quote(sys.orig_argv[0])} -m triochat"
    with suppress(OSError):
        found = shutil.which("triochat")
        if not (found and script.samefile(found)):
            return shlex.quote(sys.argv[0])
    return "triochat"


def all_addresses() -> list[str]:
    """This machine's addresses of both families, as `addresses` finds them."""
    return [*addresses(socket.AF_INET), *addresses(socket.AF_INET6)]


def addresses(family: socket.AddressFamily) -> Iterator[str]:
    """This machine's addresses of a family under which others may reach it, of each interface one.

    To connect a datagram socket sends nothing, but tells from which address it would be sent; and
    to a group, it needs no route, so that this works in a network without a way out, too.
    """
    try:
        interfaces = socket.if_nameindex()
    except OSError:  # as in a service that may not ask
        return
    for index, _ in interfaces:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                probe.connect(("ff0e::1", 9))
            else:
                request = struct.pack("@4s4si", b"", b"", index)
                probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
                probe.connect(("224.0.0.1", 9))
            address = str(probe.getsockname()[0])
            if not address.startswith(("0.", "127.", "fe80:")):  # the last needs a scope
                yield address
