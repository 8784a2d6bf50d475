"""The agreement: what all servers of one room must have in common, or they would not agree.

Each applies by itself what all are asked, so each must make the same of it.
"""

import hashlib
from collections.abc import Mapping
from secrets import token_hex

PASSWORD, RULES = "password", "rules"

ANEW = "stop all others first"

SO = f"start this server the same way, or share another --name, or {ANEW}"


class Agreement:
    """What this server holds itself to.

    Args:
        terms: by the names of the options, what they are set to: nothing, if that is all that can
            be said of one; those that are not set are not there.
        password: of the room; empty if it has none.
        rules: which code decides, see `release`.
    """

    def __init__(self, terms: Mapping[str, str], password: str = "", rules: str = "") -> None:
        self._terms = {**terms}
        self._password = password
        self._rules = rules

    def terms(self) -> dict[str, str]:
        """What others are held to by this; of the password only a digest."""
        return {**self._terms, RULES: self._rules, PASSWORD: self._digest(token_hex(16))}

    def check(self, theirs: Mapping[str, str]) -> None:
        """Raise `ValueError`, with a sentence, if these are other terms."""
        if (rules := theirs.get(RULES)) != self._rules:  # the names of options may have changed
            raise ValueError(
                f"the servers of this room run another release (rules {rules}, not {self._rules});"
                f" run the same triochat, and the same Python, on all, or {ANEW}"
            )
        digest = theirs.get(PASSWORD, "")
        if digest != self._digest(digest.partition(":")[0]):
            which = "another password" if self._password else "a password"
            raise ValueError(f"this room has {which if digest else 'no password'}; {SO}")
        others = []
        for name in sorted({*self._terms, *theirs} - {RULES, PASSWORD}):
            their, own = theirs.get(name), self._terms.get(name)
            if their != own:
                has = f"no {name}" if their is None else f"{name} {their}".rstrip()
                others.append(has + (f", not {own}" if their and own else ""))
        if others:
            raise ValueError(f"this room has {', '.join(others)}; {SO}")

    def _digest(self, salt: str) -> str:
        if not self._password:
            return ""
        key = hashlib.scrypt(self._password.encode(), salt=salt.encode(), n=1 << 14, r=8, p=1)
        return f"{salt}:{key.hex()}"
