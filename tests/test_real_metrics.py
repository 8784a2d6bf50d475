import re
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from real import PATIENCE, TRIOCHAT, free_port, member, run, running_server


@pytest.mark.parametrize("where", ["{}", "127.0.0.1:{}", "localhost:{}", ":{}"])
def test_prometheus_is_answered(where: str) -> None:
    """With a real GET, while people chat; and a stop does not wait for it."""
    port = free_port()
    with running_server("--metrics", where.format(port)) as server:
        ann = member(server.port, "Ann")
        browser = HTTPConnection("localhost", port, timeout=PATIENCE)
        browser.request("GET", "/metrics")
        with browser.getresponse() as response:
            page = response.read().decode()
        browser.close()
        families = {family.name: family for family in text_string_to_metric_families(page)}
        assert [sample.value for sample in families["triochat_members"].samples] == [1]
        idle = HTTPConnection("localhost", port, timeout=PATIENCE)
        idle.connect()
        ann.close()
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 5
        idle.close()


def test_where_they_are_is_told() -> None:
    """Also where any free port was asked for."""
    server = subprocess.Popen(
        [*TRIOCHAT, "server", "0", "--metrics", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with server:
        assert server.stdout
        told = re.fullmatch(
            r"Metrics are at (http://127\.0\.0\.1:\d+/metrics)\n", server.stdout.readline()
        )
        assert told
        with urlopen(told[1], timeout=PATIENCE) as response:  # noqa: S310
            assert b"triochat_info" in response.read()
        server.terminate()


@pytest.mark.parametrize(
    ("endpoint", "code", "problem"),
    [
        ("x", 2, 'argument --metrics: "x" is not a port; a port is a number, 0 to 65535'),
        ("localhost:", 2, 'argument --metrics: "" is not a port'),
        ("192.0.2.1:0", 1, "triochat: cannot listen on 192.0.2.1 port 0: "),
    ],
)
def test_metrics_that_cannot_be(endpoint: str, code: int, problem: str) -> None:
    """Where they cannot be had the server says why, and does not start."""
    done = run("server", "0", "--metrics", endpoint)
    assert done.returncode == code
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_library(tmp_path: Path) -> None:
    """Who has not installed it is told how to; who does not ask for metrics does not need it."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    command = ["env", f"PYTHONPATH={tmp_path}", *TRIOCHAT, "server", "0"]
    with running_server(command=command) as server:
        assert server.stop() == 0
    done = subprocess.run(
        [*command, "--metrics", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    problem = "metrics need prometheus-client; to install it: pip install 'triochat[metrics]'"
    assert (done.returncode, done.stderr) == (1, f"triochat: {problem}\n")
