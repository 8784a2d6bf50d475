"""A bot that answers: ``python examples/echo_bot.py HOST PORT``.

It repeats what is whispered to it, and greets whoever comes in. It leaves at Ctrl-C.
"""

import sys

import trio

from triochat import Client, open_client
from triochat.messages import Joined, Whispered


async def answer(bot: Client) -> None:
    """Answer until the server closes."""
    async for event in bot:
        match event:
            case Joined(handle=handle):
                await bot.say(f"hello {handle}! whisper to me and I repeat it: text > {bot.handle}")
            case Whispered(handle=handle, text=text) if handle != bot.handle:
                await bot.whisper(handle, f"you said: {text}")


async def main(host: str, port: int) -> None:
    """Join and answer."""
    async with open_client(host, port, "echo") as bot:
        await answer(bot)


if __name__ == "__main__":
    try:
        trio.run(main, sys.argv[1], int(sys.argv[2]))
    except* KeyboardInterrupt:
        print("bye")
