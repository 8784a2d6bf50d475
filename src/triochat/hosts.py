"""Hosts: which peers come from one place, and which of them from this machine. Pure."""

from ipaddress import ip_address, ip_network

SUBSCRIBER = 64
"""Bits of an address of IPv6 that are a subscriber's; who has the rest is the same."""

MAPPED = 96
"""Bits before an address of IPv4 that is written as one of IPv6."""


def host_of(address: str) -> str:
    """The host with this address, as a network: who has one address of IPv6 has all of its /64.

    Raises:
        ValueError: this is no address.
    """
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    is_shared = found.version == 6 and not found.is_loopback
    return str(ip_network((found, SUBSCRIBER) if is_shared else found, strict=False))


def network_of(text: str) -> str:
    """The network that this names: an address, or one with the length of a prefix.

    Of IPv6 it is the subscriber's at least, as `host_of` tells it.

    Raises:
        ValueError: it names none.
    """
    if "/" not in text:
        return host_of(text)
    found = ip_network(text, strict=False)
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped and found.prefixlen >= MAPPED:
        return str(ip_network(f"{mapped}/{found.prefixlen - MAPPED}"))
    is_shared = found.prefixlen > SUBSCRIBER and not found.is_loopback
    return str(found.supernet(new_prefix=SUBSCRIBER) if is_shared else found)


def is_local(host: str) -> bool:
    """Whether this host, as `host_of` tells it, is this machine."""
    return bool(host) and ip_network(host).is_loopback


def is_loopback(host: str) -> bool:
    """Whether this host, a name or an address, is this machine, and no network is in between."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
