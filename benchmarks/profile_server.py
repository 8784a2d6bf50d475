"""Where triochat's server spends its time: `python benchmarks/profile_server.py WORKLOAD`.

Runs `triochat server` under cProfile in this process, and the load generator as ever in another,
with one of the workloads of `run.py`; prints the functions that took most. cProfile makes Python
code look slower than it is beside system calls: read shares, not times.
"""

import argparse
import cProfile
import os
import pstats
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator import Result, generate
from lineup import find_free_port, is_listening
from run import allow_many_files
from workloads import WORKLOADS, Options

from triochat.cli import main as triochat


def main() -> int:
    """Profile what the command line asks for."""
    options = _parse()
    allow_many_files()
    workload = next(work for work in WORKLOADS if work.name == options.workload)
    port = find_free_port()
    load: Options = {"port": port, "pid": os.getpid(), "dialect": options.dialect}
    load |= list(workload.parts.values())[-1]
    results: list[Result] = []
    generator = threading.Thread(target=_generate_then_stop, args=(load, results))
    profile = cProfile.Profile()
    with _silenced():
        generator.start()
        words = ["server", str(port), "--headless", "--rate", "0", "--max-clients", "100000"]
        profile.runcall(triochat, words)
        generator.join()
    print(*results)
    pstats.Stats(profile).sort_stats(options.sort).print_stats(options.lines)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Profile triochat's server under a load.")
    names = [work.name for work in WORKLOADS]
    add = parser.add_argument
    add("workload", nargs="?", default=names[0], choices=names, metavar="WORKLOAD")
    add("--dialect", default="ndjson", choices=("ndjson", "plain", "web", "irc-room"))
    add("--sort", default="tottime", choices=("tottime", "cumulative"))
    add("--lines", type=int, default=30, metavar="N", help="of the profile")
    return parser.parse_args()


def _generate_then_stop(load: Options, results: list[Result]) -> None:
    """Load the server in this process as soon as it listens; then stop it, politely."""
    with tempfile.TemporaryDirectory() as folder:
        if is_listening(int(load["port"])):
            results.append(generate(Path(folder), **load))
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _silenced() -> Iterator[None]:
    """Nothing on standard input, and standard output to nowhere, as in `run.py`."""
    null, stdin, stdout = os.open(os.devnull, os.O_RDWR), os.dup(0), os.dup(1)
    os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        for fd in (null, stdin, stdout):
            os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
