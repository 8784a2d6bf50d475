"""A token is the key of a seat: a real server writes it nowhere, however it is said."""

import json
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from real import Peer, running_server

OWN = secrets.token_urlsafe(16)
ODD = "odd" + secrets.token_urlsafe(12)[:12]
WRONG = secrets.token_urlsafe(16)


def join(port: int, token: str, **fields: Any) -> list[dict[str, Any]]:  # noqa: ANN401  any JSON
    """Join with this token; what is heard until the pong."""
    peer = Peer(port)
    peer.ask({"type": "join", "handle": "Ann", "token": token, **fields})
    peer.ask({"type": "ping"})
    heard = [peer.event()]
    while heard[-1]["type"] != "pong":
        heard.append(peer.event())
    return heard


@pytest.mark.parametrize("options", [(), ("--log-format", "json")])
def test_a_token_stands_in_no_log_and_no_file(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Whose it is, who has a wrong one, one that is none, and one that the server made."""
    file = tmp_path / "room.db"
    with running_server("--history", str(file), "--log-level", "debug", *options) as server:
        assert join(server.port, OWN)[0]["token"] == OWN
        assert join(server.port, ODD)[0]["code"] == "bad-request"
        assert join(server.port, WRONG)[0]["code"] == "handle-taken"
        assert join(server.port, OWN, after=1)[0]["resumed"]
        broken = Peer(server.port)
        broken.type(json.dumps({"type": "join", "handle": "Bob", "token": OWN})[:-1])
        assert broken.event()["code"] == "bad-request"
        typed = Peer(server.port)
        typed.type(OWN)
        assert typed.line().startswith("!")
        made = join(server.port, "", handle="Eve")[0]["token"]
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("room.db*"))
        server.stop()
        assert server.process.stdout
        assert server.process.stderr
        log = server.process.stdout.read() + server.process.stderr.read()
    left = b"".join(path.read_bytes() for path in tmp_path.glob("room.db*"))
    assert re.search("joined", log), "there is a log"
    assert sha256(OWN.encode()).hexdigest().encode() in kept, "its hash is kept"
    for token in (OWN, ODD, WRONG, made):
        assert token not in log
        assert token.encode() not in kept + left
