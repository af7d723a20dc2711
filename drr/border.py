"""The border of a command line: what goes wrong behind it is one line for people, and an exit code that is not 0.

A fault of the machine (disk, memory, permissions) is named with the file and what to do. Anything else is a defect of
this program and keeps its traceback, which a report of it needs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import errno
import os
import re
import sys
import traceback

from drr.errors import InputError

_DISK = "free some space there and run the same command again"
_MEMORY = "close other programs, or ask for more memory (ulimit -v, a job's mem_mb), and run the same command again"
_WRITABLE = "free some space there or make the folder writable, and run the same command again"
_ACCESS = "make the file or its folder readable and writable for you, or choose another place"
_ADVICE = {
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), or choose another place",
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: "raise the limit of processes (ulimit -u), and run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: _ACCESS,
    errno.EIO: "the disk or the network fails: try another one",
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "choose a shorter name",
}
# How numpy, torch, ITK, the C++ library and the loader of libraries say that memory ran out.
_SHORT_OF_MEMORY = re.compile(
    r"allocat|out of memory|bad_alloc|start new thread|failed to map segment|cannot map|cublas.*alloc", re.IGNORECASE
)
# How torch and ITK say that a file could not be written; neither says why, and torch not even which one.
_NOT_WRITTEN = re.compile(r"PytorchStreamWriter|inline_container|iostream|ImageFileWriter|for writing|failed to write")
_ADDRESS = re.compile(r"^.*?0x[0-9a-f]+\): *(ERROR: *)?", re.IGNORECASE)  # of an object of ITK

_shows_tracebacks = False


def show_tracebacks() -> None:
    """From now on say where an error came from, above its line."""
    global _shows_tracebacks
    _shows_tracebacks = True


@contextmanager
def one_line_errors(words: Sequence[str]) -> Iterator[None]:
    """Turn what a person or the machine did wrong into `error: ...` on standard error and exit code 1.

    words: the command line without the program, which names what was done where an error names no file.
    """
    try:
        try:
            yield
        except SystemExit as end:
            if end.code:
                raise
        sys.stdout.flush()  # a full disk behind it is noticed here, not while the interpreter ends
    except BrokenPipeError:  # its reader has seen enough, as in `| head`
        _let_go_of_stdout()
        sys.exit(1)
    except Exception as error:
        if (line := explain(error, words)) is None:
            raise
        if _shows_tracebacks:
            traceback.print_exc()
        print("error:", line, file=sys.stderr)
        _let_go_of_stdout()
        sys.exit(1)


def _let_go_of_stdout() -> None:
    """What could not be written must not be tried, and told, once more when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain(error: BaseException, words: Sequence[str] = ()) -> str | None:
    """One line that says what went wrong, where, and what to do; None for a defect of the program."""
    if isinstance(error, InputError):
        text, said = (
            _one_line(str(error)),
            next((last_line(one) for one in _behind(error) if short_of_memory(one)), ""),
        )
        return f"{text.partition(': ')[0]}: not enough memory ({said}): {_MEMORY}" if said else text
    place = next((_one_line(note) for note in getattr(error, "__notes__", ())), _what(words))
    said = last_line(error)
    if isinstance(error, OSError):
        place = _one_line(str(error.filename)) if error.filename is not None else place
        advice = _ADVICE.get(error.errno or 0, _WRITABLE if "written" in said else _ACCESS)
        return f"{place}: {error.strerror or said}: {advice}"
    if isinstance(error, RecursionError):
        return f"{place}: its values are nested too deeply: mend the file"
    if short_of_memory(error):
        return f"{place}: not enough memory ({said or 'nothing is left'}): {_MEMORY}"
    if isinstance(error, RuntimeError) and _NOT_WRITTEN.search(str(error)):
        return f"{place}: cannot be written ({said}): {_WRITABLE}"
    return None


def short_of_memory(error: BaseException) -> bool:
    """True where an exception of Python, NumPy, torch, ITK or of the loader of libraries says so."""
    if isinstance(error, (RuntimeError, ImportError)):
        return bool(_SHORT_OF_MEMORY.search(str(error)))
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """What was caught while `error` was raised, the last first."""
    while (cause := error.__cause__ or error.__context__) is not None:
        yield cause
        error = cause


def _what(words: Sequence[str]) -> str:
    """The command and the first path or name after it, for errors that name no file."""
    command, *rest = words or [""]
    output = next((rest[i + 1] for i, word in enumerate(rest[:-1]) if word in ("-o", "--output")), "")
    first = rest[0] if rest and not rest[0].startswith("-") else output
    return _one_line(f"{command} {first}".strip()) or "this command"


def last_line(error: BaseException) -> str:
    """What an exception says, without ITK's `Reason: Success` and addresses of objects."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and line != "Reason: Success"]
    return _one_line(_ADDRESS.sub("", lines[-1])).removeprefix("Reason: ")[:200] if lines else ""


def _one_line(text: str) -> str:
    """Without line breaks, and with control characters shown: a file's name may hold any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))
