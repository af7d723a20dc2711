"""Compile native/cpu.cpp once per machine into the user's cache, and load it.

Not at installation: the environment of a Snakemake job holds the pinned packages and runs this folder's source, so an
extension module built by pip would be missing there. The library is plain C behind ctypes (no Python headers), made for
any x86-64 and choosing AVX2 when it runs, so machines of a cluster may share the cache, also those without a compiler.
"""

from contextlib import suppress
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
import tempfile

from drr.files import replacing

NATIVE = Path(__file__).parent / "native"
FLAGS = ["-O3", "-std=c++17", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-fno-exceptions"]


@cache
def library() -> ctypes.CDLL | str:
    """The loaded library, or one line that says why there is none."""
    try:
        return _loaded(_folder()) or _built(_folder())
    except _MissingError as error:
        return str(error)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return f"{what}: set CXX to a compiler, DRR_CACHE to a folder"


class _MissingError(Exception):
    """There can be no library; the message is one line for people."""


def _loaded(folder: Path) -> ctypes.CDLL | None:
    """A library of this source that is whole and that this machine can load; damaged ones are deleted."""
    for path in sorted(folder.glob(f"cpu-{_key()}-*.so")):
        if not path.stem.endswith(_hash(path.read_bytes())):
            path.unlink(missing_ok=True)
            continue
        with suppress(OSError):  # of a machine with a newer C library
            return ctypes.CDLL(str(path))
    return None


def _built(folder: Path) -> ctypes.CDLL:
    """Compile and load. The name holds the content's hash, so that a damaged file is known before it is loaded."""
    made = _compiled(_compiler())
    path = folder / f"cpu-{_key()}-{_hash(made)}.so"
    with replacing(path) as part, part.open("wb") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    return ctypes.CDLL(str(path))


def _compiled(compiler: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "cpu.so"
        done = subprocess.run(
            [*compiler, *FLAGS, str(NATIVE / "cpu.cpp"), "-o", str(made)], capture_output=True, text=True
        )
        if done.returncode:
            said = done.stderr.strip() or f"exit code {done.returncode}"
            raise _MissingError(f"{shlex.join(compiler)} fails ({said.splitlines()[0]})")
        return made.read_bytes()


def _key() -> str:
    """Another source or machine makes another file. Not another compiler: a node may have none, and uses the file."""
    texts = [file.read_bytes() for file in sorted(NATIVE.glob("*.[hc]*"))]
    words = [platform.system(), platform.machine(), *FLAGS]
    return hashlib.sha256(b"\0".join([*texts, *(word.encode() for word in words)])).hexdigest()[:16]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _folder() -> Path:
    if named := os.environ.get("DRR_CACHE"):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drr"
    except RuntimeError:  # neither HOME nor an entry of this user in the system's table
        raise _MissingError("this user has no home folder: set DRR_CACHE to a folder") from None


def _compiler() -> list[str]:
    """Command of a C++ compiler; the ziglang package of PyPI carries one for machines that have none."""
    if named := os.environ.get("CXX"):
        try:
            return shlex.split(named)
        except ValueError as error:
            raise _MissingError(f"CXX {named!r} is no command ({error}): mend it, or unset it") from None
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    # Its `c++` would first compile a C++ library, for minutes; the source needs none.
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise _MissingError("no C++ compiler on this machine (CXX, c++, g++, clang++): install g++")


if __name__ == "__main__":
    built = library()
    sys.exit(f"error: {built}" if isinstance(built, str) else 0)
