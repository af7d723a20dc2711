"""The worker's process as the server holds it: started, asked, stopped, and started again when it dies."""

from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
import signal
import time
from typing import Any

_POLL_S = 0.1
_GRACE_S = 10.0  # from being told to stop to being killed
_START_S = 600.0
Tell = Callable[[Mapping[str, Any]], object]


class DiedError(Exception):
    """The worker ended or had to be ended; the message is for people."""


class Worker:
    """One process; `call` is for one thread at a time."""

    def __init__(self, setup: Mapping[str, Any], tell: Tell = lambda about: None) -> None:
        """setup: the fields of worker.Setup. tell: hears what `about` says of the model whenever it was loaded."""
        self.setup, self.told = setup, tell
        self.context = get_context("spawn")
        self.process: BaseProcess | None = None
        self.pipe: Connection | None = None
        self.halt = self.context.Event()

    def start(self) -> None:
        """Start the process and wait until the model is loaded; DiedError with its line where it cannot be."""
        self.close()
        self.pipe, other = self.context.Pipe()
        self.process = self.context.Process(target=_started, args=(dict(self.setup), other, self.halt), daemon=True)
        self.process.start()
        other.close()
        kind, found = self._hear(lambda facts: None, _START_S, lambda: False)
        if kind != "done":
            self.close()
            raise DiedError(found)
        self.told(found)

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        tell: Tell,
        limit_s: float | None,
        is_unwanted: Callable[[], bool],
    ) -> tuple[str, Any]:
        """The kind of answer and the answer (worker.py). DiedError where there will be none; start it again then."""
        if self.pipe is None:
            self.start()
        assert self.pipe
        try:
            self.pipe.send((name, arguments))
        except (BrokenPipeError, OSError):
            raise DiedError(self._dead()) from None
        return self._hear(tell, limit_s, is_unwanted)

    def stop(self) -> None:
        """End the task in progress, soon."""
        self.halt.set()

    def close(self) -> None:
        """End the process."""
        if self.process and self.process.is_alive():
            self.process.kill()
            self.process.join()
        if self.pipe:
            self.pipe.close()
        self.process = self.pipe = None

    def _hear(self, tell: Tell, limit_s: float | None, is_unwanted: Callable[[], bool]) -> tuple[str, Any]:
        assert self.pipe
        began, unwanted_at = time.monotonic(), None
        while True:
            try:
                if self.pipe.poll(_POLL_S):
                    kind, found = self.pipe.recv()
                    if kind != "progress":
                        return kind, found
                    tell(found)
            except (EOFError, OSError):
                raise DiedError(self._dead()) from None
            now = time.monotonic()
            if limit_s and now - began > limit_s:
                self.close()
                raise DiedError(f"it took more than {limit_s:.0f} s: the file is damaged or the machine too busy")
            if is_unwanted():
                unwanted_at = unwanted_at or now
                self.halt.set()  # again, since it is cleared where a task begins
                if now - unwanted_at > _GRACE_S:
                    self.close()
                    raise DiedError("cancelled")

    def _dead(self) -> str:
        code = None
        if self.process:
            self.process.join(5)
            code = self.process.exitcode
        self.close()
        if code == -signal.SIGKILL:
            return "the worker was killed: not enough memory for this file or these settings"
        return f"the worker ended ({code}): the file is damaged, or needs more memory than there is"


def _started(setup: Mapping[str, Any], pipe: Connection, halt: Any) -> None:
    """In the new process. What is heavy is imported there alone."""
    from dx2ct.serve.worker import main, Setup

    main(Setup(**setup), pipe, halt)
