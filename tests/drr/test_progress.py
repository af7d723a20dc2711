"""Bars: on a terminal they say how far and how long; elsewhere there is nothing."""

from collections.abc import Callable
import os
from pathlib import Path
import pty
import subprocess
import sys
import termios

import numpy as np
import pytest

from drr.__main__ import main
from drr.ct.sources import note
from drr.progress import bar, each, say, show, watched, Watcher
from drr.volume import Volume
from tests.conftest import ROOT
from tests.terminal import on_a_terminal


def counted() -> None:
    assert list(each([3, 1, 2], "things", "thing")) == [3, 1, 2]


def by_hand() -> None:
    with bar("things", "thing", 3, done=1) as shown:
        shown.update(2)


@pytest.mark.parametrize("work", [counted, by_hand])
def test_a_terminal_sees_how_many_of_how_many_and_the_time_left(work: Callable[[], None]) -> None:
    with on_a_terminal() as terminal:
        work()
    last = terminal.getvalue().split("\r")[-1]
    assert "things: 100%" in last and "3/3" in last and "<00:00" in last


@pytest.mark.parametrize("work", [counted, by_hand])
def test_a_log_stays_clean(work: Callable[[], None], capfd: pytest.CaptureFixture[str]) -> None:
    work()
    assert capfd.readouterr() == ("", "")


def test_what_is_hidden_draws_nothing() -> None:
    with on_a_terminal() as terminal:
        assert list(each([1], "things", "thing", hidden=True)) == [1]
    assert terminal.getvalue() == ""


def test_an_inner_bar_leaves_no_line() -> None:
    with on_a_terminal() as terminal:
        for _ in each([1, 2], "outer", "thing"):
            assert list(each([1, 2], "inner", "thing")) == [1, 2]
    last = terminal.getvalue().split("\r")[-1]
    assert "outer: 100%" in last and "inner" not in last


def test_words_stand_above_the_bar_on_a_line_of_their_own() -> None:
    with on_a_terminal() as terminal:
        for _ in each([1], "things", "thing"):
            say("one is done")
            note("and a note")
    lines = [line.split("\r")[-1].strip() for line in terminal.getvalue().split("\n")]
    assert "one is done" in lines and "note: and a note" in lines


def test_bytes_are_shown_in_thousands() -> None:
    with on_a_terminal() as terminal, bar("file", "B", 5000) as shown:
        shown.update(5000)
    assert "5.00k/5.00k" in terminal.getvalue()


@pytest.mark.parametrize("size", [(0, 0), (24, 0), (0, 100), (24, 100)])
def test_terminals_that_do_not_know_their_size_see_it_too(size: tuple[int, int]) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    code = "from drr.progress import each; list(each([1, 2, 3], 'things', 'thing'))"
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, cwd=ROOT)
    os.close(theirs)
    assert b"things: 100%" in os.read(ours, 10_000)
    os.close(ours)


@pytest.mark.parametrize("quiet", [False, True])
def test_drr_render_shows_its_views(quiet: bool, tmp_path: Path) -> None:
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
    Volume(hu, (20.0, 21.0, 22.0), (0.0, 0.0, 0.0)).write(tmp_path / "ct.mha")
    line = ["render", str(tmp_path / "ct.mha"), "-o", str(tmp_path), "--pixels", "8", "--gantry", "0", "30", "90"]
    with on_a_terminal() as terminal:
        assert main([*line, "--backend", "numpy", *(["--quiet"] if quiet else [])]) == 0
    assert len(list(tmp_path.glob("gantry*.mha"))) == 3
    assert ("3/3" in terminal.getvalue()) != quiet


def test_whoever_watches_hears_of_every_bar_and_of_answers():
    moved, shown = [], []
    show(lambda: pytest.fail("nobody watches: it is not made"))
    with watched(Watcher(lambda *facts: moved.append(facts), shown.append)):
        assert list(each("ab", "letters", "letter", hidden=True)) == ["a", "b"]
        with bar("bytes", "B", None, done=2) as own:
            own.update(5)
        show(lambda: 7)
    list(each("ab", "letters", "letter"))
    assert moved == [("letters", 1, 2), ("letters", 2, 2), ("bytes", 7, None)] and shown == [7]


def test_what_a_watcher_raises_ends_the_work():
    def stop(*facts: object) -> None:
        raise KeyError

    with watched(Watcher(stop, stop)), pytest.raises(KeyError):
        list(each("ab", "letters", "letter"))
