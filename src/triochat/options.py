"""The options of each command: what stands in its help, and what they are if left out."""

import argparse
import math
from functools import partial
from typing import Any

from triochat import values
from triochat.addresses import HOME, any_port_of
from triochat.process import PASSWORD, REDIS

_NAME: dict[str, Any] = {"metavar": "NAME", "type": values.handle}
_DEFAULT = " (default: %(default)s)"


def add_server(parser: argparse.ArgumentParser) -> None:
    """Of who opens a room."""
    add = parser.add_argument
    add("port", metavar="PORT", type=any_port_of, help="where to listen; 0 for any free port")
    add("--host", metavar="ADDRESS", default=HOME, help="address to listen on" + _DEFAULT)
    _add_room(parser)
    _add_limits(parser)
    _add_tls(parser)
    _add_web(parser)
    _add_password(parser, "nobody joins without the password in the first line of FILE")
    add("--headless", action="store_true", help="only show and forward; no operator")
    text = f"tell Prometheus at http://{HOME}:PORT/metrics how the server does; 0 for any free port"
    add("--metrics", metavar="[HOST:]PORT", type=values.endpoint, help=text)
    _add_file(parser, "--state", "keep bans, mutes and the topic in FILE, over a restart")
    _add_keeping(parser)
    _add_past(parser)
    _add_sharing(parser)
    _add_log(parser)
    _add_terminal(parser)


def _add_room(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--handle",
        **_NAME,
        default="Server",
        help="the server's name, and that of who sits there" + _DEFAULT,
    )
    add(
        "--max-clients",
        metavar="N",
        type=partial(values.count, what="people"),
        default=1000,
        help="people in the room at once; more wait in line" + _DEFAULT,
    )
    add(
        "--handle-length",
        metavar="N",
        type=partial(values.count, what="characters", most=32),
        default=10,
        help="characters in a handle, 1 to 32" + _DEFAULT,
    )
    add("--turns", action="store_true", help="nobody speaks twice in a row")
    what = "what the room is called (default: as the file of --history, or room)"
    add("--name", metavar="NAME", type=values.room, help=what)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--burst",
        metavar="N",
        type=partial(values.count, what="lines"),
        default=200,
        help="lines that anybody may send at once" + _DEFAULT,
    )
    add(
        "--rate",
        metavar="N",
        type=partial(values.count, what="lines", least=0),
        default=20,
        help="lines a second that anybody may send after that; 0 for no limit" + _DEFAULT,
    )
    add(
        "--idle",
        metavar="MINUTES",
        type=partial(values.duration, unit="m"),
        default=math.inf,
        help="put out who says nothing for so long; also as 90s, 2h or 1d (default: never)",
    )


def _add_keeping(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = "keep what is said, and what --state keeps, in FILE; members come back after a restart"
    _add_file(parser, "--history", what)
    text = "normal is quicker; the last moments may be lost when the power fails"
    add("--history-sync", choices=("full", "normal"), default="full", help=text + _DEFAULT)
    add(
        "--keep",
        metavar="DURATION",
        type=values.duration,
        default=math.inf,
        help="keep messages in FILE for so long, as 90s, 5m, 2h or 30d (default: for ever)",
    )
    add(
        "--keep-max",
        metavar="N",
        type=partial(values.count, what="messages"),
        default=math.inf,
        help="keep the newest N messages in FILE (default: all)",
    )


def _add_past(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--replay",
        metavar="N",
        type=partial(values.count, what="messages", least=0, most=1000),
        default=20,
        help="past messages that people see when they join; half of them with nc" + _DEFAULT,
    )
    add(
        "--grace",
        metavar="SECONDS",
        type=partial(values.duration, least=0.0),
        default=10.0,
        help="nobody hears of a lost connection for so long (default: %(default)g)",
    )
    add(
        "--hold",
        metavar="DURATION",
        type=partial(values.duration, least=0.0),
        default=600.0,
        help="who has lost the connection may come back for so long (default: 10m)",
    )


def _add_sharing(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group()
    text = "share the room with all servers that have the same Redis and --name; as redis://HOST"
    either.add_argument("--redis", metavar="URL", help=text)
    text = f"its URL is the first line of FILE, which ps does not show; or, without both, {REDIS}"
    _add_file(either, "--redis-file", text)


def _add_log(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    levels = ("debug", "info", "warning", "error")
    add("--log-level", choices=levels, default="warning", help="what is logged" + _DEFAULT)
    _add_file(parser, "--log-file", "log to FILE (default: standard error)")
    text = "how a line of the log is written: for people, or as a JSON object"
    add("--log-format", choices=("text", "json"), default="text", help=text + _DEFAULT)


def _add_tls(parser: argparse.ArgumentParser) -> None:
    text = "the server's certificate, PEM, instead of the one that it makes; read again at SIGHUP"
    _add_file(parser, "--tls-cert", f"{text} where there is no terminal")
    _add_file(parser, "--tls-key", "its key, PEM, without a password")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--require-tls", action="store_true", help="from other machines only encrypted: no nc"
    )
    how.add_argument("--no-tls", action="store_true", help="nothing is encrypted")


def _add_web(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--no-web", action="store_true", help="no page and no WebSocket for browsers")
    add(
        "--web-name",
        metavar="NAME",
        dest="web_names",
        action="append",
        default=[],
        type=values.host,
        help="a name by which browsers find this machine, beside its addresses and its own name; "
        "may be given again",
    )


def _add_file(parser: argparse._ActionsContainer, name: str, text: str) -> None:
    option = parser.add_argument(name, metavar="FILE", type=values.file, help=text)
    vars(option)["complete"] = "file"  # shtab reads it; it is not loaded here


def _add_password(parser: argparse.ArgumentParser, text: str) -> None:
    _add_file(parser, "--password-file", f"{text}; without it {PASSWORD} counts, if it is set")


def add_client(parser: argparse.ArgumentParser) -> None:
    """Of who joins one."""
    _add_words(parser, "[options] [HOST] PORT")
    parser.add_argument("--handle", **_NAME, help="your name; asked for if left out")
    _add_also(parser)
    _add_trust(parser)
    _add_terminal(parser)


def add_send(parser: argparse.ArgumentParser) -> None:
    """Of who says something in one."""
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
        type=values.duration,
        default=10.0,
        help="how long to wait for the connection, for the room (which may be full), and for each "
        "confirmation (default: %(default)g)",
    )
    _add_also(parser)
    _add_trust(parser)


def add_tail(parser: argparse.ArgumentParser) -> None:
    """Of who listens there."""
    _add_words(parser, "--handle NAME [options] [HOST] PORT")
    add = parser.add_argument
    add("--handle", **_NAME, required=True, help="who listens")
    add("--json", action="store_true", help="one JSON object a line, as in docs/protocol.md")
    add(
        "--count",
        metavar="N",
        type=partial(values.count, what="messages"),
        default=math.inf,
        help="end after this many messages",
    )
    _add_also(parser)
    _add_trust(parser)


def add_forget(parser: argparse.ArgumentParser) -> None:
    """Of who forgets a key."""
    _add_words(parser, "[options] [HOST] PORT")


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Of who wants a script for a shell."""
    parser.add_argument(
        "shell", metavar="SHELL", choices=("bash", "fish", "zsh"), help="bash, fish or zsh"
    )


def add_history(parser: argparse.ArgumentParser) -> None:
    """Of who looks into a file."""
    add = parser.add_argument
    _add_file(parser, "file", "what the server was given as --history")
    add(
        "--last",
        metavar="N",
        type=partial(values.count, what="messages"),
        default=math.inf,
        help="only the newest N of them (default: all)",
    )
    add("--find", metavar="WORDS", type=values.words, help="only those with all these words")
    add("--from", **_NAME, dest="author", help="only what NAME has said")
    add(
        "--since",
        metavar="WHEN",
        type=values.since,
        help="only what was said since then: 30m, 2h, 2d, 2026-01-02 or 2026-01-02T21:07",
    )
    add("--json", action="store_true", help="one JSON object a line, as in docs/protocol.md")


def _add_words(parser: argparse.ArgumentParser, usage: str, text: str = "") -> None:
    """Where the room is, and what follows: `parse` tells which words are which."""
    parser.usage = f"%(prog)s {usage}"
    parser.add_argument(
        "words",
        metavar=usage.partition("[options] ")[2],
        nargs="*",
        help=f"where the room is, also as HOST:PORT; HOST is {HOME} if left out{text}",
    )


def _add_also(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--also",
        metavar="HOST:PORT",
        action="append",
        default=[],
        type=values.address,
        help="another server of the same room, to go to when one is not there, is lost, or stops; "
        "may be given again",
    )


def _add_trust(parser: argparse.ArgumentParser) -> None:
    add = parser.add_mutually_exclusive_group().add_argument
    add(
        "--fingerprint",
        metavar="SHA256:...",
        type=values.fingerprint,
        help="what the server printed: talk to it alone, and encrypt, also on this machine",
    )
    add("--insecure", action="store_true", help="do not encrypt, also to other machines")
    _add_password(parser, "the room's password is the first line of FILE")


def _add_terminal(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--plain", action="store_true", help="only print: no colour, no cursor movement, no redraw")
    add("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    add("--no-history-file", action="store_true", help="do not remember what was typed")
