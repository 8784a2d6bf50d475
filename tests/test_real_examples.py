import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from real import PATIENCE, TRIOCHAT, Peer, member, running_server
from redis_server import needs_redis, running_redis

EXAMPLES = Path(__file__).parent.parent / "examples"
SOURCES = Path(__file__).parent.parent / "src" / "triochat"


def read_conf() -> dict[str, str]:
    """What the example for Redis sets."""
    lines = (EXAMPLES / "triochat-redis.conf").read_text().splitlines()
    return {
        name: rest for name, _, rest in (line.partition(" ") for line in lines) if name[:1] > "#"
    }


def test_the_echo_bot_answers_on_a_live_server() -> None:
    """The bot greets who comes in, repeats a whisper, and leaves at Ctrl-C."""
    with running_server() as server:
        with subprocess.Popen(
            [sys.executable, EXAMPLES / "echo_bot.py", "127.0.0.1", str(server.port)],
            stdout=subprocess.PIPE,
            text=True,
        ) as bot:
            server.wait_line("echo joined")
            ann = Peer(server.port)
            ann.type("Ann")
            assert ann.line() == "* Server connected. You are Ann. 2 here: Ann, echo"
            assert ann.line().startswith("echo> hello Ann!")
            ann.type("marco > echo")
            assert ann.line() == "[echo -> you] you said: marco"
            bot.send_signal(signal.SIGINT)
            assert bot.communicate(timeout=PATIENCE)[0] == "bye\n"
        ann.close()


def test_the_log_follower_on_a_live_server(tmp_path: Path) -> None:
    """Each line that is added to the file is said, as it stands."""
    log = tmp_path / "deploy.log"
    log.write_text("old\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (
        running_server() as server,
        subprocess.Popen(
            [EXAMPLES / "tail_to_room.sh", log, "127.0.0.1", str(server.port)],
            env={**os.environ, "PATH": path},
            start_new_session=True,
        ) as follower,
    ):
        server.wait_line("logbot joined")
        with log.open("a") as file:
            file.write("deployed > prod\n/var/log is full\n")
        assert server.wait_line("(logbot>.*)") == "logbot> deployed > prod"
        assert server.wait_line("(logbot>.*)") == "logbot> /var/log is full"
        os.killpg(follower.pid, signal.SIGINT)
        follower.wait(PATIENCE)


def test_the_example_of_a_test_passes() -> None:
    """The example of testing a bot without a socket is itself a test that passes."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


def test_the_rights_in_redis_are_the_least() -> None:
    """Whoever is triochat there may say what triochat says there, and nothing else."""
    said = re.findall(r"redis\.call\('(\w+)'", (SOURCES / "redis_scripts.py").read_text())
    said += re.findall(r'\(b"(?!COUNT)([A-Z]+)"', (SOURCES / "streams.py").read_text())
    rights = read_conf()["user"].partition("-@all ")[2].split()
    assert sorted(rights) == sorted({f"+{name.lower()}" for name in said})


@needs_redis
def test_the_conf_for_redis(tmp_path: Path) -> None:
    """Servers that are let in by it share a room, keep snapshots, and mend what was lost."""
    often = "import triochat.sharing\ntriochat.sharing.SNAPSHOT = 0.5, 5\n"
    (tmp_path / "sitecustomize.py").write_text(often)
    command = ["env", f"PYTHONPATH={tmp_path}", *TRIOCHAT, "server", "0"]
    with running_redis(certificate=None, **read_conf()) as redis:
        url = redis.url.replace("//", "//triochat:change-this@")
        options = ["--redis", url, "--name", "standup"]
        with (
            running_server(*options, command=command) as one,
            running_server(*options, command=command) as two,
        ):
            ann, bob = member(one.port, "Ann"), member(two.port, "Bob")
            ann.type("hello")
            assert bob.line() == "Ann> hello"
            end = time.monotonic() + PATIENCE
            while "cmdstat_xtrim" not in redis.cli("INFO", "commandstats"):
                assert time.monotonic() < end
            redis.cli("FLUSHALL")
            bob.type("still here")
            ann.wait_line("Bob> still here")
            assert (one.stop(), two.stop()) == (0, 0)
        assert redis.cli("ACL", "LOG") == ""


@needs_redis
def test_the_containers(tmp_path: Path) -> None:
    """The commands in them start a Redis, and servers that share a room through it."""
    text = (EXAMPLES / "compose.yaml").read_text()
    found = re.search(r"command: redis-server --(.*)", text)
    assert found
    options = dict(option.split() for option in found[1].split(" --"))
    [server] = re.findall(r"command: triochat server 9999 (.*)", text)
    with running_redis(certificate=None, **options) as redis:
        command = ["env", f"TRIOCHAT_REDIS={redis.url}", *TRIOCHAT, "server", "0"]
        with running_server(*server.split(), command=command) as one:
            assert one.said[0].startswith("Sharing the room standup through Redis at ")
