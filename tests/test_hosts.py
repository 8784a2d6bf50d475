"""Which peers come from one place."""

import pytest

from triochat.hosts import host_of, is_local, network_of


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("10.0.0.5", "10.0.0.5/32"),
        ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ("fd00::1:2", "fd00::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1/128"),
    ],
)
def test_the_host_with_an_address(address: str, host: str) -> None:
    """Of IPv4 it is the address, however it is written; of IPv6 the subscriber's network."""
    assert host_of(address) == network_of(address) == host


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.5/24", "10.0.0.0/24"),
        ("::ffff:10.0.0.0/120", "10.0.0.0/24"),
        ("fd00::1/128", "fd00::/64"),
        ("fd00::/48", "fd00::/48"),
        ("::1/128", "::1/128"),
    ],
)
def test_the_network_that_is_named(text: str, network: str) -> None:
    """It is as large as it is said, but of IPv6 a subscriber's at least."""
    assert network_of(text) == network


def test_this_machine() -> None:
    """Only what never leaves it is this machine."""
    assert all(map(is_local, map(host_of, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"))))
    assert not any(map(is_local, ["", *map(host_of, ("10.0.0.1", "::2", "fe80::1"))]))


@pytest.mark.parametrize("text", ["", "Ann", "10.0.0", "10.0.0.5/33", "a/b", "/"])
def test_what_is_none(text: str) -> None:
    """What names no network is no network."""
    with pytest.raises(ValueError, match=r"."):
        network_of(text)
