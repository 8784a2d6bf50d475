from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triochat.fingerprints import fingerprint, parse_fingerprint

EMPTY = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"  # of no bytes at all


def test_a_fingerprint_is_written_as_ssh_writes_one() -> None:
    """`SHA256:` and the hash in base64, without padding."""
    assert fingerprint(b"") == EMPTY


@given(st.binary())
def test_every_way_to_write_one_means_the_same(der: bytes) -> None:
    """As it is shown, padded, and as hex with or without colons, in any case."""
    digest, written = sha256(der).digest(), fingerprint(der)
    texts = [written, f"{written}=", f" {written}\n", digest.hex(), digest.hex(":").upper()]
    assert {parse_fingerprint(text) for text in [*texts, f"SHA256:{digest.hex()}"]} == {written}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SHA256:",
        EMPTY.removeprefix("SHA256:"),
        EMPTY[:-1],
        f"{EMPTY}A",
        f"{EMPTY[:-1]}V",  # the last character has two bits that belong to nothing
        EMPTY.replace("SHA256", "MD5"),
        "ab" * 31,
        "ab" * 33,
        "xy" * 32,
        "\N{ARABIC-INDIC DIGIT ONE}1" * 32,
    ],
)
def test_what_is_no_fingerprint_is_told_so(text: str) -> None:
    """One that is cut, too long, or of another kind is never taken for one."""
    with pytest.raises(ValueError, match="is not a fingerprint; one is SHA256:"):
        parse_fingerprint(text)
