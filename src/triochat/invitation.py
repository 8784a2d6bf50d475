"""The invitation: how to join what listens here, in commands that can be pasted."""

import os
import shlex
import shutil
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import segno

from triochat.hosts import is_loopback
from triochat.tls import Tls

LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What to listen on all addresses of a family looks like, and the one that is always there."""

QUIET = 4
"""Modules without ink around a QR code, or a camera may not find it."""

BELOW = 6
"""Lines that stand below it: the rest of the invitation, the line being typed, the status."""

HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""Two modules, one above the other, by which of them are dark."""

BLACK_ON_WHITE, AS_BEFORE = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
"""Colours that no theme changes."""


def invitation(
    host: str,
    port: int,
    bound: Sequence[tuple[socket.AddressFamily, str]],
    tls: Tls | None = None,
    *,
    has_page: bool = True,
    screen: os.terminal_size | None = None,
) -> str:
    """What a server says when it listens there: how to join; from elsewhere, first.

    Args:
        host: where it listens, as it was asked for.
        port: where it listens.
        bound: to which addresses, of which families, that led.
        tls: how it encrypts, if it does. Only who comes from elsewhere needs its fingerprint.
        has_page: it serves browsers.
        screen: the size of the terminal where this will stand, if it can show a picture: then
            phones find the page by it.
    """
    everywhere = sorted(end for end in bound if end[1] in LOOPBACKS)  # which puts IPv4 first
    found = [name for family, _ in everywhere for name in addresses(family)]
    found += [LOOPBACKS[address] for _, address in everywhere[:1]] or [host]
    names = [*dict.fromkeys(found)]
    outside = [name for name in names if not is_loopback(name)]
    lines = [f"Listening on {host} port {port}. To join, run either of:"]
    lines += [f"  {how}" for name in names for how in commands(name, port, tls)]
    if has_page:
        pages = [page_at(name, port, is_sealed=bool(tls) and name in outside) for name in names]
        lines += ["Or open in a browser:", *(f"  {page}" for page in pages)]
        if screen and outside and fits(drawn := picture(pages[0]), screen):
            lines += drawn
    how = "-tls " if tls and outside else ""
    lines += ["Or type in an IRC client:", f"  /connect {how}{names[0]} {port}"]
    return "\n".join([*lines, "Ctrl-C stops the server."])


def commands(name: str, port: int, tls: Tls | None) -> Iterator[str]:
    """What to type to join there."""
    how, may_be_plain = "", True
    if not is_loopback(name):
        how = f" --fingerprint {tls.identity.fingerprint}" if tls else " --insecure"
        may_be_plain = not (tls and tls.is_required)
    yield f"{program()} client {name} {port}{how}"
    if may_be_plain:
        yield f"nc {name} {port}"


def page_at(name: str, port: int, *, is_sealed: bool) -> str:
    """What to open in a browser."""
    where = f"[{name}]" if ":" in name else name
    return f"http{'s' * is_sealed}://{where}:{port}"


def picture(text: str) -> list[str]:
    """A QR code, two of its rows in a line: black on white, whatever colours a terminal has."""
    rows = [*segno.make(text, micro=False).matrix_iter(border=QUIET)]
    rows += [(0,) * len(rows)] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    drawn = ["".join(map(HALVES.__getitem__, zip(*pair, strict=True))) for pair in pairs]
    return [f"{BLACK_ON_WHITE}{line}{AS_BEFORE}" for line in drawn]


def fits(drawn: Sequence[str], screen: os.terminal_size) -> bool:
    """Whether a picture can be seen whole on a screen, with what stands below it."""
    width = len(drawn[0].removeprefix(BLACK_ON_WHITE).removesuffix(AS_BEFORE))
    return width <= screen.columns and len(drawn) + BELOW <= screen.lines


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
