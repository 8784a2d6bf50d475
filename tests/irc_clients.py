"""Clients of IRC as people use them, run for real."""

import hashlib
import re
import ssl
import subprocess
from pathlib import Path

from guests import AtTerminal, Guest, Running

ROOM = "#room"


class IrcClient(Guest):
    """Somebody at a client of IRC."""

    def whisper(self, to: str, text: str) -> None:
        """Say this to one person."""
        self.type(f"/msg {to} {text}")

    def rename(self, handle: str) -> None:
        """Ask for another nick."""
        self.type(f"/nick {handle}")


class Irssi(IrcClient, AtTerminal):
    """All that comes once it is in stands in one window."""

    program = "irssi"

    def command(self) -> list[str]:
        """It does at its start what is written in a file."""
        where = f"127.0.0.1 {self.port} {self.password or '-'} {self.handle}"
        (self.home / "startup").write_text(
            "/set autocreate_query_level DCCMSGS\n"
            "/set paste_verify_line_count 0\n/set cmd_queue_speed 10msecs\n"
            "/set window_auto_change ON\n/set window_default_level ALL\n/window level NONE\n"
            "/set -clear usermode\n"
            f"/connect {self.options()} {where}\n"
        )
        return [self.program, f"--home={self.home}", "-n", self.handle, "--noconnect"]

    def options(self) -> str:
        """Of `/connect`."""
        return ""

    def is_in(self) -> bool:
        """The bar names the room, of which it knows all by now."""
        is_known = any("was synced" in line for line in self.lines)
        return is_known and f"/{ROOM}" in self.reader.rows[-2]

    def window(self) -> list[str]:
        """Between the bars."""
        return self.reader.rows[1:-2]


class WeeChat(IrcClient, Running):
    """Without its screen: it is told by a pipe what to type, and logs at once what it shows."""

    program = "weechat-headless"

    def command(self) -> list[str]:
        """It does at its start what stands in an argument."""
        (self.home / "fifo.conf").write_text(f'[file]\nenabled = on\npath = "{self.home}/fifo"\n')
        (self.home / "logger.conf").write_text(
            '[look]\nbacklog = 0\n[file]\nflush_delay = 0\ntime_format = ""\ninfo_lines = off\n'
        )
        secret = f"-password={self.password}" if self.password else ""
        options = f"{self.options()} -nicks={self.handle} {secret}"
        options += " -anti_flood_prio_high=0 -anti_flood_prio_low=0"
        orders = f"/server add local 127.0.0.1/{self.port} {options};/connect local"
        return [self.program, "--dir", str(self.home), "--stdout", "-r", orders]

    def options(self) -> str:
        """Of `/server add`."""
        return ""

    def is_in(self) -> bool:
        """There is something of the room."""
        return (self.home / "logs" / f"irc.local.{ROOM}.weechatlog").exists()

    def type(self, line: str) -> None:
        """Into the room's window."""
        _write(self.home / "fifo", f"irc.local.{ROOM} *{line}")

    def look(self) -> None:
        """What it says of the server counts once it knows the room, or is not let in."""
        is_known = any(f"Channel {ROOM}" in line for line in self.lines)
        self.lines += self.new_lines("logs/irc.local.*.weechatlog")
        others = self.new_lines("logs/irc.server.*.weechatlog")
        self.lines += [line for line in others if is_known or line.startswith("=!=")]

    def clean(self, line: str) -> str:
        """As on its screen: a bar behind the name."""
        return " │ ".join(line.removeprefix("\t").split("\t", 1))


class PinnedIrssi(Irssi):
    """Over TLS, to the one certificate that it is told."""

    def options(self) -> str:
        """With the certificate's hash; without the colons it is another one to irssi."""
        return f"-tls -tls_pinned_cert {bytes.fromhex(pin_of(self.port)).hex(':')}"


class PinnedWeeChat(WeeChat):
    """The same."""

    def options(self) -> str:
        """What was `ssl` is `tls` from version 4 on."""
        version = subprocess.check_output([self.program, "--version"], text=True)
        name = "tls" if int(version.split(".")[0]) >= 4 else "ssl"
        return f"-{name} -{name}_fingerprint={pin_of(self.port)}"


def pin_of(port: int) -> str:
    """The SHA-256 of a server's certificate, in hexadecimal, as these clients want it."""
    certificate = ssl.get_server_certificate(("127.0.0.1", port))
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


class Ii(IrcClient, Running):
    """It has no screen at all: a folder for each conversation, with a pipe in and a file out."""

    program = "ii"

    def command(self) -> list[str]:
        """The password comes in the environment."""
        where = ["-s", "127.0.0.1", "-p", str(self.port), "-i", str(self.home)]
        return [self.program, *where, "-n", self.handle, *self.secret()]

    def secret(self) -> list[str]:
        """The option that names the password's variable."""
        return ["-k", "ROOM_PASSWORD"] if self.password else []

    def environment(self) -> dict[str, str]:
        """With the password."""
        return {**super().environment(), "ROOM_PASSWORD": self.password}

    def is_in(self) -> bool:
        """There is a folder of the room."""
        return (self.home / "127.0.0.1" / ROOM / "in").exists()

    def type(self, line: str) -> None:
        """Into the room's folder."""
        _write(self.home / "127.0.0.1" / ROOM / "in", line)

    def whisper(self, to: str, text: str) -> None:
        """To open a conversation and to say something in it is one command."""
        _write(self.home / "127.0.0.1" / "in", f"/j {to} {text}")

    def rename(self, handle: str) -> None:
        """Its own command."""
        _write(self.home / "127.0.0.1" / "in", f"/n {handle}")

    def look(self) -> None:
        """Take in what stands in all folders."""
        self.lines += self.new_lines("127.0.0.1/**/out")

    def clean(self, line: str) -> str:
        """Without the seconds."""
        return line.split(" ", 1)[1]


class Sic(IrcClient, Running):
    """One stream for everything."""

    program = "sic"

    def command(self) -> list[str]:
        """It has few options."""
        secret = ["-k", self.password] if self.password else []
        where = ["-h", "127.0.0.1", "-p", str(self.port)]
        return [self.program, *where, "-n", self.handle, *secret]

    def is_in(self) -> bool:
        """It says so."""
        return any(f"JOIN ({ROOM})" in line for line in self.lines)

    def type(self, line: str) -> None:
        """It must be said each time to whom."""
        super().type(f":m {ROOM} {line}")

    def whisper(self, to: str, text: str) -> None:
        """The same, to one person."""
        super().type(f":m {to} {text}")

    def rename(self, handle: str) -> None:
        """As the protocol has it."""
        super().type(f":NICK {handle}")

    def clean(self, line: str) -> str:
        """Without the date, and what fills up the name."""
        return re.sub(r" *: \d\d/\d\d/\d\d \d\d:\d\d", ":", line)


class Catgirl(IrcClient, AtTerminal):
    """It speaks TLS alone, and trusts the one certificate that it is given."""

    program = "catgirl"
    _has_window = False

    def command(self) -> list[str]:
        """It fetches the certificate itself, which nobody else may do for real."""
        certificate = self.home / "server.pem"
        where = ["-h", "127.0.0.1", "-p", str(self.port)]
        certificate.write_bytes(subprocess.check_output([self.program, "-o", *where]))
        secret = ["-w", self.password] if self.password else []
        return [self.program, *where, "-l", "-t", str(certificate), "-n", self.handle, *secret]

    def is_in(self) -> bool:
        """It knows the room, and is in its window, which takes a key."""
        if not self._has_window and any("arrive" in row for row in self.reader.rows):
            self.reader.type("\x1b1")
            self._has_window = True
        return self._has_window and self.reader.rows[-1].startswith(f"<{self.handle}>")

    def look(self) -> None:
        """It logs what it shows in all windows; at its end it says why."""
        if not self.reader.look():
            self.lines += self.reader.rows
        self.lines += self.new_lines("catgirl/log/**/*.log")

    def clean(self, line: str) -> str:
        """Without the time."""
        return line.split(" ", 1)[1]


def _write(fifo: Path, line: str) -> None:
    with fifo.open("w") as pipe:
        pipe.write(f"{line}\n")
