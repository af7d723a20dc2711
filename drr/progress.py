"""How far a command is and how long it will take: bars on a terminal, and nothing where stderr goes elsewhere.

Whoever calls a function may watch its bars, too, and its answer as far as it is (`watched`): a page does.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Watcher:
    """Who is told beside the terminal; what one of the two raises ends the work.

    moved: with a bar's name, what of it is done, and the total or None. shown: with an answer so far.
    """

    moved: Callable[[str, float, float | None], object]
    shown: Callable[[Any], object]


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of all bars and answers of this thread until the block ends."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def show(answer: Callable[[], object]) -> None:
    """What a loop would answer if it ended now; it is made only where somebody watches."""
    if watcher := _WATCHER.get():
        watcher.shown(answer())


class _Bar(tqdm):  # type: ignore[type-arg]  # generic in stubs alone
    """A bar that is watched. It counts by itself, because tqdm does not where it draws nothing."""

    def __init__(self, what: str, total: int | None, done: int, watcher: Watcher, **drawn: Any) -> None:
        self._what, self._of, self._done, self._watcher = what, total, float(done), watcher
        super().__init__(desc=what, total=total, initial=done, **drawn)

    def update(self, n: float | None = 1) -> bool | None:
        """One more, or n."""
        self._done += n or 0
        self._watcher.moved(self._what, self._done, self._of)
        return super().update(n)


def bar(what: str, unit: str, total: int | None, *, done: int = 0, hidden: bool = False) -> "tqdm[Any]":
    """A bar to be updated by hand, as a context; bytes (unit B) are shown in thousands and millions.

    total: None where nobody knows. done: where it begins, of `total`. hidden: draw nothing, as all but one of several
    processes must. A bar inside another leaves no line behind.
    """
    drawn: dict[str, Any] = {
        "unit": unit,
        "unit_scale": unit == "B",
        "disable": True if hidden or _quiet else None,  # None: where stderr is no terminal, so that logs stay clean
        "leave": None,
        **_room(),
    }
    if watcher := _WATCHER.get():
        return _Bar(what, total, done, watcher, **drawn)
    return tqdm(desc=what, total=total, initial=done, **drawn)


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
