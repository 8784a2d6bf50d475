"""Fingerprints: what a certificate is known by, and how that is written."""

import re
from base64 import b64decode, b64encode
from hashlib import sha256

_BASE64 = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?", re.ASCII)
_HEX = re.compile(r"(?:SHA256:)?([0-9a-f]{2}(?::?[0-9a-f]{2}){31})", re.ASCII | re.IGNORECASE)


def fingerprint(der: bytes) -> str:
    """The fingerprint of a certificate, of which these are the bytes (DER)."""
    return _write(sha256(der).digest())


def parse_fingerprint(text: str) -> str:
    """A fingerprint as `fingerprint` writes it; as hex, with or without colons, it is taken too.

    Raises:
        ValueError: it is none; with a sentence for a person.
    """
    text = text.strip()
    if found := _HEX.fullmatch(text):
        return _write(bytes.fromhex(found[1].replace(":", "")))
    if found := _BASE64.fullmatch(text):
        written = _write(b64decode(f"{found[1]}="))
        if written == f"SHA256:{found[1]}":  # else its last character has bits too many
            return written
    raise ValueError(
        f'"{text}" is not a fingerprint; one is SHA256: and 43 characters, or 64 digits of hex'
    )


def _write(digest: bytes) -> str:
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"
