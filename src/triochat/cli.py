"""The door: the command line, and the exit code.

It loads what a command does only when it is needed. Exit codes: 0 all went well; 1 it could not be
done, or not all of it was delivered; 2 the arguments are wrong; 128 plus the signal's number where
a signal ended it (130 for Ctrl-C). ``send`` and ``tail`` tell more apart: 3 unreachable, 4 refused,
5 lost.
"""

import argparse
import signal

from triochat.arguments import build_parser, parse
from triochat.process import fail, open_standard_streams

SHTAB = "pip install 'triochat[completion]'"
"""How completion is installed."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``triochat`` with these arguments (of the process, if None); return its exit code."""
    open_standard_streams()
    options = parse(arguments)
    code = 1
    try:
        code = print_completion(options) if options.command == "completion" else _run(options)
    except* KeyboardInterrupt:
        code = 128 + signal.SIGINT
    return code


def _run(options: argparse.Namespace) -> int:
    import trio

    from triochat.commands import COMMANDS

    return trio.run(COMMANDS[options.command], options)


def print_completion(options: argparse.Namespace) -> int:
    """Print the script that lets a shell complete."""
    try:
        import shtab
    except ImportError:
        return fail(f"completion needs shtab; to install it: {SHTAB}")
    if options.shell not in shtab.SUPPORTED_SHELLS:
        return fail(f"this shtab is too old for {options.shell}; to install a newer one: {SHTAB}")
    print(shtab.complete(build_parser(), options.shell))
    return 0
