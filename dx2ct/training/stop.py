"""A training that is asked to end finishes its step, saves its state and exits: the same command resumes there."""

from collections.abc import Iterator
from contextlib import contextmanager
import signal
import threading
from types import FrameType

from dx2ct.training.distributed import rank

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)  # a scheduler's or a shell's end, a lost terminal, Ctrl-C
_received: list[int] = []


@contextmanager
def stopping_gently() -> Iterator[None]:
    """Note SIGTERM, SIGHUP and SIGINT instead of dying of them; a second one ends the process at once.

    What is ignored stays so (nohup). Outside of the main thread, which alone hears of signals, nothing changes. Of
    several processes rank 0 decides, which saves; the others must finish its step with it, and end when it has left.
    """
    _received.clear()
    here = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS if here}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, _note if rank() == 0 else signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def asked_to_stop() -> str:
    """Name of the signal that has asked for the end; empty where none has."""
    return signal.Signals(_received[0]).name if _received else ""


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    for one in _SIGNALS:
        if signal.getsignal(one) is _note:
            signal.signal(one, signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL)
