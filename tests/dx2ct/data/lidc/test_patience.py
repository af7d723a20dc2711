"""How long is waited, and what for."""

from datetime import datetime, timedelta, UTC
from email.utils import format_datetime
import signal
import time

import pytest

from dx2ct.config import DownloadSettings, LocalSource
from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.patience import LONGEST_PAUSE_S, patiently, retry_after_s, within


def settings(tries: int, backoff_s: float) -> DownloadSettings:
    return DownloadSettings((LocalSource("local", "x"),), 1, 1, tries, backoff_s)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited."""
    waited = list[float]()
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def test_pauses_double_with_jitter_up_to_a_limit(pauses: list[float]) -> None:
    def fails() -> None:
        raise PassingError("no")

    with pytest.raises(PassingError, match="no, in the last of 9 tries"):
        patiently(settings(9, 2.0), fails)
    for n, pause in enumerate(pauses):
        assert min(2.0 * 2**n, LONGEST_PAUSE_S) <= pause <= min(2.0 * 2**n + 2, LONGEST_PAUSE_S)
    assert len(pauses) == 8
    assert len({round(pause % 1, 6) for pause in pauses[:5]}) > 1, "no jitter"


def test_the_server_may_ask_for_a_longer_pause(pauses: list[float]) -> None:
    tries = iter([PassingError("busy", wait_s=30), PassingError("busy", wait_s=0.1), None])

    def works_at_last() -> str:
        if fault := next(tries):
            raise fault
        return "done"

    assert patiently(settings(3, 1.0), works_at_last) == "done"
    assert pauses[0] == 30
    assert pauses[1] >= 2


def test_what_will_not_pass_is_not_tried_again(pauses: list[float]) -> None:
    tries = list[int]()

    def refuses() -> None:
        tries.append(1)
        raise SourceError("gone")

    with pytest.raises(SourceError, match=r"gone\Z"):
        patiently(settings(5, 1.0), refuses)
    assert (len(tries), pauses) == (1, [])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("-1", 0),
        ("soon", 0),
        ("1e9", 0),
        ("²", 0),
        ("9" * 400, float("inf")),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    assert retry_after_s(header) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < retry_after_s(later) <= 60


def test_within_ends_what_takes_too_long_and_keeps_the_timer_of_others() -> None:
    ring = signal.signal(signal.SIGALRM, lambda number, frame: None)
    before = signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        with pytest.raises(TimeoutError), within(0.05):
            time.sleep(5)
        with within(5):
            pass
        assert 490 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, ring)
