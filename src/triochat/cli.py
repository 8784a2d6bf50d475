"""The commands: the process's standard streams, its signals, and its exit codes.

This is the only place that prints or exits, and it loads the rest only when it is needed. Exit
codes: 0 all went well; 1 it could not be done, or not all of it was delivered; 2 the arguments are
wrong; 128 plus the signal's number where a signal ended it (130 for Ctrl-C). ``send`` and ``tail``
tell more apart: 3 unreachable, 4 refused, 5 lost.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TextIO

from triochat.arguments import build_parser, parse

if TYPE_CHECKING:
    import trio

    from triochat.chat import Terminal
    from triochat.client import Client, Person
    from triochat.grammar import Place
    from triochat.hub import Hub
    from triochat.script import Result, Visit

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What ends a server or a client politely."""

UNREACHABLE, REFUSED, LOST = 3, 4, 5
"""Exit codes of ``send`` and ``tail`` for what scripts want to tell apart."""

SHTAB = "pip install 'triochat[completion]'"
"""How completion is installed."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``triochat`` with these arguments (of the process, if None); return its exit code."""
    _open_standard_streams()
    options = parse(arguments)
    code = 1
    try:
        code = COMMANDS[options.command](options)
    except* KeyboardInterrupt:
        code = 128 + signal.SIGINT
    return code


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
    from triochat.outbox import LINGER
    from triochat.room import Room
    from triochat.server import open_listeners, port_of, serve

    try:
        listeners = await open_listeners(options.host, options.port)
    except (OSError, UnicodeError) as error:
        where = f"{options.host} port {options.port}"
        reason = "no such name" if isinstance(error, UnicodeError) else reason_of(error)
        return _fail(f"cannot listen on {where}: {reason}")
    port = port_of(listeners)
    room = Room(
        options.handle, max_clients=options.max_clients, turns=options.turns, place=f"port {port}"
    )
    hub = Hub(room)
    _print_invitation(options.host, port)

    async def stop_on_signal(doors: trio.CancelScope) -> None:
        await _wait_signal()
        doors.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run_screen, hub, options)
        async with trio.open_nursery() as serving:
            doors = await serving.start(serve, listeners, hub)
            serving.start_soon(stop_on_signal, doors)
        nursery.cancel_scope.deadline = trio.current_time() + LINGER  # a screen may be stuck
    return 0


def _print_invitation(host: str, port: int) -> None:
    names = [host]
    if host in ("0.0.0.0", "::"):
        names = _own_names()
    lines = [f"Listening on {host} port {port}. To join, run either of:"]
    for name in names:
        lines += [f"  triochat client {name} {port}", f"  nc {name} {port}"]
    _print("\n".join([*lines, "Ctrl-C stops the server."]))


def _print(text: str) -> None:
    """Print; if nobody can read it the server goes on all the same."""
    with suppress(OSError):
        print(text, flush=True)


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
    from triochat.pipe import Output

    if not options.headless and os.isatty(0):
        from triochat.grammar import Place

        async with _open_screen(options, Place.TERMINAL | Place.CONSOLE) as terminal:
            await run_console(hub, terminal)
        if hub.feed.is_closed:
            return
        _print("The console is closed; the server goes on. Ctrl-C stops it.")
    await run_relay(hub, Output(1))


# ---- client


def _run_client(options: argparse.Namespace) -> int:
    import trio

    if options.handle is None and not os.isatty(0):
        options.parser.error("--handle NAME is needed where the input is no terminal")
    return trio.run(_chat, options)


async def _chat(options: argparse.Namespace) -> int:
    from triochat.client import Person, connect, reason_of
    from triochat.exceptions import RemoteProtocolError, UnreachableError

    code = 1
    where = f"{options.host} port {options.port}"
    try:
        again = partial(connect, options.host, options.port)
        stream = await again()
        async with _open_screen(options) as terminal:
            code = await _stay(Person(terminal, again, options.handle or "", where), stream)
    except* UnreachableError as group:
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
        async with _open_signals() as signals:
            number = await anext(signals)
            code = 1 if person.is_lost else 128 + number
            if await person.interrupt():
                with trio.move_on_after(LINGER):
                    await anext(signals)
        nursery.cancel_scope.cancel()

    went_well = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_on_signal)
        went_well = await person.run(stream)
        nursery.cancel_scope.cancel()
    return code or (0 if went_well else 1)


# ---- send and tail


def _run_send(options: argparse.Namespace) -> int:
    import trio

    if not options.text and os.isatty(0):
        options.parser.error("TEXT is needed where the input is a terminal")
    return trio.run(_send, options)


async def _send(options: argparse.Namespace) -> int:
    from triochat import pipe
    from triochat.client import connect
    from triochat.script import Argument, Input, Messages, Visit, deliver

    patience = options.timeout
    visit = Visit(partial(connect, options.host, options.port), options.handle, patience)
    text = " ".join(options.text)
    messages: Messages = Argument(text) if options.text else Input(pipe.InputLines(pipe.Input(0)))

    async def act(client: "Client") -> "Result":
        return await deliver(
            client, messages, pipe.Output(2), to=options.to or "", patience=patience
        )

    return await _visit(visit, act, options)


def _run_tail(options: argparse.Namespace) -> int:
    import trio

    return trio.run(_tail, options)


async def _tail(options: argparse.Namespace) -> int:
    import trio

    from triochat.client import connect
    from triochat.pipe import Output
    from triochat.script import Visit, tail, wait_unread

    visit = Visit(partial(connect, options.host, options.port), options.handle)

    async def leave_when_unread() -> None:
        await wait_unread(1)
        visit.leave()

    async def act(client: "Client") -> "Result":
        return await tail(client, Output(1), as_json=options.json, count=options.count)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_when_unread)
        code = await _visit(visit, act, options)
        nursery.cancel_scope.cancel()
    return code


async def _visit(
    visit: "Visit", act: "Callable[[Client], Awaitable[Result]]", options: argparse.Namespace
) -> int:
    """Do this in the room until it is done or a signal comes; return the exit code."""
    import trio

    from triochat.client import reason_of
    from triochat.exceptions import RemoteProtocolError, UnreachableError

    code = 0
    where = f"{options.host} port {options.port}"

    async def leave_on_signal() -> None:
        nonlocal code
        code = 128 + await _wait_signal()
        visit.leave()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_on_signal)
            result = await visit.run(act)
            nursery.cancel_scope.cancel()
            code = code or _report(result, where)
    except* UnreachableError as group:
        _fail(f"cannot reach {where}: {reason_of(group)}")
        code = UNREACHABLE
    except* RemoteProtocolError as group:
        code = _fail(f"{where}: {reason_of(group)}")
    return code


def _report(result: "Result", where: str) -> int:
    """Say what is to be said about the end of a visit; return the exit code."""
    from triochat.script import Outcome

    if result.problem:
        _fail(f"{where}: {result.problem}")
    return {Outcome.DONE: 0, Outcome.REFUSED: REFUSED, Outcome.LOST: LOST}[result.outcome]


# ---- completion


def _run_completion(options: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        return _fail(f"completion needs shtab; to install it: {SHTAB}")
    if options.shell not in shtab.SUPPORTED_SHELLS:
        return _fail(f"this shtab is too old for {options.shell}; to install a newer one: {SHTAB}")
    print(shtab.complete(build_parser(), options.shell))
    return 0


# ---- the terminal


@asynccontextmanager
async def _open_screen(
    options: argparse.Namespace, place: "Place | None" = None
) -> AsyncIterator["Terminal"]:
    """What the standard streams are good for: a terminal, a teletype, or a pipe."""
    if not os.isatty(0):
        from triochat.pipe import open_pipe

        yield open_pipe()
    elif options.plain or os.environ.get("TERM", "dumb") == "dumb" or not _has_screen():
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


def _has_screen() -> bool:
    """Whether the line that is being typed can be drawn somewhere."""
    return os.isatty(1) or os.isatty(2)


# ---- the process


def _open_standard_streams() -> None:
    """See that descriptors 0, 1 and 2 are open, or the next files would be taken for them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


@asynccontextmanager
async def _open_signals() -> AsyncIterator[AsyncIterator[int]]:
    """The signals that end us, but for those that whoever started us wants ignored (``nohup``)."""
    import trio

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    with trio.open_signal_receiver(*heard) as signals:
        yield aiter(signals)


async def _wait_signal() -> int:
    """Wait for a signal to end; the next one does what it always does, at once."""
    async with _open_signals() as signals:
        return int(await anext(signals))


def _set_up_log(level: str, file: str | None) -> str:
    """Log as asked; return what stands in the way, if something does."""
    from triochat.server import QuietFilter

    try:
        handler = logging.FileHandler(file) if file else _ErrorHandler()
    except OSError as error:
        return f"cannot log to {file}: {(error.strerror or str(error)).lower()}"
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("trio.serve_listeners").addFilter(QuietFilter())
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


COMMANDS = {
    "server": _run_server,
    "client": _run_client,
    "send": _run_send,
    "tail": _run_tail,
    "completion": _run_completion,
}
