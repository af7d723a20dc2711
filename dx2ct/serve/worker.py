"""The worker: a process that holds the network, reads films and reconstructs, one task after the other.

It hears (name, arguments) through a pipe and answers with any number of ("progress", facts) and one of ("done", facts),
("refused", line) and ("broken", traceback). It ends when the pipe does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
import resource
import signal
import time
import traceback
from typing import Any

from drr.border import explain
from drr.progress import watched, Watcher
from dx2ct.predict.model import load, Model
from dx2ct.predict.named import default_for, FOR_FILMS
from dx2ct.serve import compare, films, runs
from dx2ct.serve.about import about
from dx2ct.serve.cost import answers_of, Clock, Cost
from dx2ct.serve.examples import examples

_OFTEN_S = 0.1
_MEBI = 2**20


class StoppedError(Exception):
    """The task is not wanted any more."""


@dataclass(frozen=True)
class Setup:
    """What the worker is started with; max_memory_mb: of its data, kept by the kernel; 0: no bound.

    for_films: the model that films go to, where it is another.
    """

    model: Path
    folder: Path
    device: str
    threads: int
    max_memory_mb: int
    for_films: Path | None = None


def main(setup: Setup, pipe: Connection, stop: Event) -> None:
    """Load the model, say what it is, and do tasks until the other end is closed. stop: ends the task in progress."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C the server hears, and closes the pipe
    if setup.max_memory_mb:
        bound = setup.max_memory_mb * _MEBI
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    _answer(pipe, lambda: _loaded(setup, pipe, stop), "serve")


def _loaded(setup: Setup, pipe: Connection, stop: Event) -> dict[str, Any]:
    how = (setup.device, setup.threads, setup.max_memory_mb)
    model = load(setup.model, *how)
    for_films = load(setup.for_films, *how) if setup.for_films else None
    given, words = examples(model, setup.folder)
    for view, path in given.items():
        films.write_example(model, view, path, setup.folder / f"example.{view}.png")
    files = {view: str(path) for view, path in given.items()}
    pipe.send(("done", about(model, for_films) | {"examples": files, "words": words}))
    desk = Desk(model, given, pipe, stop, for_films)
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            raise SystemExit(0) from None
        stop.clear()
        _answer(pipe, lambda name=name, arguments=arguments: getattr(desk, f"do_{name}")(**arguments), name)  # type: ignore[misc]


def _answer(pipe: Connection, work: Callable[[], dict[str, Any]], name: str) -> None:
    try:
        pipe.send(("done", work()))
    except StoppedError:
        pipe.send(("refused", "stopped"))
    except Exception as error:
        line = explain(error, [name])
        pipe.send(("refused", line) if line else ("broken", traceback.format_exc()))


class Desk:
    """The tasks, each a method do_NAME; arguments and answers are what goes through a pipe."""

    def __init__(
        self,
        model: Model,
        given: Mapping[str, Path],
        pipe: Connection,
        stop: Event,
        for_films: Model | None = None,
    ) -> None:
        self.model, self.for_films, self.examples, self.pipe, self.stop = model, for_films, given, pipe, stop
        self.cost, self.told_at = Cost(), 0.0

    def tell(self, facts: dict[str, Any]) -> None:
        """Progress, not too often; what is new to look at always. StoppedError where nobody wants it."""
        if self.stop.is_set():
            raise StoppedError
        now = time.perf_counter()
        if "estimate" in facts or now - self.told_at > _OFTEN_S:
            self.told_at = now
            self.pipe.send(("progress", facts))

    def do_preview(self, view: str, path: str, framing: Mapping[str, Any], whole: str, seen: str) -> dict[str, Any]:
        """See films.preview."""
        how = films.framings({view: framing})[view]
        return films.preview(self._model_of([Path(path)]), view, Path(path), how, Path(whole), Path(seen))

    def do_run(
        self,
        files: Mapping[str, str],
        framing: Mapping[str, Mapping[str, Any]],
        names: Mapping[str, str],
        asked: Mapping[str, Any],
        passes: int | None,
        folder: str,
    ) -> dict[str, Any]:
        """See runs.reconstruct."""
        clock = Clock()

        def tell(facts: dict[str, Any]) -> None:
            if "what" in facts:
                clock.moved(**facts)
            self.tell(facts)

        paths = {view: Path(path) for view, path in files.items()}
        how = films.framings(framing)
        found = runs.reconstruct(self._model_of(paths.values()), paths, how, names, asked, passes, Path(folder), tell)
        options = found["sampling"] or {"steps": 1, "samples": 1}
        self.cost.learn(clock, options["steps"], options["samples"], 1 + found["passes"])
        return found

    def do_measure(self) -> dict[str, Any]:
        """One step with the example X-rays, so that the cost of others is known; less than nothing else to do."""
        if not self.examples:
            return {}
        clock = Clock()

        def moved(what: str, done: float, total: float | None) -> None:
            clock.moved(what, done, total)
            self.tell({"what": "measure", "done": done, "total": total})

        xrays = self.model.prepare(self.examples, {})
        options = self.model.sampling_of(
            xrays, **({"steps": 1, "samples": 1, "consistency": 0} if self._samples else {})
        )
        with watched(Watcher(moved, lambda hu: None)):
            self.model.volumes_of(xrays, options[0])
        self.cost.learn(clock, 1, 1, 1)
        return {}

    def do_cost(self, asked: Mapping[str, Any], passes: Mapping[str, int]) -> dict[str, Any]:
        """Seconds of settings, None where nothing was measured yet."""
        options, _ = self.model.sampling_of({}, **asked)
        iterations = options.consistency.iterations * (options.steps if options.consistency.when == "steps" else 1)
        answers = answers_of(passes)
        seconds = self.cost.seconds(options.steps, options.samples, iterations, answers, self._samples)
        return {"seconds": seconds}

    def do_export(self, folder: str, kind: str) -> dict[str, Any]:
        """See runs.export."""
        return runs.export(Path(folder), kind)

    def do_compare(self, truth: str, folder: str) -> dict[str, Any]:
        """See compare.compare."""
        return compare.compare(self.model, Path(truth), Path(folder))

    def do_forget(self) -> dict[str, Any]:
        """Let go of films."""
        films.forget()
        return {}

    def _model_of(self, files: Iterable[Path]) -> Model:
        """Which of the two a set of X-rays goes to, as `predict` chooses."""
        return self.for_films if self.for_films and default_for(files) == FOR_FILMS else self.model

    @property
    def _samples(self) -> bool:
        return self.model.trained.inputs.samples
