"""The password of a room: what it is compared with, and what somebody says. Pure."""

import hmac
import unicodedata
from secrets import token_bytes

PASSWORD_LENGTH = 256
"""The most characters in a password."""

OVERHEARD = "this connection is not encrypted: the password can be read on its way"
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
        """Whether this is it. What is too long is not looked at: to normalise it may take long."""
        return len(given) <= PASSWORD_LENGTH and hmac.compare_digest(
            self._digest, self._digest_of(given)
        )

    def _digest_of(self, password: str) -> bytes:
        spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
        normal = unicodedata.normalize("NFC", spaced)
        return hmac.digest(self._key, normal.encode(errors="surrogatepass"), "sha256")


class Secret:
    """The password as a person knows it who joins a room, over however many connections.

    Args:
        password: the one to be said first; empty if none is known.
        warning: what the person is to be told before it is asked for one; empty if nothing.

    Attributes:
        password: what is said when joining: once it was right it stays.
        warning: as given.
    """

    def __init__(self, password: str = "", warning: str = "") -> None:
        self.password = password
        self.warning = warning

    def take(self, typed: str) -> bool:
        """Say this from now on; False if it is too long to be one."""
        if len(typed) > PASSWORD_LENGTH:
            return False
        self.password = typed.encode(errors="replace").decode()  # half a character cannot be said
        return True
