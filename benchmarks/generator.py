"""The load generator: compiled from `load.c` when it is needed, run as a process of its own."""

import json
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent

Result = dict[str, float | str]
"""What the generator measured; ``why`` instead if the run was void."""


class NoCompilerError(Exception):
    """There is no C compiler."""


def compile_c(source: Path, folder: Path) -> Path:
    """Compile a C program into this folder; return the program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise NoCompilerError("no C compiler (cc, gcc or clang) is installed")
    program = folder / source.stem
    if not program.exists():
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return program


def generate(folder: Path, **options: str | float) -> Result:
    """Run the load generator with these options (see `load.c`); return its result."""
    program = compile_c(HERE / "load.c", folder)
    words = [f"{key}={value}" for key, value in options.items()]
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=False)
    try:
        result: Result = json.loads(done.stdout)
    except ValueError:
        return {"why": f"the load generator ended with {done.returncode}"}
    return result
