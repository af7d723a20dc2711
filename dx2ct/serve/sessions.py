"""What belongs to one page: its films, its runs, its folder. Nobody without its unguessable name reaches them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
import os
from pathlib import Path
import re
import secrets
import shutil
import tempfile
import time
from typing import Any

from drr.errors import InputError
from dx2ct.serve.line import FullError, Line
from dx2ct.serve.task import Task

MOST, RUNS_KEPT = 32, 3
_BYTES = 24  # of randomness in a name
_FOLDER = re.compile(r"dx2ct-serve-(\d+)-\w+")


@dataclass(eq=False)
class Film:
    """One X-ray: where it lies, what its owner calls it, how it is framed, what the worker said of it last."""

    path: Path
    label: str
    framing: dict[str, Any]
    number: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(4))

    def picture(self, name: str) -> Path:
        """A picture of it as it is framed; another framing at the same time writes others."""
        return self.path.with_name(f"{self.path.name.partition('.')[0]}-{self.mark}.{name}.png")


@dataclass(eq=False)
class Session:
    """One page or script. truth: the CT to compare with."""

    id: str
    folder: Path
    films: dict[str, Film] = field(default_factory=dict)
    runs: dict[str, Task] = field(default_factory=dict)
    truth: Path | None = None
    used_at: float = field(default_factory=time.monotonic)
    is_closed: bool = False

    def run_folder(self, run: str) -> Path:
        """Where a run's files are."""
        return self.folder / f"run-{run}"

    def keep(self, run: str, task: Task, line: Line) -> None:
        """Add a run; the oldest of more than RUNS_KEPT goes."""
        self.runs[run] = task
        while len(self.runs) > RUNS_KEPT:
            oldest = next(iter(self.runs))
            line.cancel(self.runs.pop(oldest))
            shutil.rmtree(self.run_folder(oldest), ignore_errors=True)


class Sessions:
    """All of them, in one folder that goes with the server."""

    def __init__(self, line: Line, keep_minutes: float) -> None:
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"dx2ct-serve-{os.getpid()}-"))  # for its owner alone
        self.line, self.keep_s = line, 60 * keep_minutes
        self.all: dict[str, Session] = {}
        self.closed: list[Path] = []

    def new(self) -> Session:
        """One more; FullError where there are too many."""
        self.expire()
        if len(self.all) >= MOST:
            raise FullError(f"{MOST} pages are open already: close one, or try again later")
        name = secrets.token_urlsafe(_BYTES)
        session = Session(name, self.folder / secrets.token_hex(8))
        session.folder.mkdir()
        self.all[name] = session
        return session

    def find(self, name: str) -> Session:
        """By its name; KeyError where there is none, or no longer."""
        self.expire()
        session = self.all[name]
        session.used_at = time.monotonic()
        return session

    def close(self, session: Session) -> None:
        """Delete all that belongs to it. What the worker still writes is deleted by `expire`."""
        session.is_closed = True
        for task in session.runs.values():
            self.line.cancel(task)
        self.all.pop(session.id, None)
        self.closed.append(session.folder)
        shutil.rmtree(session.folder, ignore_errors=True)
        if len(self.line.short) < 2:
            self.line.submit(Task("forget", {}))

    def expire(self) -> None:
        """Close what nobody has used for too long."""
        for session in [*self.all.values()]:
            if time.monotonic() - session.used_at > self.keep_s:
                self.close(session)
        for folder in self.closed:
            shutil.rmtree(folder, ignore_errors=True)
        if self.line.now is None:
            self.closed.clear()

    def end(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep() -> None:
    """Delete what servers that were killed have left."""
    for path in _left():
        shutil.rmtree(path, ignore_errors=True)


def _left() -> Iterator[Path]:
    for path in Path(tempfile.gettempdir()).glob("dx2ct-serve-*"):
        match = _FOLDER.fullmatch(path.name)
        if match and path.stat().st_uid == os.getuid() and not _lives(int(match[1])):
            yield path


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def label_of(name: str) -> str:
    """A file's name as it may be shown: its last part, printable, short."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:80] or "without a name"


def require_view(view: str, views: list[str]) -> None:
    """InputError for a view that the model does not know."""
    if view not in views:
        raise InputError(f"view {view[:40]!r}: the model was trained on {' and '.join(views)}")
