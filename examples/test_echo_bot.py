"""A test of one's own bot, over memory streams: no socket, no port, no waiting.

Run it with ``python -m pytest examples`` (needs pytest-trio).
"""

import trio
from echo_bot import answer

from triochat import join
from triochat.messages import Said, Whispered
from triochat.testing import open_memory_room


async def test_the_bot_greets_and_repeats() -> None:
    """Who comes in is greeted; a whisper comes back."""
    async with (
        open_memory_room() as room,
        join(await room.connect(), "echo") as bot,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(answer, bot)
        async with join(await room.connect(), "Ann") as ann:
            greeting = await ann.receive()
            assert isinstance(greeting, Said)
            assert greeting.text.startswith("hello Ann!")
            await ann.whisper("echo", "marco")
            assert isinstance(await ann.receive(), Whispered)  # the receipt
            answered = await ann.receive()
            assert isinstance(answered, Whispered)
            assert (answered.handle, answered.text) == ("echo", "you said: marco")
        nursery.cancel_scope.cancel()
