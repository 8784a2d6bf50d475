import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from real import TRIOCHAT, Peer, Server
from screen_reader import Reader, reading_command

FILLS = [" ", "_", ".", "x", "no "]

OURS = re.compile(r"(Ann>|\*|!|\[Ann -> you\])( |$)|  |$")
"""How rows may begin: as Ann's, as the server's, or indented."""


def forge(head: str, fill: str, what: str, columns: int = 80) -> str:
    """A text that leaves the first row full, so that the next may begin with something else."""
    room = columns - len(head)
    return (fill * room)[:room] + what


@contextmanager
def reader_at(command: str, server: Server, state: Path) -> Iterator[Reader]:
    """Jimmy at a terminal of 80 columns, with one of the programs that do not draw."""
    where = ["127.0.0.1", str(server.port)]
    if command == "nc" and not shutil.which("nc"):
        pytest.skip("nc is not installed")
    commands = {
        "nc": ["nc", *where],
        "tail": [*TRIOCHAT, "tail", *where, "--handle", "Jimmy"],
        "plain": [*TRIOCHAT, "client", *where, "--handle", "Jimmy", "--plain"],
    }
    with reading_command(commands[command], state) as reader:
        if command == "nc":
            reader.type("Jimmy\n")
        yield reader


@pytest.mark.parametrize("command", ["nc", "tail", "plain"])
@pytest.mark.parametrize("fill", FILLS)
def test_no_row_reads_like_a_message_of_somebody_else(
    server: Server, ann: Peer, tmp_path: Path, command: str, fill: str
) -> None:
    """Where a terminal breaks a long line, its rest does not begin like Bob's message."""
    with reader_at(command, server, tmp_path) as jimmy:
        ann.wait_line("* Jimmy joined")
        ann.type(forge("Ann> ", fill, "Bob> I quit"))
        ann.type("\\msg Jimmy " + forge("[Ann -> you] ", fill, "[Bob -> you] my password is x"))
        ann.type("done")
        jimmy.wait_for("Ann> done")
        rows = jimmy.everything
        assert not any(re.match(r"Bob> |\[Bob -> you\] ", row) for row in rows), rows
        if command != "nc":
            assert all(OURS.match(row) for row in rows), rows
            text = "".join(row.strip() for row in rows).replace(" ", "")
            assert "Bob>Iquit" in text
