"""Compare chat servers: `python benchmarks/run.py` runs every workload on every server.

Servers take turns within each round, so that whatever drifts on the machine hits all alike; the
figures are medians of the rounds. A run in which other programs took much of the machine is tried
again. Needs a C compiler; servers that are not installed are skipped.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from generator import NoCompilerError, Result, compile_generator, generate
from lineup import (
    DOORS,
    LINEUP,
    DidNotStartError,
    Server,
    other_triochat,
    run_server,
    why_skipped,
)
from report import (
    BEGIN,
    END,
    Results,
    draw_plot,
    has_place_for_tables,
    markdown,
    replace_tables,
    table,
)
from workloads import WORKLOADS, Options, Workload

DISTURBED = 0.15
"""Cores that other programs may use before a run counts as disturbed."""

TRIES = 3
"""Times that a disturbed run is tried."""


def main() -> int:
    """Run what the command line asks for."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    allow_many_files()
    servers, skipped = _choose_servers(options.servers, options.against)
    workloads = [work for work in WORKLOADS if _is_wanted(work, options.only)]
    if not servers or not workloads:
        sys.exit("nothing to run; see --help")
    with tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name:
        folder = Path(name)
        try:
            compile_generator(folder)
        except NoCompilerError as error:
            sys.exit(f"the load generator is written in C, and {error}")
        results = {
            work.name: _measure(work, servers, folder, options.runs, quick=options.quick)
            for work in workloads
        }
    if options.write:
        _write(options.write, workloads, servers, results, skipped)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare chat servers.")
    add = parser.add_argument
    add("--quick", action="store_true", help="short runs: see whether it works")
    add("--only", nargs="+", metavar="WORKLOAD", help="workloads, or how their names start")
    names = ", ".join(server.name for server in LINEUP)
    doors = ", ".join(server.name for server in DOORS)
    add("--servers", nargs="+", metavar="SERVER", help=f"{names}; and, only if named, {doors}")
    add("--against", metavar="PYTHON", help="an interpreter that has another triochat")
    add("--runs", type=int, metavar="N", help="rounds (default: 3; with --quick 1)")
    add("--write", type=Path, metavar="FILE.md", help="write the tables there, a plot beside it")
    options = parser.parse_args()
    if options.write and (options.quick or options.only or options.servers or options.against):
        parser.error(
            "--write replaces all tables: it needs all servers and workloads, and no other"
        )
    if options.write and not has_place_for_tables(options.write):
        parser.error(f"{options.write} has no place for tables between {BEGIN} and {END}")
    options.runs = options.runs or (1 if options.quick else 3)
    return options


def _choose_servers(
    wanted: list[str] | None, against: str | None
) -> tuple[list[Server], dict[str, str]]:
    """The servers that take part, and why others do not."""
    lineup = (*LINEUP, *(other_triochat(against) if against else ()))
    if wanted:
        lineup += DOORS
    if unknown := set(wanted or ()) - {server.name for server in lineup}:
        sys.exit(f"unknown server: {', '.join(sorted(unknown))}")
    chosen = [server for server in lineup if not wanted or server.name in wanted]
    skipped = {server.title: why for server in chosen if (why := why_skipped(server))}
    for title, why in skipped.items():
        print(f"{title}: skipped, {why}")
    return [server for server in chosen if server.title not in skipped], skipped


def _is_wanted(workload: Workload, wanted: Iterable[str] | None) -> bool:
    return not wanted or any(workload.name.startswith(name) for name in wanted)


def allow_many_files() -> None:
    """A connection is a file: raise the limit as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- measuring


def _measure(
    workload: Workload, servers: list[Server], folder: Path, runs: int, *, quick: bool
) -> dict[str, Result]:
    """Put the servers through a workload in turns; return each one's medians."""
    rounds: dict[str, list[Result]] = {server.name: [] for server in servers}
    for number in range(1 if workload.once else runs):
        for server in servers:
            _progress(f"{workload.title}, round {number + 1}: {server.title}")
            rounds[server.name].append(_run(workload, server, folder, quick=quick))
    _progress("")
    merged = {name: merge(results) for name, results in rounds.items()}
    print(table(workload, servers, merged), flush=True)
    return merged


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _run(workload: Workload, server: Server, folder: Path, *, quick: bool) -> Result:
    merged: Result = {}
    for prefix, options in workload.parts.items():
        result = _try(server, folder, _fit(options | (workload.quick if quick else {})))
        if "why" in result:
            merged.setdefault("why", result["why"])
        merged |= {f"{prefix}{key}": value for key, value in result.items()}
        merged["other_load"] = max(float(result.get("other_load", 0)), _other_load(merged))
    return merged


def _fit(options: Options) -> Options:
    """The same with no more members than there may be open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return options | {"members": min(int(options["members"]), hard - 200)}


def _try(server: Server, folder: Path, options: Options) -> Result:
    """Run once; again if other programs disturbed it. The run that was disturbed least counts."""
    results: list[Result] = []
    for _ in range(TRIES):
        wait_quiet()
        results.append(_run_once(server, folder, options))
        if _other_load(results[-1]) < DISTURBED:
            break
    return min(results, key=_other_load)


def _other_load(result: Result) -> float:
    return float(result.get("other_load", 0))


def _run_once(server: Server, folder: Path, options: Options) -> Result:
    try:
        with run_server(server, folder) as (port, pid):
            return generate(folder, port=port, pid=pid, **server.speaks, **options)
    except DidNotStartError as error:
        return {"why": str(error)}


def wait_quiet(patience: float = 30.0) -> None:
    """Wait until nobody else uses the machine much, but not for ever."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before = _busy()
        time.sleep(0.3)
        if _busy() - before < DISTURBED * 0.3 * os.sysconf("SC_CLK_TCK"):
            return


def _busy() -> int:
    """What all processors have done so far, in ticks."""
    user, nice, system, _, _, irq, soft, *_ = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, soft)))


def merge(results: list[Result]) -> Result:
    """Medians of the rounds that were not void; why, if all were."""
    valid = [result for result in results if "why" not in result] or results[:1]
    return {key: _median([result[key] for result in valid if key in result]) for key in valid[0]}


def _median(values: list[float | str]) -> float | str:
    numbers = [value for value in values if not isinstance(value, str)]
    return median(numbers) if numbers else values[0]


# ---- writing


def _write(
    page: Path,
    workloads: list[Workload],
    servers: list[Server],
    results: Results,
    skipped: dict[str, str],
) -> None:
    text = [markdown(work, servers, results[work.name]) for work in workloads]
    text += [f"{title}: skipped, {why}.\n" for title, why in skipped.items()]
    replace_tables(page, "\n".join(text))
    print(f"written: {page}")
    plot = page.with_suffix(".svg")
    if draw_plot(plot, workloads, servers, results):
        print(f"written: {plot}")
    else:
        print("no plot: matplotlib is not installed, or nothing saturated was run")


if __name__ == "__main__":
    sys.exit(main())
