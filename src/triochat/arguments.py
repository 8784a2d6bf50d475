"""What can be said on the command line: every command with its options, checks and help."""

import argparse
import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from triochat import __version__
from triochat.addresses import HOME, any_port_of, split_address
from triochat.process import deliver, say

LEVELS = ("debug", "info", "warning", "error")

_EPILOG = """\
examples:
  triochat server 9999                            open a room
  triochat client 9999                            join it from this machine
  triochat client 192.168.1.7 9999                or from another one
  triochat send 9999 --handle cron "backup done"  say one thing
  triochat tail 9999 --handle log --json          print what is said

"triochat COMMAND --help" tells more about each.
"""

_SERVER = """\
examples:
  triochat server 9999                          on this machine only
  triochat server 9999 --host 0.0.0.0           for other machines too
  triochat server 0 --headless --log-file log   any free port, no operator

A terminal on standard input is the operator's; without one the server only
shows, with times, and forwards. Ctrl-C or SIGTERM says good-bye to everybody
and ends it; after SIGTERM terminals come back as soon as there is a server.

exit codes:
  0  stopped as asked
  1  it cannot listen there, or cannot log
  2  wrong arguments
  130 a second Ctrl-C
"""

_CLIENT = """\
examples:
  triochat client 9999
  triochat client 192.168.1.7 9999 --handle Jimmy
  triochat client fd00::7 9999
  tail -f deploy.log | triochat client 9999 --handle deploybot

\\help in the room lists what can be typed there. Where standard input is no
terminal each of its lines is a message; see also "triochat send" and "tail".

exit codes:
  0  all went well
  1  it could not be done, or not all was delivered; also Ctrl-C while it tries
     to come back to a server that is lost
  2  wrong arguments
  130 Ctrl-C, 143 SIGTERM
"""

_SEND = """\
examples:
  triochat send 192.168.1.7 9999 --handle cron "backup done"
  triochat send 9999 --handle cron --to Ann -- "$MESSAGE"
  df -h | triochat send 9999 --handle df || echo "not delivered"

A first word that is a port, or ends in ":" and a number, is the whole address;
else it is HOST, and the next word PORT. All other words are TEXT.

Each line of standard input is a message as it stands; blank ones are skipped.
Put -- before a TEXT that may start with "-". Nothing is printed but problems,
on standard error; after a line that is refused the others are still sent.

exit codes:
  0  the server has confirmed every message
  1  it could not be done (for example, no triochat server answers there)
  2  wrong arguments
  3  unreachable: nobody listens there, or the host is not known
  4  refused: the handle, or at least one message
  5  lost: the connection ended, or a confirmation took too long
  130 Ctrl-C, 143 SIGTERM
"""

_TAIL = """\
examples:
  triochat tail 192.168.1.7 9999 --handle log
  triochat tail 9999 --handle bot --json | jq --unbuffered -r .text
  triochat tail 9999 --handle bot --count 1

It prints public messages ("Ann> hi") and whispers to it ("[Ann -> you] psst"),
each at once. It ends after N messages, when the server closes, and when nobody
reads its output any more.

exit codes:
  0  ended as above
  1  it could not be done (for example, no triochat server answers there)
  2  wrong arguments
  3  unreachable: nobody listens there, or the host is not known
  4  refused: the handle
  5  lost: the connection ended without a good-bye
  130 Ctrl-C, 143 SIGTERM
"""

_COMPLETION = """\
examples:
  triochat completion zsh > "${fpath[1]}/_triochat"
  triochat completion fish > ~/.config/fish/completions/triochat.fish
  triochat completion bash \\
    > ~/.local/share/bash-completion/completions/triochat

It needs shtab: pip install 'triochat[completion]'

exit codes:
  0  printed
  1  shtab is not installed, or too old
  2  wrong arguments
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options in these arguments (of the process, if None); ends the process if wrong.

    ``command`` is the command's name, ``parser`` its parser; a room to go to is at ``host`` and
    ``port``, and ``text`` is what follows.
    """
    options, rest = build_parser().parse_known_args(arguments)
    if options.command not in ("client", "send", "tail"):
        if rest:
            options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
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
    if options.text and options.command != "send":
        options.parser.error(f"nothing may follow where the room is: {' '.join(options.text)}")
    return options


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; also what completion scripts and a man page are made from."""
    parser = _Parser(
        prog="triochat",
        description="One command opens a chat room, another joins it.",
        epilog=_EPILOG,
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

    _add_server(add("server", "open a room", _SERVER))
    client = add("client", "join a room", _CLIENT)
    _add_words(client, "[options] [HOST] PORT")
    client.add_argument("--handle", **_NAME, help="your name; asked for if left out")
    _add_terminal(client)
    _add_send(add("send", "say something, and wait until the server has confirmed it", _SEND))
    tail = add("tail", "print what is said in a room", _TAIL)
    _add_words(tail, "--handle NAME [options] [HOST] PORT")
    option = tail.add_argument
    option("--handle", **_NAME, required=True, help="who listens")
    option("--json", action="store_true", help="one JSON object a line, as in docs/protocol.md")
    option(
        "--count",
        metavar="N",
        type=partial(_count, what="messages"),
        default=math.inf,
        help="end after this many messages",
    )
    add("completion", "print a script that lets a shell complete", _COMPLETION).add_argument(
        "shell", metavar="SHELL", choices=("bash", "fish", "zsh"), help="bash, fish or zsh"
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, above the usage."""

    def error(self, message: str) -> NoReturn:
        say(2, f"{self.prog}: {message}\n{self.format_usage().rstrip()}")
        self.exit(2)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the process; the help, or the version, may have been printed."""
        super().exit(status or deliver(message or ""))


# ---- the commands


def _add_server(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("port", metavar="PORT", type=any_port_of, help="where to listen; 0 for any free port")
    add("--host", metavar="ADDRESS", default=HOME, help="address to listen on" + _DEFAULT)
    add("--handle", **_NAME, default="Server", help="the operator's name" + _DEFAULT)
    add(
        "--max-clients",
        metavar="N",
        type=partial(_count, what="people"),
        default=1000,
        help="people in the room at once; more wait in line" + _DEFAULT,
    )
    add(
        "--handle-length",
        metavar="N",
        type=partial(_count, what="characters", most=32),
        default=10,
        help="characters in a handle, 1 to 32" + _DEFAULT,
    )
    add("--turns", action="store_true", help="nobody speaks twice in a row")
    add(
        "--burst",
        metavar="N",
        type=partial(_count, what="lines"),
        default=200,
        help="lines that anybody may send at once" + _DEFAULT,
    )
    add(
        "--rate",
        metavar="N",
        type=partial(_count, what="lines", least=0),
        default=20,
        help="lines a second that anybody may send after that; 0 for no limit" + _DEFAULT,
    )
    add("--headless", action="store_true", help="only show and forward; no operator")
    add("--log-level", choices=LEVELS, default="warning", help="what is logged" + _DEFAULT)
    log_file = add("--log-file", metavar="FILE", help="log to FILE (default: standard error)")
    vars(log_file)["complete"] = "file"  # shtab reads it; it is not loaded here
    _add_terminal(parser)


def _add_send(parser: argparse.ArgumentParser) -> None:
    _add_words(
        parser,
        "--handle NAME [options] [HOST] PORT [TEXT...]",
        "; and the message, its words joined by a space (default: each line of standard input)",
    )
    add = parser.add_argument
    add("--handle", **_NAME, required=True, help="who says it")
    add("--to", **_NAME, help="tell this member alone")
    add(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="how long to wait for the connection, for the room (which may be full), and for each "
        "confirmation (default: %(default)g)",
    )


def _add_words(parser: argparse.ArgumentParser, usage: str, text: str = "") -> None:
    """Where the room is, and what follows: `parse` tells which words are which."""
    parser.usage = f"%(prog)s {usage}"
    parser.add_argument(
        "words",
        metavar=usage.partition("[options] ")[2],
        nargs="*",
        help=f"where the room is, also as HOST:PORT; HOST is {HOME} if left out{text}",
    )


def _add_terminal(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--plain", action="store_true", help="only print: no colour, no cursor movement, no redraw")
    add("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    add("--no-history-file", action="store_true", help="do not remember what was typed")


# ---- the checks


def _count(text: str, *, what: str, least: int = 1, most: float = math.inf) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) < _DIGITS
    if not (is_number and least <= int(text) <= most):
        limit = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of {what}; it must be {limit}')
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds above 0')
    return seconds


def _handle(text: str) -> str:
    from triochat.messages import Refused  # noqa: PLC0415  --help is quick without
    from triochat.text import HANDLE_LIMIT, accept_handle  # noqa: PLC0415

    handle = accept_handle(text, HANDLE_LIMIT)  # how many a room allows, the room says
    if isinstance(handle, Refused):
        raise argparse.ArgumentTypeError(handle.text)
    return handle


_NAME: dict[str, Any] = {"metavar": "NAME", "type": _handle}
_DIGITS = 10  # nothing that is counted has as many
_DEFAULT = " (default: %(default)s)"
_FORMATTER = argparse.RawDescriptionHelpFormatter  # leaves the lines of an epilog alone
