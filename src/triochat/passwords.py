"""The password of a room: what is one, and whether one that was given is it. Pure."""

import hmac
import unicodedata
from secrets import token_bytes

PASSWORD_LENGTH = 256
"""The most characters in a password."""

EXPOSED = "this connection is not encrypted: the password can be read on its way"
"""What is told before a password crosses a network that anybody may listen to."""


class Password:
    """What a room keeps of its password: a digest, with which one that was given is compared.

    It takes as long to compare whatever the two have in common, also in their length. Two are the
    same if they are so by the OpaqueString profile of RFC 8265: in NFC, where a space of any width
    is a space. Case counts.
    """

    __slots__ = ("_digest", "_key")

    def __init__(self, password: str) -> None:
        self._key = token_bytes(32)
        self._digest = self._digest_of(password)

    def is_same(self, given: str) -> bool:
        """Whether this is it."""
        return hmac.compare_digest(self._digest, self._digest_of(given))

    def _digest_of(self, password: str) -> bytes:
        spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
        normal = unicodedata.normalize("NFC", spaced)
        return hmac.digest(self._key, normal.encode(errors="surrogatepass"), "sha256")
