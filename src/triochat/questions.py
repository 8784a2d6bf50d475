"""The questions that a person is asked on the way in: for a handle, and for a password. Pure.

The handle comes first, unless one was given; the password only where the room asks for it. What
the room does not take is asked for again.
"""

from triochat.grammar import Local, introduce
from triochat.messages import Answer, Join, Quit, Refused, Request
from triochat.passwords import PASSWORD_LENGTH, Secret
from triochat.text import clean

ASK_HANDLE = "Your handle? "
"""What stands before the line while the person has no handle."""

ASK_PASSWORD = "Password? "  # noqa: S105
"""What stands before a line that nobody is to see."""

TRIES = 3
"""How often a person is asked for a password."""

_TOO_LONG = Refused("password-wrong", f"a password has at most {PASSWORD_LENGTH} characters")


class Questions:
    """What one person is asked, over one connection.

    Args:
        handle: to join with; empty to ask for one first.
        offer: the handle that is offered to who is asked for one.

    Attributes:
        handle: to join with; empty while it is asked for.
        secret: the password, as far as it is known.
        now: the question that stands there now; empty if none does.
        tries: how often the password was asked for.
    """

    def __init__(self, handle: str = "", offer: str = "") -> None:
        self.handle = handle
        self.secret = Secret()
        self.now = "" if handle else ASK_HANDLE
        self.tries = 0
        self._offer = offer

    @property
    def is_secret(self) -> bool:
        """Whether nobody is to see the answer."""
        return self.now == ASK_PASSWORD

    @property
    def offer(self) -> str:
        """The answer that Enter alone gives."""
        return self._offer if self.now == ASK_HANDLE else ""

    def read(self, line: str) -> Request | Answer | Local | None:
        """What this answer asks for: to join, if it can be one."""
        if self.is_secret:
            return Join(self.handle) if self.secret.take(line) else _TOO_LONG
        return introduce(clean(line))

    def ask_handle(self) -> None:
        """Ask for another handle than the one that was not taken."""
        self._offer = "" if self._offer == self.handle else self._offer
        self.handle, self.now = "", ASK_HANDLE

    def ask_password(self) -> None:
        """Ask for the password, or for another one."""
        self.now = ASK_PASSWORD
        self.tries += 1

    def withdraw(self) -> bool:
        r"""Say the password no more, which was wrong; whether it was a ``\quit``."""
        said, self.secret.password = self.secret.password, ""
        return isinstance(introduce(said), Quit)
