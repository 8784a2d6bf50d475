"""The load generator: compiled from `load.c` when it is needed, run as a process of its own."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent

Result = dict[str, float | str]
"""What the generator measured; ``why`` instead if the run was void."""


class NoCompilerError(Exception):
    """There is no C compiler."""


def compile_c(source: Path, folder: Path, *flags: str) -> Path:
    """Compile a C program into this folder; return the program."""
    program = folder / source.stem
    if not program.exists():
        subprocess.run([_find_compiler(), "-O2", "-o", program, source, *flags], check=True)
    return program


def compile_generator(folder: Path) -> Path:
    """Compile the generator into this folder, if need be, with TLS if that can be; return it."""
    flags = ["-DWITH_TLS", "-lssl", "-lcrypto"] if can_encrypt() else []
    return compile_c(HERE / "load.c", folder, *flags)


@cache
def can_encrypt() -> bool:
    """Whether OpenSSL's headers are here."""
    words = [_find_compiler(), "-E", "-include", "openssl/ssl.h", "-x", "c", "/dev/null"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _find_compiler() -> str:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise NoCompilerError("no C compiler (cc, gcc or clang) is installed")
    return compiler


def generate(folder: Path, **options: str | float) -> Result:
    """Run the load generator with these options (see `load.c`); return its result."""
    program = compile_generator(folder)
    words = [f"{key}={value}" for key, value in options.items()]
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=False)
    try:
        result: Result = json.loads(done.stdout)
    except ValueError:
        return {"why": f"the load generator ended with {done.returncode}"}
    return result
