"""A stranger: how long a peer may take that has not joined, and how often it is asked again. Pure.

A program says what it wants at once, a person has to think. So a program has less time, from its
first byte on, and so has a handshake of TLS; whoever has said a whole line that did not let it in
is asked again, and has a person's time from then on: behind a program there may be one. Nothing
else gives more time, however slowly it comes. Times are in seconds, of any clock.
"""

import math

GREETING_DELAY = 0.5
"""Seconds of silence after which a peer is taken for a person and greeted."""

PROGRAM = 20.0
"""Seconds in which a handshake must be done, and most programs have joined."""

PERSON = 60.0
"""Seconds in which a person must have joined, or answered when asked again."""

GUESSING = 120.0
"""Seconds in all where there is a password, however often one is asked again."""

LATE = "not joined within {:.0f} seconds"
"""What it is told whose time is over, with how many seconds that was."""

TRIES = 8
"""Lines that may fail to let it in; then it is closed."""


class Stranger:
    """A peer that has not joined.

    Args:
        now: when it came.
        may_guess: there is a password.

    Attributes:
        delay: seconds of silence after which it is greeted.
        tries: how many lines did not let it in.
    """

    __slots__ = (
        "_asked",
        "_began",
        "_came",
        "_has_spoken",
        "_hurry",
        "_patience",
        "_silent",
        "delay",
        "tries",
    )

    def __init__(self, now: float, *, may_guess: bool = False) -> None:
        self.delay = GREETING_DELAY
        self.tries = 0
        self._silent = now  # since then it could have said who it is; infinite: has, or was asked
        self._asked = now
        self._began = math.inf  # as a program
        self._hurry = PROGRAM
        self._came = now
        self._has_spoken = False
        self._patience = GUESSING if may_guess else math.inf

    @property
    def greeting(self) -> float:
        """When it is to be greeted, unless it speaks before; never, if infinite."""
        return self._silent + self.delay

    @property
    def deadline(self) -> tuple[float, float]:
        """When its time is over, and how many seconds that was."""
        return min(
            (self._asked + PERSON, PERSON),
            (self._began + self._hurry, self._hurry),
            (self._came + self._patience, self._patience),
        )

    def hear(self, now: float, *, is_person: bool, hurry: float = PROGRAM) -> None:
        """It has said something; whether it may be a person, as far as that tells.

        If not, it has so many seconds to join, from when that was first known.
        """
        self._hurry = hurry
        if is_person and self._began < math.inf:  # what has begun was a handshake, and it is done
            self._began = math.inf
            self._silent = math.inf if self._has_spoken else now
        elif not is_person:
            self._silent = math.inf
            if not self.tries:
                self._began = min(self._began, now)

    def speak(self) -> None:
        """It has said something that is not sealed, and need not be asked to."""
        self._has_spoken = True
        self._silent = math.inf

    def greet(self) -> None:
        """It is greeted, once."""
        self._silent = math.inf

    def wait(self, seconds: float) -> None:
        """It could say nothing for so long, and not through its own fault."""
        self._asked += seconds
        self._began += seconds
        self._came += seconds

    def fail(self, now: float) -> None:
        """It has said a line that did not let it in, and is asked again."""
        self.tries += 1
        self._asked = now
        self._began = self._silent = math.inf
