"""Which code casts the rays: `numpy` is the plain reference, `cpu` the compiled path, `cuda` the GPU.

Each backend is a module with the same two functions: render and backproject.
"""

from importlib import import_module
import sys
from types import ModuleType

from drr import _cpu, _cupy
from drr.errors import InputError

BACKENDS = {"numpy": "drr._numpy", "cpu": "drr._cpu", "cuda": "drr._cupy"}


def backend_named(name: str) -> ModuleType:
    """The module of a backend; auto is cuda where there is a GPU, else cpu, else numpy with a warning.

    Raises InputError for an unknown name and for a backend that this machine cannot run.
    """
    if name == "auto":
        name = _automatic()
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    if name == "cuda" and not _cupy.available():
        raise InputError("backend cuda needs CuPy and a GPU, and one of them is missing here: use --backend cpu")
    if name == "cpu" and not _cpu.available():
        raise InputError(f"backend cpu cannot be built here: {_cpu.why_not()}; or use --backend numpy")
    return import_module(BACKENDS[name])


def _automatic() -> str:
    if _cupy.available():
        return "cuda"
    if _cpu.available():
        return "cpu"
    print(f"warning: rendering with the slow reference in NumPy: {_cpu.why_not()}", file=sys.stderr)
    return "numpy"
