from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text
from triochat.durations import spell
from triochat.sanctions import (
    MOST,
    Rulings,
    Sanction,
    Sanctions,
    as_network,
    dump,
    key_of,
    lines,
    load,
)

NOW = 1767323045.5


def table(*sanctions: Sanction) -> Sanctions:
    """A table with these in it, as if they had come at the beginning of time."""
    made = Sanctions()
    for one in sanctions:
        made.add(one, 0.0)
    return made


@pytest.mark.parametrize(
    ("handle", "host", "found"),
    [
        ("ANN", "", True),
        ("\uff21nn", "10.9.9.9/32", True),
        ("Bob", "10.0.0.7/32", True),
        ("Bob", "10.0.0.8/32", False),
        ("Bob", "192.168.1.200/32", True),
        ("Bob", "192.168.2.1/32", False),
        ("Bob", "2001:db8::/64", True),
        ("Bob", "2001:db9::/64", False),
        ("Bob", "", False),
    ],
)
def test_whom_a_sanction_holds(handle: str, host: str, found: bool) -> None:
    """It holds a handle however it is spelt, a host with it, and any network of either kind."""
    held = table(
        Sanction("Ann", "10.0.0.7/32"),
        Sanction("192.168.1.0/24", "192.168.1.0/24"),
        Sanction("2001:db8::/32", "2001:db8::/32"),
    )
    assert (held.find(handle, host, NOW) is not None) == found


def test_many_networks_are_not_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each network is read once, however many are looked for, and among however many."""
    held = table(*(Sanction(f"11.0.{n}.0/24", f"11.0.{n}.0/24") for n in range(200)))
    hosts = [f"11.1.0.{n}/32" for n in range(200)]
    read: list[str] = []

    def note(host: str) -> object:
        read.append(host)
        return ip_network(host)

    monkeypatch.setattr("triochat.sanctions.ip_network", note)
    for host in hosts * 3:
        assert held.find("Ann", host, NOW) is None
    assert read == hosts


def test_a_sanction_ends() -> None:
    """What is over holds nobody, though another one of the same host may."""
    held = table(Sanction("Ann", "10.0.0.7/32", NOW), Sanction("Bob", "10.0.0.7/32", NOW + 1))
    assert held.find("Ann", "10.0.0.7/32", NOW - 1) == Sanction("Ann", "10.0.0.7/32", NOW)
    assert held.find("Ann", "10.0.0.7/32", NOW) == Sanction("Bob", "10.0.0.7/32", NOW + 1)
    assert held.find("Ann", "10.0.0.7/32", NOW + 1) is None
    assert [one.name for one in held.current(NOW)] == ["Bob"]
    assert not held.has("ann", NOW)
    held.add(Sanction("Cid"), NOW)
    assert [*held] == ["bob", "cid"]


def test_one_sanction_takes_the_place_of_another() -> None:
    """There is one for each person and each network; to lift one leaves the others of its host."""
    held = table(Sanction("Ann", "10.0.0.7/32"), Sanction("aNN"), Sanction("Bob", "10.0.0.7/32"))
    assert len(held) == 2
    assert held.lift("ANN") == Sanction("aNN")
    assert held.lift("ANN") is None
    assert held.find("Zoe", "10.0.0.7/32", NOW) == Sanction("Bob", "10.0.0.7/32")


@pytest.mark.parametrize(
    ("typed", "network"),
    [
        ("10.0.0.7", "10.0.0.7/32"),
        ("10.0.0.7/24", "10.0.0.0/24"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::7/128", "2001:db8::/64"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/64"),
        *((text, "") for text in ("Ann", "10", "10.0.0", "10.0.0.7/33", "1/2", "", " ", "::1::")),
    ],
)
def test_what_is_an_address(typed: str, network: str) -> None:
    """An address is a host, with a prefix a network; of IPv6 the /64 at least."""
    assert as_network(typed) == network


@given(any_text)
def test_any_name_has_a_key(name: str) -> None:
    """Whatever is typed for a name is a person or a network, and the same one the next time."""
    assert key_of(name) == key_of(name)
    assert as_network(as_network(name)) == as_network(name)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (1, "1 second"),
        (59.5, "60 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (600, "10 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86_400, "1 day"),
        (172_801, "3 days"),
    ],
)
def test_how_long(seconds: float, words: str) -> None:
    """Times are told in the largest unit of which there are two, or just one, and never short."""
    assert spell(seconds) == words


def test_a_list() -> None:
    """Each has a line: who, how much longer, and the beginning of the reason."""
    rulings = Rulings()
    rulings.bans = table(
        Sanction("Ann", "10.0.0.7/32", NOW + 540, "x" * 100),
        Sanction("10.0.0.8/32", "10.0.0.8/32"),
        Sanction("Old", "", NOW),
    )
    rulings.mutes = table(Sanction("Bob"))
    assert [*lines(rulings, NOW)] == [
        f"banned: Ann and 10.0.0.7 for another 9 minutes: {'x' * 59}…",
        "banned: 10.0.0.8",
        "muted: Bob",
    ]


# ---- over a restart

handles = st.text("abcXYZ_", min_size=1, max_size=10)
hosts = st.sampled_from(["", "10.0.0.7/32", "10.0.0.0/8", "2001:db8::/64"])
texts = st.text("why not? \u00e9", max_size=20).map(str.strip)
sanctions = st.builds(Sanction, handles, hosts, st.just(0) | st.floats(NOW + 1, 1e11), texts)


@given(st.lists(sanctions), st.lists(sanctions), st.booleans(), texts)
def test_what_is_kept_is_what_was(
    bans: list[Sanction], mutes: list[Sanction], is_quiet: bool, topic: str
) -> None:
    """After a restart all is as before, but for what is over meanwhile."""
    rulings = Rulings()
    rulings.bans, rulings.mutes = table(*bans), table(*mutes)
    rulings.is_quiet, rulings.topic = is_quiet, topic
    rulings.bans.add(Sanction("Over", "", NOW), 0.0)
    again = load(dump(rulings, NOW))
    assert [*again.bans.values()] == rulings.bans.current(NOW)
    assert (again.mutes, again.is_quiet, again.topic) == (rulings.mutes, is_quiet, topic)
    assert [*lines(again, NOW)] == [*lines(rulings, NOW)]


prefixes = st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.7/32", "0.0.0.0/0"])
networks = st.builds(
    lambda network, until: Sanction(network, network, until),
    prefixes,
    st.sampled_from([0.0, NOW - 1, NOW + 1]),
)


@given(st.lists(networks))
def test_after_a_restart_the_same_holds(bans: list[Sanction]) -> None:
    """Of several that hold a host it is the same one, whatever is over: the narrowest."""
    rulings = Rulings()
    for ban in bans:
        rulings.bans.add(ban, 0.0)
    again = load(dump(rulings, NOW))
    found = rulings.bans.find("Ann", "10.0.0.7/32", NOW)
    assert again.bans.find("Ann", "10.0.0.7/32", NOW) == found
    holding = [ip_network(one.host).prefixlen for one in rulings.bans.current(NOW)]
    assert (ip_network(found.host).prefixlen if found else None) == max(holding, default=None)


KEPT = '{"triochat":1,"quiet":false,"topic":"","bans":[%s],"mutes":[]}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"hello",
        b"[" * 100_000,
        b'{"triochat":2,"quiet":false,"topic":"","bans":[],"mutes":[]}',
        (KEPT % '{"name":"Ann","host":"nowhere"}').encode(),
        (KEPT % '{"name":"Ann","until":-1}').encode(),
        (KEPT % '{"name":""}').encode(),
        (KEPT % '{"host":"10.0.0.1/32"}').encode(),
        (KEPT % ('{"name":"Ann","why":"%s"}' % ("x" * 501))).encode(),
        (KEPT % ",".join(['{"name":"Ann"}'] * (MOST + 1))).encode(),
    ],
)
def test_what_was_not_kept_here(text: bytes) -> None:
    """Anything else is told apart, and raises nothing but `ValueError`."""
    with pytest.raises(ValueError, match="not what was kept"):
        load(text)


@given(st.binary(max_size=200))
def test_any_file(text: bytes) -> None:
    """Whatever stands in a file, it is understood or told apart."""
    with suppress(ValueError):
        load(text)
