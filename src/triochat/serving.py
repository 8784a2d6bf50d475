"""The server's command: a room is opened, served, shown, and ended by signals."""

import argparse
import logging
import os
import platform
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from triochat.archiving import Archived, archiving
from triochat.certificates import own_identity
from triochat.connect import reason_of
from triochat.console import run_console, run_relay
from triochat.folders import state_folder
from triochat.history import History
from triochat.hub import Hub
from triochat.invitation import all_addresses, invitation
from triochat.keeper import keeping, open_rulings
from triochat.ledger import LedgerError
from triochat.logs import set_up_log
from triochat.opening import open_archive
from triochat.order import arrival
from triochat.outbox import LINGER
from triochat.process import allow_many_files, fail, say, take_password
from triochat.ratelimit import Limits
from triochat.replica import Replica
from triochat.room import Room
from triochat.sanctions import Rulings
from triochat.server import Listeners, open_listeners, port_of, serve
from triochat.service import Manager
from triochat.shared import agreement_of, begin, introduction, open_ledger
from triochat.sharing import Sharing
from triochat.signals import next_end, open_signals
from triochat.terminals.pipe import Output
from triochat.terminals.standard import open_terminal, screen_of
from triochat.text import clean
from triochat.tls import Tls, read_identity

log = logging.getLogger(__name__)


async def run_server(options: argparse.Namespace) -> int:
    """Serve a room until a signal comes."""
    try:
        set_up_log(options.log_level, options.log_file, options.log_format)
    except OSError as error:
        return fail(f"cannot log to {options.log_file}: {reason_of(error)}")
    files = allow_many_files()
    try:
        password = take_password(options.password_file)
        ledger = open_ledger(options)
        tls = _open_tls(options)
        listeners = await _listen(options.host, options.port)
        metrics = await _open_metrics(options)
        history = _open_history(options) if options.history else None
        room = _open_room(options, port_of(listeners), password, history)
        kept = history or History(hold=room.hold)
        sharing = None
        if ledger:
            replica = Replica(room, kept, agreement_of(options, password))
            sharing = await begin(ledger, port_of(listeners), replica)
    except (ValueError, LedgerError) as error:
        return fail(str(error))
    hub = Hub(room, kept, order=sharing or arrival, limits=_limits(options, files), tls=tls)
    hub.setting = replace(hub.setting, hosts=_names(options), has_page=not options.no_web)
    async with trio.open_nursery() as nursery:
        if metrics is not None:
            nursery.start_soon(metrics, hub)
        async with (
            keeping(hub, Path(options.state)) if options.state else nullcontext(),
            archiving(history, hub.alert, hub.warn) if history else nullcontext(),
        ):
            try:
                code = await _serve_until_signal(listeners, hub, sharing, options)
            except* LedgerError as errors:
                problem: BaseException = errors
                while isinstance(problem, BaseExceptionGroup):
                    problem = problem.exceptions[0]
                code = fail(str(problem))
        nursery.cancel_scope.cancel()
    return code


def _open_room(
    options: argparse.Namespace, port: int, password: str, history: Archived | None
) -> Room:
    """The room as it was asked for, and as it was kept; `ValueError` if it cannot be kept."""
    room = Room(
        options.handle,
        max_clients=options.max_clients,
        turns=options.turns,
        handle_length=options.handle_length,
        place=f"port {port}",
        password=password,
        name=options.name or clean(Path(options.history or "").stem) or "room",
        replay=options.replay,
        grace=options.grace,
        hold=options.hold,
    )
    if history:
        room.rulings = history.rulings
        room.restore(history.seats, time.time())
    if options.state:
        room.rulings = _open_state(options.state)
    return room


def _limits(options: argparse.Namespace, files: int) -> Limits:
    """What anybody may have, with so many files."""
    limits = Limits(options.burst, options.rate, idle=options.idle).fit(files)
    if limits.connections < options.max_clients:
        fit = "%d connections fit, fewer than --max-clients: this process may open %d files"
        log.warning(fit, limits.connections, files)
    return limits


def _names(options: argparse.Namespace) -> frozenset[str]:
    """By what browsers may call this machine, beside its addresses."""
    own = platform.node().lower()
    short = own.partition(".")[0]
    names = (options.host.lower(), own, short, f"{short}.local", *options.web_names)
    return frozenset(filter(None, names))


def _open_state(file: str) -> Rulings:
    """What this file keeps; `ValueError` if it cannot be used."""
    try:
        return open_rulings(Path(file), time.time())
    except ValueError as error:
        raise ValueError(f"--state: {error}") from None


def _open_history(options: argparse.Namespace) -> Archived:
    """The history in this file; `ValueError` if it cannot be used."""
    path, hold = Path(options.history), max(options.grace, options.hold)
    try:
        scribe = open_archive(path, time.time(), hold=hold, sync=options.history_sync)
        scribe.keep, scribe.most = options.keep, options.keep_max
        server, keeps_rulings = options.handle, not options.state
        history = Archived(scribe, server=server, hold=hold, keeps_rulings=keeps_rulings)
    except ValueError as error:
        raise ValueError(f"--history: {error}") from None
    say(1, f"What is said is kept in {clean(str(path))}.")
    return history


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


async def _serve_until_signal(
    listeners: Listeners, hub: Hub, sharing: Sharing | None, options: argparse.Namespace
) -> int:
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
            goes_on = heard is signal.SIGTERM or len(hub.room.servers) > 1
            hub.close("shutting down", retry=goes_on)
            doors.cancel()
            code = 128 + await next_end(signals, hang_up)
        hearing.cancel_scope.cancel()

    async with trio.open_nursery() as hearing:
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as serving:
                doors = await serving.start(serve, listeners, hub, sharing)
                await hearing.start(stop_on_signal, doors)
                log.info("listening on %s port %d", options.host, port_of(listeners))
                manager.tell("READY=1", f"STATUS=listening on port {port_of(listeners)}")
                say(1, _invite(listeners, hub, sharing, options))
                nursery.start_soon(_show_room, hub, options)
            nursery.cancel_scope.deadline = trio.current_time() + LINGER  # a screen may be stuck
        hearing.cancel_scope.cancel()
    log.info("stopped")
    return code


def _invite(
    listeners: Listeners, hub: Hub, sharing: Sharing | None, options: argparse.Namespace
) -> str:
    """Who else has this room, and how to join what listens here."""
    introduced = f"{introduction(hub, sharing)}\n" if sharing else ""
    return introduced + invitation(
        options.host,
        port_of(listeners),
        [(each.socket.family, each.socket.getsockname()[0]) for each in listeners],
        hub.tls,
        has_page=hub.setting.has_page,
        screen=screen_of(options),
    )


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
        async with open_terminal(options) as terminal:
            await run_console(hub, terminal)
        if hub.is_closed:
            return
        say(1, "The console is closed; the server goes on. Ctrl-C stops it.")
    await run_relay(hub, Output(1))
