"""The commands: what stands on the command line is done with the process's standard streams.

This is the only place that prints or exits, and it loads the rest only when it is needed. Exit
codes: 0 all went well; 1 it could not be done, or not all of it was delivered; 2 the arguments are
wrong; 128 plus the signal's number where a signal ended it (130 for Ctrl-C). ``send`` and ``tail``
tell more apart: 3 unreachable, 4 refused, 5 lost.
"""

import argparse
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from triochat.arguments import build_parser, parse
from triochat.process import (
    allow_many_files,
    open_signals,
    open_standard_streams,
    set_up_log,
    wait_signal,
)

if TYPE_CHECKING:
    from triochat.chat import Terminal
    from triochat.grammar import Place
    from triochat.hub import Hub
    from triochat.program import Client
    from triochat.script import Result

UNREACHABLE, REFUSED, LOST = 3, 4, 5
"""Exit codes of ``send`` and ``tail`` for what scripts want to tell apart."""

SHTAB = "pip install 'triochat[completion]'"
"""How completion is installed."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``triochat`` with these arguments (of the process, if None); return its exit code."""
    open_standard_streams()
    options = parse(arguments)
    code = 1
    try:
        if options.command == "completion":
            code = print_completion(options)
        else:
            import trio

            code = trio.run(COMMANDS[options.command], options)
    except* KeyboardInterrupt:
        code = 128 + signal.SIGINT
    return code


def fail(problem: str) -> int:
    """Say in one line what went wrong; the exit code for it."""
    sys.stderr.write(f"triochat: {problem}\n")
    return 1


# ---- server


async def run_server(options: argparse.Namespace) -> int:
    """Serve a room until a signal comes."""
    import trio

    from triochat.connect import reason_of
    from triochat.hub import Hub
    from triochat.outbox import LINGER
    from triochat.room import Room
    from triochat.server import open_listeners, port_of, serve

    try:
        set_up_log(options.log_level, options.log_file)
    except OSError as error:
        return fail(f"cannot log to {options.log_file}: {reason_of(error)}")
    allow_many_files()
    try:
        listeners = await open_listeners(options.host, options.port)
    except (OSError, UnicodeError) as error:
        where = f"{options.host} port {options.port}"
        reason = "no such name" if isinstance(error, UnicodeError) else reason_of(error)
        return fail(f"cannot listen on {where}: {reason}")
    port = port_of(listeners)
    room = Room(
        options.handle, max_clients=options.max_clients, turns=options.turns, place=f"port {port}"
    )
    hub = Hub(room)
    _print(_invitation(options.host, port))

    async def stop_on_signal(doors: trio.CancelScope) -> None:
        await wait_signal()
        doors.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_show_room, hub, options)
        async with trio.open_nursery() as serving:
            doors = await serving.start(serve, listeners, hub)
            serving.start_soon(stop_on_signal, doors)
        nursery.cancel_scope.deadline = trio.current_time() + LINGER  # a screen may be stuck
    return 0


def _print(text: str) -> None:
    """Print; if nobody can read it the server goes on all the same."""
    with suppress(OSError):
        print(text, flush=True)


def _invitation(host: str, port: int) -> str:
    """How to join what listens there, on each of this machine's names if it listens on all."""
    import socket

    names = [host]
    if host in ("0.0.0.0", "::"):
        names = [socket.gethostname()]
        with suppress(OSError):
            found = socket.getaddrinfo(names[0], None, type=socket.SOCK_STREAM)
            names += dict.fromkeys(str(address[0]) for *_, address in found)
    lines = [f"Listening on {host} port {port}. To join, run either of:"]
    for name in names:
        lines += [f"  triochat client {name} {port}", f"  nc {name} {port}"]
    return "\n".join([*lines, "Ctrl-C stops the server."])


async def _show_room(hub: "Hub", options: argparse.Namespace) -> None:
    """Show the room to the operator, who takes part if there is a terminal; else only show it."""
    from triochat.console import run_console, run_relay
    from triochat.grammar import Place
    from triochat.terminals.pipe import Output

    if not options.headless and os.isatty(0):
        async with _open_terminal(options, Place.TERMINAL | Place.CONSOLE) as terminal:
            await run_console(hub, terminal)
        if hub.is_closed:
            return
        _print("The console is closed; the server goes on. Ctrl-C stops it.")
    await run_relay(hub, Output(1))


# ---- client


async def run_client(options: argparse.Namespace) -> int:
    """Chat until it ends by itself or by a signal."""
    import trio

    from triochat.chat import QUIT_TIMEOUT
    from triochat.connect import connect
    from triochat.grammar import Place
    from triochat.person import Person

    if options.handle is None and not os.isatty(0):
        options.parser.error("--handle NAME is needed where the input is no terminal")
    where = f"{options.host} port {options.port}"
    again = partial(connect, options.host, options.port)

    async def chat() -> int:
        code = 0
        stream = await again()
        async with _open_terminal(options, Place.TERMINAL) as terminal:
            person = Person(terminal, again, options.handle or "", where)

            async def leave_on_signal() -> None:
                nonlocal code
                async with open_signals() as signals:
                    number = await anext(signals)
                    code = 1 if person.is_lost else 128 + number
                    if await person.interrupt():
                        with trio.move_on_after(QUIT_TIMEOUT):
                            await anext(signals)
                nursery.cancel_scope.cancel()

            went_well = False
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave_on_signal)
                went_well = await person.run(stream)
                nursery.cancel_scope.cancel()
        return code or (0 if went_well else 1)

    return await _attempt(chat, where, unreachable=1)


# ---- send and tail


async def run_send(options: argparse.Namespace) -> int:
    """Say what stands on the command line, or each line of standard input."""
    from triochat.script import Argument, deliver
    from triochat.terminals.pipe import Input, InputLines, Output

    if not options.text and os.isatty(0):
        options.parser.error("TEXT is needed where the input is a terminal")
    act = partial(
        deliver,
        messages=Argument(" ".join(options.text)) if options.text else InputLines(Input(0)),
        errors=Output(2),
        to=options.to or "",
        patience=options.timeout,
    )
    return await _visit(options, act, options.timeout)


async def run_tail(options: argparse.Namespace) -> int:
    """Print what is said, until nobody reads it."""
    from triochat.script import tail, wait_unread
    from triochat.terminals.pipe import Output

    async def end() -> int:
        await wait_unread(1)
        return 0

    act = partial(tail, output=Output(1), as_json=options.json, count=options.count)
    return await _visit(options, act, math.inf, end)


async def _visit(
    options: argparse.Namespace,
    act: "Callable[[Client], Awaitable[Result]]",
    patience: float,
    *ends: Callable[[], Awaitable[int]],
) -> int:
    """Do this in the room until it is done, a signal comes, or one of these ends with a code."""
    import trio

    from triochat.connect import connect
    from triochat.script import Outcome, Visit

    codes = {Outcome.DONE: 0, Outcome.REFUSED: REFUSED, Outcome.LOST: LOST}
    where = f"{options.host} port {options.port}"
    visit = Visit(partial(connect, options.host, options.port), options.handle, patience)

    async def run() -> int:
        code = 0

        async def leave_after(end: Callable[[], Awaitable[int]]) -> None:
            nonlocal code
            code = await end()
            visit.leave()

        async def signalled() -> int:
            return 128 + await wait_signal()

        async with trio.open_nursery() as nursery:
            for end in (signalled, *ends):
                nursery.start_soon(leave_after, end)
            result = await visit.run(act)
            nursery.cancel_scope.cancel()
        if result.problem and not code:
            fail(f"{where}: {result.problem}")
        return code or codes[result.outcome]

    return await _attempt(run, where, unreachable=UNREACHABLE)


# ---- what they share


async def _attempt(act: Callable[[], Awaitable[int]], where: str, *, unreachable: int) -> int:
    """Do this, and say so if there is no way to a server of ours; return the exit code."""
    from triochat.connect import reason_of
    from triochat.exceptions import RemoteProtocolError, UnreachableError

    code = unreachable
    try:
        code = await act()
    except* UnreachableError as group:
        fail(f"cannot reach {where}: {reason_of(group)}")
    except* RemoteProtocolError as group:
        code = fail(f"{where}: {reason_of(group)}")
    return code


@asynccontextmanager
async def _open_terminal(options: argparse.Namespace, place: "Place") -> AsyncIterator["Terminal"]:
    """What the standard streams are good for: an editor, a printing terminal, or a pipe."""
    from triochat.terminals.pipe import Output, open_pipe

    can_draw = os.isatty(1) or os.isatty(2)
    if not os.isatty(0):
        yield open_pipe()
    elif options.plain or os.environ.get("TERM", "dumb") == "dumb" or not can_draw:
        from triochat.terminals.teletype import Teletype

        yield Teletype(0, Output(1))
    else:
        from triochat.terminals.editor import history_path
        from triochat.terminals.prompt import open_prompt

        history = None if options.no_history_file else history_path()
        colour = not (options.no_color or os.environ.get("NO_COLOR"))
        async with open_prompt(place, history, colour=colour) as prompt:
            yield prompt


# ---- completion


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


COMMANDS = {"server": run_server, "client": run_client, "send": run_send, "tail": run_tail}
