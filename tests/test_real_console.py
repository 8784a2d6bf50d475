import re
import subprocess
from itertools import takewhile

import pytest

from real import TRIOCHAT, Peer, exit_code, spawn
from triochat.invitation import all_addresses, picture


def test_an_evening_at_the_console() -> None:
    """The operator greets, whispers, lists, kicks, ends every connection, and stops the server."""
    child = spawn("server", "0")
    child.expect("nc 127.0.0.1 (\\d+)")
    assert isinstance(child.match, re.Match)
    port = int(child.match[1])
    child.expect("Server>")
    jimmy, joe = Peer(port), Peer(port)
    jimmy.type("Jimmy")
    jimmy.wait_line("* Server connected. You are Jimmy. 2 here: Jimmy, Server")
    child.expect("Jimmy joined")
    joe.type("Joe")
    jimmy.wait_line("* Joe joined")
    jimmy.type("Me first!")
    child.expect("Joe joined")
    child.expect("Me first!")
    child.send("My turn\r")
    jimmy.wait_line("Server> My turn")
    child.send("psst > jimmy\r")
    jimmy.wait_line("[Server -> you] psst")
    child.send("?\r")
    child.expect("3 here: Jimmy, Joe, Server")
    child.send("\\kick Joe enough\r")
    joe.wait_line("* Server closed the connection: kicked: enough")
    jimmy.wait_line("* Joe left (kicked: enough)")
    child.send("\\quit\r")
    child.expect(f"all clients disconnected; still listening on port {port}")
    jimmy.wait_line("* Server closed the connection: the operator ended the chat")
    jimmy.close()
    joe.close()
    back = Peer(port)
    back.type("Jimmy")
    back.wait_line("* Server connected. You are Jimmy. 2 here: Jimmy, Server")
    child.send("\x03")
    back.wait_line("* Server closed the connection: shutting down")
    back.close()
    assert exit_code(child) == 0


def test_a_closed_console_leaves_a_relay() -> None:
    """After Ctrl-D at the console the server goes on, shows the room, and Ctrl-C stops it."""
    child = spawn("server", "0")
    child.expect("nc 127.0.0.1 (\\d+)")
    assert isinstance(child.match, re.Match)
    port = int(child.match[1])
    child.expect("Server>")
    child.send("\x04")
    child.expect("The console is closed; the server goes on")
    ann = Peer(port)
    ann.type("Ann")
    ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
    child.expect("Ann joined")
    ann.close()
    child.send("\x03")
    assert exit_code(child) == 0


def test_headless_takes_no_part() -> None:
    """With --headless there is no operator, also at a terminal."""
    child = spawn("server", "0", "--headless")
    child.expect("nc 127.0.0.1 (\\d+)")
    assert isinstance(child.match, re.Match)
    ann = Peer(int(child.match[1]))
    ann.type("Ann")
    ann.wait_line("* Server connected. You are Ann. 1 here: Ann")
    child.expect("Ann joined")
    ann.close()
    child.send("\x03")
    assert exit_code(child) == 0


def test_phones_see_the_way_at_a_terminal_alone() -> None:
    """What a pipe gets has no picture; at a terminal it stands above a console that works."""
    if not all_addresses():
        pytest.skip("this machine has no address but its own")
    command = "server", "0", "--host", "0.0.0.0", "--no-tls"  # noqa: S104
    with subprocess.Popen(
        [*TRIOCHAT, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        lines = [*takewhile("Ctrl-C stops the server.\n".__ne__, server.stdout)]
        server.terminate()
    assert not any("\x1b" in line for line in lines)
    assert any(line.startswith("  http://") for line in lines)
    child = spawn(*command)
    child.expect(r"  (http://\S+)\r\n")
    assert isinstance(child.match, re.Match)
    drawn = "\r\n".join(picture(child.match[1]))
    child.expect("Ctrl-C stops the server")
    assert drawn in str(child.before)
    child.expect("Server>")
    child.send("?\r")
    child.expect("1 here: Server")
    child.send("\x03")
    assert exit_code(child) == 0
