"""Every method by the name that a row of `runs:` gives it. A new one is a module here and its name in BUILT_IN.

A package of somebody else's registers a method as an entry point of the group `dx2ct.methods`.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from drr.errors import InputError
from dx2ct.methods.base import Method

BUILT_IN = ("dx2ct", "lift", "cnn2d", "x2ctgan", "perx2ct", "backprojection", "sart", "mean", "volumes")
GROUP = "dx2ct.methods"


@cache
def methods() -> dict[str, Method]:
    """{name: method}, ours before those of other packages; InputError for a foreign one that cannot be imported."""
    found = {name: import_module(f"{__name__}.{name}").METHOD for name in BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in found:
            raise InputError(f"method {point.name} of {point.value} has the name of one that exists: rename it")
        found[point.name] = _foreign(point.name, point.value)
    return found


def method_named(name: str) -> Method:
    """The method of a name; InputError for an unknown one."""
    if name not in methods():
        raise InputError(
            f"unknown method {name!r}; known: {', '.join(methods())}; one of another package is there once that is "
            f"installed beside dx2ct (docs/tutorials/method.md)"
        )
    return methods()[name]


def _foreign(name: str, value: str) -> Method:
    module, _, attribute = value.partition(":")
    try:
        method = getattr(import_module(module), attribute or "METHOD")
    except (ImportError, AttributeError) as error:
        raise InputError(f"method {name}: {value} cannot be imported ({error}): mend or uninstall it") from None
    if not isinstance(method, Method) or method.name != name:
        raise InputError(f"method {name}: {value} is no Method of that name")
    return method
