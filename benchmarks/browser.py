"""What a browser feels of a busy room: `python benchmarks/browser.py`.

The page in Chromium, in a room of a thousand scripted browser members who say 300 messages a second
(what they hear is checked as ever: see `load.c`). Needs Playwright and Debian's `chromium`.
Nothing of the page is known here but its roles: labelled fields for handle and message, and a log.
"""

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from generator import Result, generate
from goals import percentile
from lineup import DOORS, run_server
from playwright.sync_api import CDPSession, Locator, Page, sync_playwright
from run import allow_many_files

SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
KEYS = 60
"""Pressed while nothing is said, and as often as there is time while all is."""

WATCH = r"""{
const said = new Map(), watch = window.measured = {joined: 0};
watch.begin = () => Object.assign(watch, {
  lags: [], frames: [], tasks: [], keys: [], heard: 0, began: performance.now()});
watch.begin();
const SAID = /"at":"([^"]+)"[^\n]*?"text":"([0-9a-f]{4} [0-9a-f]{8}) /g;
const SHOWN = /\b([0-9a-f]{4} [0-9a-f]{8}) the quick/g;
window.WebSocket = class extends WebSocket {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", event => {
      if (!watch.joined && event.data.includes('"welcome"'))
        painted(() => watch.joined = performance.now());
      for (const [, at, key] of event.data.matchAll(SAID)) {
        said.set(key, Date.parse(at));
        watch.heard++;
      }
    });
  }
};
function painted(then) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  });
}
function look(changes) {
  const keys = [];
  for (const change of changes)
    for (const node of change.addedNodes)
      for (const [, key] of node.textContent.matchAll(SHOWN))
        if (said.has(key)) keys.push(key);
  if (keys.length) painted(() => {
    for (const key of keys) {
      if (said.has(key)) watch.lags.push(Date.now() - said.get(key));
      said.delete(key);
    }
  });
}
let last = 0;
function turn(now) {
  if (last) watch.frames.push(now - last);
  last = now;
  requestAnimationFrame(turn);
}
requestAnimationFrame(turn);
new PerformanceObserver(list => {
  for (const task of list.getEntries()) watch.tasks.push(task.duration);
}).observe({type: "longtask"});
document.addEventListener("keydown", event => {
  const began = event.timeStamp;
  painted(() => watch.keys.push(performance.now() - began));
}, true);
document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
});
}"""
"""In the page: when it has joined; how late what is said is shown; frames, long tasks and keys."""

ROWS = 'log => Math.max(...[log, ...log.querySelectorAll("*")].map(one => one.childElementCount))'
KINDS = ("task", "script", "layout", "recalcstyle")
"""What Chromium tells of the page's work; the first is all of it."""

SUMS = "() => ({...window.measured, now: performance.now()})"


def main() -> int:
    """Measure, and print it."""
    options = _parse()
    if not (chromium := shutil.which("chromium")):
        sys.exit("chromium is not installed")
    allow_many_files()
    server = next(server for server in DOORS if server.name == "web")
    with (
        tempfile.TemporaryDirectory(prefix="triochat-benchmark-") as name,
        run_server(server, Path(name)) as (port, pid),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES.split())
        page = browser.new_page()
        page.on("pageerror", lambda error: print(f"error in the page: {error}"))
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        tools.send("Emulation.setCPUThrottlingRate", {"rate": options.slower})
        page.add_init_script(WATCH)
        _tell_loading(page, f"http://127.0.0.1:{port}/")
        message = page.get_by_role("textbox", name="message")
        before = _begin(page, tools)
        _type(message, KEYS, time.monotonic() + 60)
        _tell("nothing is said", page, tools, before)
        load = threading.Thread(
            target=_load, args=(Path(name), port, pid, options, results := list[Result]())
        )
        load.start()
        _wait_busy(page, options.rate)
        before = _begin(page, tools)
        _type(message, 1000, time.monotonic() + options.seconds - 2)
        title = f"{options.members:,} members say {options.rate:.0f} messages a second"
        _tell(title, page, tools, before)
        load.join()
        print(f"  rows kept: {page.get_by_role('log').evaluate(ROWS)}")
        _tell_members(results[0])
        browser.close()
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a browser feels of a busy room.")
    add = parser.add_argument
    add("--members", type=int, default=1000, metavar="N", help="browser members (default: 1000)")
    add("--rate", type=float, default=300, metavar="N", help="messages a second (default: 300)")
    add("--seconds", type=float, default=20, metavar="S", help="of talking (default: 20)")
    add("--slower", type=float, default=1, metavar="N", help="slow the page's script so much")
    return parser.parse_args()


def _load(
    folder: Path, port: int, pid: int, options: argparse.Namespace, results: list[Result]
) -> None:
    room = {"members": options.members, "talkers": min(100, options.members)}
    pace = {"rate": options.rate, "seconds": options.seconds, "warmup": 3, "deadline": 100}
    words = {"dialect": "web", "workload": "steady", **room, **pace}
    results.append(generate(folder, port=port, pid=pid, **words))


# ---- the page


def _tell_loading(page: Page, url: str) -> None:
    with urllib.request.urlopen(url) as answer:  # noqa: S310  it is ours
        print(f"the page has {len(answer.read()):,} bytes")
    page.goto(url)
    handle = page.get_by_role("textbox", name="handle")
    handle.fill("me")
    handle.press("Enter")
    while not (joined := page.evaluate("measured.joined")):
        time.sleep(0.01)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    print(f"loaded after {loaded:.0f} ms, joined after {joined:.0f} ms (a handle typed in between)")


def _begin(page: Page, tools: CDPSession) -> dict[str, float]:
    """Measure from here on; what Chromium has done until now."""
    page.evaluate("measured.begin()")
    return _work(tools)


def _work(tools: CDPSession) -> dict[str, float]:
    """Seconds that the page has worked so far, by kind."""
    told = tools.send("Performance.getMetrics")["metrics"]
    return {one["name"].removesuffix("Duration").lower(): one["value"] for one in told}


def _type(message: Locator, most: int, until: float) -> None:
    """Press keys at random moments; a line that has become long is cleared."""
    message.focus()
    for number in range(most):
        if time.monotonic() > until:
            break
        message.press("Backspace" if number % 40 > 19 else "x")
        time.sleep(random.uniform(0.05, 0.25))  # noqa: S311  no secret
    time.sleep(0.2)


def _wait_busy(page: Page, rate: float) -> None:
    """Wait until so much is heard in a second."""
    while True:
        before = page.evaluate("measured.heard")
        time.sleep(1)
        if page.evaluate("measured.heard") - before > rate / 2:
            return


# ---- telling


def _tell(title: str, page: Page, tools: CDPSession, before: dict[str, float]) -> None:
    after = _work(tools)
    sums: dict[str, Any] = page.evaluate(SUMS)
    seconds, tasks = (sums["now"] - sums["began"]) / 1000, sums["tasks"]
    frames, keys, lags = map(_in_ms, (sums["frames"], sums["keys"], sums["lags"]))
    print(f"{title} ({seconds:.0f} s):")
    print(f"  {len(sums['frames']) / seconds:.0f} frames a second; between two: {frames}")
    kinds = {kind: (after[kind] - before[kind]) / seconds for kind in KINDS}
    print(
        f"  at work: {', '.join(f'{kind} {share:.0%}' for kind, share in kinds.items())};", end=" "
    )
    print(f"{len(tasks)} long tasks, the longest {max(tasks, default=0):.0f} ms")
    print(f"  from key to painted: {keys}")
    if heard := sums["heard"]:
        print(f"  heard {heard}, shown {len(sums['lags'])}, from said to painted: {lags}")


def _tell_members(result: Result) -> None:
    if "why" in result:
        print(f"  void: {result['why']}")
        return
    p50, p99 = (float(result[key]) / 1000 for key in ("p50_us", "p99_us"))
    print(f"  until a member has a message: p50 {p50:.1f} ms, p99 {p99:.1f}", end="; ")
    print(f"server load {result['server_load']}, generator load {result['generator_load']}")


def _in_ms(values: list[float]) -> str:
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return f"p50 {p50:.0f} ms, p99 {p99:.0f}, most {max(values, default=0):.0f}"


if __name__ == "__main__":
    sys.exit(main())
