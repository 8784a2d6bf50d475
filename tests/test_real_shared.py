import os
import platform
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from real import PATIENCE, TRIOCHAT, Peer, Server, free_port, run, running_server
from redis_server import RedisServer, needs_redis, running_redis
from triochat.sanctions import Rulings, dump

NAMED = "--name", "standup"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One that is empty."""
    with running_redis() as redis:
        yield redis


def by(redis: RedisServer) -> list[str]:
    """The options of a server that shares a room there."""
    return ["--redis", redis.url, *NAMED]


def join(server: Server, handle: str, **more: int) -> Peer:
    """A member that speaks NDJSON; its welcome is still to be read."""
    peer = Peer(server.port)
    peer.ask({"type": "join", "handle": handle, "token": handle[0] * 22, **more})
    return peer


def until(peer: Peer, kind: str) -> dict[str, object]:
    """The next event of this kind."""
    while (event := peer.event())["type"] != kind:
        pass
    return event


# ---- one room


@needs_redis
def test_two_servers_are_one_room(redis: RedisServer) -> None:
    """Members of both hear the same, in one order."""
    with running_server(*by(redis)) as one, running_server(*by(redis)) as two:
        ann = join(one, "Ann")
        assert until(ann, "welcome")["room"] == "standup"
        bob = join(two, "Bob")
        assert until(bob, "welcome")["roster"] == ["Ann", "Bob"]
        for number in range(50):
            ann.ask({"type": "say", "text": f"ann {number}"})
            bob.ask({"type": "say", "text": f"bob {number}"})
        heard = [[until(peer, "said") for _ in range(100)] for peer in (ann, bob)]
        assert heard[0] == heard[1]
        said = {str(event["text"]) for event in heard[0]}
        assert said == {f"{name} {number}" for name in ("ann", "bob") for number in range(50)}


@needs_redis
def test_a_server_says_with_whom_it_shares(redis: RedisServer) -> None:
    """Which room, through which Redis, as whom, and who the others are; then it invites."""
    with running_server(*by(redis)) as one, running_server(*by(redis)) as two:
        names = [f"{platform.node()}:{each.port}" for each in (one, two)]
        where = f"Sharing the room standup through Redis at 127.0.0.1 port {redis.port}, as "
        assert one.said[0] == f"{where}{names[0]}; no other servers"
        assert two.said[0] == f"{where}{names[1]}; 1 other server: {names[0]}"
        assert two.said[1] == f"Listening on 127.0.0.1 port {two.port}. To join, run either of:"


@needs_redis
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_was_on_a_server_that_stops_comes_back_on_another(
    redis: RedisServer, number: signal.Signals
) -> None:
    """However it is stopped, the room goes on: with its token a member is where it was."""
    with running_server(*by(redis)) as one, running_server(*by(redis)) as two:
        ann, bob = join(one, "Ann"), join(two, "Bob")
        ann.ask({"type": "say", "text": "before"})
        last = until(ann, "said")["id"]
        assert isinstance(last, int)
        one.process.send_signal(number)
        assert until(ann, "closing")["retry"] is True
        ann.close()
        assert one.process.wait(PATIENCE) == 0
        bob.ask({"type": "say", "text": "meanwhile"})
        again = join(two, "Ann", after=last)
        welcome = until(again, "welcome")
        assert (welcome["resumed"], welcome["roster"]) == (True, ["Ann", "Bob"])
        assert until(again, "said")["text"] == "meanwhile"
        two.process.send_signal(signal.SIGINT)
        assert "retry" not in until(bob, "closing")  # nobody else has the room


@needs_redis
def test_a_client_goes_to_another_server(redis: RedisServer) -> None:
    """One that knows both loses nothing, and says all, when the first is stopped."""
    with running_server(*by(redis)) as one, running_server(*by(redis)) as two:
        bob = join(two, "Bob")
        client = [*TRIOCHAT, "client", str(one.port), "--also", f"127.0.0.1:{two.port}"]
        with subprocess.Popen(
            [*client, "--handle", "Ann"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as ann:  # fmt: skip
            assert ann.stdin
            assert until(bob, "joined")["handle"] == "Ann"
            ann.stdin.write("before\n")
            ann.stdin.flush()
            assert until(bob, "said")["text"] == "before"
            one.process.kill()
            ann.stdin.write("after\n")
            ann.stdin.flush()
            assert until(bob, "said")["text"] == "after"
            _, errors = ann.communicate(timeout=PATIENCE)
            assert (ann.returncode, errors) == (0, "")


@needs_redis
def test_what_the_first_server_has_kept_holds_for_all(redis: RedisServer, tmp_path: Path) -> None:
    """Rulings from a file are the room's where that is begun, and not where it is there already."""
    options = []
    for topic in ("tea", "coffee"):
        rulings = Rulings()
        rulings.topic = topic
        state = tmp_path / topic
        state.write_bytes(dump(rulings, 0))
        options.append([*by(redis), "--state", str(state)])
    with running_server(*options[0]), running_server(*options[1]) as two:
        assert until(join(two, "Ann"), "welcome")["topic"] == "tea"


@needs_redis
def test_what_was_said_before_it_was_shared_is_kept(redis: RedisServer, tmp_path: Path) -> None:
    """A room that was on one server, with a history, goes on as one on several."""
    kept = ("--history", str(tmp_path / "standup.history"))
    with running_server(*NAMED, *kept) as before:
        ann = join(before, "Ann")
        ann.ask({"type": "say", "text": "long ago"})
        said = until(ann, "said")
        before.stop()
    with running_server(*by(redis), *kept), running_server(*by(redis)) as two:
        bob = join(two, "Bob", history=20)
        assert until(bob, "said") == said
        bob.ask({"type": "say", "text": "now"})
        assert until(bob, "said")["text"] == "now"


# ---- no


@needs_redis
def test_a_server_that_does_not_agree_does_not_start(redis: RedisServer, tmp_path: Path) -> None:
    """It says which option is another one; of passwords it says none."""
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("sesame")
    so = "start this server the same way, or share another --name, or stop all others first"
    with running_server(*by(redis), "--max-clients", "500"):
        for options, says in {
            (): "this room has --max-clients 500, not 1000",
            ("--max-clients", "500", "--turns"): "this room has no --turns",
            ("--max-clients", "500", "--password-file", str(secret)): "this room has no password",
        }.items():
            done = run("server", "0", *by(redis), *options)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == f"triochat: {says}; {so}\n"
        with running_server("--redis", redis.url, "--name", "lunch"):
            pass


@needs_redis
def test_a_room_can_be_changed_and_forgotten(redis: RedisServer) -> None:
    """When all have stopped the next one may be set up otherwise, and finds who was there."""
    with running_server(*by(redis)) as one:
        ann = join(one, "Ann")
        until(ann, "welcome")
        ann.ask({"type": "say", "text": "before"})
        last = until(ann, "said")["id"]
        assert isinstance(last, int)
        one.stop()
    with running_server(*by(redis), "--turns") as one:
        assert until(join(one, "Ann", after=last), "welcome")["resumed"] is True
        one.stop()
    text = (Path(__file__).parent.parent / "docs" / "operating.md").read_text()
    [keys] = re.findall("`redis-cli unlink (.*?)`", text)
    assert redis.cli("unlink", *shlex.split(keys)) == "2"
    with running_server(*by(redis)) as one:
        assert until(join(one, "Ann", after=last), "welcome")["resumed"] is False


@needs_redis
def test_no_two_have_one_name(redis: RedisServer) -> None:
    """Two servers of one machine have two ports; one that has the same says so."""
    with running_server(*by(redis)) as one:
        done = run("server", str(one.port), "--host", "127.0.0.2", *by(redis))
    assert done.returncode == 1
    name = re.escape(f"{platform.node()}:{one.port}")
    assert re.match(f"triochat: another server shares this room as {name}; ", done.stderr)


@needs_redis
def test_another_release_does_not_start(redis: RedisServer, tmp_path: Path) -> None:
    """Where the code that decides is another one, both are named."""
    (tmp_path / "sitecustomize.py").write_text(
        "import triochat.release\ntriochat.release.DECIDING = ('room',)\n"
    )
    with running_server(*by(redis)):
        done = subprocess.run(
            [*TRIOCHAT, "server", "0", *by(redis)], env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    says = r"triochat: the servers of this room run another release \(rules (\w{8}), not (\w{8})\)"
    found = re.match(says, done.stderr)
    assert found, done.stderr
    assert found[1] != found[2]
    assert done.returncode == 1


@needs_redis
def test_a_server_that_cannot_go_on_ends_with_a_sentence(redis: RedisServer) -> None:
    """What it finds was written by another release: its members may come back, and it says why."""
    with running_server(*by(redis)) as server:
        ann = join(server, "Ann")
        until(ann, "welcome")
        redis.cli("XADD", "triochat:{standup}:order", "*", "data", "?")
        assert until(ann, "closing")["retry"] is True
        ann.close()
        assert server.process.wait(PATIENCE) == 1
        assert server.process.stderr
        assert re.fullmatch(r"triochat: .* another release: .*\n", server.process.stderr.read())


def test_a_server_without_a_redis_says_so() -> None:
    """In one line without the user and the password."""
    port = free_port()
    done = run("server", "0", "--redis", f"redis://joe:sesame@127.0.0.1:{port}", *NAMED)
    assert done.returncode == 1
    assert done.stderr.startswith(f"triochat: Redis at 127.0.0.1 port {port}: ")
    assert (done.stderr.count("\n"), done.stdout) == (1, "")
    assert not re.search("joe|sesame", done.stderr)


@needs_redis
@pytest.mark.parametrize("way", ["option", "file", "variable"])
def test_nobody_is_shown_the_password_of_a_redis(tmp_path: Path, way: str) -> None:
    """Neither in what the server says nor in its log, whatever goes wrong."""
    file = tmp_path / "redis"
    file.touch(0o600)
    with running_redis(requirepass="sesame") as redis:
        for password, code in {"sesame": 0, "open-sesame": 1}.items():
            url = redis.url.replace("//", f"//default:{password}@")
            file.write_text(url)
            given = {"option": ["--redis", url], "file": ["--redis-file", str(file)]}
            command = [
                *TRIOCHAT,
                "server",
                "0",
                *NAMED,
                "--log-level",
                "debug",
                *given.get(way, []),
            ]
            process = subprocess.Popen(
                command,
                env=os.environ | ({"TRIOCHAT_REDIS": url} if way == "variable" else {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            said = ""
            assert process.stdout
            while code == 0 and "Ctrl-C" not in said:
                said += process.stdout.readline()
            if code == 0:
                redis.cli("CLIENT", "KILL", "TYPE", "normal")
                process.send_signal(signal.SIGTERM)
            said += "".join(process.communicate(timeout=PATIENCE))
            assert process.returncode == code
            assert "sesame" not in said
            assert ("wants another password" in said) == bool(code)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--redis", "redis://h"), "--redis needs --name NAME"),
        (("--redis-file", "f"), "--redis-file needs --name NAME"),
        (
            ("--redis", "redis://h", "--redis-file", "f", *NAMED),
            "not allowed with argument --redis",
        ),
    ],
)
def test_what_does_not_go_together(given: tuple[str, ...], says: str) -> None:
    """Two Redis, or one without the name of a room, are wrong arguments; one line says so."""
    done = run("server", "0", *given)
    assert (done.returncode, says in done.stderr.splitlines()[0]) == (2, True)


def test_a_url_that_is_none() -> None:
    """What it looks like is said, and not what was given; an empty one is none either."""
    for url in ("", "http://joe:sesame@localhost", "redis://joe:sesame@localhost:x"):
        done = run("server", "0", "--redis", url, *NAMED)
        assert (done.returncode, "redis://[USER:PASSWORD@]HOST" in done.stderr) == (1, True)
        assert "sesame" not in done.stderr


# ---- who shares nothing


def test_without_coredis(tmp_path: Path) -> None:
    """Who has not installed it is told how to."""
    (tmp_path / "coredis.py").write_text("raise ImportError")
    done = subprocess.run(
        [*TRIOCHAT, "server", "0", "--redis", "redis://127.0.0.1", *NAMED],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    problem = "sharing a room needs coredis; to install it: pip install 'triochat[redis]'"
    assert (done.returncode, done.stderr) == (1, f"triochat: {problem}\n")


def test_a_server_alone_loads_nothing_of_redis() -> None:
    """Neither the library, nor what stands before it here, nor what compares releases."""
    code = "import sys, triochat.serving; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "triochat.sharing" in loaded
    assert not {"coredis", "anyio", "triochat.streams", "triochat.release"} & loaded
