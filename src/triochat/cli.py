"""The door: the command line, and the exit code.

It loads what a command does only when it is needed. Exit codes: 0 all went well; 1 it could not be
done, or not all of it was delivered; 2 the arguments are wrong; 128 plus the signal's number where
a signal ended it (130 for Ctrl-C); 3 what answers is not known to be the server. ``send`` and
``tail`` tell more apart: 3 is unreachable, too, 4 refused, 5 lost.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

SHTAB = "pip install 'triochat[completion]'"
"""How completion is installed."""

INTERRUPTED = 130
"""The exit code at Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``triochat`` with these arguments (of the process, if None); return its exit code.

    Ctrl-C ends the process at once, but while trio runs. So it comes before all else is loaded: an
    exception in the middle of that may be lost, or come out as another.
    """
    code = INTERRUPTED
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            signal.signal(signal.SIGINT, _end)
        from triochat.arguments import parse
        from triochat.process import open_standard_streams

        open_standard_streams()
        options = parse(arguments)
        code = _run(options)
    except* KeyboardInterrupt:
        pass
    return code


def _end(*_: object) -> None:
    os._exit(INTERRUPTED)


def _run(options: "argparse.Namespace") -> int:
    """Do it: in a room, or at once where there is none."""
    if options.command == "completion":
        return print_completion(options)
    if options.command == "history":
        from triochat.offline import print_history

        return print_history(options)
    import signal

    import trio

    before = signal.getsignal(signal.SIGINT)
    if before is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # trio's, from here on
    try:
        return trio.run(_command(options.command), options)
    finally:
        signal.signal(signal.SIGINT, before)


def _command(name: str) -> "Callable[[argparse.Namespace], Awaitable[int]]":
    """What does it; nobody who only sends a line waits until a server is loaded."""
    if name == "server":
        from triochat.serving import run_server

        return run_server
    from triochat.commands import COMMANDS

    return COMMANDS[name]


def print_completion(options: "argparse.Namespace") -> int:
    """Print the script that lets a shell complete."""
    from triochat.arguments import build_parser
    from triochat.process import deliver, fail

    try:
        import shtab
    except ImportError:
        return fail(f"completion needs shtab; to install it: {SHTAB}")
    if options.shell not in shtab.SUPPORTED_SHELLS:
        return fail(f"this shtab is too old for {options.shell}; to install a newer one: {SHTAB}")
    return deliver(shtab.complete(build_parser(), options.shell) + "\n")
