"""A history of as many messages as one likes; some words stand in many of them, most in few.

The file is written by triochat's own module, as a server would write it, but in large batches.
"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from triochat.changes import Changes
from triochat.messages import Said
from triochat.opening import open_archive

WORDS = 5000
"""Others; the third is said a third as often as the first, the fourth a quarter as often."""

SHORT, LONG = "the", "deployed"
"""The most frequent words: they stand in two messages of three, and in two of five."""

RARE = "zanzibar"
"""A word that stands in few messages."""

RARELY = 7
"""In how many."""

NOTHING = "qqqq"
"""A word that stands in none."""

AUTHOR = "Quinn"
"""Who says one message in a hundred."""

GUEST = "Guest"
"""Who said twenty, long ago."""

BATCH = 10_000


def write_history(file: Path, count: int) -> None:
    """Write so many messages into this file, said over the last four weeks."""
    scribe = open_archive(file, time.time(), sync="normal")
    try:
        for batch in messages(count):
            scribe.commit(Changes(said=batch, last=batch[-1].id), time.time())
            while scribe.index():
                pass
    finally:
        scribe.close()


def messages(count: int) -> Iterator[list[Said]]:
    """So many messages, in batches; always the same but for their times."""
    draw = random.Random(count)  # noqa: S311  what people talk about is no secret
    words = [SHORT, LONG, *(_word(draw) for _ in range(WORDS))]
    weights = [*accumulate(1 / place for place in range(1, len(words) + 1))]
    rare = {count * (2 * place + 1) // (2 * RARELY) for place in range(RARELY)}
    handles = [AUTHOR, *(f"member{number:02}" for number in range(99))]
    now, apart = datetime.now(UTC), timedelta(days=28) / count
    for start in range(0, count, BATCH):
        batch = []
        for place in range(start, min(start + BATCH, count)):
            text = draw.choices(words, cum_weights=weights, k=draw.randrange(4, 17))
            text += [RARE] * (place in rare)
            handle = GUEST if count // 50 <= place < count // 50 + 20 else draw.choice(handles)
            at = (now - apart * (count - place)).isoformat(timespec="milliseconds")
            batch.append(Said(place + 1, f"{at[:23]}Z", handle, " ".join(text)))
        yield batch


def _word(draw: random.Random) -> str:
    return "".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(3))
