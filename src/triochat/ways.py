"""Ways into a chat, and out of it: as whom somebody comes, and why it is over."""

from enum import Enum, auto


class Role(Enum):
    """As whom somebody comes to a chat.

    Who returns was here a moment ago: no line is taken until the room has taken the handle again,
    and nothing but a password is asked if it does not. The operator quits without leaving.
    """

    NEWCOMER = auto()  # is told how to learn more
    REGULAR = auto()
    RETURNING = auto()
    OPERATOR = auto()


class Why(Enum):
    """Why a chat is over."""

    QUIT = auto()
    INTERRUPTED = auto()
    END_OF_INPUT = auto()
    CLOSED = auto()
    RESTARTING = auto()  # the server, which may be back soon
    DISCONNECTED = auto()  # and may come back
    EXPIRED = auto()  # the server has not waited for the handle; now there is one
    REFUSED = auto()
    DENIED = auto()  # no password was right
    LOST = auto()

    @property
    def may_pass(self) -> bool:
        """Whether it may be another way soon: a person tries to come back, unasked."""
        return self in (Why.LOST, Why.REFUSED, Why.RESTARTING)
