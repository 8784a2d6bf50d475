"""Fuzz the entries by coverage: `python tests/fuzz.py hear_cut --seconds 300`.

It needs atheris (`pip install atheris`), which is for this script alone. What it finds is written
as `crash-...` into the folder that `--corpus` names, with all that brought it further; it belongs
into `FOUND` of `test_fuzz.py`, as a test that fails before its bug is mended.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEEDS = (
    b'\x20{"type":"join","handle":"Ann"}\n{"type":"say","text":"hi"}\n{"type":"quit"}\n',
    b"\x07Ann\nhello\npsst > Bob\n?\n\\nick Cid\n\\quit\n",
    b"\x05GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x07HEAD / HTTP/1.1\r\nHost: [::1]:9999\r\nOrigin: http://x\r\nCookie: a\r\n\r\n",
    (
        b"\x0bGET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        b'\x01\x8f\0\0\0\0{"type":"join",\x89\x82\0\0\0\0hi\x80\x8f\0\0\0\0"handle":"Ann"}'
        b'\x81\x9f\0\0\0\0{"type":"typed","line":"hello"}\x88\x82\0\0\0\0\x03\xe8'
    ),
    (
        b"\x0dCAP LS 302\r\nNICK Ann\r\nUSER a 0 * :A\r\nCAP REQ :server-time echo-message\r\n"
        b"CAP END\r\nWHO #room\r\nPRIVMSG #room :\x01ACTION waves\x01\r\nNICK Bob\r\n"
        b"@+x=y :Ann PRIVMSG Bob,#room :\x0304red\r\nMODE #room +mb-o *!*@x Bob\r\nQUIT\r\n"
    ),
    b"\x05nick Ann\nuser a a a a\nTOPIC #room :\nKICK #room Ann :why\nNAMES\nBACK 3\nPART #room\n",
    b"\x40\x17\x03\x03\x00\x14" + bytes(20),
    b"\x10\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    (
        b'\xff{"type":"welcome","handle":"Joe","server":"S","roster":["Joe"],"last":4}\n'
        b'{"type":"said","id":5,"at":"2026-01-02T03:04:05.678Z","handle":"Ann","text":"hi"}\n'
        b'{"type":"renamed","handle":"Joe","new":"Jo"}\n{"type":"roster","handles":["Jo"]}\n'
        b'{"type":"left","handle":"Ann","reason":"quit"}\n{"type":"closing","reason":"bye"}\n'
    ),
)


def main() -> int:
    """Run what the command line asks for, until something is found or the time is over."""
    parser = argparse.ArgumentParser(description="Fuzz one entry by coverage.")
    parser.add_argument("entry", help="the name of a function in entries.py")
    parser.add_argument("--seconds", type=int, default=300, help="how long (default: 300)")
    parser.add_argument(
        "--corpus", type=Path, help="a folder for what is found (default: a new one)"
    )
    options = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["triochat", "entries"]):
        entries: dict[str, Callable[[bytes], None]] = importlib.import_module("entries").ENTRIES
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="triochat-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={options.seconds}", "-max_len=2000", "-rss_limit_mb=1000"]
    kept = [f"-artifact_prefix={corpus}/", "-timeout=20", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *kept, str(corpus)], entries[options.entry])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
