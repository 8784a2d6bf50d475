"""The agreement: what all servers of one room must have in common, or they would not agree.

Each applies by itself what all are asked, so each must make the same of it.
"""

import hashlib
from collections.abc import Mapping
from secrets import token_hex

PASSWORD = "password"  # noqa: S105  the name of a term


class Agreement:
    """What this server holds itself to.

    Args:
        terms: by the names of the options, what they are set to.
        password: of the room; empty if it has none.
    """

    def __init__(self, terms: Mapping[str, str], password: str = "") -> None:
        self._terms = {**terms}
        self._password = password

    def terms(self) -> dict[str, str]:
        """What others are held to by this; of the password only a digest."""
        return {**self._terms, PASSWORD: self._digest(token_hex(16))}

    def check(self, theirs: Mapping[str, str]) -> None:
        """Raise `ValueError`, with a sentence, if these are other terms."""
        salt, _, _ = theirs.get(PASSWORD, "").partition(":")
        for name, own in {**self._terms, PASSWORD: self._digest(salt)}.items():
            if theirs.get(name) != own:
                raise ValueError(f"the other servers of this room have another {name}")

    def _digest(self, salt: str) -> str:
        if not self._password:
            return ""
        key = hashlib.scrypt(self._password.encode(), salt=salt.encode(), n=1 << 14, r=8, p=1)
        return f"{salt}:{key.hex()}"
