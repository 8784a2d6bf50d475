"""The command line: arguments, the process's signals, and exit codes.

This is the only place that prints or exits, and it loads the rest only when it is needed. Exit
codes: 0 all went well; 1 it could not be done, or not all of it was delivered; 2 the arguments are
wrong; 128 plus the signal's number where a signal ended it (130 for Ctrl-C).
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    import trio

    from triochat.chat import Terminal
    from triochat.client import Person
    from triochat.grammar import Place
    from triochat.hub import Hub

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What ends a server or a client politely."""

LEVELS = ("debug", "info", "warning", "error")


def main(arguments: list[str] | None = None) -> int:
    """Run ``triochat`` with these arguments (of the process, if None); return its exit code."""
    options = _build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except* KeyboardInterrupt:
        code = 128 + signal.SIGINT
    return code


# ---- arguments


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, above the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n{self.format_usage()}")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="triochat", description="One command opens a chat room, another joins it."
    )
    parser.add_argument("--version", action="version", version=f"triochat {version('triochat')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_server(commands.add_parser("server", help="open a room", description="Open a room."))
    _add_client(commands.add_parser("client", help="join a room", description="Join a room."))
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_server)
    add = parser.add_argument
    add("port", metavar="PORT", type=_listening_port, help="where to listen; 0 for any free port")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--handle",
        default="Server",
        type=_handle,
        help="the operator's name (default: %(default)s)",
    )
    add(
        "--max-clients",
        metavar="N",
        type=_count,
        default=1000,
        help="people in the room at once; more wait in line (default: %(default)s)",
    )
    add("--turns", action="store_true", help="nobody speaks twice in a row")
    add("--headless", action="store_true", help="only show and forward; no operator")
    add(
        "--log-level",
        choices=LEVELS,
        default="warning",
        help="what is logged (default: %(default)s)",
    )
    add("--log-file", metavar="FILE", help="log to FILE (default: standard error)")
    _add_terminal(parser)


def _add_client(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_client, parser=parser)
    add = parser.add_argument
    add("host", metavar="HOST", help="where the room is")
    add("port", metavar="PORT", type=_port, help="its port")
    add(
        "--handle",
        metavar="NAME",
        type=_handle,
        help="your name; asked for if left out",
    )
    _add_terminal(parser)


def _listening_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f'"{text}" is not a port; a port is a number, 0 to 65535')
    return int(text)


def _port(text: str) -> int:
    if not _listening_port(text):
        raise argparse.ArgumentTypeError("nobody can listen on port 0; a port is 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a number of people; it must be 1 or more'
        )
    return int(text)


def _handle(text: str) -> str:
    from triochat.messages import Refused
    from triochat.text import accept_handle

    handle = accept_handle(text)
    if isinstance(handle, Refused):
        raise argparse.ArgumentTypeError(handle.text)
    return handle


# ---- server


def _run_server(options: argparse.Namespace) -> int:
    import trio

    from triochat.server import allow_many_files

    if problem := _set_up_log(options.log_level, options.log_file):
        return _fail(problem)
    allow_many_files()
    return trio.run(_serve, options)


async def _serve(options: argparse.Namespace) -> int:
    import trio

    from triochat.client import reason_of
    from triochat.hub import Hub
    from triochat.outbox import Outbox
    from triochat.room import Room
    from triochat.server import open_listeners, port_of, serve

    try:
        listeners = await open_listeners(options.host, options.port)
    except OSError as error:
        where = f"{options.host} port {options.port}"
        return _fail(f"cannot listen on {where}: {reason_of(error)}")
    port = port_of(listeners)
    room: Room[Outbox] = Room(
        options.handle, max_clients=options.max_clients, turns=options.turns, place=f"port {port}"
    )
    hub = Hub(room)
    _print_invitation(options.host, port)
    async with trio.open_nursery() as nursery:
        doors = await nursery.start(serve, listeners, hub)
        nursery.start_soon(_run_screen, hub, options)
        await _wait_signal()
        doors.cancel()
    return 0


def _print_invitation(host: str, port: int) -> None:
    names = [host]
    if host in ("0.0.0.0", "::"):
        names = _own_names()
    print(f"Listening on {host} port {port}. To join, run either of:")
    for name in names:
        print(f"  triochat client {name} {port}")
        print(f"  nc {name} {port}")
    print("Ctrl-C stops the server.", flush=True)


def _own_names() -> list[str]:
    import socket

    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return [name]
    return [name, *dict.fromkeys(str(address[0]) for *_, address in found)]


async def _run_screen(hub: "Hub", options: argparse.Namespace) -> None:
    """Show the room to the operator, who takes part if there is a terminal; else only show it."""
    from triochat.console import run_console, run_relay
    from triochat.pipe import open_pipe

    if not options.headless and os.isatty(0):
        from triochat.grammar import Place

        async with _open_screen(options, Place.TERMINAL | Place.CONSOLE) as terminal:
            await run_console(hub, terminal)
        if hub.closed:
            return
        print("The console is closed; the server goes on. Ctrl-C stops it.", flush=True)
    await run_relay(hub, open_pipe(keyboard=False))


# ---- client


def _run_client(options: argparse.Namespace) -> int:
    import trio

    if options.handle is None and not os.isatty(0):
        options.parser.error("--handle NAME is needed where the input is no terminal")
    return trio.run(_chat, options)


async def _chat(options: argparse.Namespace) -> int:
    import trio

    from triochat.client import Person, reason_of
    from triochat.exceptions import RemoteProtocolError

    async def connect() -> trio.abc.Stream:
        return await trio.open_tcp_stream(options.host, options.port)

    code = 1
    where = f"{options.host} port {options.port}"
    try:
        stream = await connect()
        async with _open_screen(options) as terminal:
            code = await _stay(Person(terminal, connect, options.handle or "", where), stream)
    except* OSError as group:
        _fail(f"cannot reach {where}: {reason_of(group)}")
    except* RemoteProtocolError as group:
        _fail(f"{where}: {reason_of(group)}")
    return code


async def _stay(person: "Person", stream: "trio.abc.Stream") -> int:
    """Chat until it ends by itself or by a signal; return the exit code."""
    import trio

    from triochat.chat import LINGER

    code = 0

    async def leave_on_signal() -> None:
        nonlocal code
        signum = await _wait_signal()
        code = 1 if person.is_lost else 128 + signum
        nursery.cancel_scope.deadline = trio.current_time() + LINGER
        if not await person.interrupt():
            nursery.cancel_scope.cancel()

    went_well = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_on_signal)
        went_well = await person.run(stream)
        nursery.cancel_scope.cancel()
    return code or (0 if went_well else 1)


# ---- the terminal


def _add_terminal(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--plain", action="store_true", help="only print: no colour, no cursor movement, no redraw")
    add("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    add("--no-history-file", action="store_true", help="do not remember what was typed")


@asynccontextmanager
async def _open_screen(
    options: argparse.Namespace, place: "Place | None" = None
) -> AsyncIterator["Terminal"]:
    """What the standard streams are good for: a terminal, a teletype, or a pipe."""
    if not os.isatty(0):
        from triochat.pipe import open_pipe

        yield open_pipe()
    elif options.plain or os.environ.get("TERM", "dumb") == "dumb":
        from triochat.pipe import Output
        from triochat.teletype import Teletype

        yield Teletype(0, Output(1))
    else:
        from triochat.editor import history_path
        from triochat.grammar import Place
        from triochat.terminal import open_terminal

        history = None if options.no_history_file else history_path()
        colour = not (options.no_color or os.environ.get("NO_COLOR"))
        async with open_terminal(place or Place.TERMINAL, history, colour=colour) as terminal:
            yield terminal


# ---- the process


async def _wait_signal() -> int:
    """Wait for a signal to end; the next one does what it always does, at once."""
    import trio

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    with trio.open_signal_receiver(*numbers) as signals:
        async for number in signals:
            return int(number)
    raise AssertionError


def _set_up_log(level: str, file: str | None) -> str:
    """Log as asked; return what stands in the way, if something does."""
    try:
        handler = logging.FileHandler(file) if file else _ErrorHandler()
    except OSError as error:
        return f"cannot log to {file}: {(error.strerror or str(error)).lower()}"
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    return ""


class _ErrorHandler(logging.StreamHandler[TextIO]):
    """Standard error; where that is the terminal, above the line that is being typed."""

    def emit(self, record: logging.LogRecord) -> None:
        if os.isatty(2):
            self.stream = sys.stderr
        super().emit(record)


def _fail(problem: str) -> int:
    sys.stderr.write(f"triochat: {problem}\n")
    return 1
