import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the load generator is written in C"
)


def measure(script: str, *words: str) -> str:
    """Run a benchmark; what it prints."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_large_history_costs_can_be_measured() -> None:
    """A file is made, a server reads it, and all that is wanted of it is found."""
    told = measure("million.py", "--messages", "3000", "--runs", "1", "--seconds", "0.5")
    assert "3,000 messages written" in told
    assert r"\find a common word from one author" in told
    assert "times that without" in told


def test_what_a_history_costs_a_message_can_be_measured() -> None:
    """Commits, messages one by one, and commands are timed, in memory and with a file."""
    told = measure("confirmation.py", "--runs", "1", "--seconds", "0.5", "--sends", "1")
    rows = [line for line in told.splitlines() if line.startswith("triochat --history ")]
    assert len(rows) == 2, told
    assert "%" in rows[0]


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_what_a_browser_feels_of_a_busy_room_can_be_measured() -> None:
    """A page joins, keys are pressed, and all that is said while they are is shown."""
    told = measure("browser.py", "--members", "5", "--rate", "20", "--seconds", "4")
    assert "5 members say 20 messages a second" in told
    counts = re.search(r"heard (\d+), shown (\d+),", told)
    assert counts, told
    assert int(counts[2]) > int(counts[1]) / 2 > 0
    assert "until a member has a message" in told


needs_redis = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="redis-server is not installed"
)


@needs_redis
def test_what_it_costs_to_share_a_room_can_be_measured() -> None:
    """One message at a time, and as many as there can be, with one server and with two."""
    told = measure("shared.py", "--quick", "--seconds", "0.3", "--only", "one-10", "halved")
    assert "void" not in told
    rows = [line for line in told.splitlines() if line.startswith("two servers")]
    assert len(rows) == 5, told  # a heading, and once more beside something else each
    assert told.count("pub/sub, two servers") == 1


@needs_redis
def test_what_limits_a_room_on_many_servers_can_be_measured(tmp_path: Path) -> None:
    """Each part is measured, and what follows for many servers goes into a page."""
    page = tmp_path / "scaling.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    measure("scaling.py", "--quick", "--runs", "1", "--seconds", "0.3", "--write", str(page))
    written = page.read_text()
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "\nold\n" not in written
    assert re.search(r"\| 1,000 \| 1,000,000 \| [\d,]+ \|", written), written


def test_the_load_generator_is_not_fooled() -> None:
    """Servers that lose, double, change or reorder a message are found out; also in frames."""
    told = measure("check_generator.py")
    assert "no fault in frames" in told
    assert "FOOLED" not in told
