r"""What Tab makes of a line: commands, their words, and handles. Pure.

At the start of a line ``A`` becomes ``Ann: ``, elsewhere ``Ann``; ``@A`` becomes ``@Ann``.
"""

import re
from collections.abc import Iterable

from triochat.grammar import COMMANDS
from triochat.text import could_be_handle

_COMMAND = re.compile(r"([\\/])(?!\1)(\S*)(?:(\s+(?:\S+\s+)*)(\S*))?")
_LAST = re.compile(r"\s@?|^@")  # what stands before the last word

_LIKE = {"WHY": "TEXT", "NAME|ADDRESS": "NAME", "ID...|NAME": "NAME"}


def complete(before: str, handles: Iterable[str]) -> tuple[int, list[str]]:
    """What may stand at the end of a line.

    Args:
        before: the line as far as the cursor; several lines are a paste, which has no commands.
        handles: of those who may be meant, the likeliest first.

    Returns:
        How many characters are to be replaced, and what by, in the order in which it is offered.
    """
    people = [handle for handle in handles if could_be_handle(handle)]
    if "\n" not in before and (command := _COMMAND.fullmatch(before)):
        _, name, gap, argument = command.groups()
        if gap is None:
            return _starting(name, _commands())
        kind = _kind(name.lower(), gap.split())
        if kind == "NAME":
            return _starting(argument, [f"{handle} " for handle in people])
        if kind != "TEXT":
            return _starting(argument, kind.split("|") if kind.islower() else ())
    typed = _LAST.split(before)[-1]
    suffix = ": " if typed == before else ""
    return _starting(typed, [f"{handle}{suffix}" for handle in people])


def _starting(typed: str, words: Iterable[str]) -> tuple[int, list[str]]:
    start = typed.casefold()
    return len(typed), [word for word in words if word and word.casefold().startswith(start)]


def _commands() -> list[str]:
    return [f"{name} " if " " in command.usage else name for name, command in COMMANDS.items()]


def _kind(name: str, before: list[str]) -> str:
    """What an argument of a command is: ``NAME``, ``TEXT``, its words with bars, or another.

    Before it there are these.
    """
    command = COMMANDS.get(name)
    if command is None or name == "nick":  # that is to be a new name
        return ""
    takes = command.takes or [""]
    kind = takes[min(len(before), len(takes) - 1)].strip("[]")
    if kind.startswith("from "):
        return "NAME" if before[-1].lower() == "from" else ""
    return _LIKE.get(kind, kind)
