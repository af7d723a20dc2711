"""How far a command is and how long it will take: bars on a terminal, and nothing where stderr goes elsewhere."""

from collections.abc import Collection, Iterator
import os
import sys
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
_quiet = False


def be_quiet() -> None:
    """From now on draw no bars and say no notes; errors and warnings are not said by this module."""
    global _quiet
    _quiet = True


def bar(what: str, unit: str, total: int | None, *, done: int = 0, hidden: bool = False) -> "tqdm[Any]":
    """A bar to be updated by hand, as a context; bytes (unit B) are shown in thousands and millions.

    total: None where nobody knows. done: where it begins, of `total`. hidden: draw nothing, as all but one of several
    processes must. A bar inside another leaves no line behind.
    """
    return tqdm(
        desc=what,
        unit=unit,
        total=total,
        initial=done,
        unit_scale=unit == "B",
        disable=True if hidden or _quiet else None,  # None: where stderr is no terminal, so that logs stay clean
        leave=None,
        **_room(),
    )


def _room() -> dict[str, Any]:
    """Columns and rows: those of a window, which may change, or usual ones where it does not know its size.

    Terminals of containers do not, and tqdm would draw nothing there.
    """
    try:
        is_known = all(os.get_terminal_size(sys.stderr.fileno()))
    except (AttributeError, OSError, ValueError):  # of a stderr that is no file
        is_known = True
    return {"dynamic_ncols": True} if is_known else {"ncols": 80, "nrows": 24}


def each(things: Collection[T], what: str, unit: str, *, hidden: bool = False) -> Iterator[T]:
    """The things one after the other, under a bar that counts those that are done."""
    with bar(what, unit, len(things), hidden=hidden) as shown:
        for thing in things:
            yield thing
            shown.update()


def say(text: str) -> None:
    """A line on stderr, above any bar; nothing after `be_quiet`."""
    if not _quiet:
        tqdm.write(text, file=sys.stderr)
