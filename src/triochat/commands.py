"""The commands: what stands on the command line is done with the process's standard streams."""

import argparse
import getpass
import logging
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import trio

from triochat.certificates import own_identity
from triochat.chat import Terminal
from triochat.connect import connect, known_hosts, reason_of
from triochat.connection import Connect
from triochat.console import run_console, run_relay
from triochat.exceptions import RemoteProtocolError, UnreachableError, UntrustedError
from triochat.folders import state_folder
from triochat.grammar import Place
from triochat.hub import Hub
from triochat.invitation import all_addresses, invitation
from triochat.keeper import keeping, open_rulings
from triochat.logs import set_up_log
from triochat.outbox import LINGER
from triochat.passwords import OVERHEARD, Secret
from triochat.person import Person
from triochat.process import allow_many_files, deliver, fail, say, take_password
from triochat.program import Client
from triochat.ratelimit import Limits
from triochat.room import Room
from triochat.sanctions import Rulings
from triochat.script import Delivery, Outcome, Result, Visit, one_message, tail
from triochat.server import Listeners, open_listeners, port_of, serve
from triochat.service import Manager
from triochat.signals import next_end, open_signals, until_signal
from triochat.terminals.pipe import InputLines, Output, Writer, open_pipe, read, wait_unread
from triochat.terminals.teletype import open_teletype
from triochat.text import accept_handle
from triochat.tls import Tls, read_identity
from triochat.trust import server_at

log = logging.getLogger(__name__)

# ---- server


async def run_server(options: argparse.Namespace) -> int:
    """Serve a room until a signal comes."""
    try:
        set_up_log(options.log_level, options.log_file, options.log_format)
    except OSError as error:
        return fail(f"cannot log to {options.log_file}: {reason_of(error)}")
    files = allow_many_files()
    try:
        password = take_password(options.password_file)
        tls = _open_tls(options)
        rulings = open_rulings(Path(options.state), time.time()) if options.state else Rulings()
        listeners = await _listen(options.host, options.port)
        metrics = await _open_metrics(options)
    except ValueError as error:
        return fail(str(error))
    limits = Limits(options.burst, options.rate, idle=options.idle).fit(files)
    if limits.connections < options.max_clients:
        fit = "%d connections fit, fewer than --max-clients: this process may open %d files"
        log.warning(fit, limits.connections, files)
    room = Room(
        options.handle,
        max_clients=options.max_clients,
        turns=options.turns,
        handle_length=options.handle_length,
        place=f"port {port_of(listeners)}",
        password=password,
    )
    room.rulings = rulings
    hub = Hub(room, limits=limits, tls=tls)
    async with trio.open_nursery() as nursery:
        if metrics is not None:
            nursery.start_soon(metrics, hub)
        async with keeping(hub, Path(options.state)) if options.state else nullcontext():
            code = await _serve_until_signal(listeners, hub, options)
        nursery.cancel_scope.cancel()
    return code


async def _listen(host: str, port: int) -> Listeners:
    """Listeners there; `ValueError` if there can be none."""
    try:
        return await open_listeners(host, port)
    except (OSError, UnicodeError) as error:
        reason = "no such name" if isinstance(error, UnicodeError) else reason_of(error)
        raise ValueError(f"cannot listen on {host} port {port}: {reason}") from None


async def _open_metrics(options: argparse.Namespace) -> Callable[[Hub], Awaitable[None]] | None:
    """What serves metrics, if that is wanted; `ValueError` if it cannot be done."""
    if options.metrics is None:
        return None
    try:
        from triochat.metrics import serve_metrics
    except ImportError:
        how = "pip install 'triochat[metrics]'"
        raise ValueError(f"metrics need prometheus-client; to install it: {how}") from None
    listeners = await _listen(*options.metrics)
    host = options.metrics[0]
    where = f"[{host}]" if ":" in host else host
    say(1, f"Metrics are at http://{where}:{port_of(listeners)}/metrics")
    return partial(serve_metrics, listeners)


async def _serve_until_signal(listeners: Listeners, hub: Hub, options: argparse.Namespace) -> int:
    """Invite and serve until a signal ends it politely, or a second one at once: the exit code."""
    code = 0
    manager = Manager()

    def hang_up() -> None:
        manager.tell_reloading()
        _read_again(options, hub.tls)
        manager.tell("READY=1")

    async def stop_on_signal(
        doors: trio.CancelScope, *, task_status: trio.TaskStatus[None]
    ) -> None:
        nonlocal code
        async with open_signals() as signals:  # all the time, or they could break in anywhere
            task_status.started()
            heard = await next_end(signals, hang_up)
            log.info("stopping: %s", heard.name)
            manager.tell("STOPPING=1")
            hub.close("shutting down", retry=heard is signal.SIGTERM)
            doors.cancel()
            code = 128 + await next_end(signals, hang_up)
        hearing.cancel_scope.cancel()

    async with trio.open_nursery() as hearing:
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as serving:
                doors = await serving.start(serve, listeners, hub)
                await hearing.start(stop_on_signal, doors)
                log.info("listening on %s port %d", options.host, port_of(listeners))
                ends = [(each.socket.family, each.socket.getsockname()[0]) for each in listeners]
                manager.tell("READY=1", f"STATUS=listening on port {port_of(listeners)}")
                say(1, invitation(options.host, port_of(listeners), ends, hub.tls))
                nursery.start_soon(_show_room, hub, options)
            nursery.cancel_scope.deadline = trio.current_time() + LINGER  # a screen may be stuck
        hearing.cancel_scope.cancel()
    log.info("stopped")
    return code


def _open_tls(options: argparse.Namespace) -> Tls | None:
    """How the server encrypts, if it does; `ValueError` if it cannot as it was told to."""
    if options.no_tls:
        return None
    if options.tls_cert is None:
        own = partial(own_identity, state_folder(), all_addresses)
        return Tls(own, is_required=options.require_tls)
    read = partial(read_identity, options.tls_cert, options.tls_key)
    tls = Tls(read, is_required=options.require_tls)
    tls.reload()
    return tls


def _read_again(options: argparse.Namespace, tls: Tls | None) -> None:
    """Somebody says that files have changed: the certificate may have (the log sees by itself)."""
    if tls is not None and options.tls_cert is not None:
        try:
            tls.reload()
        except ValueError as error:
            log.warning("the old certificate stays: %s", error)
        else:
            log.info("read the certificate again")


async def _show_room(hub: Hub, options: argparse.Namespace) -> None:
    """Show the room to the operator, who takes part if there is a terminal; else only show it."""
    if not options.headless and os.isatty(0):
        async with _open_terminal(options, Place.TERMINAL) as terminal:
            await run_console(hub, terminal)
        if hub.is_closed:
            return
        say(1, "The console is closed; the server goes on. Ctrl-C stops it.")
    await run_relay(hub, Output(1))


# ---- client


async def run_client(options: argparse.Namespace) -> int:
    """Chat until it ends by itself or by a signal."""
    if options.handle is None and not os.isatty(0):
        options.parser.error("--handle NAME is needed where the input is no terminal")
    where = f"{options.host} port {options.port}"
    again = _way_of(options)
    try:
        password = take_password(options.password_file)
    except ValueError as error:
        return fail(str(error))
    warning = OVERHEARD if _is_exposed(options) else ""
    if password and warning:
        say(2, f"triochat: {warning}")
    person: Person | None = None

    async def chat() -> int:
        nonlocal person
        stream = await again()
        async with _open_terminal(options, Place.TERMINAL) as terminal:
            person = Person(
                terminal,
                again,
                options.handle or "",
                where,
                offered_handle(),
                Secret(password, warning),
            )
            return 0 if await person.run(stream) else 1

    async def leave() -> bool:
        return person is not None and await person.interrupt()

    code = await _attempt(partial(until_signal, chat, leave), where, unreachable=1)
    return 1 if person and person.is_lost else code


def offered_handle() -> str:
    """The name that this person has logged in with, if it is good for a handle; else empty."""
    try:
        handle = accept_handle(getpass.getuser())
    except (OSError, KeyError, ImportError):  # nobody knows it; the last two before Python 3.13
        return ""
    return handle if isinstance(handle, str) else ""


# ---- send and tail


async def run_send(options: argparse.Namespace) -> int:
    """Say what stands on the command line, or each line of standard input."""
    if not options.text and os.isatty(0):
        options.parser.error("TEXT is needed where the input is a terminal")
    text = " ".join(options.text)
    messages = one_message(text) if options.text else InputLines(partial(read, 0))
    delivery = Delivery(messages, Output(2), options.to or "", options.timeout)
    return await _visit(options, delivery.run, patience=options.timeout)


async def run_tail(options: argparse.Namespace) -> int:
    """Print what is said, until nobody reads it."""
    output: Writer = Output(1, strict=True)
    if not options.json:
        output = _folded(output)

    async def act(client: Client) -> Result:
        try:
            return await tail(client, output, as_json=options.json, count=options.count)
        except OSError as error:
            problem = f"cannot write to standard output: {reason_of(error)}"
            return Result(Outcome.FAILED, problem)

    return await _visit(options, act, until=partial(wait_unread, 1))


async def _visit(
    options: argparse.Namespace,
    act: Callable[[Client], Awaitable[Result]],
    *,
    patience: float = math.inf,
    until: Callable[[], Awaitable[None]] = trio.sleep_forever,
) -> int:
    """Do this in the room until it is done, a signal comes, or there is no more reason to."""
    where = f"{options.host} port {options.port}"
    try:
        password = take_password(options.password_file)
    except ValueError as error:
        return fail(str(error))
    if password and _is_exposed(options):
        say(2, f"triochat: {OVERHEARD}")
    visit = Visit(_way_of(options), options.handle, patience, password)

    async def leave() -> bool:
        visit.leave()
        return True

    async def leave_in_the_end() -> None:
        await until()
        visit.leave()

    async def run() -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_in_the_end)
            result = await visit.run(act)
            nursery.cancel_scope.cancel()
        if result.problem:
            fail(f"{where}: {result.problem}")
        return result.outcome

    return await _attempt(partial(until_signal, run, leave), where, unreachable=Outcome.UNREACHABLE)


# ---- forget


async def run_forget(options: argparse.Namespace) -> int:
    """Forget whom to expect at a server."""
    await trio.lowlevel.checkpoint()
    server = server_at(options.host, options.port)
    try:
        if not known_hosts().forget(server):
            return fail(f"nothing is remembered of {server}")
    except UntrustedError as error:
        return fail(str(error))
    return deliver(f"The key of {server} is forgotten; the next one that is seen there is taken.\n")


# ---- what they share


def _way_of(options: argparse.Namespace) -> Connect:
    """How these options say to connect, each time."""
    return partial(
        connect,
        options.host,
        options.port,
        fingerprint=options.fingerprint,
        insecure=options.insecure,
        tell=lambda words: say(2, f"triochat: {words}"),
    )


def _is_exposed(options: argparse.Namespace) -> bool:
    """Whether what is said can be read on its way, as these options want it."""
    return options.insecure and not server_at(options.host, options.port).is_here


async def _attempt(act: Callable[[], Awaitable[int]], where: str, *, unreachable: int) -> int:
    """Do this, and say so if there is no way to a server of ours; return the exit code."""
    code = unreachable
    try:
        code = await act()
    except* UnreachableError as group:
        fail(f"cannot reach {where}: {reason_of(group)}")
    except* RemoteProtocolError as group:
        code = fail(f"{where}: {reason_of(group)}")
    except* UntrustedError as group:
        fail(f"{where}: {reason_of(group)}")
        code = Outcome.UNREACHABLE  # what is there is not who is meant
    return code


@asynccontextmanager
async def _open_terminal(options: argparse.Namespace, place: Place) -> AsyncIterator[Terminal]:
    """What the standard streams are good for: an editor, a printing terminal, or a pipe."""
    can_draw = os.isatty(1) or os.isatty(2)
    if not os.isatty(0):
        async with open_pipe() as pipe:
            yield pipe
    elif options.plain or os.environ.get("TERM", "dumb") == "dumb" or not can_draw:
        async with open_teletype(0, _folded(Output(1))) as teletype:
            yield teletype
    else:
        from triochat.terminals.prompt import open_prompt

        history = None if options.no_history_file else state_folder() / "history"
        colour = not (options.no_color or os.environ.get("NO_COLOR"))
        async with open_prompt(place, history, colour=colour) as prompt:
            yield prompt


def _folded(output: Writer) -> Writer:
    """The same; where it is a terminal, in rows that fit."""
    if not os.isatty(1):
        return output
    from triochat.terminals.folding import Folding

    return Folding(output, 1)


COMMANDS = {
    "server": run_server,
    "client": run_client,
    "send": run_send,
    "tail": run_tail,
    "forget": run_forget,
}
