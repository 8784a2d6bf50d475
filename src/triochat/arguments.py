"""What can be said on the command line: the commands, and what their words and options mean."""

import argparse
import math
import os
import re
from collections.abc import Sequence
from typing import NoReturn

from triochat import __version__, epilogs
from triochat.addresses import split_address
from triochat.options import (
    add_client,
    add_completion,
    add_forget,
    add_history,
    add_send,
    add_server,
    add_tail,
)
from triochat.process import REDIS, deliver, say


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options in these arguments (of the process, if None); ends the process if wrong.

    ``command`` is the command's name, ``parser`` its parser; a room to go to is at ``host`` and
    ``port``, or at any of ``addresses``, and ``text`` is what follows.
    """
    options, rest = build_parser().parse_known_args(arguments)
    if options.command not in ("client", "send", "tail", "forget"):
        if rest:
            options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
        if options.command == "server":
            _check_tls(options)
            _check_history(options)
            _check_sharing(options)
        return options
    end = rest.index("--") if "--" in rest else len(rest)  # argparse takes words before an option
    for word in rest[:end]:
        if re.fullmatch(r"-(?![\d.]+$)\S+", word):  # what argparse takes for an option
            hint = ' (put "--" before a TEXT that has such words)'
            options.parser.error(f"there is no option {word}{hint * (options.command == 'send')}")
    words = options.words + rest[:end] + rest[end + 1 :]
    try:
        options.host, options.port, options.text = split_address(words)
    except argparse.ArgumentTypeError as error:
        options.parser.error(str(error))
    options.addresses = [(options.host, options.port), *getattr(options, "also", ())]
    if options.text and options.command != "send":
        options.parser.error(f"nothing may follow where the room is: {' '.join(options.text)}")
    return options


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; also what completion scripts and a man page are made from."""
    parser = _Parser(
        prog="triochat",
        description="One command opens a chat room, another joins it.",
        epilog=epilogs.EPILOG,
        formatter_class=_FORMATTER,
    )
    parser.add_argument("--version", action="version", version=f"triochat {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(name: str, does: str, epilog: str) -> argparse.ArgumentParser:
        description = f"{does[0].upper()}{does[1:]}."
        command = commands.add_parser(
            name, help=does, description=description, epilog=epilog, formatter_class=_FORMATTER
        )
        command.set_defaults(parser=command)
        return command

    add_server(add("server", "open a room", epilogs.SERVER))
    add_client(add("client", "join a room", epilogs.CLIENT))
    add_send(add("send", "say something, and wait until the server has confirmed it", epilogs.SEND))
    add_tail(add("tail", "print what is said in a room", epilogs.TAIL))
    does = "forget the key of a server, so that another one is taken"
    add_forget(add("forget", does, epilogs.FORGET))
    add_history(add("history", "print what a server has kept in a file", epilogs.HISTORY))
    does = "print a script that lets a shell complete"
    add_completion(add("completion", does, epilogs.COMPLETION))
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, above the usage."""

    def error(self, message: str) -> NoReturn:
        say(2, f"{self.prog}: {message}\n{self.format_usage().rstrip()}")
        self.exit(2)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the process; the help, or the version, may have been printed."""
        super().exit(status or deliver(message or ""))


# ---- the checks


def _check_tls(options: argparse.Namespace) -> None:
    if (options.tls_cert is None) != (options.tls_key is None):
        options.parser.error("--tls-cert and --tls-key are needed both, or none of them")
    if options.no_tls and options.tls_cert is not None:
        options.parser.error("argument --no-tls: not allowed with argument --tls-cert")


def _check_history(options: argparse.Namespace) -> None:
    is_bounded = min(options.keep, options.keep_max) < math.inf
    if options.history is None and (is_bounded or options.history_sync != "full"):
        options.parser.error("--keep, --keep-max and --history-sync need --history FILE")


def _check_sharing(options: argparse.Namespace) -> None:
    given = {"--redis": options.redis, "--redis-file": options.redis_file}
    given[REDIS] = os.environ.get(REDIS) or None
    by = next((name for name, value in given.items() if value is not None), None)
    if by and options.name is None:
        why = "servers that have the same one, and the same Redis, are one room"
        options.parser.error(f"{by} needs --name NAME: {why}")


_FORMATTER = argparse.RawDescriptionHelpFormatter  # leaves the lines of an epilog alone
