"""Hosts: which peers come from one place, and which of them from this machine. Pure."""

from ipaddress import ip_address, ip_network


def host_of(address: str) -> str:
    """The host with this address, as a network: who has one address of IPv6 has all of its /64.

    Raises:
        ValueError: this is no address.
    """
    found = ip_address(address.partition("%")[0])
    return str(ip_network((found, 64 if found.version == 6 else 32), strict=False))


def network_of(text: str) -> str:
    """The network that this names: an address, or one with the length of a prefix.

    Of IPv6 it is the subscriber's at least, as `host_of` tells it.

    Raises:
        ValueError: it names none.
    """
    if "/" not in text:
        return host_of(text)
    found = ip_network(text, strict=False)
    return str(found.supernet(new_prefix=64) if found.prefixlen > 64 else found)


def is_local(host: str) -> bool:
    """Whether this host, as `host_of` tells it, is this machine."""
    return host == host_of("::1") or (bool(host) and ip_network(host).is_loopback)


def is_loopback(host: str) -> bool:
    """Whether this host, a name or an address, is this machine, and no network is in between."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
