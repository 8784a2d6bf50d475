import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from real import PATIENCE, TRIOCHAT, Peer, Server, member, running_server
from redis_server import needs_redis, running_redis
from tls import Certificate

UNIT = Path(__file__).parent.parent / "examples" / "triochat.service"
SHARED = UNIT.parent / "triochat@.service.d" / "shared.conf"


class Systemd:
    """A service manager that listens."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(address)

    def heard(self) -> list[str]:
        """What it is told next."""
        return self.socket.recv(4096).decode().split("\n")


def started_by(address: str) -> list[str]:
    """The command of a server that is to tell this address."""
    return ["env", f"NOTIFY_SOCKET={address}", *TRIOCHAT, "server", "0"]


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_a_service_manager_is_told(tmp_path: Path, kind: str) -> None:
    """That the server listens, reads again, and stops, each when it is so."""
    name = str(tmp_path / "notify") if kind == "file" else f"@triochat-test-{tmp_path}"
    systemd = Systemd(name.replace("@", "\0", 1))
    with running_server(command=started_by(name)) as server:
        assert systemd.heard() == ["READY=1", f"STATUS=listening on port {server.port}"]
        ann = member(server.port, "Ann")
        server.process.send_signal(signal.SIGHUP)
        reloading, when = systemd.heard()
        assert reloading == "RELOADING=1"
        name, _, microseconds = when.partition("=")
        assert name == "MONOTONIC_USEC"
        assert 0 <= time.monotonic() - int(microseconds) / 1e6 < PATIENCE
        assert systemd.heard() == ["READY=1"]
        server.process.send_signal(signal.SIGTERM)
        assert systemd.heard() == ["STOPPING=1"]
        ann.wait_line("* Server closed the connection: shutting down")
        ann.close()
        assert server.process.wait(PATIENCE) == 0
    systemd.socket.close()


def test_a_service_manager_that_does_not_listen_is_no_trouble(tmp_path: Path) -> None:
    """Where its socket is gone, or takes nothing, the server serves."""
    with running_server(command=started_by(str(tmp_path / "nobody"))) as server:
        member(server.port, "Ann").close()
        assert server.stop() == 0


def test_a_service_keeps_its_key_in_its_folder(tmp_path: Path) -> None:
    """Where systemd has made one the certificate goes there, for its owner alone."""
    folder = tmp_path / "triochat"
    folder.mkdir(mode=0o755)
    command = ["env", f"STATE_DIRECTORY={folder}", *TRIOCHAT, "server", "0", "--host", "0.0.0.0"]  # noqa: S104
    with running_server(command=command):
        assert (folder / "cert.pem").exists()
        assert (folder / "key.pem").stat().st_mode & 0o077 == 0


def test_a_json_log_follows_its_file_and_the_certificate(tmp_path: Path) -> None:
    """At a hang-up the certificate is read again; a moved log goes on; each line is an object."""
    certificate, key = Certificate("localhost").write(tmp_path)
    log, moved = tmp_path / "log", tmp_path / "log.1"
    options = ["--log-format", "json", "--log-level", "info", "--log-file", str(log)]
    options += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with running_server(*options) as server:
        log.rename(moved)
        Certificate("localhost").write(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        ann = member(server.port, "Ann")
        ann.type("\\x")
        ann.line()
        ann.close()
        assert server.stop() == 0
    before, after = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (moved, log)
    )
    [listening] = before
    assert listening["message"] == f"listening on 127.0.0.1 port {server.port}"
    assert {re.sub(r"\d", "0", line["time"]) for line in [*before, *after]} == {
        "0000-00-00T00:00:00.000Z"
    }
    assert [line["message"] for line in after if "address" not in line] == [
        "read the certificate again",
        "stopping: SIGTERM",
        "stopped",
    ]
    [refused] = [line for line in after if line.get("event") == "refused"]
    assert refused["code"] == "unknown-command"
    assert refused["handle"] == "Ann"
    assert refused["address"].startswith("127.0.0.1 port ")


def test_out_of_files_is_said_once_and_survived() -> None:
    """Where members have all files the next ones are told so, and the log in one line."""
    few = f"ulimit -n 60; exec {shlex.join(TRIOCHAT)} server 0"
    with running_server(command=["bash", "-c", few]) as server:
        members = fill(server)
        for _ in range(3):
            assert "no place for more people" in Peer(server.port).line()
        members[0].type("\\quit")
        members[1].wait_line("* p0 left")
        members[0].close()
        end = time.monotonic() + PATIENCE
        while "You are late" not in come(server, "late"):
            assert time.monotonic() < end
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=PATIENCE)
    assert errors.count("nobody new gets in (members have all connections that fit)") == 1
    assert errors.count("\n") == 2  # and that fewer fit than --max-clients


def fill(server: Server) -> list[Peer]:
    """Members, until there is no place for one more."""
    members: list[Peer] = []
    while len(members) < 60:
        peer = Peer(server.port)
        peer.type(f"p{len(members)}")
        if "You are" not in peer.line():
            break
        members.append(peer)
    assert 10 < len(members) < 60
    return members


def come(server: Server, handle: str) -> str:
    """What somebody is told who comes in under this handle."""
    peer = Peer(server.port)
    peer.type(handle)
    return peer.line()


@pytest.mark.parametrize("name", ["triochat.service", "triochat@9999.service"])
def test_the_unit_is_one(tmp_path: Path, name: str) -> None:
    """Systemd understands each line of the examples, and finds little that could do harm."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("there is no systemd here")
    copies = {
        tmp_path / name.replace("9999", ""): UNIT,
        tmp_path / SHARED.parent.name / "it.conf": SHARED,
    }
    for copy, original in copies.items():
        text, count = re.subn(
            r"(?m)^ExecStart=/\S+", f"ExecStart={sys.executable}", original.read_text()
        )
        assert count == 1
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text)
    for check in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(
            [analyze, *check, str(tmp_path / name)],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_unit_starts_what_there_is(tmp_path: Path) -> None:
    """The options that it starts the server with are understood."""
    [command] = re.findall(r"(?m)^ExecStart=\S+ (.*)", UNIT.read_text(encoding="utf-8"))
    name, *options = command.replace("${STATE_DIRECTORY}", str(tmp_path)).split()
    assert name == "server"
    with running_server(*options[1:], command=[*TRIOCHAT, name, "0"]) as server:
        member(server.port, "Ann").close()


@needs_redis
def test_the_unit_of_several_starts_what_there_is() -> None:
    """What stands in its file of variables, and the options, start one that shares its room."""
    text = SHARED.read_text(encoding="utf-8")
    [command] = re.findall(r"(?m)^ExecStart=\S+ (.*)", text)
    [room] = re.findall("ROOM=(.*)", text)
    assert "TRIOCHAT_REDIS=redis://" in text
    _, port, *options = command.replace("${ROOM}", room).split()
    assert port == "%i"
    with running_redis() as redis:
        variable = f"TRIOCHAT_REDIS={redis.url}"
        with running_server(
            *options, command=["env", variable, *TRIOCHAT, "server", "0"]
        ) as server:
            assert server.said[0].startswith(f"Sharing the room {room} through ")
