import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import triochat

PACKAGE = Path(triochat.__file__).parent

PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"


def read_house() -> tuple[list[set[str]], int]:
    """The rows of the house as the page shows it, top to bottom, and how many are above the line.

    Each row stands on a line of its own; the first nine columns say what part of the house it is.
    """
    _, _, plan = PAGE.read_text(encoding="utf-8").partition("## The house\n\n```\n")
    lines = plan.partition("```")[0].splitlines()
    [line] = [number for number, text in enumerate(lines) if text.startswith("---")]
    return [set(text[9:].split()) for text in lines if not text.startswith("---")], line


HOUSE, LINE = read_house()
"""The rows, and the number of those that may import trio; `triochat` itself is the house's face,
and loads on demand."""

GROUND = set().union(*HOUSE[LINE:])
DOORS = {"__main__", "cli", "commands"}
SHELLS = {"server", "connect", "console", "metrics", "sockets", "invitation", "service"}
SOCKETS = {"SocketStream", "SocketListener", "socket", "serve_tcp"}

FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""The files of the package, by their module's name inside it (``room``, ``dialects.plain``)."""

MODULES = [name for name in FILES if name != "__init__"]


@cache
def tree_of(module: str) -> ast.Module:
    """The module's syntax."""
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def row_of(module: str) -> int:
    """How many rows stand above this module's."""
    [row] = [row for row, names in enumerate(HOUSE) if module.split(".", maxsplit=1)[0] in names]
    return row


def imported_by(nodes: list[ast.AST]) -> set[str]:
    """The full names that these import statements name, as far as they may be modules."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def house_imports(module: str, nodes: list[ast.AST]) -> set[str]:
    """The modules of the package among what is imported, but for the module itself."""
    inside = {name.removeprefix("triochat.") for name in imported_by(nodes)}
    return (inside & set(MODULES)) - {module}


def all_nodes(module: str) -> list[ast.AST]:
    """All of the module's nodes, so that imports inside functions count as well."""
    return list(ast.walk(tree_of(module)))


def roots(module: str) -> set[str]:
    """The packages that a module imports anything from, anywhere."""
    return {name.split(".")[0] for name in imported_by(all_nodes(module))}


def names_of(module: str) -> set[str]:
    """The names that a module calls, and the attributes that it uses, dotted."""
    found: set[str] = set()
    for node in all_nodes(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    return found


def test_every_module_has_its_row() -> None:
    """Each file of the package stands in exactly one row of the house, and no row is empty."""
    assert {name.split(".")[0] for name in MODULES} == set().union(*HOUSE)
    assert sum(map(len, HOUSE)) == len(set().union(*HOUSE))


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    """A module imports only from the rows below its own; a folder may import its own files."""
    folder = module.split(".", maxsplit=1)[0]
    others = {name for name in house_imports(module, all_nodes(module)) if name != folder}
    upward = {
        name for name in others if row_of(name) <= row_of(module) and name.split(".")[0] != folder
    }
    assert upward == set()


OUTSIDE = [name for name in MODULES if not name.startswith("dialects")]


@pytest.mark.parametrize("module", OUTSIDE)
def test_no_module_asks_which_door_it_is(module: str) -> None:
    """Outside of `dialects` nobody knows those of browsers and IRC, or tells speakers apart."""
    theirs = r"triochat\.dialects\.(?!(?:base|hello|ndjson|plain)\.)\w+\.\w*Speaker"
    assert not [name for name in imported_by(all_nodes(module)) if re.fullmatch(theirs, name)]
    text = FILES[module].read_text(encoding="utf-8")
    assert not re.findall(
        r"isinstance\([^)]*Speaker|dialect (?:is(?: not)?|==|in) [A-Z(\"]|dialect\.name (?:==|in) ",
        text,
    )


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] in GROUND])
def test_the_ground_imports_no_trio(module: str) -> None:
    """The ground imports nothing that knows trio, and of this package only the ground."""
    assert roots(module) & {"trio", "anyio", "asyncio", "socket", "prompt_toolkit"} == set()
    inside = {name.split(".")[0] for name in house_imports(module, all_nodes(module))}
    assert inside - GROUND == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[0] in GROUND])
def test_the_ground_is_synchronous(module: str) -> None:
    """The ground neither waits nor asks what time it is."""
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert [node for node in all_nodes(module) if isinstance(node, waits)] == []
    assert roots(module) & {"time", "random", "threading", "os"} == set()


def test_there_are_no_import_cycles() -> None:
    """The modules can be loaded in an order in which each finds what it imports."""
    waiting = {module: house_imports(module, list(tree_of(module).body)) for module in MODULES}
    while waiting:
        ready = {module for module, wanted in waiting.items() if not wanted & set(waiting)}
        assert ready != set(), f"a cycle among {sorted(waiting)}"
        waiting = {module: wanted for module, wanted in waiting.items() if module not in ready}


def test_the_package_loads_nothing_of_itself() -> None:
    """Importing the package alone loads none of its parts."""
    assert house_imports("__init__", list(tree_of("__init__").body)) == set()


@pytest.mark.parametrize("module", [name for name in FILES if name not in DOORS])
def test_only_the_doors_print_or_exit(module: str) -> None:
    """Only the command line prints, and only it ends the process."""
    ends = {"sys.exit", "os._exit", "os.abort", "exit", "quit", "SystemExit"}
    assert names_of(module) & {"print", "input", *ends} == set()


@pytest.mark.parametrize("module", [name for name in FILES if name not in SHELLS])
def test_only_the_shells_know_sockets(module: str) -> None:
    """Sockets are opened, accepted and looked at in the shells alone; the rest sees streams."""
    used = {name.removeprefix("trio.") for name in names_of(module) if name.startswith("trio.")}
    assert used & SOCKETS == set()
    assert {name for name in used if name.startswith("open_tcp_")} == set()
    assert "socket" not in roots(module)


@pytest.mark.parametrize("module", [name for name in FILES if name != "streams"])
def test_only_streams_knows_coredis(module: str) -> None:
    """What is not shared between servers runs where it is not installed."""
    assert roots(module) & {"coredis", "anyio"} == set()


def test_the_ground_runs_without_trio() -> None:
    """Whoever uses the ground alone loads neither trio nor rich."""
    ground = [f"triochat.{name}" for name in MODULES if name.split(".")[0] in GROUND]
    program = (
        f"import {', '.join(ground)}, sys; print(sorted({{'trio', 'rich'}} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_clients_load_nothing_of_the_doors() -> None:
    """What reads HTTP and WebSocket, and the page, are the server's alone."""
    program = (
        "import triochat.commands, triochat.chat, triochat.program, triochat.script, sys;"
        "print(sorted({'h11', 'websockets', 'triochat.page'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
