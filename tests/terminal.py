"""What a command draws on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO


class Terminal(StringIO):
    """A text that says it is one."""

    def isatty(self) -> bool:
        return True


@contextmanager
def on_a_terminal() -> Iterator[Terminal]:
    """stderr is a terminal as long as this lasts."""
    with redirect_stderr(Terminal()) as terminal:
        yield terminal
