"""How the cost of a delivery grows: `python benchmarks/growth.py`, with triochat alone.

Two tables in Markdown: one message at a time in rooms of different size, and a room of a hundred in
which one talker has different numbers of messages on their way at once, which the server batches.
Figures are medians of three rounds of a second. A minute or two; leave the machine alone.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

from generator import generate
from lineup import LINEUP, Server, run_server
from run import allow_many_files
from workloads import Options

ROUNDS = 3
ROOMS = (2, 10, 30, 100, 300, 1000)
WINDOWS = (1, 4, 16, 64, 256)


def main() -> int:
    """Measure both, and print them."""
    allow_many_files()
    server = next(server for server in LINEUP if server.name == "triochat")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| members | CPU us a message | a delivery |\n| ---: | ---: | ---: |")
        for members in ROOMS:
            cost = _cost(server, folder, workload="one", members=members, talkers=min(10, members))
            print(f"| {members:,} | {cost * members:,.0f} | {cost:.2f} |", flush=True)
        print("\n| messages at once | CPU us a message | a delivery |\n| ---: | ---: | ---: |")
        for window in WINDOWS:
            cost = _cost(
                server, folder, workload="saturated", members=100, talkers=1, window=window
            )
            print(f"| {window} | {cost * 100:.0f} | {cost:.2f} |", flush=True)
    return 0


def _cost(server: Server, folder: Path, **options: str | float) -> float:
    """The server's CPU time per delivery, in microseconds."""
    return median(_run(server, folder, options | {"seconds": 1}) for _ in range(ROUNDS))


def _run(server: Server, folder: Path, options: Options) -> float:
    with run_server(server, folder) as (port, pid):
        result = generate(folder, port=port, pid=pid, dialect=server.dialect, **options)
    if "why" in result:
        sys.exit(f"void: {result['why']}")
    return float(result["cpu_us"])


if __name__ == "__main__":
    sys.exit(main())
