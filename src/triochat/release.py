"""The release: which code decides what a room makes of what it is asked.

Two servers agree where this is the same, whatever else has changed between their versions.
"""

import ast
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

DECIDING = "room", "entries", "snapshots"
"""The modules that decide; with them all that they import."""

DESCRIBED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
"""What may begin with a docstring."""


def rules() -> str:
    """Eight digits, another eight for code that may decide otherwise. It takes a tenth of a second.

    What is only said to readers (comments, docstrings, how lines are broken) does not count. That
    the table of characters differs from one Python to the next does, and so does its grammar.
    """
    digest = sha256(f"{sys.version_info[:2]} {unicodedata.unidata_version}".encode())
    for name, tree in sorted(_closure(DECIDING).items()):
        digest.update(f"{name} {meaning(tree)}".encode())
    return digest.hexdigest()[:8]


def meaning(tree: ast.Module) -> str:
    """What code says to who runs it. Its docstrings are removed from the tree."""
    for node in _defining(tree):
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree)


def _closure(names: Iterable[str]) -> dict[str, ast.Module]:
    """These modules of this package, and all of it that they import."""
    trees: dict[str, ast.Module] = {}
    wanted = [*names]
    while wanted:
        name = wanted.pop()
        if name not in trees:
            path = Path(__file__).parent / f"{name.replace('.', '/')}.py"
            trees[name] = tree = ast.parse(path.read_bytes())
            wanted += _imported(tree)
    return trees


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            if package == "triochat":
                yield from [module] if module else [alias.name for alias in node.names]


def _defining(
    tree: ast.Module,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """What may have a docstring in it, and it itself."""
    nodes: list[ast.AST] = [tree]
    for node in nodes:
        if isinstance(node, DESCRIBED):
            yield node
            nodes += node.body
