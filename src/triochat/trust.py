"""Whom a client trusts: what it speaks is decided before it connects, and never by what answers.

A **pin** is what is remembered of a server: its certificate's fingerprint, or that the system's
authorities have vouched for it. Only the person forgets one.
"""

from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple

from triochat.hosts import is_loopback

AUTHORITY = "authority"
"""The pin of a server for which the authorities vouch: they may do so for another certificate."""

BETWEEN = "somebody may be in between; nothing was said"
"""Why what answers is not trusted."""


class Server(NamedTuple):
    """Where a server is, in the one way in which it is remembered."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine: nobody else sees what is said to it."""
        return is_loopback(self.host)


def server_at(host: str, port: int) -> Server:
    """The server there, however its host is written."""
    name = host.lower().rstrip(".")
    with suppress(ValueError):  # a name is no address
        name = str(ip_address(name))
    return Server(name, port)


class Seen(NamedTuple):
    """Who has answered.

    Attributes:
        fingerprint: of the certificate.
        is_vouched: whether the system's authorities vouch for it, under the name of this host.
    """

    fingerprint: str
    is_vouched: bool = False


class Verdict(NamedTuple):
    """What is to be done.

    Attributes:
        is_trusted: whether anything may be said.
        words: what the person is to be told; empty if nothing.
        pin: what is to be remembered; empty if nothing.
    """

    is_trusted: bool
    words: str = ""
    pin: str = ""


def is_plain(server: Server, pin: str, given: str, *, insecure: bool) -> bool:
    """Whether no encryption is spoken: on this machine, or because the person said so."""
    return insecure or (server.is_here and not pin and not given)


def judge(server: Server, pin: str, given: str, seen: Seen) -> Verdict:
    """Whether this is the server that is meant.

    Args:
        server: where it answered.
        pin: what is remembered of it; empty if nothing.
        given: the fingerprint that the person says it has; empty if none was said.
        seen: who answered.
    """
    key = seen.fingerprint
    if given:
        if key != given:
            return Verdict(False, f"its key is {key}, not {given}; {BETWEEN}")
        return Verdict(True, pin="" if pin else key)
    if not pin and seen.is_vouched:
        return Verdict(True, pin=AUTHORITY)
    if not pin:
        compare = "compare it with what the server printed"
        return Verdict(True, f"first time at {server}; its key is {key}; {compare}", key)
    if (pin == AUTHORITY and seen.is_vouched) or pin == key:
        return Verdict(True)
    was = f"was {pin}, and is {key}"
    if pin == AUTHORITY:
        was = f"is {key}, for which no authority vouches any more"
    forget = f"triochat forget {server.host} {server.port}"
    return Verdict(False, f'its key has changed: it {was}; {BETWEEN}; "{forget}" forgets the old')
