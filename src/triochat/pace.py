"""Pace: when to tell what has gathered. Pure: a pass is a number, times are seconds.

Who speaks alone is heard at once, in its own task: to wake another one would cost a third of what a
message in a quiet room costs. Where several speak in one pass of trio's scheduler they share a
batch, and the feed's task tells it: the cost of a delivery falls as the load rises. In a large room
a batch is as dear for one event as for a hundred, so the next one may grow for as long as the last
one took; and who comes and goes can wait for the next message, or a moment.
"""

BATCH = 400
"""Events that are told together at most; who has more to say waits for the next batch. So many of
the longest messages are less than an outbox may hold."""

BLOB = 1 << 16
"""Bytes that a batch tells everybody, if messages are as long as in the one before. A socket takes
as much at once; the rest would go through the queues, and cost twice as much."""

BREATH = 0.002
"""Seconds; a batch that took longer is worth that the next one grows."""

CROWD = 100
"""In a room of more members than this who comes and goes can wait."""

MOMENT = 0.1
"""Seconds for which they can."""


class Pace:
    """Decides, from what was told last, when and how much to tell next.

    Attributes:
        capacity: events that this batch may have.
        breath: seconds for which this batch may grow.
        voices: how often sessions have spoken since the feed's task began a batch.
    """

    def __init__(self) -> None:
        self.capacity = BATCH
        self.breath = 0.0
        self._told_in = -1  # the pass in which a session told what it had to say last
        self.voices = 0
        self._is_quiet = True  # it was at most one

    def may_tell(self, this_pass: int) -> bool:
        """Whether a session that has just said all it had to say may tell it by itself.

        Only the first in a pass, in a room where one spoke alone. Else the feed's task tells it,
        for all who speak in this pass.
        """
        if self._is_quiet and not self.breath and self._told_in != this_pass:
            self._told_in, self.voices = this_pass, 1
            return True
        self.voices += 1
        return False

    def begin(self) -> None:
        """The feed's task begins to tell a batch."""
        self._is_quiet, self.voices = self.voices <= 1, 0

    def end(self, size: int, seconds: float) -> None:
        """A batch was told.

        Args:
            size: bytes of an event for all, on average; 0 if there was none.
            seconds: that it took.
        """
        if size:
            self.capacity = min(BATCH, 1 + BLOB // size)
        self.breath = seconds if seconds >= BREATH else 0.0
