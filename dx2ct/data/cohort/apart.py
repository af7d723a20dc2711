"""Every place is read in a process apart: what ends a library, or holds it for ever, costs that place alone."""

from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, suppress
from io import StringIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
import os
from pathlib import Path

from drr.ct.sources import note
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.names import shown
from dx2ct.data.cohort.places import Found, left_out_at, scans_at

PATIENCE_S = 300  # the largest series from a slow disk needs a fraction of it


class _Apart:
    """A process that reads what it is sent; a library may end it, or never come back, without harm."""

    def __init__(self) -> None:
        context = get_context("fork") if hasattr(os, "fork") else get_context()
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()  # so that the end of the process is the end of the pipe

    def read(self, place: Path | Listed) -> tuple[list[Found], list[str]] | str:
        """What lies at a place, and the remarks; or why it never answered, and nothing more can be asked."""
        try:
            self._here.send(place)
            if self._here.poll(PATIENCE_S):
                found: tuple[list[Found], list[str]] = self._here.recv()
                return found
        except (EOFError, OSError):
            return "reading it ended the reading process: it is damaged, or memory is short"
        return f"it was not read within {PATIENCE_S} s: it is damaged"

    def end(self) -> None:
        """At once."""
        self._process.kill()
        self._process.join()
        self._here.close()


def _serve(requests: Connection) -> None:
    with suppress(EOFError, KeyboardInterrupt):  # the survey has ended
        while True:
            requests.send(_scans_with_remarks(requests.recv()))


def scans_at_each(places: Sequence[Path | Listed]) -> Iterator[list[Found]]:
    """What lies at each place, in their order. Remarks of the readers go to stderr.

    A file may be damaged such that a library ends the whole process, or reads for ever: it is then left out, and the
    others go on.
    """
    apart = _Apart()
    try:
        for place in places:
            answer = apart.read(place)
            if isinstance(answer, str):
                apart.end()
                apart = _Apart()
                yield [left_out_at(place, answer)]
                continue
            found, remarks = answer
            for remark in remarks:
                note(shown(remark))
            yield found
    finally:
        apart.end()


def _scans_with_remarks(place: Path | Listed) -> tuple[list[Found], list[str]]:
    with redirect_stderr(StringIO()) as text:
        found = list(scans_at(place))
    return found, [line.removeprefix("note: ") for line in text.getvalue().splitlines()]
