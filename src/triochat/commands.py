"""The commands of a client: what stands on the command line is done with the standard streams."""

import argparse
import getpass
import logging
import math
import os
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from triochat.circle import Circle
from triochat.connect import are_here, circle_of, known_hosts, reason_of
from triochat.exceptions import RemoteProtocolError, UnreachableError, UntrustedError
from triochat.passwords import OVERHEARD, Secret
from triochat.person import Person
from triochat.process import deliver, fail, say, take_password
from triochat.program import Client
from triochat.script import Delivery, Outcome, Result, Visit, one_message, tail
from triochat.signals import until_signal
from triochat.terminals.pipe import InputLines, Output, Writer, read, wait_unread
from triochat.terminals.standard import folded, open_terminal
from triochat.text import accept_handle
from triochat.trust import server_at

log = logging.getLogger(__name__)

# ---- client


async def run_client(options: argparse.Namespace) -> int:
    """Chat until it ends by itself or by a signal."""
    if options.handle is None and not os.isatty(0):
        options.parser.error("--handle NAME is needed where the input is no terminal")
    circle = _circle_of(options)
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
        stream = await circle()
        async with open_terminal(options) as terminal:
            person = Person(
                terminal,
                circle,
                options.handle or "",
                offered_handle(),
                Secret(password, warning),
            )
            return 0 if await person.run(stream) else 1

    async def leave() -> bool:
        return person is not None and await person.interrupt()

    code = await _attempt(partial(until_signal, chat, leave), circle, unreachable=1)
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
        output = folded(output)

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
    circle = _circle_of(options)
    try:
        password = take_password(options.password_file)
    except ValueError as error:
        return fail(str(error))
    if password and _is_exposed(options):
        say(2, f"triochat: {OVERHEARD}")
    visit = Visit(circle, options.handle, patience, password)

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
            fail(f"{circle.where}: {result.problem}")
        return result.outcome

    return await _attempt(
        partial(until_signal, run, leave), circle, unreachable=Outcome.UNREACHABLE
    )


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


def _circle_of(options: argparse.Namespace) -> Circle:
    """How these options say to connect, each time."""
    return circle_of(
        options.addresses,
        fingerprint=options.fingerprint,
        insecure=options.insecure,
        tell=lambda words: say(2, f"triochat: {words}"),
    )


def _is_exposed(options: argparse.Namespace) -> bool:
    """Whether what is said can be read on its way, as these options want it."""
    return options.insecure and not are_here(options.addresses)


async def _attempt(act: Callable[[], Awaitable[int]], circle: Circle, *, unreachable: int) -> int:
    """Do this, and say so if there is no way to a server of ours; return the exit code."""
    code = unreachable
    try:
        code = await act()
    except* UnreachableError as group:
        fail(f"cannot reach {circle.where}: {reason_of(group)}")
    except* RemoteProtocolError as group:
        code = fail(f"{circle.where}: {reason_of(group)}")
    except* UntrustedError as group:
        fail(f"{circle.where}: {reason_of(group)}")
        code = Outcome.UNREACHABLE  # what is there is not who is meant
    return code


COMMANDS = {
    "client": run_client,
    "send": run_send,
    "tail": run_tail,
    "forget": run_forget,
}
