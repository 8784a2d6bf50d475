import os
import signal
import subprocess
import sys
from pathlib import Path

from real import PATIENCE, Peer, running_server

EXAMPLES = Path(__file__).parent.parent / "examples"


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
