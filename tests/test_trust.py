import pytest

from triochat.trust import AUTHORITY, Seen, Verdict, is_plain, judge, server_at

A, B, C = (f"SHA256:{letter * 42}A" for letter in "abc")
FAR = server_at("chat.example", 9999)

YES = Verdict(True)
FIRST = Verdict(
    True,
    f"first time at chat.example port 9999; its key is {A}; "
    "compare it with what the server printed",
    A,
)
WRONG = Verdict(False, f"its key is {A}, not {B}; somebody may be in between; nothing was said")


def changed(words: str) -> Verdict:
    """What is said of a server that is another one now."""
    return Verdict(
        False,
        f"its key has changed: it {words}; somebody may be in between; nothing was said; "
        '"triochat forget chat.example 9999" forgets the old',
    )


FROM_PIN = changed(f"was {B}, and is {A}")
FROM_AUTHORITY = changed(f"is {A}, for which no authority vouches any more")


@pytest.mark.parametrize(
    ("given", "pin", "is_vouched", "verdict"),
    [
        # nothing is known of it
        ("", "", False, FIRST),
        ("", "", True, Verdict(True, pin=AUTHORITY)),
        # it is pinned
        ("", A, False, YES),
        ("", A, True, YES),
        ("", B, False, FROM_PIN),
        ("", B, True, FROM_PIN),
        ("", AUTHORITY, True, YES),
        ("", AUTHORITY, False, FROM_AUTHORITY),
        # the person says who it is, and pins it if nothing was
        (A, "", False, Verdict(True, pin=A)),
        (A, "", True, Verdict(True, pin=A)),
        (A, A, False, YES),
        (A, B, False, YES),
        (A, AUTHORITY, False, YES),
        (B, "", False, WRONG),
        (B, "", True, WRONG),
        (B, A, False, WRONG),
        (B, B, False, WRONG),
        (B, AUTHORITY, True, WRONG),
    ],
)
def test_who_is_trusted(given: str, pin: str, is_vouched: bool, verdict: Verdict) -> None:
    """What the person says counts first, then what is remembered, then the authorities."""
    assert judge(FAR, pin, given, Seen(A, is_vouched)) == verdict


@pytest.mark.parametrize(
    ("host", "pin", "given", "insecure", "plain"),
    [
        ("127.0.0.1", "", "", False, True),
        ("127.9.9.9", "", "", False, True),
        ("::1", "", "", False, True),
        ("0:0:0:0:0:0:0:1", "", "", False, True),
        ("LocalHost.", "", "", False, True),
        ("127.0.0.1", A, "", False, False),
        ("127.0.0.1", "", A, False, False),
        ("127.0.0.1", A, "", True, True),
        ("192.168.1.7", "", "", False, False),
        ("0.0.0.0", "", "", False, False),  # noqa: S104  nobody listens there, it is only met
        ("127.1", "", "", False, False),
        ("localhost.example", "", "", False, False),
        ("127.0.0.1.example", "", "", False, False),
        ("", "", "", False, False),
        ("192.168.1.7", AUTHORITY, "", False, False),
        ("192.168.1.7", "", "", True, True),
    ],
)
def test_what_is_spoken(host: str, pin: str, given: str, insecure: bool, plain: bool) -> None:
    """Plain is for this machine, as long as nothing speaks for more, and for who says so."""
    assert is_plain(server_at(host, 9999), pin, given, insecure=insecure) is plain


def test_a_server_has_one_name() -> None:
    """However a host is written, its pin is found again; each port has its own."""
    assert server_at("Chat.Example.", 9999) == FAR != server_at("chat.example", 9998)
    assert server_at("FD00:0::7", 1) == server_at("fd00::7", 1)
