"""Results as tables, for a terminal and as Markdown, and as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from generator import Result
from lineup import Server
from workloads import Figure, Workload

Results = Mapping[str, Mapping[str, Result]]
"""By workload, then by server."""

DISTURBED = 0.3
"""Cores that other programs used, from which on a row says so."""

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
"""Between these two lines of a page the tables stand."""

COLOURS = {"triochat": "#d7263d", "plain": "#f46036", "limit": "#8a8a8a"}


def table(workload: Workload, servers: Sequence[Server], results: Mapping[str, Result]) -> str:
    """A table for a terminal."""
    rows = _rows(workload, servers, results)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_align, row, widths, range(len(row)))) for row in rows]
    return "\n".join(["", workload.title, *lines, *_notes(servers, results)])


def markdown(workload: Workload, servers: Sequence[Server], results: Mapping[str, Result]) -> str:
    """The same table in Markdown."""
    head, *rows = _rows(workload, servers, results)
    rule = ["---", *("---:" for _ in head[1:])]
    lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
    title = workload.title[0].upper() + workload.title[1:]
    notes = [f"\n{note}" for note in _notes(servers, results)]
    return "\n".join([f"### {title}", "", *lines, *notes, ""])


def has_place_for_tables(page: Path) -> bool:
    """Whether there is such a page, and the two lines in it."""
    return (
        page.is_file() and BEGIN in (text := page.read_text()) and END in text.partition(BEGIN)[2]
    )


def replace_tables(page: Path, tables: str) -> None:
    """Write the tables into a page, in place of those that stand there."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{rest.partition(END)[2]}")


def draw_plot(
    path: Path, workloads: Sequence[Workload], servers: Sequence[Server], results: Results
) -> bool:
    """Plot the saturated workloads; False if that cannot be done."""
    saturated = [work for work in workloads if work.name.startswith("saturated")]
    try:
        from matplotlib import rc_context  # noqa: PLC0415  a table needs none
        from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    except ImportError:
        return False
    if not saturated:
        return False
    rows, columns = (len(saturated) + 1) // 2, min(2, len(saturated))
    with rc_context({"svg.fonttype": "none", "font.size": 8}):
        canvas = Canvas(figsize=(10, rows * (0.6 + 0.2 * len(servers))))
        for place, work in enumerate(saturated, 1):
            axes = canvas.add_subplot(rows, columns, place)
            rates = {
                server: float(rate) / 1e6
                for server in reversed(servers)
                if (rate := results[work.name][server.name].get("rate"))
            }
            colours = [COLOURS.get(server.name, "#4a6fa5") for server in rates]
            bars = axes.barh([server.title for server in rates], [*rates.values()], color=colours)
            axes.bar_label(bars, [f"{rate:,.2g}" for rate in rates.values()], padding=3)
            axes.set_title(work.title.removeprefix("saturated: "), fontsize=9)
            axes.set_xlabel("million deliveries a second")
            axes.margins(x=0.12)
            axes.spines[["top", "right"]].set_visible(False)
        canvas.tight_layout()
        canvas.savefig(path, metadata={"Date": None})
    return True


def _rows(
    workload: Workload, servers: Sequence[Server], results: Mapping[str, Result]
) -> list[list[str]]:
    head = ["server", *(figure.heading for figure in workload.figures)]
    first = results[servers[0].name]
    rows = [
        _row(workload, server, results[server.name], results.get(server.reference, first))
        for server in servers
    ]
    return [head, *rows]


def _row(workload: Workload, server: Server, result: Result, against: Result) -> list[str]:
    cells = [_cell(figure, result, against) for figure in workload.figures]
    disturbed = float(result.get("other_load", 0)) > DISTURBED
    return [f"{server.title} (disturbed)" if disturbed else server.title, *cells]


def _notes(servers: Sequence[Server], results: Mapping[str, Result]) -> list[str]:
    """Why runs are void."""
    there = [(server.title, results[server.name].get("why")) for server in servers]
    return [f"{title}: void, {why}." for title, why in there if why]


def _cell(figure: Figure, result: Result, against: Result) -> str:
    value = result.get(figure.key)
    if not isinstance(value, int | float):
        return "-"
    text = f"{value * figure.scale:,.{figure.digits}f}"
    base = against.get(figure.key)
    if not figure.ratio or not isinstance(base, int | float) or not base:
        return text
    ratio = value / base
    shown = f"{ratio:.2g}" if ratio < 0.995 else f"{ratio:.{0 if ratio >= 9.95 else 1}f}"
    return f"{text} ({shown}x)"


def _align(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
