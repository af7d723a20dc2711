"""How long to wait: for one step of an answer, and before the next try."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, UTC
from email.utils import parsedate_to_datetime
import signal
import time
from types import FrameType
from typing import TypeVar

from tenacity import retry_if_exception_type, RetryCallState, Retrying, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from dx2ct.config import DownloadSettings
from dx2ct.data.sources.lidc.errors import PassingError

LONGEST_PAUSE_S = 120.0
T = TypeVar("T")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when the block takes longer; in the main thread only.

    The timeouts of a socket begin anew with every byte: a server that sends one byte a second meets them for ever.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {seconds:g} s")

    start = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    others_s, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if others_s:
            signal.setitimer(signal.ITIMER_REAL, max(others_s - (time.monotonic() - start), 0.001))


def patiently(settings: DownloadSettings, action: Callable[[], T]) -> T:
    """Call until it does not end in a PassingError, `settings.tries` times at most.

    Pauses grow as `backoff_s` times 1, 2, 4 ... with jitter of up to `backoff_s`, and are never shorter than the server
    asked for.
    """
    grow = wait_exponential_jitter(initial=settings.backoff_s, max=LONGEST_PAUSE_S, jitter=settings.backoff_s)

    def pause_s(state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        return max(grow(state), fault.wait_s if isinstance(fault, PassingError) else 0)

    retrying = Retrying(
        retry=retry_if_exception_type(PassingError),
        stop=stop_after_attempt(settings.tries),
        wait=pause_s,
        reraise=True,
    )
    try:
        return retrying(action)
    except PassingError as fault:
        raise PassingError(f"{fault}, in the last of {settings.tries} tries") from None


def retry_after_s(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, a number or a date; 0 without one that can be read."""
    try:
        if header is None or header.strip().isdigit():
            return float(header or 0)
        return max((parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds(), 0)
    except (TypeError, ValueError, OverflowError):  # TypeError: a date without a time zone
        return 0
