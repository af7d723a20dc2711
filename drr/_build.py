"""Compile native/cpu.cpp once per machine into the user's cache, and load it.

Not at installation: the environment of a Snakemake job holds the pinned packages and runs this folder's source, so an
extension module built by pip would be missing there. The library is plain C behind ctypes (no Python headers), made for
any x86-64 and choosing AVX2 when it runs, so machines of a cluster may share the cache.
"""

import ctypes
from functools import cache
import hashlib
from importlib.util import find_spec
import os
from pathlib import Path
import platform
import shlex
import shutil
import subprocess
import sys

from drr.files import replacing

NATIVE = Path(__file__).parent / "native"
FLAGS = ["-O3", "-std=c++17", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-fno-exceptions"]


@cache
def library() -> ctypes.CDLL | str:
    """The loaded library, or one line that says why there is none."""
    compiler = _compiler()
    path = _path(compiler)
    if not path.is_file():
        if not compiler:
            return "no C++ compiler on this machine (CXX, c++, g++, clang++): install g++"
        try:
            _compile(compiler, path)
        except subprocess.CalledProcessError as error:
            return f"{shlex.join(compiler)} fails ({(error.stderr.strip() or str(error)).splitlines()[0]})"
        except OSError as error:
            return f"{error.filename or path.parent}: {error.strerror}: set CXX to a compiler, DRR_CACHE to a folder"
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        return str(error)


def _compile(compiler: list[str], path: Path) -> None:
    with replacing(path) as part:
        command = [*compiler, *FLAGS, str(NATIVE / "cpu.cpp"), "-o", str(part)]
        subprocess.run(command, check=True, capture_output=True, text=True)


def _path(compiler: list[str]) -> Path:
    """Where the library of this source lies: another source or compiler makes another file."""
    texts = [file.read_bytes() for file in sorted(NATIVE.glob("*.[hc]*"))]
    words = [platform.system(), platform.machine(), shlex.join(compiler), *FLAGS]
    key = hashlib.sha256(b"\0".join([*texts, *(word.encode() for word in words)])).hexdigest()[:16]
    folder = os.environ.get("DRR_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drr"
    return Path(folder) / f"cpu-{key}.so"


def _compiler() -> list[str]:
    """Command of a C++ compiler; the ziglang package of PyPI carries one for machines that have none. Or empty."""
    if named := os.environ.get("CXX"):
        return shlex.split(named)
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    # Its `c++` would first compile a C++ library, for minutes; the source needs none.
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else []


if __name__ == "__main__":
    built = library()
    sys.exit(f"error: {built}" if isinstance(built, str) else 0)
